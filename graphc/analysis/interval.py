"""Intervals: what a value may be, rounded outwards, for every function of the loop language.

An interval holds every value that a kernel may compute from operands in their intervals: after each function both
ends move outwards by as many units in the last place as the function may err. Ends may be infinite; ``nan`` says that a
value may be NaN. Where nothing better is known a function gives everything, so that what is told is never too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from graphc.types import DType

ULPS = 4  # that a function of the kernels may err by; arithmetic errs by half of one


@dataclass(frozen=True, slots=True)
class Interval:
    """All numbers from ``low`` to ``high``, and NaN where ``nan``."""

    low: float
    high: float
    nan: bool = False

    def __str__(self) -> str:
        return f"[{self.low:.4g}, {self.high:.4g}]" + (" or NaN" if self.nan else "")

    def __contains__(self, value: float) -> bool:
        return self.nan if math.isnan(value) else self.low <= value <= self.high

    @property
    def size(self) -> float:
        """The largest absolute value."""
        return max(abs(self.low), abs(self.high))

    @property
    def least(self) -> float:
        """The smallest absolute value."""
        return 0.0 if 0 in self else min(abs(self.low), abs(self.high))

    def joined(self, other: Interval) -> Interval:
        """The smallest interval that holds both."""
        return Interval(min(self.low, other.low), max(self.high, other.high), self.nan or other.nan)


EVERYTHING = Interval(-math.inf, math.inf, True)
TRUTH = Interval(0, 1)


def point(value: float) -> Interval:
    return Interval(value, value) if value == value else EVERYTHING


def rounded(found: Interval, dtype: DType) -> Interval:
    """``found`` with both ends moved outwards; beyond the range of ``dtype`` lies infinity."""
    if not dtype.is_float:
        return found
    limits = np.finfo(dtype.numpy)
    eps, tiny = float(limits.eps) * ULPS, float(limits.smallest_subnormal)
    low = found.low - abs(found.low) * eps - tiny if math.isfinite(found.low) and found.low else found.low
    high = (
        found.high + abs(found.high) * eps + tiny if math.isfinite(found.high) and found.high else found.high
    )
    most = float(limits.max)
    return replace(found, low=-math.inf if low < -most else low, high=math.inf if high > most else high)


# ------------------------------------------------------------------------------------------- functions


def _monotone(
    function: Callable[[float], float], low: float = -math.inf, high: float = math.inf
) -> Callable[..., Interval]:
    """A function that grows, or falls, throughout its domain ``[low, high]`` and is NaN outside."""

    def over(x: Interval) -> Interval:
        outside = x.low < low or x.high > high
        if x.high < low or x.low > high:
            return EVERYTHING
        ends = (function(max(x.low, low)), function(min(x.high, high)))
        return Interval(min(ends), max(ends), x.nan or outside)

    return over


def _safely(function: Callable[[float], float]) -> Callable[[float], float]:
    """``function`` as NumPy has it, for infinities too."""

    def value(x: float) -> float:
        with np.errstate(all="ignore"):
            return float(function(np.float64(x)))  # pyright: ignore[reportArgumentType]

    return value


def _numpy(name: str, **domain: float) -> Callable[..., Interval]:
    return _monotone(_safely(getattr(np, name)), **domain)


def _add(x: Interval, y: Interval) -> Interval:
    opposed = {x.low, y.low} == {-math.inf, math.inf} or {x.high, y.high} == {-math.inf, math.inf}
    clash = opposed or (math.inf in (x.high, y.high) and -math.inf in (x.low, y.low))
    low, high = x.low + y.low, x.high + y.high
    return Interval(_or(low, -math.inf), _or(high, math.inf), x.nan or y.nan or clash)


def _or(value: float, otherwise: float) -> float:
    return otherwise if value != value else value


def _neg(x: Interval) -> Interval:
    return Interval(-x.high, -x.low, x.nan)


def _mul(x: Interval, y: Interval) -> Interval:
    products = [_times(a, b) for a in (x.low, x.high) for b in (y.low, y.high)]
    clash = (0 in x and y.size == math.inf) or (0 in y and x.size == math.inf)
    return Interval(min(products), max(products), x.nan or y.nan or clash)


def _times(a: float, b: float) -> float:
    return 0.0 if 0 in (a, b) else a * b


def _div(x: Interval, y: Interval) -> Interval:
    if 0 in y:
        return replace(EVERYTHING, nan=x.nan or y.nan or 0 in x or x.size == math.inf)
    inverse = Interval(1 / y.high, 1 / y.low)
    return replace(_mul(x, inverse), nan=x.nan or y.nan or (x.size == math.inf and y.size == math.inf))


def _abs(x: Interval) -> Interval:
    return Interval(x.least, x.size, x.nan)


def _cosh(x: Interval) -> Interval:
    cosh = _safely(np.cosh)
    return Interval(cosh(x.least), cosh(x.size), x.nan)


def _wave(function: Callable[[float], float], crest: float) -> Callable[[Interval], Interval]:
    """A sine whose largest value lies at ``crest``: its extremes where one lies within."""

    def over(x: Interval) -> Interval:
        if x.high - x.low >= 2 * math.pi or x.size > 1e9:
            return Interval(-1, 1, x.nan or x.size == math.inf)
        ends = (function(x.low), function(x.high))
        top, bottom = _within(x, crest), _within(x, crest - math.pi)
        return Interval(-1 if bottom else min(ends), 1 if top else max(ends), x.nan)

    return over


def _within(x: Interval, at: float) -> bool:
    """Whether ``at`` or a whole number of turns from it lies in ``x``, or next to it."""
    turn, slack = 2 * math.pi, 1e-6
    return math.floor((x.high + slack - at) / turn) >= math.ceil((x.low - slack - at) / turn)


def _tan(x: Interval) -> Interval:
    pole = x.high - x.low >= math.pi or x.size > 1e9
    turn = math.pi
    near = pole or math.floor((x.high + 1e-6) / turn + 0.5) != math.floor((x.low - 1e-6) / turn + 0.5)
    return (
        replace(EVERYTHING, nan=x.nan or x.size == math.inf)
        if near
        else Interval(math.tan(x.low), math.tan(x.high), x.nan)
    )


def _pow(x: Interval, y: Interval) -> Interval:
    if x.low <= 0 or x.size == math.inf or y.size == math.inf:
        return EVERYTHING if x.low < 0 else Interval(0, math.inf, x.nan or y.nan)
    power = np.power
    with np.errstate(all="ignore"):
        ends = [float(power(np.float64(a), b)) for a in (x.low, x.high) for b in (y.low, y.high)]
    return Interval(min(ends), max(ends), x.nan or y.nan)


def _rsqrt(x: Interval) -> Interval:
    if x.high < 0:
        return EVERYTHING
    top = math.inf if x.low <= 0 else 1 / math.sqrt(x.low)
    return Interval(
        0 if x.high == math.inf else 1 / math.sqrt(x.high) if x.high else math.inf, top, x.nan or x.low < 0
    )


def _extreme(choose: Callable[[float, float], float]) -> Callable[[Interval, Interval], Interval]:
    return lambda x, y: Interval(choose(x.low, y.low), choose(x.high, y.high), x.nan or y.nan)


def _mod(x: Interval, y: Interval) -> Interval:
    if 0 in y or x.size == math.inf:
        return EVERYTHING
    return Interval(min(y.low, 0.0), max(y.high, 0.0), x.nan or y.nan)


def _floordiv(x: Interval, y: Interval) -> Interval:
    found = _div(x, y)
    low, high = (float(math.floor(e)) if math.isfinite(e) else e for e in (found.low, found.high))
    return Interval(low, high, found.nan)


def _select(condition: Interval, x: Interval, y: Interval) -> Interval:
    if condition.low == condition.high and not condition.nan:
        return x if condition.low else y
    return x.joined(y)


def _compared(
    holds: Callable[[Interval, Interval], bool], fails: Callable[[Interval, Interval], bool]
) -> Callable[..., Interval]:
    def over(x: Interval, y: Interval) -> Interval:
        if x.nan or y.nan:
            return TRUTH
        return point(1.0) if holds(x, y) else point(0.0) if fails(x, y) else TRUTH

    return over


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def _softplus(x: float) -> float:
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))


def _sign(x: float) -> float:
    return float(np.sign(x))


def _sub(x: Interval, y: Interval) -> Interval:
    return _add(x, _neg(y))


def _angle(y: Interval, x: Interval) -> Interval:
    return Interval(-math.pi, math.pi, x.nan or y.nan)


def _either(*_: Interval) -> Interval:
    return TRUTH


def _itself(x: Interval) -> Interval:
    return x


FUNCTIONS: Mapping[str, Callable[..., Interval]] = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "neg": _neg, "abs": _abs,
    "floordiv": _floordiv, "mod": _mod, "maximum": _extreme(max), "minimum": _extreme(min), "pow": _pow,
    "lt": _compared(lambda x, y: x.high < y.low, lambda x, y: x.low >= y.high),
    "le": _compared(lambda x, y: x.high <= y.low, lambda x, y: x.low > y.high),
    "gt": _compared(lambda x, y: x.low > y.high, lambda x, y: x.high <= y.low),
    "ge": _compared(lambda x, y: x.low >= y.high, lambda x, y: x.high < y.low),
    "select": _select, "guard": _select,
    **{name: _numpy(name) for name in ("exp", "expm1", "tanh", "sinh", "floor", "ceil", "rint", "trunc")},
    "log": _numpy("log", low=0.0), "log1p": _numpy("log1p", low=-1.0), "log2": _numpy("log2", low=0.0),
    "sqrt": _numpy("sqrt", low=0.0), "asinh": _numpy("arcsinh"), "atan": _numpy("arctan"),
    "asin": _numpy("arcsin", low=-1.0, high=1.0), "acos": _numpy("arccos", low=-1.0, high=1.0),
    "atanh": _numpy("arctanh", low=-1.0, high=1.0), "acosh": _numpy("arccosh", low=1.0),
    "erf": _monotone(math.erf), "erfc": _monotone(math.erfc), "sigmoid": _monotone(_sigmoid),
    "softplus": _monotone(_softplus), "sign": _monotone(_sign), "rsqrt": _rsqrt, "cosh": _cosh,
    "sin": _wave(math.sin, math.pi / 2), "cos": _wave(math.cos, 0.0), "tan": _tan,
    "atan2": _angle,
    **dict.fromkeys(("eq", "ne", "and", "or", "xor"), _either),
    **dict.fromkeys(("isnan", "isinf", "isfinite", "not"), _either),
    "cast": _itself,
}  # fmt: skip

# Ends that rounding never passes: the kernels keep to them (no sine exceeds 1), or they are exact.
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "exp": (0, math.inf), "sqrt": (0, math.inf), "sigmoid": (0, 1), "softplus": (0, math.inf), "abs": (0, math.inf),
    "tanh": (-1, 1), "erf": (-1, 1), "erfc": (0, 2), "sin": (-1, 1), "cos": (-1, 1), "expm1": (-1, math.inf),
    "cosh": (1, math.inf), "rsqrt": (0, math.inf),
}  # fmt: skip
_NAMES = (
    "neg abs maximum minimum select guard floor ceil rint trunc sign not lt le gt ge eq ne and or xor isnan"
)
_EXACT = frozenset((*_NAMES.split(), "isinf", "isfinite"))


def _whole(x: Interval) -> Interval:
    """What becomes of ``x`` as an integer."""
    return Interval(math.floor(x.low), math.ceil(x.high)) if math.isfinite(x.size) else EVERYTHING


def applied(name: str, operands: list[Interval], dtype: DType) -> Interval:
    """What function ``name`` may give, computed in ``dtype``.

    >>> print(applied("exp", [Interval(-1.0, 100.0)], DType.F32))
    [0.3679, inf]
    """
    function = FUNCTIONS.get(name)
    if function is None:
        return EVERYTHING
    found = function(*operands)
    if name == "cast" and not dtype.is_float:
        return TRUTH if dtype is DType.BOOL else _whole(found)
    if name in _EXACT:
        return found
    low, high = _BOUNDS.get(name, (-math.inf, math.inf))
    wide = rounded(found, dtype)
    return Interval(max(wide.low, low), min(wide.high, high), wide.nan)


__all__ = ["EVERYTHING", "TRUTH", "Interval", "applied", "point", "rounded"]
