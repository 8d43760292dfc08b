"""The networkx view: the graph itself, for any algorithm, and nothing in it can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import networkx
import pytest

import graphc as gc
from graphc.errors import GraphError


def squared() -> gc.Graph:
    g = gc.Graph("squared")
    x = g.input("x", (3,))
    _ = x * x
    return g


def test_both_edges_of_a_square_stand() -> None:
    view = squared().nx
    assert isinstance(view, networkx.MultiDiGraph)
    assert sorted(view.edges(keys=True)) == [(0, 1, 0), (0, 1, 1)]
    assert [view.edges[0, 1, k]["operand"] for k in (0, 1)] == [0, 1]
    assert list(networkx.topological_sort(view)) == [0, 1]
    assert view.nodes[1]["op"] == "mul"


@pytest.mark.parametrize(
    "write",
    [
        lambda v: v.add_node(7),
        lambda v: v.add_edge(0, 1),
        lambda v: v.remove_node(0),
        lambda v: v.nodes[0].update(op="exp"),
        lambda v: v.nodes[0].__setitem__("op", "exp"),
        lambda v: v.nodes[0].pop("op"),
        lambda v: v.edges[0, 1, 0].update(operand=1),
        lambda v: v.edges[0, 1, 0].setdefault("weight", 1),
        lambda v: v.graph.update(name="other"),
    ],
)
def test_nothing_can_be_written(write: Callable[[Any], Any]) -> None:
    g = squared()
    before = str(g)
    with pytest.raises((GraphError, networkx.NetworkXError)):
        write(g.nx)
    assert str(g) == before
    assert g.nx.nodes[0]["op"] == "input"
    assert g.nx.edges[0, 1, 0] == {"operand": 0}


def test_a_view_follows_the_graph() -> None:
    g = squared()
    view = g.nx
    gc.exp(g["x"])
    assert len(view) == 3
