"""Functions that keep their digits where the formulas that define them lose all: quotients at a removable pole, and
logarithms of what is close to 0, to 1, or too large.

A quotient f(x)/x with f(0) = 0 is 0/0 at 0, and its derivative (f'(x) - f(x)/x)/x cancels all around. Within a radius
value and derivative are therefore sums of f's series, whose coefficients are declared.
"""

# SymPy carries no types, and the bodies are expressions over it.
# pyright: basic

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from graphc import registry
from graphc.graph import FUNCTIONS
from graphc.ops.bodies import named, piecewise
from graphc.ops.elementwise import Scalar, make_op
from graphc.ops.functions import user_function
from graphc.registry import Op, Sample

_SHAPES = ((), (5,), ("N", 3), (0,), (1,))


def _declare(scalar: Scalar, shapes: Sequence[Any], low: float, high: float, doc: str) -> Op:
    samples = tuple(Sample(shapes=s, params={}, low=low, high=high, distinct=True) for s in shapes)
    op = registry.register(make_op(scalar, samples=samples, doc=doc))
    FUNCTIONS[scalar.name] = user_function(op)
    return op


def _unary(name: str, body: Any, doc: str, low: float, high: float, slope: Any = None) -> Op:
    partials = (slope,) if slope else ()
    scalar = Scalar(name=name, arity=1, body=body, partials=partials, standard=True)
    return _declare(scalar, tuple((s,) for s in _SHAPES), low, high, doc)


# ------------------------------------------------------------------------------------ quotients f(x) / x


def _polynomial(coefficients: Sequence[Fraction], x: Any) -> Any:
    """The sum of ``coefficients[k] x**k`` in Horner's form."""
    import sympy

    terms = [sympy.Rational(c.numerator, c.denominator) * x**k for k, c in enumerate(coefficients)]
    return sympy.horner(sum(terms), x)


def _quotient(
    name: str, top: Callable[[Any], Any], coefficient: Callable[[int], Fraction], radius: float, doc: str
) -> Op:
    """Declare ``top(x)/x``, of series ``coefficient(k) x**k``, which is summed for ``|x| < radius``.

    Terms are taken until those left out are below 2**-60 even in the derivative.
    """
    count = next(n for n in range(4, 64) if (n + 1) * radius**n * _largest(coefficient, n) < 2**-60)
    value = [coefficient(k) for k in range(count + 1)]
    slope = [k * c for k, c in enumerate(value)][1:]

    def body(x: Any) -> Any:
        return _near(x, radius, _polynomial(value, x), top(x) / x)

    def derivative(x: Any) -> Any:
        import sympy

        return _near(x, radius, _polynomial(slope, x), sympy.diff(top(x) / x, x))

    return _unary(name, body, doc, -0.9, 2.0, derivative)


def _largest(coefficient: Callable[[int], Fraction], n: int) -> float:
    """The largest of the coefficients from ``n`` on; series of even functions have every other one 0."""
    return max(abs(float(coefficient(n))), abs(float(coefficient(n + 1))))


def _near(x: Any, radius: float, inside: Any, outside: Any) -> Any:
    return piecewise((inside, named("Abs")(x) < radius), (outside, True))


_quotient(
    "exprel",
    named("expm1"),
    lambda k: Fraction(1, math.factorial(k + 1)),
    0.5,
    "(exp(x) - 1)/x, and 1 at 0.",
)
_quotient(
    "logrel",
    named("log1p"),
    lambda k: Fraction((-1) ** k, k + 1),
    0.125,
    "log(1 + x)/x, and 1 at 0.",
)
_quotient(
    "sinrel",
    named("sin"),
    lambda k: Fraction(0 if k % 2 else (-1) ** (k // 2), math.factorial(k + 1)),
    0.5,
    "sin(x)/x, and 1 at 0.",
)

# ---------------------------------------------------------------------------------------------- logarithms


def _log1mexp(x: Any) -> Any:
    """Mächler 2012, Accurately computing log(1 - exp(-|a|)): the branches meet at x = -log 2."""
    small = named("log")(-named("expm1")(x))
    return piecewise((small, x > -math.log(2)), (named("log1p")(-named("exp")(x)), True))


def _logcosh(x: Any) -> Any:
    """cosh x = 1 + 2 sinh(x/2)^2 = exp|x| (1 + exp(-2|x|))/2."""
    small = named("log1p")(2 * named("sinh")(x / 2) ** 2)
    size = named("Abs")(x)
    large = size + named("log1p")(named("exp")(-2 * size)) - math.log(2)
    return piecewise((small, size < 1), (large, True))


_unary("log1mexp", _log1mexp, "log(1 - exp(x)) for x < 0.", -3.0, -0.1)
_unary("logcosh", _logcosh, "log(cosh(x)), finite for every x.", -2.0, 2.0, named("tanh"))


def _product_with_log(x: Any, y: Any) -> Any:
    return piecewise((0, _is_zero(x)), (x * named("log")(y), True))


def _is_zero(x: Any) -> Any:
    import sympy

    return sympy.Eq(x, 0)


_declare(
    Scalar(
        name="xlogy",
        arity=2,
        body=_product_with_log,
        partials=(
            lambda x, y: named("log")(y),
            lambda x, y: piecewise((0, _is_zero(x)), (x / y, True)),
        ),
        standard=True,
    ),
    (((), ()), ((4,), (4,)), (("N", 3), (3,)), ((2, 1, 3), (4, 1)), ((), (3,)), ((0, 3), (3,))),
    0.2,
    3.0,
    "x log(y), and 0 where x is 0.",
)
