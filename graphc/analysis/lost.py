"""Lost bits: a formula as floating point computes it beside its value in hundreds of digits."""

# SymPy and mpmath carry no types.
# pyright: basic

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.binding import Array
from graphc.graph import Cone, Handle
from graphc.interpret import interpret
from graphc.rewrite import stabilise
from graphc.rewrite.proof import formulas
from graphc.size import dim_evaluate
from graphc.types import DType

DIGITS = 700  # exp(-1600), next to 1, is told from 0


@dataclass(frozen=True, slots=True)
class Lost:
    """Errors of one form at each point, in units in the last place; infinite where it is NaN or out of range."""

    ulps: Array
    precision: int

    @property
    def bits(self) -> Array:
        """log2(1 + error): how many of the last bits are wrong, at most all."""
        return np.minimum(np.log2(1 + self.ulps), self.precision)

    @property
    def mean(self) -> float:
        return float(np.mean(self.bits))

    @property
    def most(self) -> float:
        return float(np.max(self.bits))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What ``lost_bits`` measured: a formula as written and in its stable form, at the same points.

    inherent: by how many units the exact value moves when every input moves by half a unit in its last place; no
              form can do much better than that
    """

    written: Lost
    stable: Lost
    inherent: Array
    points: Mapping[str, Array]

    def __str__(self) -> str:
        rows = [
            (name, lost.mean, lost.most)
            for name, lost in (("written", self.written), ("stable", self.stable))
        ]
        return "\n".join(
            f"{name:8} {mean:5.1f} bits lost on average, {most:5.1f} at most" for name, mean, most in rows
        )


def lost_bits(
    node: Handle,
    ranges: Mapping[str, tuple[float, float]],
    *,
    scale: float = 0.0,
    count: int = 100,
    seed: int = 0,
) -> Accuracy:
    """Measure how many bits ``node`` loses, as written and stabilised, at random points of ``ranges``.

    ``ranges`` gives (low, high) for every input; points are spread evenly in half of the cases, by magnitude in the
    others. Points at which the exact value is not real, or not in the range of the type, are left out. The exact value
    is the same graph in SymPy, in 700 digits; ``scale`` is the size below which values have its unit in the last place.
    Raises ``ExpressionError`` for ops that have no meaning over symbols.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", (), "float64")
    >>> found = lost_bits(gc.sqrt(x + 1) - gc.sqrt(x), {"x": (1.0, 1e16)})
    >>> bool(found.written.mean > 15), bool(found.stable.mean < 1.5)
    (True, True)
    """
    cone = Cone(node.graph, {"y": node.id})
    leaves = {node.graph.handle(at).name: node.graph.handle(at) for at in cone.nodes if _is_input(cone, at)}
    drawn = points(leaves, ranges, count, seed)
    truth, kept, inherent = [], [], []
    exact = _exact(formulas(cone)["y"], leaves)
    for at in _each(drawn, count):
        value = exact(at)
        if _in_range(value, node.dtype):
            truth.append(value)
            kept.append(at)
            inherent.append(_moved(exact, at, value, node.dtype, scale))
    forms = (cone, stabilise(cone).cone)
    written, stable = (_lost(form, kept, truth, node.dtype, scale) for form in forms)
    return Accuracy(
        written, stable, np.array(inherent), {name: np.array([at[name] for at in kept]) for name in leaves}
    )


def _is_input(cone: Cone, at: int) -> bool:
    node = cone.graph.nodes[at]
    return node.is_leaf and not node.is_const


def points(
    leaves: Mapping[str, Handle], ranges: Mapping[str, tuple[float, float]], count: int, seed: int
) -> dict[str, Array]:
    """``count`` values for each leaf: evenly spread ones and, every other one, ones spread by magnitude."""
    rng = np.random.default_rng(seed)
    found: dict[str, Array] = {}
    for name, leaf in leaves.items():
        low, high = ranges.get(name, (-4.0, 4.0))
        shape = (count, *(dim_evaluate(d, {}) for d in leaf.shape))
        even = rng.uniform(low, high, shape)
        scaled = np.where(
            np.arange(count).reshape(-1, *[1] * leaf.ndim) % 2 == 0, even, _by_size(rng, low, high, shape)
        )
        found[name] = np.clip(scaled, low, high).astype(leaf.dtype.numpy)
    return found


def _by_size(rng: np.random.Generator, low: float, high: float, shape: tuple[int, ...]) -> Array:
    top = max(abs(low), abs(high))
    bottom = low if low > 0 else -high if high < 0 else top * 1e-12
    size = np.exp(rng.uniform(math.log(bottom), math.log(top), shape))
    negative = np.ones(shape, bool) if high <= 0 else rng.random(shape) < (0.5 if low < 0 else 0.0)
    return np.where(negative, -size, size)


def _each(drawn: Mapping[str, Array], count: int) -> Iterator[dict[str, Array]]:
    for k in range(count):
        yield {name: values[k] for name, values in drawn.items()}


def _exact(formula: Any, leaves: Mapping[str, Handle]) -> Callable[[Mapping[str, Array]], Any]:
    """The formula, of one element, as a function in ``DIGITS`` digits."""
    import mpmath
    import sympy

    names = [
        f"{name}{k}"
        for name, leaf in leaves.items()
        for k in range(math.prod(dim_evaluate(d, {}) for d in leaf.shape))
    ]
    symbols = [sympy.Symbol(name, real=True) for name in names]
    element = sympy.sympify(np.ravel(formula)[0])
    if element.has(sympy.zoo, sympy.nan, sympy.oo):
        return lambda at: mpmath.nan
    run = sympy.lambdify(symbols, element, modules="mpmath")

    def value(at: Mapping[str, Array]) -> Any:
        with mpmath.workdps(DIGITS):
            given = [mpmath.mpf(float(v)) for name in leaves for v in np.ravel(at[name])]
            try:
                return run(*given)
            except ZeroDivisionError:
                return mpmath.nan

    return value


def _moved(
    exact: Callable[[Mapping[str, Array]], Any],
    at: Mapping[str, Array],
    value: Any,
    dtype: DType,
    scale: float,
) -> float:
    """The sum over all inputs of half a unit in the last place times the slope, in units of ``value``."""
    import mpmath

    total = 0.0
    with mpmath.workdps(DIGITS):
        for name, values in at.items():
            for k in range(np.size(values)):
                moved = np.array(values, np.float64)
                moved.flat[k] *= 1 + 2.0**-20
                change = exact({**at, name: moved}) - value
                total += (
                    float(min(abs(change) * 2**20, mpmath.mpf(10) ** 300)) if mpmath.isfinite(change) else 0.0
                )
        return total * float(np.finfo(dtype.numpy).eps) / 2 / _unit(value, dtype, scale)


def _unit(value: Any, dtype: DType, scale: float) -> float:
    return float(np.spacing(dtype.numpy.type(max(abs(float(value)), scale))))


def _in_range(value: Any, dtype: DType) -> bool:
    import mpmath

    limits = np.finfo(dtype.numpy)
    real = isinstance(value, mpmath.mpf) and bool(mpmath.isfinite(value))
    return real and (value == 0 or float(limits.tiny) <= abs(value) <= float(limits.max))


def _lost(
    cone: Cone, at: Sequence[Mapping[str, Array]], truth: Sequence[Any], dtype: DType, scale: float
) -> Lost:
    import mpmath

    ulps: list[float] = []
    for point, exact in zip(at, truth, strict=True):
        found = float(np.ravel(interpret(cone, params=point)["y"])[0])
        with mpmath.workdps(DIGITS):
            gap = (
                abs(mpmath.mpf(found) - exact) / _unit(exact, dtype, scale)
                if math.isfinite(found)
                else mpmath.inf
            )
        ulps.append(float(min(gap, mpmath.mpf(2) ** 60)))
    return Lost(np.array(ulps), np.finfo(dtype.numpy).nmant + 1)


__all__ = ["Accuracy", "Lost", "lost_bits", "points"]
