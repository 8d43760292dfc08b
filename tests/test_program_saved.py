"""Programs as files: read back, they compute and go on as they would have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import graphc as gc
from graphc.errors import CheckpointError

RNG = np.random.default_rng(0)


def training() -> tuple[gc.Program, dict[str, Any]]:
    """Convolution, batch norm, dropout, a loop and Adam: draws, running averages and moments are states."""
    g = gc.Graph("net", seed=3)
    x, t = g.input("x", ("N", 2, 8, 8)), g.input("t", ("N",), "int32")
    h = gc.relu(gc.nn.BatchNorm(name="norm")(gc.nn.Conv2d(4, 3, padding="same", name="conv")(x)))
    h = gc.nn.Dropout(0.3, name="drop")(gc.nn.Dense(6, name="hidden")(gc.reshape(h, (x.shape[0], 256))))
    last, _ = gc.scan(lambda carry, _: (gc.tanh(carry * 1.1), None), h, length=3)
    loss = gc.losses.softmax_cross_entropy(last, t)
    step = gc.compile({"loss": loss}, updates=gc.optim.Adam(0.01)(gc.grad(loss)))
    return step, {"x": RNG.normal(size=(5, 2, 8, 8)).astype("f"), "t": np.arange(5, dtype=np.int32)}


def stored(program: gc.Program) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in {**program.params, **program.states}.items()}


def test_a_training_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    step, data = training()
    for _ in range(3):
        step(**data)
    path = step.save(tmp_path / "net.safetensors")
    other = gc.load(path)
    assert stored(other) == stored(step)
    assert (other.name, dict(other.inputs)) == (step.name, dict(step.inputs))
    for _ in range(3):
        assert other(**data)["loss"].tobytes() == step(**data)["loss"].tobytes()
    assert stored(other) == stored(step)
    assert len(other.kernels) == len(step.kernels)  # named by what they do, since layers are not read back


def test_what_was_read_is_saved_to_the_same_bytes(tmp_path: Path) -> None:
    step, _ = training()
    first = step.save(tmp_path / "first").read_bytes()
    again = gc.load(tmp_path / "first").save(tmp_path / "again").read_bytes()
    assert gc.load(tmp_path / "again").save(tmp_path / "third").read_bytes() == again
    assert len(first) >= len(again)  # names of layers are comments, which are not read


def test_another_process_needs_the_file_alone(tmp_path: Path) -> None:
    g = gc.Graph("line")
    x = g.input("x", ("N", 3))
    y = gc.nn.Dense(2, activation="tanh")(x)
    program = gc.compile({"y": y, "n": gc.sum(y, axis=0)})
    program.save(tmp_path / "line")
    code = (
        f"import graphc as gc; print(gc.load({str(tmp_path / 'line')!r})(x=[[1, 2, 3]])['y'].tobytes().hex())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == program(x=[[1, 2, 3]])["y"].tobytes().hex()


def test_the_arrays_are_there_for_others(tmp_path: Path) -> None:
    step, _ = training()
    path = step.save(tmp_path / "net")
    np.testing.assert_array_equal(load_file(path)["hidden.weight"], step.params["hidden.weight"])
    assert set(gc.train.read(path).states) == set(step.states)
    other, _ = training()
    gc.train.load(path, other)
    assert stored(other) == stored(step)


def test_modes_and_formulas_as_written_are_kept(tmp_path: Path) -> None:
    g = gc.Graph()
    x = g.input("x", ("N",))
    y = gc.phase(train=x * 2, eval=x * 3)
    raw = gc.log(gc.exp(x))
    for mode, factor in (("train", 2), ("eval", 3)):
        program = gc.compile({"y": y, "raw": raw}, mode=mode, stabilise=False, name="named")
        found = gc.load(program.save(tmp_path / mode))
        assert found.name == program.name
        result = found(x=[1000.0])
        assert result["y"] == 1000 * factor
        assert result["raw"].tobytes() == program(x=[1000.0])["raw"].tobytes()


def test_a_checkpoint_without_a_program_is_told(tmp_path: Path) -> None:
    step, _ = training()
    path = gc.train.save(tmp_path / "weights", step)
    with pytest.raises(CheckpointError, match="it holds no program"):
        gc.load(path)
    (tmp_path / "torn").write_bytes(step.save(tmp_path / "whole").read_bytes()[:-3])
    with pytest.raises(CheckpointError, match="no whole safetensors file"):
        gc.load(tmp_path / "torn")


def test_nothing_is_left_of_a_file_that_could_not_be_written(tmp_path: Path) -> None:
    step, _ = training()
    with pytest.raises(OSError, match="nowhere"):
        step.save(tmp_path / "nowhere" / "net")
    assert not list(tmp_path.iterdir())


def test_an_op_of_ones_own_has_to_be_declared(tmp_path: Path) -> None:
    code = "import graphc as gc, sympy\n"
    op = "cube_of = gc.elementwise('cube_of', lambda z: z**3)\n"
    make = "x = gc.Graph('own').input('x', (2,))\ngc.compile({'y': cube_of(x)}).save('own')\n"
    use = "print(gc.load('own')(x=[2, 3])['y'].tolist())\n"

    def run(text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, cwd=tmp_path)

    assert run(code + op + make + use).stdout == "[8.0, 27.0]\n"
    assert run(code + op + use).stdout == "[8.0, 27.0]\n"
    refused = run(code + use)
    assert refused.returncode != 0
    assert "its program does not read" in refused.stderr
    assert "cube_of" in refused.stderr
