"""Size, the value that stands in shapes, and what can be decided about it."""

from __future__ import annotations

import operator
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from keyword import iskeyword
from typing import Any, ClassVar, SupportsIndex

from graphc.errors import SizeError
from graphc.size.polynomial import (
    MAX_DEGREE,
    MAX_TERMS,
    Atom,
    Terms,
    constant,
    names,
    plus,
    symbol_atom,
    text,
    times,
)
from graphc.size.quotient import floor_quotient

MAX_NAME = 200


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Size:
    """A size that depends on symbols: immutable, hashable, made by `symbol` and by arithmetic only.

    ``+ - * // % **`` take ints and sizes and return an int where the result is constant. Raises SizeError
    where a divisor is 0 and where a result passes bounds that no network meets. `terms` is for reading only.

    >>> N = symbol("N")
    >>> 2 * N + 1, N * (N + 3), -(-N // 128), N - N
    (2*N + 1, N**2 + 3*N, (N + 127)//128, 0)
    """

    terms: Terms
    _hash: int = 0
    __array_ufunc__: ClassVar[None] = None  # a NumPy integer on the left leaves the operation to Size

    def __add__(self, other: Dim) -> Dim:
        right = operand(other)
        return NotImplemented if right is None else dim_of(plus(self.terms, terms_of(right)))

    __radd__ = __add__

    def __sub__(self, other: Dim) -> Dim:
        right = operand(other)
        return NotImplemented if right is None else dim_of(plus(self.terms, terms_of(right), -1))

    def __rsub__(self, other: Dim) -> Dim:
        return -self + other

    def __neg__(self) -> Size:
        return Size({mono: -coef for mono, coef in self.terms.items()})

    def __mul__(self, other: Dim) -> Dim:
        right = operand(other)
        if right is None:
            return NotImplemented
        if isinstance(right, Size):
            return dim_of(times(self.terms, right.terms))
        return Size({mono: right * coef for mono, coef in self.terms.items()}) if right else 0

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        right = operand(other)
        return NotImplemented if right is None else _quotient(self, right)

    def __rfloordiv__(self, other: Dim) -> Dim:
        left = operand(other)
        return NotImplemented if left is None else _quotient(left, self)

    def __mod__(self, other: Dim) -> Dim:
        right = operand(other)
        return NotImplemented if right is None else self - right * _quotient(self, right)

    def __rmod__(self, other: Dim) -> Dim:
        left = operand(other)
        return NotImplemented if left is None else left - self * _quotient(left, self)

    def __pow__(self, exponent: int) -> Dim:
        if not 0 <= exponent <= MAX_DEGREE:
            raise SizeError(f"a size cannot be raised to {exponent}; exponents go from 0 to {MAX_DEGREE}")
        result: Dim = 1
        for _ in range(exponent):
            result = self * result
        return result

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self.terms == other.terms

    def __hash__(self) -> int:
        if not self._hash:
            parts = (hash((coef, *(atom.digest for atom in mono))) for mono, coef in self.terms.items())
            object.__setattr__(self, "_hash", hash(sum(parts)))
        return self._hash

    def __bool__(self) -> bool:
        raise SizeError(f"whether {self} is 0 depends on its symbols; compare it, as in size == 0")

    def __str__(self) -> str:
        return text(self.terms)

    __repr__ = __str__

    def __reduce__(self) -> tuple[Callable[..., Dim], tuple[Any, ...]]:
        return _rebuilt, (
            tuple((coef, *(_parts(atom) for atom in mono)) for mono, coef in self.terms.items()),
        )

    @property
    def symbols(self) -> tuple[str, ...]:
        """Names of the symbols in it, sorted."""
        return tuple(sorted(names(self.terms)))

    def to_sympy(self) -> Any:
        """The size as a SymPy expression over non-negative integer symbols, to be shown."""
        import sympy  # pyright: ignore[reportMissingTypeStubs]

        return fold(self, lambda name: sympy.Symbol(name, integer=True, nonnegative=True))


Dim = int | Size


def symbol(name: str) -> Size:
    """The size called name, any Unicode identifier that is no keyword; raises SizeError for other names.

    >>> symbol("N") == symbol("N")
    True
    """
    # Read like Python does, so that printed names are read back.
    normal = unicodedata.normalize("NFKC", name)
    if not normal.isidentifier() or iskeyword(normal) or len(normal) > MAX_NAME:
        raise SizeError(f"{name[:60]!r} cannot name a size; use an identifier such as 'N'")
    return Size({(symbol_atom(normal),): 1})


def dim_of(terms: Terms) -> Dim:
    """The dimension with these terms, an int where they are constant."""
    value = constant(terms)
    if value is not None:
        return value
    if len(terms) > MAX_TERMS:
        raise SizeError(f"a size of {len(terms)} terms is too large; name a part of it by a symbol")
    return Size(terms)


def terms_of(dim: Dim) -> Terms:
    """The terms of a dimension."""
    if isinstance(dim, Size):
        return dim.terms
    return {(): dim} if dim else {}


def operand(value: object) -> Dim | None:
    """What stands beside a size in arithmetic: an int (also NumPy's) or a size; None for all else."""
    if type(value) is int or type(value) is Size:
        return value
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    try:
        return operator.index(value)
    except TypeError:  # an array of more than one number
        return None


@lru_cache(4096)
def _quotient(num: Dim, den: Dim) -> Dim:
    return dim_of(floor_quotient(terms_of(num), terms_of(den)))


def _parts(atom: Atom) -> str | tuple[Dim, Dim]:
    return atom.text if atom.num is None else (dim_of(atom.num), dim_of(atom.den))


def _rebuilt(terms: tuple[tuple[Any, ...], ...]) -> Dim:
    result: Dim = 0
    for coef, *factors in terms:
        atoms = (symbol(part) if isinstance(part, str) else part[0] // part[1] for part in factors)
        result += reduce(operator.mul, atoms, coef)
    return result


def fold(dim: Dim, leaf: Callable[[str], Any]) -> Any:
    """The dimension with leaf(name) in the place of each symbol, by the leaves' own ``+ * //``."""
    if not isinstance(dim, Size):
        return dim
    total: Any = 0
    for mono, coef in dim.terms.items():
        total = total + reduce(operator.mul, (_folded(atom, leaf) for atom in mono), coef)
    return total


def _folded(atom: Atom, leaf: Callable[[str], Any]) -> Any:
    if atom.num is None:
        return leaf(atom.text)
    under = fold(dim_of(atom.den), leaf)
    if isinstance(under, int) and not under:
        raise SizeError(f"{atom.text} divides by 0 where {text(atom.den)} is 0; give larger sizes")
    return fold(dim_of(atom.num), leaf) // under


def unit_symbol(dim: Dim) -> str | None:
    """The name of a dimension that is a symbol and nothing else."""
    if not isinstance(dim, Size) or len(dim.terms) != 1:
        return None
    ((mono, coef),) = dim.terms.items()
    return mono[0].text if coef == 1 and len(mono) == 1 and mono[0].num is None else None


def dim_symbols(dim: Dim) -> tuple[str, ...]:
    """Names of the symbols in a dimension, sorted; of an int none."""
    return dim.symbols if isinstance(dim, Size) else ()


def substitute(dim: Dim, values: Mapping[str, Dim]) -> Dim:
    """The dimension with all named symbols replaced at once; the others stay.

    >>> substitute(symbol("N") // 2, {"N": 4 * symbol("M") + 1})
    2*M
    """
    return fold(dim, lambda name: values.get(name, symbol(name)))


def dim_evaluate(dim: Dim, env: Mapping[str, int]) -> int:
    """The value where the symbols are as in env.

    Raises SizeError naming a symbol that is missing or negative, and where a divisor is 0.

    >>> dim_evaluate(2 * symbol("N") + 1, {"N": 20})
    41
    """
    return fold(dim, lambda name: _value(name, env))


def _value(name: str, env: Mapping[str, int]) -> int:
    if name not in env:
        raise SizeError(f"size {name} has no value; give it one")
    if env[name] < 0:
        raise SizeError(f"size {name} is {env[name]}; sizes are at least 0")
    return operator.index(env[name])
