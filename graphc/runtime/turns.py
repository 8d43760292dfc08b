"""2^e / pi modulo 2, exactly enough that any float64 can be reduced by multiples of pi.

A float64 x = 2^e m with 1 <= m < 2 is m (2^e / pi) half turns. The integer part of m (2^e / pi) counts modulo 2
alone, and m is a multiple of 2^-52, so 2^e / pi is needed modulo 2^53; of its fraction, as far as the float64
nearest to a multiple of pi / 2 (within 2^-62 of half a turn) still gets all its bits.
"""

from __future__ import annotations

import ctypes
from functools import cache

#: Name under which kernels find `table()`.
SYMBOL = "graphc_turns"
#: Exponent of the first row. The last row, all zeros, stands for infinity and NaN.
FIRST = 30
PARTS = 4
_DIGITS = 53
_ROWS = 1024 - FIRST + 1


def _arctangent_of_inverse(n: int, one: int) -> int:
    """`one` times the arctangent of 1/n, by its series."""
    term, total, k = one // n, 0, 1
    while term:
        total += term // k if k % 4 == 1 else -(term // k)
        term, k = term // (n * n), k + 2
    return total


@cache
def inverse_pi(digits: int) -> int:
    """1 / pi times 2^digits, cut to an integer."""
    one = 1 << digits + 64
    # Machin's formula: pi / 4 = 4 arctan(1/5) - arctan(1/239).
    pi = 4 * (4 * _arctangent_of_inverse(5, one) - _arctangent_of_inverse(239, one))
    return (one * one // pi) >> 64


def _row(exponent: int) -> list[float]:
    """2^exponent / pi modulo 2^53 as a sum of float64, each a multiple of 2^-53 of the unit of the one before."""
    digits = _DIGITS * (PARTS - 1)
    unit, parts = 1 << digits, list[float]()
    half = unit << _DIGITS - 1
    rest = ((inverse_pi(1024 + digits) >> 1024 - exponent) + half) % (2 * half) - half
    for k in range(PARTS):
        digit = (2 * rest + unit) // (2 * unit)
        parts.append(float(digit) * 2.0 ** (-_DIGITS * k))
        rest, unit = rest - digit * unit, unit >> _DIGITS
    return parts


@cache
def table() -> int:
    """Return the address of the rows for the exponents from `FIRST` on, never freed: kernels hold it."""
    rows = [_row(exponent) for exponent in range(FIRST, FIRST + _ROWS - 1)] + [[0.0] * PARTS]
    values = [each for row in rows for each in row]
    block = (ctypes.c_double * len(values))(*values)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(block))
    return ctypes.addressof(block)
