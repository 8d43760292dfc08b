"""Layers and losses."""

import math

import numpy as np
import pytest
import sympy

import graphc as gc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 4))
W = RNG.normal(size=(4, 3))
B = RNG.normal(size=3)


def dense(activation=None, shape=("N", 4), **options):
    g = gc.Graph()
    x = g.input("x", shape, "float64")
    layer = gc.nn.Dense(3, activation, init=W, bias_init=B, name="d", **options)
    return g, layer(x)


ACTIVATIONS = {
    None: lambda z: z,
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "step": lambda z: (z > 0).astype(float),
    "swish": lambda z: z / (1 + np.exp(-z)),
    "gelu": lambda z: z * np.vectorize(math.erfc)(-z / np.sqrt(2)) / 2,
    "gelu_tanh": lambda z: z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))) / 2,
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(-1, keepdims=True),
    "log_softmax": lambda z: z - np.log(np.exp(z).sum(-1, keepdims=True)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_dense_computes_activation_of_x_weight_plus_bias(name):
    _, y = dense(name)
    np.testing.assert_allclose(gc.interpret(y, x=X), ACTIVATIONS[name](X @ W + B), rtol=1e-12)


def test_dense_with_a_callable_and_a_user_defined_activation():
    _, y = dense(lambda z: z * z)
    np.testing.assert_allclose(gc.interpret(y, x=X), (X @ W + B) ** 2, rtol=1e-12)
    gc.elementwise("test_nn_swish", lambda z: z / (1 + sympy.exp(-z)))
    _, y = dense("test_nn_swish")
    z = X @ W + B
    np.testing.assert_allclose(gc.interpret(y, x=X), z / (1 + np.exp(-z)), rtol=1e-12)


def test_dense_over_other_ranks_and_without_bias():
    _, y = dense(shape=(4,))
    np.testing.assert_allclose(gc.interpret(y, x=X[0]), X[0] @ W + B)
    _, y = dense(shape=(2, "N", 4))
    batch = np.stack([X, -X])
    np.testing.assert_allclose(gc.interpret(y, x=batch), batch @ W + B)
    g, y = dense(use_bias=False)
    assert [p.name for p in g.params] == ["d.weight"]
    np.testing.assert_allclose(gc.interpret(y, x=X), X @ W)


def test_parameters_take_the_inputs_dtype_and_the_layers_name():
    g = gc.Graph()
    for dtype in ("float32", "float64", "int32"):
        gc.nn.Dense(2, name=dtype)(g.input(f"x_{dtype}", ("N", 3), dtype))
    assert {p.name: str(p.type) for p in g.params} == {
        "float32.weight": "f32[3,2]",
        "float32.bias": "f32[2]",
        "float64.weight": "f64[3,2]",
        "float64.bias": "f64[2]",
        "int32.weight": "f32[3,2]",
        "int32.bias": "f32[2]",
    }
    layers = {o.layer for p in g.params for o in g.origins(p.id)}
    assert layers == {"float32", "float64", "int32"}


def test_nameless_layers_get_free_names_in_their_scope():
    g = gc.Graph()
    x = g.input("x", ("N", 4))
    gc.nn.Dense(4)(gc.nn.Dense(4)(x))
    with g.scope("block"):
        gc.nn.Dense(4)(gc.nn.Dense(4, name="dense_1")(x))
    gc.nn.Sequential(gc.nn.Dense(4), gc.nn.Dense(4), name="mlp")(x)
    assert [p.name for p in g.params][::2] == [
        "dense.weight",
        "dense_1.weight",
        "block.dense_1.weight",
        "block.dense.weight",
        "mlp.dense.weight",
        "mlp.dense_1.weight",
    ]


def test_one_layer_called_twice_shares_its_parameters_and_its_gradients_add():
    g = gc.Graph()
    layer = gc.nn.Dense(4, init=np.eye(4))
    x = g.input("x", ("N", 4), "float64")
    loss = gc.sum(layer(layer(x)))
    assert [p.name for p in g.params] == ["dense.weight", "dense.bias"]
    bias = gc.interpret(gc.grad(loss, g["dense.bias"]), x=X)
    np.testing.assert_allclose(bias, np.full(4, 10.0))


def test_one_layer_in_two_graphs_has_parameters_in_each():
    layer = gc.nn.Dense(2)
    for _ in range(2):
        g = gc.Graph()
        layer(g.input("x", (3,)))
        assert [p.name for p in g.params] == ["dense.weight", "dense.bias"]


def test_sequential_applies_layers_and_names_of_activations():
    g = gc.Graph()
    x = g.input("x", ("N", 4), "float64")
    net = gc.nn.Sequential(gc.nn.Dense(3, init=W, bias_init=B), "tanh", gc.exp, lambda z: z + 1)
    np.testing.assert_allclose(gc.interpret(net(x), x=X), np.exp(np.tanh(X @ W + B)) + 1, rtol=1e-12)
    assert gc.nn.Sequential()(x) is x


# --------------------------------------------------------------------------------------------------- losses

LOGITS = RNG.normal(size=(5, 3))
INDICES = np.array([0, 2, 1, 1, 0])
PROBABILITIES = np.abs(RNG.normal(size=(5, 3)))
REDUCE = {"mean": np.mean, "sum": np.sum, "none": lambda v: v}


def log_softmax(x):
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


@pytest.mark.parametrize("reduction", REDUCE)
def test_softmax_cross_entropy_and_its_gradient(reduction):
    g = gc.Graph()
    x = g.input("x", ("N", 3), "float64")
    p = g.input("p", ("N", 3), "float64")
    t = g.input("t", ("N",), "int32")
    losses = [
        gc.losses.softmax_cross_entropy(x, target, reduction=reduction)
        for target in (t, p, np.eye(3)[INDICES])
    ]
    grads = [gc.grad(gc.sum(loss), x) for loss in losses]
    values = gc.interpret([*losses, *grads], x=LOGITS, p=PROBABILITIES, t=INDICES)
    targets = [np.eye(3)[INDICES], PROBABILITIES, np.eye(3)[INDICES]]
    scale = 1 / 5 if reduction == "mean" else 1
    for target, value, gradient in zip(targets, values[:3], values[3:], strict=True):
        np.testing.assert_allclose(
            value, REDUCE[reduction](-(target * log_softmax(LOGITS)).sum(-1)), rtol=1e-12
        )
        slope = target.sum(-1, keepdims=True) * np.exp(log_softmax(LOGITS)) - target
        np.testing.assert_allclose(gradient, scale * slope, rtol=1e-10, atol=1e-14)


def test_softmax_cross_entropy_is_finite_far_out():
    g = gc.Graph()
    x = g.input("x", ("N", 2))
    loss = gc.losses.softmax_cross_entropy(x, np.array([1, 0]))
    value, slope = gc.interpret(
        [loss, gc.grad(loss, x)], x=np.array([[1000, -1000], [1000, -1000]], "float32")
    )
    assert float(value) == 1000
    np.testing.assert_array_equal(slope, [[0.5, -0.5], [0, 0]])


def test_softmax_cross_entropy_of_other_ranks():
    g = gc.Graph()
    one = gc.losses.softmax_cross_entropy(g.input("a", (3,), "float64"), g.input("i", (), "int64"))
    many = gc.losses.softmax_cross_entropy(
        g.input("b", (2, "N", 3), "float64"), g.input("j", (2, "N"), "int64")
    )
    batch, labels = np.stack([LOGITS, -LOGITS]), np.stack([INDICES, INDICES])
    found = gc.interpret([one, many], a=LOGITS[0], i=2, b=batch, j=labels)
    expected = np.take_along_axis(log_softmax(batch), labels[..., None], -1).mean()
    np.testing.assert_allclose(found, [-log_softmax(LOGITS[0])[2], -expected], rtol=1e-12)


@pytest.mark.parametrize("reduction", REDUCE)
@pytest.mark.parametrize("half", [False, True])
def test_mse(reduction, half):
    g = gc.Graph()
    p = g.input("p", ("N", 3), "float64")
    t = g.input("t", ("N", 3), "float64")
    loss = gc.losses.mse(p, t, reduction=reduction, half=half)
    expected = REDUCE[reduction]((LOGITS - PROBABILITIES) ** 2) / (2 if half else 1)
    np.testing.assert_allclose(gc.interpret(loss, p=LOGITS, t=PROBABILITIES), expected, rtol=1e-12)


def test_different_symbols_are_compared_at_the_call():
    g = gc.Graph()
    loss = gc.losses.mse(g.input("p", ("N",)), g.input("t", ("M",)))
    assert float(gc.interpret(loss, p=[1.0, 2.0], t=[1.0, 0.0])) == 2
    with pytest.raises(gc.errors.InputError):
        gc.interpret(loss, p=[1.0, 2.0, 3.0], t=[1.0, 0.0])
