"""Normalisation and activations with parameters, against NumPy and, where it is installed, torch."""

import math

import numpy as np
import pytest
from program_cases import hold

import graphc as gc

RNG = np.random.default_rng(7)
X = RNG.normal(2.0, 3.0, size=(5, 6, 4, 3))
SCALE, SHIFT = RNG.normal(size=6), RNG.normal(size=6)


def standardised(x, axes, eps=1e-5):
    centred = x - x.mean(axes, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axes, keepdims=True) + eps)


def by_channel(v):
    return v.reshape(6, 1, 1)


def rms(x):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)


LAST, MIDDLE = RNG.normal(size=3), RNG.normal(size=(6, 3))
# name -> (of nodes x, scale, shift; of arrays; shape of scale and shift)
NORMS = {
    "layer": (gc.layer_norm, lambda x, s, t: standardised(x, -1) * s + t, (3,)),
    "layer over two axes": (
        lambda x, s, t: gc.layer_norm(x, s, t, axis=(-1, 1)),
        lambda x, s, t: standardised(x, (1, 3)) * s[:, None] + t[:, None],
        (6, 3),
    ),
    "rms": (lambda x, s, t: gc.rms_norm(x, s) + t, lambda x, s, t: rms(x) * s + t, (3,)),
    "batch": (
        gc.batch_norm,
        lambda x, s, t: standardised(x, (0, 2, 3)) * by_channel(s) + by_channel(t),
        (6,),
    ),
    "batch by the last axis": (
        lambda x, s, t: gc.batch_norm(x, s, t, axis=-1),
        lambda x, s, t: standardised(x, (0, 1, 2)) * s + t,
        (3,),
    ),
    "instance": (
        gc.instance_norm,
        lambda x, s, t: standardised(x, (2, 3)) * by_channel(s) + by_channel(t),
        (6,),
    ),
    "group": (
        lambda x, s, t: gc.group_norm(x, 2, s, t),
        lambda x, s, t: (
            standardised(x.reshape(5, 2, 3, 4, 3), (2, 3, 4)).reshape(x.shape) * by_channel(s) + by_channel(t)
        ),
        (6,),
    ),
}


def declared(name, dtype):
    of_nodes, of_arrays, shape = NORMS[name]
    g = gc.Graph()
    x = g.input("x", ("N", *X.shape[1:]), dtype)
    s, t = g.input("s", shape, dtype), g.input("t", shape, dtype)
    rng = np.random.default_rng(3)
    data = {"x": X, "s": rng.normal(size=shape), "t": rng.normal(size=shape)}
    return of_nodes(x, s, t), of_arrays, {k: v.astype(dtype) for k, v in data.items()}


@pytest.mark.parametrize("name", NORMS)
def test_norms_are_what_numpy_computes_and_their_gradients_are_right(name):
    y, of_arrays, data = declared(name, "float64")
    np.testing.assert_allclose(gc.interpret(y, **data), of_arrays(*data.values()), rtol=1e-12, atol=1e-13)
    assert gc.check_gradients(gc.sum(gc.sin(y)), **data).ok


@pytest.mark.parametrize("name", NORMS)
def test_norms_compile_forward_and_backward(name):
    y, _, data = declared(name, "float32")
    g = y.graph
    hold(gc.compile(outputs := {"y": y, **gradients(y, g)}), outputs, data)


def gradients(y, g):
    found = gc.grad(gc.sum(gc.sin(y)), [g["x"], g["s"], g["t"]])
    return {f"d{node.name}": value for node, value in found.items()}


def test_a_large_mean_does_not_cancel():
    """Two passes: the mean of the squares less the square of the mean would have no digit left."""
    g = gc.Graph()
    x = g.input("x", ("N", 4))
    program = gc.compile({"y": gc.layer_norm(x, eps=0.0), "v": gc.moments(x, axis=1)[1]})
    out = program(x=np.float32([[4096, 4097, 4098, 4099]]))
    np.testing.assert_allclose(out["y"], np.array([[-1.5, -0.5, 0.5, 1.5]]) / np.sqrt(1.25), rtol=1e-6)
    assert out["v"] == [1.25]


def test_layer_norm_is_one_kernel_and_with_its_gradients_one_pass_over_the_rows():
    g = gc.Graph()
    x, dy = g.input("x", ("N", 512)), g.input("dy", ("N", 512))
    s, t = g.param("s", (512,)), g.param("t", (512,))
    y = gc.layer_norm(x, s, t)
    assert len(gc.compile({"y": y}).stages["schedule"].kernels) == 1
    found = gc.vjp(y, dy, [x, s, t])
    program = gc.compile({"y": y, **{node.name: value for node, value in found.items()}})
    kernels = program.stages["schedule"].kernels
    assert sum(str(k.group.rows) == str(y.shape[:1]) for k in kernels) == 1


def test_batch_norm_with_running_averages_and_with_the_moments_of_the_batch():
    g = gc.Graph()
    x = g.input("x", ("N", 3), "float64")
    mean, variance = gc.moments(x, axis=0)
    rows = RNG.normal(size=(4, 3))
    given = gc.batch_norm(x, mean=np.ones(3), variance=[4.0, 4.0, 4.0], eps=0.0)
    np.testing.assert_allclose(gc.interpret(given, x=rows), (rows - 1) / 2)
    same = gc.batch_norm(x, mean=mean, variance=variance)
    gradient = gc.grad(gc.sum(gc.exp(same)), x)
    batch = gc.batch_norm(x)
    values = gc.interpret([same, batch, gradient, gc.grad(gc.sum(gc.exp(batch)), x)], x=rows)
    np.testing.assert_allclose(values[0], values[1], rtol=1e-14)
    np.testing.assert_allclose(values[2], values[3], rtol=1e-10, atol=1e-12)
    program = gc.compile({"y": same, "mean": mean, "variance": variance})
    alone = gc.compile({"y": batch})
    nests = [len(p.stages["schedule"].program.values) for p in (program, alone)]
    assert nests[0] - nests[1] <= 1, "statistics are computed once"


def test_norms_against_torch():
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    theirs = {
        "layer": lambda x, s, t: functional.layer_norm(x, (3,), s, t),
        "batch": lambda x, s, t: functional.batch_norm(x, None, None, s, t, training=True),
        "instance": lambda x, s, t: functional.instance_norm(x, weight=s, bias=t),
        "group": lambda x, s, t: functional.group_norm(x, 2, s, t),
    }
    for name, function in theirs.items():
        y, _, data = declared(name, "float64")
        tensors = [torch.tensor(v, requires_grad=True) for v in data.values()]
        expected = function(*tensors)
        torch.sin(expected).sum().backward()
        found = gc.interpret({"y": y, **gradients(y, y.graph)}, **data)
        np.testing.assert_allclose(found["y"], expected.detach(), rtol=1e-9, atol=1e-11)
        for tensor, key in zip(tensors, ("dx", "ds", "dt"), strict=True):
            np.testing.assert_allclose(found[key], tensor.grad, rtol=1e-7, atol=1e-9)


# ---------------------------------------------------------------------------------------------- activations

Z = np.linspace(-6, 6, 49)
NORMAL = np.array([math.erfc(-z / math.sqrt(2)) / 2 for z in Z])
ACTIVATIONS = {
    "gelu": (gc.gelu, Z * NORMAL),
    "gelu by tanh": (
        lambda x: gc.gelu(x, approximate="tanh"),
        Z * (1 + np.tanh(np.sqrt(2 / np.pi) * (Z + 0.044715 * Z**3))) / 2,
    ),
    "elu": (gc.elu, np.where(Z > 0, Z, np.expm1(Z))),
    "elu with alpha": (lambda x: gc.elu(x, 0.5), np.where(Z > 0, Z, 0.5 * np.expm1(Z))),
    "leaky relu": (lambda x: gc.leaky_relu(x, 0.2), np.where(Z > 0, Z, 0.2 * Z)),
    "step": (gc.step, (Z > 0).astype(float)),
    "maxout": (lambda x: gc.maxout(x, 7), Z.reshape(7, 7).max(-1)),
    "silu": (gc.silu, Z / (1 + np.exp(-Z))),
    "softplus": (gc.softplus, np.log1p(np.exp(Z))),
    "hard tanh": (gc.hard_tanh, np.clip(Z, -1, 1)),
}


def test_activations_and_their_slopes():
    g = gc.Graph()
    x = g.input("x", (49,), "float64")
    outputs = {name: function(x) for name, (function, _) in ACTIVATIONS.items()}
    found = gc.interpret(outputs, x=Z)
    for name, (_, expected) in ACTIVATIONS.items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-12, atol=1e-15, err_msg=name)
    smooth = ("gelu", "gelu by tanh", "silu", "softplus", "elu with alpha", "maxout")
    total = sum(gc.sum(gc.sin(outputs[name])) for name in smooth)
    assert gc.check_gradients(total, x=Z + 0.01).ok
    single = g.input("z", (49,))
    half = {name: function(single) for name, (function, _) in ACTIVATIONS.items()}
    hold(gc.compile(half), half, {"z": Z.astype("float32")})


def test_elu_with_alpha_far_out():
    g = gc.Graph()
    x = g.input("x", (2,))
    y = gc.elu(x, 2.0)
    program = gc.compile({"y": y, "slope": gc.grad(gc.sum(y), x)})
    out = program(x=[1000.0, -1000.0])
    assert (out["y"].tolist(), out["slope"].tolist()) == ([1000.0, -2.0], [1.0, 0.0])


def test_maxout_along_another_axis():
    g = gc.Graph()
    y = gc.maxout(g.input("x", ("N", 4, 3)), pieces=2, axis=1)
    assert str(y.type) == "f32[N,2,3]"
