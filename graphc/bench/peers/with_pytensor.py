# pyright: basic, reportMissingImports=false
"""PyTensor with its Numba back end: parameters are shared variables, updated in place by the function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

VERSION = pytensor.__version__


def supports(variant: str, family: str) -> bool:
    return family in LOSSES or family in OTHER


def build(
    variant: str, family: str, spec: dict[str, Any], params: dict[str, Any], inputs: dict[str, Any]
) -> Any:
    pytensor.config.floatX = spec.get("dtype", "float32")
    p = {name: pytensor.shared(value, name) for name, value in params.items()}
    x = {
        name: pytensor.shared(value, name, shape=value.shape) for name, value in inputs.items()
    }  # no arguments to check at a call; sizes are told: it may specialise on them
    outputs, updates = {**LOSSES, **OTHER}[family](spec, p, x)
    function = pytensor.function([], outputs, updates=updates, mode="NUMBA")
    if family == "Adam":

        def step():
            function()
            return (p["p"].get_value(borrow=True),)

        return step
    return lambda: tuple(function())


def training(spec, p, loss):
    grads = pytensor.grad(loss, list(p.values()))
    rate = np.asarray(spec["rate"], spec["dtype"])
    return [loss], [(value, value - rate * grad) for value, grad in zip(p.values(), grads, strict=True)]


def perceptrons(spec, p, x):
    value, count = x["x"], len(spec["sizes"]) - 1
    active = {"relu": lambda z: pt.maximum(z, 0), "tanh": pt.tanh}[spec["activation"]]
    for k in range(1, count + 1):
        value = value @ p[f"layer{k}.weight"] + p[f"layer{k}.bias"]
        value = active(value) if k < count else value
    logs = pt.special.log_softmax(value, axis=1)
    return training(spec, p, -logs[pt.arange(spec["batch"]), x["t"]].mean())


def neuron(spec, p, x):
    u = pt.sigmoid(p["w"] * x["x"] + p["b"])
    return training(spec, p, (x["y"] - u) ** 2 / 2 + np.asarray(spec["decay"], spec["dtype"]) * p["w"] ** 2)


def attention(spec, p, x):
    def dense(name, value):
        return value @ p[f"{name}.weight"] + p[f"{name}.bias"]

    value, heads = x["x"], spec["heads"]
    batch, length, width = spec["batch"], spec["length"], spec["width"]
    inner = dense("qkv", normed(value, p["norm1.scale"], p["norm1.shift"], spec["dtype"]))
    inner = inner.reshape((batch, length, 3, heads, width // heads)).transpose((2, 0, 3, 1, 4))
    scale = np.asarray((width // heads) ** -0.5, spec["dtype"])
    weights = pt.special.softmax(inner[0] @ inner[1].transpose((0, 1, 3, 2)) * scale, axis=-1)
    mixed = (weights @ inner[2]).transpose((0, 2, 1, 3)).reshape((batch, length, width))
    value = value + dense("mix", mixed)
    up = dense("up", normed(value, p["norm2.scale"], p["norm2.shift"], spec["dtype"]))
    half, root = np.asarray(0.5, spec["dtype"]), np.asarray(0.5**0.5, spec["dtype"])
    value = value + dense("down", half * up * (1 + pt.erf(up * root)))
    return training(spec, p, ((value - x["y"]) ** 2).mean())


def normed(x, scale, shift, dtype):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred * centred).mean(axis=-1, keepdims=True)
    return centred / pt.sqrt(variance + np.asarray(1e-5, dtype)) * scale + shift


def chain(spec, p, x):
    given = x["x"]
    y = pt.tanh(given) * pt.exp(-given * given) + pt.sigmoid(given) * pt.log1p(given * given)
    return [y, pytensor.grad(y.sum(), given)], []


def layer_norm(spec, p, x):
    y = normed(x["x"], p["scale"], p["shift"], spec["dtype"])
    return [y, *pytensor.grad((y * x["g"]).sum(), [x["x"], p["scale"], p["shift"]])], []


def adam(spec, p, x):
    real = np.dtype(spec["dtype"]).type
    value, g, zero = p["p"], x["g"], np.zeros_like(p["p"].get_value())
    m, v, number = pytensor.shared(zero), pytensor.shared(zero.copy()), pytensor.shared(real(0))
    count = number + real(1)
    new_m = real(0.9) * m + real(0.1) * g
    new_v = real(0.999) * v + real(0.001) * g * g
    root = pt.sqrt(new_v / (1 - real(0.999) ** count)) + real(1e-8)
    new_p = value - real(spec["rate"]) / (1 - real(0.9) ** count) * new_m / root
    return [], [(value, new_p), (m, new_m), (v, new_v), (number, count)]


LOSSES = {"Perceptrons": perceptrons, "Neuron": neuron, "Attention": attention}
OTHER = {"Chain": chain, "LayerNorm": layer_norm, "Adam": adam}
