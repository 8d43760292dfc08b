"""Faults on purpose: processes killed while they compile and train, and files of the cache altered.

    python tests/faults.py --points 100

kills so many compilations and as many trainings at random moments, alters every byte of every file of a cache, and
says how many results were lost. The tests run the same functions with few points.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

TESTS = str(Path(__file__).parent)

COMPILES = """
import hashlib, sys, warnings
import numpy as np
import graphc as gc
from graphc.runtime import jit
g = gc.Graph("net", seed=0)
x, t = g.input("x", ("N", 8)), g.input("t", ("N",), "int32")
h = gc.nn.Dense(16, activation="tanh")(x)
loss = gc.losses.softmax_cross_entropy(gc.nn.Dense(3)(h), t)
print("ready", flush=True)
step = gc.compile({"loss": loss}, updates=gc.optim.Adam(0.01)(gc.grad(loss)))
data = {"x": np.linspace(-1, 1, 40 * 8, dtype="float32").reshape(40, 8), "t": np.arange(40, dtype="int32") % 3}
digest = hashlib.sha256()
for _ in range(5):
    digest.update(step(**data)["loss"].tobytes())
for array in (*step.params.values(), *step.states.values()):
    digest.update(array.tobytes())
print(jit.counters(), digest.hexdigest())
"""

TRAINS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from train_cases import Classifier
import graphc as gc
path, end = Path(sys.argv[2]), Path(sys.argv[3])
print("ready", flush=True)
every = gc.train.Checkpoint(path, every=1)
run = Classifier().fit(epochs=100, callbacks=[every], resume=path if path.exists() else None)
run.save(end)
"""


def environment(cache: Path | str, **more: str) -> dict[str, str]:
    return {**os.environ, "GRAPHC_CACHE": str(cache), **more}


def start(script: str, cache: Path | str, *arguments: str) -> subprocess.Popen[str]:
    """A process of ``script`` that has said that it is ready."""
    command = [sys.executable, "-W", "ignore", "-c", script, *arguments]
    process = subprocess.Popen(
        command, env=environment(cache), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if line != "ready\n":
        raise AssertionError(f"{line}{process.communicate()[1]}")
    return process


def end(process: subprocess.Popen[str], seconds: float = 120) -> str:
    """What a process printed after that it was ready; it must end well."""
    out, err = process.communicate(timeout=seconds)
    if process.returncode:
        raise AssertionError(f"process ended with {process.returncode}: {err}")
    return out


def compiled(cache: Path | str) -> tuple[int, str]:
    """How many functions a fresh process with this cache compiled, and a digest of what its program computed."""
    count, digest = end(start(COMPILES, cache)).split()
    return int(count), digest


def kill_soon(process: subprocess.Popen[str], seconds: float) -> bool:
    """Kill a process after so long; whether it was still at work."""
    time.sleep(seconds)
    alive = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return alive


def killed_compilations(points: int, seed: int = 0) -> Iterator[tuple[bool, bool]]:
    """Kill compilations at random moments; whether each was under way, and whether a fresh process was right after."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        first = start(COMPILES, folder)
        began = time.monotonic()
        due = end(first).split()[1]
        whole = time.monotonic() - began
        for _ in range(points):
            for file in Path(folder).rglob("*"):  # so that there is something to compile
                if file.is_file() and rng.random() < 0.7:
                    file.unlink()
            alive = kill_soon(start(COMPILES, folder), rng.uniform(0, whole))
            yield alive, compiled(folder)[1] == due


def killed_trainings(points: int, seed: int = 0) -> Iterator[tuple[int, bool]]:
    """Kill one training at random moments and go on each time from its checkpoint; the bytes at the end are those of
    a training that nobody killed. Yields how often it was killed, and whether they are, until ``points`` are reached.
    """
    rng, done = random.Random(seed), 0
    cache = os.environ.get("GRAPHC_CACHE", "")
    while done < points:
        with tempfile.TemporaryDirectory() as folder:
            whole, cut = (Path(folder) / f"{name}.safetensors" for name in ("whole", "cut"))
            first = start(TRAINS, cache, TESTS, str(Path(folder) / "never"), str(whole))
            began = time.monotonic()
            end(first)
            seconds = time.monotonic() - began
            kills = 0
            while done + kills < points and kill_soon(
                start(TRAINS, cache, TESTS, str(cut), str(Path(folder) / "unused")), rng.uniform(0, seconds)
            ):
                kills += 1
            last = Path(folder) / "last.safetensors"
            end(start(TRAINS, cache, TESTS, str(cut), str(last)))
            done += max(kills, 1)
            yield kills, last.read_bytes() == whole.read_bytes()


def altered(content: bytes, rng: random.Random, every: int = 1) -> Iterator[bytes]:
    """``content`` with each ``every``-th byte flipped, cut at as many places, empty, longer, and as garbage."""
    for at in range(0, len(content), every):
        yield content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1 :]
    for at in range(0, len(content), max(1, 10 * every)):
        yield content[:at]
        yield content[:at] + bytes(len(content) - at)
    yield content + b"\0"
    yield rng.randbytes(len(content))
    yield content[::-1]


def altered_files(folder: Path, every: int = 1, seed: int = 0) -> tuple[int, int]:
    """Alter the files of a cache in every place; how many alterations there were, and how many would have been run."""
    from unittest.mock import patch

    from graphc.runtime import cache

    rng, tried, run = random.Random(seed), 0, 0
    with patch.dict(os.environ, {"GRAPHC_CACHE": str(folder)}):
        for file in sorted((folder / "objects").iterdir()):
            content = file.read_bytes()
            assert cache.read(file.name) is not None
            for other in altered(content, rng, every):
                if other != content:
                    file.write_bytes(other)
                    tried, run = tried + 1, run + (cache.read(file.name) is not None)
            file.write_bytes(content)
    return tried, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    killed = list(killed_compilations(given.points, given.seed))
    wrong = sum(not right for _, right in killed)
    print(
        f"compilations killed: {len(killed)}, {sum(a for a, _ in killed)} of them under way; results lost: {wrong}"
    )
    trained = list(killed_trainings(given.points, given.seed))
    wrong = sum(not right for _, right in trained)
    print(
        f"trainings killed: {sum(k for k, _ in trained)}, in {len(trained)} runs; runs with other bytes: {wrong}"
    )
    with tempfile.TemporaryDirectory() as folder:
        compiled(folder)
        tried, run = altered_files(Path(folder), seed=given.seed)
    print(f"files altered: {tried} ways; read as if they were whole: {run}")


if __name__ == "__main__":
    main()
