"""``x[...]`` by NumPy's rules: ints, ranges, None, Ellipsis, and integer arrays or nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.graph import Graph, Handle, call
from graphc.ops.gathering import index_node
from graphc.ops.rules import function, is_integer, node
from graphc.size import Size
from graphc.types import Checks, Dim, DType, Shape, product, shape_text


@dataclass(frozen=True, slots=True)
class _Item:
    """One entry of a key beside the axis it is for; a new axis (None) has none."""

    entry: Any
    axis: int = -1

    @property
    def is_new(self) -> bool:
        return self.axis < 0

    @property
    def is_range(self) -> bool:
        return _is_range(self.entry)

    @property
    def is_number(self) -> bool:
        return _is_bound(self.entry)


@function
def index(x: Any, key: Any) -> Handle:
    """``x[key]`` by NumPy's rules; integer arrays and nodes gather, several of them together.

    Boolean masks have no fixed result shape and are refused. Along an axis of symbolic size, bounds
    are not cut to the size but must lie in it, which the call checks. Raises ShapeError for too many
    entries and for indices that are known to be out of range.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", ("N", 5, 4))
    >>> print(x[1:, ::2, -1].type)
    f32[N - 1,3]
    """
    x = node("index", x)
    items = _items(x.shape, _entries(key))
    arrays = [i for i in items if not i.is_new and not i.is_range and not i.is_number]
    return _gathered(x, items) if arrays else _ranged(x, items)


def _entries(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)  # pyright: ignore[reportUnknownVariableType]


def _items(shape: Shape, key: Sequence[Any]) -> list[_Item]:
    dots = [k for k, entry in enumerate(key) if isinstance(entry, EllipsisType)]
    used = sum(entry is not None and not isinstance(entry, EllipsisType) for entry in key)
    if len(dots) > 1 or used > len(shape):
        raise ShapeError(
            f"{used} entries and {len(dots)} ellipses do not fit shape {shape_text(shape)}; give at "
            f"most {len(shape)} and one"
        )
    at = dots[0] if dots else len(key)
    full = [slice(None)] * (len(shape) - used)
    axes = iter(range(len(shape)))
    return [
        _Item(e) if e is None else _Item(_checked(e), next(axes)) for e in (*key[:at], *full, *key[at + 1 :])
    ]


def _checked(entry: Any) -> Any:
    if isinstance(entry, (bool, np.bool_)):
        raise DTypeError("a boolean is no index; use gc.where for masks")
    if isinstance(entry, list):
        return _checked(np.asarray(entry, np.int64 if not entry else None))  # pyright: ignore[reportUnknownArgumentType]
    if _is_array(entry) and DType.of(entry.dtype) is DType.BOOL:
        raise DTypeError("a boolean mask has no fixed result shape; use gc.where(mask, x, 0)")
    if not (_is_array(entry) or _is_bound(entry) or _is_range(entry)):
        raise DTypeError(f"{entry!r} is no index; use ints, ranges, None, Ellipsis, integer arrays or nodes")
    return entry


def _is_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, Handle))


def _is_range(value: Any) -> bool:
    return isinstance(value, slice)


def _is_bound(value: Any) -> bool:
    return is_integer(value) or isinstance(value, Size)


# ------------------------------------------------------------------------------------------------- ranges


def _span(item: _Item, size: Dim) -> tuple[Dim, Dim, int]:
    """Start, stop and step of an entry; an array's axis is kept whole."""
    if item.is_number:
        return _position(item.entry, size, item.axis)
    if not item.is_range:
        return 0, size, 1
    entry, step = item.entry, 1 if item.entry.step is None else item.entry.step
    if not is_integer(step) or step == 0:
        raise ShapeError(f"step {step} of axis {item.axis} is no stride; give an int other than 0")
    bounds = [b for b in (entry.start, entry.stop) if b is not None]
    if not all(_is_bound(b) for b in bounds):
        raise ShapeError(f"bounds of axis {item.axis} are not sizes; give ints or sizes, or use gc.take")
    if isinstance(size, int) and not any(isinstance(b, Size) for b in bounds):
        start, stop, step = entry.indices(size)
        return (start, stop, step) if len(range(start, stop, step)) else (0, 0, 1)
    return _symbolic_span(entry, size, int(step))


def _position(entry: Any, size: Dim, axis: int) -> tuple[Dim, Dim, int]:
    position: Dim = entry if isinstance(entry, Size) else int(entry)
    if isinstance(position, int) and isinstance(size, int):
        _check_range(np.asarray(position), size, axis)
    start = _from_front(position, size)
    return start, start + 1, 1


def _from_front(bound: Any, size: Dim) -> Dim:
    if isinstance(bound, Size):
        return bound
    return int(bound) if bound >= 0 else size + int(bound)


def _symbolic_span(entry: slice, size: Dim, step: int) -> tuple[Dim, Dim, int]:
    defaults: tuple[Dim, Dim] = (0, size) if step > 0 else (size - 1, -1)
    start, stop = (
        d if b is None else _from_front(b, size)
        for b, d in zip((entry.start, entry.stop), defaults, strict=True)
    )
    return start, stop, step


def _cut(x: Handle, items: Sequence[_Item]) -> Handle:
    """``x`` with every range applied; the axes of numbers have size 1."""
    spans = [_span(i, x.shape[i.axis]) for i in items if not i.is_new]
    if all(span == (0, d, 1) for span, d in zip(spans, x.shape, strict=True)):
        return x
    start, stop, step = zip(*spans, strict=True)
    return x.graph.add("slice", (x,), start=start, stop=stop, step=step)


def _ranged(x: Handle, items: Sequence[_Item]) -> Handle:
    cut = _cut(x, items)
    return call("reshape", cut, tuple(1 if i.is_new else cut.shape[i.axis] for i in items if not i.is_number))


# ------------------------------------------------------------------------------------------------- arrays


def _gathered(x: Handle, items: Sequence[_Item]) -> Handle:
    """Gather along all axes that have arrays or numbers; their common shape stands where the first of
    them stood, or in front where ranges lie between them."""
    picks = [k for k, i in enumerate(items) if not i.is_new and not i.is_range]
    together = picks[-1] - picks[0] == len(picks) - 1
    cut = _cut(x, [i if i.is_range or i.is_new else _Item(slice(None), i.axis) for i in items])
    before = sum(i.is_range for i in items[: picks[0]]) if together else 0
    indices = [_index(x.graph, items[k], x.shape[items[k].axis]) for k in picks]
    found, block = _taken(cut, [items[k].axis for k in picks], indices, before)
    rest = [1 if i.is_new else cut.shape[i.axis] for i in items if i.is_new or i.is_range]
    lead = picks[0] if together else 0
    return call("reshape", found, (*rest[:lead], *block, *rest[lead:]))


def _index(graph: Graph, item: _Item, size: Dim) -> Handle:
    entry = item.entry
    if isinstance(entry, Size) or (item.is_number and entry < 0 and isinstance(size, Size)):
        return graph.add("extent", (), size=_from_front(entry, size), dtype="int64")
    plain = int(entry) if item.is_number else entry
    if not isinstance(plain, Handle) and isinstance(size, int):
        _check_range(np.asarray(plain), size, item.axis)
    return index_node(graph, plain)


def _check_range(indices: Any, size: int, axis: int) -> None:
    wrong = indices[(indices < -size) | (indices >= size)]
    if wrong.size:
        advice = f"use {-size} to {size - 1}" if size else "an empty axis has no elements"
        raise ShapeError(f"index {wrong.flat[0]} is out of range for axis {axis} of size {size}; {advice}")


def _taken(x: Handle, axes: Sequence[int], indices: Sequence[Handle], before: int) -> tuple[Handle, Shape]:
    """``x`` gathered along ``axes``, the result's new axes standing behind ``before`` others."""
    if len(axes) == 1:
        return x.graph.add("take", (x, indices[0]), axis=axes[0], wrap=True), indices[0].shape
    rest = [k for k in range(x.ndim) if k not in axes]
    front = call("transpose", x, (*rest[:before], *axes, *rest[before:]))
    sizes = tuple(x.shape[a] for a in axes)
    shape = front.shape
    flat = call("reshape", front, (*shape[:before], product(sizes), *shape[before + len(axes) :]))
    joined = _joined(indices, sizes)
    return x.graph.add("take", (flat, joined), axis=before, wrap=False), joined.shape


def _joined(indices: Sequence[Handle], sizes: Shape) -> Handle:
    """The position in the flattened axes; out of range of them all where one index is out of range of
    its own."""
    fronts = [_wrapped(i, d) for i, d in zip(indices, sizes, strict=True)]
    flat = fronts[0]
    for i, d in zip(fronts[1:], sizes[1:], strict=True):
        flat = flat * _value(i.graph, d) + i
    checks = [c for i, d in zip(fronts, sizes, strict=True) for c in _inside(i, d)]
    valid = checks[0] if checks else None
    for check in checks[1:]:
        valid = call("logical_and", valid, check)
    Checks().broadcast([i.shape for i in indices])
    return flat if valid is None else call("where", valid, flat, _value(flat.graph, product(sizes)))


def _value(graph: Graph, dim: Dim) -> Any:
    return dim if isinstance(dim, int) else graph.add("extent", (), size=dim, dtype="int64")


def _wrapped(i: Handle, size: Dim) -> Handle:
    i = call("cast", i, "int64")
    if _counts(i, size) or (i.node.is_const and bool(np.all(i.node.param["value"].array >= 0))):
        return i
    return call("where", i < 0, i + _value(i.graph, size), i)


def _counts(i: Handle, size: Dim) -> bool:
    """Whether ``i`` is 0, 1 ... size - 1 itself, perhaps under another shape: it needs no check."""
    while i.node.op in ("reshape", "broadcast_to"):
        i = i.operands[0]
    return i.node.op == "arange" and i.node.param["size"] == size


def _inside(i: Handle, size: Dim) -> list[Handle]:
    known = i.node.is_const and isinstance(size, int)
    return [] if known or _counts(i, size) else [i >= 0, i < _value(i.graph, size)]
