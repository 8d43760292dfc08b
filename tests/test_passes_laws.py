"""Laws of passes on random graphs: no value changes, types hold, running again changes nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from random_dags import Case, dags, loss_of

from graphc.diff import grad
from graphc.graph import Cone, Handle
from graphc.interpret import interpret
from graphc.passes import DEFAULT, IDENTITIES, fold, pipeline, prune, resolve_phase, run, share, simplify
from graphc.rewrite import RULES, stabilise

PASSES = (resolve_phase("train"), prune, stabilise, simplify, fold, share)
quick = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck), derandomize=True)


def cone_of(outputs: dict[str, Handle]) -> Cone:
    graph = next(iter(outputs.values())).graph
    return Cone(graph, {name: node.id for name, node in outputs.items()})


def values(cone: Cone, inputs: dict[str, Any]) -> dict[str, Any]:
    needed = {cone.graph.nodes[at].param["name"] for at in cone.nodes if cone.graph.nodes[at].op == "input"}
    return interpret(cone, **{name: array for name, array in inputs.items() if name in needed})


def assert_close(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert before.keys() == after.keys()
    for name, expected in before.items():
        assert np.all(np.isfinite(expected))
        np.testing.assert_allclose(after[name], expected, rtol=1e-8, atol=1e-8, err_msg=name)


def with_gradients(case: Case) -> Cone:
    found = grad(loss_of(case), list(case.differentiable), stabilise=False)
    return cone_of(case.outputs | {f"d{leaf.name}": gradient for leaf, gradient in found.items()})


@pytest.mark.parametrize("one", PASSES, ids=lambda p: p.__name__)
@quick
@given(case=dags())
def test_each_pass_changes_no_value(one: Any, case: Case) -> None:
    cone = cone_of(case.outputs)
    after = run(cone, (one,), verify=True).cone
    assert_close(values(cone, case.inputs), values(after, case.inputs))


@quick
@given(case=dags())
def test_all_passes_change_no_value_of_forward_and_backward(case: Case) -> None:
    cone = with_gradients(case)
    result = run(cone, pipeline("train"), verify=True)
    assert_close(values(cone, case.inputs), values(result.cone, case.inputs))


@quick
@given(case=dags())
def test_gradients_of_the_stabilised_are_the_gradients_of_the_declared(case: Case) -> None:
    loss = loss_of(case)
    plain = grad(loss, list(case.differentiable), stabilise=False)
    stable = grad(loss, list(case.differentiable), stabilise=True)
    named = (case.outputs | {f"d{leaf.name}": g for leaf, g in found.items()} for found in (plain, stable))
    before, after = (values(cone_of(found), case.inputs) for found in named)
    assert_close(before, after)


@quick
@given(case=dags())
def test_twice_is_once(case: Case) -> None:
    cone = run(with_gradients(case), pipeline("train")).cone
    again = run(cone, DEFAULT)
    assert str(again.cone) == str(cone)
    assert not stabilise(stabilise(cone).cone).applied


@quick
@given(case=dags())
def test_the_mapping_leads_from_first_to_last(case: Case) -> None:
    cone = cone_of(case.outputs)
    result = run(cone, pipeline("eval"))
    assert set(result.mapping) == set(cone.nodes)
    for name, at in cone.outputs.items():
        assert result.mapping[at] == result.cone.outputs[name]
    live = set(result.cone.nodes)
    assert all(now is None or now in live for now in result.mapping.values())


def test_every_rule_has_its_own_name() -> None:
    names = [rule.name for rule in (*RULES, *IDENTITIES)]
    assert len(names) == len(set(names))
