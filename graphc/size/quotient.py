"""Floor division of polynomials, simplified until no rule applies.

The rules hold for all integers that the symbols stand for, wherever the divisor is not 0; those that need a
positive divisor ask `nonnegative`. They decide most identities between shapes, not all: Hermite's, such as
``H//3 + (H+1)//3 + (H+2)//3 = H``, are left to `decide`.
"""

from __future__ import annotations

import math

from graphc.errors import SizeError
from graphc.size.polynomial import (
    Monomial,
    Terms,
    accumulate,
    constant,
    halves,
    lowered,
    nonnegative,
    plus,
    quotient_atom,
    rank,
    raw_product,
    settle,
    text,
    times,
    without,
)

MAX_WORK = 1 << 13


def floor_quotient(num: Terms, den: Terms) -> Terms:
    """floor(num / den); raises SizeError where den is 0."""
    if not den:
        raise SizeError(f"{text(num)} is divided by 0; give a size that is at least 1")
    if den[min(den, key=rank)] < 0:  # p // q = -p // -q
        num, den = _negated(num), _negated(den)
    unit = constant(den)
    # (a*q + r) // q = a + r // q
    whole, rest = _split(num, den) if unit is None else _split_by_int(num, unit)
    return plus(whole, _fraction(rest, den)) if rest else whole


def _negated(terms: Terms) -> Terms:
    return {mono: -coef for mono, coef in terms.items()}


def _complement(terms: Terms) -> Terms:
    """-p - 1, which reverses the order of the integers."""
    return plus({(): -1}, terms, -1)


def _split_by_int(num: Terms, unit: int) -> tuple[Terms, Terms]:
    """num = whole * unit + rest; rest is the same for all num that are equal modulo unit."""
    rest = _shortest(_residues(num, unit), unit)
    multiple = lowered(plus(num, rest, -1))
    return settle({mono: coef // unit for mono, coef in multiple.items()}), rest


def _residues(num: Terms, unit: int) -> Terms:
    reduced = {mono: _nearest(coef, unit) if mono else coef % unit for mono, coef in lowered(num).items()}
    return {mono: coef for mono, coef in reduced.items() if coef}


def _nearest(coef: int, unit: int) -> int:
    """The remainder of coef that lies in (-unit/2, unit/2]."""
    return coef + unit * ((unit - 2 * coef) // (2 * unit))


def _shortest(rest: Terms, unit: int) -> Terms:
    """Write x * (m // 2) + y * m modulo unit in the shortest way, by two of m // 2, (m + 1) // 2, m."""
    for base in [mono[0].halved for mono in rest if len(mono) == 1]:
        if base is not None:
            lower, upper = halves(base)
            x, y = rest.pop(lower), rest.pop(base, 0)
            ways = ((x, 0, y), (0, -x, x + y), (x + y, y, 0))
            best = min(([_nearest(coef, unit) for coef in way] for way in ways), key=_length)
            accumulate(rest, dict(zip((lower, upper, base), best, strict=True)), 1)
    return rest


def _length(coefs: list[int]) -> int:
    return sum(map(abs, coefs))


def _split(num: Terms, den: Terms) -> tuple[Terms, Terms]:
    """num = whole * den + rest, by long division; rest is unique, as none of its terms can be reduced."""
    lead = min(den, key=rank)
    tail = {mono: coef for mono, coef in den.items() if mono != lead}
    todo, work = _basis(num, den), 0
    whole: Terms = {}
    rest: Terms = {}
    while todo:
        mono = min(todo, key=rank)
        coef, cofactor = todo.pop(mono), without(mono, lead)
        kept = coef if cofactor is None else _nearest(coef, den[lead])
        accumulate(rest, {mono: kept}, 1)
        if cofactor is not None and kept != coef:
            whole[cofactor] = (coef - kept) // den[lead]
            accumulate(todo, raw_product(tail, {cofactor: whole[cofactor]}), -1)
        work += len(todo) * len(tail)
        if work > MAX_WORK:
            raise SizeError("a quotient of sizes is too large; name a part of it by a symbol")
    return settle(whole), settle(rest)


def _basis(num: Terms, den: Terms) -> Terms:
    """num over lower halves only, so that equal numerators leave equal rests; as it is if den has halves."""
    if any(mono[0].halved for mono in den if len(mono) == 1):
        return dict(num)
    return lowered(num)


def _fraction(rest: Terms, den: Terms) -> Terms:
    """floor(rest / den) for a reduced rest: what the first rule that applies makes of it, or an atom."""
    for rule in (_cancelled, _shrunk, _lifted, _reflected):
        found = rule(rest, den)
        if found is not None:
            return found
    return {(quotient_atom(rest, den),): 1}


def _cancelled(rest: Terms, den: Terms) -> Terms | None:
    """(m*a) // (m*b) = a // b for an atom m."""
    monos = (*rest, *den)
    common = next((atom for atom in monos[-1] if all(atom in mono for mono in monos)), None)
    if common is None:
        return None
    over, under = ({without(mono, (common,)) or (): c for mono, c in terms.items()} for terms in (rest, den))
    return floor_quotient(settle(over), settle(under))


def _shrunk(rest: Terms, den: Terms) -> Terms | None:
    """(g*a + c) // (g*b) = (a + c // g) // b for ints g > 0, c, and b > 0 (any b where g divides c)."""
    scale = math.gcd(*(coef for mono, coef in rest.items() if mono), *den.values())
    if scale == 1 or (rest.get((), 0) % scale and not nonnegative(den)):
        return None
    over, under = ({mono: c // scale for mono, c in terms.items() if c // scale} for terms in (rest, den))
    return floor_quotient(settle(over), settle(under))


def _lifted(rest: Terms, den: Terms) -> Terms | None:
    """(x // a + r) // q = (x + a*r) // (a*q) for a, q > 0, and the same for -(x // a) = (-x - 1) // a + 1."""
    form = rest if _only_quotient(rest) else lowered(rest)
    mono = _only_quotient(form)
    if mono is None or not nonnegative(den) or not nonnegative(mono[0].den):
        return None
    unit, x = mono[0].den, mono[0].num or {}
    others = {other: coef for other, coef in form.items() if other != mono}
    if form[mono] < 0:
        x, others = _complement(x), plus(others, {(): 1})
    return floor_quotient(plus(x, times(unit, others)), times(unit, den))


def _only_quotient(terms: Terms) -> Monomial | None:
    """The one quotient with coefficient 1 or -1, unless the other half of its numerator is there as well.

    Then no quotient as deep as it can have such a coefficient once it is lifted, so lifting comes to an end.
    """
    found = [m for m, coef in terms.items() if len(m) == 1 and abs(coef) == 1 and m[0].num is not None]
    if len(found) != 1:
        return None
    base = found[0][0].halved
    return None if base and all(half in terms for half in halves(base)) else found[0]


def _reflected(rest: Terms, den: Terms) -> Terms | None:
    """p // q = -((-p - 1) // q) - 1 for q > 0: of the two, the one whose first coefficient is positive."""
    unit, reduced = constant(den), _reduced(rest, den)
    sign = _sign(reduced, den) if unit is None else _sign_modulo(reduced, unit)
    if sign > 0 or not nonnegative(den):
        return None
    return _complement(floor_quotient(_complement(rest), den))


def _reduced(rest: Terms, den: Terms) -> Terms:
    unit = constant(den)
    return _basis(rest, den) if unit is None else _residues(rest, unit)


def _sign_modulo(residues: Terms, unit: int) -> int:
    """The first coefficient that the reflection negates; unit / 2 is kept, the constant c is unit - 1 - c."""
    return next(
        (residues[mono] for mono in sorted(residues, key=rank) if mono and 2 * residues[mono] != unit), 1
    )


def _sign(rest: Terms, den: Terms) -> int:
    """The first coefficient, where the reflection negates it."""
    lead, first = min(den, key=rank), min(rest, key=rank)
    kept = 2 * rest[first] == den[lead] and without(first, lead) is not None
    return 1 if kept else rest[first]
