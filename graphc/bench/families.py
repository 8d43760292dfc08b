"""The families: networks and single operations, in the sizes that workloads choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import graphc as gc
from graphc.bench.family import Arrays, Compile, Draws, Family, Step, declared, training


@dataclass(frozen=True, slots=True, kw_only=True)
class Perceptrons(Family):
    """Dense layers of ``sizes`` with an activation between them, softmax cross-entropy, gradient descent."""

    sizes: tuple[int, ...]
    batch: int
    activation: str = "relu"

    def arrays(self) -> tuple[Arrays, Arrays]:
        draw, params = Draws(self.dtype), Arrays()
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
        draw = Draws(self.dtype)
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
        return {}, {"x": Draws(self.dtype).normal(self.size)}

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
        draw, shape = Draws(self.dtype), (self.rows, self.columns)
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
        draw = Draws(self.dtype)
        return {"p": draw.normal(self.size)}, {"g": draw.normal(self.size)}

    def declare(self, params: Arrays, inputs: Arrays) -> Compile:
        p, x = declared("adam", params, inputs, batch=None)
        updates = gc.optim.Adam(self.rate)({p["p"]: x["g"]})
        return lambda: gc.compile(updates=updates)

    def step(self, program: gc.Program, inputs: Arrays) -> Step:
        bound = program.bind(**inputs)

        def step() -> tuple[Any, ...]:
            bound()
            return (program.params["p"],)

        return step


@dataclass(frozen=True, slots=True, kw_only=True)
class LeNet(Family):
    """Two convolutions with pools and three dense layers, on images of 28 by 28."""

    batch: int

    def arrays(self) -> tuple[Arrays, Arrays]:
        draw = Draws(self.dtype)
        params = {"conv1.weight": draw.kernel(6, 1, 5, 5), "conv1.bias": draw.zeros(6)}
        params |= {"conv2.weight": draw.kernel(16, 6, 5, 5), "conv2.bias": draw.zeros(16)}
        for k, (fan_in, fan_out) in enumerate(((400, 120), (120, 84), (84, 10)), 1):
            params[f"dense{k}.weight"] = draw.weight(fan_in, fan_out, gain=2.0)
            params[f"dense{k}.bias"] = draw.zeros(fan_out)
        return params, {"x": draw.normal(self.batch, 1, 28, 28), "t": draw.classes(10, self.batch)}

    def declare(self, params: Arrays, inputs: Arrays) -> Compile:
        p, x = declared("lenet", params, inputs)
        value = gc.relu(gc.conv2d(x["x"], p["conv1.weight"], p["conv1.bias"], padding=2))
        value = gc.relu(gc.conv2d(gc.max_pool2d(value, 2), p["conv2.weight"], p["conv2.bias"]))
        value = gc.reshape(gc.max_pool2d(value, 2), (-1, 400))
        for k in (1, 2, 3):
            value = value @ p[f"dense{k}.weight"] + p[f"dense{k}.bias"]
            value = gc.relu(value) if k < 3 else value
        return training(gc.losses.softmax_cross_entropy(value, x["t"]), self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual(Family):
    """Blocks of two 3x3 convolutions with batch norm around a shortcut, a mean over the image, a dense layer."""

    blocks: int
    channels: int
    side: int
    batch: int

    def arrays(self) -> tuple[Arrays, Arrays]:
        draw, params = Draws(self.dtype), Arrays()
        for name in (f"{k}{half}" for k in range(self.blocks) for half in "ab"):
            params[f"conv{name}"] = draw.kernel(self.channels, self.channels, 3, 3)
            params[f"norm{name}.scale"] = draw.ones(self.channels)
            params[f"norm{name}.shift"] = draw.zeros(self.channels)
        params |= {"out.weight": draw.weight(self.channels, 10), "out.bias": draw.zeros(10)}
        x = draw.normal(self.batch, self.channels, self.side, self.side)
        return params, {"x": x, "t": draw.classes(10, self.batch)}

    def declare(self, params: Arrays, inputs: Arrays) -> Compile:
        p, x = declared("residual", params, inputs)

        def half(value: gc.Handle, name: str) -> gc.Handle:
            value = gc.conv2d(value, p[f"conv{name}"], padding=1)
            return gc.batch_norm(value, p[f"norm{name}.scale"], p[f"norm{name}.shift"])

        value = x["x"]
        for k in range(self.blocks):
            value = gc.relu(value + half(gc.relu(half(value, f"{k}a")), f"{k}b"))
        logits = gc.mean(value, axis=(2, 3)) @ p["out.weight"] + p["out.bias"]
        return training(gc.losses.softmax_cross_entropy(logits, x["t"]), self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurrent(Family):
    """An LSTM or a GRU over ``length`` steps, in PyTorch's form; squared error of every output."""

    cell: str
    length: int
    width: int
    hidden: int
    batch: int

    def arrays(self) -> tuple[Arrays, Arrays]:
        draw, gates = Draws(self.dtype), (4 if self.cell == "lstm" else 3) * self.hidden
        params = {"wx": draw.weight(self.width, gates), "wh": draw.weight(self.hidden, gates)}
        params |= {"b": draw.zeros(gates), "bh": draw.zeros(gates)}
        x = draw.normal(self.length, self.batch, self.width)
        return params, {"x": x, "y": draw.normal(self.length, self.batch, self.hidden)}

    def declare(self, params: Arrays, inputs: Arrays) -> Compile:
        p, x = declared(self.cell, params, inputs, batch=1)
        zero = gc.zeros_like(x["y"][0])

        def lstm(carry: Any, x_t: gc.Handle) -> Any:
            h, c = carry
            i, f, g, o = gc.split(x_t @ p["wx"] + p["b"] + (h @ p["wh"] + p["bh"]), 4, axis=1)
            c = gc.sigmoid(f) * c + gc.sigmoid(i) * gc.tanh(g)
            h = gc.sigmoid(o) * gc.tanh(c)
            return (h, c), h

        def gru(h: gc.Handle, x_t: gc.Handle) -> Any:
            xr, xz, xn = gc.split(x_t @ p["wx"] + p["b"], 3, axis=1)
            hr, hz, hn = gc.split(h @ p["wh"] + p["bh"], 3, axis=1)
            keep = gc.sigmoid(xz + hz)
            h = (1 - keep) * gc.tanh(xn + gc.sigmoid(xr + hr) * hn) + keep * h
            return h, h

        _, out = gc.scan(lstm, (zero, zero), x["x"]) if self.cell == "lstm" else gc.scan(gru, zero, x["x"])
        return training(gc.losses.mse(out, x["y"]), self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention(Family):
    """A transformer's block: layer norm, attention in ``heads``, shortcut; layer norm, GELU between dense layers."""

    batch: int
    length: int
    width: int
    heads: int

    def arrays(self) -> tuple[Arrays, Arrays]:
        draw, width, params = Draws(self.dtype), self.width, Arrays()
        for name in ("norm1", "norm2"):
            params |= {f"{name}.scale": draw.ones(width), f"{name}.shift": draw.zeros(width)}
        sizes = {"qkv": (width, 3 * width), "mix": (width, width), "up": (width, 4 * width)}
        for name, (fan_in, fan_out) in (sizes | {"down": (4 * width, width)}).items():
            params |= {f"{name}.weight": draw.weight(fan_in, fan_out), f"{name}.bias": draw.zeros(fan_out)}
        shape = (self.batch, self.length, width)
        return params, {"x": draw.normal(*shape), "y": draw.normal(*shape)}

    def declare(self, params: Arrays, inputs: Arrays) -> Compile:
        p, x = declared("attention", params, inputs)
        value, heads, each = x["x"], self.heads, self.width // self.heads

        def dense(name: str, value: gc.Handle) -> gc.Handle:
            return value @ p[f"{name}.weight"] + p[f"{name}.bias"]

        def normed(name: str, value: gc.Handle) -> gc.Handle:
            return gc.layer_norm(value, p[f"{name}.scale"], p[f"{name}.shift"])

        inner = gc.reshape(dense("qkv", normed("norm1", value)), ("N", self.length, 3, heads, each))
        q, k, v = (gc.transpose(inner[:, :, j], (0, 2, 1, 3)) for j in range(3))
        mixed = gc.transpose(gc.attention(q, k, v), (0, 2, 1, 3))
        value = value + dense("mix", gc.reshape(mixed, ("N", self.length, self.width)))
        value = value + dense("down", gc.gelu(dense("up", normed("norm2", value))))
        return training(gc.losses.mse(value, x["y"]), self.rate)


FAMILIES: Mapping[str, type[Family]] = {
    family.__name__: family
    for family in (Perceptrons, Neuron, Chain, LayerNorm, Adam, LeNet, Residual, Recurrent, Attention)
}
