"""What shares a kernel, what lives in memory and what is written in place, stage by stage."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from program_cases import hold

import graphc as gc
from graphc.graph import Graph, Handle
from graphc.lower.values import text


def steps(program: gc.Program) -> int:
    return len(program.stages["schedule"].kernels)


def kinds(program: gc.Program) -> list[str]:
    return [s.kind for s in program.stages["schedule"].storages]


def test_nests_as_text() -> None:
    g = Graph()
    x = g.input("x", ("N", 1, 4))
    y = gc.exp(x[:, :, ::-1].T) * 2
    program = gc.compile({"y": y, "s": gc.sum(y, axis=0)})
    assert str(program.stages["nests"]).splitlines() == [
        "v0: f32[N,4] input %0",
        "v1: f32[4,N] = exp(v0[i1,add(mul(i0, -1), 3)])",
        "v2: f32[4,N] = mul(v1[i0,i1], 2.0)",
        "v3: f32[N] = add over (4) of v2[i1,i0]",
        "output 'y' = v2",
        "output 's' = v3",
    ]


def one_kernel(x: Handle, w: Handle, b: Handle) -> dict[str, Handle]:
    return {
        "chain": gc.tanh(gc.exp(x) * 2 + 1) - x,
        "softmax": gc.softmax(x, axis=1),
        "normalised": (x - gc.mean(x, axis=1, keepdims=True))
        / gc.sqrt(gc.mean(x * x, axis=1, keepdims=True) + 1),
        "dense": gc.relu(x @ w + b),
        "moved": gc.pad(gc.concatenate([x[::-1].T, x.T], axis=0), ((1, 1), (0, 2))),
    }


@pytest.mark.parametrize("name", ["chain", "softmax", "normalised", "dense", "moved"])
def test_these_are_one_kernel(name: str) -> None:
    g = Graph()
    x, w, b = g.input("x", ("N", 4)), g.input("w", (4, 3)), g.input("b", (3,))
    outputs = {name: one_kernel(x, w, b)[name]}
    program = gc.compile(outputs)
    assert steps(program) == 1
    rng = np.random.default_rng(0)
    shapes = {"x": (5, 4), "w": (4, 3), "b": (3,)}
    hold(program, outputs, {k: rng.uniform(-1, 1, s).astype("float32") for k, s in shapes.items()})


def test_values_read_in_one_place_never_reach_memory() -> None:
    g = Graph()
    x = g.input("x", ("N", 4))
    program = gc.compile({"y": gc.tanh(gc.exp(x) * 2 + 1) - x})
    assert kinds(program) == ["input", "output"]


def test_a_sum_over_rows_is_partial_sums_and_their_combination() -> None:
    g = Graph()
    program = gc.compile({"y": gc.sum(gc.exp(g.input("x", ("N", 4))), axis=0)})
    assert steps(program) == 2
    assert kinds(program) == ["input", "temporary", "output"]
    many = program.plan.at(N=100_000)
    assert many.peak <= 64 * 64 * 4  # one row of partial sums a tile, however many rows


def updates_of(make: Any) -> gc.Program:
    g = Graph()
    p, q = (g.param(name, (300,), init=np.arange(300, dtype="float32")) for name in "pq")
    return gc.compile(updates=make(p, q))


@pytest.mark.parametrize(
    ("make", "count", "memory"),
    [
        (lambda p, q: {p: p * 0.5}, 1, ["param"]),
        (lambda p, q: {p: p - q * 0.1}, 1, ["param", "param"]),
        (lambda p, q: {p: q * 2}, 1, ["param", "param"]),
        (lambda p, q: {p: p - (d := gc.tanh(p)), q: d + p}, 1, ["param", "param"]),
        (lambda p, q: {p: q, q: p}, 3, ["param", "param", "temporary"]),  # one of both is kept aside
        (lambda p, q: {p: gc.flip(p, 0)}, 2, ["param", "temporary"]),
    ],
    ids=["own element", "two parameters", "another one", "read again later", "swap", "other elements"],
)
def test_updates_are_in_place_where_that_is_right(make: Any, count: int, memory: list[str]) -> None:
    program = updates_of(make)
    assert steps(program) == count
    assert sorted(kinds(program)) == memory


def test_a_training_step_writes_every_parameter_in_place() -> None:
    g = Graph()
    x = h = g.input("x", ("N", 8))
    for k in range(3):
        h = gc.nn.Dense(8, activation="tanh", name=f"layer{k}")(h)
    loss = gc.mean(gc.square(h - x))
    program = gc.compile({"loss": loss}, updates=gc.optim.SGD(0.1)(gc.grad(loss)))
    schedule = program.stages["schedule"]
    params = {s.number for s in schedule.storages if s.kind == "param"}
    updated = [v for v in schedule.program.updates.values() if schedule.storage_of[v] in params]
    assert len(updated) == len(params) == 6


def test_numbers_that_are_computed_once_share_a_kernel() -> None:
    g = Graph()
    a, b, count = g.state("a", (), init=0.5), g.state("b", (), init=0.25), g.state("count", (), "int64")
    w, x = g.param("w", (300,)), g.input("x", (300,))
    factor = gc.exp(-a) * gc.cast(count + 1, "float32")
    updates = {w: w - x * factor / gc.sqrt(1 - b), count: count + 1}
    program = gc.compile(updates=updates)
    assert steps(program) == 2
    assert kinds(program).count("temporary") == 2
    for _ in range(2):
        program(x=np.ones(300, "float32"))
    np.testing.assert_allclose(program.params["w"], -3 * np.exp(-0.5) / np.sqrt(0.75), rtol=1e-6)
    assert program.states["count"] == 2


def test_a_chain_of_a_thousand_nodes() -> None:
    g = Graph()
    x = h = g.input("x", ("N",))
    for k in range(1000):
        h = gc.tanh(h) if k % 3 else h * 1.01 + 0.1
    outputs = {"y": h}
    program = gc.compile(outputs)
    assert len(program.kernels) <= 5
    hold(program, outputs, {x.name: np.linspace(-1, 1, 7, dtype="float32")})


def test_a_chain_of_moves_is_no_work() -> None:
    g = Graph()
    h = g.input("x", (6,))
    for k in range(200):
        h = gc.flip(h, 0) if k % 2 else gc.transpose(gc.reshape(h, (2, 3)))[::-1].reshape((6,))
    outputs = {"y": h + 1}
    hold(gc.compile(outputs), outputs, {"x": np.arange(6, dtype="float32")})


# ------------------------------------------------------------------------- what is computed again, or added in place


def normalised_layers(count: int) -> tuple[dict[str, Handle], dict[str, Any]]:
    g = Graph()
    x = g.input("x", ("N", 6))
    inputs: dict[str, Any] = {"x": np.random.default_rng(1).normal(size=(9, 6)).astype("float32")}
    h, loss = x, gc.sum(x) * 0
    wrt: list[Handle] = [x]
    for k in range(count):
        w = g.input(f"w{k}", (6, 6))
        inputs[w.name] = np.random.default_rng(k).normal(size=(6, 6)).astype("float32")
        z = h @ w
        mean = gc.mean(z, axis=0, keepdims=True)
        h = gc.relu((z - mean) * gc.rsqrt(gc.mean(gc.square(z - mean), axis=0, keepdims=True) + 1e-5))
        wrt.append(w)
    loss = loss + gc.sum(gc.square(h))
    grads = gc.grad(loss, wrt=wrt)
    return {"loss": loss, **{f"d{k}": grad for k, grad in enumerate(grads.values())}}, inputs


def test_cheap_maps_of_a_kept_array_are_computed_again() -> None:
    outputs, inputs = normalised_layers(2)
    program = gc.compile(outputs)
    hold(program, outputs, inputs, slack=10)
    schedule = program.stages["schedule"]
    values = schedule.program.values
    full = [
        s for s in schedule.storages if s.kind == "temporary" and len(values[s.value].shape) == 2
        and values[s.value].kind == "nest"
    ]  # fmt: skip
    # Of a layer: the product, and what the next product reads; on the way back the gradients that a sum over rows
    # must wait for. Centred values, twice which are the slopes of their squares, are no arrays; stored, they make nine.
    stored = [text(values[s.value].loop.expr) for s in full]
    assert len(stored) == 6
    assert not [each for each in stored if each.startswith(("sub(v", "mul(2.0, v"))]


def test_what_is_expensive_or_wanted_is_not_computed_again() -> None:
    g = Graph()
    x, w = g.input("x", ("N", 6)), g.input("w", (6, 6))
    z = x @ w
    shifted, wave = z + 1, gc.sin(z)
    total = gc.sum(z, axis=0)
    outputs = {"shifted": shifted, "a": shifted * total, "b": wave * total, "c": gc.exp(wave - total)}
    rng = np.random.default_rng(3)
    program = gc.compile(outputs)
    hold(
        program, outputs, {"x": rng.normal(size=(5, 6)).astype("f"), "w": rng.normal(size=(6, 6)).astype("f")}
    )
    assert program.source.count("sin_f32(") == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "columns"), [(5, 32), (8, 48), (33, 100), (130, 64), (2, 40)])
def test_a_step_of_descent_is_added_by_the_product(dtype: str, rows: int, columns: int) -> None:
    g = Graph()
    x, t = g.input("x", ("N", rows), dtype), g.input("t", ("N", columns), dtype)
    w = g.param("w", (rows, columns), dtype)
    loss = gc.mean(gc.square(x @ w - t))
    step = gc.compile({"loss": loss}, updates=gc.optim.SGD(0.3)(gc.grad(loss)))
    assert "gemm_scaled_" in step.source
    rng = np.random.default_rng(4)
    for count in (0, 1, 7, 300, 700):
        given = {"x": rng.normal(size=(count, rows)), "t": rng.normal(size=(count, columns))}
        given = {name: value.astype(dtype) for name, value in given.items()}
        before = step.params["w"].astype(np.float64)
        x64, t64 = (given[name].astype(np.float64) for name in "xt")
        with np.errstate(all="ignore"):
            due = before - 0.3 * 2 * x64.T @ (x64 @ before - t64) / (count * columns)
        step(**given)
        if count:
            tolerance = 1e-4 if dtype == "float32" else 1e-11
            np.testing.assert_allclose(step.params["w"], due, rtol=tolerance, atol=tolerance)
        else:  # a sum over no rows
            np.testing.assert_array_equal(step.params["w"], before)


def test_a_rate_may_be_a_number_of_the_formula() -> None:
    g = Graph()
    x, d, w = g.input("x", ("N", 9)), g.input("d", ("N", 64)), g.param("w", (9, 64))
    given = {"x": np.ones((3, 9), "f"), "d": np.full((3, 64), 2.0, "f")}
    for new, due in ((w - 0.25 * (x.T @ d), -1.5), (w + x.T @ d, 6.0), ((x.T @ d) * 0.5 + w, 3.0)):
        step = gc.compile(updates={w: new})
        assert "gemm_scaled_f32" in step.source
        step.params["w"][...] = 0
        step(**given)
        assert np.all(step.params["w"] == due)


def test_a_rate_of_zero_changes_nothing() -> None:
    g = Graph()
    x, w = g.input("x", ("N", 4)), g.param("w", (4, 40))
    step = gc.compile(updates=gc.optim.SGD(0.0)(gc.grad(gc.sum(x @ w))))
    assert "gemm_scaled_f32" in step.source
    step.params["w"][...] = before = np.random.default_rng(5).normal(size=(4, 40)).astype("f")
    step.params["w"][0, :2] = before[0, :2] = 0.0, -0.0
    step(x=np.ones((3, 4), "f"))
    assert step.params["w"].tobytes() == before.tobytes()


def test_a_gradient_that_others_read_is_no_addition() -> None:
    g = Graph()
    x, w = g.input("x", ("N", 4)), g.param("w", (4, 40))
    grads = gc.grad(gc.sum(gc.square(x @ w)))
    given = {"x": np.ones((3, 4), "f")}
    shown = gc.compile({"g": grads[w]}, updates=gc.optim.SGD(0.1)(grads))
    assert "gemm_scaled" not in shown.source
    assert shown(**given)["g"].shape == (4, 40)
    few = g.param("few", (4, 8))
    narrow = gc.compile(updates=gc.optim.SGD(0.1)(gc.grad(gc.sum(gc.square(x @ few)))))
    assert "gemm_scaled" not in narrow.source
    narrow(**given)
