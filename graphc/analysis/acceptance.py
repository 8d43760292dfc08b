"""The ten formulas, as everybody writes them, whose values and gradients graphc promises: at inputs where the plain
evaluation overflows, cancels or divides 0 by 0.
"""

# pyright: basic

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.binding import Array
from graphc.diff.reverse import grad
from graphc.graph import Graph, Handle, call


@dataclass(frozen=True, slots=True)
class Case:
    """A formula at one input, with the right value and gradient.

    within: largest error of value and gradient, relative to their largest element
    """

    text: str
    build: Callable[[Handle], Handle]
    at: Array
    value: Array
    gradient: Array
    within: float

    def declared(self) -> dict[str, Handle]:
        """The formula and its gradient, in a graph of their own."""
        graph = Graph("acceptance")
        x = graph.input("x", self.at.shape, self.at.dtype.name)
        value = self.build(x)
        return {"value": value, "gradient": grad(call("sum", value) if value.shape else value, x)}

    def holds(self, found: dict[str, Array]) -> bool:
        """Whether ``found`` has the right value and gradient."""
        return all(_near(found[k], getattr(self, k), self.within) for k in ("value", "gradient"))


def _near(found: Array, right: Array, within: float) -> bool:
    gap = np.abs(np.asarray(found, np.float64) - right)
    return bool(np.all(gap <= within * np.max(np.abs(right), initial=0.0)))


def _f(name: str, *args: Any, **options: Any) -> Handle:
    return call(name, *args, **options)


def _softmax(x: Array) -> Array:
    grown = np.exp(x - np.max(x))
    return grown / np.sum(grown)


def _cross_entropies(x: Handle) -> Handle:
    t = x.graph.const(np.array([0, 1, 0], x.dtype.numpy))
    p = 1 / (1 + _f("exp", -x))
    return _f("sum", -(t * _f("log", p) + (1 - t) * _f("log", 1 - p)))


def _tanh(x: Handle) -> Handle:
    return (_f("exp", x) - _f("exp", -x)) / (_f("exp", x) + _f("exp", -x))


_LOGITS = np.array([1000, 999, 1000.3])


def _logits(dtype: str) -> tuple[Array, Array, float]:
    """The logits as ``dtype`` holds them, their softmax, and what their log-sum-exp is above the second."""
    x = _LOGITS.astype(dtype).astype(np.float64)
    return x.astype(dtype), _softmax(x), float(np.log(np.sum(np.exp(x - x[1]))))


def cases(dtype: str = "float64") -> tuple[Case, ...]:
    """The table for one dtype; float32 has inputs at its own scale.

    >>> [case.text for case in cases()][2]
    'log sum exp x'
    """
    double = dtype == "float64"
    logits, shares, above = _logits(dtype)
    saturated = np.array([800, -800, 40] if double else [100, -100, 20], np.float64)
    small, huge, far = (1e-12, 1e16, 1e9) if double else (1e-5, 1e8, 1e4)
    large = 1000.0 if double else 200.0
    eps = float(np.finfo(dtype).eps)

    def case(
        text: str, build: Callable[[Handle], Handle], at: Any, value: Any, gradient: Any, ulps: float
    ) -> Case:
        x = np.asarray(at, dtype)
        return Case(text, build, x, np.asarray(value, float), np.asarray(gradient, float), ulps * eps)

    held = float(np.asarray(small, dtype))
    row = np.array([far, far + 1, far + 2])
    return (
        case(
            "-log((exp x / sum exp x)[1])", lambda x: -_f("log", (_f("exp", x) / _f("sum", _f("exp", x)))[1]),
            logits, above, shares - np.array([0, 1, 0]), 8,
        ),
        case(
            "sum of BCE, p = 1/(1 + exp(-x))", _cross_entropies, saturated, np.sum(np.abs(saturated)), [1, -1, 1], 8,
        ),
        case("log sum exp x", lambda x: _f("log", _f("sum", _f("exp", x))), logits, above + float(logits[1]),
            shares, 1200,
       ),
        case("log(1 + exp x)", lambda x: _f("log", 1 + _f("exp", x)), large, large, 1, 4),
        case("sqrt(sum x^2)", lambda x: _f("sqrt", _f("sum", x**2)), [0, 0], 0, [0, 0], 0),
        case(
            "where(x > 0, sqrt x, 0)", lambda x: _f("where", x > 0, _f("sqrt", x), 0.0),
            [0, -1, 4], [0, 0, 2], [0, 0, 0.25], 4,
        ),
        case("(e^x - e^-x)/(e^x + e^-x)", _tanh, 0.8 * large, 1, 0, 4),
        case("(exp x - 1)/x", lambda x: (_f("exp", x) - 1) / x, small, 1 + held / 2, 0.5 + held / 3, 4),
        case(
            "sqrt(x + 1) - sqrt(x)", lambda x: _f("sqrt", x + 1) - _f("sqrt", x),
            huge, 0.5 / math.sqrt(huge), -0.25 * huge**-1.5, 4 + (1 / huge) / eps,
        ),
        case(
            "mean(x^2) - mean(x)^2", lambda x: _f("mean", x**2) - _f("mean", x) ** 2,
            row, 2 / 3, np.array([-2, 0, 2]) / 3, 4,
        ),
    )  # fmt: skip


__all__ = ["Case", "cases"]
