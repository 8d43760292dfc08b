"""The same bytes for any number of threads, in every process, for every hash seed; states put back bit for bit."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.graph import Graph
from graphc.runtime import threads


def network(name: str) -> tuple[Any, dict[str, Any]]:
    """A loss of a network that is large enough for several tiles, and its data."""
    g, rng = Graph(name, seed=3), np.random.default_rng(0)
    if name == "conv":
        x, t = g.input("x", ("N", 3, 16, 16)), g.input("t", ("N",), "int32")
        h = gc.max_pool2d(gc.relu(gc.conv2d(x, g.param("w", (8, 3, 3, 3)), padding=1)), 2)
        logits = gc.nn.Dense(10)(gc.reshape(h, (x.shape[0], 512)))
        data = rng.normal(size=(48, 3, 16, 16)).astype("float32"), (np.arange(48) % 10).astype("int32")
        return gc.losses.softmax_cross_entropy(logits, t), {"x": data[0], "t": data[1]}
    x = g.input("x", ("T", "N", 32))
    if name == "scan":
        w, u = g.param("w", (32, 32)), g.param("u", (32, 32))
        last, _ = gc.scan(lambda h, x: (gc.tanh(x @ w + h @ u), None), gc.zeros_like(x[0]), x)
        return gc.mean(gc.square(last - 1)), {"x": rng.normal(size=(7, 96, 32)).astype("float32")}
    q, k, v = (gc.nn.Dense(32, name=n)(x) for n in "qkv")
    y = gc.dropout(gc.attention(q, k, v, causal=True), 0.1)
    return gc.mean(gc.square(y)), {"x": rng.normal(size=(24, 48, 32)).astype("float32")}


NETWORKS = ("conv", "scan", "attention")


def step_of(loss: Any) -> gc.Program:
    return gc.compile({"loss": loss}, updates=gc.optim.Adam(0.01)(gc.grad(loss)))


def digest(step: gc.Program, data: dict[str, Any], steps: int = 20) -> str:
    """Of losses, parameters and states over a training."""
    found = hashlib.sha256()
    for _ in range(steps):
        found.update(step(**data)["loss"].tobytes())
    for name, array in sorted({**step.params, **step.states}.items()):
        found.update(name.encode() + array.tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("name", NETWORKS)
def test_twenty_steps_give_the_same_bytes_from_any_number_of_threads(name: str) -> None:
    (loss, data), (again, _) = network(name), network(name)
    first, second = step_of(loss), step_of(again)
    with threads.limit(1):
        due = digest(first, data)
    assert max(first._last.bound.tiles) > 1, "there is something to share"
    assert digest(second, data) == due


@pytest.mark.parametrize(("rows", "columns", "batch"), [(200, 96, 700), (37, 112, 513), (530, 33, 300)])
def test_descent_added_by_products_gives_the_same_bytes(rows: int, columns: int, batch: int) -> None:
    def step() -> gc.Program:
        g = Graph(seed=5)
        x, t = g.input("x", ("N", rows)), g.input("t", ("N", columns))
        loss = gc.mean(gc.square(gc.nn.Dense(columns)(x) - t))
        return gc.compile({"loss": loss}, updates=gc.optim.SGD(0.1)(gc.grad(loss)))

    rng = np.random.default_rng(0)
    data = {
        "x": rng.normal(size=(batch, rows)).astype("f"),
        "t": rng.normal(size=(batch, columns)).astype("f"),
    }
    first, second = step(), step()
    assert "gemm_scaled_f32" in first.source
    with threads.limit(1):
        due = digest(first, data, 4)
    assert digest(second, data, 4) == due


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from test_determinism import NETWORKS, digest, network, step_of
for name in NETWORKS:
    loss, data = network(name)
    step = step_of(loss)
    print(digest(step, data), step.source.count("def "))
"""


def test_every_process_and_hash_seed_gives_the_same_bytes() -> None:
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)]
    running = [
        subprocess.Popen(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True
        )
        for seed in ("0", "4242")
    ]
    first, second = (process.communicate(timeout=240)[0] for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert first.count("\n") == len(NETWORKS)
    assert first == second


def test_parameters_and_states_put_back_bit_for_bit_go_on_as_before() -> None:
    loss, data = network("attention")
    step = step_of(loss)
    digest(step, data, 3)
    kept = {name: array.copy() for name, array in {**step.params, **step.states}.items()}
    due = digest(step, data, 5)
    for part in (step.params, step.states):
        part.update({name: kept[name] for name in part})
    assert all(
        array.tobytes() == kept[name].tobytes() for name, array in {**step.params, **step.states}.items()
    )
    assert digest(step, data, 5) == due
    again, _ = network("attention")
    other = gc.compile({"loss": again}, updates=gc.optim.Adam(0.01)(gc.grad(again)), params=kept)
    assert digest(other, data, 5) == due
