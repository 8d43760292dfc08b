"""Sine, cosine and tangent, for arguments of any size.

An argument is |x| = h pi + r, with h an integer for the sine, half of an odd integer for the cosine and half of an
integer for the tangent. Up to a bound, r is |x| less h times pi in three parts (Cody and Waite). Beyond it, r comes
from the bits of 1 / pi that matter for the exponent of x (Payne and Hanek): in float32 by integers, in float64 by
products of which both halves are kept. That costs eight times as much, so there is a branch around it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from graphc.runtime import turns
from graphc.runtime.vecmath_ir import (
    Bits,
    Condition,
    Real,
    at_least,
    at_most,
    bits,
    choose,
    entries,
    fma,
    magnitude,
    number,
    polynomial,
    real,
    resized,
    rint,
    select,
)
from graphc.runtime.vecmath_tables import Precision


@dataclass(frozen=True, slots=True)
class _Grid:
    """The multiples of pi that are subtracted: h = n / `per` + `offset`."""

    per: float
    offset: float


_WHOLE, _HALVES, _ODD_HALVES = _Grid(1.0, 0.0), _Grid(2.0, 0.0), _Grid(1.0, 0.5)
# Where the bits of 1 / pi for float32 start: so many zeros before them, so that the window lies within the words
# for each exponent from 17 on.
_ZEROS, _FIRST = 8, 16


def _near(a: Real, grid: _Grid, c: Precision) -> tuple[Bits, Real]:
    """n in its lowest bit, and r, for a below the bound; NaN for infinities and NaN."""
    scaled = fma(a, grid.per / math.pi, -grid.offset) if grid.offset else a * (grid.per / math.pi)
    shifted = scaled + c.magic
    n = shifted - c.magic
    h = n + grid.offset if grid.offset else n
    first, second, third = (part / grid.per for part in c.pi)
    # The first difference is exact.
    return bits(shifted), fma(h, -third, fma(h, -second, fma(h, -first, a)))


def _far_f32(a: Real, grid: _Grid, c: Precision) -> tuple[Bits, Real]:
    """n and r for a float32 of at least 2^17.

    The mantissa times 96 bits of 1 / pi, of which the first has weight 1, is the number of half turns; what is
    carried out counts whole turns.
    """
    b = bits(a)
    offset = (b >> c.fraction) - (c.bias + _FIRST)
    words = _words(offset, 7)
    shift = offset & 31
    mantissa = resized(b & (1 << c.fraction) - 1 | 1 << c.fraction, 64)
    first, second, third = (resized(_window(words[k], words[k + 1], shift), 64) for k in range(3))
    turns_ = (mantissa * first << 32) + mantissa * second + (mantissa * third >> 32)
    scaled = turns_ * int(grid.per) - int(grid.offset * 2**63)
    n = resized(scaled + (1 << 62) >> 63, 32)
    # In units of 2^-64, with the sign of what was rounded away.
    fraction = scaled << 1
    high, low = resized(fraction >> 32, 32), resized(fraction, 32)
    upper = number(high & 0xFFFFFF00)
    lower = number(((high & 0xFF) << 24 | low >> 8) >> 1)
    first, second, _ = (part / grid.per for part in c.pi)
    small = fma(upper, second * 2.0**-32, lower * (first * 2.0**-55))
    return n, fma(upper, first * 2.0**-32, small)


def _words(offset: Bits, count: int) -> list[Bits]:
    """Four words of 1 / pi from word offset / 32 on, which is less than 4, chosen without a load."""
    total = turns.inverse_pi(32 * count - _ZEROS)
    words = [total >> 32 * (count - 1 - k) & 0xFFFFFFFF for k in range(count)]
    late, later = offset.has(32), offset.has(64)
    pairs = [choose(later, words[k + 2], words[k], offset) for k in range(5)]
    return [choose(late, pairs[k + 1], pairs[k], offset) for k in range(4)]


def _window(left: Bits, right: Bits, shift: Bits) -> Bits:
    """32 bits from bit `shift` of two words on."""
    return left << shift | (right >> 1) >> (31 - shift)


def _two_sum(a: Real, b: Real) -> tuple[Real, Real]:
    """The rounded sum and its error (Knuth)."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def _two_product(a: Real, b: Real) -> tuple[Real, Real]:
    """The rounded product and its error."""
    product = a * b
    return product, fma(a, b, -product)


def _far_f64(a: Real, grid: _Grid, c: Precision) -> tuple[Bits, Real]:
    """n and r for a float64 of at least 2^30, from its mantissa and a row of `turns`."""
    b = bits(at_least(a, c.far))
    mantissa = real(b & (1 << c.fraction) - 1 | c.bias << c.fraction)
    row = ((b >> c.fraction) - (c.bias + turns.FIRST)) << 2
    parts = [entries(turns.SYMBOL, row + k) for k in range(turns.PARTS)]
    whole, small = _two_product(mantissa, parts[0])
    second, rest = _two_product(mantissa, parts[1])
    third, last = _two_product(mantissa, parts[2])
    half_turns, error = _two_sum((whole - rint(whole * 0.5) * 2.0) + small, second)
    shifted = (half_turns - grid.offset) * grid.per + c.magic
    n = shifted - c.magic
    nearest = n * (1.0 / grid.per) + grid.offset
    left = half_turns - nearest
    error, least = _two_sum(error, rest)
    error, lesser = _two_sum(error, third)
    fraction, low = _two_sum(left, error)
    low = low + (lesser + (least + fma(mantissa, parts[3], last)))
    r, error = _two_product(fraction, Real(a.builder, a.constant(c.pi[0])))
    return bits(shifted), r + fma(fraction, c.pi[1], fma(low, c.pi[0], error))


def _flipped(y: Real, sign: Bits) -> Real:
    """y, or -y where the lowest bit of `sign` is set."""
    return real(bits(y) ^ sign << sign.width - 1)


def _signed(y: Real, x: Real) -> Real:
    """y, or -y where the sign of x is set."""
    sign = bits(x)
    return real(bits(y) ^ (sign & 1 << sign.width - 1))


def _odd(r: Real, coefficients: tuple[float, ...]) -> Real:
    """r + r^3 P(r^2)."""
    square = r * r
    return fma(square * r, polynomial(square, coefficients), r)


def _sine(n: Bits, r: Real, c: Precision) -> Real:
    """(-1)^n sin r, which no rounding takes beyond 1."""
    return _flipped(at_least(at_most(_odd(r, c.sin), 1.0), -1.0), n)


def _tangent(n: Bits, r: Real, c: Precision) -> Real:
    """sin r / cos r, or -cos r / sin r for odd n."""
    square = r * r
    sine = _odd(r, c.sin_quarter)
    cosine = fma(square, polynomial(square, c.cos_quarter), 1.0)
    odd = n.has(1)
    return _flipped(select(odd, cosine, sine) / select(odd, sine, cosine), n)


@dataclass(frozen=True, slots=True)
class Circular:
    """A function of an angle: what is made of n and r, and whether it has the sign of its argument."""

    grid: _Grid
    finish: Callable[[Bits, Real, Precision], Real]
    odd: bool

    def near(self, x: Real, c: Precision) -> Real:
        return self._of(x, _near(magnitude(x), self.grid, c), c)

    def rare(self, x: Real, c: Precision) -> Condition:
        return magnitude(x) > c.far

    def far(self, x: Real, c: Precision) -> Real:
        a = magnitude(x)
        y = self._of(x, (_far_f32 if c.fraction == 23 else _far_f64)(a, self.grid, c), c)
        return select(a < math.inf, y, a * math.nan)

    def _of(self, x: Real, reduced: tuple[Bits, Real], c: Precision) -> Real:
        y = self.finish(*reduced, c)
        return _signed(y, x) if self.odd else y


sin = Circular(_WHOLE, _sine, odd=True)
cos = Circular(_ODD_HALVES, lambda n, r, c: _sine(n + 1, r, c), odd=False)
tan = Circular(_HALVES, _tangent, odd=True)
