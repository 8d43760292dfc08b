"""Elementary functions as straight-line formulas for either precision: no branch, no wider arithmetic.

Each body takes x and the constants of its precision. NaN goes through, infinities and overflow come out
right, subnormal results are rounded as the format demands, and odd functions keep the sign of zero.
"""

from __future__ import annotations

import math

from graphc.runtime.vecmath_ir import (
    Bits,
    Real,
    at_least,
    at_most,
    bits,
    copysign,
    fma,
    ldexp,
    magnitude,
    polynomial,
    real,
    scales,
    select,
    sqrt,
)
from graphc.runtime.vecmath_tables import Precision

_LOG2_E = 1 / math.log(2)
_ATANH_HALF = math.atanh(0.5)


def _halve_range_exactly(x: Real, c: Precision) -> tuple[Bits, Real, Real]:
    """n, r and what r lost to rounding: x = n ln 2 + r with |r| <= ln(2) / 2 (Cody and Waite's reduction)."""
    shifted = fma(x, _LOG2_E, c.magic)
    n = shifted - c.magic
    exact = fma(n, -c.ln2_high, x)
    r = fma(n, -c.ln2_low, exact)
    return bits(shifted) - c.magic_bits, r, fma(n, -c.ln2_low, exact - r)


def halve_range(x: Real, c: Precision) -> tuple[Bits, Real]:
    """n and r with x = n ln 2 + r and |r| <= ln(2) / 2."""
    n, r, _ = _halve_range_exactly(x, c)
    return n, r


def expm1_near_zero(r: Real, c: Precision) -> Real:
    return fma(r * r, polynomial(r, c.exp), r)


def power_of_two(n: Bits, c: Precision) -> Real:
    """2^n for a normal result."""
    return real(n + c.bias << c.fraction)


def scaled(y: Real, n: Bits, c: Precision) -> Real:
    """y 2^n, rounded once; in two factors, for 2^n alone may leave the range, where no instruction scales."""
    if scales(y):
        return ldexp(y, n)
    biased = n + 2 * c.bias
    half = biased >> 1
    rest = biased - half
    return y * real(half << c.fraction) * real(rest << c.fraction)


def _exp_in_range(x: Real, c: Precision) -> Real:
    n, r = halve_range(x, c)
    return scaled(expm1_near_zero(r, c) + 1.0, n, c)


def exp(x: Real, c: Precision) -> Real:
    """e^x = 2^n e^r."""
    bottom, top = c.exp_range
    return _exp_in_range(at_most(at_least(x, bottom), top), c)


def _exp_of_minus_magnitude(x: Real, c: Precision) -> Real:
    return _exp_in_range(at_least(-magnitude(x), c.exp_range[0]), c)


def expm1(x: Real, c: Precision) -> Real:
    """e^x - 1 = 2^n (e^r - 1) + (2^n - 1), at half scale since 2^n may overflow where the result does not."""
    n, r = halve_range(at_most(at_least(x, -2.0 * c.tanh_top), c.exp_range[1]), c)
    half = power_of_two(n - 1, c)
    y = fma(half, expm1_near_zero(r, c), half - 0.5) * 2.0
    return select(magnitude(x) < c.tiny, x, y)


def tanh(x: Real, c: Precision) -> Real:
    """h - h^2 / (1 + h) with h = (e^2|x| - 1) / 2, and beyond 1/2 as 1 - 1 / (1 + h).

    The quotient's roundings fade with h, as they would not in h / (1 + h); that of r, which 2^n doubles
    where 2|x| is little above ln(2) / 2, is made good.
    """
    a = magnitude(x)
    n, r, lost = _halve_range_exactly(at_most(a * 2.0, 2.0 * c.tanh_top), c)
    half = power_of_two(n - 1, c)
    h = fma(half, fma(r * r, polynomial(r, c.exp), lost) + r, half - 0.5)
    scale = select(a > _ATANH_HALF, 1.0, h)
    return copysign(fma(-scale, scale / (h + 1.0), scale), x)


def sigmoid(x: Real, c: Precision) -> Real:
    """1 - q for x > 0 and e - e q for x < 0, with e = e^-|x| and q = e / (1 + e).

    As e - e q the rounding of 1 + e fades with e, and underflow is gradual.
    """
    e = _exp_of_minus_magnitude(x, c)
    scale = select(x > 0.0, 1.0, e)
    return fma(-scale, e / (e + 1.0), scale)


def _biased_exponent(x: Real, c: Precision) -> Bits:
    """e + bias with x = 2^e m and sqrt(1/2) <= m < sqrt(2), for a normal positive x."""
    # As far as the representation of 1 stands above that of sqrt(1/2).
    step = int((2.0 - math.sqrt(2.0)) * 2.0**c.fraction)
    return bits(x) + step >> c.fraction


def _exponent(biased: Bits, c: Precision) -> Real:
    """The exponent as a real, by way of the magic number: AVX2 converts no 64-bit integers."""
    return real(biased + c.magic_bits) - (c.magic + c.bias)


def _log1p_near_zero(f: Real, c: Precision) -> Real:
    return fma(f * f, polynomial(f, c.log), f)


def _outside(x: Real, y: Real, pole: float) -> Real:
    """The logarithm y for x above the pole; -inf at the pole, NaN below it, and x itself if inf or NaN."""
    below = select(x.equals(pole), -math.inf, x * math.nan)
    return select(x > pole, select(x < math.inf, y, x), below)


def normal_log_parts(x: Real, c: Precision) -> tuple[Real, Real]:
    """e and f with x = 2^e (1 + f), for normal positive x."""
    biased = _biased_exponent(x, c)
    m = real(bits(x) + (c.bias << c.fraction) - (biased << c.fraction))
    return _exponent(biased, c), m - 1.0


def log_parts(x: Real, c: Precision) -> tuple[Real, Real]:
    """e and f with x = 2^e (1 + f), for positive x."""
    subnormal = x < c.least_normal
    e, f = normal_log_parts(select(subnormal, x * 2.0 ** (c.fraction + 1), x), c)
    return select(subnormal, e - (c.fraction + 1.0), e), f


def log(x: Real, c: Precision) -> Real:
    """ln x = e ln 2 + ln(1 + f)."""
    e, f = log_parts(x, c)
    return _outside(x, fma(e, c.ln2_high, _log1p_near_zero(f, c)), 0.0)


def log2(x: Real, c: Precision) -> Real:
    """e + ln(1 + f) / ln 2, exact at powers of two."""
    e, f = log_parts(x, c)
    return _outside(x, fma(_log1p_near_zero(f, c), _LOG2_E, e), 0.0)


def log1p(x: Real, c: Precision) -> Real:
    """e ln 2 + ln(1 + f) with e from 1 + x, but f = x 2^-e + (2^-e - 1), which keeps what 1 + x loses."""
    biased = _biased_exponent(x + 1.0, c)
    # 4 / 2^e, since 2^-e itself is subnormal at the top of the range.
    four = real(2 * c.bias + 2 - biased << c.fraction)
    f = fma(x * 0.25, four, fma(four, 0.25, -1.0))
    y = fma(_exponent(biased, c), c.ln2_high, _log1p_near_zero(f, c))
    return _outside(x, select(magnitude(x) < c.tiny, x, y), -1.0)


def softplus(x: Real, c: Precision) -> Real:
    """ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), where 1 + e^-|x| is halved above sqrt(2)."""
    e = _exp_of_minus_magnitude(x, c)
    upper = e > math.sqrt(2.0) - 1.0
    y = _log1p_near_zero(select(upper, fma(e, 0.5, -0.5), e), c)
    return at_least(x, 0.0) + select(upper, y + c.ln2_high, y)


def erf(x: Real, c: Precision) -> Real:
    """x + x P(x^2) near zero, 1 - e^Q(|x|) beyond."""
    t = at_most(magnitude(x), c.erf_top)
    near = fma(x, polynomial(x * x, c.erf), x)
    n, r = halve_range(polynomial(t, c.log_erfc), c)
    far = fma(-power_of_two(n, c), expm1_near_zero(r, c) + 1.0, 1.0)
    return select(t > c.erf_split, copysign(far, x), near)


def erfc(x: Real, c: Precision) -> Real:
    """With t = |x|: 1 - erf(x) up to 1/2, beyond e^-t^2 P(v) / (t + K) with v = (t - K) / (t + K).

    For negative x the latter is taken from 2.
    """
    t = at_most(magnitude(x), c.erfc_top)
    square = t * t
    n, r = halve_range(-square, c)
    shift = c.erfc_shift
    total = t + shift
    u = 1.0 / total
    # Relative error of u, which would count up to threefold, and what t^2 lost to rounding.
    wrong = fma(u, total, -1.0) + u * (t - (total - shift))
    v = fma(u, -2.0 * shift, 1.0) + u * wrong * (2.0 * shift)
    slow = u * polynomial(v, c.erfc)
    near_one = expm1_near_zero(r - fma(t, t, -square), c)
    y = fma(slow, fma(-wrong, near_one + 1.0, near_one), slow)
    far = scaled(y, n, c)
    near = fma(-x, polynomial(x * x, c.erf), 1.0 - x)
    return select(t > 0.5, select(x < 0.0, 2.0 - far, far), near)


def rsqrt(x: Real, c: Precision) -> Real:
    """1 / sqrt(x)."""
    return 1.0 / sqrt(x)
