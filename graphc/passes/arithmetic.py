"""Identities of elementwise ops. Each holds bit for bit in IEEE 754 (NaN payloads aside), under its
condition.

What is not here on purpose: ``x * 0 -> 0`` (infinities and NaN), ``x - x -> 0`` and ``x / x -> 1`` (the
same), ``x + 0.0 -> x`` where x may be -0.0, and any change of association such as ``(x + 1e16) - 1e16 -> x``.
"""

from __future__ import annotations

import math

import numpy as np

from graphc import registry
from graphc.graph import Handle
from graphc.passes.identity import Identity, identity, sound
from graphc.rewrite import Rewriter, Term
from graphc.rewrite.pattern import negate
from graphc.types import DType

ARITHMETIC: list[Identity] = []

# Ops whose results are never -0.0.
_NEVER_MINUS_ZERO = frozenset(
    {"exp", "sigmoid", "softplus", "square", "abs", "cosh", "erfc", "softmax", "norm"}
)


def _sides(term: Term) -> tuple[tuple[Handle, Handle], tuple[Handle, Handle]]:
    x, y = term.operands
    return (x, y), (y, x)


def _is_zero(b: Rewriter, value: Handle, sign: float) -> bool:
    """Whether ``value`` is the zero of this sign; an integer zero has both."""
    number = b.number(value)
    if number is None or number != 0:
        return False
    return not value.dtype.is_float or math.copysign(1, number) == sign


def _never_minus_zero(b: Rewriter, value: Handle) -> bool:
    """x + y is -0.0 only where both are, so one such operand is enough."""
    number = b.number(value)
    if number is not None:
        return not (number == 0 and math.copysign(1, number) < 0)
    made = b.sees(value, "add")
    around = made.operands if made else (value,)
    return any(o.node.op in _NEVER_MINUS_ZERO or b.number(o) not in (None, 0) for o in around)


@identity(ARITHMETIC, "mul")
def multiplied_by_one(b: Rewriter, term: Term) -> Handle | None:
    """x * 1 = x and x * -1 = -x, for every x."""
    for x, factor in _sides(term):
        number = b.number(factor)
        if number is not None and number in (1, -1):
            return x if number == 1 else negate(x, b)
    return None


@identity(ARITHMETIC, "div")
def divided_by_power_of_two(b: Rewriter, term: Term) -> Handle | None:
    """x / c = x * (1/c) where 1/c is exact: both round the same real number."""
    x, divisor = term.operands
    number = b.number(divisor)
    if number is None or number == 0 or not math.isfinite(number) or abs(math.frexp(number)[0]) != 0.5:
        return None
    tiny = float(np.finfo(x.dtype.numpy).tiny)
    return b("mul", x, b.constant(1 / number, x.dtype)) if tiny <= abs(1 / number) <= 1 / tiny else None


@identity(ARITHMETIC, "add")
def added_zero(b: Rewriter, term: Term) -> Handle | None:
    """x + -0.0 = x for every x; x + 0.0 = x unless x is -0.0."""
    for x, zero in _sides(term):
        if _is_zero(b, zero, -1.0) or (_is_zero(b, zero, 1.0) and _never_minus_zero(b, x)):
            return x
    return None


@identity(ARITHMETIC, "sub")
def subtracted_zero(b: Rewriter, term: Term) -> Handle | None:
    """x - 0.0 = x and -0.0 - x = -x, for every x."""
    x, y = term.operands
    if _is_zero(b, y, 1.0):
        return x
    return negate(y, b) if _is_zero(b, x, -1.0) else None


@identity(ARITHMETIC, "neg")
def negated_twice(b: Rewriter, term: Term) -> Handle | None:
    """-(-x) = x and -(x * c) = x * -c: a sign changes one bit."""
    (x,) = term.operands
    inner = b.sees(x, "neg", "mul")
    constant = inner is not None and any(b.number(o) is not None for o in inner.operands)
    return negate(x, b) if inner is not None and (inner.op == "neg" or constant) else None


@identity(ARITHMETIC, "add", "sub")
def sum_of_negated(b: Rewriter, term: Term) -> Handle | None:
    """x + -y = x - y, -x + y = y - x, x - -y = x + y: subtraction is addition of the negated operand."""
    x, y = term.operands
    right, left = b.sees(y, "neg"), b.sees(x, "neg")
    if right is not None:
        return b("sub" if term.op == "add" else "add", x, right.operands[0])
    return b("sub", y, left.operands[0]) if left is not None and term.op == "add" else None


@identity(ARITHMETIC, "mul", "div")
def product_of_negated(b: Rewriter, term: Term) -> Handle | None:
    """-x * -y = x * y, -x * c = x * -c, and quotients alike: signs of factors make the sign of a product."""
    x, y = (b.sees(o, "neg") for o in term.operands)
    if x is not None and y is not None:
        return b(term.op, x.operands[0], y.operands[0])
    if x is not None and b.number(term.operands[1]) is not None:
        return b(term.op, x.operands[0], negate(term.operands[1], b))
    if y is not None and b.number(term.operands[0]) is not None:
        return b(term.op, negate(term.operands[0], b), y.operands[0])
    return None


@identity(ARITHMETIC, "mul")
def squared(b: Rewriter, term: Term) -> Handle | None:
    """x * x = square(x)."""
    x, y = term.operands
    return b("square", x) if x is y else None


@identity(ARITHMETIC, "square", "abs", "cos", "cosh")
def even_function(b: Rewriter, term: Term) -> Handle | None:
    """f(-x) = f(x) for even f."""
    inner = b.sees(term.operands[0], "neg")
    return None if inner is None else b(term.op, inner.operands[0])


@identity(ARITHMETIC, "abs", "relu", "sign", "floor", "ceil", "rint", "trunc", "hard_tanh")
def applied_twice(b: Rewriter, term: Term) -> Handle | None:
    """f(f(x)) = f(x) for projections."""
    return term.operands[0] if b.sees(term.operands[0], term.op) else None


@identity(ARITHMETIC, "logical_not")
def negated_logic(b: Rewriter, term: Term) -> Handle | None:
    """not not x = x."""
    inner = b.sees(term.operands[0], "logical_not")
    return None if inner is None else inner.operands[0]


@identity(ARITHMETIC, "maximum", "minimum", "logical_and", "logical_or")
def of_one_value(b: Rewriter, term: Term) -> Handle | None:
    """max(x, x) = x, and alike."""
    x, y = term.operands
    return x if x is y else None


@identity(ARITHMETIC, "pow")
def power_by_number(b: Rewriter, term: Term) -> Handle | None:
    """x ** 1 = x, x ** 2 = x * x, x ** -1 = 1 / x; others differ at zeros and infinities or in rounding."""
    x, exponent = term.operands
    match b.number(exponent):
        case 1:
            return x
        case 2:
            return b("square", x)
        case -1:
            return b("reciprocal", x)
        case _:
            return None


@identity(ARITHMETIC, "where")
def choice_made(b: Rewriter, term: Term) -> Handle | None:
    """where(c, x, x) = x; where(true, x, y) = x; where(not c, x, y) = where(c, y, x)."""
    condition, x, y = term.operands
    if x is y:
        return x
    known, inner = b.number(condition), b.sees(condition, "logical_not")
    if known is not None:
        return x if known else y
    return None if inner is None else b("where", inner.operands[0], y, x)


_HOLDS = {
    DType.BOOL: frozenset(DType),
    DType.I32: frozenset({DType.I32, DType.I64, DType.F64}),
    DType.I64: frozenset({DType.I64}),
    DType.F32: frozenset({DType.F32, DType.F64}),
    DType.F64: frozenset({DType.F64}),
}


@identity(ARITHMETIC, "cast")
def cast_of_cast(b: Rewriter, term: Term) -> Handle | None:
    """A cast to the own dtype is x; a cast of a cast is the outer one where the inner lost nothing."""
    (x,) = term.operands
    if x.dtype is DType.of(term.params["dtype"]):
        return x
    inner = b.sees(x, "cast")
    if inner is None or x.dtype not in _HOLDS[inner.operands[0].dtype]:
        return None
    return b("cast", inner.operands[0], dtype=term.params["dtype"])


@identity(ARITHMETIC, "stop_gradient")
def stopped(b: Rewriter, term: Term) -> Handle | None:
    """stop_gradient(x) = x in value; all derivatives have been taken when passes run."""
    return term.operands[0]


@identity(ARITHMETIC, "*")
def broadcast_operands(b: Rewriter, term: Term) -> Handle | None:
    """f(broadcast(x), y) = f(x, y), broadcast to the same shape: elementwise ops broadcast by themselves."""
    if registry.lookup(term.op).scalar is None and term.op != "cast":
        return None
    spread = [b.sees(o, "broadcast_to") for o in term.operands]
    operands = tuple(o if s is None else s.operands[0] for o, s in zip(term.operands, spread, strict=True))
    changed = any(spread) and sound(Term(term.op, operands, term.params))
    return b(term.op, *operands, **term.params) if changed else None


__all__ = ["ARITHMETIC"]
