"""Random formulas: stabilised, they have the value of exact arithmetic as closely as written, and twice is once."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import graphc as gc
from graphc.analysis.lost import lost_bits
from graphc.graph import Cone
from graphc.passes import prune
from graphc.rewrite import stabilise

RANGES = {"x": (0.3, 2.0), "y": (0.3, 2.0)}
UNARY = (
    "exp",
    "neg",
    "sqrt",
    "log",
    "square",
    "sigmoid",
    "softplus",
    "tanh",
    "cos",
    "sin",
    "expm1",
    "log1p",
    "reciprocal",
)
BINARY = ("add", "sub", "mul", "div")
LEAVES = st.sampled_from(["x", "y", 1.0, 2.0, 0.5])


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    once = st.tuples(st.sampled_from(UNARY), inner)
    return once | st.tuples(st.sampled_from(BINARY), inner, inner)


FORMULAS = st.recursive(LEAVES, _grown, max_leaves=7)


def built(formula: Any, leaves: dict[str, Any]) -> Any:
    if not isinstance(formula, tuple):
        return leaves.get(formula) if isinstance(formula, str) else formula
    name, *operands = formula
    return gc.FUNCTIONS[name](
        *(gc.graph.lift(leaves["x"].graph, built(o, leaves), leaves["x"].dtype) for o in operands)
    )


def declared(formula: Any) -> Any:
    g = gc.Graph()
    leaves = {name: g.input(name, (), "float64") for name in RANGES}
    return gc.graph.lift(g, built(formula, leaves), leaves["x"].dtype)


@settings(max_examples=60)
@given(FORMULAS)
def test_values_stay_as_close_to_exact_arithmetic(formula: Any) -> None:
    node = declared(formula)
    if not stabilise(Cone(node.graph, {"y": node.id})).applied:
        return
    found = lost_bits(node, RANGES, scale=1.0, count=8)
    worse = found.stable.ulps - 4 * found.written.ulps - 16 - 16 * found.inherent
    assert np.all(worse <= 0), (formula, found.stable.ulps, found.written.ulps)


@given(FORMULAS)
def test_twice_is_once(formula: Any) -> None:
    node = declared(formula)
    once = prune(stabilise(Cone(node.graph, {"y": node.id})).cone).cone
    assert str(stabilise(once).cone) == str(once)
