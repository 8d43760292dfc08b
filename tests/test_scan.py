"""Loops: what ``scan`` means, what it derives, and how a step is declared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from program_cases import hold

import graphc as gc
from graphc.graph import Body, Cone, Handle, body_of

RNG = np.random.default_rng(0)


def draw(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def loops(graph: gc.Graph) -> list[Body]:
    """The bodies in a graph, each once."""
    return list(dict.fromkeys(filter(None, map(body_of, graph.nodes))))


# ------------------------------------------------------------------------------------------ what it means


def test_a_cumulative_sum() -> None:
    g = gc.Graph()
    x = g.input("x", ("T", 3), "float64")
    last, sums = gc.scan(lambda s, x: (s + x, s + x), np.zeros(3), x)
    for length in (0, 1, 5):
        value = draw(length, 3)
        found = gc.interpret([last, sums], x=value)
        np.testing.assert_allclose(found[0], value.sum(0), atol=1e-12)
        np.testing.assert_allclose(found[1], np.cumsum(value, 0), atol=1e-12)


def test_fibonacci_has_a_length_instead_of_slices() -> None:
    g = gc.Graph()
    one = g.const(np.int64(1))
    (_, last), ys = gc.scan(lambda c, _: ((c[1], c[0] + c[1]), c[0]), (one, one), length=10)
    assert gc.interpret(ys).tolist() == [1, 1, 2, 3, 5, 8, 13, 21, 34, 55]
    assert gc.interpret(last) == 144


def test_backwards_every_y_stands_where_its_x_does() -> None:
    g = gc.Graph()
    x = g.input("x", ("T",), "float64")
    last, before = gc.scan(lambda s, x: (s + x, s), np.zeros(()), x, reverse=True)
    value = draw(4)
    suffix = np.cumsum(value[::-1])[::-1]
    np.testing.assert_allclose(gc.interpret(before, x=value), [*suffix[1:], 0], atol=1e-12)
    np.testing.assert_allclose(gc.interpret(last, x=value), suffix[0])


def test_carries_slices_and_results_may_be_trees() -> None:
    g = gc.Graph()
    a, b = g.input("a", ("T", 2), "float64"), g.input("b", ("T",), "float64")

    def body(carry: Any, x: Any) -> Any:
        low, high = carry["low"], carry["high"]
        after = {"high": [gc.maximum(high[0], x[0])], "low": gc.minimum(low, x[0] * x[1])}
        return after, (None, {"sum": x[0] + low})

    init = {"low": g.const(np.zeros(2)), "high": [g.const(np.zeros(2))]}
    last, (nothing, ys) = gc.scan(body, init, [a, b])
    assert list(last) == ["high", "low"]
    assert isinstance(last["high"], list)
    assert nothing is None
    va, vb = draw(5, 2), draw(5)
    np.testing.assert_array_equal(gc.interpret(last["high"][0], a=va, b=vb), np.maximum(va.max(0), 0))
    np.testing.assert_array_equal(
        gc.interpret(last["low"], a=va, b=vb), np.minimum((va * vb[:, None]).min(0), 0)
    )
    assert ys["sum"].shape == (a.shape[0], 2)


def test_without_carries_it_is_a_map() -> None:
    g = gc.Graph()
    x, w = g.input("x", ("T", 3), "float64"), g.input("w", (3,), "float64")
    _, ys = gc.scan(lambda _, x: (None, gc.exp(x) * w), None, x)
    assert not loops(g)
    value = draw(4, 3)
    np.testing.assert_allclose(gc.interpret(ys, x=value, w=np.arange(3.0)), np.exp(value) * np.arange(3))


def test_loops_within_loops() -> None:
    g = gc.Graph()
    x, w = g.input("x", ("T", "S", 2), "float64"), g.input("w", (2,), "float64")

    def outer(carry: Handle, rows: Handle) -> tuple[Handle, Handle]:
        return gc.scan(lambda s, row: (gc.tanh(s + row * carry * w), s * carry), carry, rows)

    last, ys = gc.scan(outer, np.ones(2), x)
    value, weight = draw(3, 4, 2), draw(2)
    carry, due = np.ones(2), np.zeros((3, 4, 2))
    for t in range(3):
        s = carry
        for k in range(4):
            due[t, k] = s * carry
            s = np.tanh(s + value[t, k] * carry * weight)
        carry = s
    np.testing.assert_allclose(gc.interpret(ys, x=value, w=weight), due)
    np.testing.assert_allclose(gc.interpret(last, x=value, w=weight), carry)
    gc.check_gradients(gc.sum(ys * ys) + gc.sum(last), wrt=[x, w], x=value, w=weight)


# ------------------------------------------------------------------------------------------------- cells


def lstm(g: gc.Graph, units: int, reverse: bool = False) -> tuple[Handle, Handle, Handle]:
    x = g.input("x", ("T", "N", 3), "float64")
    shapes = {"w": (3, 4 * units), "u": (units, 4 * units), "b": (4 * units,)}
    w, u, b = (g.input(name, shape, "float64") for name, shape in shapes.items())
    zero = gc.zeros_like(x[0, :, :1] * np.zeros((1, units)))

    def cell(carry: tuple[Handle, Handle], x: Handle) -> Any:
        h, c = carry
        z = x @ w + h @ u + b
        i, f, n, o = (z[:, k * units : (k + 1) * units] for k in range(4))
        c = gc.sigmoid(f) * c + gc.sigmoid(i) * gc.tanh(n)
        h = gc.sigmoid(o) * gc.tanh(c)
        return (h, c), h

    (h, c), hs = gc.scan(cell, (zero, zero), x, reverse=reverse)
    return hs, h, c


def numpy_lstm(x: Any, w: Any, u: Any, b: Any, order: Any) -> tuple[Any, Any, Any]:
    units = len(u)
    h = c = np.zeros((x.shape[1], units))
    hs = np.zeros((*x.shape[:2], units))
    for t in order:
        i, f, n, o = np.split(x[t] @ w + h @ u + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(n)
        hs[t] = h = sigmoid(o) * np.tanh(c)
    return hs, h, c


LSTM = {"x": draw(4, 2, 3), "w": draw(3, 20), "u": draw(5, 20), "b": draw(20)}


@pytest.mark.parametrize("reverse", [False, True])
def test_an_lstm_is_the_loop_in_numpy(reverse: bool) -> None:
    outputs = lstm(gc.Graph(), 5, reverse)
    due = numpy_lstm(**LSTM, order=range(4)[::-1] if reverse else range(4))
    for found, right in zip(gc.interpret(list(outputs), **LSTM), due, strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_of_an_lstm(reverse: bool) -> None:
    hs, h, c = lstm(gc.Graph(), 5, reverse)
    loss = gc.mean(hs * hs) + gc.sum(h * c)
    gc.check_gradients(loss, wrt=[hs.graph[n] for n in LSTM], **LSTM)


def gru(x: Handle, h0: Handle, w: Handle, u: Handle, v: Handle) -> tuple[Handle, Handle]:
    units = h0.shape[1]

    def cell(h: Handle, x: Handle) -> tuple[Handle, Handle]:
        gates, n = x @ w, h @ u
        z, r = (gc.sigmoid(gates[:, a:b] + n[:, a:b]) for a, b in ((0, units), (units, 2 * units)))
        after = (1 - z) * gc.tanh(gates[:, 2 * units :] + (r * h) @ v) + z * h
        return after, after

    return gc.scan(cell, h0, x)


def test_gradients_of_a_gru_to_second_order() -> None:
    g = gc.Graph()
    shapes = {"x": (3, 2, 2), "h0": (2, 2), "w": (2, 6), "u": (2, 4), "v": (2, 2)}
    values = {name: draw(*shape) for name, shape in shapes.items()}
    x, h0, w, u, v = (g.input(name, shape, "float64") for name, shape in shapes.items())
    last, ys = gru(x, h0, w, u, v)
    loss = gc.sum(gc.sin(ys)) + gc.sum(last * last)
    gc.check_gradients(loss, wrt=[x, h0, w, u, v], **values)
    slope = gc.grad(loss, [w, h0])
    second = gc.sum(gc.square(slope[w])) + gc.sum(gc.sin(slope[h0]))
    gc.check_gradients(second, wrt=[x, u, v], **values)


# --------------------------------------------------------------------------------- fission, one loop for all


def test_products_of_slices_are_one_product_before_the_loop() -> None:
    g = gc.Graph()
    lstm(g, 5)
    (body,) = loops(g)
    assert [node.op for node in body.graph.nodes].count("einsum") == 1
    assert any(node.op == "einsum" and node.type.rank == 3 for node in g.nodes)


def test_what_no_carry_depends_on_is_computed_after_the_loop() -> None:
    g = gc.Graph()
    x, v = g.input("x", ("T", 3), "float64"), g.input("v", (3, 7), "float64")
    _, ys = gc.scan(lambda h, x: (gc.tanh(h + x), gc.softmax(h @ v)), np.zeros(3), x)
    (body,) = loops(g)
    assert {node.op for node in body.graph.nodes} == {"input", "add", "tanh"}
    assert ys.node.op == "softmax"


def test_a_gradient_is_one_loop_and_contractions_outside() -> None:
    g = gc.Graph()
    hs, h, c = lstm(g, 5)
    gc.grad(gc.sum(hs) + gc.sum(h * c), [g[n] for n in ("w", "u", "b")])
    forward, backward = loops(g)
    assert [node.op for node in backward.graph.nodes].count("einsum") == 1
    assert len(forward.carries) == len(backward.carries) == 2
    nodes = [node for node in g.nodes if node.op == "scan"]
    assert len({(node.operands, body_of(node)) for node in nodes}) == 2


def test_a_gradient_by_a_table_is_added_up_in_the_loop() -> None:
    """Adding one sparse gradient a step outside would need a whole table for every step."""
    g = gc.Graph()
    table = g.input("table", (6, 3), "float64")
    ids = g.input("ids", ("T",), "int32")
    ahead, _ = gc.scan(
        lambda h, i: (gc.tanh(h + gc.take(table, i + 0 * gc.argmax(h), axis=0)), None), np.zeros(3), ids
    )
    gc.check_gradients(gc.sum(ahead * ahead), wrt=table, table=draw(6, 3), ids=np.array([1, 4, 1], "int32"))
    gc.grad(gc.sum(ahead), table)
    assert any("scatter_add" in (node.op for node in body.graph.nodes) for body in loops(g))


def test_carries_that_stay_are_no_carries() -> None:
    g = gc.Graph()
    x, w = g.input("x", ("T", 3), "float64"), g.input("w", (3,), "float64")
    (last, w_last), _ = gc.scan(lambda c, x: ((gc.sin(c[0] * c[1] + x), c[1]), None), (x[0] * 0, w), x)
    (body,) = loops(g)
    assert len(body.carries) == 1
    assert w_last is w
    assert last.shape == (3,)


# --------------------------------------------------------------------------------------- higher derivatives


def test_jvp_hvp_and_jacobians_go_through_loops() -> None:
    g = gc.Graph()
    x, w = g.input("x", (3, 2), "float64"), g.input("w", (2, 2), "float64")
    _, ys = gc.scan(lambda h, x: ((h := gc.tanh(x + h @ w)), h), np.zeros(2), x)
    vx, vw = draw(3, 2), draw(2, 2)
    jacobian = gc.interpret(gc.jacobian(ys, w), x=vx, w=vw)
    assert jacobian.shape == (3, 2, 2, 2)
    for k in np.ndindex(2, 2):
        tangent = np.zeros((2, 2))
        tangent[k] = 1
        np.testing.assert_allclose(gc.interpret(gc.jvp(ys, {w: tangent}), x=vx, w=vw), jacobian[(..., *k)])
    loss = gc.sum(ys * ys)
    hessian = gc.interpret(gc.hessian(loss, w), x=vx, w=vw)
    np.testing.assert_allclose(hessian.reshape(4, 4), hessian.reshape(4, 4).T, atol=1e-12)
    product = gc.interpret(gc.hvp(loss, w, np.ones((2, 2))), x=vx, w=vw)
    np.testing.assert_allclose(product, hessian.sum((2, 3)), atol=1e-12)


# --------------------------------------------------------------------------------------------- text, checks


def test_a_graph_with_loops_reads_back_from_its_text() -> None:
    g = gc.Graph()
    hs, h, c = lstm(g, 5, reverse=True)
    gc.grad(gc.sum(hs * hs) + gc.sum(h * c), g["w"])
    gc.check(g)
    gc.check(Cone(g, {"h": h.id}))
    assert gc.parse(str(g)) == g


def test_the_step_is_checked_with_the_graph() -> None:
    g = gc.Graph()
    x = g.input("x", ("T", "N"), "float64")
    y = g.input("y", ("M",), "float64")
    gc.scan(
        lambda s, x: (gc.reshape(gc.reshape(x + s, (-1, 1)) * 1.0, x.shape), None),
        gc.reshape(y, (x.shape[1],)),
        x,
    )
    gc.check(g)


# ----------------------------------------------------------------------------------------------- compiled


def both(outputs: dict[str, Handle], *calls: dict[str, Any]) -> gc.Program:
    """Compile ``outputs`` and hold the program to the interpreter."""
    program = gc.compile(outputs)
    for values in calls:
        hold(program, outputs, values, slack=10)
    return program


def with_gradients(loss: Handle, *wrt: Handle) -> dict[str, Handle]:
    return {"loss": loss} | {f"by {k.label}": v for k, v in gc.grad(loss, list(wrt)).items()}


@pytest.mark.parametrize("reverse", [False, True])
def test_a_compiled_lstm_and_its_gradients(reverse: bool) -> None:
    hs, h, c = lstm(gc.Graph(), 5, reverse)
    g = hs.graph
    outputs = with_gradients(gc.sum(hs * hs) + gc.sum(h * c), *(g[name] for name in LSTM))
    calls = [LSTM | {"x": draw(t, n, 3)} for t, n in [(4, 2), (1, 1), (0, 2), (3, 0), (9, 40)]]
    program = both(outputs | {"hs": hs, "h": h, "c": c}, *calls)
    steps = [step for step in program._module.steps if step.loops]
    assert len(steps) == 2, "one kernel a step, forwards and backwards"


def test_many_small_loops_compiled() -> None:
    g = gc.Graph()
    x, w = g.input("x", ("T", "N", 2), "float64"), g.input("w", (2, 2), "float64")
    zero = gc.zeros_like(x[0])
    cells: dict[str, Any] = {
        "sum": lambda s, x: (s + x, s),
        "swap": lambda c, x: ((c[1], c[0] + x), c[0] * c[1]),
        "shift": lambda s, x: (x, s),
        "rnn": lambda h, x: ((h := gc.tanh(x @ w + h @ w.T)), h),
        "softmax": lambda h, x: (gc.softmax(h * x) + x, gc.max(h, axis=1)),
        "norm": lambda h, x: (h - gc.mean(h, axis=0) + x, gc.sum(h, axis=0) * gc.sum(w)),
        "fixed": lambda h, x: (gc.where(x > 0, h, w[0] * h), gc.exp(w) @ h[0]),
        "unused": lambda c, x: ((c[0] + 1, c[1] * x), None),
        "constant": lambda h, x: (gc.ones_like(h), h * x),
        "column": lambda h, x: (h[:, ::-1] + x[:1], gc.reshape(h, (-1,))[:1]),
    }
    outputs: dict[str, Handle] = {}
    for name, cell in cells.items():
        init = (zero, zero + 1) if name in ("swap", "unused") else zero
        for reverse in (False, True):
            last, ys = gc.scan(cell, init, x, reverse=reverse)
            outputs[f"{name} {reverse}"] = last[0] if isinstance(last, tuple) else last
            outputs |= {f"{name} {reverse} ys": ys} if ys is not None else {}
    values = [{"x": draw(t, n, 2), "w": draw(2, 2)} for t, n in [(3, 2), (1, 1), (0, 1), (6, 33)]]
    both(outputs, *values)
    loss = gc.sum(gc.stack([gc.sum(gc.sin(y)) for y in outputs.values()]))
    both(with_gradients(loss, x, w), *values[:2])


def test_loops_within_loops_compiled() -> None:
    g = gc.Graph()
    x, w = g.input("x", ("T", "S", 2), "float64"), g.input("w", (2, 2), "float64")

    def outer(carry: Handle, rows: Handle) -> tuple[Handle, Any]:
        first = gc.sin(carry) @ w
        last, ys = gc.scan(lambda s, row: (gc.tanh(s @ w + row * carry), s * carry), first, rows)
        return last + first, (ys, gc.sum(ys, axis=0))

    last, (ys, sums) = gc.scan(outer, np.ones(2), x, reverse=True)
    calls = [{"x": draw(t, s, 2), "w": draw(2, 2)} for t, s in [(3, 4), (1, 2), (2, 1), (0, 3), (3, 0)]]
    program = both({"last": last, "ys": ys, "sums": sums}, *calls)
    assert max(len(step.loops) for step in program._module.steps) == 2
    both(with_gradients(gc.sum(ys * ys) + gc.sum(sums) + gc.sum(last), x, w), *calls)


def test_scanned_operands_that_are_moved_data() -> None:
    g = gc.Graph()
    x, w = g.input("x", ("N", "T", 3), "float64"), g.input("w", (3, 3), "float64")
    ids = g.input("ids", ("T",), "int32")
    seq = gc.transpose(x, (1, 0, 2))
    spread = gc.broadcast_to(w[0], seq.shape)
    last, ys = gc.scan(
        lambda h, x: ((h := gc.tanh(h * x[0] + x[1] + x[2])), h @ w),
        gc.zeros_like(seq[0]),
        (seq, spread, seq[::-1]),
    )
    picked, _ = gc.scan(lambda h, i: (h @ w + gc.take(w, i, axis=0), None), w[0], ids)
    outputs = {"last": last, "ys": ys, "picked": picked} | with_gradients(
        gc.sum(ys * ys) + gc.sum(picked), x, w
    )
    calls = [
        {"x": draw(n, t, 3), "w": draw(3, 3), "ids": RNG.integers(0, 3, t).astype("int32")}
        for n, t in [(2, 4), (1, 1)]
    ]
    both(outputs, *calls)


def test_carries_of_which_only_the_last_is_wanted_take_no_memory_for_each_step() -> None:
    g = gc.Graph()
    x = g.input("x", ("T", 100))
    last, _ = gc.scan(lambda h, x: (gc.sin(h + x), None), gc.zeros_like(x[0]), x)
    program = gc.compile({"last": last})
    assert program.plan.at(T=1000).peak < 100 * 4 * 8
    hold(program, {"last": last}, {"x": draw(7, 100).astype("float32")})


def test_the_number_of_steps_multiplies_the_cost() -> None:
    g = gc.Graph()
    x, w = g.input("x", ("T", 8)), g.input("w", (8, 8))
    last, _ = gc.scan(lambda h, x: (h @ w + x, None), gc.zeros_like(x[0]), x)
    cost = gc.compile({"last": last}).cost
    assert cost.at(T=10)["flops"] >= 10 * 2 * 8 * 8


def test_a_training_step_updates_weights_that_loops_read() -> None:
    g = gc.Graph()
    x = g.input("x", ("T", "N", 3), "float64")
    w = g.param("w", (3, 3), "float64", init=draw(3, 3))
    _, ys = gc.scan(lambda h, x: ((h := gc.tanh(x + h @ w)), h), gc.zeros_like(x[0]), x)
    loss = gc.mean(ys * ys)
    slope = gc.grad(loss, w)
    step = gc.compile({"loss": loss}, updates={w: w - 0.1 * slope})
    values, weights = draw(5, 4, 3), np.array(step.params["w"])
    for _ in range(3):
        found = gc.interpret([loss, slope], params={"w": weights}, x=values)
        np.testing.assert_allclose(step(x=values)["loss"], found[0])
        weights = weights - 0.1 * found[1]
        np.testing.assert_allclose(step.params["w"], weights)


# ------------------------------------------------------------------------------------------ passes and phases


def test_passes_go_into_bodies_and_drop_carries_that_nobody_reads() -> None:
    g = gc.Graph()
    x = g.input("x", ("T", 4))

    def cell(carry: Any, x: Handle) -> Any:
        count, h = carry
        return (count + 1.0, gc.tanh(h * 1.0 + x * 1.0)), h

    _, ys = gc.scan(cell, (x[0], x[0]), x)
    program = gc.compile({"ys": ys}, verify=True)
    (body,) = (b for b in map(body_of, program.stages["prune 2"].graph.nodes) if b)
    assert [node.op for node in body.graph.nodes] == ["input", "input", "add", "tanh"]
    hold(program, {"ys": ys}, {"x": draw(3, 4).astype("float32")})


def test_what_rewriting_frees_from_the_carry_leaves_the_loop() -> None:
    g = gc.Graph()
    x, w = g.input("x", ("T", 4)), g.input("w", (4, 4))
    last, _ = gc.scan(
        lambda h, x: (gc.sin(h) + (x + gc.where(gc.full_like(h, 0) == 0, x, h)) @ w, None), x[0], x
    )
    program = gc.compile({"last": last}, verify=True)
    (body,) = {b for b in map(body_of, program.stages["prune 2"].graph.nodes) if b}
    assert "einsum" not in [node.op for node in body.graph.nodes]
    hold(program, {"last": last}, {"x": draw(3, 4).astype("float32"), "w": draw(4, 4).astype("float32")})


def test_formulas_in_bodies_are_stabilised_before_they_are_differentiated() -> None:
    g = gc.Graph()
    x, w = g.input("x", ("T", 4), "float64"), g.input("w", (4,), "float64")

    def cell(h: Handle, x: Handle) -> Any:
        weights = gc.exp(h * x) / gc.sum(gc.exp(h * x))
        return gc.log(1 + gc.exp(weights * w)), weights

    last, _ = gc.scan(cell, gc.ones_like(x[0]), x)
    slope = gc.grad(gc.sum(last), w)
    values = {"x": np.full((3, 4), 1000.0), "w": np.full(4, 1000.0)}
    assert np.all(np.isfinite(gc.interpret(slope, **values)))
    hold(gc.compile({"slope": slope}), {"slope": slope}, values)


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_phase_within_a_step(mode: Any) -> None:
    g = gc.Graph()
    x = g.input("x", ("T", 2), "float64")
    last, ys = gc.scan(lambda h, x: (gc.phase(train=h + x, eval=h * x), h), gc.ones_like(x[0]), x)
    values = draw(3, 2)
    due = 1 + values.sum(0) if mode == "train" else values.prod(0)
    np.testing.assert_allclose(gc.interpret(last, mode=mode, x=values), due)
    found = gc.compile({"last": last, "ys": ys}, mode=mode)(x=values)
    np.testing.assert_allclose(found["last"], due)


def test_a_reduction_over_the_steps_of_a_contraction_is_one_contraction() -> None:
    hs, _, _ = lstm(gc.Graph(), 5)
    slope = gc.grad(gc.sum(hs * hs), hs.graph["u"])
    program = gc.compile({"u": slope})
    after = program.stages["prune 2"].graph.nodes
    assert not [node for node in after if node.op == "sum" and node.type.shape == slope.shape]
    assert slope.node.op == "sum"


def test_a_factor_read_across_is_laid_out_once_before_the_loop() -> None:
    g = gc.Graph()
    x, w = g.input("x", ("T", "N", 6)), g.input("w", (6, 6))
    last, _ = gc.scan(lambda h, x: (gc.tanh(x + h @ w.T) + h @ w, None), gc.zeros_like(x[0]), x)
    program = gc.compile({"last": last})
    products = [line for line in program.source.splitlines() if "gemm_f32(hi" in line]
    assert len(products) == 2
    assert all(line.count(", 6, 1, ") == 2 for line in products), "both factors by rows"
    hold(program, {"last": last}, {"x": draw(3, 2, 6).astype("float32"), "w": draw(6, 6).astype("float32")})


def test_layers_in_a_step_have_their_parameters_in_the_graph_around() -> None:
    g = gc.Graph(seed=1)
    x = g.input("x", ("T", "N", 3))
    layer = gc.nn.Dense(3, activation="tanh", name="cell")
    last, _ = gc.scan(lambda h, x: (layer(x + h), None), gc.zeros_like(x[0]), x)
    assert [p.name for p in g.params] == ["cell.weight", "cell.bias"]
    outputs = {"last": last, **gc.grad(gc.sum(last))}
    program = gc.compile(outputs)
    assert "cell" in program.source
    values = draw(3, 2, 3).astype("float32")
    found, due = program(x=values), gc.interpret(outputs, x=values)
    for name, value in due.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5)


def test_a_derivative_in_a_body_is_reported() -> None:
    hs, _, _ = lstm(gc.Graph(), 5)
    program = gc.compile({"u": gc.grad(gc.sum(hs), hs.graph["u"])})
    assert program.report().by_output == ("sigmoid", "tanh")
    assert "for __step" in str(program.stages["nests"])
    assert "for __step" in str(program.stages["schedule"])


def test_a_step_is_drawn_once_beside_the_graph() -> None:
    g = gc.Graph("rnn")
    x, w = g.input("x", ("T", "N", 3)), g.param("w", (3, 3))
    last, ys = gc.scan(lambda h, x: ((h := gc.tanh(x + h @ w)), h), gc.zeros_like(x[0]), x)
    loss = gc.mean(ys * ys) + gc.sum(last)
    dot = gc.draw({"loss": loss}).dot
    assert dot.count("<b>a step of") + dot.count('tooltip="a step of') == 1
    assert "next carry0 = tanh" in dot
    both = gc.draw({"loss": loss}, view="both").dot
    assert both.count('tooltip="a step of') == 2
    program = gc.compile({"loss": loss, **gc.grad(loss)})
    assert "carry0 @ fixed0" in program.draw().dot
    assert gc.draw({"loss": loss}, view="both").dot.count('tooltip="a step of') == 2, (
        "the gradient stands now"
    )


# ------------------------------------------------------------------------------------- others, and at random


def test_an_lstm_is_that_of_pytorch() -> None:
    torch: Any = pytest.importorskip("torch")
    model = torch.nn.LSTM(3, 5, dtype=torch.float64)
    x = torch.tensor(LSTM["x"], requires_grad=True)
    ys, (h, c) = model(x)
    ((ys * ys).sum() + (h * c).sum()).backward()
    hs, last, cell = lstm(gc.Graph(), 5)
    g = hs.graph
    loss = gc.sum(hs * hs) + gc.sum(last * cell)
    of_torch = {"w": model.weight_ih_l0, "u": model.weight_hh_l0, "b": model.bias_ih_l0}
    values = {name: p.detach().numpy().T.copy() for name, p in of_torch.items()} | {"x": LSTM["x"]}
    values["b"] = values["b"] + model.bias_hh_l0.detach().numpy()
    slopes = gc.grad(loss, [g[name] for name in values])
    found = gc.compile({"hs": hs, **{k.name: v for k, v in slopes.items()}})(**values)
    np.testing.assert_allclose(found["hs"], ys.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found["x"], x.grad.numpy(), rtol=1e-10, atol=1e-12)
    for name, parameter in of_torch.items():
        np.testing.assert_allclose(found[name], parameter.grad.numpy().T, rtol=1e-10, atol=1e-12)


def random_step(rng: np.random.Generator, w: Handle, v: Handle) -> Any:
    """A step of two carries, random but for its types: every value is (N, 3)."""
    unary = [gc.tanh, gc.sin, gc.sigmoid, gc.relu, gc.square, lambda z: -z, lambda z: z[:, ::-1], gc.softmax]
    binary = [gc.add, gc.sub, gc.mul, gc.maximum, lambda a, b: gc.where(a > b, a, b)]
    others = [lambda z: z @ w, lambda z: z @ w.T, lambda z: z * v, lambda z: z + gc.mean(z, axis=0)]
    others += [
        lambda z: z - gc.max(z, axis=1, keepdims=True),
        lambda z: gc.concatenate([z[:, :1], z[:, 1:]], axis=1),
    ]
    count = int(rng.integers(3, 9))

    def step(carry: Any, x: Handle) -> Any:
        made = [*carry, x]
        for _ in range(count):
            a, b = (made[k] for k in rng.integers(0, len(made), 2))
            kind = rng.integers(0, 3)
            rules: Any = (unary, binary, others)[kind]
            rule: Any = rules[rng.integers(0, len(rules))]
            made.append(gc.tanh(rule(a, b) if kind == 1 else rule(a)))
        picked = [made[k] for k in rng.integers(0, len(made), 4)]
        return (picked[0], made[-1]), (picked[2], gc.sum(picked[3], axis=1))

    return step


@pytest.mark.parametrize("seed", range(4))
def test_random_steps_compiled_and_derived(seed: int) -> None:
    rng = np.random.default_rng(seed)
    g = gc.Graph()
    x, w, v = (
        g.input("x", ("T", "N", 3), "float64"),
        g.input("w", (3, 3), "float64"),
        g.input("v", (3,), "float64"),
    )
    outputs: dict[str, Handle] = {}
    for number in range(6):
        init = (gc.zeros_like(x[0]), x[0] * 0.5)
        last, ys = gc.scan(random_step(rng, w, v), init, x, reverse=bool(number % 2))
        outputs |= {f"{number} {k}": y for k, y in enumerate((*last, *ys))}
    values = [{"x": draw(t, n, 3), "w": draw(3, 3), "v": draw(3)} for t, n in [(4, 2), (1, 3), (2, 17)]]
    both(outputs, *values)
    loss = gc.sum(gc.stack([gc.sum(gc.cos(y)) for y in outputs.values()]))
    slopes = with_gradients(loss, x, w, v)
    both(slopes, *values)
    direction = {k: draw(*np.shape(values[0][k.name])) for k in (x, w, v)}
    forward = gc.interpret(gc.jvp(loss, direction), **values[0])
    reverse = gc.interpret([slopes[f"by {k.label}"] for k in direction], **values[0])
    np.testing.assert_allclose(
        forward, sum(np.sum(a * d) for a, d in zip(reverse, direction.values(), strict=True))
    )


def test_loops_are_checked_in_float64_like_all_else() -> None:
    g = gc.Graph()
    x, w = g.input("x", ("T", 2)), g.param("w", (2,), init=[0.3, -0.4])

    def step(carry: Any, row: Handle) -> Any:
        h, count = carry
        h = gc.tanh(h * w + row + 0.1 * gc.cast(count, "float32"))
        return (h, count + 1), gc.scan(lambda s, _: (s * gc.sin(w), s), h, length=2)[1]

    (last, count), inner = gc.scan(step, (gc.zeros_like(w), g.const(0)), x)
    loss = gc.sum(last * last) * gc.cast(count, "float32") + gc.sum(inner)
    report = gc.check_gradients(loss, x=[[0.5, 0.2], [-0.3, 0.8]])
    assert report.ok
    assert report.worst < 1e-8


def test_a_checkpointed_loop_computes_its_steps_again_and_keeps_carries_alone() -> None:
    """Equal values and gradients, of the first and the second order, in less memory."""
    g = gc.Graph(seed=1)
    x, w, u = (
        g.input("x", ("T", 3), "float64"),
        g.param("w", (3, 40), "float64"),
        g.param("u", (40, 3), "float64"),
    )

    def step(h: Handle, row: Handle) -> Any:
        wide = gc.tanh((h + row) @ w)
        return gc.sin(wide * wide) @ u + gc.mean(gc.exp(wide)), gc.sum(wide)

    outputs, peaks = {}, []
    for way in (False, True):
        last, ys = gc.scan(step, gc.zeros_like(x[0]), x, checkpoint=way)
        loss = gc.sum(last * last) + gc.sum(gc.sin(ys))
        slopes = gc.grad(loss, [x, w, u])
        again = gc.grad(gc.sum(slopes[x] * slopes[x]), [u])
        outputs[way] = {"loss": loss, "ddu": again[u], **{f"d{k.name}": v for k, v in slopes.items()}}
        program = gc.compile(outputs[way])
        for length in (0, 1, 5):
            hold(program, outputs[way], {"x": RNG.normal(size=(length, 3))}, slack=1e3)
        peaks.append(gc.compile({n: v for n, v in outputs[way].items() if n != "ddu"}).plan.at(T=64).peak)
    data = {"x": RNG.normal(size=(4, 3))}
    plain, kept = (gc.interpret(outputs[way], **data) for way in (False, True))
    for name in plain:
        np.testing.assert_allclose(kept[name], plain[name], rtol=1e-10, atol=1e-12, err_msg=name)
    assert peaks[1] < peaks[0] / 4
