"""The gradient checker: agrees on right gradients, and catches wrong ones."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc.ops  # noqa: F401 - registers the ops
from graphc.diff import check_gradients
from graphc.graph import FUNCTIONS, Graph

F: Any = FUNCTIONS


def regression() -> tuple[Graph, Any]:
    g = Graph("regression", seed=3)
    x, w, b = g.input("x", ("N", 3)), g.param("w", (3, 2)), g.param("b", (2,))
    g.param("elsewhere", (4,))
    return g, F["mean"](F["square"](F["tanh"](x @ w + b)))


def test_right_gradients_agree_although_the_graph_is_float32() -> None:
    _, loss = regression()
    report = check_gradients(loss, x=np.ones((4, 3), "float32"), params={"elsewhere": np.ones(4, "float32")})
    assert report.ok
    assert report.worst < 1e-9
    assert {e.name for e in report.entries} == {"x", "w", "b"}
    assert str(report).splitlines()[0].startswith("20 derivatives by ")
    assert "agree within 1e-06" in str(report)


def test_graph_is_left_as_it_was() -> None:
    g, loss = regression()
    before = str(g)
    check_gradients(loss, x=[[1, 2, 3]])
    assert str(g) == before


def test_large_arrays_are_sampled_and_chosen_nodes_are_checked() -> None:
    g = Graph()
    x, w = g.input("x", (100, 10)), g.param("w", (10,))
    report = check_gradients(F["sum"](F["sin"](x * w)), wrt=[x], limit=7, x=np.ones((100, 10), "float32"))
    assert len(report.entries) == 7
    assert {e.name for e in report.entries} == {"x"}


def test_inner_nodes_constants_and_casts_take_part() -> None:
    g = Graph()
    x = g.input("x", (3,))
    n = g.input("n", (3,), "int32")
    u = F["sin"](x) * g.const([1.5, 2.5, 3.5])
    loss = F["sum"](u * F["cast"](n, "float32") * F["mean"](n))
    assert check_gradients(loss, wrt=[u, x], x=[1, 2, 3], n=[1, 2, 4]).ok


def test_what_stop_gradient_hides_is_held() -> None:
    g = Graph()
    x = g.input("x", (3,))
    assert check_gradients(F["sum"](F["stop_gradient"](x * x) * x), x=[1, 2, 3]).ok
