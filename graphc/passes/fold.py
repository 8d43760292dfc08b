"""Fold: what is known now is computed now, by the ops' own reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.graph import Cone, Constant, Graph, Handle, Node
from graphc.passes.structure import unchanged, visited
from graphc.rewrite import Rewritten
from graphc.size import Size

SMALL = 256  # bytes that a folded constant may always have


def fold(cone: Cone) -> Rewritten:
    """The cone with applications to constants computed, where the result is finite and no larger than what it
    was made of (or ``SMALL`` bytes), so that a program never grows by what a loop could make.

    >>> import graphc as gc
    >>> from graphc.graph import Cone
    >>> g = gc.Graph()
    >>> print(fold(Cone(g, {"y": (g.const(2.0) * g.const(3.0)).id})).cone)
    %2: f32[] = const(value=constant((6.0,), "float32", ()))
    output 'y' = %2
    """
    constant = {at for at, node in enumerate(cone.graph.nodes) if node.is_const}
    worth = any(_over(cone.graph.nodes[at], constant) for at in cone.nodes if at not in cone.kept)

    def visit(target: Graph, at: int, node: Node, operands: Sequence[Handle]) -> Handle | None:
        foldable = at not in cone.kept and bool(operands) and all(o.node.is_const for o in operands)
        value = _value(node, [o.node.param["value"] for o in operands]) if foldable else None
        return None if value is None else target.constant(value)

    return visited(cone, visit) if worth else unchanged(cone)


def _over(node: Node, constant: set[int]) -> bool:
    return bool(node.operands) and constant.issuperset(node.operands)


def _value(node: Node, operands: Sequence[Constant]) -> Constant | None:
    """The result of ``node``; None where it is too large, not finite, or depends on a symbolic size."""
    if not _bounded(node, operands):
        return None
    with np.errstate(all="ignore"):
        result = registry.lookup(node.op).reference([c.array for c in operands], node.param, node.type)
    finite = not node.type.dtype.is_float or bool(np.all(np.isfinite(result)))
    return Constant.of(result, node.type.dtype) if finite else None


def _bounded(node: Node, operands: Sequence[Constant]) -> bool:
    size = node.type.size
    if not isinstance(size, int) or any(_symbolic(v) for _, v in node.params):
        return False
    return size * node.type.dtype.itemsize <= max(SMALL, sum(len(c.data) for c in operands))


def _symbolic(value: Any) -> bool:
    if isinstance(value, tuple):
        return any(isinstance(v, Size) for v in value)  # pyright: ignore[reportUnknownVariableType]
    return isinstance(value, Size)
