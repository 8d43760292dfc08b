"""What random graphs and hostile cases found wrong once, each with its name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from program_cases import check, hold

import graphc as gc
from graphc.graph import Graph

RNG = np.random.default_rng(5)


def uniform(*shape: int) -> np.ndarray:
    return RNG.uniform(-1, 1, shape)


def test_a_batched_product_of_which_one_batch_axis_is_the_row() -> None:
    g = Graph()
    x = g.input("x", ("N", "N", 2), "float64")
    h = gc.tanh(gc.sum(x, axis=1))
    loss = gc.sum(gc.tanh(gc.einsum("ab,acb->cba", h, x)))
    outputs = {"loss": loss, "by x": gc.grad(loss, x)}
    program = check(outputs, {"x": uniform(3, 3, 2)})
    for n in (0, 1, 8):
        hold(program, outputs, {"x": uniform(n, n, 2)})


def test_a_product_whose_rows_are_some_of_the_left_axes() -> None:
    g = Graph()
    x, y = g.input("x", ("A", "B", "C"), "float64"), g.input("y", ("C", "D"), "float64")
    z = gc.einsum("abc,cd->abd", x, y)
    outputs = {"z": z, "shared": gc.tanh(z) + gc.sum(x, axis=(1, 2), keepdims=True)}
    program = check(outputs, {"x": uniform(3, 4, 5), "y": uniform(5, 2)})
    hold(program, outputs, {"x": uniform(70, 3, 9), "y": uniform(9, 4)})


def test_a_scratch_row_written_in_two_loops_and_read_in_one() -> None:
    g = Graph()
    x, q = g.input("x", ("N", 3, 4), "float64"), g.input("q", ("N", 4), "float64")
    mixed = gc.tanh(x * gc.expand_dims(q, 1))
    outputs = {"y": gc.exp(x) * gc.sum(mixed, axis=(1, 2), keepdims=True)}
    check(outputs, {"x": uniform(5, 3, 4), "q": uniform(5, 4)})


def test_reductions_of_one_element() -> None:
    g = Graph()
    x, k = g.input("x", ("N", 1), "float32"), g.input("k", (1, 1), "int32")
    names = ("sum", "mean", "max", "min", "prod", "logsumexp", "argmax", "argmin")
    outputs = {name: getattr(gc, name)(x, axis=1) for name in names}
    outputs |= {
        "any": gc.any(x > 0, axis=1),
        "none": gc.sum(x, axis=()),
        "ints": gc.sum(k),
        "where": gc.argmin(k, axis=0),
    }
    check(outputs, {"x": uniform(4, 1).astype("float32"), "k": np.array([[7]], "int32")})


def test_an_output_that_is_another_shape_of_a_computed_value() -> None:
    g = Graph()
    x = g.input("x", (6,), "float64")
    y = gc.cos(gc.reshape(x, (2, 3)))
    check({"flat": gc.reshape(y, (6,))}, {"x": uniform(6)})
    check({"flat": gc.reshape(y, (6,)), "sum": gc.sum(y, axis=0)}, {"x": uniform(6)})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_remainders_of_floats(dtype: str) -> None:
    g = Graph()
    x, y = g.input("x", ("N",), dtype), g.input("y", ("N",), dtype)
    a = np.array([7, -7, 7, -7, 1e9, 1, 0, 5, np.inf, 3, -3, np.nan], dtype)
    b = np.array([3, 3, -3, -3, 7, 0.1, 3, 0, 2, np.inf, np.inf, 1], dtype)
    check({"quotient": gc.floordiv(x, y), "remainder": gc.mod(x, y)}, {"x": a, "y": b})


def test_extrema_and_absolute_values_of_integers() -> None:
    g = Graph()
    outputs: dict[str, Any] = {}
    for dtype in ("int32", "int64"):
        x, y = g.input(f"x{dtype}", ("N",), dtype), g.input(f"y{dtype}", ("N",), dtype)
        outputs |= {
            f"{dtype} {name}": getattr(gc, name)(x, y) for name in ("maximum", "minimum", "floordiv", "mod")
        }
        outputs |= {
            f"{dtype} {name}": getattr(gc, name)(x) for name in ("abs", "sign", "neg", "square", "max", "min")
        }
    ends = np.iinfo("int32")
    values = np.array([0, 1, -1, 5, -7, ends.max, ends.min, 3], "int64")
    given = {
        name: (values if name[0] == "x" else values[::-1]).astype(name[1:]) for name in program_inputs(g)
    }
    check(outputs, given)


def program_inputs(g: Graph) -> list[str]:
    return [leaf.name for leaf in g.leaves("input")]


def test_computed_indices_are_not_taken_for_checked_ones() -> None:
    """Inputs that reach an index only through arithmetic need not fit the size themselves."""
    g = Graph()
    x, i, m = g.input("x", (5,), "float64"), g.input("i", ("M",), "int32"), g.input("m", ("M",), "bool")
    outputs = {
        "shifted": gc.take(x, i - 100),
        "masked": gc.take(x, gc.where(m, i - 102, 0)),
        "padded": gc.take(gc.pad(x, ((200, 0),)), i),
        "scattered": gc.scatter_add(gc.take(x, i - 100), i - 99, size=9),
    }
    check(
        outputs,
        {"x": uniform(5), "i": np.array([102, 103, 104], "int32"), "m": np.array([True, False, True])},
    )


def test_indices_of_several_inputs_that_no_kernel_reads() -> None:
    """Each is checked by itself: into an axis of size 1 all good indices mean the same."""
    g = Graph()
    x = g.input("x", (1, 3), "float64")
    first, second = g.input("first", (4,), "int32"), g.input("second", (2,), "int64")
    outputs = {"first": gc.take(x, first, axis=0), "second": gc.take(x, second, axis=0)}
    values = {"x": uniform(1, 3), "first": np.zeros(4, "int32"), "second": np.array([-1, 0])}
    program = check(outputs, values)
    with pytest.raises(gc.errors.InputError, match="second"):
        program(**{**values, "second": np.array([0, 1])})


def test_a_map_that_is_read_across_in_its_own_row() -> None:
    """Equal sizes do not make two loops one: the transposed element is not made yet."""
    g = Graph()
    x, w = g.input("x", ("N", 3, 3), "float64"), g.input("w", (3, 3), "float64")
    shifted = gc.einsum("nij,jk->nik", x, w) + 1
    check(
        {"y": gc.tanh(gc.transpose(shifted * shifted, (0, 2, 1)))},
        {"x": uniform(4, 3, 3), "w": uniform(3, 3)},
    )


def test_a_row_read_in_another_order_behind_a_product() -> None:
    """A map of a product moves to the loop of its reader only if that reads it element by element."""
    g = Graph()
    x, w = g.input("x", ("N", 3), "float64"), g.input("w", (3, 3), "float64")
    check({"y": gc.tanh(gc.tanh(x @ w)[:, ::-1])}, {"x": uniform(4, 3), "w": uniform(3, 3)})
