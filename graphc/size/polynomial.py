"""Integer polynomials over atoms: symbols and floor quotients, each atom one object, each sum in one form.

A polynomial is ``Terms``, a dict from monomial to coefficient; nobody writes to one that has been handed on.
Nothing here recurses deeper than `MAX_DEPTH`, or works longer than `MAX_WORK` steps: bounds far above what
networks need, which keep the work on a stranger's text small.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from zlib import crc32

from graphc.errors import SizeError

MAX_TERMS, MAX_DEGREE, MAX_WORK = 1_000, 64, 1 << 15
MAX_QUOTIENT, MAX_DEPTH = 1_000, 32  # characters and nesting of one quotient


@dataclass(frozen=True, slots=True, eq=False)
class Atom:
    """A symbol (``num`` is None) or the quotient floor(num / den). One object a text: compare by ``is``."""

    text: str
    order: tuple[bool, str]
    digest: int
    symbols: frozenset[str]
    num: Terms | None
    den: Terms
    depth: int
    nonnegative: bool
    halved: Monomial | None  # the monomial m of the two halves m // 2 and (m + 1) // 2


Monomial = tuple[Atom, ...]  # sorted; an atom stands as often as its exponent says; () is the constant
Terms = dict[Monomial, int]  # no coefficient is 0

_ATOMS: dict[str, Atom] = {}
_order = attrgetter("order")


def symbol_atom(name: str) -> Atom:
    """The atom of a symbol; the caller has checked the name."""
    found = _ATOMS.get(name)
    if found is not None:
        return found
    symbols = frozenset((name,))
    return _ATOMS.setdefault(name, Atom(name, (False, name), _digest(name), symbols, None, {}, 0, True, None))


def quotient_atom(num: Terms, den: Terms) -> Atom:
    """The atom of floor(num / den); the caller has found that no rule simplifies it."""
    text = f"{_wrapped(num)}//{_wrapped(den)}"
    found = _ATOMS.get(text)
    if found is not None:
        return found
    depth = 1 + max(atom.depth for terms in (num, den) for mono in terms for atom in mono)
    if len(text) > MAX_QUOTIENT or depth > MAX_DEPTH:
        raise SizeError(f"the quotient {text[:60]}... is too long or too deep; name a part of it by a symbol")
    symbols, sign = names(num) | names(den), nonnegative(num) and nonnegative(den)
    atom = Atom(text, (True, text), _digest(text), symbols, num, den, depth, sign, _halved(num, den))
    return _ATOMS.setdefault(text, atom)


def _halved(num: Terms, den: Terms) -> Monomial | None:
    monos = [mono for mono in num if mono]
    return monos[0] if den == {(): 2} and len(monos) == 1 else None


def _digest(text: str) -> int:
    # Not hash(text), which differs from process to process.
    return crc32(text.encode())


def constant(terms: Terms) -> int | None:
    """The value of a polynomial without atoms, None for the others."""
    if not terms:
        return 0
    return terms.get(()) if len(terms) == 1 else None


def names(terms: Terms) -> frozenset[str]:
    """Names of all symbols in it."""
    return frozenset[str]().union(*(atom.symbols for mono in terms for atom in mono))


def rank(mono: Monomial) -> tuple[int, list[tuple[bool, str]]]:
    """Sort key, largest monomial first: by degree, then lexicographic. Products keep this order."""
    return -len(mono), [atom.order for atom in mono]


def without(mono: Monomial, factor: Monomial) -> Monomial | None:
    """mono / factor, None where factor does not divide it."""
    left = list(mono)
    for atom in factor:
        if atom not in left:
            return None
        left.remove(atom)
    return tuple(left)


# Sums and products. `accumulate` and `raw_product` do not settle halves, the rest does.


def accumulate(into: Terms, terms: Terms, scale: int) -> None:
    """Add scale * terms to a dict that nobody else holds."""
    for mono, coef in terms.items():
        value = into.get(mono, 0) + scale * coef
        if value:
            into[mono] = value
        else:
            into.pop(mono, None)


def plus(left: Terms, right: Terms, scale: int = 1) -> Terms:
    """left + scale * right."""
    result = dict(left)
    accumulate(result, right, scale)
    return settle(result)


def times(left: Terms, right: Terms) -> Terms:
    """left * right."""
    return settle(raw_product(left, right))


def raw_product(left: Terms, right: Terms) -> Terms:
    """left * right, with halves as they come."""
    if len(left) * len(right) > MAX_WORK:
        raise SizeError(f"a product of {len(left)} by {len(right)} terms is too large; name a part of it")
    result: Terms = {}
    for mono, coef in left.items():
        accumulate(result, {_merged(mono, other): value for other, value in right.items()}, coef)
    return result


def _merged(left: Monomial, right: Monomial) -> Monomial:
    if not left or not right:
        return left or right
    if len(left) + len(right) > MAX_DEGREE:
        raise SizeError(f"a product of over {MAX_DEGREE} sizes is too large; name a part of it")
    return tuple(sorted(left + right, key=_order))


def settle(terms: Terms) -> Terms:
    """Make the form unique under m // 2 + (m + 1) // 2 = m, in place.

    Adding t to the coefficients of both halves and taking it from that of m changes nothing. The t that makes
    the sum of absolute coefficients smallest is a median of three, hence unique; no two m share a monomial.
    """
    for base in {mono[0].halved for mono in terms if len(mono) == 1}:
        if base is not None:
            lower, upper = halves(base)
            shift = sorted((-terms.get(lower, 0), -terms.get(upper, 0), terms.get(base, 0)))[1]
            accumulate(terms, {lower: 1, upper: 1, base: -1}, shift)
    return terms


def lowered(terms: Terms) -> Terms:
    """Write (m + 1) // 2 as m - m // 2 in linear terms: unique too, but longer."""
    result = dict(terms)
    for base in {mono[0].halved for mono in terms if len(mono) == 1}:
        if base is not None:
            lower, upper = halves(base)
            accumulate(result, {upper: -1, base: 1, lower: -1}, result.get(upper, 0))
    return result


@lru_cache(1024)
def halves(base: Monomial) -> tuple[Monomial, Monomial]:
    """m // 2 and (m + 1) // 2 for a monomial m."""
    return (quotient_atom({base: 1}, {(): 2}),), (quotient_atom({base: 1, (): 1}, {(): 2}),)


# Signs.


def nonnegative(terms: Terms) -> bool:
    """Whether it is provably >= 0 whatever its symbols stand for."""
    if _no_minus(terms, 1):
        return True
    return _no_minus(*_relaxed(terms, both=False)) or _no_minus(*_relaxed(terms, both=True))


def _no_minus(terms: Terms, scale: int) -> bool:
    # An integer above -1 is at least 0.
    return terms.get((), 0) > -scale and all(
        coef > 0 and all(atom.nonnegative for atom in mono) for mono, coef in terms.items() if mono
    )


def _relaxed(terms: Terms, *, both: bool) -> tuple[Terms, int]:
    """A polynomial and a scale, whose ratio is a lower bound with fewer quotients.

    (p - q + 1) / q <= floor(p / q) <= p / q: negative terms take the upper bound, if both positive the lower.
    """
    scale = 1
    for _ in range(MAX_DEPTH):
        found = next((mono for mono, coef in terms.items() if (both or coef < 0) and _loose(mono)), None)
        if found is None:
            break
        atom = found[-1]
        unit, coef = atom.den[()], terms[found]
        bound: Terms = dict(atom.num or {})
        accumulate(bound, {(): 1 - unit}, int(coef > 0))
        terms = {mono: unit * value for mono, value in terms.items() if mono is not found}
        accumulate(terms, raw_product(bound, {found[:-1]: coef}), 1)
        scale *= unit
    return terms, scale


def _loose(mono: Monomial) -> bool:
    """Whether the last atom (quotients come last) is divided by an int, and the others are not negative."""
    return bool(mono) and bool(constant(mono[-1].den)) and all(atom.nonnegative for atom in mono[:-1])


# Text.


def text(terms: Terms) -> str:
    """Readable and unambiguous: equal text means equal terms."""
    if not terms:
        return "0"
    monos = sorted(terms, key=rank)
    first = next((mono for mono in monos if terms[mono] > 0), monos[0])  # 64 - N rather than -N + 64
    pieces = ["-" if terms[first] < 0 else "", _term(first, terms[first])]
    for mono in monos:
        if mono is not first:
            pieces += [" - " if terms[mono] < 0 else " + ", _term(mono, abs(terms[mono]))]
    return "".join(pieces)


def _term(mono: Monomial, coef: int) -> str:
    if coef == 1 and len(mono) == 1:
        return mono[0].text
    factors = [str(abs(coef))] if abs(coef) != 1 or not mono else []
    for atom, group in groupby(mono):
        base, exponent = atom.text if atom.num is None else f"({atom.text})", len(list(group))
        factors.append(base if exponent == 1 else f"{base}**{exponent}")
    return "*".join(factors)


def _wrapped(terms: Terms) -> str:
    inner = text(terms)
    return inner if inner.isidentifier() or constant(terms) else f"({inner})"
