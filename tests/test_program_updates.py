"""Updates and states: every output and right-hand side reads the values from before the call."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from program_cases import agree

import graphc as gc
from graphc.graph import Graph, Handle

START = {"p": [1.0, 2.0, 3.0], "q": [4.0, 5.0, 6.0], "r": [7.0, 8.0, 9.0]}


def begin() -> tuple[Graph, Handle, Handle, Handle]:
    g = Graph("updates")
    p, q, r = (g.param(name, (3,), init=value) for name, value in START.items())
    return g, p, q, r


def step(
    outputs: dict[str, Handle], updates: dict[Handle, Handle], calls: int = 2, **inputs: Any
) -> gc.Program:
    """Compile, call several times, and hold every call to the interpreter."""
    program = gc.compile(outputs, updates=updates)
    everything = {**outputs, **{f"next {t.name}": value for t, value in updates.items()}}
    for _ in range(calls):
        before = {name: value.copy() for name, value in (*program.params.items(), *program.states.items())}
        due = gc.interpret(everything, params=before, mode="train", **inputs)
        found = program(**inputs)
        for name in outputs:
            agree(found[name], due[name], name)
        for target in updates:
            held = program.params if target.node.op == "param" else program.states
            agree(held[target.name], due[f"next {target.name}"], target.name)
    return program


def test_two_parameters_swap():
    _, p, q, _ = begin()
    program = step({}, {p: q, q: p}, calls=1)
    assert program.params["p"].tolist() == START["q"]
    assert program.params["q"].tolist() == START["p"]


def test_three_parameters_rotate_and_are_shown():
    _, p, q, r = begin()
    step({"p": p, "sum": p + q + r}, {p: q, q: r, r: p}, calls=3)


def test_swap_of_computed_values():
    _, p, q, _ = begin()
    step({}, {p: gc.tanh(q), q: gc.tanh(p) * 2})


def test_an_update_reads_a_parameter_that_is_updated_too():
    _, p, q, r = begin()
    step({"p": p}, {p: p - 0.1 * q, q: p * 2, r: p + q + r})


def test_an_update_made_before_others_read_the_old_value():
    _, p, q, r = begin()
    inner = gc.tanh(p)
    step({}, {p: p - inner, q: inner + p, r: (p - inner) * p})


def test_an_update_equal_to_another_parameter_or_to_nothing_new():
    _, p, q, r = begin()
    step({}, {p: q, q: q * 1, r: q})


def test_two_parameters_get_one_value():
    _, p, q, _ = begin()
    step({"v": p * q}, {p: p * q, q: p * q})


def test_outputs_of_a_parameter_and_of_its_new_value():
    _, p, q, _ = begin()
    new = p * 2 + q
    program = step({"before": p, "after": new, "both": p + new}, {p: new})
    found = program()
    assert not np.shares_memory(found["before"], program.params["p"])
    assert not np.shares_memory(found["after"], program.params["p"])


@pytest.mark.parametrize(
    "make",
    [
        lambda p: gc.flip(p, 0),
        lambda p: p[::-1] + p,
        lambda p: gc.concatenate([p[1:], p[:1]]),
        lambda p: p - gc.sum(p),
        lambda p: gc.softmax(p, axis=0),
        lambda p: gc.einsum("a,a->a", p, p) + gc.max(p),
        lambda p: gc.take(p, np.array([2, 0, 1])),
        lambda p: gc.broadcast_to(gc.mean(p), (3,)),
        lambda p: gc.where(gc.flip(p, 0) > 2, p, -p),
    ],
)
def test_updates_that_read_other_elements(make: Any) -> None:
    _, p, q, _ = begin()
    step({"old": p + 0}, {p: make(p), q: make(q) + p})


def test_matrix_updates_that_cannot_be_in_place():
    g = Graph("matrices")
    rng = np.random.default_rng(0)
    w = g.param("w", (70, 70), init=rng.uniform(-0.1, 0.1, (70, 70)).astype("float32"))
    v = g.param("v", (70, 70), init=rng.uniform(-0.1, 0.1, (70, 70)).astype("float32"))
    step({"w": gc.sum(w)}, {w: w @ w + v.T, v: v.T})
    step({}, {w: w.T, v: w})
    step({}, {w: gc.reshape(gc.reshape(w, (4900,)) * 0.5, (70, 70))})


def test_a_parameter_used_in_two_places():
    g = Graph("tied")
    rng = np.random.default_rng(1)
    w = g.param("w", (6, 6), init=rng.uniform(-0.4, 0.4, (6, 6)).astype("float32"))
    x = g.input("x", ("N", 6))
    hidden = gc.tanh(x @ w)
    loss = gc.mean(gc.square(hidden @ w.T - x))
    grads = gc.grad(loss)
    array = rng.uniform(-1, 1, (9, 6)).astype("float32")
    program = step({"loss": loss}, gc.optim.SGD(0.3)(grads), calls=3, x=array)
    losses = [float(program(x=array)["loss"]) for _ in range(50)]
    assert losses[-1] < losses[0]


def test_only_updates_and_no_inputs():
    g = Graph("counter")
    count = g.state("count", (), "int32", init=np.int32(5))
    program = gc.compile(updates={count: count + 1})
    assert program() == {}
    assert program() == {}
    assert program.states["count"] == 7


def moving() -> tuple[Graph, Handle, Handle]:
    g = Graph("moving")
    x = g.input("x", ("N",))
    mean = g.state("mean", (), init=0.0)
    g.set_update(mean, 0.5 * mean + 0.5 * gc.mean(x))
    return g, mean, gc.phase(train=x - gc.mean(x), eval=x - mean)


def test_attached_updates_run_in_training_alone():
    _, mean, out = moving()
    x = np.array([2.0, 4.0], "float32")
    train = gc.compile({"y": out, "mean": mean}, mode="train")
    found = train(x=x)
    assert found["mean"] == 0  # from before the call
    assert found["y"].tolist() == [-1, 1]
    assert train.states["mean"] == 1.5
    predict = gc.compile({"y": out}, params=train.states)
    assert predict(x=x)["y"].tolist() == [0.5, 2.5]
    train(x=x)
    assert predict.states["mean"] == 2.25
    assert predict(x=x)["y"].tolist() == [-0.25, 1.75]
    assert train.states["mean"] == 2.25  # evaluation changes nothing


def test_given_updates_win_over_attached_ones():
    _, mean, out = moving()
    program = gc.compile({"y": out}, updates={mean: mean + 1})
    program(x=np.zeros(2, "float32"))
    assert program.states["mean"] == 1


def test_attached_updates_that_need_further_inputs_do_not_run():
    g = Graph("apart")
    x, y = g.input("x", (2,)), g.input("y", (2,))
    total = g.state("total", (), init=0.0)
    g.set_update(total, total + gc.sum(y))
    program = gc.compile({"x": x * 2}, mode="train")
    assert list(program.inputs) == ["x"]
    program(x=np.ones(2, "float32"))


def test_programs_share_parameters():
    g = Graph("shared")
    x = g.input("x", ("N", 3))
    w = g.param("w", (3, 2), init=np.ones((3, 2), "float32"))
    y = x @ w
    train = gc.compile({"y": y}, updates={w: w * 2})
    predict = gc.compile({"y": y}, params=train.params)
    assert np.shares_memory(train.params["w"], predict.params["w"])
    view = predict.params["w"]
    array = np.ones((1, 3), "float32")
    train(x=array)
    assert predict(x=array)["y"].tolist() == [[6, 6]]
    predict.params["w"] = np.zeros((3, 2))
    assert train(x=array)["y"].tolist() == [[0, 0]]
    assert np.shares_memory(view, predict.params["w"])
    apart = gc.compile({"y": y}, params={"w": np.full((3, 2), 3, "float32")})
    assert apart(x=array)["y"].tolist() == [[9, 9]]
    assert not np.shares_memory(apart.params["w"], train.params["w"])


def test_parameters_given_as_arrays_are_copied():
    g = Graph("copied")
    w = g.param("w", (3,), init=[0.0, 0.0, 0.0])
    mine = np.array([1, 2, 3], "float32")
    mine.flags.writeable = False
    program = gc.compile({}, updates={w: w + 1}, params={"w": mine})
    program()
    assert mine.tolist() == [1, 2, 3]
    assert program.params["w"].tolist() == [2, 3, 4]


def test_large_updates_in_place_and_aside_agree_with_the_interpreter():
    g = Graph("large")
    rng = np.random.default_rng(3)
    big = rng.uniform(-1, 1, (300, 257)).astype("float32")
    a, b = g.param("a", big.shape, init=big), g.param("b", big.shape, init=-big)
    step({"a": a}, {a: a - 0.1 * b, b: gc.flip(a, 0) + gc.mean(b, axis=0)})
