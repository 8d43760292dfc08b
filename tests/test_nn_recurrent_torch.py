"""Recurrent layers and attention against PyTorch, where it is installed: outputs, states and all gradients."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import graphc as gc

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(8)
KINDS = {"RNN": gc.nn.RNN, "GRU": gc.nn.GRU, "LSTM": gc.nn.LSTM}
SHAPES = [(1, 1, 1, 1), (3, 7, 5, 4), (4, 2, 3, 6)]  # N, T, features, hidden
CLOSE = {"float32": {"rtol": 1e-5, "atol": 1e-5}, "float64": {"rtol": 1e-10, "atol": 1e-12}}


class Pair:
    """One recurrent layer in both systems with the same weights, and what each makes of the same data."""

    def __init__(self, g, kind, shape, layers, bidirectional, odd, dtype, number):
        self.rows, self.steps, features, self.hidden = shape
        self.kind, self.odd, self.dtype, self.name = kind, odd, dtype, f"{kind}{number}"
        self.options = {"bidirectional": bidirectional}
        self.count = layers * (1 + bidirectional)
        self.peer = getattr(torch.nn, kind)(
            features,
            self.hidden,
            layers,
            batch_first=True,
            bidirectional=bidirectional,
            dtype=getattr(torch, dtype),
        )
        layer = KINDS[kind](self.hidden, layers=layers, bidirectional=bidirectional, name=self.name)
        self.x = g.input(f"x{number}", ("N", "T", features), dtype)
        self.states = [g.input(f"{s}{number}", (self.count, "N", self.hidden), dtype) for s in self.parts]
        given = {"lengths": g.input(f"lengths{number}", ("N",), "int64")} if odd else {}
        state = tuple(self.states) if kind == "LSTM" else self.states[0]
        y, last = layer.run(self.x, state, **given)
        self.out = [y, *(last if kind == "LSTM" else [last])]
        self.wrt = [self.x, *self.states, *(p for p in g.params if p.name.startswith(self.name + "."))]

    @property
    def parts(self):
        return ("h", "c") if self.kind == "LSTM" else ("h",)

    def nodes(self):
        loss = sum(gc.sum(gc.sin(v)) for v in self.out)
        return {f"{self.name} {k}": v for k, v in enumerate([*self.out, *gc.grad(loss, self.wrt).values()])}

    def params(self):
        names = (p.name for p in self.wrt if p.node.op == "param")
        return {name: self.weight(name).detach().numpy().T.copy() for name in names}

    def weight(self, name):
        stem, *rest = name.split(".")[1].replace("_reverse", " _reverse").split()
        stem = stem if "_l" in stem else f"{stem}_l0"
        return getattr(self.peer, stem + "".join(rest))

    def values(self):
        made = {self.x.name: RNG.normal(size=(self.rows, self.steps, self.x.shape[2]))}
        made |= {s.name: RNG.normal(size=(self.count, self.rows, self.hidden)) for s in self.states}
        made = {name: value.astype(self.dtype) for name, value in made.items()}
        if self.odd:
            lengths = RNG.integers(1, self.steps + 1, self.rows)
            lengths[0] = self.steps
            made[self.x.name.replace("x", "lengths")] = lengths
        return made

    def expected(self, values):
        x, *states = (torch.tensor(values[h.name], requires_grad=True) for h in (self.x, *self.states))
        given = x
        if self.odd:
            lengths = torch.tensor(values[self.x.name.replace("x", "lengths")])
            given = torch.nn.utils.rnn.pack_padded_sequence(
                x, lengths, batch_first=True, enforce_sorted=False
            )
        y, last = self.peer(given, tuple(states) if self.kind == "LSTM" else states[0])
        if self.odd:
            y, _ = torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
        out = [y, *(last if self.kind == "LSTM" else [last])]
        sum(torch.sin(v).sum() for v in out).backward()
        weights = (self.weight(p.name).grad.numpy().T for p in self.wrt if p.node.op == "param")
        return [*(v.detach().numpy() for v in (*out, x.grad, *(s.grad for s in states))), *weights]


def compare(cases, dtype, run):
    """``run(nodes, params, values)`` against PyTorch, over ``cases`` of one shape."""
    g = gc.Graph()
    pairs = [Pair(g, *case, dtype, number) for number, case in enumerate(cases)]
    values, nodes, params = {}, {}, {}
    for pair in pairs:
        values |= pair.values()
        nodes |= pair.nodes()
        params |= pair.params()
    found = run(nodes, params, values)
    for pair in pairs:
        for k, due in enumerate(pair.expected(values)):
            what = f"{pair.name} {k}"
            np.testing.assert_allclose(found[what], due, **CLOSE[dtype], err_msg=f"{what} {pair.options}")


def cases(shape):
    return [
        (kind, shape, *rest) for kind, *rest in itertools.product(KINDS, (1, 2), (False, True), (False, True))
    ]


def interpreted(nodes, params, values):
    return gc.interpret(nodes, params=params, **values)


def compiled(nodes, params, values):
    return gc.compile(nodes, params=params)(**values)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", CLOSE)
def test_recurrent_layers_in_numpy(shape, dtype):
    compare(cases(shape), dtype, interpreted)


@pytest.mark.parametrize(
    ("dtype", "kinds", "form"),
    [("float32", KINDS, (2, True, True)), ("float64", ["LSTM"], (1, False, False))],
)
def test_recurrent_layers_compiled(dtype, kinds, form):
    compare([(kind, SHAPES[1], *form) for kind in kinds], dtype, compiled)
