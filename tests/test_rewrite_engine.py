"""The engine: cuts and kept nodes, records, order, matching in all its variants, large graphs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.diff import grad
from graphc.graph import Cone, Graph, Handle, parse
from graphc.interpret import interpret
from graphc.passes import prune, run
from graphc.rewrite import RULES, Rewriter, Rule, by_op, rewrite_cone, stabilise, stabilise_cone
from graphc.rewrite.pattern import Var, op

X, Y, A = Var("X"), Var("Y"), Var("A")


def ops_of(cone: Cone) -> list[str]:
    return [cone.graph.nodes[at].op for at in cone.nodes]


def rewritten(value: Handle, *rules: Rule) -> list[str]:
    return ops_of(rewrite_cone(Cone(value.graph, {"y": value.id}), by_op(rules)).cone)


def rule(left: Any, right: Any, name: str = "test") -> Rule:
    return Rule(name=name, left=left, right=right, assumes="", example=lambda g: g.input("x"))


@pytest.fixture
def x() -> Handle:
    return gc.Graph().input("x", ("N", 3))


# ----------------------------------------------------------------------------------------------- matching

MATCHED = {
    "as written": lambda x: gc.exp(x) - 1,
    "a negative number added": lambda x: gc.exp(x) + -1,
    "the other order": lambda x: -1 + gc.exp(x),
    "a number broadcast": lambda x: gc.exp(x) - gc.broadcast_to(x.graph.const(1.0), (3,)),
    "an array of ones": lambda x: gc.exp(x) - np.ones((1, 3), np.float32),
    "a negated number": lambda x: gc.exp(x) + -x.graph.const(1.0),
}
UNMATCHED = {
    "another number": lambda x: gc.exp(x) - 2,
    "the negated": lambda x: -gc.exp(x) - 1,
    "an array of two values": lambda x: gc.exp(x) - np.array([1, 1, 2], np.float32),
    "one added": lambda x: gc.exp(x) + 1,
}


@pytest.mark.parametrize("form", MATCHED)
def test_a_difference_is_recognised(form: str, x: Handle) -> None:
    assert "expm1" in rewritten(MATCHED[form](x), rule(op("exp")(X) - 1, op("expm1")(X)))


@pytest.mark.parametrize("form", UNMATCHED)
def test_what_is_no_difference_is_not(form: str, x: Handle) -> None:
    assert "expm1" not in rewritten(UNMATCHED[form](x), rule(op("exp")(X) - 1, op("expm1")(X)))


def test_a_number_wider_than_the_rest_keeps_the_shape(x: Handle) -> None:
    y = gc.exp(gc.sum(x, axis=0)) - np.ones((2, 3), np.float32)
    cone = Cone(x.graph, {"y": y.id})
    done = run(cone, (stabilise,), verify=True)
    assert ops_of(done.cone) == ["input", "sum", "expm1", "broadcast_to"]


def test_a_variable_that_stands_twice_is_one_node(x: Handle) -> None:
    same = rule(op("mul")(X, op("exp")(X)), op("exp")(X))
    assert "mul" not in rewritten(gc.exp(x) * x, same)
    assert "mul" in rewritten(gc.exp(x) * (x + 1), same)


def test_the_negative_of_a_known_variable(x: Handle) -> None:
    even = rule(op("exp")(X) + op("exp")(-X), op("cosh")(X))
    assert rewritten(gc.exp(-x) + gc.exp(x), even)[-1] == "cosh"
    assert rewritten(gc.exp(-x) + gc.exp(-x), even)[-1] == "add"


def test_parameters_bind_and_compare(x: Handle) -> None:
    fixed = rule(
        op("exp")(op("sum")(X, axes=(0,), keepdims=A)), op("log")(op("max")(X, axes=(0,), keepdims=A))
    )
    for keepdims in (False, True):
        y = gc.exp(gc.sum(x, axis=0, keepdims=keepdims))
        cone = rewrite_cone(Cone(x.graph, {"y": y.id}), by_op([fixed])).cone
        assert ops_of(cone) == ["input", "max", "log"]
        assert cone.graph.nodes[cone.outputs["y"]].type == y.type
    assert "exp" in rewritten(gc.exp(gc.sum(x, axis=1)), fixed)
    assert "exp" in rewritten(gc.exp(gc.sum(x, axis=(0, 1))), fixed)


def test_the_first_rule_that_fits_wins(x: Handle) -> None:
    first, second = rule(op("exp")(X), op("sin")(X), "first"), rule(op("exp")(X), op("cos")(X), "second")
    assert rewritten(gc.exp(x), first, second) == ["input", "sin"]
    assert rewritten(gc.exp(x), second, first) == ["input", "cos"]


def test_rules_that_undo_each_other_stop(x: Handle) -> None:
    there, back = rule(op("sin")(X), op("cos")(X)), rule(op("cos")(X), op("sin")(X))
    assert rewritten(gc.sin(x), there, back)[-1] in ("sin", "cos")


def test_a_rule_may_not_change_the_dtype(x: Handle) -> None:
    class Wrong:
        name, ops = "wrong", ("exp",)

        def apply(self, b: Rewriter, term: Any) -> Handle:
            return b("isnan", term.operands[0])

    with pytest.raises(AssertionError, match="turned"):
        rewrite_cone(Cone(x.graph, {"y": gc.exp(x).id}), by_op([Wrong()]))


# ------------------------------------------------------------------------------------------------ records


def test_a_rewrite_is_recorded_with_its_layer_and_line() -> None:
    graph = gc.Graph()
    x = graph.input("x", (3,))
    with graph.scope("gate"):
        y = gc.log(1 + gc.exp(x))
    done = stabilise(Cone(graph, {"y": y.id}))
    (applied,) = done.applied
    assert (applied.rule, applied.old, applied.layer) == ("softplus", y.id, "gate")
    assert "test_rewrite_engine.py" in applied.place
    assert done.mapping[y.id] == applied.new == done.cone.outputs["y"]
    assert str(applied) == f"softplus: %{y.id} -> %{applied.new}  # gate"
    assert [o.layer for o in done.cone.graph.origins(applied.new)] == ["gate"]


def test_the_role_of_a_rewritten_node_stays() -> None:
    graph = gc.Graph()
    x = graph.input("x", (3,))
    with graph.role("update"):
        y = gc.exp(x) - 1
    cone = stabilise(Cone(graph, {"y": y.id})).cone
    assert cone.graph.origins(cone.outputs["y"])[0].role == "update"


# -------------------------------------------------------------------------------------------- kept and cut


def test_no_rule_crosses_a_kept_node() -> None:
    graph = gc.Graph()
    x = graph.input("x", (3,))
    e = gc.exp(x)
    y = gc.log(1 + e)
    cone = Cone(graph, {"y": y.id}, kept=frozenset({e.id}))
    done = stabilise(cone)
    assert ops_of(done.cone) == ["input", "exp", "log1p"]
    assert done.cone.kept == {done.mapping[e.id]}


def test_no_rule_replaces_a_kept_node() -> None:
    graph = gc.Graph()
    y = gc.log(1 + gc.exp(graph.input("x", (3,))))
    cone = Cone(graph, {"y": y.id}, kept=frozenset({y.id}))
    assert ops_of(stabilise(cone).cone)[-1] == "log"


def test_an_output_on_the_way_is_no_obstacle() -> None:
    graph = gc.Graph()
    p = gc.sigmoid(graph.input("x", (3,)))
    cone = stabilise(Cone(graph, {"p": p.id, "loss": gc.log(p).id})).cone
    assert ops_of(cone) == ["input", "sigmoid", "neg", "softplus", "neg"]


def test_in_place_cuts_stand_for_themselves() -> None:
    graph = gc.Graph()
    e = gc.exp(graph.input("x", (3,)))
    y = gc.log(1 + e)
    mapping, applied = stabilise_cone(graph, [y.id], [e.id])
    assert mapping[e.id] == e.id
    assert graph.nodes[mapping[y.id]].op == "log1p"
    assert [a.rule for a in applied] == ["log1p"]
    assert graph.nodes[mapping[y.id]].operands == (e.id,)


def test_in_place_what_is_stable_stays_the_same_node() -> None:
    graph = gc.Graph()
    y = gc.tanh(graph.input("x", (3,))) * 2
    size = len(graph)
    mapping, applied = stabilise_cone(graph, [y.id])
    assert all(old == new for old, new in mapping.items())
    assert not applied
    assert len(graph) == size


def test_in_place_twice_adds_nothing() -> None:
    graph = gc.Graph()
    e = gc.exp(graph.input("x", ("N", 3)))
    y = gc.sum(gc.log(e / gc.sum(e, axis=1, keepdims=True)))
    mapping, _ = stabilise_cone(graph, [y.id])
    size = len(graph)
    assert stabilise_cone(graph, [y.id])[0] == mapping
    again, applied = stabilise_cone(graph, [mapping[y.id]])
    assert again[mapping[y.id]] == mapping[y.id]
    assert not applied
    assert len(graph) == size


def test_no_rewrite_lands_on_a_cut() -> None:
    """z and 1 - sigmoid(x) are equal, but the user's loss does not depend on the node z."""
    graph = gc.Graph()
    x = graph.input("x", (3,), "float64")
    z = gc.sigmoid(-x)
    loss = gc.sum(z * 3 + (1 - gc.sigmoid(x)))
    found = interpret(grad(loss, z), x=np.ones(3))
    np.testing.assert_array_equal(found, [3, 3, 3])


def test_no_copy_lands_on_a_cut() -> None:
    graph = gc.Graph()
    x = graph.input("x", (3,), "float64")
    z = gc.square(gc.sigmoid(x))
    loss = gc.sum(z * 3 + gc.square(1 / (1 + gc.exp(-x))))
    np.testing.assert_array_equal(interpret(grad(loss, z), x=np.ones(3)), [3, 3, 3])


def test_the_derivative_by_a_node_inside_a_formula() -> None:
    graph = gc.Graph()
    x = graph.input("x", (3,), "float64")
    s = gc.sum(gc.exp(x))
    loss = gc.sum(gc.log(gc.exp(x) / s))
    at = np.array([0.1, 0.2, 0.3])
    np.testing.assert_allclose(interpret(grad(loss, s), x=at), -3 / np.sum(np.exp(at)))


def test_second_derivatives_of_a_stabilised_formula() -> None:
    graph = gc.Graph()
    x = graph.input("x", (3,), "float64")
    once = grad(gc.sum(gc.log(1 + gc.exp(x))), x)
    twice = grad(gc.sum(once), x)
    s = 1 / (1 + np.exp(-np.array([-500.0, 0.5, 30.0])))
    np.testing.assert_allclose(interpret(twice, x=[-500.0, 0.5, 30.0]), s * (1 - s), rtol=1e-3, atol=1e-14)


# --------------------------------------------------------------------------------------------- large graphs


def test_a_long_chain_needs_no_recursion() -> None:
    graph = gc.Graph()
    y = x = graph.input("x", (2,))
    for _ in range(3000):
        y = gc.log(1 + gc.exp(y))
    done = stabilise(Cone(graph, {"y": y.id}))
    assert len(done.applied) == 3000
    assert ops_of(done.cone) == ["input"] + ["softplus"] * 3000
    assert stabilise_cone(graph, [y.id])[0][x.id] == x.id


def test_the_text_of_a_rewritten_cone_reads_back() -> None:
    graph = gc.Graph()
    e = gc.exp(graph.input("x", ("N", 3)))
    cone = prune(stabilise(Cone(graph, {"p": (e / gc.sum(e, axis=1, keepdims=True)).id})).cone).cone
    assert isinstance(parse(str(cone.graph)), Graph)
    assert parse(str(cone.graph)) == cone.graph
    assert {r.name for r in RULES} >= {"softmax"}
