"""The examples of small graphs and of the single neuron reproduce their known figures."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import sympy

EXAMPLES = Path(__file__).parent.parent / "examples"


def run(name, output):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(output)


def test_single_neuron(tmp_path, capsys):
    found = run("single_neuron", tmp_path)
    x, y, w, lam, u = sympy.symbols("x y w lambda u")
    expected = {
        "l": 1,
        "r": lam,
        "u": u - y,
        "z": (u - y) * u * (1 - u),
        "w": (u - y) * u * (1 - u) * x + 2 * lam * w,
        "b": (u - y) * u * (1 - u),
    }
    names = {str(s): s for s in (x, y, w, lam, u)} | {"lam": lam}
    for name, formula in expected.items():
        read = sympy.sympify(found["formulas"][name].replace("lambda", "lam"), names)
        assert sympy.expand(read - formula) == 0
    assert found["compiled"] == pytest.approx(found["interpreted"], rel=1e-12)
    value = 1 / (1 + np.exp(-0.5))
    assert found["interpreted"]["L"] == pytest.approx((1 - value) ** 2 / 2 + 0.1 * 0.25)
    assert found["interpreted"]["dL/db"] == pytest.approx((value - 1) * value * (1 - value))
    assert "dL/dw" in capsys.readouterr().out
    assert "digraph" in (tmp_path / "single_neuron.dot").read_text()
    assert "<svg" in (tmp_path / "single_neuron.svg").read_text()


def test_small_graphs(tmp_path):
    found = run("small_graphs", tmp_path)
    assert {name: float(v) for name, v in found["sum_times"].items()} == {
        "value": -12,
        "q": 3,
        "d/dq": -4,
        "d/dx": -4,
        "d/dy": -4,
        "d/dz": 3,
    }
    assert [float(v) for v in found["product"].values()] == [-6, -2, 3]
    assert [float(v) for v in found["neuron"].values()] == [0.5, 0.5, 0.25]
    assert float(found["layer"]["value"]) == 3 + 6
    np.testing.assert_array_equal(found["layer"]["d/dW"], [[0, 0, 0], [3, 7, 11]])
    np.testing.assert_array_equal(found["regularised"]["d/dw"], [1.5, 1.0, 5.0])
    assert len(list(tmp_path.glob("*.svg"))) == 6
