"""Where values stop being finite: ``program.debug`` names the node, its part of the program, its line and operands."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.graph import Graph, Handle


def line() -> str:
    """What tells the caller's line in a diagnosis."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return f'File "{__file__}", line {frame.f_back.f_lineno}'


def suspect(program: gc.Program, **inputs: Any) -> Any:
    found = program.debug(**inputs)
    assert not found.ok
    assert found.first is not None
    return found.first


def test_all_is_finite_and_the_ranges_are_those_of_the_values() -> None:
    g = Graph("net", seed=0)
    x = g.input("x", ("N", 3))
    y = gc.exp(x)
    program = gc.compile({"y": y, "s": gc.sum(y)})
    values = np.array([[0, 1, 2], [-1, 0, 3]], np.float32)
    found = program.debug(x=values)
    assert (found.ok, found.first, found.affected) == (True, None, ())
    [ranged] = [r for r in found.ranges.values() if "exp" in r.formula]
    assert (ranged.low, ranged.high) == pytest.approx((np.exp(-1), np.exp(3)))
    assert str(found).startswith("net, N=2: all outputs and updates are finite\nlargest: ")


def test_a_logarithm_of_a_negative_number() -> None:
    g = Graph("net")
    x = g.input("x", ("N", 3))
    with g.scope("hidden"):
        shifted = x - 1
        y, where = gc.log(shifted), line()
    found = suspect(gc.compile({"y": gc.mean(gc.square(y))}), x=[[2, 3, 0.5]])
    assert (found.kind, found.op, found.role, found.layer, found.place) == (
        "NaN",
        "log",
        "forward",
        "hidden",
        where,
    )
    [operand] = found.operands
    assert (operand.low, operand.high) == (-0.5, 2.0)
    assert str(found) == (
        f"{found.value.formula}: f32[N,3] holds NaN (forward)\n  layer hidden\n  declared at {where}\n"
        f"  reads {operand.formula}: f32[N,3], from -0.5 to 2"
    )


@pytest.mark.parametrize(
    ("formula", "values", "op", "kind"),
    [
        (lambda x: x / (x - 1), [0.0, 0.0], "div", ""),
        (lambda x: x / (2 * x), [1.0, 0.0], "div", "NaN"),
        (lambda x: gc.exp(x) - 1, [1.0, 89.0], "exp", "inf"),
        (lambda x: 1 - gc.exp(100 * x), [1.0, -1.0], "exp", "inf"),
        (lambda x: -1 / x, [1.0, 0.0], "div", "-inf"),
        (lambda x: gc.sqrt(x), [-1.0, 4.0], "sqrt", "NaN"),
        (lambda x: x * 1e38 * 10, [1.0, -1.0], "mul", "inf and -inf"),
        (lambda x: gc.sum(x * 3e38), [1.0, 1.0], "sum", "inf"),
    ],
)
def test_sources_in_the_forward_part(formula: Any, values: list[float], op: str, kind: str) -> None:
    x = Graph().input("x", ("N",))
    program = gc.compile({"y": formula(x)}, stabilise=False)
    found = program.debug(x=values)
    assert found.ok == (not kind)
    if kind:
        assert found.first is not None
        assert (found.first.kind, found.first.op, found.first.role) == (kind, op, "forward")
        assert all(operand.finite for operand in found.first.operands)


def test_what_is_finite_in_float64_overflows_in_float32() -> None:
    for dtype, ok in (("float64", True), ("float32", False)):
        x = Graph().input("x", ("N",), dtype)
        assert gc.compile({"y": gc.exp(x)}).debug(x=np.array([100.0], dtype)).ok is ok


def test_an_infinity_less_an_infinity_is_told_by_the_first_infinity() -> None:
    x = Graph().input("x", ("N",))
    found = suspect(gc.compile({"y": gc.exp(x) - gc.exp(x + 1)}), x=[100.0])
    assert (found.op, found.kind) == ("exp", "inf")
    given = suspect(gc.compile({"y": x - 2 * x}), x=[np.inf])
    assert (given.op, given.kind, given.operands) == ("input", "inf", ())


def test_a_source_in_the_backward_part_alone() -> None:
    g = Graph("roots")
    w = g.param("w", (2,), init=np.array([0.0, 4.0], "float32"))
    y, where = gc.sqrt(w), line()
    loss = gc.sum(y)
    program = gc.compile({"loss": loss}, updates=gc.optim.SGD(0.1)(gc.grad(loss)))
    found = program.debug()
    assert found.affected == ("update of 'w'",)
    assert found.first is not None
    assert (found.first.role, found.first.kind, found.first.place) == ("backward", "inf", where)
    assert (found.first.operands[0].low, found.first.operands[0].high) == (0.0, 2.0)


def test_a_source_in_an_update_and_nothing_changes() -> None:
    g = Graph("net", seed=0)
    x = g.input("x", ("N", 3))
    w = g.param("w", (3,))
    loss = gc.mean(gc.square(x @ w - 1))
    step = gc.compile({"loss": loss}, updates=gc.optim.Adam(0.1)(gc.grad(loss)))
    x = np.ones((2, 3), np.float32)
    step(x=x)
    step.states["adam.beta2"] = 1.0  # then the correction is 0, and what it divides infinite
    before = {name: value.tobytes() for name, value in {**step.params, **step.states}.items()}
    found = suspect(step, x=x)
    assert (found.role, found.op) == ("update", "div")
    assert {name: value.tobytes() for name, value in {**step.params, **step.states}.items()} == before
    step.states["adam.beta2"] = 0.999
    assert step.debug(x=x).ok
    due = gc.compile({"loss": loss})
    due.params.update(step.params)
    assert step(x=x)["loss"] == due(x=x)["loss"]


@pytest.mark.parametrize("reverse", [False, True])
def test_the_step_of_a_loop(reverse: bool) -> None:
    places: list[str] = []

    def cell(h: Handle, x: Handle) -> tuple[Handle, Handle]:
        y, where = gc.sqrt(1 + h), line()
        places.append(where)
        return h + x + 0 * y, y

    x = Graph("loop").input("x", ("T", "N"))
    _, ys = gc.scan(cell, gc.zeros_like(x[0]), x, reverse=reverse)
    program = gc.compile({"y": gc.sum(ys)})
    values = np.full((6, 2), -0.3, np.float32)
    found = suspect(program, x=values)  # the carry is -0.3 k after k steps
    assert (found.op, found.kind, found.role, found.place) == ("sqrt", "NaN", "forward", places[0])
    assert found.steps == ((1,) if reverse else (4,))
    assert found.operands[0].high == pytest.approx(-0.2, abs=1e-6)
    assert f"in step {found.steps[0]} of its loop" in str(found)
    assert program.debug(x=values[:3]).ok


def test_a_carry_that_grows_is_found_where_it_overflows() -> None:
    g = Graph("loop")
    x = g.input("x", ("T", 2))
    last, _ = gc.scan(lambda h, x: (h * 1e10 * x, None), gc.ones_like(x[0]), x)
    found = suspect(gc.compile({"y": last}), x=np.ones((8, 2), np.float32))
    assert (found.steps, found.kind, found.op) == ((3,), "inf", "mul")
    assert found.operands[0].high == pytest.approx(1e30)


def test_the_backward_loop_and_loops_within_loops() -> None:
    g = Graph("loop")
    x = g.input("x", ("T", 3))
    w = g.param("w", (3,), init=np.zeros(3, "float32"))
    last, _ = gc.scan(lambda h, x: (h + x * gc.sqrt(w * w + 0 * h), None), gc.zeros_like(x[0]), x)
    loss = gc.sum(last)
    program = gc.compile({"loss": loss, **gc.grad(loss)})
    found = suspect(program, x=np.ones((4, 3), np.float32))
    assert found.role == "backward"

    def outer(h: Handle, row: Handle) -> tuple[Handle, Handle]:
        inner, _ = gc.scan(lambda c, e: (c + gc.log(e + 0 * c), None), h[0], row)
        return h + inner, inner

    x = Graph("nested").input("x", ("T", "M"))
    _, ys = gc.scan(outer, gc.zeros_like(x[0]), x)
    values = np.ones((3, 4), np.float32)
    values[1, 2] = values[2, 0] = -1
    found = suspect(gc.compile({"y": ys}), x=values)
    assert (found.op, found.kind, found.steps) == ("log", "NaN", (1, 2))


def test_values_without_effect_are_passed_over() -> None:
    x = Graph("guarded").input("x", ("N",))
    y = gc.where(x > 0, gc.log(x), 0.0)
    found = gc.compile({"y": y}).debug(x=[-1.0, 2.0])
    assert found.ok
    assert "not finite, but without effect: " in str(found)
    both = suspect(gc.compile({"y": y + gc.sqrt(x - 1)}), x=[-1.0, 2.0])
    assert both.op == "sqrt"


def test_empty_arrays_and_other_dtypes_have_ranges() -> None:
    g = Graph("mixed")
    x, k, b = g.input("x", ("N", 0)), g.input("k", ("N",), "int32"), g.input("b", ("N",), "bool")
    program = gc.compile({"x": x * 2, "k": gc.where(b, k, k + 1), "s": gc.sum(x)})
    assert program.debug(x=np.zeros((2, 0), "float32"), k=[3, 4], b=[True, False]).ok
    found = program.debug(x=np.zeros((0, 0), "float32"), k=[], b=np.zeros(0, bool))
    assert found.ok
    assert "empty" in "".join(map(str, found.ranges.values()))


def test_inputs_are_checked_as_in_a_call() -> None:
    x = Graph().input("x", ("N",))
    program = gc.compile({"y": gc.log(x)})
    with pytest.raises(gc.errors.InputError, match="there is no such input"):
        program.debug(z=1)
