"""Initialisers: how parameters and states get their first values, the same for any order of declaration."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from graphc.errors import GraphError, ShapeError

if TYPE_CHECKING:
    from graphc.graph import Graph, Handle

Array = np.ndarray[Any, Any]
Initialiser = Callable[[np.random.Generator, tuple[int, ...], "np.dtype[Any]"], Array]
Fan = Literal["in", "out", "mean"]


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
class _Scaled:
    """A draw of variance ``gain**2 * v / n``, where n is the chosen fan and v the family's variance."""

    gain: float = 1.0
    fan: Fan = "in"

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
    "Constant", "Initialiser", "KaimingNormal", "KaimingUniform", "Normal", "Ones", "Uniform", "XavierNormal",
    "XavierUniform", "Zeros", "fans", "generator_for", "initial_value",
]  # fmt: skip
