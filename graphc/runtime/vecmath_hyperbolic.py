"""Hyperbolic functions, from exponentials and logarithms that keep what is near zero."""

from __future__ import annotations

import math

from graphc.runtime.vecmath_bodies import expm1_near_zero, halve_range, log1p, power_of_two
from graphc.runtime.vecmath_ir import Real, at_most, copysign, fma, magnitude, select, sqrt
from graphc.runtime.vecmath_tables import Precision

_LN2 = math.log(2.0)


def _quarter(a: Real, c: Precision) -> tuple[Real, Real]:
    """2^n / 4 and e^r - 1 with e^a = 2^n e^r; a quarter, since e^a may overflow where half of it does not."""
    n, r = halve_range(at_most(a, (c.bias + 2) * _LN2 + 0.1), c)
    return power_of_two(n - 2, c), expm1_near_zero(r, c)


def sinh(x: Real, c: Precision) -> Real:
    """h + h / (2h + 1) with h = (e^|x| - 1) / 2."""
    a = magnitude(x)
    quarter, near_one = _quarter(a, c)
    half = fma(quarter, near_one, quarter - 0.25)
    y = (half + half / fma(half, 4.0, 1.0)) * 2.0
    return select(a < c.tiny, x, copysign(y, x))


def cosh(x: Real, c: Precision) -> Real:
    """(e^|x| + e^-|x|) / 2."""
    quarter, near_one = _quarter(magnitude(x), c)
    e = fma(quarter, near_one, quarter)
    return (e + 0.0625 / e) * 2.0


def _log_of_double(x: Real, u: Real, c: Precision) -> Real:
    """ln(1 + u), or ln(2x) for an x so large that u, which is nearly 2x, might overflow."""
    large = x > 2.0 ** (c.fraction + 3)
    y = log1p(select(large, x, u), c)
    return select(large, y + c.ln2_high, y)


def asinh(x: Real, c: Precision) -> Real:
    """ln(a + sqrt(a^2 + 1)) with a = |x|, less 1 in the logarithm: a + a^2 / (1 + sqrt(a^2 + 1))."""
    a = magnitude(x)
    square = a * a
    return copysign(_log_of_double(a, a + square / (sqrt(square + 1.0) + 1.0), c), x)


def acosh(x: Real, c: Precision) -> Real:
    """ln(x + sqrt(x^2 - 1)), which with t = x - 1 is ln(1 + t + sqrt(t^2 + 2t))."""
    t = x - 1.0
    y = _log_of_double(x, t + sqrt(fma(t, t, t * 2.0)), c)
    return select(x < 1.0, math.nan, y)


def atanh(x: Real, c: Precision) -> Real:
    """ln((1 + a) / (1 - a)) / 2 with a = |x|."""
    a = magnitude(x)
    return copysign(log1p(a * 2.0 / (1.0 - a), c) * 0.5, x)
