"""Symbolic sizes: integer polynomials over symbols and floor quotients, in a normal form of their own.

A dimension is ``Dim = int | Size``; symbols stand for integers from 0. Sizes are equal when their normal
forms are; ``==``, ``hash`` and ``str`` agree in every process. Division is Python's floor division, and the
identities hold wherever the divisor is not 0.

In the order of flow: ``polynomial`` (terms and atoms), ``quotient`` (floor division), ``symbolic`` (Size),
``text`` (reading), ``bind`` (numbers in, symbols out), ``decide`` (what holds everywhere).

>>> H, N = symbol("H"), symbol("N")
>>> (H - 1) // 2 + 1 == (H + 1) // 2, (2 * H) // 2 == H, (H // 2) // 3 == H // 6, N - N
(True, True, True, 0)
"""

from graphc.size.bind import bind_sizes, compile_dims
from graphc.size.decide import definitely_equal, definitely_unequal, is_divisible, known_nonnegative
from graphc.size.symbolic import Dim, Size, dim_evaluate, dim_symbols, substitute, symbol
from graphc.size.text import as_dim, parse_size

__all__ = [
    "Dim",
    "Size",
    "as_dim",
    "bind_sizes",
    "compile_dims",
    "definitely_equal",
    "definitely_unequal",
    "dim_evaluate",
    "dim_symbols",
    "is_divisible",
    "known_nonnegative",
    "parse_size",
    "substitute",
    "symbol",
]
