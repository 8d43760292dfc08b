"""Errors that no other table holds: declarations from networkx, formulas, derivatives, drawings, texts, sizes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import networkx
import numpy as np
import pytest
import sympy

import graphc as gc
from graphc.errors import GraphcError
from graphc.size import dim_evaluate, parse_size, symbol

G = gc.Graph("rest")
X = G.input("x", ("N", 3))
K = G.input("k", (3,), "int32")
OTHER = gc.Graph("elsewhere").input("y", (3,))
N = symbol("N")


def network(**nodes: dict[str, Any]) -> networkx.DiGraph:
    dag = networkx.DiGraph()
    for name, attributes in nodes.items():
        dag.add_node(name, **attributes)
    return dag


def imported(*edges: tuple[str, str], **nodes: dict[str, Any]) -> Any:
    dag = network(**nodes)
    dag.add_edges_from(edges)
    return gc.from_networkx(dag)


INPUT = {"op": "input", "shape": (3,)}

CASES: list[tuple[Callable[[], Any], str]] = [
    (lambda: imported(a=INPUT)["b"], "has no node"),
    (lambda: imported(a={"op": 3}), "is not a text; name an op, as in op='mul'"),
    (lambda: imported(a={"op": "param"}), "has neither shape= nor init="),
    (lambda: imported(("a", "a"), a={"op": "exp"}), "has an edge to itself; remove it"),
    (
        lambda: imported(("a", "b"), a=INPUT, b={"op": "exp", "args": "a"}),
        "is not a list; list the operands' names",
    ),
    (
        lambda: imported(("a", "b"), a=INPUT, b={"op": "split", "indices_or_sections": 3}),
        "use an op with one result",
    ),
    (lambda: imported(("a", "b"), a=INPUT, b={"expr": "a +"}), "write it as in 'w*x + b'"),
    (lambda: imported(("a", "b"), a=INPUT, b={"expr": "[a]"}), "is not part of formulas"),
    (lambda: imported(("a", "b"), a=INPUT, b={"expr": "sum(**a)"}), "write the parameters out"),
    (lambda: imported(("a", "b"), a=INPUT, b={"expr": "-" * 150 + "a"}), "is nested deeper than"),
    (
        lambda: imported(
            ("a", "b"), a=INPUT, b={"expr": sympy.Piecewise((sympy.Symbol("a"), sympy.Symbol("a") > 0))}
        ),
        "lacks a last branch; end it with (value, True)",
    ),
    (lambda: gc.grad(3.0), "is not a node; give a floating scalar of a graph"),
    (lambda: gc.grad(G.const(1.0) * 2), "it depends on no floating parameter; say by what"),
    (lambda: gc.grad(gc.sum(X), wrt=3), "wrt 3 is not a node of graph 'rest'; give nodes of that graph"),
    (lambda: gc.jacobian(3.0, X), "is not a node of a graph; give nodes"),
    (lambda: gc.jvp(3.0, {X: X}), "not nodes; give nodes of a graph"),
    (lambda: gc.check_gradients(gc.sum(gc.cast(K, "float32")), k=[1, 2, 3]), "there is nothing to check"),
    (lambda: gc.draw(X, view="backward"), "draw the loss node, or give grads"),
    (lambda: gc.draw(G.const(1.0) * 3.0, view="backward"), "there is no backward graph to draw"),
    (lambda: gc.draw(gc.sum(X), view="both", grads={OTHER: OTHER}), "grads has nodes of another graph"),
    (lambda: bool(X), "neither true nor false while the graph is built; use gc.where"),
    (lambda: list(X), "cannot be iterated; index it, or use gc.split"),
    (lambda: gc.parse("%0: f32[] = exp(3)"), "operands must be nodes such as %0"),
    (
        lambda: gc.parse('%0: f32[3] = input(name="x")\n%1: f32[3] = sum(%0, axes=open("f"))'),
        "is not a literal of the text form",
    ),
    (lambda: gc.parse("nonsense"), "is not of the form '%1: f32[N] = op(%0)'"),
    (lambda: gc.interpret(X, mode="test", x=np.ones((1, 3))), "is unknown; use 'train' or 'eval'"),
    (lambda: gc.interpret(X, params={OTHER: 1}), "is not an input, parameter or state of graph"),
    (lambda: gc.losses.softmax_cross_entropy(G.const(1.0), K), "their last axis must be the classes"),
    (lambda: bool(N), "compare it, as in size == 0"),
    (lambda: symbol("not a name"), "cannot name a size; use an identifier"),
    (lambda: dim_evaluate(N + 1, {}), "N has no value"),
    (lambda: N // 0, "divided by 0; give a size that is at least 1"),
    (lambda: parse_size("N//0"), "divided by 0; give a size that is at least 1"),
    (lambda: parse_size("N**N"), "write powers such as N**2"),
    (lambda: N**-1, "a size cannot be raised to"),
    (lambda: parse_size("(N+M)**60"), "name a part of it by a symbol"),
]


@pytest.mark.parametrize(("act", "text"), CASES, ids=[text[:60] for _, text in CASES])
def test_the_error_says_it(act: Callable[[], Any], text: str) -> None:
    with pytest.raises(GraphcError, match=re.escape(text)):
        act()
