"""Expressions known to be numerically hard, as they are printed in books and benchmark suites.

Most are problems of R. W. Hamming, Numerical Methods for Scientists and Engineers, 2nd ed., chapter 3, which FPBench
and Herbie took over (the names are theirs); the rest are the losses and statistics of machine learning. ``rows``
measures how many of the 53 bits of a float64 are wrong as written and as graphc computes it.
"""

# The formulas are functions of handles, whose types would say nothing that the formulas do not.
# pyright: basic

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphc.analysis.lost import Accuracy, lost_bits
from graphc.graph import Graph, Handle, call


@dataclass(frozen=True, slots=True)
class Hard:
    """A formula of named scalar inputs; ``rows`` gives the lengths of those that are vectors."""

    name: str
    text: str
    build: Callable[..., Handle]
    ranges: Mapping[str, tuple[float, float]]
    rows: Mapping[str, int] = field(default_factory=dict[str, int])
    source: str = "Hamming"

    def declared(self) -> Handle:
        graph = Graph("hard")
        shapes = {name: (self.rows[name],) if name in self.rows else () for name in self.ranges}
        return self.build(*(graph.input(name, shapes[name], "float64") for name in self.ranges))

    def measured(self, count: int = 60) -> Accuracy:
        """Lost bits of both forms."""
        return lost_bits(self.declared(), self.ranges, count=count)


def _f(name: str) -> Callable[..., Handle]:
    def function(*args: Any, **options: Any) -> Handle:
        return call(name, *args, **options)

    return function


exp, log, sqrt, sin, cos, tan, atan = (_f(n) for n in ("exp", "log", "sqrt", "sin", "cos", "tan", "atan"))
total, mean, tanh, cosh = (_f(n) for n in ("sum", "mean", "tanh", "cosh"))

_X = {"x": (1.0, 1e15)}
_SMALL = {"x": (-1.0, 1.0)}
_STEP = {"x": (-3.0, 3.0), "eps": (1e-12, 1e-2)}
_QUADRATIC = {"a": (0.1, 10.0), "b": (-1e8, 1e8), "c": (0.1, 10.0)}
_WIDE = {"x": (-900.0, 900.0)}


def _root(b: Handle, a: Handle, c: Handle, k: float) -> Handle:
    return sqrt(b * b - k * a * c)


HAMMING = (
    Hard("2sqrt", "sqrt(x + 1) - sqrt(x)", lambda x: sqrt(x + 1) - sqrt(x), _X),
    Hard("2sin", "sin(x + eps) - sin(x)", lambda x, e: sin(x + e) - sin(x), _STEP),
    Hard("tanhf", "(1 - cos(x))/sin(x)", lambda x: (1 - cos(x)) / sin(x), _SMALL),
    Hard("2atan", "atan(x + 1) - atan(x)", lambda x: atan(x + 1) - atan(x), _X),
    Hard("2isqrt", "1/sqrt(x) - 1/sqrt(x + 1)", lambda x: 1 / sqrt(x) - 1 / sqrt(x + 1), _X),
    Hard("2frac", "1/(x + 1) - 1/x", lambda x: 1 / (x + 1) - 1 / x, _X),
    Hard("3frac", "1/(x + 1) - 2/x + 1/(x - 1)", lambda x: 1 / (x + 1) - 2 / x + 1 / (x - 1), {"x": (2.0, 1e8)}),
    Hard("2cbrt", "(x + 1)^(1/3) - x^(1/3)", lambda x: (x + 1) ** (1 / 3) - x ** (1 / 3), _X),
    Hard("2cos", "cos(x + eps) - cos(x)", lambda x, e: cos(x + e) - cos(x), _STEP),
    Hard("2log", "log(x + 1) - log(x)", lambda x: log(x + 1) - log(x), _X),
    Hard("exp2", "exp(x) - 2 + exp(-x)", lambda x: exp(x) - 2 + exp(-x), _SMALL),
    Hard("cos2", "(1 - cos(x))/x^2", lambda x: (1 - cos(x)) / x**2, _SMALL),
    Hard("expq2", "exp(x)/(exp(x) - 1)", lambda x: exp(x) / (exp(x) - 1), _SMALL),
    Hard(
        "expq3", "eps (exp((a + b) eps) - 1)/((exp(a eps) - 1)(exp(b eps) - 1))",
        lambda a, b, e: e * (exp((a + b) * e) - 1) / ((exp(a * e) - 1) * (exp(b * e) - 1)),
        {"a": (0.5, 10.0), "b": (0.5, 10.0), "eps": (1e-12, 1.0)},
    ),
    Hard("logq", "log((1 - x)/(1 + x))", lambda x: log((1 - x) / (1 + x)), {"x": (-0.9, 0.9)}),
    Hard("qlog", "log(1 - x)/log(1 + x)", lambda x: log(1 - x) / log(1 + x), {"x": (-0.9, 0.9)}),
    Hard("logs", "(x + 1) log(x + 1) - x log(x) - 1", lambda x: (x + 1) * log(x + 1) - x * log(x) - 1, _X),
    Hard("sqrtexp", "sqrt((exp(2x) - 1)/(exp(x) - 1))", lambda x: sqrt((exp(2 * x) - 1) / (exp(x) - 1)), _SMALL),
    Hard("sintan", "(x - sin(x))/(x - tan(x))", lambda x: (x - sin(x)) / (x - tan(x)), _SMALL),
    Hard("2tan", "tan(x + eps) - tan(x)", lambda x, e: tan(x + e) - tan(x), {"x": (-1.0, 1.0), "eps": (1e-12, 1e-2)}),
    Hard("quadp", "(-b + sqrt(b^2 - 4ac))/(2a)", lambda a, b, c: (-b + _root(b, a, c, 4)) / (2 * a), _QUADRATIC),
    Hard("quadm", "(-b - sqrt(b^2 - 4ac))/(2a)", lambda a, b, c: (-b - _root(b, a, c, 4)) / (2 * a), _QUADRATIC),
    Hard("quad2p", "(-b + sqrt(b^2 - ac))/a", lambda a, b, c: (-b + _root(b, a, c, 1)) / a, _QUADRATIC),
    Hard("quad2m", "(-b - sqrt(b^2 - ac))/a", lambda a, b, c: (-b - _root(b, a, c, 1)) / a, _QUADRATIC),
    Hard(
        "pq", "-p/2 + sqrt((p/2)^2 - q)", lambda p, q: -p / 2 + sqrt((p / 2) ** 2 - q),
        {"p": (-1e8, 1e8), "q": (1e-3, 1.0)},
    ),
    Hard("expax", "exp(a x) - 1", lambda a, x: exp(a * x) - 1, {"a": (0.1, 10.0), "x": (-1.0, 1.0)}),
    Hard(
        "2nthrt", "(x + 1)^(1/n) - x^(1/n)", lambda x, n: (x + 1) ** (1 / n) - x ** (1 / n),
        {"x": (1.0, 1e15), "n": (1.5, 20.0)},
    ),
    Hard("invcot", "1/x - cos(x)/sin(x)", lambda x: 1 / x - cos(x) / sin(x), _SMALL),
)  # fmt: skip

LEARNING = (
    Hard("softplus", "log(1 + exp(x))", lambda x: log(1 + exp(x)), _WIDE, source="losses"),
    Hard("logsigmoid", "log(1/(1 + exp(-x)))", lambda x: log(1 / (1 + exp(-x))), _WIDE, source="losses"),
    Hard(
        "logaddexp", "log(exp(x) + exp(y))", lambda x, y: log(exp(x) + exp(y)), {**_WIDE, "y": (-900.0, 900.0)},
        source="losses",
    ),
    Hard("logsumexp", "log sum exp(x)", lambda x: log(total(exp(x))), _WIDE, {"x": 4}, "losses"),
    Hard(
        "mixture", "log sum w exp(x)", lambda w, x: log(total(w * exp(x))), {"w": (1e-3, 1.0), **_WIDE},
        {"w": 3, "x": 3}, "losses",
    ),
    Hard(
        "tanh", "(e^x - e^-x)/(e^x + e^-x)", lambda x: (exp(x) - exp(-x)) / (exp(x) + exp(-x)), _WIDE,
        source="losses",
    ),
    Hard("sech2", "1 - tanh(x)^2", lambda x: 1 - tanh(x) ** 2, {"x": (-300.0, 300.0)}, source="losses"),
    Hard("logcosh", "log(cosh(x))", lambda x: log(cosh(x)), _WIDE, source="losses"),
    Hard("log1mexp", "log(1 - exp(x))", lambda x: log(1 - exp(x)), {"x": (-300.0, -1e-12)}, source="losses"),
    Hard("expratio", "exp(x)/exp(y)", lambda x, y: exp(x) / exp(y), {**_WIDE, "y": (-900.0, 900.0)}, source="losses"),
    Hard("expm1x", "(exp(x) - 1)/x", lambda x: (exp(x) - 1) / x, _SMALL, source="Kahan"),
    Hard("log1px", "log(1 + x)/x", lambda x: log(1 + x) / x, {"x": (-0.9, 1.0)}, source="Kahan"),
    Hard(
        "variance", "mean(x^2) - mean(x)^2", lambda x: mean(x**2) - mean(x) ** 2, {"x": (1e6, 1.001e6)},
        {"x": 4}, "statistics",
    ),
    Hard(
        "covariance", "mean(x y) - mean(x) mean(y)", lambda x, y: mean(x * y) - mean(x) * mean(y),
        {"x": (1e6, 1.001e6), "y": (1e6, 1.001e6)}, {"x": 4, "y": 4}, "statistics",
    ),
    Hard("interest", "(1 + x)^2.5 - 1", lambda x: (1 + x) ** 2.5 - 1, {"x": (1e-12, 1.0)}, source="finance"),
)  # fmt: skip

EXPRESSIONS = (*HAMMING, *LEARNING)


def rows(expressions: tuple[Hard, ...] = EXPRESSIONS, count: int = 60) -> Iterator[tuple[Hard, Accuracy]]:
    """Each expression with what was measured of it at ``count`` points."""
    yield from ((each, each.measured(count)) for each in expressions)


__all__ = ["EXPRESSIONS", "HAMMING", "LEARNING", "Hard", "rows"]
