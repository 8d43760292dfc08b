"""Patterns, written as the formulas they match: ``log(1 + exp(X))``.

A pattern is a tree of ops over variables. A variable that stands twice must be the same node, ``add`` and
``mul`` match in both orders, a difference also matches a sum with a negated term, and numbers are compared by
value, however they were broadcast. Parameters that a pattern does not mention are free. ``spread(p)`` looks
through broadcasting and through reshapes that only insert or drop axes of size 1, so that ``keepdims`` does
not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphc.graph import Graph, Handle
from graphc.rewrite.engine import Rewriter, Term
from graphc.types import DType

Found = Mapping[str, Any]


class Pattern:
    """A formula over variables; Python's arithmetic on patterns builds patterns."""

    __slots__ = ()

    def __add__(self, other: Pattern | float) -> Pattern:
        return App("add", (self, as_pattern(other)))

    def __radd__(self, other: float) -> Pattern:
        return App("add", (as_pattern(other), self))

    def __sub__(self, other: Pattern | float) -> Pattern:
        return App("sub", (self, as_pattern(other)))

    def __rsub__(self, other: float) -> Pattern:
        return App("sub", (as_pattern(other), self))

    def __mul__(self, other: Pattern | float) -> Pattern:
        return App("mul", (self, as_pattern(other)))

    def __rmul__(self, other: float) -> Pattern:
        return App("mul", (as_pattern(other), self))

    def __truediv__(self, other: Pattern | float) -> Pattern:
        return App("div", (self, as_pattern(other)))

    def __rtruediv__(self, other: float) -> Pattern:
        return App("div", (as_pattern(other), self))

    def __neg__(self) -> Pattern:
        return App("neg", (self,))


@dataclass(frozen=True, slots=True)
class Var(Pattern):
    """Any node, or (of ``params``) any value of a parameter; the same wherever the name stands."""

    name: str


@dataclass(frozen=True, slots=True)
class Num(Pattern):
    """A constant every element of which is ``value``."""

    value: float


@dataclass(frozen=True, slots=True)
class App(Pattern):
    """An op applied to patterns; ``params`` are values or variables."""

    op: str
    args: tuple[Pattern, ...]
    params: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Spread(Pattern):
    """``inner`` under broadcasting and unit axes; ``name`` is bound to the spread value itself."""

    inner: Pattern
    name: str


def as_pattern(value: Pattern | float) -> Pattern:
    return value if isinstance(value, Pattern) else Num(float(value))


def op(name: str) -> Callable[..., Pattern]:
    """The op ``name`` as a function on patterns; keywords are parameters."""

    def build(*args: Pattern | float, **params: Any) -> Pattern:
        return App(name, tuple(as_pattern(a) for a in args), tuple(params.items()))

    return build


# --------------------------------------------------------------------------------------------------- matching


def match(pattern: Pattern, value: Handle | Term, found: Found, b: Rewriter) -> Iterator[Found]:
    """Every way in which ``value`` has the form ``pattern``, as what the variables then stand for."""
    match pattern:
        case Var(name) if isinstance(value, Handle):
            if found.get(name, value) is value:
                yield {**found, name: value}
        case Num(number) if isinstance(value, Handle):
            if b.number(value) == number:
                yield found
        case Spread(inner, name) if isinstance(value, Handle):
            yield from match(inner, beneath(value, b), {**found, name: value}, b)
        case App():
            yield from _match_app(pattern, value, found, b)
        case _:
            return


def _match_app(pattern: App, value: Handle | Term, found: Found, b: Rewriter) -> Iterator[Found]:
    if pattern.op == "neg" and isinstance(value, Handle):
        yield from _match_negated(pattern.args[0], value, found, b)
        return
    term = b.see(value) if isinstance(value, Handle) else value
    if term is None:
        return
    if pattern.op in ("add", "sub") and term.op in ("add", "sub"):
        yield from _match_sum(pattern, term, found, b)
    elif pattern.op == term.op and len(pattern.args) == len(term.operands):
        bound = _match_params(pattern, term, found)
        if bound is not None:
            yield from _match_operands(pattern, term, bound, b)


def _match_negated(inner: Pattern, value: Handle, found: Found, b: Rewriter) -> Iterator[Found]:
    """``-inner``: a neg node, or, where ``inner`` is known to be ``-value``, ``value`` itself."""
    term = b.sees(value, "neg")
    if term is not None:
        yield from match(inner, term.operands[0], found, b)
    elif isinstance(inner, Var) and inner.name in found:
        known = b.sees(found[inner.name], "neg")
        if known is not None and known.operands[0] is value:
            yield found


def _match_params(pattern: App, term: Term, found: Found) -> Found | None:
    bound = dict(found)
    for name, wanted in pattern.params:
        given = term.params.get(name)
        if (bound.setdefault(wanted.name, given) if isinstance(wanted, Var) else wanted) != given:
            return None
    return bound


def _match_operands(pattern: App, term: Term, found: Found, b: Rewriter) -> Iterator[Found]:
    yield from _match_all(pattern.args, term.operands, found, b)
    if pattern.op == "mul":
        yield from _match_all(pattern.args, term.operands[::-1], found, b)


def _match_all(
    patterns: tuple[Pattern, ...], values: tuple[Handle, ...], found: Found, b: Rewriter
) -> Iterator[Found]:
    if not patterns:
        yield found
        return
    for bound in match(patterns[0], values[0], found, b):
        yield from _match_all(patterns[1:], values[1:], bound, b)


def _match_sum(pattern: App, term: Term, found: Found, b: Rewriter) -> Iterator[Found]:
    """Two signed summands in either order; the sign of a number belongs to it."""
    first, second = zip((1, -1 if pattern.op == "sub" else 1), pattern.args, strict=True)
    left, right = zip((1, -1 if term.op == "sub" else 1), term.operands, strict=True)
    for a, z in ((left, right), (right, left)):
        for bound in _match_signed(first, a, found, b):
            yield from _match_signed(second, z, bound, b)


def _match_signed(
    wanted: tuple[int, Pattern], given: tuple[int, Handle], found: Found, b: Rewriter
) -> Iterator[Found]:
    (sign, pattern), (own, value) = wanted, given
    if isinstance(pattern, Num):
        number = b.number(value)
        if number is not None and own * number == sign * pattern.value:
            yield found
        return
    if sign == own:
        yield from match(pattern, value, found, b)
    negated = b.sees(value, "neg")
    if sign == -own and negated is not None:
        yield from match(pattern, negated.operands[0], found, b)


# ------------------------------------------------------------------------------------------------- unit axes


def beneath(value: Handle, b: Rewriter) -> Handle:
    """``value`` without the broadcasting and the unit axes around it."""
    return value if (chain := unit_chain(value, b)) == [] else chain[-1].operands[0]


def unit_chain(value: Handle, b: Rewriter) -> list[Term]:
    """The broadcasting and the reshapes that move only unit axes around ``value``, from the outside in."""
    chain: list[Term] = []
    while (term := b.sees(value, "broadcast_to", "reshape")) is not None:
        inner = term.operands[0]
        if term.op == "reshape" and _long(inner) != _long(value):
            break
        chain.append(term)
        value = inner
    return chain


def _long(value: Handle) -> list[Any]:
    return [d for d in value.shape if d != 1]


# ------------------------------------------------------------------------------------------------------ rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """``left`` becomes ``right``.

    right:   a pattern over the variables of ``left``, or a function ``(rewriter, found) -> node or None``
    assumes: where the two are equal in real arithmetic, and how they differ in floating point
    example: builds one formula that the rule rewrites, from which ``proof.prove`` proves the rule
    points:  the ranges of the example's inputs over which both sides are measured
    scale:   the size below which results are measured in its units, as logarithms are near 0
    """

    name: str
    left: Pattern
    right: Pattern | Callable[[Rewriter, Found], Handle | None]
    assumes: str
    example: Callable[[Graph], Handle]
    points: Mapping[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    scale: float = 0.0

    @property
    def ops(self) -> tuple[str, ...]:
        assert isinstance(self.left, App)
        return ("add", "sub") if self.left.op in ("add", "sub") else (self.left.op,)

    def apply(self, b: Rewriter, term: Term, /) -> Handle | None:
        """What ``term`` becomes; None where it has not the form ``left``."""
        for found in match(self.left, term, {}, b):
            made = (
                build(self.right, found, b, term.type.dtype)
                if isinstance(self.right, Pattern)
                else self.right(b, found)
            )
            if made is not None:
                return made
        return None


def build(pattern: Pattern, found: Found, b: Rewriter, dtype: DType) -> Handle:
    """The node that ``pattern`` describes once its variables stand for ``found``."""
    match pattern:
        case Var(name):
            return found[name]
        case Num(value):
            return b.constant(value, dtype)
        case App("neg", (inner,)):
            return negate(build(inner, found, b, dtype), b)
        case App(name, args, params):
            given = {key: found[value.name] if isinstance(value, Var) else value for key, value in params}
            return b(name, *(build(a, found, b, dtype) for a in args), **given)
        case _:
            raise AssertionError(f"{pattern} cannot be built")


def negate(value: Handle, b: Rewriter) -> Handle:
    """``-value``, the sign taken into a negation or a constant factor where there is one: exact."""
    inner = b.sees(value, "neg")
    if inner is not None:
        return inner.operands[0]
    number = b.number(value)
    if number is not None:
        return b.constant(-number, value.dtype)
    product = b.sees(value, "mul")
    for position, factor in enumerate(product.operands if product else ()):
        if product is not None and b.number(factor) is not None:
            return b("mul", product.operands[1 - position], negate(factor, b))
    return b("neg", value)
