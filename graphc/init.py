"""Initialisers: how parameters and states get their first values, the same for any order of declaration.

An initialiser is a function of ``(generator, shape, dtype)``; ``init=`` takes one, its name ("xavier_normal") or an
array. The same graph seed gives the same bytes.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from graphc.errors import GraphError, ShapeError, unknown
from graphc.graph.given import INITIALISERS

if TYPE_CHECKING:
    from graphc.graph import Graph, Handle

Array = np.ndarray[Any, Any]
Initialiser = Callable[[np.random.Generator, tuple[int, ...], "np.dtype[Any]"], Array]
Fan = Literal["in", "out", "mean"]
_FANS = ("in", "out", "mean")


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many values a weight of ``shape`` reads and writes for each unit: (in, out).

    A matrix is (in, out), as ``Dense`` keeps it; a kernel is (out, in, height, width), as ``conv2d`` keeps
    it.

    >>> fans((64, 10)), fans((16, 3, 5, 5))
    ((64, 10), (75, 400))
    """
    if len(shape) <= 2:
        return (shape[0] if shape else 1, shape[-1] if shape else 1)
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def _fan(shape: tuple[int, ...], fan: Fan) -> float:
    inward, outward = fans(shape)
    return max(1, {"in": inward, "out": outward, "mean": (inward + outward) / 2}[fan])


@dataclass(frozen=True, slots=True)
class Zeros:
    """Zeros."""

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return np.zeros(shape, dtype)


@dataclass(frozen=True, slots=True)
class Ones:
    """Ones."""

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return np.ones(shape, dtype)


@dataclass(frozen=True, slots=True)
class Constant:
    """One value everywhere, such as a slightly positive bias (0.01) in front of relu."""

    value: float

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return np.full(shape, self.value, dtype)


@dataclass(frozen=True, slots=True)
class Uniform:
    """Uniform in [low, high)."""

    low: float = -0.05
    high: float = 0.05

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return generator.uniform(self.low, self.high, shape).astype(dtype)


@dataclass(frozen=True, slots=True)
class Normal:
    """Normal with ``mean`` and standard deviation ``std``."""

    mean: float = 0.0
    std: float = 0.05

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return generator.normal(self.mean, self.std, shape).astype(dtype)


@dataclass(frozen=True, slots=True)
class TruncatedNormal:
    """``Normal`` of which what lies more than ``bound`` standard deviations from the mean is drawn again.

    >>> generator = np.random.default_rng(0)
    >>> bool(abs(TruncatedNormal(std=1.0)(generator, (1000,), np.dtype("float32"))).max() <= 2)
    True
    """

    mean: float = 0.0
    std: float = 0.05
    bound: float = 2.0

    def __post_init__(self) -> None:
        if not self.bound > 0:
            raise GraphError(f"bound={self.bound!r}; give a positive number").located("TruncatedNormal")

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        drawn = generator.standard_normal(shape)
        while np.any(far := np.abs(drawn) > self.bound):
            drawn[far] = generator.standard_normal(int(far.sum()))
        return (self.mean + self.std * drawn).astype(dtype)


@dataclass(frozen=True, slots=True)
class Orthogonal:
    """A random orthogonal matrix times ``gain``: lengths stay as they are, however many such layers follow each other.

    Of the weight seen as a matrix, first axis by all others, rows are orthonormal, or columns if these are fewer. Saxe,
    McClelland and Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks",
    2014. Raises ``ShapeError`` for fewer than two axes.

    >>> w = Orthogonal()(np.random.default_rng(0), (3, 2), np.dtype("float64"))
    >>> bool(np.allclose(w.T @ w, np.eye(2)))
    True
    """

    gain: float = 1.0

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        if len(shape) < 2:
            raise ShapeError(f"shape {shape} has no columns; use a matrix or a kernel").located("Orthogonal")
        rows, columns = shape[0], math.prod(shape[1:])
        drawn = generator.standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(drawn)
        q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # which makes q uniform (Mezzadri 2007)
        return (self.gain * (q if rows >= columns else q.T)).reshape(shape).astype(dtype)


@dataclass(frozen=True, slots=True)
class Identity:
    """1 from each unit to the one of the same number, else 0: the layer gives ``gain`` times its input.

    A matrix has a diagonal, a kernel ``(out, in, ...)`` one at the middle of its windows. Raises ``ShapeError`` for
    fewer than two axes.

    >>> Identity()(np.random.default_rng(0), (2, 3), np.dtype("float32")).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """

    gain: float = 1.0

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        if len(shape) < 2:
            raise ShapeError(f"shape {shape} has no diagonal; use a matrix or a kernel").located("Identity")
        value, middle = np.zeros(shape, dtype), tuple(size // 2 for size in shape[2:])
        each = np.arange(min(shape[:2]))
        value[(each, each, *middle)] = self.gain
        return value


@dataclass(frozen=True, slots=True)
class _Scaled:
    """A draw of variance ``gain**2 * v / n``, where n is the chosen fan and v the family's variance."""

    gain: float = 1.0
    fan: Fan = "in"

    def __post_init__(self) -> None:
        if self.fan not in _FANS:
            raise GraphError(f"fan={self.fan!r}; use 'in', 'out' or 'mean'").located(type(self).__name__)

    def _uniform(self, generator: np.random.Generator, shape: tuple[int, ...], variance: float) -> Array:
        # U[-a, a] has variance a^2 / 3.
        bound = self.gain * math.sqrt(3 * variance / _fan(shape, self.fan))
        return generator.uniform(-bound, bound, shape)

    def _normal(self, generator: np.random.Generator, shape: tuple[int, ...], variance: float) -> Array:
        return generator.normal(0.0, self.gain * math.sqrt(variance / _fan(shape, self.fan)), shape)


@dataclass(frozen=True, slots=True)
class XavierUniform(_Scaled):
    """U[-sqrt(3/n), sqrt(3/n)]: keeps the variance through linear, tanh and sigmoid layers.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010;
    their form averages both fans: ``fan="mean"``.
    """

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return self._uniform(generator, shape, 1.0).astype(dtype)


@dataclass(frozen=True, slots=True)
class XavierNormal(_Scaled):
    """N(0, 1/n), the normal form of ``XavierUniform``."""

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return self._normal(generator, shape, 1.0).astype(dtype)


@dataclass(frozen=True, slots=True)
class KaimingUniform(_Scaled):
    """U[-sqrt(6/n), sqrt(6/n)]: keeps the variance through relu layers.

    He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015.

    >>> generator = np.random.default_rng(0)
    >>> bool(abs(KaimingUniform()(generator, (6, 4), np.dtype("float32"))).max() <= 1)
    True
    """

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return self._uniform(generator, shape, 2.0).astype(dtype)


@dataclass(frozen=True, slots=True)
class KaimingNormal(_Scaled):
    """N(0, 2/n), the normal form of ``KaimingUniform``."""

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        return self._normal(generator, shape, 2.0).astype(dtype)


# What has a meaning without a number goes by a name, too: ``init="kaiming_normal"``.
INITIALISERS.update(
    zeros=Zeros(), ones=Ones(), uniform=Uniform(), normal=Normal(), truncated_normal=TruncatedNormal(),
    orthogonal=Orthogonal(), identity=Identity(), xavier_uniform=XavierUniform(), xavier_normal=XavierNormal(),
    kaiming_uniform=KaimingUniform(), kaiming_normal=KaimingNormal(),
)  # fmt: skip


def generator_for(seed: int, name: str) -> np.random.Generator:
    """The stream of random numbers that belongs to ``name`` under ``seed``, whatever else is drawn."""
    key = [seed % 2**64, zlib.crc32(name.encode("utf-8", "surrogatepass"))]
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def _drawn(initialiser: Any, graph: Graph, handle: Handle, shape: tuple[int, ...]) -> Array:
    try:
        return np.asarray(initialiser(generator_for(graph.seed, handle.name), shape, handle.dtype.numpy))
    except TypeError as error:
        todo = "give one of gc.init, an array, or a function of (generator, shape, dtype)"
        raise GraphError(f"its initialiser {initialiser!r} fails: {error}; {todo}").located(
            handle.label, handle.place
        ) from error


def initial_value(graph: Graph, handle: Handle) -> Array:
    """The first value of parameter or state ``handle``: a new, writable, contiguous array.

    Without an ``init``, floating parameters of rank 2 and more are drawn by ``KaimingUniform``; all else is
    zero. Raises ``ShapeError`` when an initialiser gives another shape.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> initial_value(g, g.param("b", (3,)))
    array([0., 0., 0.], dtype=float32)
    """
    shape, dtype = tuple(int(d) for d in handle.shape if isinstance(d, int)), handle.dtype.numpy
    init = graph.initial.get(handle.id)
    chosen: Any = _default(handle) if init is None else init
    if not callable(chosen):
        return np.array(np.broadcast_to(np.asarray(chosen), shape), dtype, order="C")
    drawn = _drawn(chosen, graph, handle, shape)
    if drawn.shape != shape:
        raise ShapeError(
            f"its initialiser gives shape {drawn.shape}, not {shape}; return the shape it is called with"
        ).located(handle.label, handle.place)
    return np.array(drawn, dtype, order="C")


def _default(handle: Handle) -> Initialiser:
    weight = handle.node.op == "param" and handle.ndim >= 2 and handle.dtype.is_float
    return KaimingUniform() if weight else Zeros()


__all__ = [
    "Constant", "Identity", "Initialiser", "KaimingNormal", "KaimingUniform", "Normal", "Ones", "Orthogonal",
    "TruncatedNormal", "Uniform", "XavierNormal", "XavierUniform", "Zeros", "fans", "generator_for", "initial_value",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = unknown("gc.init", __all__)
