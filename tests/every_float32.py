"""Every float32 argument of the vector functions, against their float64 versions: `python tests/every_float32.py`.

Names of functions limit what is tried, and `--stride 1001` takes every 1001st number. Functions of two arguments get
as many random pairs. All of it takes some five minutes a function on one core.
"""

from __future__ import annotations

import argparse
import ctypes

import numpy as np
import test_vecmath

from graphc.runtime import jit

BLOCK = 1 << 22


def kernel(name: str) -> jit.Loaded:
    """Loops that compute `name` in float32, and in float64 of the same arguments."""
    count = 2 if name in test_vecmath.BINARY else 1
    narrow, wide = ", ".join(["x[i]", "y[i]"][:count]), ", ".join(["f64(x[i])", "f64(y[i])"][:count])
    lines = [
        "from graphc.runtime.language import *",
        "from graphc.runtime.vecmath import *",
        "@kernel",
        "def compute(lo, hi, args):",
        "    x, y = f32_buffer(args, 0), f32_buffer(args, 1)",
        "    found, exact = f32_buffer(args, 2), f64_buffer(args, 3)",
        "    for i in range(lo, hi):",
        f"        found[i] = {name}_f32({narrow})",
        f"        exact[i] = {name}_f64({wide})",
    ]
    return jit.load("\n".join(lines) + "\n")


def worst(name: str, stride: int) -> tuple[float, list[float]]:
    """The largest error in units in the last place, and where."""
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(kernel(name).addresses["compute"])
    rng, most, place = np.random.default_rng(0), -1.0, list[float]()
    for start in range(0, 2**32, BLOCK * stride):
        bits = np.arange(start, min(start + BLOCK * stride, 2**32), stride, np.uint64).astype(np.uint32)
        x, y = bits.view(np.float32), rng.integers(0, 2**32, len(bits), np.uint32).view(np.float32)
        found, exact = np.empty_like(x), np.empty(len(x))
        slots = np.array([each.ctypes.data for each in (x, y, found, exact)])
        args = np.array([slots.ctypes.data + 8 * k for k in range(4)])
        run(0, len(x), args.ctypes.data)
        errors = units(found, exact)
        k = int(np.argmax(errors))
        if errors[k] > most:
            most, place = (
                float(errors[k]),
                [float(x[k]), float(y[k])][: 2 if name in test_vecmath.BINARY else 1],
            )
    return most, place


def units(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Errors in units in the last place; a NaN or an infinity too many or too few is infinitely wrong."""
    limits = np.finfo(np.float32)
    with np.errstate(all="ignore"):
        rounded = exact.astype(np.float32)
        exponents = np.maximum(np.frexp(exact)[1] - 1, limits.minexp)
        errors = abs(found - exact) / np.ldexp(1.0, exponents - limits.nmant)
    plain = np.isfinite(rounded) & np.isfinite(found)
    alike = (found == rounded) | (np.isnan(found) & np.isnan(exact))
    return np.where(plain, errors, np.where(alike, 0.0, np.inf))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[*test_vecmath.UNARY, *test_vecmath.BINARY])
    parser.add_argument("--stride", type=int, default=1)
    given = parser.parse_args()
    for name in given.names:
        most, place = worst(name, given.stride)
        allowed = {**test_vecmath.UNARY, **test_vecmath.BINARY}[name][0]
        print(
            f"{name:9} {most:6.3f} of {allowed} at {place}{'' if most <= allowed else '  TOO LARGE'}",
            flush=True,
        )


if __name__ == "__main__":
    main()
