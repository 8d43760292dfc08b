# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false
"""Matrix products for kernels: C[m, n] = A[m, k] B[k, n], or added to C.

>>> import ctypes
>>> from graphc.runtime import jit
>>> text = '''
... from graphc.runtime.language import *
... @kernel
... def square(lo, hi, args):
...     gemm_f64(2, 2, 2, size(args, 0), 2, 1, size(args, 0), 2, 1, size(args, 1), 2)
... '''
>>> run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(jit.load(text).addresses["square"])
>>> a, c = (ctypes.c_double * 4)(0, 1, 1, 1), (ctypes.c_double * 4)()
>>> args = (ctypes.c_int64 * 2)(ctypes.addressof(a), ctypes.addressof(c))
>>> run(0, 2, ctypes.addressof(args))
>>> list(c)
[1.0, 1.0, 1.0, 2.0]

`gemm_f32` and `gemm_f64` are external functions, compiled once a machine. Their parameters are int64:
`(m, n, k, a, row_stride_a, col_stride_a, b, row_stride_b, col_stride_b, c, row_stride_c, accumulate, stretches,
stretch_a, run, run_a)`, with addresses, and strides in elements. Any of m, n, k and stretches may be 0; without
`accumulate`, k = 0 writes zeros. A and B may have any strides (be transposed, sliced, repeated), columns of C are
contiguous, and C overlaps neither. `accumulate` other than 0 and 1 is the bits of a float64, times which products are
added to C; n must then exceed a vector's elements. For windows, columns of A come in `stretches` of k, which begin
`stretch_a` elements apart, while B has stretches * k rows; and rows of A come in runs of `run`, which begin `run_a`
apart.

A call is serial: rows are split over threads by the caller. A row has the same bytes however they are split:
each element is summed in the order of k, but for products of contiguous rows with one contiguous vector,
whose order depends on k alone.

GFLOP/s in float32 on one core of an Intel Xeon with AVX-512 at some 3.3 GHz, whose multiply-adds alone reach 210 and
with the loads of a tile 190, beside NumPy's OpenBLAS (form: which of A, B is transposed):

====  ====  ====  ====  ======  ========
form   m     n     k    graphc  OpenBLAS
====  ====  ====  ====  ======  ========
NN     32   128    64      178       112
TN     64   128    32      179       118
TN    128    10    32       75        49
NT     32   128    10      100        36
NN     16    32    32      154        30
NN    128    20    64      106        79
NN     32   512   128      183       102
NN    128   512   784      180       135
TN    512   512   128      161       144
NT    128   512   512      161       122
NN    256   256   256      171       152
NN      4   512   512      113        36
NN      1   512   784       51        34
NT      1   512   512       13        50
====  ====  ====  ====  ======  ========

The last row is the price of equal bytes: a single row could take the dot products that many rows must not.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from graphc.runtime.gemm_dots import dot
from graphc.runtime.gemm_packs import buffer, pack_columns, pack_elements, pack_rows, pack_tiles
from graphc.runtime.gemm_pairs import apart, pack_pairs, paired
from graphc.runtime.gemm_tiles import panel, tile, whole_tile
from graphc.runtime.gemm_vectors import Host, Vectors, host, word
from graphc.runtime.scalars import maximum_i64, minimum_i64, quotient, remainder

#: Bytes of a panel of B, which stays in the first two levels of the cache while all rows of A pass by.
_PANEL = 49152
#: Rows of A that pass by each panel in turn: with 256 columns they stay in the second-level cache.
_ROWS = 256
#: Bytes of a packed block of A.
_BLOCK = 131072
#: Rows of A for which no few columns of B are woven.
_FEW = 4
#: Rows of A from which B is packed: if its rows are a page apart or more, if there is a part of a vector, and else.
_FAR, _SOME, _MANY = 24, 48, 129
_PAGE = 4096
#: Bytes over which the columns of a transposed A may be spread to be read where they lie.
_NEAR = 16384


def gemm(element: ir.Type, processor: Host) -> Callable[..., None]:
    """Write the product for one type and processor, as a function in the kernel language.

    Args:
        element: LLVM type of the elements.
        processor: gives the shapes of the tiles.
    """
    vectors = Vectors(element, processor.bits // (32 if isinstance(element, ir.FloatType) else 64))
    masks, size, lanes = processor.masks, vectors.size, vectors.lanes
    tall, across = (8, 3) if processor.registers == 32 else (6, 2)
    columns, wide = across * lanes, 8 * lanes
    deepest = _PANEL // (columns * size) & -lanes
    multiply = word("panel", 19, panel(vectors, rows=tall, columns=across, masks=masks))
    multiply_packing = word("packing", 13, whole_tile(vectors, rows=tall, columns=across, packs=True))
    multiply_halves, multiply_pairs = (
        word(f"paired_{count}", 15, paired(vectors, rows=tall, columns=count)) for count in (1, 2)
    )
    multiply_apart = word("apart", 15, apart(vectors, rows=_FEW))
    multiply_row = word("row", 16, tile(vectors, rows=1, columns=8, masks=False))
    multiply_vectors = word("dot", 5, dot(vectors))
    copy_rows = word("pack_rows", 5, pack_rows(vectors, columns=across, masks=masks))
    copy_columns = word("pack_columns", 5, pack_columns(vectors, columns=across, masks=masks))
    copy_halves, copy_pairs = (
        word(f"pack_pairs_{count}", 7, pack_pairs(vectors, columns=count, masks=masks)) for count in (1, 2)
    )
    copy_elements = word("pack_elements", 6, pack_elements(vectors, columns=across))
    group = 8  # room for a tall tile's column of A
    copy_tiles = word("pack_tiles", 5, pack_tiles(element, rows=tall, room=group))
    room, block = buffer(_PANEL), buffer(_BLOCK)
    blocks_of_two = _BLOCK // (2 * group * size)  # of packed tiles in a block, each times its depth

    def function(
        m, n, k, a, row_stride_a, col_stride_a, b, row_stride_b, col_stride_b, c, row_stride_c, accumulate, stretches,
        stretch_a, run, run_a,
    ):  # fmt: skip
        if stretches == 0:
            k = 0
            stretches = 1
        run = maximum_i64(run, 1)
        scaled = accumulate != 0 and accumulate != 1
        plain = stretches == 1 and run >= m
        if n == 1 and plain and col_stride_a == 1 and row_stride_b == 1:
            for i in range(m):
                multiply_vectors(k, a + i * row_stride_a * size, b, c + i * row_stride_c * size, accumulate)
            return
        pairs = n <= lanes and col_stride_a == 1
        if n == 1 and plain and row_stride_a == 1 and row_stride_c == 1:
            # A column of C is a row as well, and A's columns are the rows of the second factor.
            n = m
            m = run = col_stride_b = 1
            pairs = False  # or the bytes of a row would depend on how many there are
            a, b = b, a
            col_stride_a, row_stride_b = row_stride_b, col_stride_a
        done = 0
        if m == 1 and col_stride_b == 1 and n > lanes and not scaled:
            while n - done >= wide:
                width = wide
                x, y = b + done * size, c + done * size
                multiply_row(
                    1, width, k, a, 0, col_stride_a, x, row_stride_b, y, 0, accumulate, stretches, stretch_a, 1, 1, 0
                )  # fmt: skip
                done += width
        # Columns of one panel whose rows follow one another are packed already.
        narrow = n <= columns and row_stride_b <= columns and remainder(n, lanes) == 0
        # Packing pays if used often: sooner where a last vector is not whole, and where each row has a page to itself,
        # since their lines meet in few sets of the cache.
        pays = _FAR if row_stride_b * size >= _PAGE else (_MANY if remainder(n, lanes) == 0 else _SOME)
        often = m >= pays and not narrow
        copies = col_stride_b != 1 or often or pairs
        blocks = maximum_i64(quotient(k + deepest - 1, deepest), 1)
        depth = maximum_i64((quotient(k + blocks - 1, blocks) + lanes - 1) & -lanes, lanes)
        # A block is a part of one stretch, or as many whole ones as a packed panel holds; unpacked, it is everything.
        together = maximum_i64(quotient(deepest, maximum_i64(k, 1)), 1)
        if row_stride_a == 1:
            together = maximum_i64(quotient(deepest // 2, maximum_i64(k, 1)), 1)
        whole_b = masks or remainder(n - done, lanes) == 0
        if whole_b and not copies and m <= 2 * tall and not scaled:
            depth = maximum_i64(k, 1)
            together = stretches
        copied, tiles = room(), block()
        near_a = n <= wide and k * col_stride_a * size <= _NEAR
        packs = row_stride_a == 1 and col_stride_a != 1 and n >= 4 * columns and plain and not near_a
        most = maximum_i64(quotient(blocks_of_two, depth) * 2 * tall if packs else _ROWS, 1)
        for first in range(0, stretches, together):
            count = minimum_i64(stretches - first, together)
            for start in range(0, maximum_i64(k, 1), depth):
                steps = minimum_i64(k - start, depth)
                adds = accumulate if scaled or start + first == 0 else 1
                for top in range(0, m, most):
                    rows = minimum_i64(m - top, most)
                    place = remainder(top, run)
                    x = a + (quotient(top, run) * run_a + start * col_stride_a + first * stretch_a) * size
                    if packs:
                        copy_tiles(rows, steps, x + place * size, col_stride_a, tiles)
                    left = done
                    while left < n:
                        width = minimum_i64(n - left, columns)
                        if columns < n - left <= columns + lanes:
                            width = columns - lanes  # or the last panel would be a single vector
                        if not copies and width > lanes:
                            width &= -lanes  # what is left of a vector comes alone, with a mask
                        y = c + (top * row_stride_c + left) * size
                        source = b + ((first * k + start) * row_stride_b + left * col_stride_b) * size
                        left += width
                        # What is read after this panel: the next columns, or the first of the next rows.
                        ahead, stride_ahead = source, 0
                        if col_stride_b == 1:
                            if left < n:
                                ahead, stride_ahead = source + width * size, row_stride_b
                            elif start + depth < k:
                                ahead = b + ((first * k + start + depth) * row_stride_b) * size
                                stride_ahead = row_stride_b
                        stride = row_stride_b
                        if pairs:
                            if m <= _FEW and masks and col_stride_b == 1:
                                multiply_apart(
                                    rows, width, steps, x, row_stride_a, source, row_stride_b, y, row_stride_c, adds,
                                    count, stretch_a, place, run, run_a,
                                )  # fmt: skip
                            elif 2 * n <= lanes:
                                copy_halves(steps, width, source, row_stride_b, col_stride_b, count, copied)
                                multiply_halves(
                                    rows, width, steps, x, row_stride_a, copied, 0, y, row_stride_c, adds, count,
                                    stretch_a, place, run, run_a,
                                )  # fmt: skip
                            else:
                                copy_pairs(steps, width, source, row_stride_b, col_stride_b, count, copied)
                                multiply_pairs(
                                    rows, width, steps, x, row_stride_a, copied, 0, y, row_stride_c, adds, count,
                                    stretch_a, place, run, run_a,
                                )  # fmt: skip
                            continue
                        height, here, packed_a = rows, place, tiles
                        if copies or not (masks or remainder(width, lanes) == 0):
                            straight = row_stride_a == 1 or (col_stride_a == 1 and not scaled)
                            if (
                                col_stride_b == 1 and straight and width > lanes and remainder(width, lanes) == 0
                                and tall <= minimum_i64(rows, run - place)
                            ):  # fmt: skip
                                # The rows of B are copied while the first tile reads them.
                                if packs:
                                    multiply_packing(
                                        width, steps, tiles, 1, group, source, row_stride_b, y, row_stride_c, adds, 1,
                                        0, copied,
                                    )  # fmt: skip
                                else:
                                    multiply_packing(
                                        width, steps, x + place * row_stride_a * size, row_stride_a, col_stride_a,
                                        source, row_stride_b, y, row_stride_c, adds, count, stretch_a, copied,
                                    )  # fmt: skip
                                height -= tall
                                here += tall
                                packed_a += steps * group * size
                                y += tall * row_stride_c * size
                                stride = width
                            else:
                                if col_stride_b == 1 and (masks or width == columns):
                                    copy_rows(steps * count, width, source, row_stride_b, copied)
                                elif row_stride_b == 1 and (masks or remainder(steps * count, lanes) == 0):
                                    copy_columns(steps * count, width, source, col_stride_b, copied)
                                else:
                                    copy_elements(
                                        steps * count, width, source, row_stride_b, col_stride_b, copied
                                    )
                                stride = columns
                            source = copied
                        if packs and width > lanes:
                            multiply(
                                height, width, steps, packed_a, 1, group, source, stride, y, row_stride_c, adds, 1, 0,
                                0, rows, 0, steps * group, ahead, stride_ahead,
                            )  # fmt: skip
                        else:
                            multiply(
                                height, width, steps, x, row_stride_a, col_stride_a, source, stride, y,
                                row_stride_c, adds, count, stretch_a, here, run, run_a, 0, ahead, stride_ahead,
                            )  # fmt: skip

    return function


gemm_f32, gemm_f64 = (gemm(element, host()) for element in (ir.FloatType(), ir.DoubleType()))
