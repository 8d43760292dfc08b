"""Corners of single ops that compiled programs once got wrong."""

from __future__ import annotations

import numpy as np
import pytest
from program_cases import check

import graphc as gc


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_sign_of_integers(dtype: str) -> None:
    g = gc.Graph()
    x = g.input("x", (5,), dtype)
    program = check(
        {"y": gc.sign(x)}, {"x": np.array([-7, 0, 3, np.iinfo(dtype).min, np.iinfo(dtype).max], dtype)}
    )
    assert program(x=np.array([-7, 0, 3, -1, 1], dtype))["y"].tolist() == [-1, 0, 1, -1, 1]


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_division_of_integers_at_the_ends_of_their_range(dtype: str) -> None:
    limits = np.iinfo(dtype)
    ends = [limits.min, limits.min + 1, -7, -1, 0, 1, 5, 7, limits.max - 1, limits.max]
    a, b = (each.ravel() for each in np.meshgrid(np.array(ends, dtype), np.array(ends, dtype)))
    g = gc.Graph()
    x, y = g.input("x", ("N",), dtype), g.input("y", ("N",), dtype)
    outputs = {"quotient": x // y, "rest": x % y}
    outputs |= {f"{k}": node for k in ends for node in [x // k + 3 * (x % k)]}
    with np.errstate(all="ignore"):
        check(outputs, {"x": a, "y": b})


def test_rows_of_infinities_through_softmax() -> None:
    g = gc.Graph()
    x = g.input("x", (4, 3))
    rows = np.array([[-np.inf] * 3, [np.inf, 1, 2], [np.nan, 1, 2], [3e38, 3e38, -3e38]], "float32")
    check({"p": gc.softmax(x), "log": gc.log_softmax(x), "lse": gc.logsumexp(x, axis=1)}, {"x": rows})


def test_inputs_and_graphs_of_any_name() -> None:
    g = gc.Graph("\0'''\n")
    x = g.input("self", (2,))
    assert gc.compile({"\0": x * 2})(self=[1, 2])["\0"].tolist() == [2, 4]


@pytest.mark.parametrize("rows", [3, 200])
def test_an_input_that_is_a_view_of_an_updated_parameter(rows: int) -> None:
    g = gc.Graph()
    x = g.input("x", (rows, rows))
    w = g.param("w", (rows, rows), init=np.arange(rows * rows, dtype="float32").reshape(rows, rows))
    v = g.param("v", (rows, rows), init=gc.init.Zeros())
    program = gc.compile({"sum": gc.sum(x, axis=1)}, updates={w: w + 1, v: v - x})
    before = program.params["w"].copy()
    found = program(x=program.params["w"])
    np.testing.assert_array_equal(found["sum"], before.sum(axis=1))
    np.testing.assert_array_equal(program.params["v"], -before)
    np.testing.assert_array_equal(program.params["w"], before + 1)


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_the_first_of_several_extrema_and_of_several_nans(dtype: str) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(-3, 3, (40, 33)).astype(dtype)
    if dtype == "float32":
        values[3, [5, 9]], values[4], values[5] = np.nan, -np.inf, np.inf
    g = gc.Graph()
    x = g.input("x", ("N", 33), dtype)
    found = gc.compile(
        {f"{f.__name__}{a}": f(x, axis=a) for f in (gc.argmax, gc.argmin) for a in (0, 1, None)}
    )(x=values)
    for f in (np.argmax, np.argmin):
        for axis in (0, 1, None):
            np.testing.assert_array_equal(found[f"{f.__name__}{axis}"], f(values, axis=axis))


def test_dot_products_of_rows_and_of_columns() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, (2, 70, 65)).astype("float32")
    g = gc.Graph()
    x, y = g.input("x", (70, 65)), g.input("y", (70, 65))
    sums = {spec: gc.einsum(spec, x, y) for spec in ("ij,ij->j", "ij,ij->i", "ij,ij->")}
    program = check(sums, {"x": a, "y": b})
    assert "gemm" not in program.source  # one call a dot product costs more than the product


def test_sums_of_few_long_rows_are_not_copied_row_by_row() -> None:
    g = gc.Graph()
    x = g.input("x", ("N", 50000))
    program = check(
        {"sum": gc.sum(x, axis=0), "max": gc.max(x, axis=0)}, {"x": np.ones((9, 50000), "float32")}
    )
    assert program.plan.at(N=8).peak < 4 * 4 * 50000  # a partial result for eight rows, not for each
