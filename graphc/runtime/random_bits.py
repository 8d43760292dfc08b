# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false
"""Words of the kernel language for random draws: additions, rotations and exclusive ors of 32 bits, which loops run in
vectors on every processor."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types

from graphc.runtime.intrinsics import WORD, define
from graphc.threefry import GROUPS, PARITY, ROTATIONS

_HALF = ir.IntType(32)


def _words(builder: ir.IRBuilder, value: ir.Value) -> tuple[ir.Value, ir.Value]:
    """The low and the high 32 bits."""
    high = builder.lshr(value, WORD(32))
    return builder.trunc(value, _HALF), builder.trunc(high, _HALF)


def _threefry(builder: ir.IRBuilder, key: ir.Value, counter: ir.Value) -> ir.Value:
    """What `graphc.threefry.threefry` says in NumPy."""
    low, high = _words(builder, key)
    words = (low, high, builder.xor(builder.xor(low, high), _HALF(PARITY)))
    a, b = (builder.add(c, k) for c, k in zip(_words(builder, counter), words, strict=False))
    for group in range(GROUPS):
        for distance in ROTATIONS[group % 2]:
            a = builder.add(a, b)
            b = builder.xor(_rotated(builder, b, distance), a)
        a = builder.add(a, words[(group + 1) % 3])
        b = builder.add(b, builder.add(words[(group + 2) % 3], _HALF(group + 1)))
    return builder.or_(builder.shl(builder.zext(b, WORD), WORD(32)), builder.zext(a, WORD))


def _rotated(builder: ir.IRBuilder, word: ir.Value, distance: int) -> ir.Value:
    return builder.or_(builder.shl(word, _HALF(distance)), builder.lshr(word, _HALF(32 - distance)))


def _shift_right(builder: ir.IRBuilder, bits: ir.Value, count: ir.Value) -> ir.Value:
    return builder.lshr(bits, count)


_pair = (types.int64, types.int64)
threefry_i64 = define("threefry_i64", types.int64, _pair, _threefry)
shift_right_i64 = define("shift_right_i64", types.int64, _pair, _shift_right)
