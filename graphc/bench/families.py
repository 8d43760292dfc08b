"""Families of workloads: each declares one step in graphc, and the arrays from which every system starts.

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
        """One call of the compiled program, for its results."""
        return lambda: tuple(program(**inputs).values())


class _Draws:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Perceptrons(Family):
    """Dense layers of ``sizes`` with an activation between them, softmax cross-entropy, gradient descent."""

    sizes: tuple[int, ...]
    batch: int
    activation: str = "relu"

    def arrays(self) -> tuple[Arrays, Arrays]:
        draw, params = _Draws(self.dtype), Arrays()
        for k, (fan_in, fan_out) in enumerate(zip(self.sizes, self.sizes[1:], strict=False), 1):
            gain = 2.0 if self.activation == "relu" else 1.0
            params[f"layer{k}.weight"] = draw.weight(fan_in, fan_out, gain=gain)
            params[f"layer{k}.bias"] = draw.zeros(fan_out)
        x = draw.normal(self.batch, self.sizes[0])
        return params, {"x": x, "t": draw.classes(self.sizes[-1], self.batch)}

    def declare(self, params: Arrays, inputs: Arrays) -> Compile:
        p, x = declared("perceptrons", params, inputs)
        value, count = x["x"], len(self.sizes) - 1
        for k in range(1, count + 1):
            value = value @ p[f"layer{k}.weight"] + p[f"layer{k}.bias"]
            value = getattr(gc, self.activation)(value) if k < count else value
        return training(gc.losses.softmax_cross_entropy(value, x["t"]), self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neuron(Family):
    """One neuron on one number: (y - sigmoid(w x + b))^2 / 2 + decay w^2."""

    decay: float = 0.01

    def arrays(self) -> tuple[Arrays, Arrays]:
        draw = _Draws(self.dtype)
        return {"w": draw.normal(), "b": draw.normal()}, {"x": draw.normal(), "y": draw.normal()}

    def declare(self, params: Arrays, inputs: Arrays) -> Compile:
        p, x = declared("neuron", params, inputs)
        u = gc.sigmoid(p["w"] * x["x"] + p["b"])
        return training((x["y"] - u) ** 2 / 2 + self.decay * p["w"] ** 2, self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain(Family):
    """tanh(x) exp(-x^2) + sigmoid(x) log(1 + x^2) over ``size`` elements: every value and every slope."""

    size: int

    def arrays(self) -> tuple[Arrays, Arrays]:
        return {}, {"x": _Draws(self.dtype).normal(self.size)}

    def declare(self, params: Arrays, inputs: Arrays) -> Compile:
        _, inner = declared("chain", params, inputs)
        x = inner["x"]
        y = gc.tanh(x) * gc.exp(-x * x) + gc.sigmoid(x) * gc.log1p(x * x)
        outputs = {"y": y, "slope": gc.grad(gc.sum(y), wrt=x)}
        return lambda: gc.compile(outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNorm(Family):
    """Layer norm of ``rows`` by ``columns``: the value, and the gradients of operand, scale and shift."""

    rows: int
    columns: int

    def arrays(self) -> tuple[Arrays, Arrays]:
        draw, shape = _Draws(self.dtype), (self.rows, self.columns)
        params = {
            "scale": 1 + draw.normal(self.columns, scale=0.1),
            "shift": draw.normal(self.columns, scale=0.1),
        }
        return params, {"x": draw.normal(*shape), "g": draw.normal(*shape)}

    def declare(self, params: Arrays, inputs: Arrays) -> Compile:
        p, x = declared("layer norm", params, inputs)
        y = gc.layer_norm(x["x"], p["scale"], p["shift"])
        grads = gc.vjp(y, x["g"], wrt=[x["x"], p["scale"], p["shift"]])
        outputs = {"y": y, **dict(zip(("dx", "dscale", "dshift"), grads.values(), strict=True))}
        return lambda: gc.compile(outputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adam(Family):
    """Adam's update of ``size`` parameters by a given gradient."""

    size: int
    rate: float = 0.001

    def arrays(self) -> tuple[Arrays, Arrays]:
        draw = _Draws(self.dtype)
        return {"p": draw.normal(self.size)}, {"g": draw.normal(self.size)}

    def declare(self, params: Arrays, inputs: Arrays) -> Compile:
        p, x = declared("adam", params, inputs, batch=None)
        optimiser: Any = vars(gc.optim)["Adam"](self.rate)
        updates = optimiser({p["p"]: x["g"]})
        return lambda: gc.compile(updates=updates)

    def step(self, program: gc.Program, inputs: Arrays) -> Step:
        def step() -> tuple[Any, ...]:
            program(**inputs)
            return (program.params["p"],)

        return step


FAMILIES: Mapping[str, type[Family]] = {
    family.__name__: family for family in (Perceptrons, Neuron, Chain, LayerNorm, Adam)
}
