"""Vector math of the kernel language against mpmath over the whole range."""

from __future__ import annotations

import ctypes
import doctest
import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest

from graphc.loops import FUNCTIONS
from graphc.runtime import jit, language, vecmath

# Largest error in units in the last place, float32 and float64.
UNARY: dict[str, tuple[float, float]] = {
    "exp": (1.0, 1.0),
    "expm1": (1.5, 2.0),
    "log": (1.0, 1.5),
    "log1p": (1.5, 2.0),
    "log2": (2.0, 2.0),
    "tanh": (2.0, 2.0),
    "sigmoid": (2.0, 2.0),
    "softplus": (2.0, 2.5),
    "erf": (1.5, 1.5),
    "erfc": (3.5, 3.5),
    "rsqrt": (1.5, 1.5),
    "sin": (2.0, 2.0),
    "cos": (2.0, 2.0),
    "tan": (4.0, 4.0),
    "asin": (2.5, 2.5),
    "acos": (1.5, 1.5),
    "atan": (2.0, 2.0),
    "sinh": (2.5, 2.5),
    "cosh": (1.5, 1.5),
    "asinh": (2.0, 2.5),
    "acosh": (2.5, 2.5),
    "atanh": (2.5, 2.5),
}
BINARY: dict[str, tuple[float, float]] = {"atan2": (2.0, 2.0), "pow": (1.0, 1.5)}
LIBRARY = ["lgamma"]
FLOATS = {"f32": np.dtype(np.float32), "f64": np.dtype(np.float64)}

Evaluate = Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]


def source(suffix: str) -> str:
    """A kernel with one loop for each function, results one block after another."""
    lines = ["from graphc.runtime.language import *", "from graphc.runtime.vecmath import *", "@kernel"]
    lines += ["def all_functions(lo, hi, args):", "    n = size(args, 3)"]
    lines += [f"    {p} = {suffix}_buffer(args, {k})" for k, p in enumerate("xyz")]
    calls = [f"{name}_{suffix}(x[i])" for name in [*UNARY, *LIBRARY]]
    calls += [f"{name}_{suffix}(x[i], y[i])" for name in BINARY]
    for block, call in enumerate(calls):
        lines += ["    for i in range(lo, hi):", f"        z[{block} * n + i] = {call}"]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module", params=list(FLOATS))
def compiled(request: pytest.FixtureRequest) -> tuple[np.dtype, Evaluate]:
    """Float type, and all of vecmath evaluated on the same arguments."""
    address = jit.load(source(request.param)).addresses["all_functions"]
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(address)
    names = [*UNARY, *LIBRARY, *BINARY]

    def evaluate(x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
        z = np.zeros((len(names), len(x)), x.dtype)
        slots = np.array([x.ctypes.data, y.ctypes.data, z.ctypes.data])
        args = np.array([*(slots.ctypes.data + 8 * k for k in range(3)), len(x)])
        run(0, len(x), args.ctypes.data)
        return dict(zip(names, z, strict=True))

    return FLOATS[request.param], evaluate


def samples(dtype: np.dtype) -> np.ndarray:
    """Random representations, the ranges where the formulas change, and every special value."""
    rng = np.random.default_rng(7)
    limits = np.finfo(dtype)
    bits = rng.integers(0, 2 ** (8 * dtype.itemsize), 400, dtype=np.uint64).astype(f"u{dtype.itemsize}")
    widths = (0.05, 0.5, 2.0, 20.0, 110.0, 750.0)
    uniform = [rng.uniform(-width, width, 120) for width in widths]
    around_one = [rng.uniform(0.4, 1.6, 200), 1 + rng.uniform(-1, 1, 50) * 1e-4]
    above_minus_one = [-1 + 2.0 ** rng.uniform(-50, 0, 50)]
    largest, least = math.log(limits.max), math.log(limits.tiny)
    ends = [largest + rng.uniform(-0.5, 0.1, 50), least + rng.uniform(-40, 1, 80)]
    special = np.array([0.5, 1, 2, limits.tiny, limits.smallest_subnormal, limits.max, math.inf])
    right_angles = [rng.integers(1, 10.0**k, 40) * (math.pi / 2) for k in (1, 3, 5, 9)]
    # The numbers of either format that are nearest to a multiple of pi / 2.
    nearest = [6381956970095103 * 2.0**797 if dtype.itemsize == 8 else 16367173 * 2.0**72]
    angles = [*right_angles, nearest, 2.0 ** rng.uniform(15, 35, 60)]
    parts = [*uniform, *around_one, *above_minus_one, *ends, *angles, special, -special, [0, math.nan]]
    return np.concatenate([bits.view(dtype), *(np.asarray(part).astype(dtype) for part in parts)])


def _log(x: mpmath.mpf) -> mpmath.mpf:
    return mpmath.nan if x < 0 else mpmath.log(x)


def _sigmoid(x: mpmath.mpf) -> mpmath.mpf:
    return 1 / (1 + mpmath.exp(-x)) if x > 0 else mpmath.exp(x) / (1 + mpmath.exp(x))


def _log1p(x: mpmath.mpf) -> mpmath.mpf:
    return -mpmath.inf if x == -1 else mpmath.log1p(x) if x > -1 else mpmath.nan


def _within_one(function: Callable[[mpmath.mpf], mpmath.mpf]) -> Callable[[mpmath.mpf], mpmath.mpf]:
    return lambda x: function(x) if abs(x) <= 1 else mpmath.nan


def _atan2(y: mpmath.mpf, x: mpmath.mpf) -> mpmath.mpf:
    infinite = mpmath.isinf(y) and mpmath.isinf(x)
    return mpmath.atan2(mpmath.sign(y), mpmath.sign(x)) if infinite else mpmath.atan2(y, x)


EXACT: dict[str, Callable[..., mpmath.mpf]] = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": _log,
    "log1p": _log1p,
    "log2": lambda x: _log(x) / mpmath.log(2),
    "tanh": mpmath.tanh,
    "sigmoid": _sigmoid,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)) if x < 1000 else x,
    "erf": mpmath.erf,
    "erfc": lambda x: mpmath.erfc(x if abs(x) < 1000 else mpmath.sign(x) * 1000),
    "rsqrt": lambda x: mpmath.nan if x < 0 else 1 / mpmath.sqrt(x) if x else mpmath.inf,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "asin": _within_one(mpmath.asin),
    "acos": _within_one(mpmath.acos),
    "atan": mpmath.atan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "asinh": mpmath.asinh,
    "acosh": lambda x: mpmath.acosh(x) if x >= 1 else mpmath.nan,
    "atanh": _within_one(mpmath.atanh),
    "atan2": _atan2,
    "pow": lambda x, y: mpmath.power(x, y),
}


def ulps(value: float, exact: mpmath.mpf, dtype: np.dtype) -> float:
    """Distance in units in the last place of the exact value; what rounds to infinity must be infinite."""
    limits = np.finfo(dtype)
    if mpmath.isnan(exact) or math.isnan(value):
        return 0.0 if mpmath.isnan(exact) and math.isnan(value) else math.inf
    if abs(exact) >= mpmath.ldexp(1, limits.maxexp) - mpmath.ldexp(1, limits.maxexp - limits.nmant - 2):
        return 0.0 if value == math.copysign(math.inf, exact) else math.inf
    if not exact:
        return 0.0 if value == 0 else math.inf
    exponent = max(int(mpmath.frexp(exact)[1]) - 1, limits.minexp)
    return float(abs(value - exact) / mpmath.ldexp(1, exponent - limits.nmant))


def assert_within(
    allowed: tuple[float, float], name: str, dtype: np.dtype, y: np.ndarray, *x: np.ndarray
) -> None:
    """No result `y` of the function `name` is farther from the exact one than `allowed` for its type."""
    with mpmath.workprec(160):
        exact = [EXACT[name](*(mpmath.mpf(float(a)) for a in each)) for each in zip(*x, strict=True)]
        errors = [ulps(float(value), e, dtype) for value, e in zip(y, exact, strict=True)]
    worst = int(np.argmax(errors))
    given = ", ".join(repr(each[worst]) for each in x)
    most = allowed[0 if dtype.itemsize == 4 else 1]
    assert errors[worst] <= most, f"{name}({given}) = {y[worst]!r}: {errors[worst]:.3g} ulp"


@pytest.mark.parametrize("name", list(UNARY))
def test_errors_stay_within_the_promised_units(compiled: tuple[np.dtype, Evaluate], name: str) -> None:
    dtype, evaluate = compiled
    x = samples(dtype)
    assert_within(UNARY[name], name, dtype, evaluate(x, x)[name], x)


def test_angles_of_points_stay_within_the_promised_units(compiled: tuple[np.dtype, Evaluate]) -> None:
    dtype, evaluate = compiled
    y = samples(dtype)
    x = np.random.default_rng(8).permutation(y)
    # The same again near the diagonals, where the formulas change.
    with np.errstate(over="ignore"):
        near = (y * np.random.default_rng(9).uniform(0.35, 3.0, len(y))).astype(dtype)
    for other in (x, near, -y):
        other[other == 0] = 1  # mpmath has one zero
        assert_within(BINARY["atan2"], "atan2", dtype, evaluate(y, other)["atan2"], y, other)


def test_the_angle_of_a_point_keeps_signs_of_zeros(compiled: tuple[np.dtype, Evaluate]) -> None:
    dtype, evaluate = compiled
    values = np.array([0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan], dtype)
    y, x = (each.ravel() for each in np.meshgrid(values, values))
    found, expected = evaluate(y, x)["atan2"], np.arctan2(y, x)
    np.testing.assert_allclose(found, expected, rtol=2 * float(np.finfo(dtype).eps))
    sure = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[sure]), np.signbit(expected[sure]))


@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh", "erf", "asin", "atan", "sinh", "asinh", "atanh"])
def test_odd_functions_keep_the_sign_of_zero(compiled: tuple[np.dtype, Evaluate], name: str) -> None:
    dtype, evaluate = compiled
    x = np.array([0.0, -0.0], dtype)
    np.testing.assert_array_equal(np.signbit(evaluate(x, x)[name]), [False, True])


def test_poles_and_limits(compiled: tuple[np.dtype, Evaluate]) -> None:
    dtype, evaluate = compiled
    results = evaluate(x := np.array([0.0, -0.0, math.inf, -math.inf, -1.0], dtype), x)
    np.testing.assert_array_equal(results["exp"][:4], [1, 1, math.inf, 0])
    np.testing.assert_array_equal(results["log"][:3], [-math.inf, -math.inf, math.inf])
    np.testing.assert_array_equal(results["log1p"][2:], [math.inf, math.nan, -math.inf])
    np.testing.assert_array_equal(results["rsqrt"][:3], [math.inf, -math.inf, 0])
    np.testing.assert_array_equal(results["sigmoid"][:4], [0.5, 0.5, 1, 0])
    np.testing.assert_array_equal(results["softplus"][2:4], [math.inf, 0])
    np.testing.assert_array_equal(results["tanh"][2:4], [1, -1])


def test_log2_is_exact_at_powers_of_two(compiled: tuple[np.dtype, Evaluate]) -> None:
    dtype, evaluate = compiled
    exponents = np.arange(np.finfo(dtype).minexp - np.finfo(dtype).nmant, np.finfo(dtype).maxexp)
    x = np.ldexp(dtype.type(1), exponents)
    np.testing.assert_array_equal(evaluate(x, x)["log2"], exponents)


def test_the_logarithm_of_gamma_is_the_c_librarys(compiled: tuple[np.dtype, Evaluate]) -> None:
    """Its errors differ by platform: this only tells a wrong function from the right one."""
    dtype, evaluate = compiled
    x = np.array([0.25, 0.75, 1.5, -0.5], dtype)
    expected = [math.lgamma(float(a)) for a in x]
    np.testing.assert_allclose(evaluate(x, x)["lgamma"], expected, rtol=8 * float(np.finfo(dtype).eps))


def test_kernels_find_every_function_of_the_loop_language() -> None:
    for function in FUNCTIONS.values():
        room = {"mathematics": vecmath, "words": language}.get(function.room)
        assert room is None or all(hasattr(room, f"{function.name}_{suffix}") for suffix in FLOATS)


def test_the_example_runs() -> None:
    failed, attempted = doctest.testmod(vecmath)
    assert attempted > 0
    assert failed == 0
