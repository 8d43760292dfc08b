"""Every layer beside its PyTorch counterpart: values, and gradients by the input and by all parameters.

All cases of a dtype share one compiled program.
"""

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

import graphc as gc

torch = pytest.importorskip("torch")
nn = torch.nn

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


@dataclass(frozen=True)
class Case:
    """A layer, its counterpart, the shape of the input, and what the counterpart calls the layer's parameters."""

    layer: Any
    peer: Any
    shape: tuple
    names: tuple = (("weight", "weight"), ("bias", "bias"))
    transposed: bool = False  # the peer keeps its weight as (out, in)
    below: int = 0  # the input holds indices below this


AFFINE = (("scale", "weight"), ("shift", "bias"))


def conv(shape, out, kernel, *, groups=1, count=2, transposed=False, **options):
    ours = {1: (gc.nn.Conv1d, gc.nn.ConvTranspose1d), 2: (gc.nn.Conv2d, gc.nn.ConvTranspose2d)}
    theirs = {1: (nn.Conv1d, nn.ConvTranspose1d), 2: (nn.Conv2d, nn.ConvTranspose2d)}
    layer = ours[count][transposed](out, kernel, groups=groups, **options, bias_init=gc.init.Normal(std=1.0))
    peer = theirs[count][transposed](shape[1], out, kernel, groups=groups, **options)
    return Case(layer, peer, shape)


CASES = {
    "dense": Case(gc.nn.Dense(5), nn.Linear(7, 5), (4, 7), transposed=True),
    "dense of rank 3": Case(gc.nn.Dense(5), nn.Linear(7, 5), (2, 3, 7), transposed=True),
    "conv1d": conv((2, 3, 11), 4, 3, count=1),
    "conv1d strided": conv((2, 4, 12), 6, 4, count=1, stride=2, padding=3, groups=2),
    "conv1d dilated": conv((2, 3, 15), 4, 3, count=1, dilation=3, padding=2),
    "conv2d": conv((3, 3, 8, 9), 4, 3),
    "conv2d strided": conv((2, 3, 9, 10), 4, 3, stride=2, padding=1),
    "conv2d uneven": conv((2, 3, 9, 10), 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
    "conv2d same": conv((2, 3, 7, 6), 5, 5, padding="same"),
    "conv2d same, dilated": conv((2, 3, 9, 8), 5, (3, 5), padding="same", dilation=(3, 1)),
    "conv2d valid": conv((2, 3, 7, 6), 5, 5, padding="valid"),
    "conv2d grouped": conv((2, 6, 7, 6), 4, 3, groups=2, padding=1),
    "conv2d depthwise": conv((2, 4, 7, 6), 8, 3, groups=4, padding=1),
    "conv2d pointwise": conv((2, 4, 5, 6), 8, 1, stride=2),
    "conv_transpose1d": conv((2, 4, 5), 3, 4, count=1, transposed=True, stride=2, padding=1),
    "conv_transpose2d": conv((2, 4, 5, 6), 3, 3, transposed=True),
    "conv_transpose2d strided": conv(
        (2, 4, 4, 5), 3, 3, transposed=True, stride=2, padding=1, output_padding=1
    ),
    "conv_transpose2d uneven": conv(
        (2, 4, 4, 5), 6, (2, 3), transposed=True, stride=(3, 2), padding=(0, 1), output_padding=(2, 0),
        dilation=(1, 2), groups=2,
    ),
    "max_pool1d": Case(gc.nn.MaxPool1d(3, 2, padding=1), nn.MaxPool1d(3, 2, padding=1), (2, 3, 11)),
    "max_pool2d": Case(gc.nn.MaxPool2d(2), nn.MaxPool2d(2), (2, 3, 8, 7)),
    "max_pool2d overlapping": Case(gc.nn.MaxPool2d((3, 2), (1, 2)), nn.MaxPool2d((3, 2), (1, 2)), (2, 3, 8, 7)),
    "avg_pool1d": Case(gc.nn.AvgPool1d(3, 2, padding=1), nn.AvgPool1d(3, 2, padding=1), (2, 3, 11)),
    "avg_pool2d": Case(gc.nn.AvgPool2d(2), nn.AvgPool2d(2), (2, 3, 8, 7)),
    "avg_pool2d without padding": Case(
        gc.nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
        nn.AvgPool2d(3, 2, padding=1, count_include_pad=False),
        (2, 3, 8, 7),
    ),
    "global_avg_pool": Case(
        gc.nn.GlobalAvgPool(), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), (2, 3, 8, 7)
    ),
    "flatten": Case(gc.nn.Flatten(), nn.Flatten(), (2, 3, 4, 5)),
    "batch_norm": Case(gc.nn.BatchNorm(), nn.BatchNorm1d(5), (7, 5), AFFINE),
    "batch_norm of rank 3": Case(gc.nn.BatchNorm(), nn.BatchNorm1d(5), (4, 5, 6), AFFINE),
    "batch_norm of rank 4": Case(
        gc.nn.BatchNorm(momentum=0.3, eps=1e-3), nn.BatchNorm2d(5, momentum=0.3, eps=1e-3), (3, 5, 4, 6), AFFINE
    ),
    "batch_norm, plain": Case(gc.nn.BatchNorm(affine=False), nn.BatchNorm2d(5, affine=False), (3, 5, 4, 6)),
    "layer_norm": Case(gc.nn.LayerNorm(), nn.LayerNorm(6), (4, 3, 6), AFFINE),
    "layer_norm over two": Case(gc.nn.LayerNorm((-2, -1), eps=1e-3), nn.LayerNorm((3, 6), eps=1e-3), (4, 3, 6), AFFINE),
    "rms_norm": Case(gc.nn.RMSNorm(), nn.RMSNorm(6, eps=1e-5), (4, 3, 6), AFFINE[:1]),
    "instance_norm": Case(gc.nn.InstanceNorm(), nn.InstanceNorm2d(3, affine=True), (2, 3, 5, 6), AFFINE),
    "group_norm": Case(gc.nn.GroupNorm(3), nn.GroupNorm(3, 6), (2, 6, 5, 4), AFFINE),
    "embedding": Case(gc.nn.Embedding(9, 4), nn.Embedding(9, 4), (3, 5), below=9),
    "embedding with padding": Case(
        gc.nn.Embedding(6, 4, padding_idx=2), nn.Embedding(6, 4, padding_idx=2), (3, 5), below=6
    ),
    "leaky_relu": Case(gc.nn.Activation("leaky_relu", slope=0.2), nn.LeakyReLU(0.2), (3, 5)),
    "elu": Case(gc.nn.Activation("elu", alpha=0.7), nn.ELU(0.7), (3, 5)),
    "gelu_tanh": Case(gc.nn.Activation("gelu", approximate="tanh"), nn.GELU("tanh"), (3, 5)),
    "softmax of channels": Case(gc.nn.Activation("softmax", axis=1), nn.Softmax(1), (3, 5, 2)),
    **{
        name: Case(gc.nn.Activation(name), peer, (4, 6))
        for name, peer in {
            "identity": nn.Identity(), "sigmoid": nn.Sigmoid(), "tanh": nn.Tanh(), "hard_tanh": nn.Hardtanh(),
            "relu": nn.ReLU(), "gelu": nn.GELU(), "silu": nn.SiLU(), "softplus": nn.Softplus(),
            "softmax": nn.Softmax(-1), "log_softmax": nn.LogSoftmax(-1),
        }.items()
    },
}  # fmt: skip


@dataclass(frozen=True)
class Theirs:
    value: Any
    gradients: dict


def input_of(case, rng, dtype):
    if case.below:
        return rng.integers(0, case.below, case.shape).astype("int32")
    return rng.normal(size=case.shape).astype(dtype)


def peer_runs(case, peer, x, weights, params):
    """What the counterpart gives for the parameters of the layer: output, gradients of sum(output * weights)."""
    own = dict(peer.named_parameters())
    names = {theirs: ours for ours, theirs in case.names if theirs in own}
    assert set(own) == set(names)
    with torch.no_grad():
        for theirs, ours in names.items():
            value = torch.tensor(params[ours])
            own[theirs].copy_(value.T if case.transposed and theirs == "weight" else value)
            own[theirs].grad = None
    given = torch.tensor(x, requires_grad=not case.below)
    y = peer(given.long() if case.below else given)
    (y * torch.tensor(weights)).sum().backward()
    found = {} if case.below else {"x": given.grad.numpy()}
    for theirs, ours in names.items():
        gradient = own[theirs].grad.numpy()
        found[ours] = gradient.T if case.transposed and theirs == "weight" else gradient
    return Theirs(y.detach().numpy(), found)


def within(values, name):
    """Those of the layer in scope ``name``, by their last name."""
    return {key.split(".")[-1]: value for key, value in values.items() if key.startswith(f"{name}.")}


def close(actual, expected, tolerance, what):
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * scale, err_msg=what)


def declared(g, dtype, params):
    """Outputs and gradients of every case by name, and the weights of the scalar that is differentiated."""
    outputs, rng = {}, np.random.default_rng(1)
    for k, (name, case) in enumerate(CASES.items()):
        x = g.input(f"x_{name}", (f"N{k}", *case.shape[1:]), "int32" if case.below else dtype)
        layer = replace(case.layer, dtype=dtype) if case.below else case.layer
        with g.scope(name):
            y = layer(x)
        w = g.input(f"w_{name}", y.shape, dtype)
        own = [p for p in g.params if p.name.startswith(f"{name}.")]
        for p in own:
            params[p.name] = rng.normal(size=tuple(p.shape)).astype(dtype)
        if getattr(layer, "padding_idx", None) is not None:  # always 0 here, and so from the start there
            params[own[0].name][layer.padding_idx] = 0
        wrt = own if case.below else [x, *own]
        grads = gc.grad(gc.sum(y * w), wrt) if wrt else {}
        outputs[name] = y
        outputs |= {
            f"{name} d{'x' if at is x else at.name.split('.')[-1]}": gradient
            for at, gradient in grads.items()
        }
    return outputs


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_layers_and_their_gradients_equal_those_of_torch(dtype):
    g, params, rng = gc.Graph(), {}, np.random.default_rng(0)
    outputs = declared(g, dtype, params)
    program = gc.compile(outputs, mode="train", params=params)
    inputs = {}
    for name, case in CASES.items():
        inputs[f"x_{name}"] = input_of(case, rng, dtype)
        y = outputs[name]
        inputs[f"w_{name}"] = rng.normal(size=(case.shape[0], *y.shape[1:])).astype(dtype)
    found = program(**inputs)
    peers = {name: copy.deepcopy(case.peer).to(getattr(torch, dtype)) for name, case in CASES.items()}
    for name, case in CASES.items():
        peer = peers[name]
        theirs = peer_runs(case, peer, inputs[f"x_{name}"], inputs[f"w_{name}"], within(params, name))
        close(found[name], theirs.value, TOLERANCE[dtype], name)
        for ours, gradient in theirs.gradients.items():
            close(found[f"{name} d{ours}"], gradient, TOLERANCE[dtype], f"{name} d{ours}")
        for ours, value in within(program.states, name).items():
            close(value, getattr(peer, ours).numpy(), TOLERANCE[dtype], f"{name} {ours}")
    evaluate = gc.compile({name: outputs[name] for name in CASES}, mode="eval", params=program.params)
    again = evaluate(**{f"x_{name}": inputs[f"x_{name}"] for name in CASES})
    for name, case in CASES.items():
        given = torch.tensor(inputs[f"x_{name}"])
        expected = peers[name].eval()(given.long() if case.below else given).detach().numpy()
        close(again[name], expected, TOLERANCE[dtype], f"{name} in evaluation")


def test_every_layer_with_a_counterpart_has_a_case():
    rooms = {f"graphc.nn.{room}" for room in ("conv", "dense", "embedding", "normalise", "pooling")}
    layers = {name for name in gc.nn.__all__ if getattr(gc.nn, name).__module__ in rooms}
    assert layers <= {type(case.layer).__name__ for case in CASES.values()}
