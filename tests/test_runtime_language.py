"""The words of the kernel language against NumPy, in float32 and float64."""

from __future__ import annotations

import numpy as np
import pytest
import runtime_kernels as kernels

from graphc.errors import CompileError
from graphc.runtime import jit

#: Every word of floats by its text, with its meaning in NumPy; T is the type.
WORDS = {
    "fma_T(a, b, c)": lambda a, b, c: np.asarray(a.astype(np.longdouble) * b + c, a.dtype),
    "maximum_T(a, b)": lambda a, b, c: np.maximum(a, b),
    "minimum_T(a, b)": lambda a, b, c: np.minimum(a, b),
    "copysign_T(a, b)": lambda a, b, c: np.copysign(a, b),
    "rint_T(a)": lambda a, b, c: np.rint(a),
    "floor_T(a)": lambda a, b, c: np.floor(a),
    "ceil_T(a)": lambda a, b, c: np.ceil(a),
    "trunc_T(a)": lambda a, b, c: np.trunc(a),
    "abs_T(a)": lambda a, b, c: np.abs(a),
    "sqrt_T(abs_T(a))": lambda a, b, c: np.sqrt(np.abs(a)),
    "a + b - c": lambda a, b, c: a + b - c,
    "a / b": lambda a, b, c: a / b,
    "-a": lambda a, b, c: -a,
    "T(0.1)": lambda a, b, c: np.full_like(a, 0.1),
    "select(a < b, b, c)": lambda a, b, c: np.where(a < b, b, c),
    "select(not a == b, T(1), T(2))": lambda a, b, c: np.where(a != b, 1, 2).astype(a.dtype),
    "T(i32(c))": lambda a, b, c: np.trunc(c) + 0,
    "T(b1(c) and a < b)": lambda a, b, c: ((c != 0) & (a < b)).astype(a.dtype),
    "c // T(2.5) + c % T(-2.5)": lambda a, b, c: c // c.dtype.type(2.5) + c % c.dtype.type(-2.5),
    "T((i - 9) // 4 * 100 + (i - 9) % 4)": lambda a, b, c: sum(
        divmod(np.arange(len(a)) - 9, 4) * np.array([[100], [1]])
    ).astype(a.dtype),
    "T(i) * T(0.5)": lambda a, b, c: np.arange(len(a), dtype=a.dtype) * a.dtype.type(0.5),
    "float_T(bits_T(a) ^ bits_T(b) ^ bits_T(b))": lambda a, b, c: a,
    "scalar_T(args, LAST)": lambda a, b, c: np.full_like(a, 1 / 3),
}


def source_of_words(kind: str) -> str:
    """One kernel that stores every word's result in a buffer of its own."""

    def typed(text: str) -> str:
        return text.replace("_T", f"_{kind}").replace("T(", f"{kind}(").replace("LAST", str(3 + len(WORDS)))

    operands = [f"    {name} = {kind}_buffer(args, {k})" for k, name in enumerate("xyz")]
    results = [f"    y{k} = {kind}_buffer(args, {3 + k})" for k in range(len(WORDS))]
    loop = ["    for i in range(lo, hi):", "        a, b, c = x[i], y[i], z[i]"]
    stores = [f"        y{k}[i] = {typed(text)}" for k, text in enumerate(WORDS)]
    head = [kernels.HEAD, "@kernel", "def words(lo, hi, args):"]
    return "\n".join([*head, *operands, *results, *loop, *stores, ""])


@pytest.fixture(scope="module", params=["f32", "f64"])
def outcomes(request: pytest.FixtureRequest) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What each word gave, and what NumPy gives."""
    dtype = np.dtype({"f32": np.float32, "f64": np.float64}[request.param])
    special = np.array([0.0, -0.0, 1.5, -1.5, 2.5, np.inf, -np.inf, np.nan, 1e-30, 3e9], dtype)
    a, b = (each.ravel() for each in np.meshgrid(special, special))
    c = np.linspace(-9.7, 9.9, len(a), dtype=dtype)
    results = [np.zeros_like(a) for _ in WORDS]
    address = jit.load(source_of_words(request.param)).addresses["words"]
    kernels.run(address, len(a), a, b, c, *results, 1 / 3)
    with np.errstate(all="ignore"):
        expected = [meaning(a, b, c) for meaning in WORDS.values()]
    return dict(zip(WORDS, zip(results, expected, strict=True), strict=True))


@pytest.mark.parametrize("word", WORDS)
def test_a_word_means_what_numpy_means(outcomes: dict[str, tuple[np.ndarray, np.ndarray]], word: str) -> None:
    result, expected = outcomes[word]
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)
    if not word.startswith(("maximum", "minimum")):  # of two zeros they may take either
        numbers = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(result[numbers]), np.signbit(expected[numbers]))


REDUCTIONS = """
@kernel
def reduce(lo, hi, args):
    x = f32_buffer(args, 0)
    y = f32_buffer(args, 1)
    total = f32(0.0)
    product = f32(1.0)
    largest = x[lo]
    smallest = x[lo]
    for i in range(lo, hi):
        total = accumulate_add_f32(total, x[i])
        product = accumulate_mul_f32(product, x[i])
        largest = accumulate_max_f32(largest, x[i])
        smallest = accumulate_min_f32(smallest, x[i])
    y[0] = total
    y[1] = product
    y[2] = largest
    y[3] = smallest
"""


@pytest.mark.parametrize("place", [None, 0, 57, 130])
def test_reductions_keep_nan_wherever_it_stands(place: int | None) -> None:
    x = np.random.default_rng(1).uniform(0.9, 1.1, 131).astype(np.float32)
    if place is not None:
        x[place] = np.nan
    y = np.zeros(4, np.float32)
    kernels.run(jit.load(kernels.HEAD + REDUCTIONS).addresses["reduce"], len(x), x, y)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(y, [wide.sum(), wide.prod(), wide.max(), wide.min()], rtol=2e-6)


INTEGERS = """
@kernel
def integers(lo, hi, args):
    a = i32_buffer(args, 0)
    b = i64_buffer(args, 1)
    u = u32_buffer(args, 2)
    m = b1_buffer(args, 3)
    x = f64_buffer(args, 4)
    p = f32_buffer(args, 5)
    n = size(args, 6)
    for i in range(lo, hi):
        row, column = quotient(i, n), remainder(i, n)
        b[i] = maximum_i64(row, column) * 100 + minimum_i64(row, column)
        u[i] = u32(u64(u[i]) * u64(3000000000))
        m[i] = not m[i]
        a[i] = i32(a[i] + a[i])
        b[i] += i64(a[i] == i32(-2147483648)) * 1000000
        p[i] = f32(i32(x[i])) + f32(u32(x[i])) * f32(0.0) + select(m[i], f32(0.25), f32(0.0))
"""


def test_integers_wrap_and_casts_saturate() -> None:
    count, n = 24, 7
    i = np.arange(count)
    a = np.array([2**30, -(2**30), 2**31 - 1, *range(count - 3)], np.int32)
    before = a.copy()
    u = np.arange(count, dtype=np.uint32) * np.uint32(123456789)
    mask = i % 3 == 0
    x = np.array([1e30, -1e30, np.nan, 2.9, -2.9, *range(count - 5)], np.float64)
    b, p, flipped, v = np.zeros(count, np.int64), np.zeros(count, np.float32), mask.copy(), u.copy()
    address = jit.load(kernels.HEAD + INTEGERS).addresses["integers"]
    kernels.run(address, count, a, b, v, flipped, x, p, n)
    with np.errstate(over="ignore", invalid="ignore"):
        np.testing.assert_array_equal(a, before + before)
        np.testing.assert_array_equal(v, u * np.uint32(3000000000))
    expected = np.maximum(i // n, i % n) * 100 + np.minimum(i // n, i % n) + (a == -(2**31)) * 1000000
    np.testing.assert_array_equal(b, expected)
    np.testing.assert_array_equal(flipped, ~mask)
    whole = np.array([2**31 - 1, -(2**31), 0, 2, -2, *range(count - 5)], np.float32)
    np.testing.assert_array_equal(p, whole + np.where(~mask, np.float32(0.25), np.float32(0)))


IN_PLACE = """
@kernel
def shift(lo, hi, args):
    x = f32_buffer(args, 0)
    y = f32_buffer(args, 1)
    for i in range(lo, hi):
        x[i + 1] = x[i] + y[i]


@kernel
def swap(lo, hi, args):
    x = f32_buffer(args, 0)
    y = f32_buffer(args, 1)
    for i in range(lo, hi):
        x[i], y[i] = y[i], x[i]
"""


def test_what_is_stored_through_a_buffer_is_seen_through_it() -> None:
    addresses = jit.load(kernels.HEAD + IN_PLACE).addresses
    x, y = np.zeros(300, np.float32), np.arange(300, dtype=np.float32)
    kernels.run(addresses["shift"], 299, x, y)
    np.testing.assert_array_equal(x, np.concatenate([[0], np.cumsum(y[:-1])]).astype(np.float32))
    former = x.copy()
    kernels.run(addresses["swap"], 300, x, y)
    np.testing.assert_array_equal(y, former)


ADDRESSES = """
@kernel
def addresses(lo, hi, args):
    x = f64_buffer(args, 0)
    y = i64_buffer(args, 1)
    for i in range(lo, hi):
        y[i] = address(x, i)
"""


def test_the_address_of_an_element() -> None:
    x, y = np.zeros(5), np.zeros(5, np.int64)
    kernels.run(jit.load(kernels.HEAD + ADDRESSES).addresses["addresses"], 5, x, y)
    np.testing.assert_array_equal(y, x.ctypes.data + 8 * np.arange(5))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nowhere(lo)", "nowhere"),
        ("f32_buffer(args, lo)", "f32_buffer"),
        ("select(lo < hi, f32(0.0), lo)", "select"),
        ("f32(0.0, 1.0)", "f32"),
        ("for i in range(lo, hi, args):\n        size(args, i)", "may raise"),
        ("lo[0]", "getitem"),
        ("[lo]", "NRT"),
    ],
)
def test_what_is_not_in_the_language_is_told_with_kernel_and_file(line: str, reason: str) -> None:
    text = f"{kernels.HEAD}@kernel\ndef wrong(lo, hi, args):\n    {line}\n"
    with pytest.raises(CompileError, match=r"wrong: .*kernels\.py") as error:
        jit.load(text, "kernels.py")
    assert reason in str(error.value)
