"""Jacobians, Hessians and their products, against loops over basis vectors, with symbolic sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc.ops  # noqa: F401 - registers the ops
from graphc.check import check
from graphc.diff import grad, hessian, hvp, jacobian, jvp
from graphc.graph import FUNCTIONS, Graph, Handle
from graphc.interpret import interpret

F: Any = FUNCTIONS
RNG = np.random.default_rng(3)


def mlp(rows: Any, dtype: str = "float64") -> tuple[Graph, Handle, Handle, Handle]:
    g = Graph("mlp")
    x, w = g.input("x", (rows, 3), dtype), g.param("w", (3, 2), dtype)
    y = F["softmax"](F["tanh"](x @ w))
    return g, x, w, y


@pytest.mark.parametrize("rows", ["N", 4])
@pytest.mark.parametrize("by", ["x", "w"])
def test_jacobian_is_the_stack_of_jvps(rows: Any, by: str) -> None:
    g, x, w, y = mlp(rows)
    leaf = {"x": x, "w": w}[by]
    found = jacobian(y, leaf)
    assert found.shape == (*y.shape, *leaf.shape)
    check(g)
    value = RNG.normal(size=(4, 3))
    whole = interpret(found, x=value)
    direction = g.input("direction", leaf.shape, "float64")
    tangent = jvp(y, {leaf: direction})
    for index in np.ndindex(*whole.shape[2:]):
        basis = np.zeros(whole.shape[2:])
        basis[index] = 1
        np.testing.assert_allclose(
            whole[:, :, *index], interpret(tangent, x=value, direction=basis), atol=1e-14
        )


def test_both_directions_agree() -> None:
    from graphc.diff.higher import _by_columns, _by_rows

    _, x, w, y = mlp("N")
    value = RNG.normal(size=(3, 3))
    for leaf in (x, w):
        rows, columns = interpret([_by_rows(y, leaf, True), _by_columns(y, leaf, True)], x=value)
        np.testing.assert_allclose(rows, columns, atol=1e-14)


def test_hessian_is_the_stack_of_hvps_and_symmetric() -> None:
    g, _, w, y = mlp("N")
    loss = F["sum"](F["log"](y))
    whole, vector = hessian(loss, w), g.input("v", (3, 2), "float64")
    product = hvp(loss, w, vector)
    value = RNG.normal(size=(5, 3))
    found = interpret(whole, x=value)
    assert found.shape == (3, 2, 3, 2)
    np.testing.assert_allclose(found, found.transpose(2, 3, 0, 1), atol=1e-12)
    direction = RNG.normal(size=(3, 2))
    due = np.einsum("abcd,cd->ab", found, direction)
    np.testing.assert_allclose(interpret(product, x=value, v=direction), due, atol=1e-12)


def test_hessian_against_nested_differences() -> None:
    _, _, w, y = mlp("N")
    loss = F["sum"](y * y)
    first, whole = grad(loss, w), hessian(loss, w)
    value, base, step = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 2)), 1e-5
    found = interpret(whole, x=value, w=base)
    for index in np.ndindex(3, 2):
        moved = np.zeros((3, 2))
        moved[index] = step
        above, below = (interpret(first, x=value, w=base + s * moved) for s in (1, -1))
        np.testing.assert_allclose(found[:, :, *index], (above - below) / (2 * step), atol=1e-8)


def test_hvp_of_several_parameters() -> None:
    g = Graph()
    a, b = g.input("a", (2,), "float64"), g.input("b", (2,), "float64")
    found = hvp(F["sum"](a * a * b), [a, b], [[1, 0], [0, 1]])
    va, vb = interpret([found[a], found[b]], a=[2, 3], b=[5, 7])
    assert va.tolist() == [10, 6]
    assert vb.tolist() == [4, 0]


def test_node_count_does_not_depend_on_the_size() -> None:
    counts = []
    for size in (2, 50):
        g = Graph()
        x = g.input("x", (size,), "float64")
        before = len(g)
        hessian(F["sum"](F["tanh"](x) * F["sum"](x)), x)
        counts.append(len(g) - before)
    assert counts[0] == counts[1]


def test_scalars_and_constants() -> None:
    g = Graph()
    x, s = g.input("x", (3,), "float64"), g.input("s", (), "float64")
    values = {"x": [1, 2, 3], "s": 2}
    assert interpret(jacobian(x * s, s), **values).tolist() == [1, 2, 3]
    assert interpret(jacobian(F["sum"](x * s), x), **values).tolist() == [2, 2, 2]
    assert interpret(jacobian(s * s, s), **values) == 4
    assert interpret(jacobian(x * 2, s), **values).tolist() == [0, 0, 0]
    assert interpret(jacobian(F["exp"](s), x), **values).tolist() == [0, 0, 0]
    assert interpret(jacobian(x, x), **values).tolist() == np.eye(3).tolist()
    assert interpret(hessian(F["sum"](x), x), **values).tolist() == np.zeros((3, 3)).tolist()


def test_graph_gets_no_stand_in_and_an_input_called_seed_is_no_obstacle() -> None:
    g = Graph()
    x = g.input("seed", (3,), "float64")
    found = jacobian(x * x, x)
    assert list(g.named) == ["seed"]
    assert interpret(found, params={"seed": [1, 2, 3]}).tolist() == np.diag([2, 4, 6]).tolist()


def test_zero_sizes() -> None:
    g = Graph()
    x = g.input("x", ("N",), "float64")
    assert interpret(jacobian(F["exp"](x), x), x=np.zeros(0)).shape == (0, 0)
