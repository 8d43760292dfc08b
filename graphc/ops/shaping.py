"""User functions over layout: NumPy's names, with arguments in all their forms brought to the ops'
parameters."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from numbers import Number
from typing import Any

import numpy as np

from graphc.errors import DTypeError, GraphError, ShapeError
from graphc.graph import Handle, call, lift, meet
from graphc.ops.rules import function, is_integer, is_list, listed, node
from graphc.size import is_divisible
from graphc.types import (
    Checks,
    Dim,
    DType,
    Shape,
    as_dim,
    as_shape,
    normalise_axes,
    normalise_axis,
    product,
    shape_text,
)


@function
def broadcast_to(x: Any, shape: Any) -> Handle:
    """``x`` repeated to ``shape`` by NumPy's rule; raises ShapeError when it does not fit."""
    x, target = node("broadcast_to", x), as_shape(shape)
    return x if x.shape == target else x.graph.add("broadcast_to", (x,), shape=target)


@function
def reshape(x: Any, shape: Any) -> Handle:
    """The same elements in order under ``shape``, in which one size may be -1 and sizes may be symbolic.

    Raises ShapeError when the element counts differ, or the missing size is no whole number.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(gc.reshape(g.input("x", ("N", 4, 2)), ("N", -1)).type)
    f32[N,8]
    """
    x = node("reshape", x)
    target = _completed(x.shape, listed(shape))
    return x if x.shape == target else x.graph.add("reshape", (x,), shape=target)


def _completed(old: Shape, given: Sequence[Any]) -> Shape:
    """The target shape with -1 replaced by what is left."""
    free = [k for k, d in enumerate(given) if is_integer(d) and d == -1]
    known = as_shape(tuple(d for k, d in enumerate(given) if k not in free))
    if not free:
        return known
    if len(free) > 1:
        raise ShapeError(f"shape {tuple(given)} has {len(free)} sizes -1; leave at most one open")
    return (*known[: free[0]], _left(old, known, given), *known[free[0] :])


def _left(old: Shape, known: Shape, given: Sequence[Any]) -> Dim:
    total, rest = product(old), product(known)
    if rest == 0:
        raise ShapeError(f"shape {shape_text(given)} has size 0, which leaves -1 open; give that size")
    if isinstance(total, int) and isinstance(rest, int) and not is_divisible(total, rest):
        raise ShapeError(
            f"{total} elements of {shape_text(old)} do not divide into {shape_text(given)}; give sizes "
            f"whose product divides {total}"
        )
    return total // rest


@function
def transpose(x: Any, axes: Any = None) -> Handle:
    """The axes in the order ``axes`` (None: reversed)."""
    x = node("transpose", x)
    if axes is not None and not is_list(axes):
        raise ShapeError(f"axes is {axes!r}; give each of 0 to {x.ndim - 1} once, in a tuple")
    order = range(x.ndim)[::-1] if axes is None else [normalise_axis(a, x.ndim) for a in axes]
    perm = tuple(order)
    return x if perm == tuple(range(x.ndim)) else x.graph.add("transpose", (x,), perm=perm)


@function
def swapaxes(x: Any, axis1: int, axis2: int) -> Handle:
    """``x`` with two axes exchanged."""
    x = node("swapaxes", x)
    order, first, second = list(range(x.ndim)), normalise_axis(axis1, x.ndim), normalise_axis(axis2, x.ndim)
    order[first], order[second] = second, first
    return transpose(x, order)


@function
def moveaxis(x: Any, source: Any, destination: Any) -> Handle:
    """``x`` with axes ``source`` moved to the places ``destination`` (ints or sequences); the others
    keep their order."""
    x = node("moveaxis", x)
    origins = [normalise_axis(a, x.ndim) for a in listed(source)]
    targets = [normalise_axis(a, x.ndim) for a in listed(destination)]
    if len(set(origins)) != len(origins) or len(set(targets)) != len(targets) or len(origins) != len(targets):
        raise ShapeError(
            f"source {source} and destination {destination} do not pair up; give as many axes in both, "
            "each once"
        )
    order = [k for k in range(x.ndim) if k not in origins]
    for target, origin in sorted(zip(targets, origins, strict=True)):
        order.insert(target, origin)
    return transpose(x, order)


@function
def ravel(x: Any) -> Handle:
    """All elements in one axis."""
    x = node("ravel", x)
    return reshape(x, (product(x.shape),))


@function
def squeeze(x: Any, axis: Any = None) -> Handle:
    """``x`` without its axes of size 1 (None: all that are known to be 1); raises ShapeError for
    another size."""
    x = node("squeeze", x)
    axes = tuple(k for k, d in enumerate(x.shape) if d == 1) if axis is None else normalise_axes(axis, x.ndim)
    for k in axes:
        if x.shape[k] != 1:
            raise ShapeError(
                f"axis {k} of {shape_text(x.shape)} has size {x.shape[k]}, not 1; squeeze axes of size 1"
            )
    return reshape(x, tuple(d for k, d in enumerate(x.shape) if k not in axes))


@function
def expand_dims(x: Any, axis: Any) -> Handle:
    """``x`` with new axes of size 1 at the places ``axis`` of the result."""
    x = node("expand_dims", x)
    count = len(listed(axis))
    places, rest = normalise_axes(axis, x.ndim + count), iter(x.shape)
    return reshape(x, tuple(1 if k in places else next(rest) for k in range(x.ndim + count)))


@function
def flip(x: Any, axis: Any = None) -> Handle:
    """The elements along ``axis`` (None: all axes) in reverse order."""
    x = node("flip", x)
    axes = normalise_axes(axis, x.ndim)
    return x.graph.add("flip", (x,), axes=axes) if axes else x


@function
def pad(x: Any, pad_width: Any, constant_values: float = 0) -> Handle:
    """``x`` surrounded by ``constant_values``; ``pad_width`` is a number, a pair, or a pair an axis,
    as in NumPy."""
    x = node("pad", x)
    pairs = _pairs(pad_width, x.ndim)
    low, high = tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
    if not isinstance(constant_values, (Number, np.generic)):
        raise DTypeError(f"constant_values is {constant_values!r}; give a number")
    value = x.dtype.numpy.type(constant_values).item()
    return (
        x.graph.add("pad", (x,), low=low, high=high, value=value) if any(d != 0 for d in (*low, *high)) else x
    )


def _pairs(width: Any, rank: int) -> list[tuple[Dim, Dim]]:
    width = width.tolist() if isinstance(width, np.ndarray) else width
    if not is_list(width):
        return [(as_dim(width), as_dim(width))] * rank
    items = [listed(item) if is_list(item) else item for item in width]
    if len(items) == 2 and not any(is_list(i) for i in items):
        items = [items]
    if len(items) == 1:
        items *= rank
    if len(items) != rank or not all(is_list(i) and len(i) == 2 for i in items):
        raise ShapeError(
            f"pad_width {width} does not fit rank {rank}; give a number, a pair, or {rank} pairs"
        )
    return [(as_dim(a), as_dim(o)) for a, o in items]


def _met(op: str, values: Sequence[Any]) -> list[Handle]:
    if not is_list(values) and not isinstance(values, (np.ndarray, Handle)):
        raise GraphError(f"values are {values!r}; give them in a list")
    if not len(values):
        raise GraphError("no values are given; give at least one")
    return meet(op, list(values))


@function
def concatenate(values: Sequence[Any], axis: int = 0) -> Handle:
    """``values`` joined along ``axis``; dtypes meet by promotion; raises ShapeError when other sizes
    differ."""
    handles = _met("concatenate", values)
    at = normalise_axis(axis, handles[0].ndim)
    return handles[0] if len(handles) == 1 else handles[0].graph.add("concatenate", handles, axis=at)


@function
def stack(values: Sequence[Any], axis: int = 0) -> Handle:
    """``values`` of one shape joined along a new axis."""
    handles = _met("stack", values)
    return concatenate([expand_dims(h, axis) for h in handles], axis)


@function
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Handle]:
    """``x`` cut along ``axis`` into equal parts (an int) or before given positions, as NumPy's ``split``."""
    x = node("split", x)
    at = normalise_axis(axis, x.ndim)
    cuts = _cuts(x.shape[at], indices_or_sections)
    return [_range(x, at, first, last) for first, last in itertools.pairwise(cuts)]


def _cuts(size: Dim, parts: Any) -> list[Dim]:
    if is_list(parts) or isinstance(parts, np.ndarray):
        return [0, *(as_dim(p) for p in parts), size]
    if not is_integer(parts):
        raise ShapeError(f"parts are {parts!r}; give how many there are, or the positions of the cuts")
    if parts < 1 or not is_divisible(size, int(parts)):
        raise ShapeError(
            f"size {size} does not divide into {parts} equal parts; give the positions of the cuts"
        )
    return [k * (size // int(parts)) for k in range(int(parts) + 1)]


def _range(x: Handle, axis: int, first: Dim, last: Dim) -> Handle:
    start = tuple(first if k == axis else 0 for k in range(x.ndim))
    stop = tuple(last if k == axis else d for k, d in enumerate(x.shape))
    return x.graph.add("slice", (x,), start=start, stop=stop, step=(1,) * x.ndim)


@function
def full_like(x: Any, value: Any, dtype: Any = None) -> Handle:
    """``value`` (a number or a node) repeated to the shape of ``x``, in ``dtype`` (None: that of ``x``)."""
    x = node("full_like", x)
    filled = call("cast", lift(x.graph, value, x.dtype), x.dtype if dtype is None else DType.of(dtype))
    return broadcast_to(filled, x.shape)


@function
def zeros_like(x: Any, dtype: Any = None) -> Handle:
    """Zeros of the shape of ``x``."""
    return full_like(x, 0, dtype)


@function
def ones_like(x: Any, dtype: Any = None) -> Handle:
    """Ones of the shape of ``x``."""
    return full_like(x, 1, dtype)


@function
def phase(train: Any, eval: Any) -> Handle:
    """``train`` in programs compiled with mode="train", ``eval`` with mode="eval"; both are broadcast
    to one shape."""
    first, second = meet("phase", (train, eval))
    shape = Checks().broadcast([first.shape, second.shape])
    return first.graph.add("phase", (broadcast_to(first, shape), broadcast_to(second, shape)))


def _triangle(op: str, x: Any, k: int, keep: str) -> Handle:
    x = node(op, x)
    if x.ndim < 2:
        raise ShapeError(f"shape {shape_text(x.shape)} has fewer than two axes; give a matrix")
    if not is_integer(k):
        raise ShapeError(f"diagonal {k!r} is no integer; give an int")
    rows, columns = (x.graph.add("arange", (), size=d, dtype="int64") for d in x.shape[-2:])
    kept = call(keep, expand_dims(rows, 1) + int(k), columns)
    return call("where", kept, x, full_like(x, 0)) if x.dtype is DType.BOOL else call("where", kept, x, 0)


@function
def tril(x: Any, k: int = 0) -> Handle:
    """``x`` with zeros above diagonal ``k`` of its last two axes."""
    return _triangle("tril", x, k, "ge")


@function
def triu(x: Any, k: int = 0) -> Handle:
    """``x`` with zeros below diagonal ``k`` of its last two axes."""
    return _triangle("triu", x, k, "le")
