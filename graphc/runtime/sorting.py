# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false
"""Stable sorting, in the kernel language: where the elements of a row go.

Elements become integers of the same order, which are sorted together with their positions. Integers of 32 bits share
a word with the position: long rows of them are dealt by one byte after the other, from the lowest on. The others are
sorted in short runs by insertion, then bottom-up by merging without branches. Knuth, The Art of Computer Programming 3,
sections 5.2.4 and 5.2.5.
"""

from __future__ import annotations

from functools import partial

from llvmlite import ir
from numba.core import types

from graphc.runtime.intrinsics import WORD, Word, define
from graphc.runtime.language import i64, minimum_i64, select

RUN = 8  # elements that are sorted by insertion
DIGITS = 256  # of a byte; shorter rows are merged


def _pointer(builder: ir.IRBuilder, address: ir.Value, index: ir.Value, kind: ir.Type) -> ir.Value:
    return builder.gep(builder.inttoptr(address, kind.as_pointer()), [index])


def _float_key(
    kind: ir.Type, bits: int, builder: ir.IRBuilder, address: ir.Value, index: ir.Value
) -> ir.Value:
    """The bits of a float, those of negative ones turned round; of -0 those of 0; of NaN the last of all."""
    value = builder.load(_pointer(builder, address, index, kind), align=bits // 8)
    whole = builder.bitcast(builder.fadd(value, ir.Constant(kind, 0.0)), ir.IntType(bits))
    turned = builder.xor(whole, ir.Constant(whole.type, (1 << (bits - 1)) - 1))
    negative = builder.icmp_signed("<", whole, ir.Constant(whole.type, 0))
    key = builder.select(negative, turned, whole)
    last = ir.Constant(key.type, (1 << (bits - 1)) - 1)
    key = builder.select(builder.fcmp_unordered("uno", value, value), last, key)
    return key if bits == 64 else builder.sext(key, WORD)


def _integer_key(bits: int, builder: ir.IRBuilder, address: ir.Value, index: ir.Value) -> ir.Value:
    value = builder.load(_pointer(builder, address, index, ir.IntType(bits)), align=bits // 8)
    return value if bits == 64 else builder.zext(value, WORD) if bits == 8 else builder.sext(value, WORD)


def _read(builder: ir.IRBuilder, address: ir.Value, index: ir.Value) -> ir.Value:
    return builder.load(_pointer(builder, address, index, WORD), align=8)


def _write(builder: ir.IRBuilder, address: ir.Value, index: ir.Value, value: ir.Value) -> None:
    builder.store(value, _pointer(builder, address, index, WORD), align=8)


_place = (types.int64, types.int64)
read = define("read", types.int64, _place, _read)
write = define("write", types.void, (*_place, types.int64), _write)
_KEYS = {
    "f32": partial(_float_key, ir.FloatType(), 32), "f64": partial(_float_key, ir.DoubleType(), 64),
    "i32": partial(_integer_key, 32), "i64": partial(_integer_key, 64), "b1": partial(_integer_key, 8),
}  # fmt: skip


def _argsort(key: Word, packs: bool):
    """The function for elements of which ``key`` gives integers of the same order, of 32 bits if it ``packs``."""

    def function(x, stride, n, y, flip):
        """Put into the first n words at ``y`` the positions of the n elements at ``x``, in ascending order of their
        keys, or with ``flip`` -1 in descending order. The next 3 n words are room for the work."""
        if packs and DIGITS <= n < 1 << 32:
            counts, words, others = y + 8 * n, y + 16 * n, y + 24 * n
            for i in range(n):
                write(words, i, (key(x, i * stride) ^ flip) << 32 | i)
            for shift in range(32, 64, 8):
                sign = 128 if shift == 56 else 0
                for digit in range(DIGITS):
                    write(counts, digit, 0)
                for i in range(n):
                    digit = (read(words, i) >> shift & 255) ^ sign
                    write(counts, digit, read(counts, digit) + 1)
                if read(counts, (read(words, 0) >> shift & 255) ^ sign) != n:  # else they agree in this byte
                    start = 0
                    for digit in range(DIGITS):
                        count = read(counts, digit)
                        write(counts, digit, start)
                        start += count
                    for i in range(n):
                        word = read(words, i)
                        digit = (word >> shift & 255) ^ sign
                        place = read(counts, digit)
                        write(counts, digit, place + 1)
                        write(others, place, word)
                    words, others = others, words
            for i in range(n):
                write(y, i, read(words, i) & 0xFFFFFFFF)
            return
        places, other_places = y, y + 8 * n
        keys, other_keys = y + 16 * n, y + 24 * n
        for i in range(n):
            own = key(x, i * stride) ^ flip
            at = i
            while at % RUN != 0 and read(keys, at - 1) > own:
                write(keys, at, read(keys, at - 1))
                write(places, at, read(places, at - 1))
                at -= 1
            write(keys, at, own)
            write(places, at, i)
        width = RUN
        while width < n:
            for start in range(0, n, 2 * width):
                middle, end = minimum_i64(start + width, n), minimum_i64(start + 2 * width, n)
                left, right, at = start, middle, start
                while left < middle and right < end:
                    a, b = read(keys, left), read(keys, right)
                    first = a <= b
                    source = select(first, left, right)
                    write(other_keys, at, select(first, a, b))
                    write(other_places, at, read(places, source))
                    left += i64(first)
                    right += 1 - i64(first)
                    at += 1
                while left < middle:
                    write(other_keys, at, read(keys, left))
                    write(other_places, at, read(places, left))
                    left += 1
                    at += 1
                while right < end:
                    write(other_keys, at, read(keys, right))
                    write(other_places, at, read(places, right))
                    right += 1
                    at += 1
            keys, other_keys = other_keys, keys
            places, other_places = other_places, places
            width *= 2
        if places != y:
            for i in range(n):
                write(y, i, read(places, i))

    return function


argsort_f32, argsort_f64, argsort_i32, argsort_i64, argsort_b1 = (
    _argsort(define(f"key_{suffix}", types.int64, _place, emit), suffix in ("f32", "i32", "b1"))
    for suffix, emit in _KEYS.items()
)
