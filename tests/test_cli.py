"""The command line: the demo, the cache, what it says when something is missing."""

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import graphc as gc
from graphc.cli.app import app
from graphc.cli.digits import declare, load
from graphc.cli.page import page
from graphc.cli.plain import PlainStep, interleaved


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_version_and_help():
    assert run("--version").output == f"graphc {gc.__version__}\n"
    assert "demo" in run("--help").output


def test_installed_as_a_script():
    script = Path(sys.executable).with_name("graphc")
    if not script.exists():
        pytest.skip("graphc is not installed in this environment")
    found = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert found.stdout == f"graphc {gc.__version__}\n"


def test_demo(tmp_path):
    result = run("demo", "--output", tmp_path / "new" / "folder")
    assert result.exit_code == 0, result.output
    accuracy = re.search(r"test accuracy ([0-9.]+)% on 360 images", result.output)
    assert accuracy
    assert float(accuracy.group(1)) >= 97
    for part in ("one step on 32 images", "times as long", "shared subterms", "arena of", "used 2 times"):
        assert part in result.output
    folder = tmp_path / "new" / "folder"
    for name in ("forward", "both", "backward", "kernels"):
        assert ET.parse(folder / f"{name}.svg").getroot().tag.endswith("svg")
    compile((folder / "source.py").read_text(encoding="utf-8"), "source.py", "exec")
    assert (folder / "index.html").read_text(encoding="utf-8").count("<img") == 4
    assert "== module ==" in (folder / "stages.txt").read_text(encoding="utf-8")


def test_demo_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = run("demo", "--output", tmp_path / "file")
    assert result.exit_code == 1
    assert result.stderr.startswith("graphc: ")


def test_demo_without_scikit_learn(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    result = run("demo", "--output", tmp_path)
    assert result.exit_code == 1
    assert "pip install 'graphc[demo]'" in result.stderr


def test_the_plain_step_is_the_same_step():
    data, network = load(seed=1), declare(seed=1)
    step = gc.compile({"loss": network.loss}, updates=gc.optim.SGD(0.1)(network.grads))
    plain = PlainStep(step.params, 0.1)
    for x, t in list(data.batches(np.random.default_rng(0)))[-5:]:  # the last one is smaller
        assert plain(x, t) == pytest.approx(float(step(images=x, classes=t)["loss"]), rel=1e-5)
    for name, value in plain.params.items():
        np.testing.assert_allclose(value, step.params[name], rtol=1e-4, atol=1e-6)


def test_batches_see_every_image_once():
    data = load(seed=0)
    batches = list(data.batches(np.random.default_rng(3)))
    assert len(batches) == data.batches_in_pass()
    seen = np.concatenate([x for x, _ in batches])
    np.testing.assert_allclose(seen.sum(axis=0), data.images.sum(axis=0), rtol=1e-4)
    assert len(seen) + len(data.test_images) == 1797


def test_interleaved_takes_turns():
    order = []
    times = interleaved(lambda: order.append("a"), lambda: order.append("b"), rounds=2, calls=3)
    assert "".join(order) == "aaaabbbb" * 2
    assert len(times) == 2


def test_the_page_escapes_what_it_shows():
    text = page("<t>", {'"><script>': "<svg><script>1</script></svg>"}, {"<h>": "a < b & c</pre>"})
    assert "<script" not in text
    assert "a &lt; b &amp; c&lt;/pre&gt;" in text
    assert "&lt;h&gt;" in text
    assert "<title>&lt;t&gt;</title>" in text


def test_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHC_CACHE", str(tmp_path))
    folder = tmp_path / "objects"
    assert run("cache").output == f"{folder}: 0 kernels, 0 bytes\n"
    for key in ("0" * 32, "f" * 32):
        (folder / key).write_bytes(b"12345")
    (folder / "notes.txt").write_bytes(b"not ours")
    os.utime(folder / ("0" * 32), (0, 0))
    listed = run("cache", "--list").output.splitlines()
    assert listed[0].startswith("f" * 32)
    assert listed[1].endswith("5 bytes  used 1970-01-01")
    assert listed[2] == f"{folder}: 2 kernels, 10 bytes"
    assert "deleted 2 of them" in run("cache", "--clear").output
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_cache_where_there_is_none(monkeypatch):
    monkeypatch.setenv("GRAPHC_CACHE", "")
    result = run("cache")
    assert result.exit_code == 1
    assert "GRAPHC_CACHE is empty" in result.stderr
