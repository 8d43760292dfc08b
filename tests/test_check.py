"""The checker accepts what the writer builds and names what a careless pass breaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import graphc.ops  # noqa: F401 - registers the ops
from graphc.check import check
from graphc.errors import GraphError
from graphc.graph import FUNCTIONS, Cone, Graph
from graphc.types import DType, Type

F: Any = FUNCTIONS


def built() -> Graph:
    g = Graph("g")
    x, w = g.input("x", ("N", 3)), g.param("w", (3, 2))
    s = g.state("s", (2,))
    g.set_update(s, F["mean"](F["tanh"](x @ w * 2), axis=0))
    return g


def test_what_the_writer_builds_is_right() -> None:
    g = built()
    check(g)
    check(Cone(g, {"y": len(g) - 1}, {g["w"].id: (g["w"] * 2).id}))


def node_of(g: Graph, op: str) -> int:
    return next(at for at, node in enumerate(g.nodes) if node.op == op)


def change(g: Graph, which: str, **changes: Any) -> None:
    at = node_of(g, which)
    g.nodes[at] = replace(g.nodes[at], **changes)


def test_cones_are_checked_as_far_as_they_reach() -> None:
    g = built()
    top = len(g) - 1
    with pytest.raises(GraphError, match=r"output 'y' is %99, which graph 'g' has not"):
        check(Cone(g, {"y": 99}))
    with pytest.raises(GraphError, match="the cone names %99"):
        check(Cone(g, {"y": top}, kept=frozenset({99})))
    with pytest.raises(GraphError, match="is neither a parameter nor a state"):
        check(Cone(g, {}, {g["x"].id: g["x"].id}))
    change(g, "mean", type=Type(DType.F32))
    check(Cone(g, {"y": node_of(g, "tanh")}))
    with pytest.raises(GraphError, match="mean"):
        check(Cone(g, {"y": node_of(g, "mean")}))
