"""Gradient descent as symbolic updates."""

import math

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError


def quadratic(dtype="float64"):
    g = gc.Graph()
    theta = g.param("theta", (), dtype, init=1.0)
    return g, theta, theta * theta / 2


@pytest.mark.parametrize("rate", [0.5, 1.5, 2.5, 0.0])
def test_sgd_on_half_a_square_follows_the_known_powers(rate):
    """theta_k = (1 - eta)^k theta_0: converging, oscillating, diverging."""
    _, theta, loss = quadratic()
    updates = gc.optim.SGD(rate)(gc.grad(loss))
    assert list(updates) == [theta]
    value = np.array(1.0)
    for _ in range(5):
        value = gc.interpret(updates[theta], theta=value)
    np.testing.assert_allclose(value, (1 - rate) ** 5, rtol=1e-12)


def test_the_learning_rate_is_a_state_in_the_widest_dtype():
    g = gc.Graph()
    a, b = g.param("a", (2,), "float32", init=[1.0, 2.0]), g.param("b", (2,), "float64", init=[1.0, 2.0])
    loss = gc.sum(gc.cast(a, "float64") * b)
    updates = gc.optim.SGD(0.1)(gc.grad(loss))
    rate = g["sgd.learning_rate"]
    assert (rate.node.op, str(rate.type), g.initial[rate.id]) == ("state", "f64[]", 0.1)
    assert {p.name: v.dtype.long for p, v in updates.items()} == {"a": "float32", "b": "float64"}
    found = gc.interpret([updates[a], updates[b]], params={"sgd.learning_rate": 1.0})
    np.testing.assert_allclose(found, [[0.0, 0.0], [0.0, 0.0]])


def test_update_nodes_are_marked_as_such():
    g, theta, loss = quadratic()
    updates = gc.optim.SGD(0.1)(gc.grad(loss))
    assert g.origins(updates[theta].id)[0].role == "update"
    assert g.origins(g["sgd.learning_rate"].id)[0].role == "update"


def test_one_optimiser_has_one_state_and_two_have_two():
    g, theta, loss = quadratic()
    first = gc.optim.SGD(0.1)
    grads = gc.grad(loss)
    assert first(grads)[theta] is first(grads)[theta]
    gc.optim.SGD(0.1)(grads)
    with g.scope("trainer"):
        gc.optim.SGD(0.1)(grads)
    assert [s.name for s in g.leaves("state")] == [
        "sgd.learning_rate",
        "sgd_1.learning_rate",
        "trainer.sgd.learning_rate",
    ]


@pytest.mark.parametrize("rate", [-0.1, math.nan, math.inf, "0.1", None, 1j, True])
def test_learning_rates_that_are_none(rate):
    with pytest.raises(GraphError, match=r"SGD: learning_rate=.*give a finite number of at least 0"):
        gc.optim.SGD(rate)


def test_training_a_line_by_hand_written_steps():
    g = gc.Graph()
    x, y = g.input("x", ("N",), "float64"), g.input("y", ("N",), "float64")
    w, b = g.param("w", (), "float64", init=0.0), g.param("b", (), "float64", init=0.0)
    loss = gc.losses.mse(x * w + b, y, half=True)
    updates = gc.optim.SGD(0.5)(gc.grad(loss))
    values, inputs = {"w": 0.0, "b": 0.0}, np.linspace(-1, 1, 9)
    for _ in range(200):
        found = gc.interpret({"w": updates[w], "b": updates[b]}, params=values, x=inputs, y=3 * inputs - 1)
        values = {name: float(v) for name, v in found.items()}
    assert values == pytest.approx({"w": 3.0, "b": -1.0}, abs=1e-6)


def test_a_compiled_step_takes_a_new_learning_rate_without_another_compilation():
    g = gc.Graph("mlp", seed=1)
    x, t = g.input("x", ("N", 4)), g.input("t", ("N",), "int32")
    hidden = gc.nn.Dense(8, "tanh", name="hidden")(x)
    loss = gc.losses.softmax_cross_entropy(gc.nn.Dense(3, name="out")(hidden), t)
    updates = gc.optim.SGD(0.5)(gc.grad(loss))
    step = gc.compile({"loss": loss}, updates=updates)
    rng = np.random.default_rng(0)
    batch = {"x": rng.normal(size=(16, 4)).astype("float32"), "t": rng.integers(0, 3, 16).astype("int32")}
    before = {name: np.array(value) for name, value in step.params.items()}
    expected = {p.name: gc.interpret(v, params=before, **batch) for p, v in updates.items()}
    losses = [float(step(**batch)["loss"])]
    for name, value in expected.items():
        np.testing.assert_allclose(step.params[name], value, rtol=2e-5, atol=1e-6)
    losses += [float(step(**batch)["loss"]) for _ in range(30)]
    assert losses[-1] < 0.7 * losses[0]
    step.states["sgd.learning_rate"][...] = 0
    assert float(step(**batch)["loss"]) == float(step(**batch)["loss"])
