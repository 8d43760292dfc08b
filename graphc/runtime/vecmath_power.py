"""x^y = 2^(y log2 |x|), in float64 with a logarithm of two parts, in float32 by way of float64."""

from __future__ import annotations

import math

from graphc.runtime.vecmath_bodies import log_parts, normal_log_parts, power_of_two, scaled
from graphc.runtime.vecmath_ir import (
    Condition,
    Real,
    at_least,
    at_most,
    bits,
    copysign,
    fma,
    like,
    magnitude,
    narrowed,
    polynomial,
    rint,
    select,
    widened,
)
from graphc.runtime.vecmath_tables import EXP2, EXP2_SHORT, FLOAT64, LOG2, LOG2_LEADING, LOG2_SHORT, Precision

# Beyond it y log2 x overflows or underflows, unless x is 1.
_STEEP = 2.0**66


def _log2(x: Real) -> tuple[Real, Real]:
    """The logarithm to base 2 in two parts, with an error below 2^-65 of it."""
    e, f = log_parts(x, FLOAT64)
    g = f + 2.0
    inverse = 1.0 / g
    s = f * inverse
    s_low = (fma(-s, g, f) - s * (f - (g - 2.0))) * inverse
    w, w_low = _times(s, s_low, s, s_low)
    (c, c_low), (d, d_low) = LOG2_LEADING
    inner, inner_low = _added(d, w * polynomial(w, LOG2), like(x, d_low))
    outer, outer_low = _times(w, w_low, inner, inner_low)
    outer, outer_low = _added(c, outer, outer_low + c_low)
    y, y_low = _times(s, s_low, outer, outer_low)
    total = e + y
    return total, (y - (total - e)) + y_low


def _added(large: float, small: Real, low: Real) -> tuple[Real, Real]:
    """large + small + low in two parts."""
    total = small + large
    return total, (small - (total - large)) + low


def _times(a: Real, a_low: Real, b: Real, b_low: Real) -> tuple[Real, Real]:
    """(a + a_low) (b + b_low) in two parts."""
    product = a * b
    return product, fma(a, b, -product) + fma(a, b_low, a_low * b)


def _power_f64(x: Real, y: Real) -> Real:
    """x^y for a positive x and a finite y."""
    c = FLOAT64
    log, log_low = _log2(x)
    p = y * log
    low = fma(y, log, -p) + y * log_low
    # Far beyond the range of exponents the lower part is no longer small, and does not matter.
    bounded = at_most(at_least(p, -1080.0), 1030.0)
    low = select(p.equals(bounded), low, low * 0.0)
    shifted = bounded + c.magic
    r = (bounded - (shifted - c.magic)) + low
    return scaled(fma(r, polynomial(r, EXP2), 1.0), bits(shifted) - c.magic_bits, c)


def _power_f32(x: Real, y: Real) -> Real:
    """x^y for a positive float32 x and a finite y, both as float64; float64 has room for every exponent."""
    c = FLOAT64
    e, f = normal_log_parts(x, c)
    p = at_most(at_least(y * fma(f, polynomial(f, LOG2_SHORT), e), -200.0), 200.0)
    shifted = p + c.magic
    r = p - (shifted - c.magic)
    return fma(r, polynomial(r, EXP2_SHORT), 1.0) * power_of_two(bits(shifted) - c.magic_bits, c)


class Power:
    """x^y with the special values of C99."""

    def near(self, x: Real, y: Real, c: Precision) -> Real:
        """For positive finite x, and y that is not so large that its product with log2 x overflows."""
        if c is FLOAT64:
            return _power_f64(x, y)
        return narrowed(_power_f32(widened(x), widened(y)))

    def rare(self, x: Real, y: Real, c: Precision) -> Condition:
        return ~((x > 0.0) & (x < math.inf) & (magnitude(y) < _STEEP))

    def far(self, x: Real, y: Real, c: Precision) -> Real:
        a = magnitude(x)
        zero, infinite = a.equals(0.0), a.equals(math.inf)
        power = self.near(a, at_most(at_least(y, -_STEEP), _STEEP), c)
        limit = select(select(zero, -y, y) > 0.0, math.inf, like(x, 0.0))
        power = select(zero | infinite, limit, power)
        whole, half = rint(y).equals(y), y * 0.5
        odd = whole & ~rint(half).equals(half)
        power = select((copysign(like(x, 1.0), x) < 0.0) & odd, -power, power)
        power = select((x < 0.0) & ~(whole | infinite), math.nan, power)
        power = select(x.equals(x), select(y.equals(y), power, y), x)
        return select(x.equals(1.0) | y.equals(0.0), 1.0, power)
