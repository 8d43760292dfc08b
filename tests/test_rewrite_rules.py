"""Every stabilising rule is proved; values and gradients stay right where written formulas fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.analysis.lost import lost_bits
from graphc.errors import ExpressionError
from graphc.graph import Cone
from graphc.interpret import interpret
from graphc.passes import prune
from graphc.rewrite import RULES, stabilise
from graphc.rewrite.pattern import Var
from graphc.rewrite.proof import prove
from graphc.rewrite.vocabulary import exp, log, softplus

X = Var("X")
# What SymPy does not decide, for a choice by sign or a maximum; the other proofs reduce the difference to 0.
SAMPLED = {
    "log_of_exponentials", "log1p_of_exponentials", "root_plus_number", "number_less_root",
    "difference_of_logarithms", "log_of_ratio", "difference_of_angles", "difference_of_powers", "erfc",
    "log_of_corrected_quotient", "difference_of_entropies", "power_less_one",
}  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_rule_is_proved(rule: Any) -> None:
    assert rule.assumes
    assert prove(rule, RULES).method == ("sampled" if rule.name in SAMPLED else "simplified")


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_no_rule_loses_digits(rule: Any) -> None:
    """Nowhere worse than the written form by more than two units and what half a unit of every input moves, and no
    worse on average."""
    found = lost_bits(rule.example(gc.Graph()), rule.points, scale=rule.scale, count=60)
    assert len(found.inherent) > 20
    assert np.all(found.stable.ulps <= found.written.ulps + 2 + found.inherent)
    assert found.stable.mean <= found.written.mean + 1e-3


@pytest.mark.parametrize("wrong", [-softplus(X), softplus(-X), X + softplus(X), softplus(X) + 1e-15])
def test_a_wrong_rule_is_not_proved(wrong: Any) -> None:
    right = next(r for r in RULES if r.name == "softplus")
    with pytest.raises(ExpressionError, match="the two sides differ"):
        prove(replace(right, right=wrong), [replace(right, right=wrong)])


def test_a_rule_that_does_not_fire_is_not_proved() -> None:
    idle = replace(RULES[0], left=log(log(exp(X))), right=X)
    with pytest.raises(ExpressionError, match="does not fire"):
        prove(idle, [idle])


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_stabilising_twice_changes_nothing(rule: Any) -> None:
    graph = gc.Graph()
    once = prune(stabilise(Cone(graph, {"y": rule.example(graph).id})).cone).cone
    twice = stabilise(once)
    assert not twice.applied
    assert str(twice.cone) == str(once)


# ------------------------------------------------------------- extreme inputs: formula, its value, its slope

NAIVE: dict[str, Callable[[Any], Any]] = {
    "softplus": lambda x: gc.log(1 + gc.exp(x)),
    "softplus, other order": lambda x: gc.log(gc.exp(x) + 1.0),
    "sigmoid": lambda x: 1 / (1 + gc.exp(-x)),
    "sigmoid by exp(x)": lambda x: gc.exp(x) / (1 + gc.exp(x)),
    "sigmoid, scaled": lambda x: 1 / (1 + gc.exp(-2 * x)),
    "log sigmoid": lambda x: gc.log(1 / (1 + gc.exp(-x))),
    "log of the complement": lambda x: gc.log(1 - 1 / (1 + gc.exp(-x))),
    "log1p of the negated": lambda x: gc.log1p(-gc.sigmoid(x)),
    "tanh": lambda x: (gc.exp(x) - gc.exp(-x)) / (gc.exp(x) + gc.exp(-x)),
    "tanh by exp(2x)": lambda x: (gc.exp(2 * x) - 1) / (gc.exp(2 * x) + 1),
    "tanh by exp(-2x)": lambda x: (1 - gc.exp(-2 * x)) / (1 + gc.exp(-2 * x)),
    "tanh by sigmoid": lambda x: 2 / (1 + gc.exp(-2 * x)) - 1,
    "swish": lambda x: x / (1 + gc.exp(-x)),
}


def _sigmoid(x: Any) -> Any:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def _softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


EXACT: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "softplus": (_softplus, _sigmoid),
    "softplus, other order": (_softplus, _sigmoid),
    "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x)),
    "sigmoid by exp(x)": (_sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x)),
    "sigmoid, scaled": (lambda x: _sigmoid(2 * x), lambda x: 2 * _sigmoid(2 * x) * _sigmoid(-2 * x)),
    "log sigmoid": (lambda x: -_softplus(-x), lambda x: _sigmoid(-x)),
    "log of the complement": (lambda x: -_softplus(x), lambda x: -_sigmoid(x)),
    "log1p of the negated": (lambda x: -_softplus(x), lambda x: -_sigmoid(x)),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "tanh by exp(2x)": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "tanh by exp(-2x)": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "tanh by sigmoid": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "swish": (lambda x: x * _sigmoid(x), lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x))),
}
EXTREME = np.array([-1000.0, -90.0, -1.0, -1e-9, 0.0, 1e-9, 2.0, 90.0, 1000.0])


@pytest.mark.parametrize("name", NAIVE)
def test_value_and_gradient_at_extreme_inputs(name: str) -> None:
    graph = gc.Graph()
    x = graph.input("x", ("N",), "float64")
    y = NAIVE[name](x)
    cone = stabilise(Cone(graph, {"y": y.id, "dx": gc.grad(gc.sum(y), x).id})).cone
    found = interpret(cone, x=EXTREME)
    value, slope = EXACT[name]
    np.testing.assert_allclose(found["y"], value(EXTREME), rtol=1e-14)
    np.testing.assert_allclose(found["dx"], slope(EXTREME), rtol=1e-7, atol=1e-12)


LOGITS = np.array([[1000.0, 0.0, -1000.0], [3.0, 1000.5, 1000.0], [0.1, 0.2, 0.3]])
TARGETS = np.array([1, 2, 0])


def _kept(e: Any) -> Any:
    return e / gc.sum(e, axis=1, keepdims=True)


def _expanded(e: Any) -> Any:
    return e / gc.expand_dims(gc.sum(e, axis=1), 1)


def _spread(e: Any) -> Any:
    return e / gc.broadcast_to(gc.expand_dims(gc.sum(e, axis=-1), -1), e.shape)


def _turned(e: Any) -> Any:
    return gc.transpose(gc.transpose(e) / gc.sum(gc.transpose(e), axis=0))


SOFTMAXES = {
    "kept": lambda x: _kept(gc.exp(x)),
    "expanded": lambda x: _expanded(gc.exp(x)),
    "spread": lambda x: _spread(gc.exp(x)),
    "along the first axis, no keepdims": lambda x: gc.transpose(
        gc.exp(x.T) / gc.sum(gc.exp(x.T), axis=0),
    ),
    "shifted by a constant": lambda x: _kept(gc.exp(x - 2.0)),
    "shifted by the maximum": lambda x: _kept(gc.exp(x - gc.max(x, axis=1, keepdims=True))),
}
LOSSES = {
    "taken": lambda p, t: -gc.mean(gc.log(gc.take_along_axis(p, gc.expand_dims(t, 1), axis=1))),
    "log, then taken": lambda p, t: -gc.mean(gc.take_along_axis(gc.log(p), gc.expand_dims(t, 1), axis=1)),
    "one-hot": lambda p, t: -gc.mean(gc.sum(gc.one_hot(t, 3, "float64") * gc.log(p), axis=1)),
    "squeezed": lambda p, t: gc.mean(
        -gc.log(gc.squeeze(gc.take_along_axis(p, gc.expand_dims(t, 1), axis=1), 1))
    ),
}


def _cross_entropy(logits: Any, targets: Any) -> tuple[float, Any]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    logged = shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))
    rows = np.arange(len(targets))
    gradient = np.exp(logged)
    gradient[rows, targets] -= 1
    return float(-np.mean(logged[rows, targets])), gradient / len(targets)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("softmax", SOFTMAXES)
def test_naive_cross_entropy_at_logits_of_a_thousand(softmax: str, loss: str) -> None:
    graph = gc.Graph()
    x, t = graph.input("x", ("N", 3), "float64"), graph.input("t", ("N",), "int32")
    p = SOFTMAXES[softmax](x)
    y = LOSSES[loss](p, t)
    cone = Cone(graph, {"p": p.id, "loss": y.id, "dx": gc.grad(y, x).id})
    found = interpret(stabilise(cone).cone, x=LOGITS, t=TARGETS)
    expected, gradient = _cross_entropy(LOGITS, TARGETS)
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-12)
    np.testing.assert_allclose(found["dx"], gradient, atol=1e-12)
    np.testing.assert_allclose(np.sum(found["p"], axis=1), 1, rtol=1e-12)


def test_binary_cross_entropy_written_out() -> None:
    graph = gc.Graph()
    x, t = graph.input("x", ("N",), "float64"), graph.input("t", ("N",), "float64")
    p = 1 / (1 + gc.exp(-x))
    loss = -gc.sum(t * gc.log(p) + (1 - t) * gc.log(1 - p))
    wanted = {"x": np.array([1000.0, -1000.0, 40.0]), "t": np.array([0.0, 1.0, 0.25])}
    cone = stabilise(Cone(graph, {"loss": loss.id, "dx": gc.grad(loss, x).id})).cone
    found = interpret(cone, **wanted)
    np.testing.assert_allclose(found["loss"], 1000 + 1000 + 30, rtol=1e-12)
    np.testing.assert_allclose(found["dx"], [1, -1, 0.75], rtol=1e-12)


def test_norm_has_gradient_zero_at_zero() -> None:
    graph = gc.Graph()
    x = graph.input("x", (3,), "float64")
    y = gc.sqrt(gc.sum(x * x))
    np.testing.assert_array_equal(interpret(gc.grad(y, x), x=np.zeros(3)), np.zeros(3))


@pytest.mark.parametrize(
    "build",
    [
        lambda x: gc.exp(x) / gc.sum(gc.exp(x), axis=0),  # (3, 3): the sums stand along the wrong axis
        lambda x: gc.exp(x) / gc.expand_dims(gc.sum(gc.exp(x), axis=0), 1),
        lambda x: gc.exp(x) / gc.transpose(gc.sum(gc.exp(x), axis=1, keepdims=True)),
        lambda x: gc.exp(x) / gc.sum(gc.exp(2 * x), axis=1, keepdims=True),
        lambda x: gc.exp(x) / gc.sum(gc.exp(x)),
    ],
)
def test_what_only_looks_like_a_softmax_keeps_its_value(build: Any) -> None:
    graph = gc.Graph()
    y = build(graph.input("x", (3, 3), "float64"))
    x = np.arange(9.0).reshape(3, 3) / 4
    cone = Cone(graph, {"y": y.id})
    expected = interpret(cone, x=x)["y"]
    np.testing.assert_allclose(interpret(stabilise(cone).cone, x=x)["y"], expected, rtol=1e-14)


@pytest.mark.parametrize(
    "build",
    [
        lambda x: gc.exp(x) - 2,
        lambda x: gc.exp(x) * gc.sum(gc.exp(x)),
        lambda x: gc.log(gc.take(x, [0])),
        lambda x: (x + 1e16) - 1e16,
        lambda x: gc.exp(gc.log(x)),
    ],
)
def test_no_rule_touches_what_is_stable_as_written(build: Any) -> None:
    graph = gc.Graph()
    cone = Cone(graph, {"y": build(graph.input("x", (3,))).id})
    assert not stabilise(cone).applied
