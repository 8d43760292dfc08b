"""The slopes at kinks are fixed by one table, and the dead branch of a select never leaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphc.ops  # noqa: F401 - registers the ops
from graphc.diff import grad, hvp, jvp
from graphc.graph import FUNCTIONS, Cone, Graph, Handle
from graphc.interpret import interpret

F: Any = FUNCTIONS
INF, NAN = float("inf"), float("nan")

KINKS = [
    ("relu", [-1, 0, 2], [0, 0, 1]),
    ("abs", [-1, 0, 2], [-1, 0, 1]),
    ("sign", [-1, 0, 2], [0, 0, 0]),
    ("floor", [-1, 0.5, 2], [0, 0, 0]),
    ("ceil", [-1, 0.5, 2], [0, 0, 0]),
    ("rint", [-1, 0.5, 2], [0, 0, 0]),
    ("trunc", [-1, 0.5, 2], [0, 0, 0]),
    ("heaviside", [-1, 0, 2], [0, 0, 0]),
    ("hard_tanh", [-2, -1, 0, 1, 2], [0, 0, 1, 0, 0]),
    ("elu", [0, 2], [1, 1]),
]


@pytest.mark.parametrize(("name", "at", "due"), KINKS)
def test_slope_of_a_function_at_its_kinks(name: str, at: list[float], due: list[float]) -> None:
    assert slopes(F[name], at) == due


def slopes(function: Callable[[Handle], Handle], at: list[float]) -> list[float]:
    """The slope by reverse mode, which forward mode must give as well."""
    g = Graph()
    x = g.input("x", (len(at),), "float64")
    y = function(x)
    reverse, forward = interpret([grad(F["sum"](y), x), jvp(F["sum"](y), {x: np.ones(len(at))})], x=at)
    np.testing.assert_allclose(np.sum(reverse), forward)
    return reverse.tolist()


COMPOSED = [
    ("max(x, 0) is relu", lambda x: F["maximum"](x, 0), [-1, 0, 2], [0, 0, 1]),
    ("max(0, x) is relu", lambda x: F["maximum"](0, x), [-1, 0, 2], [0, 0, 1]),
    ("min(x, 0)", lambda x: F["minimum"](x, 0), [-1, 0, 2], [1, 0, 0]),
    ("clip", lambda x: F["clip"](x, -1, 1), [-2, -1, 0, 1, 2], [0, 0, 1, 0, 0]),
    ("x ** 2 at 0", lambda x: x**2, [0, 1], [0, 2]),
    ("x ** 0 at 0", lambda x: F["pow"](x, 0.0), [0, 1], [0, 0]),
    ("x ** 3 at 0", lambda x: x**3, [0, 1], [0, 3]),
]


@pytest.mark.parametrize(("what", "function", "at", "due"), COMPOSED)
def test_slope_of_a_composition_at_its_kinks(
    what: str, function: Any, at: list[float], due: list[float]
) -> None:
    assert slopes(function, at) == due, what


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_two_variables_that_tie_share_evenly(name: str) -> None:
    g = Graph()
    x, y = g.input("x", (), "float64"), g.input("y", (), "float64")
    found = grad(F[name](x, y), [x, y])
    assert [float(v) for v in interpret([found[x], found[y]], x=1, y=1)] == [0.5, 0.5]


@pytest.mark.parametrize("name", ["max", "min"])
def test_reduced_elements_that_tie_share_evenly(name: str) -> None:
    g = Graph()
    x = g.input("x", (4,), "float64")
    values = [1, 1, 0, 1] if name == "max" else [1, 1, 2, 1]
    np.testing.assert_allclose(interpret(grad(F[name](x), x), x=values), [1 / 3, 1 / 3, 0, 1 / 3])


def test_norm_at_zero_has_gradient_zero() -> None:
    g = Graph()
    x = g.input("x", (3,), "float64")
    assert interpret(grad(F["norm"](x), x), x=[0, 0, 0]).tolist() == [0, 0, 0]


# --------------------------------------------------------------------------------------- the dead branch

DEAD = [
    ("sqrt", lambda x: F["where"](x > 0, F["sqrt"](x), 0), [0, -1, 4], [0, 0, 0.25]),
    ("other side", lambda x: F["where"](x <= 0, 0, F["sqrt"](x)), [0, -1, 4], [0, 0, 0.25]),
    ("square of root", lambda x: F["where"](x > 0, F["sqrt"](x) * F["sqrt"](x), 0), [0, -1, 4], [0, 0, 1]),
    ("x log x", lambda x: F["where"](x > 0, x * F["log"](x), 0), [0, -1, 1], [0, 0, 1]),
    ("quotient", lambda x: F["where"](x > 0, F["log"](x) / x, x), [0, -1, 1], [1, 1, 1]),
    ("negated", lambda x: F["where"](x > 0, -F["sqrt"](x) * 2, 0), [0, -1, 4], [0, 0, -0.5]),
    (
        "nested",
        lambda x: F["where"](x > 0, F["where"](x > 1, F["sqrt"](x - 1), F["log"](x)), 0),
        [0, 0.5, 5],
        [0, 2, 0.25],
    ),
    ("two masks", lambda x: twice(F["sqrt"](x), x > 0, x > 1), [0, 1, 4], [0, 0.5, 0.5]),
    (
        "cast",
        lambda x: F["where"](x > 0, F["cast"](F["cast"](F["sqrt"](x), "float32"), "float64"), 0),
        [0, 4],
        [0, 0.25],
    ),
    (
        "reshaped",
        lambda x: F["where"](F["reshape"](x, (3, 1)) > 0, F["reshape"](F["sqrt"](x), (3, 1)), 0),
        [0, -1, 4],
        [0, 0, 0.25],
    ),
    ("sliced", lambda x: F["where"](x[1:] > 0, F["sqrt"](x)[1:], 0), [0, 0, 4], [0, 0, 0.25]),
    ("flipped", lambda x: F["where"](F["flip"](x) > 0, F["flip"](F["sqrt"](x)), 0), [0, -1, 4], [0, 0, 0.25]),
    (
        "padded",
        lambda x: F["where"](F["pad"](x, 1) > 0, F["pad"](F["sqrt"](x), 1), 0),
        [0, -1, 4],
        [0, 0, 0.25],
    ),
    ("reciprocal", lambda x: F["where"](x != 0, 1 / x, 0), [0, 2], [0, -0.25]),
]


def twice(value: Handle, first: Handle, second: Handle) -> Handle:
    return F["where"](first, value, 0) + F["where"](second, value, 0)


@pytest.mark.parametrize(("what", "function", "at", "due"), DEAD)
def test_dead_branch_never_leaks(what: str, function: Any, at: list[float], due: list[float]) -> None:
    assert slopes(function, at) == due, what


def test_dead_branch_never_leaks_through_the_adjoint_of_broadcasting() -> None:
    g = Graph()
    s, m = g.input("s", (), "float64"), g.input("m", (3,), "bool")
    slope = grad(F["sum"](F["where"](m, F["sqrt"](s) * F["ones_like"](F["cast"](m, "float64")), 0)), s)
    assert interpret(slope, s=0, m=[False, False, False]) == 0
    assert interpret(slope, s=4, m=[True, False, True]) == 0.5


def test_dead_branch_never_leaks_into_second_order() -> None:
    g = Graph()
    x = g.input("x", (3,), "float64")
    second = hvp(F["sum"](F["where"](x > 0, F["sqrt"](x), 0)), x, np.ones(3))
    assert interpret(second, x=[0, -1, 4]).tolist() == [0, 0, -0.25 / 8]
    nested = grad(F["sum"](grad(F["sum"](F["where"](x > 0, F["sqrt"](x), 0)), x)), x)
    assert interpret(nested, x=[0, -1, 4]).tolist() == [0, 0, -0.25 / 8]


def test_live_branch_keeps_what_is_not_finite() -> None:
    """Masks hide only what was not taken: an infinite slope of the branch taken is told."""
    assert slopes(lambda x: F["where"](x >= 0, F["sqrt"](x), 0), [0, -1]) == [INF, 0]


def test_masks_as_deep_as_the_graph_need_no_recursion() -> None:
    g = Graph()
    x = g.input("x", (2,), "float64")
    y = F["sqrt"](x)
    for k in range(1200):
        y = F["where"](x > -k / 1e9, y, 0)
    assert interpret(grad(F["sum"](y), x), x=[0, 4]).tolist() == [0, 0.25]


def test_two_sides_of_one_condition_need_no_select() -> None:
    g = Graph()
    x = g.input("x", (3,), "float64")
    slope = grad(F["sum"](F["leaky_relu"](F["tanh"](x), 0.5)), x)
    ops = [g.nodes[at].op for at in Cone(g, {"": slope.id}).nodes]
    assert "logical_or" not in ops
    assert "logical_not" not in ops
    due = np.where(np.arange(3) > 1, 1, 0.5) * (1 - np.tanh([-1, 0, 2]) ** 2)
    np.testing.assert_allclose(interpret(slope, x=[-1, 0, 2]), due)
