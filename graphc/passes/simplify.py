"""Simplify: identities that change no value."""

from __future__ import annotations

from graphc.graph import Cone
from graphc.passes.arithmetic import ARITHMETIC
from graphc.passes.movement import MOVEMENT
from graphc.passes.windows import WINDOWS
from graphc.rewrite import Rewritten, by_op, rewrite_cone

IDENTITIES = (*ARITHMETIC, *MOVEMENT, *WINDOWS)
_TABLE = by_op(IDENTITIES)


def simplify(cone: Cone) -> Rewritten:
    """The cone with every application in its simplest form, as the identities of this package give it.

    >>> import graphc as gc
    >>> from graphc.graph import Cone
    >>> g = gc.Graph()
    >>> x = g.input("x", (3,))
    >>> print(simplify(Cone(g, {"y": (x * 1 - -x).id})).cone)
    %0: f32[3] = input(name='x')
    %3: f32[3] = add(%0, %0)
    output 'y' = %3
    """
    return rewrite_cone(cone, _TABLE)
