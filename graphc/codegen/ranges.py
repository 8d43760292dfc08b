"""Ranges of a loop on which conditions on its index do not change: a joined or padded row becomes a few plain loops.

``concatenate`` and ``pad`` load behind guards such as ``j >= 3 and j < 7``. With the loop cut at 3 and 7, each guard is
known in each part, and what is left are loads one after another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from graphc.loops import Axis, Call, Const, Expr, fold, rebuild, walk
from graphc.types import DType

MOST = 8  # parts of one loop: each is written out
# Of a condition on an index: where its value changes, counted from the constant, for "index fn constant".
_CHANGES = {"lt": 0, "ge": 0, "le": 1, "gt": 1}
_MIRRORED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}

Range = tuple[int, int]


def parts(exprs: Iterable[Expr], axis: int, extent: int) -> list[Range]:
    """The ranges into which conditions of ``exprs`` cut ``range(extent)`` of ``axis``; the whole where they are many.

    >>> parts([Call("lt", (Axis(0), Const(3, DType.I64)), DType.BOOL)], 0, 5)
    [(0, 3), (3, 5)]
    """
    conditions = (c for expr in exprs for e in walk(expr) if (c := _condition(e, axis)) is not None)
    cuts = sorted({at for fn, constant in conditions if 0 < (at := constant + _CHANGES[fn]) < extent})
    found = list(pairwise([0, *cuts, extent]))
    return found if len(found) <= MOST else [(0, extent)]


def within(expr: Expr, known: Sequence[tuple[int, Range]]) -> Expr:
    """``expr`` where each axis of ``known`` is within its range: conditions that follow are left out."""
    found = expr
    for axis, bounds in known:
        found = rebuild(found, lambda e, a=axis, b=bounds: _decided(e, a, b))
    return expr if found == expr else _reduced(found)


def _condition(expr: Expr, axis: int) -> tuple[str, int] | None:
    """``expr`` as (fn, constant), where it compares ``axis`` with a constant."""
    match expr:
        case Call(fn, (index, Const(int(value)))) if fn in _CHANGES:
            offset = _offset(index, axis)
            return None if offset is None else (fn, value - offset)
        case Call(fn, (Const(int(value)), index)) if fn in _CHANGES:
            offset = _offset(index, axis)
            return None if offset is None else (_MIRRORED[fn], value - offset)
        case _:
            return None


def _offset(index: Expr, axis: int) -> int | None:
    """What ``index`` adds to ``axis``; None if it is anything else."""
    match index:
        case Axis(number):
            return 0 if number == axis else None
        case Call("add", (Axis(number), Const(int(value)))) if number == axis:
            return value
        case Call("sub", (Axis(number), Const(int(value)))) if number == axis:
            return -value
        case _:
            return None


def _decided(expr: Expr, axis: int, bounds: Range) -> Expr | None:
    condition = _condition(expr, axis)
    if condition is None:
        return None
    fn, constant = condition
    change, rises = constant + _CHANGES[fn], fn in ("ge", "gt")
    if bounds[0] >= change:
        return Const(rises, DType.BOOL)
    return Const(not rises, DType.BOOL) if bounds[1] <= change else None


def _reduced(expr: Expr) -> Expr:
    """``expr`` with what follows from literal truths."""
    return fold(_map(expr))


def _map(expr: Expr) -> Expr:
    if not isinstance(expr, Call):
        return expr
    args = tuple(_map(a) for a in expr.args)
    match expr.fn, args:
        case "and" | "or", (Const(bool(value)), other) | (other, Const(bool(value))):
            return other if value == (expr.fn == "and") else Const(value, DType.BOOL)
        case "select" | "guard", (Const(bool(value)), yes, no):
            return yes if value else no
        case _:
            return Call(expr.fn, args, expr.dtype)


__all__ = ["Range", "parts", "within"]
