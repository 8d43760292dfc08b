"""Recurrent layers against loops in NumPy: layers, directions, odd lengths, masks, states."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from program_cases import hold

import graphc as gc

RNG = np.random.default_rng(3)
N, T, F, H = 4, 5, 3, 2
KINDS = {"RNN": (gc.nn.RNN, 1), "GRU": (gc.nn.GRU, 3), "LSTM": (gc.nn.LSTM, 4)}
LENGTHS = np.array([5, 1, 0, 3], np.int32)
MASK = np.array([[1, 1, 0, 1, 1], [0, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 0, 1, 0, 1]], bool)
X = RNG.normal(size=(N, T, F))


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def rnn(z, u, carry):
    return (np.tanh(z + u),)


def gru(z, u, carry):
    (xr, xz, xn), (hr, hz, hn) = np.split(z, 3, -1), np.split(u, 3, -1)
    keep = sigmoid(xz + hz)
    return ((1 - keep) * np.tanh(xn + sigmoid(xr + hr) * hn) + keep * carry[0],)


def lstm(z, u, carry):
    i, f, g, o = np.split(z + u, 4, -1)
    c = sigmoid(f) * carry[1] + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


CELLS = {"RNN": rnn, "GRU": gru, "LSTM": lstm}


def one_way(kind, w, suffix, x, carry, part, order):
    """Outputs (N, T, H) and the last carry, row by row, of the steps that take part."""
    out = np.zeros((*x.shape[:2], w[f"weight_hh{suffix}"].shape[0]))
    last = [np.array(c) for c in carry]
    for n, t in itertools.product(range(len(x)), order):
        if part[n, t]:
            z = x[n, t] @ w[f"weight_ih{suffix}"] + w.get(f"bias_ih{suffix}", 0)
            u = last[0][n] @ w[f"weight_hh{suffix}"] + w.get(f"bias_hh{suffix}", 0)
            for value, new in zip(last, CELLS[kind](z, u, [c[n] for c in last]), strict=True):
                value[n] = new
            out[n, t] = last[0][n]
    return out, last


def expected(kind, w, x, part, state, layers, ways):
    lasts = []
    for layer in range(layers):
        outs = []
        for way in ("", "_reverse")[:ways]:
            suffix = (f"_l{layer}" if layer else "") + way
            order = range(T) if not way else range(T)[::-1]
            y, last = one_way(kind, w, suffix, x, [s[len(lasts)] for s in state], part, order)
            lasts.append(last)
            outs.append(y)
        x = np.concatenate(outs, -1)
    return x, [np.stack(values) for values in zip(*lasts, strict=True)]


def drawn(g):
    return {p.name: RNG.normal(size=p.shape).astype(p.dtype.numpy) for p in g.params}


def is_pair(kind):
    return kind == "LSTM"


def given_state(g, kind, count, dtype="float64"):
    inputs = [g.input(name, (count, "N", H), dtype) for name in ("h", "c")[: 1 + is_pair(kind)]]
    return tuple(inputs) if is_pair(kind) else inputs[0]


STEPS = {
    "all": {},
    "lengths": {"lengths": LENGTHS},
    "mask": {"mask": MASK},
    "both": {"lengths": LENGTHS, "mask": MASK},
}
PARTS = {
    "all": np.ones((N, T), bool),
    "lengths": np.arange(T) < LENGTHS[:, None],
    "mask": MASK,
    "both": MASK & (np.arange(T) < LENGTHS[:, None]),
}


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (1, True), (2, False), (2, True)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_the_loop_in_numpy(kind, layers, bidirectional, steps):
    g, ways = gc.Graph(), 1 + bidirectional
    layer = KINDS[kind][0](H, layers=layers, bidirectional=bidirectional, name="l", use_bias=steps != "mask")
    x = g.input("x", ("N", "T", F), "float64")
    state = given_state(g, kind, layers * ways)
    part = {
        name: g.input(name, ("N", "T")[: value.ndim], value.dtype.name)
        for name, value in STEPS[steps].items()
    }
    y, last = layer.run(x, state, **part)
    params = drawn(g)
    values = {"x": X, **STEPS[steps]}
    values |= {name: RNG.normal(size=(layers * ways, N, H)) for name in ("h", "c")[: 1 + is_pair(kind)]}
    found = gc.interpret([y, *(last if is_pair(kind) else [last])], params=params, **values)
    weights = {name.removeprefix("l."): value for name, value in params.items()}
    due, lasts = expected(
        kind, weights, X, PARTS[steps], [values[n] for n in ("h", "c") if n in values], layers, ways
    )
    for value, right in zip(found, [due, *lasts], strict=True):
        np.testing.assert_allclose(value, right, rtol=1e-11, atol=1e-13)
    if (layers, bidirectional, steps) == (2, True, "both"):
        loss = gc.sum(gc.sin(y)) + gc.sum(gc.cos(last[1] if is_pair(kind) else last))
        assert gc.check_gradients(loss, params=params, limit=3, **values).ok


def test_programs_of_all_kinds_are_the_interpreted_graph():
    g = gc.Graph(seed=2)
    x, lengths = g.input("x", ("N", "T", F)), g.input("lengths", ("N",), "int64")
    outputs = {}
    for kind, layers, both in (("RNN", 2, True), ("GRU", 1, True), ("LSTM", 2, False)):
        layer = KINDS[kind][0](H, layers=layers, bidirectional=both, name=kind)
        y, last = layer.run(x, lengths=lengths)
        outputs |= {f"{kind} y": y, f"{kind} h": last[0] if is_pair(kind) else last}
    loss = sum(gc.mean(gc.sin(v)) for v in outputs.values())
    outputs |= {f"d{p.name or p.label}": v for p, v in gc.grad(loss, [x, *g.params]).items()}
    program = gc.compile(outputs)
    for count, length in ((N, T), (1, 7), (3, 1)):
        values = {"x": RNG.normal(size=(count, length, F)).astype(np.float32)}
        values["lengths"] = RNG.integers(0, length + 1, count)
        hold(program, outputs, values)


def test_no_rows_no_steps_and_no_or_all_steps_of_a_row():
    g = gc.Graph(seed=2)
    x, lengths = g.input("x", ("N", "T", F)), g.input("lengths", ("N",), "int32")
    y, (h, c) = gc.nn.LSTM(H, bidirectional=True).run(x, lengths=lengths)
    outputs = {"y": y, "h": h, "c": c}
    outputs |= {f"d{p.name}": v for p, v in gc.grad(gc.sum(y * y) + gc.sum(h), [x, *g.params]).items()}
    program = gc.compile(outputs)
    for count, length in ((0, 3), (2, 0), (0, 0), (1, 1), (3, 4)):
        values = {"x": RNG.normal(size=(count, length, F)).astype(np.float32)}
        values["lengths"] = np.array([0, length, min(2, length)][:count], np.int32)
        hold(program, outputs, values)


def test_a_decoder_attends_to_what_an_encoder_gives_in_the_step_of_a_loop():
    g = gc.Graph(seed=3)
    x = g.input("x", ("N", "T", F))
    encoded, h = gc.nn.GRU(4, name="encoder").run(x)
    decoder, attend = gc.nn.GRU(4, name="decoder"), gc.nn.MultiHeadAttention(2, name="attend")
    read = gc.nn.Dense(F, name="read")

    def step(carry, _):
        y, after = decoder.run(carry["input"], carry["h"])
        out = read(y + attend(y, encoded))
        return {"h": after, "input": out}, out[:, 0]

    _, written = gc.scan(step, {"h": h, "input": gc.zeros_like(x[:, :1])}, length=3)
    outputs = {"written": written}
    outputs |= {f"d{p.name}": v for p, v in gc.grad(gc.sum(gc.sin(written)), [x, *g.params]).items()}
    assert [p.name for p in g.params][4] == "decoder.weight_ih"
    values = {"x": RNG.normal(size=(2, 4, F)).astype(np.float32)}
    hold(gc.compile(outputs), outputs, values)
    assert gc.check_gradients(gc.sum(gc.sin(written)), limit=1, **values).ok


def test_a_state_of_the_program_carries_a_stream_on():
    g = gc.Graph(seed=4)
    x, kept = g.input("x", (2, "T", F)), g.state("kept", (1, 2, H))
    y, h = gc.nn.GRU(H).run(x, kept)
    g.set_update(kept, h)
    stream, whole = (gc.compile({"y": y}, mode=mode) for mode in ("train", "eval"))
    value = RNG.normal(size=(2, 6, F)).astype(np.float32)
    parts = [stream(x=value[:, :2])["y"], stream(x=value[:, 2:])["y"]]
    np.testing.assert_allclose(np.concatenate(parts, 1), whole(x=value)["y"], rtol=1e-5, atol=1e-6)


def test_time_major_and_the_last_output():
    g = gc.Graph()
    x = g.input("x", ("N", T, F), "float64")
    same = {
        "init": 0.5 * np.ones((F, 3 * H)),
        "recurrent_init": 0.1 * np.ones((H, 3 * H)),
        "bidirectional": True,
    }
    y, h = gc.nn.GRU(H, **same).run(x, mask=MASK)
    turned = gc.nn.GRU(H, time_major=True, **same)(gc.swapaxes(x, 0, 1), mask=MASK.T)
    last = gc.nn.GRU(H, return_sequences=False, **same)(x, mask=MASK)
    found = gc.interpret([y, gc.swapaxes(turned, 0, 1), last, h], x=X)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[2], np.concatenate(found[3], -1))


def test_a_run_goes_on_from_the_state_of_another():
    g = gc.Graph()
    x = g.input("x", ("N", 6, F), "float64")
    layer = gc.nn.LSTM(H, layers=2)
    whole, (h, c) = layer.run(x)
    first, state = layer.run(x[:, :4])
    second, (h2, c2) = layer.run(x[:, 4:], state)
    assert len(g.params) == 8
    found = gc.interpret(
        [whole, gc.concatenate([first, second], 1), h, h2, c, c2], x=RNG.normal(size=(2, 6, F))
    )
    for one, other in zip(found[::2], found[1::2], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_one_first_state_for_all_rows_may_be_learnt():
    g = gc.Graph()
    first = g.param("first", (1, 1, H), "float64", init=RNG.normal(size=(1, 1, H)))
    y = gc.nn.RNN(H, "relu")(g.input("x", ("N", T, F), "float64"), first)
    assert gc.check_gradients(gc.sum(gc.sin(y)), x=X).ok


def test_activations_of_a_simple_layer():
    g = gc.Graph()
    x = g.input("x", ("N", T, F), "float64")
    identity = {"init": np.ones((F, H)), "recurrent_init": "identity"}
    y = [gc.nn.RNN(H, a, **identity)(x) for a in ("relu", "identity", gc.nn.activation_named("identity"))]
    found = gc.interpret(y, x=X)
    sums = np.repeat(X.sum(-1)[..., None], H, -1)
    np.testing.assert_allclose(found[1], np.cumsum(sums, 1))
    np.testing.assert_array_equal(found[1], found[2])
    h = np.zeros((N, H))
    for t in range(T):
        h = np.maximum(h + sums[:, t], 0)
        np.testing.assert_allclose(found[0][:, t], h)


def test_first_values():
    g = gc.Graph(seed=5)
    gc.nn.LSTM(64, name="lstm", forget_bias=2.0)(g.input("x", ("N", "T", 48)))
    gc.nn.GRU(8, name="gru", bias_init=gc.init.Constant(0.5))(g.input("z", ("N", "T", 6), "float64"))
    first = gc.interpret({p.name: p for p in g.params})
    for gate in np.split(first["lstm.weight_hh"], 4, axis=1):
        np.testing.assert_allclose(gate.T @ gate, np.eye(64), atol=1e-5)
    assert all(abs(gate.var() * 48 - 1) < 0.1 for gate in np.split(first["lstm.weight_ih"], 4, axis=1))
    np.testing.assert_array_equal(first["lstm.bias_ih"], np.repeat([0.0, 2.0, 0.0, 0.0], 64))
    assert (first["gru.bias_ih"] == 0.5).all()
    assert not first["gru.bias_hh"].any()
    assert {name: str(value.dtype) for name, value in first.items() if "bias" in name} == {
        "lstm.bias_ih": "float32",
        "lstm.bias_hh": "float32",
        "gru.bias_ih": "float64",
        "gru.bias_hh": "float64",
    }


def test_the_products_with_all_inputs_are_one_outside_the_loop():
    g = gc.Graph()
    y = gc.nn.LSTM(H, layers=2)(g.input("x", ("N", T, F)))
    nests = str(gc.compile({"y": y}).stages["nests"])
    products = re.findall(r"^( *)v\d+: (\S+) = add over", nests, re.MULTILINE)
    assert products == [("", f"f32[{T},N,{4 * H}]"), ("  ", f"f32[N,{4 * H}]")] * 2


@pytest.mark.parametrize("wrong", [6, -1])
def test_lengths_that_there_are_not_are_refused_before_anything_runs(wrong):
    g = gc.Graph()
    x, lengths = g.input("x", ("N", "T", 3)), g.input("lengths", ("N",), "int32")
    y = gc.nn.GRU(4, name="rnn")(x, lengths=lengths)
    program, values = (
        gc.compile({"y": y}),
        {"x": np.zeros((2, 5, 3), "f"), "lengths": np.array([wrong, 5], "i4")},
    )
    with pytest.raises(
        gc.errors.InputError, match=f"'lengths' of rnn .*index {wrong} is out of range for size 6"
    ):
        program(**values)
    with pytest.raises(gc.errors.InputError, match="rnn"):
        gc.interpret(y, **values)
