"""What is refused changes nothing, and indices that nobody can check ahead stay inside their memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphcError

ROWS, LABELS = np.zeros((2, 64), "float32"), np.array([3, 9], "int32")


def updating() -> gc.Program:
    g = gc.Graph("net")
    x, t = g.input("x", ("N", 64)), g.input("t", ("N",), dtype="int32")
    w, mean = g.param("w", (64, 10)), g.state("mean", (), init=0.0)
    loss = gc.losses.softmax_cross_entropy(x @ w, t)
    return gc.compile({"loss": loss}, updates={w: w * 2, mean: mean + 1})


P = updating()


@pytest.mark.parametrize(
    "inputs",
    [
        {"x": ROWS},
        {"x": ROWS[0], "t": LABELS},
        {"x": ROWS[:1], "t": LABELS},
        {"x": ROWS.astype("float64"), "t": LABELS},
        {"x": ROWS, "t": LABELS, "u": 3},
        {"x": ROWS, "t": np.array([0, 10], "int32")},
        {"x": ROWS, "t": np.array([-11, 0], "int32")},
        {"x": np.zeros((3, 64), "float32"), "t": np.array([0, 1, 1000], "int32")},
    ],
)
def test_a_refused_call_changes_nothing(inputs: dict[str, Any]) -> None:
    P(x=ROWS, t=LABELS)
    before = {name: value.tobytes() for name, value in (*P.params.items(), *P.states.items())}
    with pytest.raises(GraphcError):
        P(**inputs)
    assert {name: value.tobytes() for name, value in (*P.params.items(), *P.states.items())} == before
    P(x=ROWS, t=LABELS)
    assert float(P.states["mean"]) == np.frombuffer(before["mean"], "float32")[0] + 1


def test_a_parameter_refuses_what_does_not_fit_and_keeps_its_values() -> None:
    before = P.params["w"].tobytes()
    for wrong in (np.zeros(3), np.zeros((64, 10), "complex64"), "text"):
        with pytest.raises(gc.errors.InputError):
            P.params["w"] = wrong
    assert P.params["w"].tobytes() == before


def test_computed_indices_out_of_range_stay_inside() -> None:
    """Nobody can check them ahead; no kernel leaves its memory, and whatever is in range is right."""
    g = gc.Graph("computed")
    x, i, m = g.input("x", (5, 300)), g.input("i", ("M",), "int32"), g.input("m", ("M",), "bool")
    k = g.param("k", (2,), "int64", init=np.array([3, 900]))
    far = i * 1000
    outputs = {
        "take": gc.take(x, far, axis=0),
        "where": gc.take(x, gc.where(m, i, 0), axis=0),
        "padded": gc.take(x, gc.pad(i, ((0, 1),), constant_values=9**9), axis=0),
        "along": gc.take_along_axis(x, gc.broadcast_to(gc.sum(far), (5, 1)), axis=1),
        "scatter": gc.scatter_add(gc.take(x, i, axis=0), far - 2000, size=4),
        "param": gc.take(x, k, axis=0),
        "hot": gc.one_hot(far, 4),
        "nested": gc.take(x, gc.take(far, gc.argmax(i, axis=0)), axis=0),
    }
    program = gc.compile(outputs)
    rows = np.arange(1500, dtype="float32").reshape(5, 300)
    found = program(x=rows, i=np.array([0, 2, -4], "int32"), m=np.array([False, True, False]))
    assert all(
        np.isin(found[name], rows).all() for name in ("take", "where", "padded", "along", "param", "nested")
    )
    np.testing.assert_array_equal(found["where"], rows[[0, 2, 0]])
    np.testing.assert_array_equal(found["param"][0], rows[3])
    np.testing.assert_array_equal(found["hot"], np.eye(4, dtype="float32")[[0]].tolist() + [[0] * 4] * 2)


def test_constant_indices_are_checked_when_the_size_is_known() -> None:
    g = gc.Graph("constant indices")
    x = g.input("x", ("N", 3))
    program = gc.compile({"y": gc.take(x, np.array([1, -2]), axis=0), "one": gc.take(x, 2, axis=0)})
    rows = np.arange(9, dtype="float32").reshape(3, 3)
    np.testing.assert_array_equal(program(x=rows)["y"], rows[[1, -2]])
    for count in (0, 1, 2):
        with pytest.raises(
            gc.errors.InputError,
            match=f"index 2 is out of range for size {count}|index 1 is out of range for size {count}",
        ):
            program(x=rows[:count])
