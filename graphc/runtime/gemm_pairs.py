# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportReturnType=false, reportAssignmentType=false
"""GEMM with few columns: vectors hold two rows of B, lane by lane in turn, and meet two columns of A at once.

With at most half a vector of columns no lane of a multiply-add is left unused for want of them; with at most a whole
one, half as many elements of A are read. An element of C is the sum of two chains, over the even and over the odd steps
of each stretch, whatever the rows are cut into.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from graphc.runtime.gemm_tiles import adds, initial, offsets_of, rows_by_tiles
from graphc.runtime.gemm_vectors import Emitter, Vectors, counted_loop, joined, lesser, outlined, shuffled
from graphc.runtime.intrinsics import WORD

#: Writes a part of a tile: `step(builder, ...)`.
Step = Callable[..., Any]


def pack_pairs(vectors: Vectors, *, columns: int, masks: bool) -> Emitter:
    """Return the emitter that copies B for `paired`: `(k, width, b, row_stride, col_stride, stretches, panel)`.

    Of each stretch of k rows, two by two become `columns` vectors, each with half a vector of columns; beside a last
    row without a neighbour stand zeros.
    """
    lanes, half = vectors.lanes, vectors.lanes // 2
    woven = [[lanes * (lane % 2) + lane // 2 + first for lane in range(lanes)] for first in (0, half)][
        :columns
    ]

    def emit(builder, k, width, b, row_stride, col_stride, stretches, panel):
        contiguous = builder.icmp_signed("==", col_stride, WORD(1))
        last = builder.sub(k, WORD(1))

        def loaded(source, width):
            return vectors.load(builder, source, vectors.masks(builder, width, 1)[0])

        def by_vectors(source, target, present):
            above = loaded(source, width)
            below = loaded(builder.gep(source, [row_stride]), builder.select(present, width, WORD(0)))
            for j, chosen in enumerate(woven):
                vectors.store(
                    builder, shuffled(builder, above, below, chosen), builder.gep(target, [WORD(j * lanes)])
                )

        def by_elements(source, target, present):
            def element(column):
                at = builder.mul(column, col_stride)
                place = builder.mul(column, WORD(2))
                builder.store(builder.load(builder.gep(source, [at])), builder.gep(target, [place]))
                # A row that is not there is read as the one before, and not used.
                below = builder.add(at, builder.select(present, row_stride, WORD(0)))
                value = builder.select(
                    present, builder.load(builder.gep(source, [below])), vectors.element(0.0)
                )
                builder.store(value, builder.gep(target, [builder.add(place, WORD(1))]))
                return []

            counted_loop(builder, width, [], element)

        def pair(index, source, target):
            present = builder.icmp_signed("<", builder.mul(index, WORD(2)), last)
            if masks:
                with builder.if_else(contiguous) as (then, otherwise):
                    with then:
                        by_vectors(source, target, present)
                    with otherwise:
                        by_elements(source, target, present)
            else:
                by_elements(source, target, present)
            return builder.gep(source, [builder.mul(row_stride, WORD(2))]), builder.gep(
                target, [WORD(columns * lanes)]
            )

        def stretch(_, source, target):
            pairs = builder.lshr(builder.add(k, WORD(1)), WORD(1))
            _, target = counted_loop(builder, pairs, [source, target], pair)
            return builder.gep(source, [builder.mul(row_stride, k)]), target

        counted_loop(
            builder, stretches, [vectors.pointer(builder, b), vectors.pointer(builder, panel)], stretch
        )

    return outlined(f"pack_pairs_{columns}", 7, emit)


def paired(vectors: Vectors, *, rows: int, columns: int) -> Emitter:
    """Product for any number of rows and at most `columns` times half a vector of columns; `columns` is 1 or 2.

    The parameters are `(m, width, k, a, row_stride_a, b, row_stride_b, c, row_stride_c, accumulate, stretches,
    stretch_a, place, run, run_a)`: columns of A are contiguous, and b is what `pack_pairs` made, with any stride.
    """
    even, odd = (list(range(first, 2 * vectors.lanes, 2)) for first in (0, 1))

    def both(builder, place):
        return _repeated(builder, place, vectors)

    def left(builder, place):
        chosen = ir.Constant(
            ir.VectorType(ir.IntType(1), vectors.lanes), [True, False] * (vectors.lanes // 2)
        )
        return builder.select(chosen, vectors.splat(builder, builder.load(place)), vectors.zero)

    def added(builder, a, b, _, offsets, sums, read):
        row = [vectors.load(builder, builder.gep(b, [WORD(j * vectors.lanes)])) for j in range(columns)]
        factors = [read(builder, builder.gep(a, [offset])) for offset in offsets]
        pairs = [(x, y) for x in factors for y in row]
        sums = [vectors.multiply_add(builder, x, y, s) for (x, y), s in zip(pairs, sums, strict=True)]
        return builder.gep(b, [WORD(columns * vectors.lanes)]), sums

    def total(builder, sums):
        halves = (shuffled(builder, sums[0], sums[-1], which) for which in (even, odd))
        return builder.fadd(*halves)

    def two(builder, a, b, row_stride_b, offsets, sums):
        return added(builder, a, b, row_stride_b, offsets, sums, both)

    def one(builder, a, b, row_stride_b, offsets, sums):
        return added(builder, a, b, row_stride_b, offsets, sums, left)

    return _panel(f"paired_{columns}", vectors, rows, columns, two, one, total)


def apart(vectors: Vectors, *, rows: int) -> Emitter:
    """The same product, to the same bytes, with B where it lies: for so few rows that weaving B does not pay.

    Rows of B are contiguous, and what lies beyond `width` in them is not touched.
    """

    def added(builder, a, b, row_stride_b, offsets, sums, mask):
        row = vectors.load(builder, b, mask)
        factors = [vectors.splat(builder, builder.load(builder.gep(a, [offset]))) for offset in offsets]
        sums = [vectors.multiply_add(builder, x, row, s) for x, s in zip(factors, sums, strict=True)]
        return builder.gep(b, [row_stride_b]), sums

    def one(builder, a, b, row_stride_b, offsets, sums, mask):
        b, evens = added(builder, a, b, row_stride_b, offsets, sums[::2], mask)
        return b, [s for pair in zip(evens, sums[1::2], strict=True) for s in pair]

    def two(builder, a, b, row_stride_b, offsets, sums, mask):
        b, sums = one(builder, a, b, row_stride_b, offsets, sums, mask)
        b, odds = added(builder, builder.gep(a, [WORD(1)]), b, row_stride_b, offsets, sums[1::2], mask)
        return b, [s for pair in zip(sums[::2], odds, strict=True) for s in pair]

    def total(builder, sums):
        return builder.fadd(*sums)

    return _panel("apart", vectors, rows, 2, two, one, total, masked=True)


def _panel(
    name: str,
    vectors: Vectors,
    rows: int,
    chains: int,
    two: Step,
    one: Step,
    total: Step,
    *,
    masked: bool = False,
) -> Emitter:
    """The loops of a product with `chains` sums a row: `two` steps of k at once, a last `one`, and their `total`."""
    height = _tile(name, vectors, rows, chains, two, one, total, masked=masked)

    def emit(
        builder, m, width, k, a, row_stride_a, b, row_stride_b, c, row_stride_c, accumulate, stretches, stretch_a,
        place, run, run_a,
    ):  # fmt: skip
        def tile(_, count, first, left, wrap, c):
            height(
                builder, count, width, k, first, row_stride_a, b, row_stride_b, c, row_stride_c, accumulate, stretches,
                stretch_a, left, run, wrap,
            )  # fmt: skip

        rows_by_tiles(
            builder, vectors, rows, m, a, row_stride_a, c, row_stride_c, place, run, run_a, WORD(0), tile
        )

    return outlined(name, 15, emit)


def _tile(
    name: str, vectors: Vectors, rows: int, chains: int, two: Step, one: Step, total: Step, *, masked: bool
) -> Emitter:
    """At most `rows` rows; those beyond m repeat the last."""

    def emit(
        builder, m, width, k, a, row_stride_a, b, row_stride_b, c, row_stride_c, accumulate, stretches, stretch_a,
        left, run, wrap,
    ):  # fmt: skip
        mask = vectors.masks(builder, width, 1)[0]
        offsets = offsets_of(builder, rows, m, row_stride_a, left, run, wrap)
        lines = [lesser(builder, WORD(row), builder.sub(m, WORD(1))) for row in range(rows)]
        places = [builder.gep(vectors.pointer(builder, c), [builder.mul(i, row_stride_c)]) for i in lines]
        before = initial(
            builder, vectors, places, [mask] * rows, adds(builder, accumulate), builder.mul(m, row_stride_c)
        )
        more = [mask] if masked else []

        def pair(_, a, b, *sums):
            b, sums = two(builder, a, b, row_stride_b, offsets, sums, *more)
            return builder.gep(a, [WORD(2)]), b, *sums

        def stretch(_, a, b, *sums):
            end, b, *sums = counted_loop(builder, builder.lshr(k, WORD(1)), [a, b, *sums], pair)
            without = builder.block
            with builder.if_then(builder.trunc(k, ir.IntType(1))):
                below, last = one(builder, end, b, row_stride_b, offsets, sums, *more)
                within = builder.block
            pairs = zip([b, *sums], [below, *last], strict=True)
            b, *sums = [joined(builder, (old, without), (new, within)) for old, new in pairs]
            return builder.gep(a, [stretch_a]), b, *sums

        start = [vectors.pointer(builder, a), vectors.pointer(builder, b), *[vectors.zero] * (rows * chains)]
        _, _, *sums = counted_loop(builder, stretches, start, stretch)
        for row, (value, place) in enumerate(zip(before, places, strict=True)):
            found = total(builder, sums[row * chains : (row + 1) * chains])
            vectors.store(builder, builder.fadd(value, found), place, mask)

    return outlined(f"{name}_{rows}", 15, emit)


def _repeated(builder: ir.IRBuilder, place: ir.Value, vectors: Vectors) -> ir.Value:
    """A vector that holds two adjacent elements again and again."""
    count = vectors.lanes // 2
    pair = ir.DoubleType() if vectors.size == 4 else ir.VectorType(ir.DoubleType(), 2)
    value = builder.load(builder.bitcast(place, pair.as_pointer()), align=vectors.size)
    if vectors.size == 8:
        return shuffled(builder, value, value, [0, 1] * count)
    kind = ir.VectorType(pair, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.IntType(32)(0))
    return builder.bitcast(shuffled(builder, first, first, [0] * count), vectors.type)
