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


# ------------------------------------------------------------------- the rules, against loops written by hand


def momentum_loop(p, gradients, rate, keep=0.9, nesterov=False):
    velocity = np.zeros_like(p)
    for g in gradients:
        velocity = keep * velocity + g
        p = p - rate * (g + keep * velocity if nesterov else velocity)
    return p


def adam_loop(p, gradients, rate, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, start=1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g
        p = p - rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t) + eps_root) + eps)
    return p


RULES = {
    "momentum": (lambda: gc.optim.Momentum(0.01), lambda p, gs: momentum_loop(p, gs, 0.01)),
    "no momentum": (lambda: gc.optim.Momentum(0.1, 0.0), lambda p, gs: momentum_loop(p, gs, 0.1, 0.0)),
    "nesterov": (
        lambda: gc.optim.Nesterov(0.01, 0.95),
        lambda p, gs: momentum_loop(p, gs, 0.01, 0.95, nesterov=True),
    ),
    "adam": (lambda: gc.optim.Adam(), lambda p, gs: adam_loop(p, gs, 1e-3)),
    "adam of the course": (
        lambda: gc.optim.Adam(0.05, eps=0.0, eps_root=1e-8),
        lambda p, gs: adam_loop(p, gs, 0.05, eps=0.0, eps_root=1e-8),
    ),
    "adam without averages": (
        lambda: gc.optim.Adam(0.01, beta1=0.0, beta2=0.0),
        lambda p, gs: adam_loop(p, gs, 0.01, 0.0, 0.0),
    ),
}
STEPS = 100
GRADIENTS = np.random.default_rng(2).normal(size=(STEPS, 5)) * [1.0, 1e-3, 1e3, 1.0, 0.0]
STARTS = np.array([1.0, -2.0, 3.0, 0.0, 0.5])


def follow(optimiser, dtype):
    """The parameter after steps along ``GRADIENTS``, which are the slopes of a linear loss."""
    g = gc.Graph()
    slope, p = g.input("slope", (5,), dtype), g.param("p", (5,), dtype, init=STARTS)
    step = gc.compile(updates=optimiser(gc.grad(gc.sum(slope * p))))
    for row in GRADIENTS.astype(dtype):
        step(slope=row)
    return step


@pytest.mark.parametrize("rule", RULES)
def test_a_hundred_steps_are_those_of_the_loop(rule):
    make, loop = RULES[rule]
    expected = loop(STARTS, GRADIENTS)
    np.testing.assert_allclose(follow(make(), "float64").params["p"], expected, rtol=1e-12, atol=1e-15)
    single = follow(make(), "float32").params["p"]
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=2e-5, atol=2e-5)


def test_the_first_step_of_adam_is_the_learning_rate_whatever_the_gradient():
    """The corrections undo the start at 0, to the last digits also in float32, where 1 - 0.999^t keeps few."""
    g = gc.Graph()
    p = g.param("p", (3,), init=np.zeros(3))
    step = gc.compile(updates=gc.optim.Adam(1.0, eps=0.0)({p: g.const([1e-6, -3.0, 1e6])}))
    for t in (1, 2, 3):
        step()
        np.testing.assert_allclose(step.params["p"], [-t, t, -t], rtol=5e-7)
    assert step.states["adam.step"] == 3


def test_named_states_for_each_parameter_and_optimiser():
    g = gc.Graph()
    with g.scope("layer"):
        a, b = g.param("a", (2,)), g.param("b", (3,), "float64")
    grads = {a: a, b: b}
    adam = gc.optim.Adam()
    updates = adam(grads)
    moments = ["layer.a.m", "layer.a.v", "layer.b.m", "layer.b.v"]
    shared = [f"adam.{name}" for name in ("learning_rate", "beta1", "beta2", "eps", "eps_root", "step")]
    assert [s.name for s in g.leaves("state")] == shared + moments
    assert {u.name for u in updates} == {"layer.a", "layer.b", "adam.step", *moments}
    assert {u: v.id for u, v in adam(grads).items()} == {u: v.id for u, v in updates.items()}
    gc.optim.Adam()({a: a})
    assert [s.name for s in g.leaves("state")][-8:] == [
        *(name.replace("adam", "adam_1") for name in shared),
        "layer.a.m_1",
        "layer.a.v_1",
    ]
    assert [str(g[name].type) for name in ("adam.beta1", "adam.step", "layer.a.m", "layer.b.v")] == [
        "f64[]",
        "i64[]",
        "f32[2]",
        "f64[3]",
    ]


def test_hyperparameters_change_between_calls():
    g = gc.Graph()
    p = g.param("p", (), "float64", init=1.0)
    step = gc.compile(updates=gc.optim.Momentum(0.1)({p: g.input("g", (), "float64")}))
    step(g=1.0)
    step.states.update({"momentum.learning_rate": 0.5, "momentum.momentum": 0.0})
    step(g=2.0)
    assert float(step.params["p"]) == pytest.approx(1 - 0.1 - 0.5 * 2)


def test_adam_updates_a_parameter_in_one_kernel_in_place_behind_its_gradient():
    g = gc.Graph()
    x, t = g.input("x", ("N", 6)), g.input("t", ("N", 4))
    loss = gc.losses.mse(gc.nn.Dense(4, use_bias=False, name="d")(x), t)
    program = gc.compile(updates=gc.optim.Adam()(gc.grad(loss)))
    plan = program.stages["schedule"]
    leaves = {v.number: v for v in plan.program.values if v.kind in ("param", "state") and v.size == 24}
    written = {plan.storage_of[leaf] for leaf in leaves}
    kernels = [
        {plan.storage_of.get(n.number) for n in kernel.nests} & written
        for kernel in plan.kernels
        if any(n.product is not None and n.value.size == 24 for n in kernel.nests)
    ]
    assert kernels == [written]
    assert len(written) == 3
