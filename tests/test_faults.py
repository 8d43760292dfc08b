"""What goes wrong around a program: killed processes, altered files, full disks, Ctrl-C, threads, forks."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import faults
import pytest

from graphc.runtime import cache, units

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

NET = """
import os, signal, sys, threading, time, warnings
import numpy as np
import graphc as gc

def net(factor=1.0, seed=0):
    g = gc.Graph("net", seed=seed)
    x, t = g.input("x", ("N", 8)), g.input("t", ("N",), "int32")
    h = gc.nn.Dense(16, activation="tanh")(x) * factor
    loss = gc.losses.softmax_cross_entropy(gc.nn.Dense(3)(h), t)
    return gc.compile({"loss": loss}, updates=gc.optim.Adam(0.01)(gc.grad(loss)))

def data(rows=40):
    x = np.linspace(-1, 1, rows * 8, dtype="float32").reshape(rows, 8)
    return {"x": x, "t": np.arange(rows, dtype="int32") % 3}

def stored(step):
    return {n: a.tobytes() for n, a in {**step.params, **step.states}.items()}
"""


def run(script: str, cache_folder: Path | str | None = None, seconds: float = 120, **options: object) -> str:
    """What a process of ``script`` behind ``NET`` prints; a hang, a crash and an error fail the test."""
    folder = os.environ.get("GRAPHC_CACHE", "") if cache_folder is None else cache_folder
    command = [sys.executable, "-c", NET + textwrap.dedent(script)]
    done = subprocess.run(
        command, env=faults.environment(folder), capture_output=True, text=True, timeout=seconds, check=False,
        **options,  # type: ignore[call-overload]
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A cache that holds everything, and the digest of what its program computes."""
    folder = tmp_path_factory.mktemp("whole")
    return folder, faults.compiled(folder)[1]


def filled(whole: tuple[Path, str], folder: Path) -> list[Path]:
    """A copy of that cache."""
    (folder / "objects").mkdir(mode=0o700)
    for file in (whole[0] / "objects").iterdir():
        copy = folder / "objects" / file.name
        copy.write_bytes(file.read_bytes())
        copy.chmod(0o600)
    return sorted((folder / "objects").iterdir())


# ------------------------------------------------------------------------------------------------ the cache


def test_eight_processes_compile_one_program_into_one_cache(tmp_path: Path) -> None:
    running = [faults.start(faults.COMPILES, tmp_path) for _ in range(8)]
    assert len({faults.end(process, 240).split()[1] for process in running}) == 1
    assert faults.compiled(tmp_path)[0] == 0
    assert not [file.name for file in (tmp_path / "objects").iterdir() if file.name.startswith(".")]


def test_a_killed_compilation_loses_nothing() -> None:
    assert all(right for _, right in faults.killed_compilations(2))


def test_a_killed_training_goes_on_to_the_same_bytes() -> None:
    assert all(right for _, right in faults.killed_trainings(2))


def test_no_altered_file_is_read(whole: tuple[Path, str], tmp_path: Path) -> None:
    filled(whole, tmp_path)
    tried, read = faults.altered_files(tmp_path, every=199)
    assert tried > 300
    assert read == 0


def test_altered_files_are_compiled_anew(whole: tuple[Path, str], tmp_path: Path) -> None:
    files, rng = filled(whole, tmp_path), random.Random(0)
    for k, file in enumerate(files):
        content = file.read_bytes()
        others = list(faults.altered(content, rng, every=len(content) // 5))
        file.write_bytes(others[k % len(others)])
    files[0].write_bytes(b"")
    swapped = files[1].read_bytes(), files[2].read_bytes()  # each is whole, under the other's name
    assert swapped[0] != swapped[1]
    files[1].write_bytes((whole[0] / "objects" / files[2].name).read_bytes())
    count, digest = faults.compiled(tmp_path)
    assert (count, digest) == (len(files), whole[1])
    assert faults.compiled(tmp_path) == (0, whole[1])


def test_files_of_another_processor_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    here = cache.environment()
    name, features = cache.host()
    [unit] = units.split("@kernel\ndef k(lo, hi, args):\n    pass")
    for other in ((name, features.replace("+avx2", "-avx2") + ",+x"), (f"{name}2", features), ("", "")):
        monkeypatch.setattr(cache, "host", lambda other=other: other)
        assert cache.environment.__wrapped__() != here
        assert unit.key(cache.environment.__wrapped__()) != unit.key(here)
    monkeypatch.setattr(cache, "host", lambda: (name, features))
    assert cache.environment.__wrapped__() == here


WARNS = """
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    step, other = net(), net(2.0)
    losses = [step(**data())["loss"] for _ in range(3)]
print(sum(w.category is gc.errors.CacheWarning for w in told), losses[2] < losses[0], step.compiled > 0)
"""


def test_a_full_disk_is_told_once_and_programs_run(tmp_path: Path) -> None:
    limits = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))  # noqa: E731 - no file may be larger
    assert run(WARNS, tmp_path, preexec_fn=limits) == "1 True True\n"
    assert not list((tmp_path / "objects").iterdir())


def test_a_folder_that_cannot_be_written_is_told_once_and_programs_run(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.write_text("a file is in the way")
    assert run(WARNS, folder) == "1 True True\n"
    (tmp_path / "objects").mkdir(mode=0o500)
    if os.getuid():  # root may write everywhere
        assert run(WARNS, tmp_path) == "1 True True\n"
    (tmp_path / "objects").chmod(0o777)  # others may write there, so nothing there is trusted
    assert run(WARNS, tmp_path) == "1 True True\n"


# --------------------------------------------------------------------------------------------------- Ctrl-C


def test_an_interrupted_compilation_can_be_repeated() -> None:
    script = """
    due = net()(**data())["loss"]
    interrupted = 0
    for k in range(12):
        timer = threading.Timer(0.02 + 0.06 * k, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            net(1 + k / 64)
            time.sleep(5)
        except KeyboardInterrupt:
            interrupted += 1
        timer.join()
        found = [net(1 + k / 64)(**data())["loss"] for _ in range(2)]
        assert found[0] == found[1], found
    assert net()(**data())["loss"] == due
    print(interrupted)
    """
    assert run(script, "", 300) == "12\n"


def test_an_interrupted_call_leaves_a_whole_step() -> None:
    script = """
    step, due = net(), [stored(net())]
    other = net()
    for _ in range(3000):
        other(**data())
        due.append(stored(other))
    for k in range(20):
        timer = threading.Timer(0.003 + 0.001 * k, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            for _ in range(140):
                step(**data())
            time.sleep(1)
        except KeyboardInterrupt:
            pass
        assert stored(step) == due[int(step.states["adam.step"])]
    step(**data())
    assert stored(step) == due[int(step.states["adam.step"])]
    print(step.states["adam.step"] > 0)
    """
    assert run(script) == "True\n"


# ---------------------------------------------------------------------------------------- threads, processes


def test_many_threads_call_and_compile_several_programs() -> None:
    script = """
    programs, alone = [net(1 + k) for k in range(3)], [net(1 + k) for k in range(3)]
    def work(k):
        for j in range(30):
            programs[(j + k) % 3](**data())
        net(100 + k % 2)(**data())
    threads = [threading.Thread(target=work, args=(k,)) for k in range(9)]
    [t.start() for t in threads]; [t.join() for t in threads]
    for one in alone:
        for _ in range(90):
            one(**data())
    print([stored(a) == stored(b) for a, b in zip(programs, alone)])
    """
    assert run(script) == "[True, True, True]\n"


def test_a_child_forked_while_other_threads_call_and_compile_works() -> None:
    script = """
    step = net()
    going = True
    def call():
        while going:
            step(**data(4000))
    def load():
        k = 0
        while going:
            net(2 + (k := k + 1) % 5)
    threads = [threading.Thread(target=call), threading.Thread(target=load)]
    [t.start() for t in threads]
    ends = []
    for k in range(8):
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            before = int(step.states["adam.step"])
            good = np.isfinite(step(**data())["loss"]) and step.states["adam.step"] == before + 1
            good = good and np.isfinite(net(20)(**data())["loss"])
            os._exit(0 if good else 1)
        ends.append(os.waitpid(child, 0)[1])
        time.sleep(0.01)
    going = False
    [t.join() for t in threads]
    print(ends)
    """
    assert run(script) == f"{[0] * 8}\n"


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_workers_of_multiprocessing(method: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        NET
        + textwrap.dedent(f"""
    import multiprocessing

    def work(k):
        step = net()
        return [float(step(**data())["loss"]) for _ in range(3)]

    if __name__ == "__main__":
        due = work(0)
        with multiprocessing.get_context({method!r}).Pool(2) as pool:
            print(pool.map(work, range(4)) == [due] * 4)
    """)
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_the_cache_may_vanish_under_a_process(tmp_path: Path) -> None:
    """The folder is removed while the process runs: what it has is kept, what it needs is compiled."""
    script = f"""
    import shutil
    step = net()
    shutil.rmtree({str(tmp_path)!r})
    print(np.isfinite(net(3.0)(**data())["loss"]), np.isfinite(step(**data())["loss"]))
    """
    assert run(script, tmp_path) == "True True\n"
