"""What an identity of the simplifier is: an exact equation, tried at the applications of given ops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from graphc import registry
from graphc.errors import GraphcError
from graphc.graph import Handle
from graphc.rewrite import Rewriter, Term
from graphc.types import Checks

Body = Callable[[Rewriter, Term], Handle | None]


@dataclass(frozen=True, slots=True)
class Identity:
    """``body`` gives the simpler node or None; ``ops`` are where it is tried, ``"*"`` for everywhere."""

    name: str
    ops: tuple[str, ...]
    body: Body

    def apply(self, b: Rewriter, term: Term, /) -> Handle | None:
        return self.body(b, term)


def identity(table: list[Identity], *ops: str) -> Callable[[Body], Body]:
    """Enter a function as an identity of ``table``, tried at applications of ``ops``."""

    def enter(body: Body) -> Body:
        table.append(Identity(body.__name__, ops, body))
        return body

    return enter


def sound(term: Term) -> bool:
    """Whether ``term`` is well typed with nothing left for a call to check."""
    checks = Checks()
    try:
        registry.lookup(term.op).infer(checks, [o.type for o in term.operands], term.params)
    except GraphcError:
        return False
    return not checks.equations
