"""Matrix products of the runtime against NumPy in float64."""

from __future__ import annotations

import ctypes
import doctest
import itertools
import mmap
import re
from collections.abc import Callable, Iterator
from unittest.mock import patch

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir

from graphc.runtime import compiler, externals, jit, loader
from graphc.runtime import gemm as gemm_module
from graphc.runtime.gemm import gemm
from graphc.runtime.gemm_vectors import Host, host

SOURCE = """
from graphc.runtime.language import *


@kernel
def product_{suffix}(lo, hi, args):
    {word}(
        hi - lo, size(args, 1), size(args, 2),
        size(args, 3) + lo * size(args, 4) * {bytes}, size(args, 4), size(args, 5),
        size(args, 6), size(args, 7), size(args, 8),
        size(args, 9) + lo * size(args, 10) * {bytes}, size(args, 10),
    )
"""
#: Types by the names of the language, and the processors whose code is tried on this one.
TYPES = {"f32": (np.dtype(np.float32), ir.FloatType()), "f64": (np.dtype(np.float64), ir.DoubleType())}
PROCESSORS = {
    "avx": Host(bits=256, registers=16, masks=False),
    "neon": Host(bits=128, registers=32, masks=False),
    "avx512": Host(bits=512, registers=32, masks=True),
}
LAYOUTS = ("rows", "columns", "padded", "sliced")

#: product(a, b, c, accumulate, lo, hi): rows lo to hi of c = a b, or added to it.
Product = Callable[..., None]


def strides(matrix: np.ndarray) -> tuple[int, int]:
    return matrix.strides[0] // matrix.itemsize, matrix.strides[1] // matrix.itemsize


def address(matrix: np.ndarray) -> int:
    return matrix.__array_interface__["data"][0]


def through_kernels(suffix: str) -> Product:
    """The product as kernels call it."""
    runs = []
    for word in (f"gemm_{suffix}", f"gemm_accumulate_{suffix}"):
        text = SOURCE.format(suffix=suffix, word=word, bytes=TYPES[suffix][0].itemsize)
        kernel = jit.load(text).addresses[f"product_{suffix}"]
        runs.append(ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(kernel))

    def product(a: np.ndarray, b: np.ndarray, c: np.ndarray, accumulate: int, lo: int, hi: int) -> None:
        factors = (address(a), *strides(a), address(b), *strides(b), address(c), strides(c)[0])
        args = np.array([a.shape[0], b.shape[1], a.shape[1], *factors])
        runs[accumulate](lo, hi, args.ctypes.data)

    return product


def for_processor(suffix: str, processor: Host) -> Product:
    """The product as it is written for another processor; its vectors are legal here too, only slower."""
    symbol = f"gemm_for_{processor.bits}_{processor.registers}_{suffix}"
    code = compiler.emit(compiler.lower(gemm(TYPES[suffix][1], processor), symbol), symbol)
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 16)(loader.link({symbol: code})[symbol])

    def product(a: np.ndarray, b: np.ndarray, c: np.ndarray, accumulate: int, lo: int, hi: int) -> None:
        factors = (address(a[lo:]), *strides(a), address(b), *strides(b), address(c[lo:]), strides(c)[0])
        run(hi - lo, b.shape[1], a.shape[1], *factors, accumulate, 1, 0, hi - lo, 0)

    return product


CASES = ["f32", "f64", "f32-avx", "f64-avx", "f32-neon", "f32-avx512"]


@pytest.fixture(scope="module", params=CASES)
def compiled(request: pytest.FixtureRequest) -> tuple[np.dtype, Product]:
    """Element type, and the product of this processor or of another."""
    suffix, _, processor = request.param.partition("-")
    product = for_processor(suffix, PROCESSORS[processor]) if processor else through_kernels(suffix)
    return TYPES[suffix][0], product


def matrix(rng: np.random.Generator, rows: int, columns: int, layout: str, dtype: np.dtype) -> np.ndarray:
    """A random matrix in memory of its own, laid out as told."""
    shape = {"columns": (columns, rows), "padded": (rows, columns + 5), "sliced": (2 * rows, 3 * columns)}
    values = rng.standard_normal(shape.get(layout, (rows, columns))).astype(dtype)
    if layout == "columns":
        return values.T
    return values[:, :columns] if layout == "padded" else values[::2, ::3] if layout == "sliced" else values


def sizes() -> Iterator[tuple[int, int, int]]:
    """Around the edges of every tile, and some that need several panels, blocks of k and of rows."""
    edges = (0, 1, 4, 5, 8, 9, 16, 17, 31, 33)
    yield from itertools.product(edges, edges, (0, 1, 7, 17, 32))
    yield from [(37, 65, 300), (300, 40, 50), (1, 270, 600), (600, 1, 33), (5, 1, 1000), (30, 129, 513)]
    yield from [(64, 1024, 20), (260, 33, 257), (3, 3, 4200)]


def check(product: Product, a: np.ndarray, b: np.ndarray, accumulate: int, rng: np.random.Generator) -> None:
    """Compare one product, and see that nothing else is written."""
    (m, k), n = a.shape, b.shape[1]
    frame = rng.standard_normal((m + 2, n + 7)).astype(a.dtype)
    result = frame.copy()
    product(a, b, result[1 : m + 1, 3 : n + 3], accumulate, 0, m)
    wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    start = accumulate * frame[1 : m + 1, 3 : n + 3].astype(np.float64)
    bound = (k + 4) * np.finfo(a.dtype).eps * (np.abs(wide_a) @ np.abs(wide_b) + np.abs(start))
    error = np.abs(result[1 : m + 1, 3 : n + 3] - (wide_a @ wide_b + start))
    assert np.all(error <= bound), (a.shape, b.shape, a.strides, b.strides, accumulate)
    result[1 : m + 1, 3 : n + 3] = frame[1 : m + 1, 3 : n + 3]
    assert result.tobytes() == frame.tobytes(), (a.shape, b.shape, a.strides, b.strides)


def test_products_of_every_size_and_layout(compiled: tuple[np.dtype, Product]) -> None:
    dtype, product = compiled
    rng = np.random.default_rng(3)
    layouts = itertools.cycle(itertools.product(LAYOUTS, LAYOUTS, (0, 1)))
    for (m, n, k), repeat in itertools.product(sizes(), range(2)):
        left, right, accumulate = next(layouts)
        a, b = matrix(rng, m, k, left, dtype), matrix(rng, k, n, right, dtype)
        check(product, a, b, (accumulate + repeat) % 2, rng)


def test_transposed_left_factors_are_packed_tile_by_tile(compiled: tuple[np.dtype, Product]) -> None:
    dtype, product = compiled
    rng = np.random.default_rng(5)
    for m, k in itertools.product((*range(1, 35), 120, 270), (3, 300)):
        a, b = matrix(rng, m, k, "columns", dtype), matrix(rng, k, 133, "rows", dtype)
        check(product, a, b, m % 2, rng)


def test_panels_are_packed_while_the_first_tile_reads_them(compiled: tuple[np.dtype, Product]) -> None:
    dtype, product = compiled
    rng = np.random.default_rng(6)
    shapes = [
        *itertools.product((48, 55, 129, 136, 260), (33, 50, 96, 100, 112), (1, 3, 4, 66)),
        *itertools.product((24, 31), (1024 + extra for extra in (0, 16, 48, 5)), (2, 9)),
        *itertools.product((17, 130), (48, 100), (255, 257, 514, 790)),
    ]
    sides = itertools.cycle(itertools.product(("rows", "columns", "padded"), ("rows", "padded")))
    for (m, n, k), (left, right) in zip(shapes, sides, strict=False):
        a, b = matrix(rng, m, k, left, dtype), matrix(rng, k, n, right, dtype)
        check(product, a, b, (m + n + k) % 2, rng)


def test_products_of_every_remainder_by_a_tile(compiled: tuple[np.dtype, Product]) -> None:
    dtype, product = compiled
    rng = np.random.default_rng(7)
    for m, n in itertools.product(range(8, 17), range(16, 65)):
        k = 16 + (m * 49 + n) % 5
        a, b = matrix(rng, m, k, ("rows", "columns")[n % 2], dtype), matrix(rng, k, n, "rows", dtype)
        check(product, a, b, m % 2, rng)


@pytest.mark.parametrize(("left", "right"), list(itertools.product(LAYOUTS, LAYOUTS)))
def test_a_row_has_the_same_bytes_however_rows_are_split(
    compiled: tuple[np.dtype, Product], left: str, right: str
) -> None:
    dtype, product = compiled
    rng = np.random.default_rng(4)
    shapes = [
        (29, 37, 40),
        (50, 1, 70),
        (70, 10, 300),
        (270, 33, 20),
        (23, 300, 33),
        (31, 3, 7),
        (40, 6, 33),
        (9, 16, 1),
        (140, 112, 270),
        (60, 100, 6),
    ]
    for m, n, k in shapes:
        a, b = matrix(rng, m, k, left, dtype), matrix(rng, k, n, right, dtype)
        whole, parts = np.zeros((m, n), dtype), np.zeros((m, n), dtype)
        product(a, b, whole, 0, 0, m)
        cuts = [0, 1, 2, *sorted(rng.integers(2, m, 3)), m]
        for lo, hi in itertools.pairwise(cuts):
            product(a, b, parts, 0, int(lo), int(hi))
        assert whole.tobytes() == parts.tobytes(), (m, n, k)


def test_infinities_and_nan_of_one_row_or_column_stay_there(compiled: tuple[np.dtype, Product]) -> None:
    dtype, product = compiled
    for n, bad in itertools.product((21, 10, 3), (3, 18)):
        a, b = np.ones((11, 19), dtype), np.ones((19, n), dtype)
        a[4, 3], b[bad, n - 1] = np.nan, np.inf
        c = np.zeros((11, n), dtype)
        product(a, b, c, 0, 0, 11)
        assert np.isnan(c[4]).all()
        np.testing.assert_array_equal(np.delete(c, 4, axis=0)[:, : n - 1], 19)
        np.testing.assert_array_equal(np.delete(c, 4, axis=0)[:, n - 1], np.inf)


@pytest.fixture
def at_the_end() -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """Copies a matrix to where the next byte after it may not be touched."""
    protect = getattr(ctypes.CDLL(None), "mprotect", None)
    if protect is None:
        pytest.skip("no memory protection here")
    protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    guarded: list[int] = []
    maps = []

    def copy(values: np.ndarray) -> np.ndarray:
        size = -(-values.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
        maps.append(mmap.mmap(-1, size + mmap.PAGESIZE))
        raw = np.frombuffer(maps[-1], np.uint8)
        guarded.append(address(raw) + size)
        assert protect(guarded[-1], mmap.PAGESIZE, 0) == 0
        order = "C" if values.flags.c_contiguous else "F"
        place = np.ndarray(values.shape, values.dtype, raw[size - values.nbytes : size].data, order=order)
        place[...] = values
        return place

    yield copy
    for page in guarded:
        protect(page, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE)


@pytest.mark.parametrize(("left", "right"), list(itertools.product(("rows", "columns"), repeat=2)))
def test_nothing_is_read_beyond_the_matrices(
    compiled: tuple[np.dtype, Product],
    at_the_end: Callable[[np.ndarray], np.ndarray],
    left: str,
    right: str,
) -> None:
    dtype, product = compiled
    rng = np.random.default_rng(5)
    for m, n, k in [
        (1, 1, 7),
        (1, 10, 3),
        (9, 10, 5),
        (9, 3, 6),
        (2, 4, 5),
        (7, 35, 13),
        (50, 1, 21),
        (49, 130, 9),
        (131, 96, 9),
        (56, 50, 5),
        (16, 32, 7),
    ]:
        a = at_the_end(matrix(rng, m, k, left, dtype))
        b = at_the_end(matrix(rng, k, n, right, dtype))
        c = at_the_end(np.zeros((m, n), dtype))
        for accumulate in (0, 1):
            product(a, b, c, accumulate, 0, m)
        np.testing.assert_allclose(c, 2 * (a.astype(float) @ b), rtol=1e-3, atol=1e-4)


def inner_loops(assembly: str) -> Iterator[tuple[str, list[str]]]:
    """The loops without loops inside that multiply vectors, with the function that they are in."""
    name, label, body = "", "", []
    for line in assembly.splitlines():
        if found := re.match(r"(\w+):", line):
            name = found[1]
        elif found := re.match(r"(\.\w+):", line):
            label, body = found[1], []
        else:
            body.append(line.strip())
            if (
                re.match(rf"j\w+\t{re.escape(label)}$", body[-1])
                and sum("vfmadd" in each for each in body) > 3
            ):
                yield name, body


@pytest.mark.skipif(host().bits != 512, reason="only the host's own code is what will run")
@pytest.mark.parametrize("suffix", TYPES)
def test_inner_loops_keep_their_vectors_in_registers(suffix: str) -> None:
    texts: list[str] = []

    def emit(machine: llvm.TargetMachine, module: llvm.ModuleRef) -> bytes:
        texts.append(machine.emit_assembly(module))
        return b""

    symbol = f"graphc_gemm_{suffix}"
    with patch.object(llvm.TargetMachine, "emit_object", emit):
        compiler.emit(compiler.lower(externals.function(symbol), symbol), symbol)
    loops = list(inner_loops(texts[0]))
    assert {name for name, _ in loops} >= {
        f"whole_8_{n}_{form}" for n in (2, 3) for form in ("along", "down")
    }
    for name, body in loops:
        assert not [line for line in body if "zmm" in line and re.search(r"\(%rsp", line)], name


def test_the_example_runs() -> None:
    failed, attempted = doctest.testmod(gemm_module)
    assert attempted > 0
    assert failed == 0
