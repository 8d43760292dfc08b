# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false
"""The inner loops of GEMM: a few rows by a few vectors of C, held in registers while k runs.

Each element of C is one chain of multiply-adds in the order of k, whatever the shape of the tile, so a row
has the same bytes wherever it is computed. The parameters of the emitters begin with
`(m, width, k, a, row_stride_a, col_stride_a, b, row_stride_b, c, row_stride_c, accumulate, stretches, stretch_a)`,
with m, width and stretches at least 1. Columns of A and rows of B come in `stretches` of k; those of A begin
`stretch_a` elements apart, those of B follow one another. Rows of A come in runs, and may begin within one:

- a panel's `(..., place, run, run_a, next_a, ahead, stride_ahead)`: a is where the first run begins, `place` the first
  row in it; runs of `run` rows begin `run_a` elements apart. Where A is packed, `next_a` is the distance from one tile
  to the next. `ahead` is the address of what is read after the panel, its rows `stride_ahead` elements apart, 0 if
  nothing is.
- a tile's `(..., left, run, wrap)`: `left` rows before a run ends, and the distance from its last row to the next run.
"""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir

from graphc.runtime.gemm_vectors import Emitter, Vectors, counted_loop, joined, lesser, outlined
from graphc.runtime.intrinsics import WORD

_COMMON = 13
#: Steps of k in a whole tile between two counts.
_UNROLLED = 4


def panel(vectors: Vectors, *, rows: int, columns: int, masks: bool) -> Emitter:
    """Product for any number of rows and at most `columns` vectors of columns.

    Args:
        vectors: the kind of vectors.
        rows: height of a full tile.
        columns: vectors in a row of a full tile.
        masks: of a single vector, elements of B beyond `width` are not touched; else, and of more vectors always, all
            must be there to be read.
    """
    # Heights of tiles: a half, three quarters and the whole of a full one. Those of one vector are no higher, though
    # there are registers for more sums: the places of more rows would not fit the general registers.
    heights = (rows // 2, 3 * rows // 4, rows)
    tiles = [
        [tile(vectors, rows=h, columns=count, masks=masks and count == 1) for h in heights]
        for count in range(1, columns + 1)
    ]
    whole = whole_tile(vectors, rows=rows, columns=columns, packs=False)

    def emit(
        builder, m, width, k, a, row_stride_a, col_stride_a, b, row_stride_b, c, row_stride_c, accumulate, stretches,
        stretch_a, place, run, run_a, next_a, ahead, stride_ahead,
    ):  # fmt: skip
        # Two tiles ask for a column of vectors of what comes after this panel, two rows each time they count.
        asked = builder.mul(
            builder.udiv(k, WORD(_UNROLLED // 2)), builder.mul(stride_ahead, WORD(vectors.size))
        )
        dense = builder.or_(
            *(builder.icmp_signed("==", each, WORD(1)) for each in (row_stride_a, col_stride_a))
        )
        # Along rows of A nothing is scaled: gradients of weights, which are, read its columns.
        dense = builder.and_(
            dense,
            builder.or_(
                builder.icmp_signed("==", row_stride_a, WORD(1)),
                builder.not_(scales(builder, accumulate)),
            ),
        )
        fast = builder.and_(dense, builder.icmp_signed(">", width, WORD(vectors.lanes)))

        def a_tile(index, count, first, left, wrap, c):
            values = (
                count, width, k, first, row_stride_a, col_stride_a, b, row_stride_b, c, row_stride_c, accumulate,
                stretches, stretch_a, left, run, wrap,
            )  # fmt: skip
            low = [builder.icmp_signed("<=", count, WORD(each)) for each in heights[:-1]]

            def of_height(written: Sequence[Emitter]) -> Emitter:
                return lambda builder, *values: _first_of(
                    builder, list(zip(low, written[:-1], strict=True)), written[-1], values
                )

            fits = [
                builder.icmp_signed("<=", width, WORD(each * vectors.lanes)) for each in range(1, columns)
            ]
            *narrow, widest = map(of_height, tiles)

            def edge(builder, *values):
                _first_of(builder, list(zip(fits, narrow, strict=True)), widest, values)

            def full(builder, *_):
                early = builder.icmp_signed("<", index, WORD(2 * columns))
                column = builder.mul(builder.lshr(index, WORD(1)), WORD(vectors.lanes * vectors.size))
                here = builder.add(ahead, column)
                here = builder.add(here, builder.mul(builder.and_(index, WORD(1)), asked))
                whole(
                    builder, width, k, first, row_stride_a, col_stride_a, b, row_stride_b, c, row_stride_c, accumulate,
                    stretches, stretch_a, builder.select(early, here, b),
                    builder.select(early, stride_ahead, WORD(0)),
                )  # fmt: skip

            together = builder.icmp_signed("<=", WORD(rows), lesser(builder, count, left))
            _first_of(builder, [(builder.and_(fast, together), full)], edge, values)

        rows_by_tiles(
            builder, vectors, rows, m, a, row_stride_a, c, row_stride_c, place, run, run_a, next_a, a_tile
        )

    return outlined("panel", _COMMON + 6, emit)


def rows_by_tiles(
    builder, vectors: Vectors, rows: int, m, a, row_stride_a, c, row_stride_c, place, run, run_a, next_a, write: Emitter
) -> None:  # fmt: skip
    """Walk down A and C in tiles of `rows` rows with `write(index, count, a, left, wrap, c)`: how many rows there are,
    where they begin, and the parameters of runs that a tile takes."""
    packed = builder.icmp_signed("!=", next_a, WORD(0))
    step_c = builder.mul(row_stride_c, WORD(vectors.size * rows))
    wrap = builder.sub(run_a, builder.mul(builder.sub(run, WORD(1)), row_stride_a))

    def step(index, c):
        done = builder.mul(index, WORD(rows))
        count = lesser(builder, builder.sub(m, done), WORD(rows))
        position = builder.add(place, done)
        here = builder.urem(position, run)
        runs = builder.mul(builder.udiv(position, run), run_a)
        offset = builder.add(runs, builder.mul(here, row_stride_a))
        offset = builder.select(packed, builder.mul(index, next_a), offset)
        first = builder.add(a, builder.mul(offset, WORD(vectors.size)))
        write(index, count, first, builder.sub(run, here), wrap, c)
        return [builder.add(c, step_c)]

    counted_loop(builder, builder.udiv(builder.add(m, WORD(rows - 1)), WORD(rows)), [c], step)


def _first_of(builder, choices: Sequence[tuple[ir.Value, Emitter]], default: Emitter, values) -> None:
    """Call the first emitter whose condition holds."""
    if not choices:
        default(builder, *values)
        return
    (condition, emitter), *others = choices
    with builder.if_else(condition) as (then, otherwise):
        with then:
            emitter(builder, *values)
        with otherwise:
            _first_of(builder, others, default, values)


def tile(vectors: Vectors, *, rows: int, columns: int, masks: bool) -> Emitter:
    """Product for at most `rows` rows and `columns` vectors of columns.

    Rows beyond m are computed as repetitions of the last, which needs no other code.
    """

    def emit(
        builder, m, width, k, a, row_stride_a, col_stride_a, b, row_stride_b, c, row_stride_c, accumulate, stretches,
        stretch_a, left, run, wrap,
    ):  # fmt: skip
        inside = vectors.masks(builder, width, columns)
        indices = [lesser(builder, WORD(row), builder.sub(m, WORD(1))) for row in range(rows)]
        offsets = offsets_of(builder, rows, m, row_stride_a, left, run, wrap)
        lines = [builder.gep(vectors.pointer(builder, c), [builder.mul(i, row_stride_c)]) for i in indices]
        places = [place for line in lines for place in _adjacent(builder, vectors, line, columns)]
        below = builder.mul(m, row_stride_c)
        start = initial(builder, vectors, places, inside * rows, adds(builder, accumulate), below)

        def step(_, a, b, *sums):
            sources = zip(_adjacent(builder, vectors, b, columns), inside, strict=True)
            row = [vectors.load(builder, place, mask if masks else None) for place, mask in sources]
            scalars = [builder.load(builder.gep(a, [offset])) for offset in offsets]
            pairs = [(x, y) for x in (vectors.splat(builder, each) for each in scalars) for y in row]
            sums = [vectors.multiply_add(builder, x, y, s) for (x, y), s in zip(pairs, sums, strict=True)]
            return builder.gep(a, [col_stride_a]), builder.gep(b, [row_stride_b]), *sums

        def stretch(_, a, b, *sums):
            _, b, *sums = counted_loop(builder, k, [a, b, *sums], step)
            return builder.gep(a, [stretch_a]), b, *sums

        pointers = vectors.pointer(builder, a), vectors.pointer(builder, b)
        _, _, *sums = counted_loop(builder, stretches, [*pointers, *start], stretch)
        store_sums(builder, vectors, sums, places, inside * rows, accumulate)

    return outlined(f"tile_{rows}_{columns}", _COMMON + 3, emit)


def whole_tile(vectors: Vectors, *, rows: int, columns: int, packs: bool) -> Emitter:
    """Product for exactly `rows` rows and two to `columns` vectors of columns, A having contiguous rows or columns:
    several steps of k without a count between them. Along rows sums are not scaled.

    It takes `(width, k, a, row_stride_a, col_stride_a, b, row_stride_b, c, row_stride_c, accumulate, stretches,
    stretch_a)`, and if it packs the address to which vectors of B are copied as they pass by; else where rows lie that
    it asks for, and how many elements apart.
    """
    tiles = [
        [
            _whole(vectors, rows, count, along=along, packs=packs, asks=count == columns)
            for along in (True, False)
        ]
        for count in range(2, columns + 1)
    ]

    def emit(builder, width, k, a, row_stride_a, col_stride_a, *values):
        def of_width(along: bool) -> Emitter:
            *narrow, widest = (each[0 if along else 1] for each in tiles)
            stride = row_stride_a if along else col_stride_a
            fits = [
                builder.icmp_signed("<=", width, WORD(each * vectors.lanes)) for each in range(2, columns)
            ]
            return lambda builder, *_: _first_of(
                builder, list(zip(fits, narrow, strict=True)), widest, (width, k, a, stride, *values)
            )

        down = builder.icmp_signed("==", row_stride_a, WORD(1))
        _first_of(builder, [(down, of_width(False))], of_width(True), ())

    return emit


def _whole(vectors: Vectors, rows: int, columns: int, *, along: bool, packs: bool, asks: bool) -> Emitter:
    """`(width, k, a, stride_a, b, row_stride_b, c, row_stride_c, accumulate, stretches, stretch_a)` and the rest as for
    `whole_tile`; those that do not ask take no notice of it.

    Along rows of A its rows are `stride_a` apart, else its columns.
    """
    parameters = 12 if packs else 13

    def emit(
        builder, width, k, a, stride_a, b, row_stride_b, c, row_stride_c, accumulate, stretches, stretch_a, more,
        stride_ahead=None,
    ):  # fmt: skip
        inside = vectors.masks(builder, width, columns) * rows
        a, b, c, more = (vectors.pointer(builder, each) for each in (a, b, c, more))
        lines = [builder.gep(c, [builder.mul(WORD(row), row_stride_c)]) for row in range(rows)]
        places = [place for line in lines for place in _adjacent(builder, vectors, line, columns)]
        below = builder.mul(WORD(rows), row_stride_c)
        start = initial(builder, vectors, places, inside, adds(builder, accumulate), below)
        if not along:
            with builder.if_then(scales(builder, accumulate), likely=False):
                for place in places:
                    vectors.prefetch(builder, place, write=True)
        # Rows are read from every third one on: their places then are a pointer and a stride, once or twice.
        every = 3 if along else rows
        apart = [builder.mul(WORD(row), stride_a) if along else WORD(row) for row in range(every)]
        firsts = [builder.gep(a, [builder.mul(WORD(row), stride_a)]) for row in range(0, rows, every)]

        def steps(count: int, b, more, *rest):
            heads, sums = list(rest[: len(firsts)]), list(rest[len(firsts) :])
            targets = [more] if packs else []
            if asks and not packs and count > 1:
                for _ in range(2):
                    vectors.prefetch(builder, more, 2)
                    more = builder.gep(more, [stride_ahead])
            for step in range(count):
                row = [vectors.load(builder, each) for each in _adjacent(builder, vectors, b, columns)]
                for target in targets:
                    for value, place in zip(row, _adjacent(builder, vectors, target, columns), strict=True):
                        vectors.store(builder, value, place)
                targets = [builder.gep(each, [WORD(columns * vectors.lanes)]) for each in targets]
                more = targets[0] if targets else more
                for index in range(rows):
                    place = builder.gep(heads[index // every], [apart[index % every]])
                    factor = builder.load(builder.gep(place, [WORD(step)]) if along else place)
                    factor = vectors.splat(builder, factor)
                    for at in range(index * columns, (index + 1) * columns):
                        sums[at] = vectors.multiply_add(builder, factor, row[at % columns], sums[at])
                b = builder.gep(b, [row_stride_b])
                heads = heads if along else [builder.gep(each, [stride_a]) for each in heads]
            heads = [builder.gep(each, [WORD(count)]) for each in heads] if along else heads
            return b, more, *heads, *sums

        def stretch(_, b, more, *rest):
            heads, left = rest[: len(firsts)], k
            values = [b, more, *rest]
            if not packs:
                many, left = builder.udiv(k, WORD(_UNROLLED)), builder.urem(k, WORD(_UNROLLED))
                values = counted_loop(builder, many, values, lambda _, *v: steps(_UNROLLED, *v))
            b, more, *rest = counted_loop(builder, left, values, lambda _, *v: steps(1, *v))
            return b, more, *(builder.gep(each, [stretch_a]) for each in heads), *rest[len(firsts) :]

        values = counted_loop(builder, stretches, [b, more, *firsts, *start], stretch)
        sums = values[-len(places) :]
        if along:
            for total, place, mask in zip(sums, places, inside, strict=True):
                vectors.store(builder, total, place, mask)
        else:
            store_sums(builder, vectors, sums, places, inside, accumulate)

    name = f"{'packing' if packs else 'whole'}_{rows}_{columns}_{'along' if along else 'down'}"
    return outlined(name, parameters, emit)


def offsets_of(builder, rows: int, m, row_stride, left, run, wrap) -> list[ir.Value]:
    """Where each row begins, in elements from the first; those beyond m repeat the last."""
    found: list[ir.Value] = [WORD(0)]
    for row in range(1, rows):
        ends = builder.icmp_signed("==", left, WORD(1))
        step = builder.select(ends, wrap, row_stride)
        left = builder.select(ends, run, builder.sub(left, WORD(1)))
        inside = builder.icmp_signed("<", WORD(row), m)
        found.append(builder.add(found[-1], builder.select(inside, step, WORD(0))))
    return found


def _adjacent(builder, vectors: Vectors, start: ir.Value, count: int) -> list[ir.Value]:
    """Where `count` vectors begin that lie one after another."""
    return [builder.gep(start, [WORD(j * vectors.lanes)]) for j in range(count)]


def adds(builder, accumulate) -> ir.Value:
    """Whether sums go on from what stands in C."""
    return builder.icmp_signed("==", accumulate, WORD(1))


def scales(builder, accumulate) -> ir.Value:
    """Whether sums are added to C times a number."""
    return builder.icmp_unsigned(">", accumulate, WORD(1))


def store_sums(builder, vectors: Vectors, sums, places, masks, accumulate) -> None:
    """Put sums into C, or add them times a number to it, if `accumulate` is one: it is then the bits of a float64."""
    before = builder.block
    with builder.if_then(scales(builder, accumulate), likely=False):
        number = builder.bitcast(accumulate, ir.DoubleType())
        number = number if vectors.size == 8 else builder.fptrunc(number, vectors.element)
        factor = vectors.splat(builder, number)
        old = [vectors.load(builder, place, mask) for place, mask in zip(places, masks, strict=True)]
        new = [vectors.multiply_add(builder, factor, x, c) for x, c in zip(sums, old, strict=True)]
        after = builder.block
    results = [joined(builder, (x, before), (y, after)) for x, y in zip(sums, new, strict=True)]
    for result, place, mask in zip(results, places, masks, strict=True):
        vectors.store(builder, result, place, mask)


def initial(builder, vectors: Vectors, places, masks, accumulate, below) -> Sequence[ir.Value]:
    """What stands in C if the tile adds to it, else zeros; C of the tile below is asked for in good time."""
    before = builder.block
    with builder.if_then(accumulate):
        loaded = [vectors.load(builder, place, mask) for place, mask in zip(places, masks, strict=True)]
        for place in places:
            vectors.prefetch(builder, builder.gep(place, [below]))
        after = builder.block
    return [joined(builder, (vectors.zero, before), (value, after)) for value in loaded]
