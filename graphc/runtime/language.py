# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportAttributeAccessIssue=false, reportReturnType=false
"""The language of emitted kernels, and the contract between the code generator and the runtime.

Units. A module holds functions, each of them compiled and cached on its own, whose parameters are all int64:

- ``@kernel def name(lo, hi, args)``: the rows ``lo <= row < hi`` of one kernel; ``args`` is the address of
  its argument block. Serial; may call external functions; must not be able to raise.
- ``@entry def run(steps, count, threads, guards)``: runs ``count`` steps of the table at ``steps``; its text is
  ``launch.ENTRY`` for every program, and the table's layout is told there.

Statements are assignments, ``if``, ``while`` and ``for`` over ``range`` (or, once in an entry, ``prange``);
calls are of words or ``range``. No tuples, attributes, strings, nested functions or exceptions, and of
Python's functions none. Constants of the module may be used; other functions of the module may not.

Argument block: int64 entries, read with a literal or computed index.

- ``size(args, k)`` is entry k as int64; ``scalar_f32(args, k)``, ``scalar_f64(args, k)`` are entry k read
  as a float64 and rounded to the type: learning rate, step, ...
- ``f32_buffer(args, k)``, ``f64_``, ``i32_``, ``i64_``, ``u32_``, ``b1_buffer``: entry k holds the address
  of a *slot*, an int64 cell with the address of the data, which is aligned to its elements. ``k`` is a
  literal and also the alias scope: within one kernel, what is written through one k must not be read or
  written through another.

- ``f32_buffer_from(args, k)`` and its like begin at the element that entry k + 1 says: a slab of a stack.
- ``f32_block(k, n)``, ``f64_block``: room for n elements for as long as the call lasts, on the stack at a cache line.
  Both are literals; ``k`` is the alias scope, beyond those of the argument block.

Buffers: ``p[i]`` and ``p[i] = v`` with any integer i, no wrap-around; a store casts v to the element
type. Booleans take one byte in memory and are read as Numba booleans. ``address(p, i)`` is the address of
element i.

Scalars. Types are those of Numba: float32 with float32 stays float32, but int32 with int32 becomes int64 and
float32 with an integer float64, so wrap: ``i32(a + b)``, ``a * f32(n)``.

- ``+ - * / // %``, comparisons, ``and or not`` and ``& | ^ ~ << >>`` as in Numba without exceptions (an
  integer divided by zero is 0); ``x ** y`` of floats calls the C library.
- Casts ``f32 f64 i32 i64 u32 u64 b1``: floats to integers truncate and saturate, NaN becomes 0; literals
  cost nothing.
- ``_f32`` or ``_f64``: ``fma(a, b, c)``, ``maximum minimum`` (NaN wins; of two zeros either), ``rint
  floor ceil trunc sqrt abs``, ``difference(a, b)`` (of a and b rounded, where ``-`` may fuse with a product),
  ``copysign(magnitude, sign)``. ``maximum_i64``, ``minimum_i64`` for indices.
- ``select(condition, a, b)``: evaluates both and takes one; a and b of one type.
- ``accumulate_add accumulate_mul accumulate_max accumulate_min`` with ``_f32`` or ``_f64``: ``s =
  accumulate_add_f32(s, v)`` lets LLVM reorder this one sum into vector accumulators. Max and min keep
  NaN.
- ``floordiv_i32 floordiv_i64 mod_i32 mod_i64``: rounded down, 0 for a divisor of 0, wrapping like all integers.
- ``quotient(a, b)``, ``remainder(a, b)``: of int64 with a >= 0, b > 0, without tests; for index arithmetic.
- ``threefry_i64(key, counter)``: 64 random bits (`graphc.threefry`); ``shift_right_i64(bits, n)`` lets zeros in.
- ``bits_f32(x)``: the uint32 of a float32, ``float_f32(u)`` back; ``bits_f64``, ``float_f64`` with uint64.

External functions have C ABI, take int64 only and return nothing; they are compiled on first use
(`externals.SOURCES` lists them): ``gemm_f32(m, n, k, a, row_stride_a, col_stride_a, b, row_stride_b,
col_stride_b, c, row_stride_c)`` with addresses of elements and strides in elements, ``gemm_f64``, and
``gemm_accumulate_f32``, ``gemm_accumulate_f64``, which add to C; ``gemm_scaled_f32(..., number)`` and
``gemm_scaled_f64`` add the product times a number, for more columns than a vector has elements.
``gemm_windows_f32(..., stretches, stretch_a, run, run_a)``, ``gemm_windows_f64`` and their
``gemm_accumulate_windows_`` forms take the columns of A in stretches of k that begin ``stretch_a`` elements apart, and
its rows in runs of ``run`` that begin ``run_a`` apart. ``argsort_f32(x, stride, n, y, flip)`` and its like for every
type put the order of n elements at ``x`` into words at ``y``, which has room for 4 n.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from llvmlite import ir
from numba import prange
from numba.core import types
from numba.core.typing.templates import Signature, signature

from graphc.runtime import pointers
from graphc.runtime.externals import ELEMENTS
from graphc.runtime.intrinsics import WORD, Word, call_symbol, declare, define, stack_room
from graphc.runtime.random_bits import shift_right_i64, threefry_i64
from graphc.runtime.scalars import (
    abs_f32,
    abs_f64,
    accumulate_add_f32,
    accumulate_add_f64,
    accumulate_max_f32,
    accumulate_max_f64,
    accumulate_min_f32,
    accumulate_min_f64,
    accumulate_mul_f32,
    accumulate_mul_f64,
    b1,
    bits_f32,
    bits_f64,
    ceil_f32,
    ceil_f64,
    copysign_f32,
    copysign_f64,
    difference_f32,
    difference_f64,
    f32,
    f64,
    float_f32,
    float_f64,
    floor_f32,
    floor_f64,
    floordiv_i32,
    floordiv_i64,
    fma_f32,
    fma_f64,
    i32,
    i64,
    maximum_f32,
    maximum_f64,
    maximum_i64,
    minimum_f32,
    minimum_f64,
    minimum_i64,
    mod_i32,
    mod_i64,
    quotient,
    remainder,
    rint_f32,
    rint_f64,
    select,
    sqrt_f32,
    sqrt_f64,
    trunc_f32,
    trunc_f64,
    u32,
    u64,
)
from graphc.runtime.steps import (
    admit,
    chunk_start,
    chunks,
    claim,
    clear,
    finish,
    most_chunks,
    parallel_for,
    refused,
    run_tiles,
    tiles,
    wait,
)

__all__ = [
    "abs_f32",
    "abs_f64",
    "accumulate_add_f32",
    "accumulate_add_f64",
    "accumulate_max_f32",
    "accumulate_max_f64",
    "accumulate_min_f32",
    "accumulate_min_f64",
    "accumulate_mul_f32",
    "accumulate_mul_f64",
    "address",
    "admit",
    "argsort_b1",
    "argsort_f32",
    "argsort_f64",
    "argsort_i32",
    "argsort_i64",
    "b1",
    "b1_buffer",
    "b1_buffer_from",
    "bits_f32",
    "bits_f64",
    "ceil_f32",
    "ceil_f64",
    "chunk_start",
    "chunks",
    "claim",
    "clear",
    "copysign_f32",
    "copysign_f64",
    "difference_f32",
    "difference_f64",
    "entry",
    "f32",
    "f32_block",
    "f32_buffer",
    "f32_buffer_from",
    "f64",
    "f64_block",
    "f64_buffer",
    "f64_buffer_from",
    "finish",
    "float_f32",
    "float_f64",
    "floor_f32",
    "floor_f64",
    "floordiv_i32",
    "floordiv_i64",
    "fma_f32",
    "fma_f64",
    "gemm_accumulate_f32",
    "gemm_accumulate_f64",
    "gemm_accumulate_windows_f32",
    "gemm_accumulate_windows_f64",
    "gemm_f32",
    "gemm_f64",
    "gemm_scaled_f32",
    "gemm_scaled_f64",
    "gemm_windows_f32",
    "gemm_windows_f64",
    "i32",
    "i32_buffer",
    "i32_buffer_from",
    "i64",
    "i64_buffer",
    "i64_buffer_from",
    "kernel",
    "maximum_f32",
    "maximum_f64",
    "maximum_i64",
    "minimum_f32",
    "minimum_f64",
    "minimum_i64",
    "mod_i32",
    "mod_i64",
    "most_chunks",
    "parallel_for",
    "prange",
    "quotient",
    "refused",
    "remainder",
    "rint_f32",
    "rint_f64",
    "run_tiles",
    "scalar_f32",
    "scalar_f64",
    "select",
    "shift_right_i64",
    "size",
    "sqrt_f32",
    "sqrt_f64",
    "threefry_i64",
    "tiles",
    "trunc_f32",
    "trunc_f64",
    "u32",
    "u32_buffer",
    "u64",
    "wait",
]


def kernel(function):
    """Mark a function as a kernel; `jit.load` compiles it."""
    return function


def entry(function):
    """Mark the function that runs the steps of a program; `jit.load` compiles it as a parallel one."""
    return function


def _buffer(name: str, dtype: types.Type) -> Word:
    def infer(args: types.Type, k: types.Type) -> Signature | None:
        if not isinstance(k, types.IntegerLiteral):
            return None
        return signature(pointers.Buffer(dtype, k.literal_value), types.int64, k)

    def lower(context, builder, sig, values):
        return pointers.load_buffer(builder, values[0], WORD(sig.args[1].literal_value), dtype)

    return declare(name, infer, lower, [types.int64, types.IntegerLiteral])


f32_buffer = _buffer("f32_buffer", types.float32)
f64_buffer = _buffer("f64_buffer", types.float64)
i32_buffer = _buffer("i32_buffer", types.int32)
i64_buffer = _buffer("i64_buffer", types.int64)
u32_buffer = _buffer("u32_buffer", types.uint32)
b1_buffer = _buffer("b1_buffer", types.boolean)


def _buffer_from(name: str, dtype: types.Type) -> Word:
    """The buffer that begins at the element that the next word of the block says."""

    def infer(args: types.Type, k: types.Type) -> Signature | None:
        if not isinstance(k, types.IntegerLiteral):
            return None
        return signature(pointers.Buffer(dtype, k.literal_value), types.int64, k)

    def lower(context, builder, sig, values):
        position = WORD(sig.args[1].literal_value)
        data = pointers.load_buffer(builder, values[0], position, dtype)
        start = pointers.load_argument(builder, values[0], builder.add(position, WORD(1)))
        return builder.gep(data, [start], inbounds=True)

    return declare(name, infer, lower, [types.int64, types.IntegerLiteral])


f32_buffer_from = _buffer_from("f32_buffer_from", types.float32)
f64_buffer_from = _buffer_from("f64_buffer_from", types.float64)
i32_buffer_from = _buffer_from("i32_buffer_from", types.int32)
i64_buffer_from = _buffer_from("i64_buffer_from", types.int64)
b1_buffer_from = _buffer_from("b1_buffer_from", types.boolean)


def _block(name: str, dtype: types.Type) -> Word:
    def infer(k: types.Type, n: types.Type) -> Signature | None:
        if not (isinstance(k, types.IntegerLiteral) and isinstance(n, types.IntegerLiteral)):
            return None
        return signature(pointers.Buffer(dtype, k.literal_value), k, n)

    def lower(context, builder, sig, values):
        room = stack_room(builder, sig.args[1].literal_value * dtype.bitwidth // 8)
        return builder.bitcast(room, pointers.element_type(dtype).as_pointer())

    return declare(name, infer, lower, [types.IntegerLiteral, types.IntegerLiteral])


f32_block = _block("f32_block", types.float32)
f64_block = _block("f64_block", types.float64)


def _infer_address(buffer: types.Type, i: types.Type) -> Signature | None:
    return signature(types.int64, buffer, types.int64) if isinstance(buffer, pointers.Buffer) else None


def _address(context, builder, sig, values):
    return builder.ptrtoint(builder.gep(values[0], [values[1]]), WORD)


address = declare("address", _infer_address, _address, [pointers.Buffer, types.int64])


def _scalar(kind: ir.Type, builder: ir.IRBuilder, args: ir.Value, k: ir.Value) -> ir.Value:
    value = builder.bitcast(pointers.load_argument(builder, args, k), ir.DoubleType())
    return value if kind == value.type else builder.fptrunc(value, kind)


_entry_of_block = (types.int64, types.int64)
size = define("size", types.int64, _entry_of_block, pointers.load_argument)
scalar_f32 = define("scalar_f32", types.float32, _entry_of_block, partial(_scalar, ir.FloatType()))
scalar_f64 = define("scalar_f64", types.float64, _entry_of_block, partial(_scalar, ir.DoubleType()))


def _gemm_scaled(suffix: str, builder: ir.IRBuilder, *values: ir.Value) -> None:
    """The product times a number, whose bits no product takes for the words 0 and 1, added to C."""
    number = values[11] if suffix == "f64" else builder.fpext(values[11], ir.DoubleType())
    bits = builder.bitcast(number, WORD)
    special = builder.icmp_unsigned("<", bits, WORD(2))
    scale = builder.select(special, WORD(-(1 << 63)), bits)
    _call_gemm(builder, suffix, [*values[:11], scale, WORD(1), WORD(0), values[0], WORD(0)])


def _call_gemm(builder: ir.IRBuilder, suffix: str, values: Sequence[ir.Value]) -> None:
    call_symbol(builder, f"graphc_gemm_{suffix}", ir.VoidType(), values)


def _gemm(suffix: str, accumulate: int, builder: ir.IRBuilder, *values: ir.Value) -> None:
    windows = values[11:] or (WORD(1), WORD(0), values[0], WORD(0))
    _call_gemm(builder, suffix, [*values[:11], WORD(accumulate), *windows])


def _product(name: str, suffix: str, accumulate: int, parameters: int) -> Word:
    return define(
        f"{name}_{suffix}", types.void, [types.int64] * parameters, partial(_gemm, suffix, accumulate)
    )


gemm_f32, gemm_f64 = (_product("gemm", suffix, 0, 11) for suffix in ("f32", "f64"))
gemm_accumulate_f32, gemm_accumulate_f64 = (
    _product("gemm_accumulate", suffix, 1, 11) for suffix in ("f32", "f64")
)
gemm_windows_f32, gemm_windows_f64 = (_product("gemm_windows", suffix, 0, 15) for suffix in ("f32", "f64"))
gemm_accumulate_windows_f32, gemm_accumulate_windows_f64 = (
    _product("gemm_accumulate_windows", suffix, 1, 15) for suffix in ("f32", "f64")
)
gemm_scaled_f32, gemm_scaled_f64 = (
    define(f"gemm_scaled_{suffix}", types.void, [*[types.int64] * 11, number], partial(_gemm_scaled, suffix))
    for suffix, number in (("f32", types.float32), ("f64", types.float64))
)


def _sort(suffix: str, builder: ir.IRBuilder, *values: ir.Value) -> None:
    call_symbol(builder, f"graphc_argsort_{suffix}", ir.VoidType(), values)


argsort_f32, argsort_f64, argsort_i32, argsort_i64, argsort_b1 = (
    define(f"argsort_{suffix}", types.void, [types.int64] * 5, partial(_sort, suffix)) for suffix in ELEMENTS
)
