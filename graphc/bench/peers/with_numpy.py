# pyright: basic
"""Written by hand in NumPy: forward, backward and update of what is short enough to be written so."""

from __future__ import annotations

from typing import Any

import numpy as np

VERSION = np.__version__


def supports(variant: str, family: str) -> bool:
    return family in FAMILIES


def build(
    variant: str, family: str, spec: dict[str, Any], params: dict[str, Any], inputs: dict[str, Any]
) -> Any:
    return FAMILIES[family](spec, params, inputs)


def perceptrons(spec, params, inputs):
    x, t = inputs["x"], inputs["t"]
    rows, count, rate = np.arange(len(x)), len(spec["sizes"]) - 1, x.dtype.type(spec["rate"])
    relu = spec["activation"] == "relu"

    def step():
        kept = [x]
        for k in range(1, count + 1):
            value = kept[-1] @ params[f"layer{k}.weight"]
            value += params[f"layer{k}.bias"]
            if k < count:
                np.maximum(value, 0, out=value) if relu else np.tanh(value, out=value)
            kept.append(value)
        delta = kept.pop()
        delta -= delta.max(axis=1, keepdims=True)
        chosen = delta[rows, t]
        np.exp(delta, out=delta)
        total = delta.sum(axis=1, keepdims=True)
        losses = np.log(total[:, 0]) - chosen
        delta /= total
        delta[rows, t] -= 1
        delta /= len(x)
        for k in range(count, 0, -1):
            value, weight = kept.pop(), params[f"layer{k}.weight"]
            below = delta @ weight.T if k > 1 else delta
            weight -= rate * (value.T @ delta)
            params[f"layer{k}.bias"] -= rate * delta.sum(axis=0)
            if k > 1:
                below *= (value > 0) if relu else 1 - value * value
            delta = below
        return (losses.mean(),)

    return step


def neuron(spec, params, inputs):
    x, y, w, b = (each[()] for each in (inputs["x"], inputs["y"], params["w"], params["b"]))
    one, half, rate, decay = (x.dtype.type(each) for each in (1, 0.5, spec["rate"], spec["decay"]))

    def step():
        nonlocal w, b
        u = one / (one + np.exp(-(w * x + b)))
        error = u - y
        loss = half * error * error + decay * w * w
        slope = error * u * (one - u)
        w, b = w - rate * (slope * x + (decay + decay) * w), b - rate * slope
        return (loss,)

    return step


def chain(spec, params, inputs):
    x = inputs["x"]

    def step():
        a, e, s = np.tanh(x), np.exp(-x * x), 1 / (1 + np.exp(-x))
        g = np.log1p(x * x)
        value = a * e + s * g
        slope = (1 - a * a) * e - 2 * x * a * e + s * (1 - s) * g + s * (2 * x / (1 + x * x))
        return value, slope

    return step


def layer_norm(spec, params, inputs):
    x, g, scale, shift = inputs["x"], inputs["g"], params["scale"], params["shift"]

    def step():
        centred = x - x.mean(axis=1, keepdims=True)
        inverse = 1 / np.sqrt((centred * centred).mean(axis=1, keepdims=True) + x.dtype.type(1e-5))
        centred *= inverse
        y = centred * scale + shift
        d = g * scale
        dx = (
            d - d.mean(axis=1, keepdims=True) - centred * (d * centred).mean(axis=1, keepdims=True)
        ) * inverse
        return y, dx, (g * centred).sum(axis=0), g.sum(axis=0)

    return step


def adam(spec, params, inputs):
    p, g = params["p"], inputs["g"]
    m, v, work = np.zeros_like(p), np.zeros_like(p), np.empty_like(p)
    rate, one, two, number = spec["rate"], 0.9, 0.999, 0
    real = p.dtype.type

    def step():
        nonlocal number
        number += 1
        np.multiply(m, real(one), out=m)
        np.multiply(g, real(1 - one), out=work)
        np.add(m, work, out=m)
        np.multiply(g, g, out=work)
        np.multiply(work, real(1 - two), out=work)
        np.multiply(v, real(two), out=v)
        np.add(v, work, out=v)
        np.divide(v, real(1 - two**number), out=work)
        np.sqrt(work, out=work)
        np.add(work, real(1e-8), out=work)
        np.divide(m, work, out=work)
        np.multiply(work, real(rate / (1 - one**number)), out=work)
        np.subtract(p, work, out=p)
        return (p,)

    return step


FAMILIES = {
    "Perceptrons": perceptrons,
    "Neuron": neuron,
    "Chain": chain,
    "LayerNorm": layer_norm,
    "Adam": adam,
}
