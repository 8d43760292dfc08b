"""Calls on several threads: the same bytes, whoever computes them, and never a hang."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import runtime_kernels as kernels

from graphc.runtime import jit, launch, outline, threads, units

SOURCE = (
    kernels.HEAD
    + """
@kernel
def blur(lo, hi, args):
    x = f32_buffer(args, 0)
    y = f32_buffer(args, 1)
    n = size(args, 2)
    rows = size(args, 3)
    for i in range(lo, hi):
        above, below = maximum_i64(i - 1, 0), minimum_i64(i + 1, rows - 1)
        for j in range(n):
            y[i * n + j] = (x[above * n + j] + x[i * n + j] + x[below * n + j]) * f32(0.3)


@kernel
def total(lo, hi, args):
    x = f32_buffer(args, 0)
    y = f32_buffer(args, 1)
    s = f32(0.0)
    for i in range(size(args, 2) * size(args, 3)):
        s = accumulate_add_f32(s, x[i])
    y[0] = s


"""
    + launch.ENTRY
)
ROWS, COLUMNS, REPEATS = 96, 40, 12


class Blur:
    """A program that blurs back and forth, every step needing all rows of the one before."""

    def __init__(self, loaded: jit.Loaded, seed: int = 0) -> None:
        self.loaded = loaded
        self.x = np.random.default_rng(seed).uniform(size=(ROWS, COLUMNS)).astype(np.float32)
        self.y, self.sums = np.zeros_like(self.x), np.zeros((REPEATS, 1), np.float32)
        forth = kernels.Block(self.x, self.y, COLUMNS, ROWS)
        back = kernels.Block(self.y, self.x, COLUMNS, ROWS)
        records: list[tuple[str, int, int, kernels.Block]] = []
        for repeat in range(REPEATS):
            sums = kernels.Block(self.y, self.sums[repeat], COLUMNS, ROWS)
            records += [("blur", 7, ROWS, forth), ("total", 1, 1, sums), ("blur", 96, ROWS, back)]
        self.blocks = [block for *_, block in records]  # the table holds their addresses only
        self.table = kernels.steps([(loaded.addresses[name], *rest) for name, *rest in records])

    def __call__(self) -> bytes:
        kernels.call(self.loaded, self.table)
        return self.x.tobytes() + self.sums.tobytes()


@pytest.fixture(scope="module")
def loaded() -> jit.Loaded:
    return jit.load(SOURCE)


def test_any_number_of_threads_gives_the_same_bytes(loaded: jit.Loaded) -> None:
    with threads.limit(1):
        expected = Blur(loaded)()
    for _ in range(100):
        assert Blur(loaded)() == expected


def test_python_threads_may_call_at_once(loaded: jit.Loaded) -> None:
    with threads.limit(1):
        expected = {seed: Blur(loaded, seed)() for seed in range(4)}
    found: dict[int, list[bytes]] = {seed: [] for seed in range(4)}

    def run(seed: int) -> None:
        found[seed] = [Blur(loaded, seed)() for _ in range(50)]

    callers = [threading.Thread(target=run, args=(seed,)) for seed in found]
    for each in callers:
        each.start()
    for each in callers:
        each.join(60)
    assert found == {seed: [value] * 50 for seed, value in expected.items()}


def test_python_threads_may_load_at_once() -> None:
    texts = [SOURCE.replace("0.3", f"0.3{digit}") for digit in range(3)] * 2
    found: list[jit.Loaded] = []
    callers = [threading.Thread(target=lambda text=text: found.append(jit.load(text))) for text in texts]
    before = jit.counters()
    for each in callers:
        each.start()
    for each in callers:
        each.join(60)
    assert len({each.addresses["blur"] for each in found}) == 3
    assert jit.counters() - before <= 3


def test_a_limit_holds_for_its_thread_and_block() -> None:
    everywhere: list[int] = []
    with threads.limit(1):
        other = threading.Thread(target=lambda: everywhere.append(threads.count()))
        other.start()
        other.join()
        assert threads.count() == 1
        with threads.limit(10**6):
            assert threads.count() == threads.cores()
    assert everywhere == [threads.cores()] == [threads.count()]
    with pytest.raises(ValueError, match="0 threads"), threads.limit(0):
        pass


FORK = """
import os, sys
sys.path[:0] = [{tests!r}]
import test_runtime_threads as tests
loaded = tests.jit.load(tests.SOURCE)
expected = tests.Blur(loaded)()
child = os.fork()
if child == 0:
    for _ in range(20):
        assert tests.Blur(loaded)() == expected
    os._exit(7)
_, status = os.waitpid(child, 0)
assert tests.Blur(loaded)() == expected
print(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is of POSIX")
def test_a_forked_child_has_workers_of_its_own() -> None:
    script = FORK.format(tests=str(Path(__file__).parent))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "7"), done.stderr


def test_the_outlined_loop_has_the_entrys_parameters_and_its_own_variable() -> None:
    import ast

    [entry] = ast.parse(launch.ENTRY).body
    assert isinstance(entry, ast.FunctionDef)
    outer, member = outline.outline(entry)
    assert "parallel_for(threads, steps, count, threads, guards)" in ast.unparse(outer)
    assert "prange" not in ast.unparse(outer)
    assert ast.unparse(member).startswith("def member_of_team(steps, count, threads, guards, member):")


def test_a_constant_of_the_module_is_part_of_every_units_text() -> None:
    text = "FACTOR = 2.0\n@kernel\ndef scale(lo, hi, args):\n    f32(FACTOR)\n"
    [two], [three] = units.split(text), units.split(text.replace("2.0", "3.0"))
    assert two.text != three.text
    assert two.key("") != three.key("")


def test_what_a_name_is_imported_from_is_part_of_the_text_of_who_uses_it() -> None:
    one_and_two = (
        f"@kernel\ndef {name}(lo, hi, args):\n    {word}(lo)\n" for name, word in [("one", "f"), ("two", "g")]
    )
    text = "from a import f\n" + "".join(one_and_two)
    [one, two], [other, same] = units.split(text), units.split(text.replace("from a", "from b"))
    assert one.text != other.text
    assert two.text == same.text


def test_a_key_is_of_one_machine() -> None:
    [two] = units.split("@kernel\ndef two(lo, hi, args):\n    pass")
    assert two.key("one machine") != two.key("another")
