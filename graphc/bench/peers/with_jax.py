# pyright: basic, reportMissingImports=false
"""JAX: the whole step under ``jit``, parameters donated, so that updates are written in place."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

VERSION = jax.__version__


def supports(variant: str, family: str) -> bool:
    return family in LOSSES or family in OTHER


def build(
    variant: str, family: str, spec: dict[str, Any], params: dict[str, Any], inputs: dict[str, Any]
) -> Any:
    if spec.get("dtype") == "float64":
        jax.config.update("jax_enable_x64", True)
    p, x = ({k: jnp.asarray(v) for k, v in each.items()} for each in (params, inputs))
    if family in OTHER:
        return OTHER[family](spec, p, x)
    return training(LOSSES[family], spec, p, x)


def training(loss_of, spec, p, x):
    @partial(jax.jit, donate_argnums=0)
    def update(p, x):
        loss, grads = jax.value_and_grad(partial(loss_of, spec))(p, x)
        return jax.tree.map(lambda value, grad: value - spec["rate"] * grad, p, grads), loss

    def step():
        nonlocal p
        p, loss = update(p, x)
        jax.block_until_ready((p, loss))
        return (loss,)

    return step


def cross_entropy(logits, t):
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), t[:, None], axis=1)
    return -chosen.mean()


def perceptrons(spec, p, x):
    value, count = x["x"], len(spec["sizes"]) - 1
    active = {"relu": jax.nn.relu, "tanh": jnp.tanh}[spec["activation"]]
    for k in range(1, count + 1):
        value = value @ p[f"layer{k}.weight"] + p[f"layer{k}.bias"]
        value = active(value) if k < count else value
    return cross_entropy(value, x["t"])


def neuron(spec, p, x):
    u = jax.nn.sigmoid(p["w"] * x["x"] + p["b"])
    return (x["y"] - u) ** 2 / 2 + spec["decay"] * p["w"] ** 2


def conv(value, weight, padding):
    return jax.lax.conv_general_dilated(
        value, weight, (1, 1), [(padding, padding)] * 2, dimension_numbers=("NHWC", "OIHW", "NHWC")
    )


def max_pool(value):
    return jax.lax.reduce_window(value, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def lenet(spec, p, x):
    value = jnp.transpose(x["x"], (0, 2, 3, 1))
    value = max_pool(jax.nn.relu(conv(value, p["conv1.weight"], 2) + p["conv1.bias"]))
    value = max_pool(jax.nn.relu(conv(value, p["conv2.weight"], 0) + p["conv2.bias"]))
    value = jnp.transpose(value, (0, 3, 1, 2)).reshape(value.shape[0], -1)
    for k in (1, 2, 3):
        value = value @ p[f"dense{k}.weight"] + p[f"dense{k}.bias"]
        value = jax.nn.relu(value) if k < 3 else value
    return cross_entropy(value, x["t"])


def normed(p, name, value):
    mean, var = value.mean(axis=(0, 1, 2)), value.var(axis=(0, 1, 2))
    return (value - mean) * jax.lax.rsqrt(var + 1e-5) * p[f"{name}.scale"] + p[f"{name}.shift"]


def residual(spec, p, x):
    value = jnp.transpose(x["x"], (0, 2, 3, 1))
    for k in range(spec["blocks"]):
        inner = jax.nn.relu(normed(p, f"norm{k}a", conv(value, p[f"conv{k}a"], 1)))
        inner = normed(p, f"norm{k}b", conv(inner, p[f"conv{k}b"], 1))
        value = jax.nn.relu(value + inner)
    return cross_entropy(value.mean(axis=(1, 2)) @ p["out.weight"] + p["out.bias"], x["t"])


def recurrent(spec, p, x):
    drive = x["x"] @ p["wx"] + p["b"]
    zero = jnp.zeros((spec["batch"], spec["hidden"]), drive.dtype)

    def lstm(carry, z):
        h, c = carry
        i, f, g, o = jnp.split(z + (h @ p["wh"] + p["bh"]), 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(h, z):
        (zr, zz, zn), (ur, uz, un) = jnp.split(z, 3, axis=1), jnp.split(h @ p["wh"] + p["bh"], 3, axis=1)
        keep = jax.nn.sigmoid(zz + uz)
        h = (1 - keep) * jnp.tanh(zn + jax.nn.sigmoid(zr + ur) * un) + keep * h
        return h, h

    _, outs = (
        jax.lax.scan(lstm, (zero, zero), drive) if spec["cell"] == "lstm" else jax.lax.scan(gru, zero, drive)
    )
    return ((outs - x["y"]) ** 2).mean()


def attention(spec, p, x):
    def dense(name, value):
        return value @ p[f"{name}.weight"] + p[f"{name}.bias"]

    def normed(name, value):
        mean, var = value.mean(axis=-1, keepdims=True), value.var(axis=-1, keepdims=True)
        return (value - mean) * jax.lax.rsqrt(var + 1e-5) * p[f"{name}.scale"] + p[f"{name}.shift"]

    value, (batch, length, width), heads = x["x"], x["x"].shape, spec["heads"]
    inner = dense("qkv", normed("norm1", value)).reshape(batch, length, 3, heads, width // heads)
    q, k, v = (inner[:, :, j] for j in range(3))
    mixed = jax.nn.dot_product_attention(q, k, v).reshape(batch, length, width)
    value = value + dense("mix", mixed)
    value = value + dense("down", jax.nn.gelu(dense("up", normed("norm2", value)), approximate=False))
    return ((value - x["y"]) ** 2).mean()


LOSSES = {
    "Perceptrons": perceptrons, "Neuron": neuron, "LeNet": lenet, "Residual": residual, "Recurrent": recurrent,
    "Attention": attention,
}  # fmt: skip


def chain(spec, p, x):
    def value_of(x):
        return jnp.tanh(x) * jnp.exp(-x * x) + jax.nn.sigmoid(x) * jnp.log1p(x * x)

    @jax.jit
    def both(x):
        y, back = jax.vjp(value_of, x)
        return y, back(jnp.ones_like(y))[0]

    return lambda: jax.block_until_ready(both(x["x"]))


def layer_norm(spec, p, x):
    def value_of(x, scale, shift):
        mean, var = x.mean(axis=-1, keepdims=True), x.var(axis=-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(var + 1e-5) * scale + shift

    @jax.jit
    def both(x, scale, shift, g):
        y, back = jax.vjp(value_of, x, scale, shift)
        return (y, *back(g))

    return lambda: jax.block_until_ready(both(x["x"], p["scale"], p["shift"], x["g"]))


def adam(spec, p, x):
    @partial(jax.jit, donate_argnums=0)
    def update(state, g):
        p, m, v, number = state
        number = number + 1
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        root = jnp.sqrt(v / (1 - 0.999**number)) + 1e-8
        return p - spec["rate"] / (1 - 0.9**number) * m / root, m, v, number

    state = (p["p"], jnp.zeros_like(p["p"]), jnp.zeros_like(p["p"]), jnp.zeros((), p["p"].dtype))

    def step():
        nonlocal state
        state = jax.block_until_ready(update(state, x["g"]))
        return (state[0],)

    return step


OTHER = {"Chain": chain, "LayerNorm": layer_norm, "Adam": adam}
