"""Gradient checking as a tool: adaptive steps, random directions, forward and second order; the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import graphc as gc
from graphc.cli.app import app
from graphc.diff import GradientReport
from graphc.diff.checking import ridders
from graphc.errors import DifferentiationError
from graphc.graph import apply
from graphc.ops.elementwise import Scalar, make_op
from graphc.registry import _OPS, register


@pytest.fixture
def wrong() -> Any:
    """An op whose declared slope is wrong: 3x for x**2."""
    scalar = Scalar(name="wrong_square", arity=1, body=lambda x: x**2, partials=(lambda x: 3 * x,))
    register(make_op(scalar))
    yield lambda x: apply("wrong_square", x)
    del _OPS["wrong_square"]


def network() -> tuple[Any, dict[str, Any]]:
    g = gc.Graph("net", seed=1)
    x = g.input("x", ("N", 6))
    hidden = gc.nn.Dense(5, activation="tanh", name="hidden")(x)
    loss = gc.mean(gc.square(gc.nn.Dense(2, name="out")(hidden)))
    return loss, {"x": np.linspace(-1, 1, 24).reshape(4, 6).astype(np.float32)}


def test_directions_forward_and_second_order_agree() -> None:
    loss, inputs = network()
    report = gc.check_gradients(loss, limit=3, directions=2, forward=True, second=True, **inputs)
    kinds = [(e.name, e.kind) for e in report.entries]
    for name in ("x", "hidden.weight", "hidden.bias", "out.weight", "out.bias"):
        assert kinds.count((name, "direction")) == 2
        assert kinds.count((name, "forward")) == kinds.count((name, "second order")) == 1
    assert report.worst < 1e-7


def test_a_direction_finds_what_sampled_elements_miss(wrong: Any) -> None:
    g = gc.Graph()
    x = g.input("x", (100,))
    loss = gc.sum(gc.concatenate([gc.square(x[:40]), wrong(x[40:41]), gc.square(x[41:])]))
    at = np.ones(100, np.float32)
    assert gc.check_gradients(loss, limit=2, x=at).ok
    with pytest.raises(DifferentiationError, match="x along a random direction"):
        gc.check_gradients(loss, limit=2, directions=1, x=at)


def test_a_wrong_slope_is_told_with_its_element(wrong: Any) -> None:
    g = gc.Graph()
    x = g.input("x", (3,))
    with pytest.raises(DifferentiationError, match=r"x\[2\]: graphc 9, differences 6"):
        gc.check_gradients(gc.sum(wrong(x)), x=[1, 2, 3])


def test_a_poor_step_is_no_disagreement() -> None:
    """A step of 1e-5 is far too wide for sin(1e6 x)."""
    g = gc.Graph()
    x = g.input("x", (), "float64")
    assert gc.check_gradients(gc.sin(1e6 * x) * 1e-6, x=0.3e-6, tolerance=1e-5, step=1e-5 / 2**7).ok


def test_ridders_beats_one_difference() -> None:
    single = (np.exp(1e-2) - np.exp(-1e-2)) / 2e-2 - 1
    assert abs(ridders(np.exp, 1e-2) - 1) < 1e-12 < abs(single)


def test_the_table_has_a_line_for_each_parameter() -> None:
    loss, inputs = network()
    lines = gc.check_gradients(loss, limit=4, **inputs).table.splitlines()
    assert len(lines) == 6
    assert lines[0].split()[:3] == ["worst", "derivative", "by"]
    assert not any("DISAGREE" in line for line in lines)
    bad = GradientReport((gc.diff.Entry("w", (1,), 1.0, 2.0),), 1e-6)
    assert bad.table.splitlines()[1].endswith("DISAGREE")


# ------------------------------------------------------------------------------------------------ command line

GOOD = """
import graphc as gc
def check():
    g = gc.Graph()
    return gc.sum(gc.exp(g.input("x", (3,)))), {"x": [0.0, 1.0, 2.0]}
def kinked():
    g = gc.Graph()
    return abs(g.input("x", ())) + 2 * gc.relu(g.input("y", ())), {"x": 1.0, "y": 0.0}
def none():
    return 1
"""


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["check-gradients", *arguments])


def test_exit_codes(tmp_path: Path) -> None:
    (tmp_path / "losses.py").write_text(GOOD)
    file = str(tmp_path / "losses.py")
    good = run(file, "--second")
    assert good.exit_code == 0, good.output
    assert "7 derivatives agree within 1e-06" in good.output
    kinked = run(f"{file}:kinked")
    assert kinked.exit_code == 1
    assert "DISAGREE" in kinked.stderr
    assert run(f"{file}:none").exit_code == 2
    assert run(f"{file}:missing").exit_code == 2
    assert run("nowhere.py").exit_code == 2
