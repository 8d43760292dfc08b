"""Ranges hold for every value that is computed; condition numbers and warnings tell where digits go."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from op_cases import NAMES, bind, cases_of

import graphc as gc
from graphc import registry
from graphc.analysis.interval import FUNCTIONS, Interval, applied
from graphc.analysis.ranges import of_op
from graphc.loops import FUNCTIONS as SCALAR
from graphc.types import DType

# ------------------------------------------------------------------------------------------------------- ranges


def around(array: Any) -> Interval:
    values = np.asarray(array, np.float64).ravel()
    return Interval(float(values.min(initial=0)), float(values.max(initial=0)))


@pytest.mark.parametrize("name", NAMES)
def test_every_op_keeps_within_its_range(name: str) -> None:
    for floating in ("float64", "float32"):
        for case in cases_of(registry.lookup(name), floating):
            if not case.expected().size:
                continue
            params = {key: bind(value) for key, value in case.sample.params.items()}
            found = of_op(name, params, case.concrete, case.types, [around(a) for a in case.arrays])
            outside = [v for v in np.ravel(case.expected()).astype(float) if v not in found]
            assert not outside, f"{case.sample}: {outside[:3]} not in {found}"


@pytest.mark.parametrize("dtype", [DType.F64, DType.F32], ids=str)
@pytest.mark.parametrize(
    "name", [n for n in FUNCTIONS if n in SCALAR and n not in ("cast", "guard", "select")]
)
def test_every_function_keeps_within_its_interval(name: str, dtype: DType) -> None:
    rng = np.random.default_rng(len(name))
    logic = name in ("and", "or", "xor", "not")
    arity = 1 if name in ("not", "neg", "sign") or _is_unary(name) else 2
    for _ in range(60):
        ends = np.sort(rng.normal(size=(arity, 2)) * 10.0 ** rng.integers(-3, 4, (arity, 1)), axis=1)
        points = [np.clip(rng.uniform(*pair, 200), *pair).astype(dtype.numpy) for pair in ends]
        if logic:
            points = [p > 0 for p in points]
        boxes = [around(p) for p in points]
        found = applied(name, boxes, dtype)
        with np.errstate(all="ignore"):
            values = np.asarray(SCALAR[name].reference(*points), np.float64)
        assert all(v in found for v in values), f"{name} of {boxes} is {found}"


def _is_unary(name: str) -> bool:
    return (
        SCALAR[name].room != "" and name not in ("maximum", "minimum", "pow", "atan2")
    ) or name.startswith("is")


def test_infinite_and_empty_ends() -> None:
    everything = Interval(-math.inf, math.inf)
    assert math.nan in applied("sub", [everything, everything], DType.F64)
    assert math.nan in applied("mul", [Interval(0, 1), everything], DType.F64)
    assert math.nan in applied("log", [Interval(-1, 1)], DType.F64)
    assert math.nan not in applied("exp", [everything], DType.F64)
    assert (
        applied("exp", [Interval(0, 89)], DType.F32).high
        == math.inf
        > applied("exp", [Interval(0, 89)], DType.F64).high
    )
    assert applied("lt", [Interval(0, 1), Interval(2, 3)], DType.F64) == Interval(1, 1)


def test_ranges_of_a_network_hold_for_random_inputs() -> None:
    g = gc.Graph(seed=0)
    x, w = g.input("x", ("N", 5)), g.param("w", (5, 3))
    hidden = gc.tanh(x @ w)
    p = gc.softmax(hidden * 4)
    spread = gc.sum(p * gc.square(hidden), axis=1)
    found = gc.analyse(spread, {"x": (-2, 2), w: (-1, 1)}, stabilise=False)
    rng = np.random.default_rng(0)
    for _ in range(20):
        given = {"x": rng.uniform(-2, 2, (7, 5)).astype("f"), "w": rng.uniform(-1, 1, (5, 3)).astype("f")}
        for node in (x @ w, hidden, p, spread):
            values = gc.interpret(
                node, stabilise=False, **{k: v for k, v in given.items() if k in node.graph.named}
            )
            assert all(float(v) in found[node].range for v in np.ravel(values))
    assert found[p].range == Interval(0, 1)
    assert not found.warnings


# ----------------------------------------------------------------------------------------- conditions, warnings


def warned(build: Any, low: float, high: float, dtype: str = "float32", **options: Any) -> list[str]:
    g = gc.Graph()
    return [
        w.text for w in gc.analyse(build(g.input("x", (), dtype)), {"x": (low, high)}, **options).warnings
    ]


def test_condition_numbers_are_those_of_the_slopes() -> None:
    g = gc.Graph()
    x = g.input("x", (), "float64")
    y = gc.exp(x)
    z = x**3.0
    assert gc.analyse(y, {"x": (20, 20)})[y].condition == pytest.approx(20)
    assert gc.analyse(z, {"x": (1, 2)})[z].condition == pytest.approx(3)
    found = gc.analyse(gc.sin(x), {"x": (math.pi, math.pi)})
    assert found.rows[-1].condition == pytest.approx(math.pi / abs(math.sin(math.pi)), rel=1e-6)


def test_overflow_is_told_with_its_bound() -> None:
    (text,) = warned(gc.exp, -10, 100)
    assert text == "exp may overflow: its operand is in [-10, 100], and exp(x) has no float32 for x > 88.72"
    assert not warned(gc.exp, -10, 88)
    assert not warned(gc.exp, -10, 100, "float64")
    assert warned(lambda x: x * x, 0, 1e30) == [
        "mul may overflow float32: its operands are in [0, 1e+30], [0, 1e+30]"
    ]


def test_poles_and_domains() -> None:
    assert warned(lambda x: 1 / x, -1, 1)[0] == "division by a range that holds 0: the divisor is in [-1, 1]"
    assert warned(gc.log, -1, 1)[0] == "log of a value below 0 is NaN: its operand is in [-1, 1]"
    assert warned(gc.log, 0, 1)[0] == "log of 0 is infinite: its operand is in [0, 1]"
    assert warned(gc.asin, 0, 2)[0] == "asin of a value above 1 is NaN: its operand is in [0, 2]"
    assert warned(lambda x: x**2.5, -1, 1)[0].startswith("pow of a negative base is NaN unless")
    assert not warned(gc.log, 1, 2)


def test_cancellation_as_written_and_none_once_it_is_stable() -> None:
    def build(x: Any) -> Any:
        return gc.sqrt(x + 1) - gc.sqrt(x)

    (text,) = warned(build, 1e10, 1e12, "float64", stabilise=False)
    assert text.startswith("cancellation in a - b: at sampled points the operands agree to within")
    assert not warned(build, 1e10, 1e12, "float64")


def test_a_warning_names_the_users_line_and_the_table_prints() -> None:
    g = gc.Graph()
    x = g.input("x", ("N",))
    found = gc.analyse(gc.sum(gc.log(x)), {"x": (0, 1)})
    assert "test_analyse.py" in found.warnings[0].place
    text = str(found)
    assert text.splitlines()[0].split() == ["node", "dtype", "condition", "range"]
    assert "1 warning\n" in text
    assert "sum(%" in text


def test_loops_may_give_anything() -> None:
    g = gc.Graph()
    x = g.input("x", ("T", 2))
    last, _ = gc.scan(lambda h, v: (h + v, h), gc.zeros_like(x[0]), x)
    assert gc.analyse(gc.sum(last), {"x": (0, 1)}).rows[-1].range.high == math.inf
