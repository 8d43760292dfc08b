"""The quickstart learns, every example is listed, and each of them runs as a script does."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))


def main_of(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]


def test_quickstart(tmp_path, capsys):
    figures = main_of("quickstart")(tmp_path)
    assert figures["accuracy"] >= 0.97
    assert figures["last"] < 0.1 * figures["first"]
    assert "shared subterms" in capsys.readouterr().out
    assert "∂loss/∂hidden.weight" in (tmp_path / "quickstart.svg").read_text(encoding="utf-8")
    assert "update_sgd" in (tmp_path / "quickstart_kernels.svg").read_text(encoding="utf-8")
    compile((tmp_path / "quickstart_kernels.py").read_text(encoding="utf-8"), "kernels", "exec")


@pytest.mark.parametrize("name", [name for name in NAMES if name != "quickstart"])
def test_example_runs(name, tmp_path):
    assert main_of(name)(tmp_path)
    assert list(tmp_path.glob("*.svg"))


def test_every_example_is_listed():
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"[{name}.py]({name}.py)" not in listed] == []
