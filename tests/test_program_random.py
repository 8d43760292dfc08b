"""Random graphs: what is compiled gives the interpreter's values, gradients and updates.

Forty graphs by default; ``HYPOTHESIS_PROFILE=thorough pytest tests/test_program_random.py`` tries hundreds of new ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from program_cases import agree
from random_dags import Case, dags, loss_of

import graphc as gc
from graphc.graph import Graph, Handle, Node, rebuild
from graphc.graph.cone import Cone
from graphc.size import Size, substitute

# Relative to the largest element; formulas as compiled are stabilised, those interpreted are not.
SLACK = {"float64": 1e4, "float32": 1e3}


def everything(case: Case) -> dict[str, Handle]:
    """The outputs, a loss and its gradients."""
    loss = loss_of(case)
    gradients = gc.grad(loss, list(case.differentiable)) if case.differentiable else {}
    return {**case.outputs, "loss": loss, **{f"by {x.name}": g for x, g in gradients.items()}}


def holds(case: Case, dtype: str) -> None:
    outputs = everything(case)
    program = gc.compile(outputs)
    given = {name: case.inputs[name] for name in program.inputs}
    found, due = program(**given), gc.interpret(outputs, **given)
    for name, value in found.items():
        agree(value, due[name], name, SLACK[dtype])
    again = program(**given)
    for name, value in found.items():
        np.testing.assert_array_equal(again[name], value, err_msg=f"{name}, called twice")


@given(dags(dtype="float64"))
def test_values_and_gradients_in_float64(case: Case) -> None:
    holds(case, "float64")


@settings(max_examples=max(10, settings().max_examples // 4))
@given(dags(dtype="float32"))
def test_values_and_gradients_in_float32(case: Case) -> None:
    holds(case, "float32")


def with_states(case: Case) -> Cone:
    """The graph of ``case`` with its inputs as parameters, which the gradients of its loss and each other update."""
    sizes = {
        d: n for x in case.differentiable for d, n in zip(x.shape, case.inputs[x.name].shape, strict=True)
    }
    loss = loss_of(case)
    gradients = gc.grad(loss, list(case.differentiable))
    named = {**case.outputs, "loss": loss, **{f"by {x.name}": g for x, g in gradients.items()}}
    cone = Cone(case.graph, {name: node.id for name, node in named.items()})

    def visit(target: Graph, at: int, node: Node, operands: Any) -> Handle | None:
        name = node.param.get("name")
        if node.op == "input":
            return target.param(
                str(name), case.inputs[str(name)].shape, node.type.dtype, init=case.inputs[str(name)]
            )
        params = {k: _bound(v, sizes) for k, v in node.params}
        return None if node.is_leaf else target.add(node.op, operands, **params)

    return rebuild(cone, visit).cone


def _bound(value: Any, sizes: dict[Any, int]) -> Any:
    if isinstance(value, Size):
        return substitute(value, {str(d): n for d, n in sizes.items() if isinstance(d, Size)})
    return tuple(_bound(v, sizes) for v in value) if isinstance(value, tuple) else value


@settings(max_examples=max(15, settings().max_examples // 3))
@given(dags(dtype="float64"), st.booleans())
def test_updates_read_the_values_from_before(case: Case, stepped: bool) -> None:
    if not case.differentiable:
        return
    cone = with_states(case)
    graph = cone.graph
    outputs = {name: graph.handle(at) for name, at in cone.outputs.items() if not name.startswith("by ")}
    params = graph.leaves("param")
    updates: dict[Handle, Handle] = {}
    for p in params:
        gradient = graph.handle(cone.outputs[f"by {p.name}"])
        same = [q for q in params if q.type == p.type and q is not p]
        updates[p] = same[0] if same and not stepped else p - gc.cast(graph.const(0.1), "float64") * gradient
    program = gc.compile(outputs, updates=updates)
    values = {p.name: program.params[p.name].copy() for p in params}
    for _ in range(2):
        due = gc.interpret({**outputs, **{f"next {p.name}": u for p, u in updates.items()}}, params=values)
        found = program()
        for name, value in found.items():
            agree(value, due[name], name, SLACK["float64"])
        for p in params:
            agree(program.params[p.name], due[f"next {p.name}"], p.name, SLACK["float64"])
        values = {p.name: program.params[p.name].copy() for p in params}
