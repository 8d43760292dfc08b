"""How a nest walks its axes: iteration order, rows it can be cut along, strides, and contractions.

The *rows* of a nest are its leading iteration axes along which it can be cut into independent tiles: output axes
that every load inside a kernel indexes alike, or, for the partial sums of a reduction, the reduced axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from graphc.loops import Axis, Call, Const, Expr, Load, Loop
from graphc.types import Dim, DType, Shape, product


def dims(loop: Loop) -> Shape:
    """Sizes of all iteration axes: output axes, then reduced ones."""
    return loop.axes + loop.reduce


def iteration_order(loop: Loop) -> tuple[int, ...]:
    """Iteration axes from outermost to innermost.

    A map walks its output in memory order. A reduction walks its widest load in memory order, so that the
    innermost loop reads contiguously whether it reduces rows or columns.
    """
    count = len(dims(loop))
    if not loop.combine or loop.scatter is not None:
        return tuple(range(count))
    seen = _axes_of(_widest(loop))
    outputs = [k for k in range(len(loop.axes)) if k not in seen]
    reduced = [k for k in range(len(loop.axes), count) if k not in seen]
    return (*outputs, *seen, *reduced)


def _widest(loop: Loop) -> Load | None:
    loads = list(loop.loads())
    return max(loads, key=lambda load: len(_axes_of(load)), default=None)


def _axes_of(load: Load | None) -> list[int]:
    index = () if load is None else load.index
    return list(dict.fromkeys(i.number for i in index if isinstance(i, Axis)))


def row_count(loop: Loop, order: Sequence[int]) -> int:
    """How many leading axes of ``order`` are output axes 0, 1, ... in turn."""
    count = 0
    while count < len(loop.axes) and count < len(order) and order[count] == count:
        count += 1
    return count


def leading_reduced(loop: Loop, order: Sequence[int]) -> int:
    """How many leading axes of ``order`` are reduced ones."""
    count = 0
    while count < len(order) and order[count] >= len(loop.axes):
        count += 1
    return count


# ----------------------------------------------------------------------------------------------- strides


def strides(shape: Shape) -> tuple[Dim, ...]:
    """Row-major strides in elements."""
    return tuple(product(shape[k + 1 :]) for k in range(len(shape)))


def affine(load: Load, shape: Shape, count: int) -> tuple[Dim, ...] | None:
    """Stride of ``load`` along each of ``count`` iteration axes; None where an index is neither axis nor literal 0."""
    found: list[Dim] = [0] * count
    for index, step in zip(load.index, strides(shape), strict=True):
        if isinstance(index, Axis):
            found[index.number] = found[index.number] + step
        elif not (isinstance(index, Const) and index.value == 0):
            return None
    return tuple(found)


def collapses(stride: Sequence[Dim], axes: Sequence[int], sizes: Sequence[Dim]) -> bool:
    """Whether ``axes``, walked in turn, step through memory like one axis."""
    return all(stride[a] == stride[b] * sizes[b] for a, b in pairwise(axes))


# ------------------------------------------------------------------------------------------- contractions


@dataclass(frozen=True, slots=True)
class Contraction:
    """A nest that is a matrix product: ``out[batch, m, n] = sum over k of left[batch, m, k] right[batch, k, n]``.

    Each group of iteration axes walks memory like one axis in each operand. ``left`` holds the rows of the
    output, ``right`` its columns. Strides are in elements, per group and operand.
    """

    left: int
    right: int
    dtype: DType
    batch: tuple[int, ...]
    m: tuple[int, ...]
    n: tuple[int, ...]
    k: tuple[int, ...]
    left_stride: tuple[Dim, ...]  # by iteration axis
    right_stride: tuple[Dim, ...]
    sizes: Shape

    def size(self, axes: Sequence[int]) -> Dim:
        return product(self.sizes[a] for a in axes)


def contraction(loop: Loop, shape_of: Sequence[Shape]) -> Contraction | None:
    """``loop`` as a matrix product, or None when it is none or its axes do not collapse."""
    if loop.combine != "add" or not loop.dtype.is_float or loop.scatter is not None or not loop.reduce:
        return None
    match loop.expr:
        case Call("mul", (Load() as a, Load() as b), _) if a.dtype is b.dtype is loop.dtype:
            return _match(loop, a, b, shape_of) or _match(loop, b, a, shape_of)
        case _:
            return None


def _match(loop: Loop, left: Load, right: Load, shape_of: Sequence[Shape]) -> Contraction | None:
    sizes = dims(loop)
    strides_left = affine(left, shape_of[left.source], len(sizes))
    strides_right = affine(right, shape_of[right.source], len(sizes))
    if strides_left is None or strides_right is None:
        return None
    in_left, in_right = _used(left), _used(right)
    outputs, reduced = range(len(loop.axes)), range(len(loop.axes), len(sizes))
    batch = tuple(a for a in outputs if a in in_left and a in in_right)
    m = tuple(a for a in outputs if a in in_left and a not in in_right)
    n = tuple(a for a in outputs if a in in_right and a not in in_left)
    k = tuple(sorted(reduced, key=lambda a: _position(left, a)))
    laid_out = (*batch, *m, *n) == tuple(outputs) and all(a in in_left and a in in_right for a in k)
    dots = product(sizes[a] for a in (*m, *n)) == 1  # plain loops run along the batch, or along rows
    if not laid_out or dots:
        return None
    if not _collapse(strides_left, strides_right, (m, n, k), sizes):
        return None
    return Contraction(
        left.source, right.source, loop.dtype, batch, m, n, k, strides_left, strides_right, sizes
    )


def _used(load: Load) -> frozenset[int]:
    return frozenset(i.number for i in load.index if isinstance(i, Axis))


def _position(load: Load, axis: int) -> int:
    return next((p for p, i in enumerate(load.index) if isinstance(i, Axis) and i.number == axis), -1)


def _collapse(
    left: Sequence[Dim], right: Sequence[Dim], groups: Sequence[Sequence[int]], sizes: Shape
) -> bool:
    m, n, k = groups
    return (
        collapses(left, m, sizes)
        and collapses(right, n, sizes)
        and collapses(left, k, sizes)
        and collapses(right, k, sizes)
    )


def is_identity(index: Sequence[Expr], axes: Sequence[int]) -> bool:
    """Whether ``index`` begins with exactly ``axes``."""
    return len(index) >= len(axes) and all(i == Axis(a) for i, a in zip(index, axes, strict=False))
