"""Formulas over exponentials in any written form: sums, weighted sums, their logarithms and their quotients.

A value made of exponentials is kept as ``mantissa * exp(scale)``. Products add scales; a sum takes its largest scale
out of every term, so that no term overflows and the largest is exact. The logarithm of such a value is
``log(mantissa) + scale``, and a quotient of two has the difference of both scales. The scale of a sum is held fixed in
derivatives (the value does not depend on it), so that no derivative goes through a maximum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from graphc.graph import Handle
from graphc.rewrite.engine import MOVES, Rewriter, Term
from graphc.rewrite.pattern import Found, Rule, Var, beneath
from graphc.rewrite.vocabulary import X, Y, exp, f, log, log1p, real, sinh, tanh
from graphc.types import DType

DEPTH = 12  # of nested sums and products that are looked into
SUMS = ("sum", "mean")


@dataclass(frozen=True, slots=True)
class Scaled:
    """``mantissa * exp(scale)``; a mantissa of None is 1, a scale of None is 0."""

    mantissa: Handle | None
    scale: Handle | None


# ------------------------------------------------------------------------------------------------ looking


def is_exponential(b: Rewriter, value: Handle, depth: int = DEPTH) -> bool:
    """Whether ``value`` is made of exponentials that may still overflow."""
    term = b.see(value)
    if term is None or not depth:
        return False
    match term.op:
        case "exp":
            return not _is_shifted(b, term.operands[0])
        case "mul" | "div" | "add" | "sub":
            return any(is_exponential(b, o, depth - 1) for o in term.operands)
        case "sum" | "mean" | "neg":
            return is_exponential(b, term.operands[0], depth - 1)
        case op if op in MOVES:
            return is_exponential(b, term.operands[0], depth - 1)
        case _:
            return False


def is_sum(b: Rewriter, value: Handle, depth: int = DEPTH) -> bool:
    """Whether a sum of exponentials is in ``value``, which nothing but a scale saves from overflow."""
    term = b.see(value)
    if term is None or not depth:
        return False
    if term.op in ("sum", "mean", "add", "sub"):
        return is_exponential(b, value, depth)
    if term.op in ("mul", "div", "neg") or term.op in MOVES:
        return any(is_sum(b, o, depth - 1) for o in term.operands[: 1 if term.op in MOVES else 2])
    return False


def _is_shifted(b: Rewriter, exponent: Handle) -> bool:
    """Whether a scale, as ``_held`` makes it, was taken out of ``exponent`` already."""
    term = b.sees(exponent, "sub", "neg")
    last = beneath(term.operands[-1] if term else exponent, b)
    stopped = b.sees(last, "stop_gradient")
    choice = b.sees(beneath(stopped.operands[0], b) if stopped else last, "where")
    finite = b.sees(choice.operands[0], "isfinite") if choice else None
    return choice is not None and finite is not None and finite.operands[0] is choice.operands[1]


# ----------------------------------------------------------------------------------------------- rebuilding


def scaled(b: Rewriter, value: Handle) -> Scaled:
    """``value`` as a mantissa and a scale."""
    term = b.see(value)
    if term is None or not is_exponential(b, value):
        return Scaled(value, None)
    match term.op:
        case "exp":
            return Scaled(None, term.operands[0])
        case "mul" | "div":
            return _product(b, term)
        case "add" | "sub":
            return _added(b, summands(b, value), value.dtype)
        case "neg":
            inner = scaled(b, term.operands[0])
            return Scaled(b("neg", _mantissa(b, inner, value.dtype)), inner.scale)
        case "sum" | "mean":
            return _folded(b, term, scaled(b, term.operands[0]))
        case _:
            return _moved(b, term, scaled(b, term.operands[0]))


def _mantissa(b: Rewriter, value: Scaled, dtype: DType) -> Handle:
    return b.constant(1.0, dtype) if value.mantissa is None else value.mantissa


def _product(b: Rewriter, term: Term) -> Scaled:
    left, right = (scaled(b, o) for o in term.operands)
    if right.mantissa is None:
        mantissa = left.mantissa
    else:
        mantissa = b(term.op, _mantissa(b, left, right.mantissa.dtype), right.mantissa)
    return Scaled(mantissa, _joined(b, left.scale, right.scale, "add" if term.op == "mul" else "sub"))


def _joined(b: Rewriter, left: Handle | None, right: Handle | None, op: str) -> Handle | None:
    if right is None:
        return left
    if left is None:
        return right if op == "add" else b("neg", right)
    return b(op, left, right)


def summands(b: Rewriter, value: Handle, sign: int = 1) -> list[tuple[int, Handle]]:
    """The terms of a chain of additions, with their signs."""
    found: list[tuple[int, Handle]] = []
    stack = [(sign, value)]
    while stack:
        s, here = stack.pop()
        term = b.sees(here, "add", "sub") if is_exponential(b, here) and len(found) < DEPTH else None
        if term is None:
            found.append((s, here))
        else:
            stack += [(s if term.op == "add" else -s, term.operands[1]), (s, term.operands[0])]
    return found


def _added(b: Rewriter, terms: Sequence[tuple[int, Handle]], dtype: DType) -> Scaled:
    parts = [(sign, scaled(b, value)) for sign, value in terms]
    top = _top(b, [part for _, part in parts], dtype)
    total: Handle | None = None
    for sign, part in sorted(parts, key=lambda p: -p[0]):
        value = _lowered(b, part, top)
        if total is None:
            total = value if sign > 0 else b("neg", value)
        else:
            total = b("add" if sign > 0 else "sub", total, value)
    return Scaled(total, top)


def _top(b: Rewriter, parts: Sequence[Scaled], dtype: DType) -> Handle:
    """The largest scale of several terms."""
    top: Handle | None = None
    for part in parts:
        scale = b.constant(0.0, dtype) if part.scale is None else _counted(b, part)
        top = scale if top is None else b("maximum", top, scale)
    assert top is not None
    return _held(b, top)


def _counted(b: Rewriter, part: Scaled) -> Handle:
    """The scale of a term, -inf where its mantissa is 0: what does not count must not push others out of range."""
    assert part.scale is not None
    if part.mantissa is None or b.number(part.mantissa) is not None:
        return part.scale
    zero, low = (b.constant(v, part.scale.dtype) for v in (0.0, -math.inf))
    return b("where", b("eq", part.mantissa, zero), low, part.scale)


def _held(b: Rewriter, top: Handle) -> Handle:
    """``top``, or 0 where it is infinite, with no derivative."""
    finite = b("where", b("isfinite", top), top, b.constant(0.0, top.dtype))
    return b("stop_gradient", finite)


def _lowered(b: Rewriter, part: Scaled, top: Handle) -> Handle:
    """The term over exp(top)."""
    grown = b("exp", b("neg", top) if part.scale is None else b("sub", part.scale, top))
    return grown if part.mantissa is None else b("mul", part.mantissa, grown)


def _folded(b: Rewriter, term: Term, inner: Scaled) -> Scaled:
    axes = term.params["axes"]
    assert inner.scale is not None
    counted = b.spread(_counted(b, inner), term.operands[0].shape)
    assert counted is not None
    top = _held(b, b("max", counted, axes=axes, keepdims=True))
    lowered = b.spread(_lowered(b, inner, top), term.operands[0].shape)
    assert lowered is not None
    total = b(term.op, lowered, **term.params)
    return Scaled(total, top if term.params["keepdims"] else b("reshape", top, shape=total.shape))


def _moved(b: Rewriter, term: Term, inner: Scaled) -> Scaled:
    """What moves values about moves mantissa and scale alike."""
    shape = term.operands[0].shape

    def move(value: Handle | None) -> Handle | None:
        whole = None if value is None else b.spread(value, shape)
        return None if whole is None else b(term.op, whole, *term.operands[1:], **term.params)

    return Scaled(move(inner.mantissa), move(inner.scale))


# ---------------------------------------------------------------------------------------------------- rules


def _log_of_sum(b: Rewriter, found: Found) -> Handle | None:
    """log(m exp(s)) = log(m) + s."""
    if not is_sum(b, found["X"]):
        return None
    terms = summands(b, found["X"])
    one = next((k for k, (sign, v) in enumerate(terms) if sign > 0 and b.number(v) == 1), None)
    if one is not None:
        return _log_of_one_and(b, terms[:one] + terms[one + 1 :], found["X"].dtype)
    value = scaled(b, found["X"])
    assert value.mantissa is not None
    assert value.scale is not None
    return b("add", b("log", value.mantissa), value.scale)


def _log_of_one_and_sum(b: Rewriter, found: Found) -> Handle | None:
    if not is_sum(b, found["X"]):
        return None
    return _log_of_one_and(b, summands(b, found["X"]), found["X"].dtype)


def _log_of_one_and(b: Rewriter, terms: Sequence[tuple[int, Handle]], dtype: DType) -> Handle:
    """log(1 + e) = t + log1p(e exp(-t) + (exp(-t) - 1)) with t >= 0, which leaves a small e as it is."""
    parts = [(sign, scaled(b, value)) for sign, value in terms]
    top = _top(b, [Scaled(None, None), *(part for _, part in parts)], dtype)
    total = b("expm1", b("neg", top))
    for sign, part in parts:
        total = b("add" if sign > 0 else "sub", total, _lowered(b, part, top))
    return b("add", top, b("log1p", total))


def _quotient(b: Rewriter, found: Found) -> Handle | None:
    """(m exp(s))/(n exp(t)) = (m/n) exp(s - t), where the lower is a sum."""
    top, bottom = found["X"], found["Y"]
    if not is_sum(b, bottom) or _hides(b, top):
        return None
    low, high = scaled(b, bottom), scaled(b, top)
    assert low.mantissa is not None
    assert low.scale is not None
    if high.scale is None:
        return b("mul", b("div", top, low.mantissa), b("exp", b("neg", low.scale)))
    grown = exp_of_difference(b, high.scale, low.scale)
    return b("div", grown if high.mantissa is None else b("mul", high.mantissa, grown), low.mantissa)


def _hides(b: Rewriter, value: Handle) -> bool:
    """Whether ``value`` has an exponential within that a scale cannot be taken out of."""
    value = beneath(value, b)
    term = b.sees(value, "neg", "mul")
    inner = [value] if term is None else [beneath(o, b) for o in term.operands]
    return any(b.sees(o, "expm1", "sinh", "cosh") is not None for o in inner)


def exp_of_difference(b: Rewriter, x: Handle, y: Handle) -> Handle:
    """exp(x - y), exact although x - y is rounded: with the rounding error r it is exp(d) + exp(d) r.

    d = fl(x - y); x - (d + y') and y' - y with y' = x - d are what d left behind (Knuth's TwoSum).
    """
    d = b("sub", x, y)
    back = b("sub", x, d)
    rest = b("add", b("sub", x, b("add", d, back)), b("sub", back, y))
    return _corrected(b, d, rest)


def _exp_of_sum(b: Rewriter, x: Handle, y: Handle) -> Handle:
    d = b("add", x, y)
    back = b("sub", d, x)
    rest = b("add", b("sub", x, b("sub", d, back)), b("sub", y, back))
    return _corrected(b, d, rest)


def _corrected(b: Rewriter, d: Handle, rest: Handle) -> Handle:
    zero = b.constant(0.0, d.dtype)
    kept = b("stop_gradient", b("where", b("isfinite", rest), rest, zero))
    grown = b("exp", d)
    return b("add", grown, b("mul", grown, kept))


def _product_of_two(b: Rewriter, found: Found) -> Handle | None:
    if any(_is_shifted(b, found[name]) for name in ("X", "Y")):
        return None
    return _exp_of_sum(b, found["X"], found["Y"])


def _quotient_of_two(b: Rewriter, found: Found) -> Handle | None:
    if any(_is_shifted(b, found[name]) for name in ("X", "Y")):
        return None
    return exp_of_difference(b, found["X"], found["Y"])


def _log_of_corrected(b: Rewriter, found: Found) -> Handle | None:
    """log(e + e r) = log(e) + r, r being the rounding error of an exponent, whose square is below any rounding."""
    if b.sees(found["Y"], "stop_gradient") is None:
        return None
    logged = b("add", found["X"], found["Y"])
    return b("sub", logged, b("log", found["Z"])) if "Z" in found else logged


_WIDE = {"x": (-900.0, 900.0), "y": (-900.0, 900.0)}

SPECIAL = (
    Rule(
        name="sinh", left=exp(X) - exp(-X), right=2 * sinh(X),
        assumes="x real; the left side cancels near 0", points={"x": (-20.0, 20.0)},
        example=lambda g: f("exp", x := real(g)) - f("exp", -x),
    ),
    Rule(
        name="half_of_double", left=(2 * Y) / 2, right=Y, assumes="2 y finite; both are exact",
        points={"x": (-700.0, 700.0)}, example=lambda g: (f("exp", x := real(g)) - f("exp", -x)) / 2,
    ),
    Rule(
        name="half_times_double", left=(2 * Y) * 0.5, right=Y, assumes="as half_of_double",
        points={"x": (-700.0, 700.0)}, example=lambda g: (f("exp", x := real(g)) - f("exp", -x)) * 0.5,
    ),
    Rule(
        name="tanh", left=(2 * sinh(X)) / (exp(X) + exp(-X)), right=tanh(X),
        assumes="x real; the left side is inf/inf for large |x|", points=_WIDE,
        example=lambda g: (f("exp", x := real(g)) - f("exp", -x)) / (f("exp", x) + f("exp", -x)),
    ),
    Rule(
        name="coth", left=(exp(X) + exp(-X)) / (2 * sinh(X)), right=1 / tanh(X), assumes="as tanh, x not 0",
        points=_WIDE, example=lambda g: (f("exp", x := real(g)) + f("exp", -x)) / (f("exp", x) - f("exp", -x)),
    ),
    Rule(
        name="tanh_of_sinh", left=sinh(X) / Var("C"), right=lambda b, found: _over_cosh(b, found),
        assumes="x real; the left side is inf/inf for large |x|", points=_WIDE,
        example=lambda g: f("sinh", x := real(g)) / f("cosh", x),
    ),
)  # fmt: skip


def _over_cosh(b: Rewriter, found: Found) -> Handle | None:
    lower = b.sees(found["C"], "cosh")
    return b("tanh", found["X"]) if lower is not None and lower.operands[0] is found["X"] else None


GENERAL = (
    Rule(
        name="product_of_exponentials", left=exp(X) * exp(Y), right=_product_of_two,
        assumes="x, y real; the left side is inf * 0 where one overflows and one underflows", points=_WIDE,
        example=lambda g: f("exp", real(g)) * f("exp", real(g, name="y")),
    ),
    Rule(
        name="quotient_of_exponentials", left=exp(X) / exp(Y), right=_quotient_of_two,
        assumes="x, y real; the left side is inf/inf or 0/0 where both leave the range", points=_WIDE,
        example=lambda g: f("exp", real(g)) / f("exp", real(g, name="y")),
    ),
    Rule(
        name="log_of_corrected", left=log(exp(X) + exp(X) * Y), right=_log_of_corrected,
        assumes="y the rounding error of x, which product_of_exponentials leaves", points=_WIDE,
        scale=1.0, example=lambda g: f("log", f("exp", real(g)) / f("exp", real(g, name="y"))),
    ),
    Rule(
        name="log_of_corrected_quotient", left=log((exp(X) + exp(X) * Y) / Var("Z")), right=_log_of_corrected,
        assumes="as log_of_corrected, z > 0", points=_WIDE, scale=1.0,
        example=lambda g: f("log", f("take", e := f("exp", real(g, 3)), g.const([2, 0])) / f("sum", e)),
    ),
    Rule(
        name="log_of_exponentials", left=log(X), right=_log_of_sum,
        assumes="the sum positive; the left side overflows with its largest term", points=_WIDE,
        scale=1.0, example=lambda g: f("log", 3 * f("exp", real(g)) + 2 * f("exp", real(g, name="y"))),
    ),
    Rule(
        name="log1p_of_exponentials", left=log1p(X), right=_log_of_one_and_sum,
        assumes="the sum above -1; the left side overflows with its largest term", points=_WIDE,
        example=lambda g: f("log1p", f("exp", real(g)) + f("exp", real(g, name="y"))),
    ),
    Rule(
        name="quotient_by_exponentials", left=X / Y, right=_quotient,
        assumes="the lower sum not 0; the left side is inf/inf once a term overflows, as does its derivative",
        points=_WIDE,
        example=lambda g: f("exp", x := real(g)) / (f("exp", x) + 2 * f("exp", real(g, name="y"))),
    ),
)  # fmt: skip

__all__ = ["GENERAL", "SPECIAL", "exp_of_difference", "is_exponential", "scaled"]
