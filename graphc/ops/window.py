"""Windows of the last axes: their shapes, their elements, and the windows that hold an element."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from graphc.errors import ShapeError
from graphc.loops import Axis, Call, Const, Expr, Load, Loop, call, cast, identity
from graphc.ops.rules import extent, times
from graphc.ops.slicing import guarded
from graphc.registry import Params
from graphc.types import Checks, Dim, DType, Shape, Type, known_nonnegative


def steps_of(params: Params, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Window and stride, one value for each of the last axes."""
    window, stride = params["window"], params["stride"]
    sound = len(window) == len(stride) and all(isinstance(s, int) and s > 0 for s in (*window, *stride))
    if not sound or not 0 < len(window) <= rank:
        raise ShapeError(
            f"window {window} and stride {stride} for rank {rank}; give one int of at least 1 for each of the last "
            "axes in both"
        )
    return window, stride


def pooled(checks: Checks, shape: Shape, params: Params) -> Shape:
    """The shape with windows in place of elements."""
    window, stride = steps_of(params, len(shape))
    lead = len(shape) - len(window)
    places: list[Dim] = []
    for size, extent_, step in zip(shape[lead:], window, stride, strict=True):
        spare = size - extent_
        if isinstance(spare, int) and spare < 0:
            raise ShapeError(
                f"a window of {extent_} elements does not fit an axis of size {size}; pad the axis or make the "
                "window smaller"
            )
        checks.at_least(spare, 0, "what a window leaves of its axis")
        places.append(spare // step + 1)
    return (*shape[:lead], *places)


# Elements of a window, or windows over an element, up to which an expression names each of them.
MOST_NAMED = 32


def over(
    counts: Sequence[int],
    axes: Shape,
    term: Callable[[Sequence[Expr]], Expr],
    join: Callable[[Expr, Expr], Expr],
) -> Loop:
    """``term`` of every index below ``counts``, joined: as one expression, or reduced where they are many."""
    if math.prod(counts) <= MOST_NAMED:
        terms = [term([extent(k) for k in index]) for index in itertools.product(*map(range, counts))]
        expr = reduce(join, terms)
        return Loop(axes=axes, expr=expr, dtype=expr.dtype)
    expr = term([Axis(len(axes) + k) for k in range(len(counts))])
    joined = join(expr, expr)
    assert isinstance(joined, Call)
    return Loop(axes=axes, reduce=tuple(counts), expr=expr, combine=joined.fn, dtype=expr.dtype)


def element(x: Type, params: Params, offsets: Sequence[Expr]) -> Load:
    """The element of the window of an output element that stands at ``offsets``."""
    window, stride = steps_of(params, x.rank)
    lead = x.rank - len(window)
    places = (_sum(times(Axis(lead + k), s), o) for k, (s, o) in enumerate(zip(stride, offsets, strict=True)))
    return Load(0, (*identity(lead), *places), x.dtype)


def number(params: Params, offsets: Sequence[Expr], dtype: DType) -> Expr:
    """The number of the element at ``offsets`` within its window."""
    found: Expr = extent(0)
    for window, offset in zip(params["window"], offsets, strict=True):
        found = _sum(times(found, window), offset)
    return Const(found.value, dtype) if isinstance(found, Const) else cast(found, dtype)


def _sum(a: Expr, b: Expr) -> Expr:
    """a + b, without what is known to be 0."""
    match a, b:
        case ((Const(0) | Call("mul", (Const(0), _))), _):
            return b
        case _, (Const(0) | Call("mul", (Const(0), _))):
            return a
        case Call("mul", (Const(p), Const(q))), Const(r):
            return extent(int(p) * int(q) + int(r))
        case Const(p), Const(q):
            return extent(int(p) + int(q))
        case _:
            return call("add", a, b)


def covering(params: Params) -> tuple[int, ...]:
    """How many windows may hold an element, by axis."""
    return tuple(-(-w // s) for w, s in zip(params["window"], params["stride"], strict=True))


def held(
    kind: Type,
    params: Params,
    inner: Shape,
    back: Sequence[Expr],
    value: Callable[[Expr, tuple[Expr, ...]], Expr],
) -> Expr:
    """What comes to an element from the window that begins ``back`` windows before the last that may hold it.

    The windows of an axis with stride s that may hold element i begin at i // s - t, and it is their element
    i % s + t * s. ``value`` is given its number in the window and where the window stands.
    """
    window, stride = steps_of(params, kind.rank)
    lead = kind.rank - len(window)
    conditions: list[Expr] = []
    index, offsets = list(identity(lead)), list[Expr]()
    for k, (t, w, s) in enumerate(zip(back, window, stride, strict=True)):
        last = Axis(lead + k) if s == 1 else call("floordiv", Axis(lead + k), extent(s))
        first = extent(0) if s == 1 else call("mod", Axis(lead + k), extent(s))
        nearest = t == extent(0)
        index.append(last if nearest else call("sub", last, t))
        offsets.append(_sum(first, times(t, s)))
        conditions += [] if nearest else [call("ge", index[-1], extent(0))]
        if not (nearest and known_nonnegative(inner[k] * s - kind.shape[lead + k])):
            conditions.append(call("lt", index[-1], extent(inner[k])))
        conditions += [] if w % s == 0 else [call("lt", offsets[-1], extent(w))]
    found = value(number(params, offsets, DType.I32), tuple(index))
    return guarded(conditions, found, Const(0.0 if found.dtype.is_float else 0, found.dtype))


# ------------------------------------------------------------------------------------------------- in NumPy


def views(x: Any, params: Params) -> Any:
    """All windows of an array: their elements along one last axis."""
    window, stride = params["window"], params["stride"]
    axes = tuple(range(x.ndim - len(window), x.ndim))
    view = np.lib.stride_tricks.sliding_window_view(x, window, axes)
    view = view[(..., *(slice(None, None, s) for s in stride), *(slice(None) for _ in window))]
    return view.reshape(*view.shape[: x.ndim], math.prod(window))


def sizes(shape: Shape) -> tuple[int, ...]:
    """A shape whose sizes are all known."""
    return tuple(d for d in shape if isinstance(d, int))


def put_back(values: Any, params: Params, kind: Type, chosen: Callable[[int], Any]) -> Any:
    """``chosen`` of each element's number, added up where windows overlap."""
    result: Any = np.zeros(sizes(kind.shape), kind.dtype.numpy)
    places = values.shape[values.ndim - len(params["window"]) :]
    for k, offsets in enumerate(itertools.product(*map(range, params["window"]))):
        spans = zip(offsets, params["stride"], places, strict=True)
        index = tuple(slice(o, o + s * (count - 1) + 1 if count else o, s) for o, s, count in spans)
        result[(..., *index)] += chosen(k)
    return result
