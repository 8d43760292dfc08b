"""Sums as linear forms: what two sums share cancels in their difference, exactly and before anything is rounded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from graphc.graph import Handle
from graphc.rewrite.engine import Rewriter
from graphc.rewrite.pattern import negate
from graphc.types import DType

LIMIT = 24  # summands that are looked at: a sum over a whole network is no form that somebody wrote down


@dataclass(frozen=True, slots=True)
class Linear:
    """``sum(c * value for value, c in terms.items()) + number``."""

    terms: Mapping[Handle, float]
    number: float = 0.0

    def __sub__(self, other: Linear) -> Linear:
        terms = dict(self.terms)
        for value, c in other.terms.items():
            terms[value] = terms.get(value, 0.0) - c
        return Linear({v: c for v, c in terms.items() if c != 0}, self.number - other.number)

    def plus(self, number: float) -> Linear:
        return Linear(self.terms, self.number + number)

    def without(self, value: Handle) -> Linear:
        return Linear({v: c for v, c in self.terms.items() if v is not value}, self.number)

    def shares(self, other: Linear, *, numbers: bool = False) -> bool:
        """Whether a summand of both cancels in their difference; ``numbers``: a number that is not 0 counts, too."""
        values = any(other.terms.get(value) == c for value, c in self.terms.items())
        return values or (numbers and self.number == other.number != 0)

    def ratio(self, other: Linear) -> float | None:
        """``k`` where this is ``k`` times ``other``; None where it is no multiple of it, or either is a number."""
        if not self.terms or self.terms.keys() != other.terms.keys():
            return None
        first = next(iter(self.terms))
        k = self.terms[first] / other.terms[first]
        same = all(c == k * other.terms[value] for value, c in self.terms.items())
        return k if same and self.number == k * other.number else None

    def built(self, b: Rewriter, dtype: DType) -> Handle:
        """The node of the sum, what is added before what is subtracted."""
        total: Handle | None = None
        for value, c in sorted(self.terms.items(), key=lambda term: term[1] < 0):
            size = value if abs(c) == 1 else b("mul", value, b.constant(abs(c), dtype))
            total = _joined(b, total, size, c > 0)
        if total is None or self.number:
            number = b.constant(self.number, dtype)
            total = number if total is None else b("add", total, number)
        return total


def _joined(b: Rewriter, total: Handle | None, size: Handle, added: bool) -> Handle:
    if total is None:
        return size if added else negate(size, b)
    return b("add" if added else "sub", total, size)


def linear(b: Rewriter, value: Handle) -> Linear:
    """``value`` as a sum of nodes times numbers; itself once where it is none, or one of more than ``LIMIT`` terms."""
    terms: dict[Handle, float] = {}
    number, seen, stack = 0.0, 0, [(value, 1.0)]
    while stack:
        here, c = stack.pop()
        parts = _parts(b, here, c)
        known = b.number(here)
        seen += 1
        if seen > LIMIT:
            return Linear({value: 1.0})
        if known is not None:
            number += c * known
        elif parts:
            stack.extend(parts)
        else:
            terms[here] = terms.get(here, 0.0) + c
    kept = {v: c for v, c in terms.items() if c != 0}
    finite = math.isfinite(number) and all(map(math.isfinite, kept.values()))
    return Linear(kept, number) if finite else Linear({value: 1.0})


def _parts(b: Rewriter, value: Handle, c: float) -> list[tuple[Handle, float]]:
    """What ``c * value`` is the sum of, where it is one."""
    term = b.sees(value, "add", "sub", "neg", "mul", "div", "broadcast_to")
    if term is None:
        return []
    first, last = term.operands[0], term.operands[-1]
    match term.op:
        case "add" | "sub":
            return [(first, c), (last, c if term.op == "add" else -c)]
        case "neg":
            return [(first, -c)]
        case "broadcast_to":
            return [(first, c)]
        case _:
            return _scaled(b, term.op, first, last, c)


def _scaled(b: Rewriter, op: str, first: Handle, last: Handle, c: float) -> list[tuple[Handle, float]]:
    left, right = b.number(first), b.number(last)
    if op == "div":
        return [(first, c / right)] if right else []
    if right is not None:
        return [(first, c * right)]
    return [(last, c * left)] if left is not None else []


__all__ = ["Linear", "linear"]
