"""What a family of workloads is: it declares one step in graphc, and gives the arrays from which all systems start.

A family is a frozen dataclass of sizes. ``arrays()`` gives parameters and inputs by name, drawn from a fixed seed, so
that all systems compute the same numbers; ``declare(params, inputs)`` declares the step as a graph, and what it returns
compiles it. The peers build the same from the same names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

import graphc as gc

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]
Step = Callable[[], tuple[Any, ...]]
Compile = Callable[[], gc.Program]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(ABC):
    """Sizes of one workload; every field is plain data, which travels to peers as JSON."""

    dtype: str = "float32"
    rate: float = 0.01

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Self:
        """The family of ``spec``, where JSON has made lists of tuples."""
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in spec.items()})  # pyright: ignore

    @abstractmethod
    def arrays(self) -> tuple[Arrays, Arrays]:
        """Parameters and inputs by name."""

    @abstractmethod
    def declare(self, params: Arrays, inputs: Arrays) -> Compile:
        """Declare graph and derivatives; calling the result compiles them."""

    def step(self, program: gc.Program, inputs: Arrays) -> Step:
        """One call of the compiled program on arrays that it is bound to, for its results."""
        bound = program.bind(**inputs)
        return lambda: tuple(bound().values())


class Draws:
    """Arrays of one dtype from one seed."""

    def __init__(self, dtype: str) -> None:
        self.dtype, self.generator = np.dtype(dtype), np.random.default_rng(0)

    def normal(self, *shape: int, scale: float = 1.0) -> Array:
        return np.asarray(self.generator.normal(size=shape) * scale, self.dtype)

    def weight(self, *shape: int, gain: float = 1.0) -> Array:
        """He's scale: all but the last axis are fan-in."""
        return self.normal(*shape, scale=(gain / float(np.prod(shape[:-1]))) ** 0.5)

    def kernel(self, *shape: int) -> Array:
        """A convolution's weights, (out, in, height, width)."""
        return self.normal(*shape, scale=(2.0 / float(np.prod(shape[1:]))) ** 0.5)

    def classes(self, count: int, rows: int) -> Array:
        return self.generator.integers(0, count, rows).astype(np.int32)

    def zeros(self, *shape: int) -> Array:
        return np.zeros(shape, self.dtype)

    def ones(self, *shape: int) -> Array:
        return np.ones(shape, self.dtype)


Handles = dict[str, gc.Handle]


def declared(name: str, params: Arrays, inputs: Arrays, *, batch: int | None = 0) -> tuple[Handles, Handles]:
    """A parameter and an input of a new graph for each array; axis ``batch`` of the inputs has the symbolic size N."""
    graph = gc.Graph(name)
    p = {k: graph.param(k, v.shape, v.dtype.name, init=v) for k, v in params.items()}
    x = {k: graph.input(k, _with_symbol(v.shape, batch), v.dtype.name) for k, v in inputs.items()}
    return p, x


def _with_symbol(shape: tuple[int, ...], batch: int | None) -> tuple[int | str, ...]:
    return tuple("N" if axis == batch else size for axis, size in enumerate(shape))


def training(loss: gc.Handle, rate: float) -> Compile:
    """A step of gradient descent on ``loss``, which is its result."""
    updates = gc.optim.SGD(rate)(gc.grad(loss))
    return lambda: gc.compile({"loss": loss}, updates=updates)
