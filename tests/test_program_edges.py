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


def test_rows_of_infinities_through_softmax() -> None:
    g = gc.Graph()
    x = g.input("x", (4, 3))
    rows = np.array([[-np.inf] * 3, [np.inf, 1, 2], [np.nan, 1, 2], [3e38, 3e38, -3e38]], "float32")
    check({"p": gc.softmax(x), "log": gc.log_softmax(x), "lse": gc.logsumexp(x, axis=1)}, {"x": rows})


def test_a_size_may_not_be_called_as_kernels_call_their_tiles() -> None:
    g = gc.Graph()
    x = g.input("x", ("__tiles1", 3))
    with pytest.raises(gc.errors.SizeError, match="__tiles1"):
        gc.compile(gc.sum(x * gc.extent(x, 0, "float32"), axis=0))


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
