# pyright: basic, reportMissingImports=false
"""PyTorch: eager, eager with images channels-last, and ``torch.compile`` of the whole step.

The compiled step holds forward, backward and update in one graph behind a C++ wrapper, the fastest of the forms that
were tried.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812

VERSION = torch.__version__


def supports(variant: str, family: str) -> bool:
    if variant == "channels-last":
        return family in ("LeNet", "Residual")
    return family in LOSSES or family in OTHER


def build(
    variant: str, family: str, spec: dict[str, Any], params: dict[str, Any], inputs: dict[str, Any]
) -> Any:
    p = {name: torch.from_numpy(value).clone() for name, value in params.items()}
    x = {name: torch.from_numpy(value) for name, value in inputs.items()}
    if "t" in x and not x["t"].is_floating_point():
        x["t"] = x["t"].long()
    if variant == "channels-last":
        p, x = ({k: _channels_last(v) for k, v in each.items()} for each in (p, x))
    if family in OTHER:
        return OTHER[family](spec, p, x, variant == "compile")
    return training(LOSSES[family], spec, p, x, variant == "compile")


def _channels_last(value):
    return value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value


def compiled(function):
    import torch._inductor.config

    torch._inductor.config.cpp_wrapper = True
    return torch.compile(function, fullgraph=True)


def training(loss_of, spec, p, x, fused):
    names, rate = list(p), spec["rate"]

    if fused:

        def whole(p, x):
            grads, loss = torch.func.grad_and_value(lambda q: loss_of(spec, q, x))(p)
            torch._foreach_add_([p[name] for name in names], [grads[name] for name in names], alpha=-rate)
            return loss

        step = compiled(whole)
        return lambda: (step(p, x),)
    values = [value.requires_grad_() for value in p.values()]

    def eager():
        loss = loss_of(spec, p, x)
        grads = torch.autograd.grad(loss, values)
        with torch.no_grad():
            torch._foreach_add_(values, grads, alpha=-rate)
        return (loss.detach(),)

    return eager


def perceptrons(spec, p, x):
    value, count = x["x"], len(spec["sizes"]) - 1
    for k in range(1, count + 1):
        value = torch.addmm(p[f"layer{k}.bias"], value, p[f"layer{k}.weight"])
        if k < count:
            value = getattr(torch, spec["activation"])(value)
    return F.cross_entropy(value, x["t"])


def neuron(spec, p, x):
    u = torch.sigmoid(p["w"] * x["x"] + p["b"])
    return (x["y"] - u) ** 2 / 2 + spec["decay"] * p["w"] ** 2


def lenet(spec, p, x):
    value = F.max_pool2d(torch.relu(F.conv2d(x["x"], p["conv1.weight"], p["conv1.bias"], padding=2)), 2)
    value = F.max_pool2d(torch.relu(F.conv2d(value, p["conv2.weight"], p["conv2.bias"])), 2)
    value = value.reshape(value.shape[0], -1)
    for k in (1, 2, 3):
        value = torch.addmm(p[f"dense{k}.bias"], value, p[f"dense{k}.weight"])
        value = torch.relu(value) if k < 3 else value
    return F.cross_entropy(value, x["t"])


def _normed(p, name, value):
    return F.batch_norm(value, None, None, p[f"{name}.scale"], p[f"{name}.shift"], training=True)


def residual(spec, p, x):
    value = x["x"]
    for k in range(spec["blocks"]):
        inner = torch.relu(_normed(p, f"norm{k}a", F.conv2d(value, p[f"conv{k}a"], padding=1)))
        inner = _normed(p, f"norm{k}b", F.conv2d(inner, p[f"conv{k}b"], padding=1))
        value = torch.relu(value + inner)
    value = value.mean(dim=(2, 3))
    return F.cross_entropy(torch.addmm(p["out.bias"], value, p["out.weight"]), x["t"])


def recurrent_eager(spec, p, x):
    """torch.nn's own loop: weights transposed, the two biases as one."""
    weights = [p["wx"].T, p["wh"].T, p["b"], p["bh"]]
    zero = x["x"].new_zeros(1, spec["batch"], spec["hidden"])
    if spec["cell"] == "lstm":
        out = torch.lstm(x["x"], (zero, zero), weights, True, 1, 0.0, True, False, False)[0]
    else:
        out = torch.gru(x["x"], zero, weights, True, 1, 0.0, True, False, False)[0]
    return ((out - x["y"]) ** 2).mean()


def recurrent(spec, p, x):
    """The loop written out: what ``torch.compile`` can take whole, and ``torch.func`` can differentiate."""
    drive = x["x"] @ p["wx"] + p["b"]
    h = c = drive.new_zeros(spec["batch"], spec["hidden"])
    outs = []
    for z in drive:
        u = h @ p["wh"] + p["bh"]
        if spec["cell"] == "lstm":
            i, f, g, o = (z + u).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
        else:
            (zr, zz, zn), (ur, uz, un) = z.chunk(3, 1), u.chunk(3, 1)
            keep = torch.sigmoid(zz + uz)
            new = torch.tanh(zn + torch.sigmoid(zr + ur) * un)
            h = (1 - keep) * new + keep * h
        outs.append(h)
    return ((torch.stack(outs) - x["y"]) ** 2).mean()


def attention(spec, p, x):
    def dense(name, value):
        return value @ p[f"{name}.weight"] + p[f"{name}.bias"]

    def normed(name, value):
        return F.layer_norm(value, value.shape[-1:], p[f"{name}.scale"], p[f"{name}.shift"])

    value, (batch, length, width), heads = x["x"], x["x"].shape, spec["heads"]
    inner = dense("qkv", normed("norm1", value)).reshape(batch, length, 3, heads, width // heads)
    q, k, v = inner.permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width)
    value = value + dense("mix", mixed)
    value = value + dense("down", F.gelu(dense("up", normed("norm2", value))))
    return ((value - x["y"]) ** 2).mean()


LOSSES = {
    "Perceptrons": perceptrons, "Neuron": neuron, "LeNet": lenet, "Residual": residual, "Attention": attention,
}  # fmt: skip


def loop(spec, p, x, fused):
    if not fused:
        p = {name: value.T.contiguous().T if name in ("wx", "wh") else value for name, value in p.items()}
    return training(recurrent if fused else recurrent_eager, spec, p, x, fused)


def chain(spec, p, x, fused):
    def value_of(x):
        return torch.tanh(x) * torch.exp(-x * x) + torch.sigmoid(x) * torch.log1p(x * x)

    if fused:

        def both(x):
            y, back = torch.func.vjp(value_of, x)
            return y, back(torch.ones_like(y))[0]

        step = compiled(both)
        return lambda: step(x["x"])
    given = x["x"].requires_grad_()

    def eager():
        y = value_of(given)
        return y.detach(), torch.autograd.grad(y, given, torch.ones_like(y))[0]

    return eager


def layer_norm(spec, p, x, fused):
    def value_of(x, scale, shift):
        return F.layer_norm(x, x.shape[-1:], scale, shift)

    if fused:

        def both(x, scale, shift, g):
            y, back = torch.func.vjp(value_of, x, scale, shift)
            return (y, *back(g))

        step = compiled(both)
        return lambda: step(x["x"], p["scale"], p["shift"], x["g"])
    given = [each.requires_grad_() for each in (x["x"], p["scale"], p["shift"])]

    def eager():
        y = value_of(*given)
        return (y.detach(), *torch.autograd.grad(y, given, x["g"]))

    return eager


def adam(spec, p, x, fused):
    value, g = p["p"].requires_grad_(), x["g"]
    value.grad = g
    if not fused:
        optimiser = torch.optim.Adam([value], lr=spec["rate"], fused=True)

        def eager():
            optimiser.step()
            return (value.detach(),)

        return eager
    p, m, v = value.detach(), torch.zeros_like(value), torch.zeros_like(value)
    number = torch.zeros((), dtype=value.dtype)

    def update(p, m, v, number, g):
        number.add_(1)
        m.mul_(0.9).add_(0.1 * g)
        v.mul_(0.999).add_(0.001 * g * g)
        root = torch.sqrt(v / (1 - 0.999**number)) + 1e-8
        p.sub_(spec["rate"] / (1 - 0.9**number) * m / root)

    step = compiled(update)

    def run():
        step(p, m, v, number, g)
        return (p,)

    return run


OTHER = {"Recurrent": loop, "Chain": chain, "LayerNorm": layer_norm, "Adam": adam}
