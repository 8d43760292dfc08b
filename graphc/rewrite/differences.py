"""Differences of one function at two sums: ``f(x + h) - f(x)`` loses the digits that both values share.

What the sums share cancels in their difference D, exactly (``linear``), and each function has an identity that gives
f(A) - f(B) as a product with D, or a function of D that is exact near 0. Nothing is rewritten where the two sums
share nothing, since then there is nothing to cancel.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from graphc.graph import Handle
from graphc.rewrite.engine import Rewriter, Term
from graphc.rewrite.linear import Linear, linear
from graphc.rewrite.pattern import Found, Rule, Var, negate
from graphc.rewrite.vocabulary import (
    P,
    X,
    Y,
    atan,
    cos,
    exp,
    f,
    half,
    log,
    pow_,
    real,
    reciprocal,
    sin,
    sqrt,
    tan,
    xlogy,
)

# Of differences of these within another function a rule may know a stable form: 1/sqrt(x) - 1/sqrt(x + 1).
NESTED = frozenset({"sqrt", "exp", "log", "sin", "cos", "tan", "atan", "pow", "div", "reciprocal"})


def _gap(b: Rewriter, found: Found) -> Handle | None:
    """X - Y once what both share is gone, or as another of these rules gives it; None where they share nothing."""
    x, y = found["X"], found["Y"]
    left, right = linear(b, x), linear(b, y)
    if left.shares(right):
        return (left - right).built(b, x.dtype)
    alike = {x.node.op, y.node.op} <= NESTED and x.node.op == y.node.op
    return b.rewrite(Term("sub", (x, y), {})) if alike else None


def _by_sign(b: Rewriter, gap: Handle, above: Callable[[], Handle], below: Callable[[], Handle]) -> Handle:
    """``above`` where ``gap >= 0``, else ``below``: decided now where the gap is a number."""
    number = b.number(gap)
    if number is not None:
        return above() if number >= 0 else below()
    return b("where", b("ge", gap, b.constant(0.0, gap.dtype)), above(), below())


def _mean(b: Rewriter, y: Handle, gap: Handle) -> Handle:
    """(x + y)/2, of y and x - y."""
    return b("add", y, half(gap, b))


# --------------------------------------------------------------------------------- f(A) - f(B), f by f


def _roots(b: Rewriter, found: Found) -> Handle | None:
    """(A - B)/(sqrt A + sqrt B)."""
    gap = _gap(b, found)
    return None if gap is None else b("div", gap, b("add", b("sqrt", found["X"]), b("sqrt", found["Y"])))


def _quotients(b: Rewriter, found: Found) -> Handle | None:
    """P/A - P/B = -P ((A - B)/A)/B; A and B may be large, so they are not multiplied."""
    gap = _gap(b, found)
    if gap is None:
        return None
    share = b("div", b("div", negate(gap, b), found["X"]), found["Y"])
    top = found.get("P")
    return share if top is None or b.number(top) == 1 else b("mul", top, share)


def _exponentials(b: Rewriter, found: Found) -> Handle | None:
    """exp(B) (exp(A - B) - 1)."""
    gap = _gap(b, found)
    return None if gap is None else b("mul", b("exp", found["Y"]), b("expm1", gap))


def _sines(b: Rewriter, found: Found) -> Handle | None:
    """2 cos((A + B)/2) sin((A - B)/2)."""
    gap = _gap(b, found)
    if gap is None:
        return None
    product = b("mul", b("cos", _mean(b, found["Y"], gap)), b("sin", half(gap, b)))
    return b("mul", b.constant(2.0, gap.dtype), product)


def _cosines(b: Rewriter, found: Found) -> Handle | None:
    """-2 sin((A + B)/2) sin((A - B)/2)."""
    gap = _gap(b, found)
    if gap is None:
        return None
    product = b("mul", b("sin", _mean(b, found["Y"], gap)), b("sin", half(gap, b)))
    return b("mul", b.constant(-2.0, gap.dtype), product)


def _tangents(b: Rewriter, found: Found) -> Handle | None:
    """sin(A - B)/(cos A cos B)."""
    gap = _gap(b, found)
    return (
        None if gap is None else b("div", b("sin", gap), b("mul", b("cos", found["X"]), b("cos", found["Y"])))
    )


def _angles(b: Rewriter, found: Found) -> Handle | None:
    """atan A - atan B, the angle between (1, A) and (1, B): atan2(A - B, 1 + A B), right in every quadrant."""
    gap = _gap(b, found)
    if gap is None:
        return None
    return b("atan2", gap, b("add", b.constant(1.0, gap.dtype), b("mul", found["X"], found["Y"])))


def _log_ratio(b: Rewriter, gap: Handle, x: Callable[[], Handle], y: Callable[[], Handle]) -> Handle:
    """log(x/y) = log1p((x - y)/y) = -log1p((y - x)/x): of the two, the one whose argument is positive."""
    return _by_sign(
        b,
        gap,
        lambda: b("log1p", b("div", gap, y())),
        lambda: negate(b("log1p", b("div", negate(gap, b), x())), b),
    )


def _powers(b: Rewriter, found: Found) -> Handle | None:
    """A^p - B^p = B^p (exp(p log(A/B)) - 1), or -A^p (exp(p log(B/A)) - 1) where A < B."""
    x, y, p = found["X"], found["Y"], found["P"]
    number = b.number(p)
    gap = _gap(b, found) if number is None or _is_fraction(number) else None
    if gap is None:
        return None

    def grown(base: Handle, step: Handle) -> Handle:
        return b("mul", b("pow", base, p), b("expm1", b("mul", p, b("log1p", b("div", step, base)))))

    stable = _by_sign(b, gap, lambda: grown(y, gap), lambda: negate(grown(x, negate(gap, b)), b))
    return stable if number is not None else _where_positive(b, x, y, stable, p)


def _where_positive(b: Rewriter, x: Handle, y: Handle, stable: Handle, p: Handle) -> Handle:
    """``stable`` for positive bases; else, as p may be an integer, as written, in words that ask for no rule again."""
    negated = b("mul", b("pow", y, p), b.constant(-1.0, y.dtype))
    positive = b("gt", b("minimum", x, y), b.constant(0.0, y.dtype))
    return b("where", positive, stable, b("add", b("pow", x, p), negated))


def _entropies(b: Rewriter, found: Found) -> Handle | None:
    """A log A - B log B = B log(A/B) + (A - B) log A."""
    x, y = found["X"], found["Y"]
    gap = _gap(b, found)
    if gap is None:
        return None
    grown = b("mul", y, _log_ratio(b, gap, lambda: x, lambda: y))
    return b("add", grown, b("mul", gap, b("log", x)))


def _is_fraction(number: float | None) -> bool:
    return number is not None and math.isfinite(number) and not number.is_integer()


def _power_less_one(b: Rewriter, found: Found) -> Handle | None:
    """(1 + d)^p - 1 = exp(p log(1 + d)) - 1, or -(1 + d)^p (exp(-p log(1 + d)) - 1) where that is positive."""
    form, x, p = linear(b, found["X"]), found["X"], found["P"]
    number = b.number(p)
    if form.number != 1 or not form.terms or number is None or not _is_fraction(number):
        return None
    gap = form.plus(-1).built(b, p.dtype)
    exponent = b("mul", p, b("log1p", gap))

    def large() -> Handle:  # expm1 would multiply the rounding of a large exponent
        return negate(b("mul", b("pow", x, p), b("expm1", negate(exponent, b))), b)

    return _by_sign(b, gap if number > 0 else negate(gap, b), large, lambda: b("expm1", exponent))


# -------------------------------------------------------------------- logarithms, written as such or as log1p


def _logarithms(b: Rewriter, found: Found) -> Handle | None:
    x, y = (_inside(b, found[name]) for name in ("A", "B"))
    if x is None or y is None or not x[0].shares(y[0]):
        return None
    gap = (x[0] - y[0]).built(b, found["A"].dtype)
    return _log_ratio(b, gap, x[1], y[1])


def _inside(b: Rewriter, value: Handle) -> tuple[Linear, Callable[[], Handle]] | None:
    """What ``value`` is the logarithm of, as a form and as a node that is built when it is needed."""
    term = b.sees(value, "log", "log1p")
    if term is None:
        return None
    inner = term.operands[0]
    if term.op == "log":
        return linear(b, inner), lambda: inner
    form = linear(b, inner).plus(1)
    return form, lambda: form.built(b, inner.dtype)


def _log_of_ratio(b: Rewriter, found: Found) -> Handle | None:
    x, y = linear(b, found["X"]), linear(b, found["Y"])
    if not x.terms or not y.terms or not x.shares(y, numbers=True):
        return None
    gap = (x - y).built(b, found["X"].dtype)
    return _log_ratio(b, gap, lambda: found["X"], lambda: found["Y"])


# ------------------------------------------------------------------------- a root and what it is the root of


def _root_plus(b: Rewriter, found: Found) -> Handle | None:
    return _root_and(b, found["X"], found["Y"], 1)


def _root_minus(b: Rewriter, found: Found) -> Handle | None:
    return _root_and(b, found["X"], found["Y"], -1)


def _minus_root(b: Rewriter, found: Found) -> Handle | None:
    made = _root_and(b, found["X"], found["Y"], -1)
    return None if made is None else negate(made, b)


def _root_and(b: Rewriter, inside: Handle, y: Handle, sign: int) -> Handle | None:
    """sqrt(t^2 + q) + t = q/(sqrt(t^2 + q) + |t|) where t = ``sign * y`` is negative."""
    form, number, size = linear(b, inside), b.number(y), b.sees(y, "abs")
    if number is not None:
        if sign * number >= 0 or form.number != number * number or not form.terms:
            return None
        rest = form.plus(-form.number).built(b, y.dtype)
        return b("div", rest, b("add", b("sqrt", inside), b.constant(abs(number), y.dtype)))
    squared = next((value for value, c in form.terms.items() if _is_square(b, value, c, y)), None)
    rest = form.without(squared) if squared is not None else Linear({})
    if (not rest.terms and not rest.number) or (size is not None and sign > 0):
        return None
    over, root = rest.built(b, y.dtype), b("sqrt", inside)
    if size is not None:
        return b("div", over, b("add", root, y))
    return _chosen(b, root, y if sign > 0 else negate(y, b), over)


def _chosen(b: Rewriter, root: Handle, t: Handle, rest: Handle) -> Handle:
    """For t >= 0 the sum as it was written, in words that do not ask for this rule again."""
    zero = b.constant(0.0, t.dtype)
    negative = b("lt", t, zero)
    plain = b("add", root, b("where", negative, zero, t))
    return b("where", negative, b("div", rest, b("add", root, b("abs", t))), plain)


def _is_square(b: Rewriter, value: Handle, c: float, y: Handle) -> bool:
    """Whether ``c * value`` is the square of ``y`` as a sum."""
    term = b.sees(value, "square", "mul")
    if term is None or c <= 0 or term.operands[0] is not term.operands[-1]:
        return False
    size = b.sees(y, "abs")
    ratio = linear(b, y if size is None else size.operands[0]).ratio(linear(b, term.operands[0]))
    return ratio is not None and ratio * ratio == c


_POSITIVE = {"x": (1e-3, 1e12), "h": (1e-9, 1e3)}
_ANGLE = {"x": (-20.0, 20.0), "h": (1e-12, 1.0)}

DIFFERENCES = (
    Rule(
        name="difference_of_roots", left=sqrt(X) - sqrt(Y), right=_roots,
        assumes="x, y >= 0; the left side loses the digits that both roots share", points=_POSITIVE,
        example=lambda g: f("sqrt", (x := real(g)) + real(g, name="h")) - f("sqrt", x),
    ),
    Rule(
        name="root_less_number", left=sqrt(X) - Y, right=_root_minus,
        assumes="x >= 0, y^2 a summand of x; the left side cancels where the rest of x is small",
        points={"x": (1e-12, 10.0)}, example=lambda g: f("sqrt", 4 + real(g)) - 2,
    ),
    Rule(
        name="root_plus_number", left=sqrt(X) + Y, right=_root_plus,
        assumes="as root_less_number, and of a number whose sign is not known, such as -b + sqrt(b^2 - 4 a c)",
        points={"b": (-1e4, 1e4), "q": (1e-4, 1.0)},
        example=lambda g: (b := real(g, name="b")) + f("sqrt", b * b + 4 * real(g, name="q")),
    ),
    Rule(
        name="number_less_root", left=Y - sqrt(X), right=_minus_root, assumes="as root_plus_number",
        points={"b": (-1e4, 1e4), "q": (1e-4, 1.0)},
        example=lambda g: (b := real(g, name="b")) / 2 - f("sqrt", b * b / 4 + real(g, name="q")),
    ),
    Rule(
        name="difference_of_quotients", left=P / X - P / Y, right=_quotients,
        assumes="x, y not 0, and of one magnitude; the left side loses the digits that both quotients share",
        points=_POSITIVE, example=lambda g: 1 / ((x := real(g)) + real(g, name="h")) - 1 / x,
    ),
    Rule(
        name="difference_of_reciprocals", left=reciprocal(X) - reciprocal(Y), right=_quotients,
        assumes="as difference_of_quotients", points=_POSITIVE,
        example=lambda g: f("reciprocal", (x := real(g)) + real(g, name="h")) - f("reciprocal", x),
    ),
    Rule(
        name="difference_of_logarithms", left=Var("A") - Var("B"), right=_logarithms,
        assumes="x, y > 0, x/y in the range of the type; the left side loses the digits that both share",
        points=_POSITIVE, example=lambda g: f("log", (x := real(g)) + real(g, name="h")) - f("log", x),
    ),
    Rule(
        name="log_of_ratio", left=log(X / Y), right=_log_of_ratio,
        assumes="x/y > 0; the left side cancels where the ratio rounds to 1", points=_POSITIVE,
        example=lambda g: f("log", ((x := real(g)) + real(g, name="h")) / x),
    ),
    Rule(
        name="difference_of_exponentials", left=exp(X) - exp(Y), right=_exponentials,
        assumes="exp(y) and exp(x - y) in the range of the type; the left side loses the digits that both share",
        points={"x": (-20.0, 20.0), "h": (1e-12, 1.0)},
        example=lambda g: f("exp", (x := real(g)) + real(g, name="h")) - f("exp", x),
    ),
    Rule(
        name="difference_of_sines", left=sin(X) - sin(Y), right=_sines,
        assumes="x, y real; the left side loses the digits that both share", points=_ANGLE,
        example=lambda g: f("sin", (x := real(g)) + real(g, name="h")) - f("sin", x),
    ),
    Rule(
        name="difference_of_cosines", left=cos(X) - cos(Y), right=_cosines, assumes="as difference_of_sines",
        points=_ANGLE, example=lambda g: f("cos", (x := real(g)) + real(g, name="h")) - f("cos", x),
    ),
    Rule(
        name="difference_of_tangents", left=tan(X) - tan(Y), right=_tangents, assumes="as difference_of_sines",
        points=_ANGLE, example=lambda g: f("tan", (x := real(g)) + real(g, name="h")) - f("tan", x),
    ),
    Rule(
        name="difference_of_angles", left=atan(X) - atan(Y), right=_angles, assumes="as difference_of_sines",
        points={"x": (-1e6, 1e6), "h": (1e-9, 1.0)},
        example=lambda g: f("atan", (x := real(g)) + real(g, name="h")) - f("atan", x),
    ),
    Rule(
        name="difference_of_powers", left=pow_(X, P) - pow_(Y, P), right=_powers,
        assumes="x, y > 0, p a number that is no integer; the left side loses the digits that both share",
        points=_POSITIVE,
        example=lambda g: ((x := real(g)) + real(g, name="h")) ** (1 / 3) - x ** (1 / 3),
    ),
    Rule(
        name="difference_of_entropies", left=xlogy(X, X) - xlogy(Y, Y), right=_entropies,
        assumes="x, y > 0; the left side loses the digits that both share", points=_POSITIVE,
        example=lambda g: f("xlogy", a := (x := real(g)) + real(g, name="h"), a) - f("xlogy", x, x),
    ),
    Rule(
        name="power_less_one", left=pow_(X, P) - 1, right=_power_less_one,
        assumes="x > 0, p a number that is no integer; the left side cancels where x is near 1",
        points={"x": (1e-12, 10.0)}, example=lambda g: (1 + real(g)) ** 2.5 - 1,
    ),
)  # fmt: skip

__all__ = ["DIFFERENCES"]
