"""Attention with projections: heads, masks and odd lengths, against NumPy and, where it is installed, PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
from program_cases import hold

import graphc as gc

RNG = np.random.default_rng(5)
N, T, S, F, G, HEADS, DEPTH = 3, 4, 5, 6, 7, 2, 3
Q, K, V = RNG.normal(size=(N, T, F)), RNG.normal(size=(N, S, G)), RNG.normal(size=(N, S, 2))
LENGTHS = np.array([5, 0, 2])
WITHIN = np.arange(S) < LENGTHS[:, None]
KEYS = RNG.random((N, S)) < 0.7
FULL = RNG.random((N, HEADS, T, S)) < 0.7
ADDED = RNG.normal(size=(N, T, S))
CAUSAL = np.tril(np.ones((T, S), bool))


def expected(w, q, k, v, keep, added=0.0, heads=HEADS):
    """Output and weights of attention; ``keep`` and ``added`` broadcast to (N, heads, T, S)."""

    def projected(name, x):
        return x @ w[f"a.{name}.weight"] + w.get(f"a.{name}.bias", 0)

    q, k, v = (
        projected(name, x).reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)
        for name, x in (("query", q), ("key", k), ("value", v))
    )
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) + added
    grown = np.where(keep, np.exp(scores), 0)
    total = grown.sum(-1, keepdims=True)
    weights = grown / np.where(total == 0, 1, total)
    found = (weights @ v).swapaxes(1, 2)
    return projected("out", found.reshape(*found.shape[:2], -1)), weights


CASES = {
    "plain": ({}, {}, {"keep": True}),
    "causal": ({}, {"causal": True}, {"keep": CAUSAL}),
    "lengths": ({"lengths": LENGTHS}, {}, {"keep": WITHIN[:, None, None]}),
    "keys": ({"key_mask": KEYS, "lengths": LENGTHS}, {}, {"keep": (KEYS & WITHIN)[:, None, None]}),
    "full": ({"mask": FULL}, {"causal": True}, {"keep": FULL & CAUSAL}),
    "of queries": ({"mask": FULL[0, 0]}, {}, {"keep": FULL[0, 0]}),
    "of rows": ({"mask": FULL[:, 0], "key_mask": KEYS}, {}, {"keep": FULL[:, :1] & KEYS[:, None, None]}),
    "added": (
        {"mask": ADDED, "lengths": LENGTHS},
        {},
        {"keep": WITHIN[:, None, None], "added": ADDED[:, None]},
    ),
}
SYMBOLS = {N: "N", T: "T", S: "S", HEADS: HEADS}


def declared(name, dtype="float64"):
    g = gc.Graph(seed=4)
    masks, options, _ = CASES[name]
    data = {"q": Q, "k": K, "v": V, **masks}
    data = {n: a.astype(dtype) if a.dtype.kind == "f" else a for n, a in data.items()}
    shapes = {n: tuple(SYMBOLS[d] for d in a.shape) for n, a in data.items() if n not in "qkv"}
    q, k, v = (g.input(n, (*(SYMBOLS[d] for d in data[n].shape[:2]), data[n].shape[2]), dtype) for n in "qkv")
    given = {n: g.input(n, shape, data[n].dtype.name) for n, shape in shapes.items()}
    layer = gc.nn.MultiHeadAttention(HEADS, DEPTH, name="a", units=4, bias_init=gc.init.Normal(0.0, 1.0))
    return g, layer(q, k, v, **given, **options), layer.weights(q, k, **given, **options), data


@pytest.mark.parametrize("name", CASES)
def test_attention_is_the_formula_in_numpy(name):
    g, y, weights, data = declared(name)
    assert y.shape[2] == 4
    found = gc.interpret({"y": y, "weights": weights, **{p.name: p for p in g.params}}, **data)
    for key, due in zip(("y", "weights"), expected(found, Q, K, V, **CASES[name][2]), strict=True):
        np.testing.assert_allclose(found[key], due, rtol=1e-11, atol=1e-13)
    if name in ("full", "added"):
        assert gc.check_gradients(gc.sum(gc.sin(y)) + gc.sum(weights**2), limit=4, **data).ok


def test_programs_are_the_interpreted_graph():
    g, y, weights, data = declared("added", "float32")
    loss = gc.mean(gc.sin(y)) + gc.mean(weights**2)
    outputs = {"y": y, "weights": weights}
    outputs |= {f"d{n.name}": v for n, v in gc.grad(loss, [*(g[n] for n in "qkv"), *g.params]).items()}
    hold(gc.compile(outputs), outputs, data)


def test_self_attention_has_the_features_of_its_input_and_declares_once():
    g = gc.Graph()
    x = g.input("x", ("N", "T", 8))
    layer = gc.nn.MultiHeadAttention(4, use_bias=False)
    once, before = layer(x), len(g)
    assert (once.type.shape, [p.shape for p in g.params]) == (x.shape, [(8, 8)] * 4)
    assert layer(x, x) is once
    layer.weights(x)
    assert len(g) == before  # what the call was made of
    assert [p.name.split(".")[1] for p in g.params] == ["query", "key", "value", "out"]


def test_a_transformer_block_is_its_formula():
    g = gc.Graph(seed=1)
    x, lengths = g.input("x", ("N", "T", F), "float64"), g.input("lengths", ("N",), "int64")
    block = gc.nn.TransformerBlock(HEADS, 5, "relu", name="b")
    y, weights = block(x, lengths=lengths, causal=True), block.weights(x, lengths=lengths, causal=True)
    assert block(x, lengths=lengths, causal=True) is y
    params = {p.name: RNG.normal(size=p.shape) for p in g.params}
    data = {"x": Q, "lengths": np.array([4, 1, 3])}
    found = gc.interpret([y, weights], params=params, **data)
    w = {name.removeprefix("b."): value for name, value in params.items()}

    def normed(name, h):
        centred = h - h.mean(-1, keepdims=True)
        return centred / np.sqrt(h.var(-1, keepdims=True) + 1e-5) * w[f"{name}.scale"] + w[f"{name}.shift"]

    inner, keep = normed("norm1", Q), np.tril(np.ones((T, T), bool))
    keep = keep & (np.arange(T) < data["lengths"][:, None])[:, None, None]
    named = {f"a.{n.removeprefix('attention.')}": v for n, v in w.items()}
    attended, due = expected(named, inner, inner, inner, keep)
    h = Q + attended
    up = np.maximum(normed("norm2", h) @ w["up.weight"] + w["up.bias"], 0)
    np.testing.assert_allclose(found[0], h + up @ w["down.weight"] + w["down.bias"], rtol=1e-10)
    np.testing.assert_allclose(found[1], due, rtol=1e-10, atol=1e-13)
    assert gc.check_gradients(gc.sum(gc.sin(y)), params=params, limit=3, tolerance=1e-5, **data).ok


def test_a_transformer_block_may_walk_through_its_queries_in_blocks():
    def value(block, params):
        g = gc.Graph(seed=1)
        x = g.input("x", ("N", "T", F), "float64")
        y = gc.nn.TransformerBlock(HEADS, 5, block=block, name="b")(x, causal=True)
        given = params or {p.name: RNG.normal(size=p.shape) for p in g.params}
        return gc.interpret(y, params=given, x=Q), given, [n.op for n in g.nodes]

    due, params, _ = value(0, None)
    found, _, ops = value(2, params)
    assert "scan" in ops
    np.testing.assert_allclose(found, due, rtol=1e-12)


def test_sinusoidal_positions():
    g = gc.Graph()
    for features in (1, 5, 6):
        x = g.input(f"x{features}", ("N", "T", features), "float64")
        found = gc.interpret(gc.nn.sinusoidal_positions(x), **{x.name: np.zeros((1, 9, features))})
        angles = np.arange(9)[:, None] / 10_000 ** (np.arange(features) // 2 * 2 / features)
        even = np.arange(features) % 2 == 0
        np.testing.assert_allclose(
            found, np.where(even, np.sin(angles), np.cos(angles)), rtol=1e-12, atol=1e-14
        )
    assert str(gc.nn.sinusoidal_positions(g.input("i", (4, 2), "int32")).type) == "f32[4,2]"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_attention_against_torch(dtype):
    torch = pytest.importorskip("torch")
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-10, "atol": 1e-12}
    rows, steps, features, heads = 3, 5, 8, 2
    peer = torch.nn.MultiheadAttention(features, heads, batch_first=True, dtype=getattr(torch, dtype))
    torch.nn.init.normal_(peer.in_proj_bias)
    g = gc.Graph()
    x, y = g.input("x", ("N", "T", features), dtype), g.input("y", ("N", "S", features), dtype)
    layer = gc.nn.MultiHeadAttention(heads, name="a")
    keep = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 1, 1, 0]], bool)
    out = {
        "self": layer(x, key_mask=keep, causal=True),
        "cross": layer(x, y, key_mask=keep),
        "weights": layer.weights(x, y, key_mask=keep),
    }
    data = {n: RNG.normal(size=(rows, steps, features)).astype(dtype) for n in "xy"}
    weights = dict(zip(("query", "key", "value"), torch.chunk(peer.in_proj_weight, 3), strict=True))
    biases = dict(zip(("query", "key", "value"), torch.chunk(peer.in_proj_bias, 3), strict=True))
    weights["out"], biases["out"] = peer.out_proj.weight, peer.out_proj.bias
    params = {f"a.{n}.weight": w.detach().numpy().T for n, w in weights.items()}
    params |= {f"a.{n}.bias": b.detach().numpy() for n, b in biases.items()}
    loss = sum(gc.sum(gc.sin(v)) for v in out.values())
    grads = gc.grad(loss, [x, y, *g.params])
    found = gc.interpret({**out, **{n.name: v for n, v in grads.items()}}, params=params, **data)

    tx, ty = (torch.tensor(data[n], requires_grad=True) for n in "xy")
    hidden, ahead = torch.tensor(~keep), torch.triu(torch.ones(steps, steps, dtype=torch.bool), 1)
    due = {"self": peer(tx, tx, tx, key_padding_mask=hidden, attn_mask=ahead, need_weights=False)[0]}
    due["cross"], due["weights"] = peer(tx, ty, ty, key_padding_mask=hidden, average_attn_weights=False)
    sum(torch.sin(v).sum() for v in due.values()).backward()
    due |= {"x": tx.grad, "y": ty.grad}
    due |= {
        f"a.{n}.weight": g.T for n, g in zip(weights, torch.chunk(peer.in_proj_weight.grad, 3), strict=False)
    }
    due |= {f"a.{n}.bias": g for n, g in zip(biases, torch.chunk(peer.in_proj_bias.grad, 3), strict=False)}
    due |= {"a.out.weight": peer.out_proj.weight.grad.T, "a.out.bias": peer.out_proj.bias.grad}
    for name, value in due.items():
        np.testing.assert_allclose(found[name], value.detach().numpy(), **close, err_msg=name)
