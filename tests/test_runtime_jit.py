"""Emitted modules compiled, loaded and run through their step tables."""

from __future__ import annotations

import numpy as np
import pytest

from graphc.errors import CompileError
from graphc.runtime import jit, launch

SOURCE = (
    '''
from graphc.runtime.language import *


@kernel
def affine(lo, hi, args):
    """y = a * x + 1, row by row."""
    x = f32_buffer(args, 0)
    y = f32_buffer(args, 1)
    n = size(args, 2)
    a = scalar_f32(args, 3)
    for i in range(lo * n, hi * n):
        y[i] = x[i] * a + f32(1.0)


'''
    + launch.ENTRY
)


def step_table(rows: list[tuple[int, int, int, int]]) -> np.ndarray:
    """A table of steps at a cache line."""
    line = 8 * launch.STEP_WORDS
    raw = np.zeros(line * (len(rows) + 1), np.uint8)
    start = -raw.ctypes.data % line
    table = raw[start : start + line * len(rows)].view(np.int64).reshape(-1, launch.STEP_WORDS)
    table[:, :4] = rows
    return table


@pytest.mark.parametrize("tiles", [1, 2, 7, 64, 100])
def test_a_chain_of_steps_runs_in_order_whatever_the_tiles(tiles: int) -> None:
    loaded = jit.load(SOURCE)
    x = np.arange(101 * 30, dtype=np.float32)
    y, z = np.zeros_like(x), np.zeros_like(x)
    slots = np.array([x.ctypes.data, y.ctypes.data, z.ctypes.data])
    factor = np.array([2.0, 3.0]).view(np.int64)
    first = np.array([slots.ctypes.data, slots.ctypes.data + 8, 30, factor[0]])
    second = np.array([slots.ctypes.data + 8, slots.ctypes.data + 16, 30, factor[1]])
    kernel = loaded.addresses["affine"]
    table = step_table([(kernel, tiles, 101, block.ctypes.data) for block in (first, second)])
    loaded.call(table.ctypes.data, 2)
    np.testing.assert_array_equal(y, 2 * x + 1)
    np.testing.assert_array_equal(z, 3 * y + 1)


def test_a_text_is_compiled_once() -> None:
    jit.load(SOURCE)
    before = jit.counters()
    again = jit.load(SOURCE.replace("affine", "other").replace("row by row", "element by element"))
    assert (again.compiled, again.cached) == (0, 2)
    assert jit.counters() == before


def test_what_is_not_in_the_language_is_told_with_the_kernel_and_the_file() -> None:
    source = "from graphc.runtime.language import *\n@kernel\ndef broken(lo, hi, args):\n    nowhere(lo)\n"
    with pytest.raises(CompileError, match=r"broken: .*kernels\.py"):
        jit.load(source, "kernels.py")
