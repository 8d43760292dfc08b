"""Quotients at a removable pole, complements of circular and hyperbolic functions, logarithms near 0."""

from __future__ import annotations

from collections.abc import Callable

from graphc.graph import Handle
from graphc.rewrite.engine import Rewriter
from graphc.rewrite.linear import linear
from graphc.rewrite.pattern import Found, Rule, negate
from graphc.rewrite.vocabulary import (
    U,
    X,
    Y,
    cos,
    cosh,
    exp,
    expm1,
    f,
    half,
    log,
    log1mexp,
    log1p,
    logcosh,
    real,
    sin,
    square,
    tanh,
    xlogy,
)


def _times(b: Rewriter, k: float, value: Handle) -> Handle:
    return value if k == 1 else b("mul", b.constant(k, value.dtype), value)


def _ratio(b: Rewriter, found: Found) -> float | None:
    return linear(b, found["U"]).ratio(linear(b, found["X"]))


def _over_own_argument(name: str, sign: int = 1) -> Callable[[Rewriter, Found], Handle | None]:
    """f(k x)/x = k (f(k x)/(k x)), the quotient in brackets being an op of its own."""

    def right(b: Rewriter, found: Found) -> Handle | None:
        k = _ratio(b, found)
        return None if k is None else _times(b, sign * k, b(name, found["U"]))

    return right


def _under_own_argument(b: Rewriter, found: Found) -> Handle | None:
    """x/(exp(k x) - 1) = 1/(k exprel(k x))."""
    k = _ratio(b, found)
    return None if k is None else b("div", b.constant(1 / k, found["X"].dtype), b("exprel", found["U"]))


def _one_and_exp(b: Rewriter, found: Found) -> Handle | None:
    """(exp(2x) - 1)/(exp(x) - 1) = exp(x) + 1."""
    if _ratio(b, found) != 2:
        return None
    return b("add", b("exp", found["X"]), b.constant(1.0, found["X"].dtype))


def _is_half(b: Rewriter, found: Found) -> bool:
    return _ratio(b, found) == 0.5


def _tan_of_half(b: Rewriter, found: Found) -> Handle | None:
    return b("tan", found["U"]) if _is_half(b, found) else None


def _half_square(b: Rewriter, found: Found) -> Handle | None:
    """2 sin(x/2)^2/x^2 = (sin(x/2)/(x/2))^2/2."""
    if not _is_half(b, found):
        return None
    return _times(b, 0.5, b("square", b("sinrel", found["U"])))


def _half_product(b: Rewriter, found: Found) -> Handle | None:
    """2 sin(x/2)^2/x = sin(x/2) (sin(x/2)/(x/2))."""
    return b("mul", b("sin", found["U"]), b("sinrel", found["U"])) if _is_half(b, found) else None


def _versine(b: Rewriter, found: Found) -> Handle:
    return _times(b, 2, b("square", b("sin", half(found["X"], b))))


def _negated_versine(b: Rewriter, found: Found) -> Handle:
    return _times(b, -2, b("square", b("sin", half(found["X"], b))))


def _sinh_square(b: Rewriter, found: Found, k: float) -> Handle:
    """cosh(x) - 1 = 2 sinh(x/2)^2."""
    return _times(b, k, b("square", b("sinh", half(found["X"], b))))


def _double(b: Rewriter, value: Handle) -> Handle:
    return b("mul", b.constant(2.0, value.dtype), value)


def _sigmoids(b: Rewriter, found: Found) -> Handle:
    twice = _double(b, found["X"])
    return _times(b, 4, b("mul", b("sigmoid", twice), b("sigmoid", negate(twice, b))))


_NEAR = {"x": (-1.0, 1.0)}
_ANGLE = {"x": (-3.0, 3.0)}

QUOTIENTS = (
    Rule(
        name="exprel", left=expm1(U) / X, right=_over_own_argument("exprel"),
        assumes="x real; the left side is 0/0 at 0, and its derivative cancels near 0", points=_NEAR,
        example=lambda g: (f("exp", x := real(g)) - 1) / x,
    ),
    Rule(
        name="exprel_negated", left=(-expm1(U)) / X, right=_over_own_argument("exprel", -1), assumes="as exprel",
        points=_NEAR, example=lambda g: (1 - f("exp", -2 * (x := real(g)))) / x,
    ),
    Rule(
        name="exprel_reciprocal", left=X / expm1(U), right=_under_own_argument, assumes="as exprel",
        points=_NEAR, example=lambda g: (x := real(g)) / (f("exp", x) - 1),
    ),
    Rule(
        name="exp_over_expm1", left=exp(X) / expm1(X), right=-1 / expm1(-X),
        assumes="x not 0; the left side is inf/inf once exp(x) overflows", points={"x": (-900.0, 900.0)},
        example=lambda g: f("exp", x := real(g)) / (f("exp", x) - 1),
    ),
    Rule(
        name="expm1_of_double", left=expm1(U) / expm1(X), right=_one_and_exp,
        assumes="x real; the left side is 0/0 at 0 and inf/inf once exp(2x) overflows", points={"x": (-700.0, 700.0)},
        example=lambda g: (f("exp", 2 * (x := real(g))) - 1) / (f("exp", x) - 1),
    ),
    Rule(
        name="logrel", left=log1p(U) / X, right=_over_own_argument("logrel"), assumes="as exprel, of x > -1",
        points={"x": (-0.9, 4.0)}, example=lambda g: f("log", 1 + (x := real(g))) / x,
    ),
    Rule(
        name="sinrel", left=sin(U) / X, right=_over_own_argument("sinrel"), assumes="as exprel",
        points=_ANGLE, example=lambda g: f("sin", x := real(g)) / x,
    ),
    Rule(
        name="tan_of_half", left=(2 * square(sin(U))) / sin(X), right=_tan_of_half,
        assumes="sin(x) not 0; reached from (1 - cos(x))/sin(x), which is 0/0 at 0", points=_ANGLE,
        example=lambda g: (1 - f("cos", x := real(g))) / f("sin", x),
    ),
    Rule(
        name="versine_over_square", left=(2 * square(sin(U))) / square(X), right=_half_square,
        assumes="x real; reached from (1 - cos(x))/x^2, which is 0/0 at 0", points=_ANGLE,
        example=lambda g: (1 - f("cos", x := real(g))) / x**2,
    ),
    Rule(
        name="versine_over_product", left=(2 * square(sin(U))) / (X * X), right=_half_square,
        assumes="as versine_over_square", points=_ANGLE, example=lambda g: (1 - f("cos", x := real(g))) / (x * x),
    ),
    Rule(
        name="versine_over_argument", left=(2 * square(sin(U))) / X, right=_half_product,
        assumes="as versine_over_square", points=_ANGLE, example=lambda g: (1 - f("cos", x := real(g))) / x,
    ),
)  # fmt: skip

COMPLEMENTS = (
    Rule(
        name="versine", left=1 - cos(X), right=_versine, assumes="x real; the left side cancels near 0",
        points=_ANGLE, example=lambda g: 1 - f("cos", real(g)),
    ),
    Rule(
        name="versine_negated", left=cos(X) - 1, right=_negated_versine, assumes="as versine", points=_ANGLE,
        example=lambda g: f("cos", real(g)) - 1,
    ),
    Rule(
        name="cosh_less_one", left=cosh(X) - 1, right=lambda b, found: _sinh_square(b, found, 2),
        assumes="x real; the left side cancels near 0", points=_ANGLE,
        example=lambda g: f("cosh", real(g)) - 1,
    ),
    Rule(
        name="double_cosh_less_two", left=(exp(X) + exp(-X)) - 2, right=lambda b, found: _sinh_square(b, found, 4),
        assumes="as cosh_less_one", points=_ANGLE,
        example=lambda g: f("exp", x := real(g)) + f("exp", -x) - 2,
    ),
    Rule(
        name="exp_less_two_and_exp", left=(exp(X) - 2) + exp(-X), right=lambda b, found: _sinh_square(b, found, 4),
        assumes="as cosh_less_one", points=_ANGLE,
        example=lambda g: f("exp", x := real(g)) - 2 + f("exp", -x),
    ),
    Rule(
        name="square_of_sine", left=1 - square(cos(X)), right=square(sin(X)), assumes="as versine",
        points=_ANGLE, example=lambda g: 1 - f("cos", real(g)) ** 2,
    ),
    Rule(
        name="square_of_cosine", left=1 - square(sin(X)), right=square(cos(X)),
        assumes="x real; the left side cancels where |sin(x)| is near 1", points=_ANGLE,
        example=lambda g: 1 - f("sin", real(g)) ** 2,
    ),
    Rule(
        name="one_less_tanh", left=1 - tanh(X), right=lambda b, found: _twice_sigmoid(b, found, -1),
        assumes="x real; the left side cancels to 0 for large x", points={"x": (-30.0, 300.0)},
        example=lambda g: 1 - f("tanh", real(g)),
    ),
    Rule(
        name="one_and_tanh", left=1 + tanh(X), right=lambda b, found: _twice_sigmoid(b, found, 1),
        assumes="x real; the left side cancels to 0 for small x", points={"x": (-300.0, 30.0)},
        example=lambda g: 1 + f("tanh", real(g)),
    ),
    Rule(
        name="slope_of_tanh", left=1 - square(tanh(X)), right=_sigmoids,
        assumes="x real; the left side cancels to 0 for large |x|", points={"x": (-300.0, 300.0)},
        example=lambda g: 1 - f("tanh", real(g)) ** 2,
    ),
)  # fmt: skip


def _twice_sigmoid(b: Rewriter, found: Found, sign: int) -> Handle:
    twice = _double(b, found["X"])
    return _double(b, b("sigmoid", twice if sign > 0 else negate(twice, b)))


LOGARITHMS = (
    Rule(
        name="log1mexp", left=log(-expm1(X)), right=log1mexp(X),
        assumes="x < 0; the left side loses exp(x) where it is small", points={"x": (-200.0, -1e-9)},
        example=lambda g: f("log", 1 - f("exp", real(g))),
    ),
    Rule(
        name="log1mexp_log1p", left=log1p(-exp(X)), right=log1mexp(X),
        assumes="x < 0; the left side cancels where exp(x) is near 1", points={"x": (-200.0, -1e-9)},
        example=lambda g: f("log1p", -f("exp", real(g))),
    ),
    Rule(
        name="log_expm1", left=log(expm1(X)), right=X + log1mexp(-X),
        assumes="x > 0; the left side overflows with exp(x)", points={"x": (1e-9, 1000.0)},
        example=lambda g: f("log", f("exp", real(g)) - 1),
    ),
    Rule(
        name="logcosh", left=log(cosh(X)), right=logcosh(X),
        assumes="x real; the left side overflows with cosh(x) and loses x^2 near 0", points={"x": (-900.0, 900.0)},
        example=lambda g: f("log", f("cosh", real(g))),
    ),
)  # fmt: skip


def _own_quotient(b: Rewriter, found: Found) -> Handle:
    return b("xlogy", found["X"], b("div", found["X"], found["Y"]))


def _own_log1p(b: Rewriter, found: Found) -> Handle | None:
    form, inner = linear(b, found["X"]), linear(b, found["U"])
    same = form.terms == inner.terms and form.number == inner.number + 1
    return b("xlogy", found["X"], found["X"]) if same else None


PRODUCTS = (
    Rule(
        name="x_log_x", left=X * log(X), right=xlogy(X, X), assumes="x >= 0; the left side is 0 * -inf at 0",
        points={"x": (0.0, 4.0)}, example=lambda g: (x := real(g)) * f("log", x),
    ),
    Rule(
        name="x_log1p", left=X * log1p(U), right=_own_log1p, assumes="as x_log_x, of x = 1 + u",
        points={"u": (0.0, 4.0)}, example=lambda g: (1 + (u := real(g, name="u"))) * f("log", 1 + u),
    ),
    Rule(
        name="x_log_x_over_y", left=X * log(X / Y), right=_own_quotient,
        assumes="x, y >= 0; the left side is 0 * -inf where x is 0", points={"x": (0.0, 4.0), "y": (1e-3, 4.0)},
        example=lambda g: (x := real(g)) * f("log", x / real(g, name="y")),
    ),
)  # fmt: skip

__all__ = ["COMPLEMENTS", "LOGARITHMS", "PRODUCTS", "QUOTIENTS"]
