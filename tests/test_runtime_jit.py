"""Emitted modules compiled, loaded and run through their step tables."""

from __future__ import annotations

import linecache
from pathlib import Path

import numpy as np
import pytest
import runtime_kernels as kernels

from graphc.runtime import cache, jit, launch

SOURCE = (
    kernels.HEAD
    + '''
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


@pytest.mark.parametrize("tiles", [1, 2, 7, 64, 100])
def test_a_chain_of_steps_runs_in_order_whatever_the_tiles(tiles: int) -> None:
    loaded = jit.load(SOURCE)
    x = np.arange(101 * 30, dtype=np.float32)
    y, z = np.zeros_like(x), np.zeros_like(x)
    blocks = [kernels.Block(x, y, 30, 2.0), kernels.Block(y, z, 30, 3.0)]
    table = kernels.steps([(loaded.addresses["affine"], tiles, 101, block) for block in blocks])
    kernels.call(loaded, table)
    np.testing.assert_array_equal(y, 2 * x + 1)
    np.testing.assert_array_equal(z, 3 * y + 1)


def test_a_text_is_compiled_once_whatever_its_name_comments_and_layout() -> None:
    jit.load(SOURCE)
    before = jit.counters()
    other = (
        SOURCE.replace("affine", "other")
        .replace("row by row", "at once")
        .replace("f32(1.0)", "(f32( 1.0))  # one")
    )
    again = jit.load(other)
    assert (again.compiled, again.cached) == (0, 2)
    assert jit.counters() == before
    assert set(again.addresses) == {"other", "run"}


@pytest.fixture
def nothing_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))


@pytest.mark.usefixtures("nothing_on_disk")
def test_equal_kernels_of_one_module_share_their_code() -> None:
    kernel = SOURCE.removesuffix(launch.ENTRY).removeprefix(kernels.HEAD).replace("f32(1.0)", "f32(7.0)")
    loaded = jit.load(kernels.HEAD + kernel + kernel.replace("affine", "second"))
    assert loaded.compiled == 1
    assert loaded.addresses["affine"] == loaded.addresses["second"]


@pytest.mark.usefixtures("nothing_on_disk")
def test_the_lines_of_a_compiled_module_can_be_shown() -> None:
    jit.load(SOURCE.replace("f32(1.0)", "f32(9.0)"), "some/program.py")
    assert "f32(9.0)" in "".join(linecache.getlines("some/program.py"))


MATRICES = """
@kernel
def product(lo, hi, args):
    a = f32_buffer(args, 0)
    b = f32_buffer(args, 1)
    c = f32_buffer(args, 2)
    n = size(args, 3)
    k = size(args, 4)
    gemm_f32(hi - lo, n, k, address(a, lo * k), k, 1, address(b, 0), n, 1, address(c, lo * n), n)
    gemm_accumulate_f32(hi - lo, n, k, address(a, lo * k), k, 1, address(b, 0), n, 1, address(c, lo * n), n)
"""


def test_a_kernel_may_call_an_external_function() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-9, 9, shape).astype(np.float32) for shape in ((33, 50), (50, 17)))
    c = np.zeros((33, 17), np.float32)
    kernels.run(jit.load(kernels.HEAD + MATRICES).addresses["product"], 33, a, b, c, 17, 50)
    np.testing.assert_array_equal(c, 2 * (a @ b))
