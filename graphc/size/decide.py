"""What holds for a size whatever its symbols stand for."""

from __future__ import annotations

import math
from itertools import product

from graphc.size.bind import compile_dims
from graphc.size.polynomial import Atom, Terms, constant, nonnegative
from graphc.size.symbolic import Dim, Size, terms_of

MAX_GRID = 5_000  # points, a few milliseconds; reached only by sizes that are equal but do not look it


def definitely_equal(left: Dim, right: Dim) -> bool:
    """Whether the two are provably equal. Stronger than ``==``: complete where divisors are small ints.

    >>> from graphc.size import symbol
    >>> H = symbol("H")
    >>> definitely_equal(H // 3 + (H + 1) // 3 + (H + 2) // 3, H)
    True
    """
    if left == right:
        return True
    difference = left - right
    return isinstance(difference, Size) and _vanishes(difference)


def _vanishes(size: Size) -> bool:
    """Whether it is 0 everywhere; False where that would take too long to find.

    With int divisors it is a polynomial on each residue class of its symbols, and a polynomial of degree d in
    one of them is 0 if it is at d + 1 points: a grid of d + 1 periods along each symbol decides.
    """
    if all(atom.num is None for mono in size.terms for atom in mono):
        return False
    sides = [_period(size.terms, name) * (1 + _degree(size.terms, name)) for name in size.symbols]
    if not 0 < math.prod(sides) <= MAX_GRID:
        return False
    evaluate = compile_dims([size])
    points = product(*map(range, sides))
    return all(evaluate(dict(zip(size.symbols, point, strict=True))) == (0,) for point in points)


def _degree(terms: Terms, name: str) -> int:
    """Degree in a symbol, with quotients in the place of fractions."""
    return max((sum(_atom_degree(atom, name) for atom in mono) for mono in terms), default=0)


def _atom_degree(atom: Atom, name: str) -> int:
    return int(atom.text == name) if atom.num is None else _degree(atom.num, name)


def _period(terms: Terms, name: str) -> int:
    """A common period of the symbol's residue classes; 0 where a divisor is symbolic."""
    return math.lcm(*(_atom_period(atom, name) for mono in terms for atom in mono))


def _atom_period(atom: Atom, name: str) -> int:
    if atom.num is None:
        return 1
    unit = constant(atom.den) or 0
    return unit * _period(atom.num, name) if name in atom.symbols else min(unit, 1)


def definitely_unequal(left: Dim, right: Dim) -> bool:
    """Whether the two provably differ everywhere.

    >>> from graphc.size import symbol
    >>> N = symbol("N")
    >>> definitely_unequal(N, N + 1), definitely_unequal(2 * N, 3), definitely_unequal(N, 3)
    (True, True, False)
    """
    difference = left - right
    offset = terms_of(difference).get((), 0)
    scale = math.gcd(*(coef for mono, coef in terms_of(difference).items() if mono))
    if not scale or offset % scale:  # a constant, or scale * a + offset = 0 without a solution
        return offset != 0
    return known_nonnegative(difference - 1) or known_nonnegative(-1 - difference)


def is_divisible(num: Dim, den: Dim) -> bool:
    """Whether den provably divides num, wherever den is not 0.

    >>> from graphc.size import symbol
    >>> is_divisible(6 * symbol("N"), 3), is_divisible(symbol("N") + 1, 3)
    (True, False)
    """
    return den != 0 and definitely_equal(num % den, 0)


def known_nonnegative(dim: Dim) -> bool:
    """Whether the dimension is provably at least 0 everywhere.

    >>> from graphc.size import symbol
    >>> H = symbol("H")
    >>> known_nonnegative(H - 2 * (H // 2)), known_nonnegative(H - 1)
    (True, False)
    """
    return nonnegative(terms_of(dim))
