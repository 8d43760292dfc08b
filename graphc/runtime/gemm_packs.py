# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportReturnType=false, reportAssignmentType=false
"""Packing for GEMM: a panel of B copied to the stack, row after row, where the first-level cache holds it.

The emitters that copy take `(k, width, b, stride, panel)`: k rows of `width` columns from address b to
address `panel`. A row of the panel has room for `columns` vectors; what lies beyond `width` is undefined, but
readable.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import types

from graphc.runtime.gemm_vectors import Emitter, Vectors, counted_loop, lesser, outlined, shuffled
from graphc.runtime.intrinsics import WORD, Word, define, stack_room


def buffer(size: int) -> Word:
    """Make the word that returns the address of `size` bytes on the stack, at a cache line."""

    def emit(builder: ir.IRBuilder) -> ir.Value:
        return builder.ptrtoint(stack_room(builder, size), WORD)

    return define("buffer", types.int64, [], emit)


def pack_rows(vectors: Vectors, *, columns: int, masks: bool) -> Emitter:
    """Return the emitter that copies rows whose elements are contiguous, `stride` elements apart.

    Args:
        vectors: the kind of vectors.
        columns: width of the panel in vectors.
        masks: elements beyond `width` are not touched; else `width` must be the panel's.
    """

    def emit(builder, k, width, b, stride, panel):
        inside = vectors.masks(builder, width, columns) if masks else [None] * columns

        def row(_, source, target):
            for j, mask in enumerate(inside):
                at = [WORD(j * vectors.lanes)]
                value = vectors.load(builder, builder.gep(source, at), mask)
                vectors.store(builder, value, builder.gep(target, at))
                # The next panel's part of this row, which no hardware foresees across a long stride.
                vectors.prefetch(builder, builder.gep(source, [WORD((j + columns) * vectors.lanes)]))
            return builder.gep(source, [stride]), builder.gep(target, [WORD(columns * vectors.lanes)])

        counted_loop(builder, k, [vectors.pointer(builder, b), vectors.pointer(builder, panel)], row)

    return outlined("pack_rows", 5, emit)


def pack_columns(vectors: Vectors, *, columns: int, masks: bool) -> Emitter:
    """Return the emitter that copies columns whose elements are contiguous, `stride` elements apart.

    Squares as long as a vector are transposed in registers; rows up to a multiple of that length are written.

    Args:
        vectors: the kind of vectors.
        columns: width of the panel in vectors.
        masks: elements beyond k are not touched; else k must be a multiple of the vector's length.
    """
    lanes = vectors.lanes

    def emit(builder, k, width, b, stride, panel):
        last = builder.sub(width, WORD(1))
        places = [lesser(builder, WORD(column), last) for column in range(columns * lanes)]
        offsets = [builder.mul(place, stride) for place in places]

        def rows(index, source, target):
            left = builder.sub(k, builder.mul(index, WORD(lanes)))
            mask = vectors.masks(builder, left, 1)[0] if masks else None
            for first in range(0, columns * lanes, lanes):
                sources = [builder.gep(source, [offset]) for offset in offsets[first : first + lanes]]
                square = _transposed(builder, [vectors.load(builder, each, mask) for each in sources])
                for i, value in enumerate(square):
                    vectors.store(builder, value, builder.gep(target, [WORD(i * columns * lanes + first)]))
            return builder.gep(source, [WORD(lanes)]), builder.gep(target, [WORD(columns * lanes * lanes)])

        count = builder.udiv(builder.add(k, WORD(lanes - 1)), WORD(lanes))
        counted_loop(builder, count, [vectors.pointer(builder, b), vectors.pointer(builder, panel)], rows)

    return outlined("pack_columns", 5, emit)


def pack_elements(vectors: Vectors, *, columns: int) -> Emitter:
    """Return the emitter that copies element by element.

    It takes both strides of B: `(k, width, b, row_stride, col_stride, panel)`.
    """
    room = columns * vectors.lanes

    def emit(builder, k, width, b, row_stride, col_stride, panel):
        last = builder.sub(width, WORD(1))

        def row(_, source, target):
            def element(column):
                at = builder.mul(lesser(builder, column, last), col_stride)
                builder.store(builder.load(builder.gep(source, [at])), builder.gep(target, [column]))
                return []

            counted_loop(builder, WORD(room), [], element)
            return builder.gep(source, [row_stride]), builder.gep(target, [WORD(room)])

        counted_loop(builder, k, [vectors.pointer(builder, b), vectors.pointer(builder, panel)], row)

    return outlined("pack_elements", 6, emit)


def pack_tiles(element: ir.Type, *, rows: int, room: int) -> Emitter:
    """Return the emitter that copies a transposed A, whose columns are contiguous, tile by tile.

    It takes `(m, k, a, col_stride, packed)`. Tile t holds rows `t * rows` and on, k times `room` elements of which
    the first `rows` count: what the inner loop reads lies in one line after another.
    """
    vectors = Vectors(element, room)

    def emit(builder, m, k, a, col_stride, packed):
        tile = builder.mul(k, WORD(room))
        source, target = vectors.pointer(builder, a), vectors.pointer(builder, packed)
        # Two tiles at once: with eight rows each they share a line of the cache.
        readable = builder.add(m, WORD(rows - room))
        pairs = builder.sdiv(readable, WORD(2 * rows))
        whole = builder.mul(pairs, WORD(2 * rows))

        def pair(_, source, target):
            def step(_, source, target):
                for place, offset in ((target, WORD(0)), (builder.gep(target, [tile]), WORD(rows))):
                    vectors.store(builder, vectors.load(builder, builder.gep(source, [offset])), place)
                vectors.prefetch(builder, builder.gep(source, [WORD(2 * rows)]))
                return builder.gep(source, [col_stride]), builder.gep(target, [WORD(room)])

            counted_loop(builder, k, [source, target], step)
            return builder.gep(source, [WORD(2 * rows)]), builder.gep(target, [builder.mul(tile, WORD(2))])

        source, target = counted_loop(builder, pairs, [source, target], pair)

        def last(number, target):
            first = builder.mul(number, WORD(rows))
            height = lesser(builder, builder.sub(builder.sub(m, whole), first), WORD(rows))
            inside = builder.gep(source, [first])

            def step(index, target):
                line = builder.gep(inside, [builder.mul(index, col_stride)])

                def copied(row):
                    builder.store(builder.load(builder.gep(line, [row])), builder.gep(target, [row]))
                    return []

                counted_loop(builder, height, [], copied)
                return [builder.gep(target, [WORD(room)])]

            return counted_loop(builder, k, [target], step)

        rest = builder.udiv(builder.add(builder.sub(m, whole), WORD(rows - 1)), WORD(rows))
        counted_loop(builder, rest, [target], last)

    return outlined("pack_tiles", 5, emit)


def _transposed(builder: ir.IRBuilder, square: list[ir.Value]) -> list[ir.Value]:
    """The transpose of as many vectors as each has lanes, by swaps of blocks of every power of two."""
    step = 1
    while step < len(square):
        square = _exchanged(builder, square, step)
        step *= 2
    return square


def _exchanged(builder: ir.IRBuilder, square: list[ir.Value], step: int) -> list[ir.Value]:
    """In rows `step` apart, swap odd blocks of `step` lanes above with even ones below."""
    lanes = range(len(square))
    upper = [len(square) + lane - step if lane & step else lane for lane in lanes]
    lower = [len(square) + lane if lane & step else lane + step for lane in lanes]
    return [
        shuffled(builder, square[i - step], square[i], lower)
        if i & step
        else shuffled(builder, square[i], square[i + step], upper)
        for i in lanes
    ]
