"""The checker accepts what the writer builds and names what a careless pass breaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import graphc.ops  # noqa: F401 - registers the ops
from graphc.check import check
from graphc.errors import GraphError
from graphc.graph import FUNCTIONS, Cone, Graph
from graphc.graph.node import Node
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


def rewire(g: Graph) -> None:
    at = node_of(g, "tanh")
    g.nodes[at] = replace(g.nodes[at], operands=(0,))


BROKEN: list[tuple[str, Callable[[Graph], Any], str]] = [
    (
        "type",
        lambda g: change(g, "tanh", type=Type(DType.F32, (3,))),
        r"%\d+ \(tanh %\d+\): has type f32\[3\], but tanh gives f32\[N,2\]",
    ),
    (
        "dtype",
        lambda g: change(g, "tanh", type=Type(DType.F64, g.nodes[node_of(g, "tanh")].type.shape)),
        "tanh gives f32",
    ),
    ("order", lambda g: change(g, "tanh", operands=(99,)), "operand %99 does not stand before it|disagree"),
    ("edges", rewire, "networkx and the nodes of graph 'g' disagree at"),
    ("unknown op", lambda g: change(g, "tanh", op="tnah"), "its op refuses it: there is no op 'tnah'"),
    ("misfit", lambda g: change(g, "param", type=Type(DType.F32, (4, 2))), "its op refuses it"),
    ("leaf name", lambda g: change(g, "param", params=(("name", "x"),)), "name 'x' is missing or used twice"),
    ("no name", lambda g: change(g, "param", params=()), "name None is missing or used twice"),
    ("constant", lambda g: change(g, "const", params=(("value", 3),)), "its value is a int, not a constant"),
    (
        "extra node",
        lambda g: g.nodes.append(Node("input", (), (("name", "z"),), Type(DType.F32))),
        "networkx and the nodes of graph 'g' disagree at 8",
    ),
    ("update", lambda g: g.state_updates.update({g["s"].id: g["w"].id}), "update has shape"),
    (
        "update of an input",
        lambda g: g.state_updates.update({g["x"].id: g["x"].id}),
        "is neither a parameter nor a state",
    ),
    ("index of names", lambda g: g._named.update(w=0), "stands for another node"),
]


@pytest.mark.parametrize(("what", "breaks", "text"), BROKEN)
def test_what_is_broken_is_named(what: str, breaks: Callable[[Graph], Any], text: str) -> None:
    g = built()
    breaks(g)
    with pytest.raises(GraphError, match=text):
        check(g)


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
