"""How a nest walks its axes: iteration order, rows it can be cut along, strides, and contractions.

The *rows* of a nest are its leading iteration axes along which it can be cut into independent tiles: output axes
that every load inside a kernel indexes alike, or, for the partial sums of a reduction, the reduced axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from graphc.loops import ORDERS, Axis, Call, Const, Expr, Extent, Load, Loop, walk
from graphc.size import dim_evaluate, dim_symbols
from graphc.types import Dim, DType, Shape, product

_TYPICAL = 64  # stands for a size that is not known, when sizes are compared


def dims(loop: Loop) -> Shape:
    """Sizes of all iteration axes: output axes, then reduced ones."""
    return loop.axes + loop.reduce


def iteration_order(loop: Loop) -> tuple[int, ...]:
    """Iteration axes from outermost to innermost.

    A map walks its output in memory order. A reduction walks its widest load in memory order, so that the
    innermost loop reads contiguously whether it reduces rows or columns.
    """
    count = len(dims(loop))
    if not loop.combine or loop.combine in ORDERS or loop.scatter is not None:
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


@dataclass(frozen=True, slots=True)
class Affine:
    """Where a load reads: element ``start``, and so many elements further with each step of an iteration axis."""

    stride: tuple[Dim, ...]
    start: Dim


def affine(load: Load, shape: Shape, count: int) -> Affine | None:
    """How ``load`` walks through memory of ``shape`` along ``count`` iteration axes; None where an index is no sum of
    axes times sizes."""
    stride: list[Dim] = [0] * count
    start: Dim = 0
    for index, step in zip(load.index, strides(shape), strict=True):
        found = linear(index)
        if found is None:
            return None
        factors, offset = found
        start = start + offset * step
        for axis, factor in factors.items():
            stride[axis] = stride[axis] + factor * step
    return Affine(tuple(stride), start)


def linear(index: Expr) -> tuple[dict[int, Dim], Dim] | None:
    """``index`` as the factor of each axis and an offset; None if it is no such sum."""
    match index:
        case Axis(number):
            return {number: 1}, 0
        case Const(value) if isinstance(value, int):
            return {}, value
        case Extent(dim):
            return {}, dim
        case Call(("add" | "sub") as fn, (a, b)):
            return _joined(linear(a), linear(b), 1 if fn == "add" else -1)
        case Call("mul", (a, b)):
            return _scaled(linear(a), linear(b)) or _scaled(linear(b), linear(a))
        case _:
            return None


Linear = tuple[dict[int, Dim], Dim]


def _joined(a: Linear | None, b: Linear | None, sign: int) -> Linear | None:
    if a is None or b is None:
        return None
    factors = dict(a[0])
    for axis, factor in b[0].items():
        factors[axis] = factors.get(axis, 0) + sign * factor
    return factors, a[1] + sign * b[1]


def _scaled(a: Linear | None, factor: Linear | None) -> Linear | None:
    """``a`` times what has no axis."""
    if a is None or factor is None or factor[0]:
        return None
    return {axis: each * factor[1] for axis, each in a[0].items()}, a[1] * factor[1]


def collapses(stride: Sequence[Dim], axes: Sequence[int], sizes: Sequence[Dim]) -> bool:
    """Whether ``axes``, walked in turn, step through memory like one axis."""
    return all(stride[a] == stride[b] * sizes[b] for a, b in pairwise(axes))


# ------------------------------------------------------------------------------------------- contractions


@dataclass(frozen=True, slots=True)
class Contraction:
    """A nest that is matrix products: ``out[m, n] = sum over k of left[m, k] right[k, n]`` for each index of ``outer``.

    ``left`` holds the rows of the output, ``right`` its columns; each group of iteration axes walks memory like one
    axis in each operand. Rows may come in ``runs`` of m, whose steps in ``left`` are of any length. The sum may run in
    stretches of k: over ``windows``, whose steps in ``left`` are of any length and in ``right`` go on where k ends, and
    over ``sums``, for each of which a product is added.
    """

    left: int
    right: int
    dtype: DType
    outer: tuple[int, ...]
    runs: tuple[int, ...]
    m: tuple[int, ...]
    n: tuple[int, ...]
    sums: tuple[int, ...]
    windows: tuple[int, ...]
    k: tuple[int, ...]
    walk_left: Affine  # strides by iteration axis
    walk_right: Affine
    sizes: Shape

    def size(self, axes: Sequence[int]) -> Dim:
        return product(self.sizes[a] for a in axes)

    @property
    def order(self) -> tuple[int, ...]:
        """Iteration axes from outermost to innermost."""
        summed = (*self.windows, *self.k)
        first = self.sums if self.shares_sums else ()
        last = summed if self.shares_sums else (*self.sums, *summed)
        return (*first, *self.outer, *self.runs, *self.m, *self.n, *last)

    @property
    def rows(self) -> tuple[int, ...]:
        """The leading iteration axes along which the nest can be cut into independent tiles."""
        if self.shares_sums:
            return self.sums
        group = self.outer if self.outer[:1] == (0,) else self.m
        return tuple(a for k, a in enumerate(group) if a == k)

    def in_runs(self) -> Contraction:
        """With the rows just outside of m as runs of them, where others are left to be cut into tiles."""
        last = self.outer[-1] if self.outer else -1
        fits = self.m and last == self.m[0] - 1 and self.walk_right.stride[last] == 0
        if not fits or not (self.shares_sums or (len(self.outer) > 1 and self.outer[0] == 0)):
            return self
        return replace(self, outer=self.outer[:-1], runs=(last,))

    @property
    def shares_sums(self) -> bool:
        """Whether tiles share out what is summed, each with sums of its own: where that is longer than the rows.

        So it is with the gradient of a convolution's weights: few of them, each over all images.
        """
        outer = (*self.outer, *self.runs)
        rows = outer if outer[:1] == (0,) else self.m
        return bool(self.sums) and typical(self.size(self.sums)) > typical(self.size(rows))


def contraction(loop: Loop, shape_of: Sequence[Shape]) -> Contraction | None:
    """``loop`` as matrix products, or None when it is none or its columns are not laid out in a row."""
    if loop.combine != "add" or not loop.dtype.is_float or loop.scatter is not None or not loop.reduce:
        return None
    match loop.expr:
        case Call("mul", (Load() as a, Load() as b), _) if a.dtype is b.dtype is loop.dtype:
            found = [_match(loop, a, b, shape_of), _match(loop, b, a, shape_of)]
            known = (f for f in found if f is not None)
            return min(known, key=lambda f: (len(f.outer), not f.m or not f.n), default=None)
        case _:
            return None


def _match(loop: Loop, left: Load, right: Load, shape_of: Sequence[Shape]) -> Contraction | None:
    sizes = dims(loop)
    in_left = affine(left, shape_of[left.source], len(sizes))
    in_right = affine(right, shape_of[right.source], len(sizes))
    if in_left is None or in_right is None:
        return None
    mine, yours = _walked(in_left), _walked(in_right)
    outputs, reduced = range(len(loop.axes)), range(len(loop.axes), len(sizes))
    if not outputs or outputs[-1] not in mine ^ yours or not all(a in mine and a in yours for a in reduced):
        return None
    n = _last_run([a for a in outputs if a not in mine], outputs[-1], in_right, sizes)
    rows = [a for a in outputs if a not in yours]
    m = _last_run(rows, rows[-1], in_left, sizes) if rows else ()
    if product(sizes[a] for a in (*m, *n)) == 1:  # plain loops run along the rest
        return None
    outer = tuple(a for a in outputs if a not in (*m, *n))
    sums, windows, k = _stretches(loop, left, in_left, in_right, sizes)
    found = Contraction(
        left.source, right.source, loop.dtype, outer, (), m, n, sums, windows, k, in_left, in_right, sizes
    )
    return found.in_runs()


def typical(dim: Dim) -> int:
    """A size where symbols stand for numbers that they often are, to compare by."""
    return dim_evaluate(dim, dict.fromkeys(dim_symbols(dim), _TYPICAL))


def _walked(walk: Affine) -> frozenset[int]:
    return frozenset(a for a, stride in enumerate(walk.stride) if stride != 0)


def _last_run(axes: Sequence[int], last: int, walk: Affine, sizes: Shape) -> tuple[int, ...]:
    """The longest run of adjacent output axes among ``axes``, up to ``last``, that ``walk`` walks like one."""
    found: tuple[int, ...] = ()
    while last in axes and collapses(walk.stride, (last, *found), sizes):
        found, last = (last, *found), last - 1
    return found


def _stretches(
    loop: Loop, left: Load, in_left: Affine, in_right: Affine, sizes: Shape
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The summed axes in the order of ``left``: those that k cannot hold, its windows, and k."""
    axes = sorted(range(len(loop.axes), len(sizes)), key=lambda a: (_position(left, a), a))
    first = len(axes) - 1
    while (
        first > 0
        and collapses(in_left.stride, axes[first - 1 : first + 1], sizes)
        and collapses(in_right.stride, axes[first - 1 : first + 1], sizes)
    ):
        first -= 1
    window = first
    while (
        window > 0
        and collapses(in_right.stride, axes[window - 1 : window + 1], sizes)
        and (window == first or collapses(in_left.stride, axes[window - 1 : window + 1], sizes))
    ):
        window -= 1
    return tuple(axes[:window]), tuple(axes[window:first]), tuple(axes[first:])


def _position(load: Load, axis: int) -> int:
    """The index of ``load`` in which an axis first stands."""
    found = (p for p, index in enumerate(load.index) if any(e == Axis(axis) for e in walk(index)))
    return next(found, -1)


def is_identity(index: Sequence[Expr], axes: Sequence[int]) -> bool:
    """Whether ``index`` begins with exactly ``axes``."""
    return len(index) >= len(axes) and all(i == Axis(a) for i, a in zip(index, axes, strict=False))
