"""The polynomials of the vector functions are as near to what they stand for as their comments say."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable

import mpmath
import pytest
from mpmath import mpf

from graphc.runtime import vecmath_tables as tables
from graphc.runtime.vecmath_tables import FLOAT32, FLOAT64, Precision

SQRT_HALF, LN2 = math.sqrt(0.5), math.log(2)

# Between which arguments x the polynomial holds, its variable, and from x and its value what is computed and meant.
Case = tuple[
    Callable[[Precision], tuple[float, float]],
    Callable[[mpf, Precision], mpf],
    Callable[[mpf, mpf, Precision], tuple[mpf, mpf]],
]


def square(x: mpf, _: Precision) -> mpf:
    return x * x


def itself(x: mpf, _: Precision) -> mpf:
    return x


def fraction(x: mpf, c: Precision) -> mpf:
    return (x - c.erfc_shift) / (x + c.erfc_shift)


def up_to(top: float) -> Callable[[Precision], tuple[float, float]]:
    return lambda _: (0.0, top)


def odd(function: Callable[[mpf], mpf]) -> Callable[[mpf, mpf, Precision], tuple[mpf, mpf]]:
    """A function as x + x^3 P(x^2)."""
    return lambda x, p, _: (x + x**3 * p, function(x))


CASES: dict[str, Case] = {
    "exp": (lambda _: (-LN2 / 2, LN2 / 2), itself, lambda x, p, _: (x + x * x * p, mpmath.expm1(x))),
    "log": (
        lambda _: (SQRT_HALF - 1, 2 * SQRT_HALF - 1),
        itself,
        lambda x, p, _: (x + x * x * p, mpmath.log1p(x)),
    ),
    "erf": (lambda c: (0.0, c.erf_split), square, lambda x, p, _: (x + x * p, mpmath.erf(x))),
    "log_erfc": (
        lambda c: (c.erf_split, c.erf_top),
        itself,
        lambda x, p, _: (1 - mpmath.exp(p), mpmath.erf(x)),
    ),
    "erfc": (
        lambda c: (0.5, c.erfc_top),
        fraction,
        lambda x, p, c: (p, mpmath.exp(x * x) * mpmath.erfc(x) * (x + c.erfc_shift)),
    ),
    "sin": (up_to(math.pi / 2), square, odd(mpmath.sin)),
    "sin_quarter": (up_to(math.pi / 4), square, odd(mpmath.sin)),
    "cos_quarter": (up_to(math.pi / 4), square, lambda x, p, _: (1 + x * x * p, mpmath.cos(x))),
    "asin": (up_to(0.5), square, odd(mpmath.asin)),
    "atan": (up_to(math.sqrt(2) - 1), square, odd(mpmath.atan)),
}


def stated(name: str, precision: Precision) -> float:
    """The bound in the comment above a table, as an exponent of 2."""
    single, double = inspect.getsource(tables).split("FLOAT64 = ")
    part = double if precision is FLOAT64 else single
    found = re.search(rf"# Bound 2\^(-\d+\.\d)[^\n]*\n    {name}=\(", part)
    assert found, name
    return float(found[1])


def nodes(low: float, high: float) -> list[mpf]:
    """Arguments between the ends, denser towards them."""
    middle, half = (mpf(low) + high) / 2, (mpf(high) - low) / 2
    return [middle - half * mpmath.cospi(mpf(2 * k + 1) / 300) for k in range(150)]


@pytest.mark.parametrize("precision", [FLOAT32, FLOAT64], ids=["f32", "f64"])
@pytest.mark.parametrize("name", list(CASES))
def test_polynomials_are_within_their_bounds(name: str, precision: Precision) -> None:
    ends, variable, computed = CASES[name]
    coefficients = getattr(precision, name)[::-1]
    with mpmath.workdps(50):
        worst = mpf(0)
        for x in nodes(*ends(precision)):
            found, exact = computed(x, mpmath.polyval(coefficients, variable(x, precision)), precision)
            worst = max(worst, abs(found / exact - 1))
        assert mpmath.log(worst, 2) <= stated(name, precision) + 0.1


def test_polynomials_of_the_power_function_are_within_their_bounds() -> None:
    """The logarithm in two parts and the short one, and both exponentials."""
    worst = dict.fromkeys(("LOG2", "LOG2_SHORT", "EXP2", "EXP2_SHORT"), mpf(0))
    with mpmath.workdps(50):
        (c, c_low), (d, d_low) = ((mpf(high), mpf(low)) for high, low in tables.LOG2_LEADING)
        for f in nodes(SQRT_HALF - 1, 2 * SQRT_HALF - 1):
            s, exact = f / (2 + f), mpmath.log1p(f) / mpmath.log(2)
            inner = d + d_low + s * s * mpmath.polyval(tables.LOG2[::-1], s * s)
            found = {"LOG2": s * (c + c_low + s * s * inner)}
            found["LOG2_SHORT"] = f * mpmath.polyval(tables.LOG2_SHORT[::-1], f)
            worst |= {name: max(worst[name], abs(y / exact - 1)) for name, y in found.items()}
        for r in nodes(-0.5, 0.5):
            for name in ("EXP2", "EXP2_SHORT"):
                y = 1 + r * mpmath.polyval(getattr(tables, name)[::-1], r)
                worst[name] = max(worst[name], abs(y / mpmath.power(2, r) - 1))
        bounds = {"LOG2": -73.4, "LOG2_SHORT": -34.8, "EXP2": -56.9, "EXP2_SHORT": -34.2}
        assert all(mpmath.log(worst[name], 2) <= bound for name, bound in bounds.items()), worst
