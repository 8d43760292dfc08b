"""What loops mean, element by element in plain Python: independent of the compiler and of the ops'
references."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc.loops import FUNCTIONS, ORDERS, Axis, Call, Const, Expr, Extent, Load, Loop
from graphc.size import dim_evaluate

Env = dict[str, int]


def run_loops(loops: Sequence[Loop], operands: Sequence[np.ndarray], sizes: Env) -> np.ndarray:
    """The value of the last loop; a later one reads an earlier one by its source number."""
    sources = list(operands)
    with np.errstate(all="ignore"):
        for loop in loops:
            sources.append(_run(loop, sources, sizes))
    return sources[-1]


def _run(loop: Loop, sources: Sequence[np.ndarray], sizes: Env) -> np.ndarray:
    shape = tuple(dim_evaluate(d, sizes) for d in loop.shape)
    outer = [range(dim_evaluate(d, sizes)) for d in loop.axes]
    inner = [range(dim_evaluate(d, sizes)) for d in loop.reduce]
    result = np.zeros(shape, loop.dtype.numpy)
    for at in itertools.product(*outer):
        value = _reduced(loop, at, inner, sources, sizes)
        if loop.running is not None and at[loop.running]:
            before = (*at[: loop.running], at[loop.running] - 1, *at[loop.running + 1 :])
            result[at] = result[before] + value
        elif loop.scatter is None:
            result[at] = value
        else:
            result[_place(loop.scatter, at, sources, sizes, shape)] += value
    return result


def _reduced(loop: Loop, at: tuple[int, ...], inner: Any, sources: Sequence[np.ndarray], sizes: Env) -> Any:
    if not loop.combine:
        assert not loop.reduce
        return _value(loop.expr, at, sources, sizes)
    values = [_value(loop.expr, (*at, *k), sources, sizes) for k in itertools.product(*inner)]
    if loop.combine == "argmax":
        assert len(inner) == 1
        return int(np.argmax(np.array(values)))
    if loop.combine in ORDERS:
        assert len(inner) == 1
        order = _sorted(values, descending=loop.combine == "descending")
        return np.int64(order[at[-1]] if at[-1] < len(order) else 0)
    total: Any = _identity(loop)
    for value in values:
        total = _COMBINE[loop.combine](total, value)
    return total


def _sorted(values: Sequence[Any], *, descending: bool) -> list[int]:
    """Positions in order; NaN counts as the largest."""
    sign = -1 if descending else 1
    keys = [(sign, 0.0) if value != value else (0, sign * value.item()) for value in values]
    return sorted(range(len(values)), key=keys.__getitem__)


_COMBINE: dict[str, Any] = {"add": np.add, "mul": np.multiply, "maximum": np.maximum, "minimum": np.minimum}
_START: dict[str, float] = {"add": 0.0, "mul": 1.0, "maximum": -np.inf, "minimum": np.inf}


def _identity(loop: Loop) -> Any:
    if loop.dtype.is_int and loop.combine in ("maximum", "minimum"):
        limits = np.iinfo(loop.dtype.numpy)
        return loop.dtype.numpy.type(limits.min if loop.combine == "maximum" else limits.max)
    return loop.dtype.numpy.type(_START[loop.combine])


def _place(
    index: Sequence[Expr], at: Any, sources: Any, sizes: Env, shape: tuple[int, ...]
) -> tuple[int, ...]:
    place = tuple(int(_value(e, at, sources, sizes)) for e in index)
    _check(place, shape)
    return place


def _check(place: tuple[int, ...], shape: tuple[int, ...]) -> None:
    if len(place) != len(shape) or not all(0 <= i < d for i, d in zip(place, shape, strict=True)):
        raise AssertionError(f"index {place} is outside shape {shape}")


def _value(expr: Expr, at: tuple[int, ...], sources: Sequence[np.ndarray], sizes: Env) -> Any:
    """The value at iteration ``at``; its dtype must be what the expression declares."""
    value = _computed(expr, at, sources, sizes)
    assert np.asarray(value).dtype == expr.dtype.numpy, (expr, np.asarray(value).dtype)
    return value


def _computed(expr: Expr, at: tuple[int, ...], sources: Sequence[np.ndarray], sizes: Env) -> Any:
    match expr:
        case Axis(number):
            return np.int64(at[number])
        case Extent(dim):
            return np.int64(dim_evaluate(dim, sizes))
        case Const(value, dtype):
            return dtype.numpy.type(value)
        case Load(source, index):
            assert all(e.dtype.long == "int64" for e in index)
            return sources[source][_place(index, at, sources, sizes, sources[source].shape)]
        case Call("cast", (inner,), dtype):
            return np.asarray(_value(inner, at, sources, sizes)).astype(dtype.numpy)[()]
        case Call("guard", (condition, taken, other), _):
            holds = _value(condition, at, sources, sizes)
            return _value(taken if holds else other, at, sources, sizes)
        case Call(fn, args, dtype):
            parts = [_value(a, at, sources, sizes) for a in args]
            return np.asarray(FUNCTIONS[fn].reference(*parts)).astype(dtype.numpy)[()]
