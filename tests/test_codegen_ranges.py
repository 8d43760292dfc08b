"""Loops cut where conditions on their index change: the same values, fewer conditions."""

from __future__ import annotations

import re

import numpy as np

import graphc as gc
from graphc.codegen.ranges import parts, within
from graphc.loops import Axis, Call, Const, Load, call
from graphc.types import DType


def number(value: int) -> Const:
    return Const(value, DType.I64)


def compare(fn: str, left, right) -> Call:
    return Call(fn, (left, right), DType.BOOL)


def test_conditions_cut_where_they_change() -> None:
    j = Axis(1)
    exprs = [compare("lt", j, number(3)), compare("gt", j, number(4)), compare("ge", number(8), j)]
    assert parts(exprs, 1, 20) == [(0, 3), (3, 5), (5, 9), (9, 20)]
    assert parts(exprs, 0, 20) == [(0, 20)]
    assert parts(exprs, 1, 3) == [(0, 3)]


def test_more_cuts_than_pay_are_left() -> None:
    assert parts([compare("lt", Axis(0), number(k)) for k in range(1, 20)], 0, 20) == [(0, 20)]


def test_known_conditions_leave_what_they_guard() -> None:
    j, load = Axis(0), Load(0, (Axis(0),), DType.F32)
    inside = call("and", compare("ge", j, number(2)), compare("lt", j, number(5)))
    guarded = call("guard", inside, load, Const(0.0, DType.F32))
    assert within(guarded, [(0, (2, 5))]) == load
    assert within(guarded, [(0, (5, 8))]) == Const(0.0, DType.F32)
    assert within(guarded, [(0, (2, 6))]) != load


def test_joined_padded_and_sliced_rows_have_no_condition_in_their_loops() -> None:
    g = gc.Graph("rows")
    a, b, c = (g.input(name, ("N", size)) for name, size in (("a", 3), ("b", 5), ("c", 4)))
    joined = gc.concatenate([a, b, c], axis=1)
    outputs = {
        "exp": gc.exp(joined),
        "pad": gc.pad(a, ((0, 0), (2, 3))),
        "sum": gc.sum(joined * joined, axis=1),
        "slope": gc.grad(gc.sum(gc.tanh(joined[:, 1:9])), wrt=b),
    }
    program = gc.compile(outputs)
    assert not re.search(r" if |select", program.source[: program.source.index("def run")])
    draw = np.random.default_rng(0)
    arrays = {n: draw.normal(size=(7, k)).astype(np.float32) for n, k in (("a", 3), ("b", 5), ("c", 4))}
    expected = gc.interpret(outputs, **arrays)
    for name, value in program(**arrays).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-6, atol=1e-6)
