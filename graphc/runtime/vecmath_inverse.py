"""Angles from their sine, cosine or tangent."""

from __future__ import annotations

import math

from graphc.runtime.vecmath_ir import (
    Condition,
    Real,
    at_least,
    at_most,
    copysign,
    fma,
    like,
    magnitude,
    polynomial,
    select,
    sqrt,
)
from graphc.runtime.vecmath_tables import Precision

_TAN_EIGHTH = math.sqrt(2.0) - 1.0


def _folded(x: Real) -> tuple[Condition, Real, Real]:
    """Whether |x| > 1/2, and s with its square: |x|, or sqrt((1 - |x|) / 2), the sine of half of acos |x|."""
    a = magnitude(x)
    upper = a > 0.5
    square = select(upper, fma(a, -0.5, 0.5), a * a)
    return upper, select(upper, sqrt(square), a), square


def asin(x: Real, c: Precision) -> Real:
    """s + s^3 P(s^2), or beyond 1/2 pi/2 less twice that."""
    high, low = c.pi[0] / 2, c.pi[1] / 2
    upper, s, square = _folded(x)
    tail = s * square * polynomial(square, c.asin)
    above = fma(s, -2.0, high) - (tail * 2.0 - low)
    return copysign(select(upper, above, s + tail), x)


def acos(x: Real, c: Precision) -> Real:
    """Twice the arc sine of s for x > 1/2, pi less that for x < -1/2, between them pi/2 less the arc sine of x."""
    upper, s, square = _folded(x)
    above = x > 0.5
    v = select(above, s, -select(upper, s, x))
    tail = v * square * polynomial(square, c.asin)
    high, low = (select(above, 0.0, like(x, part / 2)) for part in c.pi[:2])
    y = high + (v + (tail + low))
    return select(upper, y * 2.0, y)


def _angle(small: Real, large: Real, c: Precision) -> tuple[Condition, Real, Real]:
    """The angle whose tangent is small / large <= 1, in three terms: pi/4 where the condition holds, and two more.

    Above tan(pi/8) these are the angle of (small - large) / (small + large), with t^3 P(t^2) as the smaller term.
    """
    steep = small > large * _TAN_EIGHTH
    t = select(steep, small - large, small) / select(steep, small + large, large)
    square = t * t
    return steep, t, square * t * polynomial(square, c.atan)


def _eighths(count: Real, sign: Real, t: Real, rest: Real, c: Precision) -> Real:
    """`count` times pi/4, and t and what is much less than t with a sign."""
    base = count * (c.pi[0] / 4)
    lost = fma(count, c.pi[1] / 4, fma(count, c.pi[0] / 4, -base))
    return base + fma(sign, t, fma(sign, rest, lost))


def atan(x: Real, c: Precision) -> Real:
    """The angle of |x|, beyond 1 as pi/2 less that of 1 / |x|."""
    a, one, zero = magnitude(x), like(x, 1.0), like(x, 0.0)
    beyond = a > 1.0
    steep, t, rest = _angle(select(beyond, one, a), select(beyond, a, one), c)
    count, sign = select(steep, one, zero), select(beyond, -1.0, one)
    return copysign(_eighths(select(beyond, 2.0 - count, count), sign, t, rest, c), x)


def atan2(y: Real, x: Real, c: Precision) -> Real:
    """The angle of |y| / |x|, beyond 1 as pi/2 less that of |x| / |y|, and for negative x as pi less that."""
    a, b, one, zero = magnitude(y), magnitude(x), like(x, 1.0), like(x, 0.0)
    beyond = a > b
    # At the top the sum of both would overflow, and subnormal numbers cannot be compared finely; 0 / 0 and inf / inf
    # stand for 0 and 1.
    small, large = select(beyond, b, a), select(beyond, a, b)
    tiny = large < c.least_normal * 2.0**c.fraction
    scale = select(large > 0.25 / c.least_normal, 0.5, select(tiny, 2.0 ** (c.fraction + 2), one))
    infinite = small.equals(math.inf)
    small = select(infinite, one, small * scale)
    large = select(infinite, at_most(large, 1.0), large * scale)
    steep, t, rest = _angle(small, at_least(large, c.least), c)
    negative = copysign(one, x) < 0.0
    count, sign = select(steep, one, zero), select(beyond, -1.0, one)
    count = select(beyond, 2.0 - count, count)
    count, sign = select(negative, 4.0 - count, count), select(negative, -sign, sign)
    return copysign(_eighths(count, sign, t, rest, c), y)
