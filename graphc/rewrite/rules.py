"""The stabilising rules: formulas that overflow, cancel or meet 0/0, and the forms that do not.

Both sides of a rule are equal in real arithmetic wherever the left side is defined; where the left side
overflows or cancels, the right side has the value that exact arithmetic would give. ``proof.prove`` proves
each rule.
"""

from __future__ import annotations

from graphc.graph import Graph, Handle
from graphc.rewrite.differences import DIFFERENCES
from graphc.rewrite.engine import MOVES, Rewriter, Term, reaches
from graphc.rewrite.exponentials import GENERAL, SPECIAL
from graphc.rewrite.moments import MOMENTS
from graphc.rewrite.pattern import Found, Rule, Var, negate, unit_chain
from graphc.rewrite.quotients import COMPLEMENTS, LOGARITHMS, PRODUCTS, QUOTIENTS
from graphc.rewrite.vocabulary import (
    A,
    K,
    U,
    X,
    Y,
    erf,
    erfc,
    exp,
    expm1,
    f,
    half,
    log,
    log1p,
    log_softmax,
    logsumexp,
    norm,
    real,
    reciprocal,
    sigmoid,
    softmax,
    softplus,
    spread,
    sqrt,
    square,
    sum_,
)  # fmt: skip
from graphc.types import Shape

# ------------------------------------------------------------------------------- softmax, logsumexp, norm


def _softmax(b: Rewriter, found: Found) -> Handle | None:
    """exp(x)/sum(exp(x)) along one axis."""
    if len(found["axes"]) != 1 or not _along(found, b):
        return None
    return b("softmax", found["X"], axis=found["axes"][0])


def _along(found: Found, b: Rewriter) -> bool:
    """Whether the sum, as it is spread over x, stands at each place for the sum through that place.

    The order of the axes that are not of size 1 never changes below ``spread``, so it is enough that each
    kept axis has its own size at its own place and each summed axis has size 1.
    """
    shape: Shape = found["X"].shape
    given = found["spread"].shape
    for term in unit_chain(found["spread"], b):
        if term.op == "broadcast_to":
            given = term.operands[0].shape
    padded = (1,) * (len(shape) - len(given)) + tuple(given)
    expected = tuple(1 if k in found["axes"] else d for k, d in enumerate(shape))
    return padded == expected and len(found["spread"].shape) <= len(shape)


def _difference(b: Rewriter, found: Found) -> Handle | None:
    """x - logsumexp(x) along one axis."""
    if len(found["axes"]) != 1 or not _along(found, b):
        return None
    return b("log_softmax", found["X"], axis=found["axes"][0])


def _log_of_moved(b: Rewriter, found: Found) -> Handle | None:
    """log(move(y)) as move(log(y)) where log(y) has a stable form: log commutes with moving values about."""
    inside, chain = b.moved(found["Y"])
    stable = b.rewrite(Term("log", (inside,), {})) if chain else None
    return None if stable is None else b.move(stable, chain)


def _unshifted(b: Rewriter, found: Found) -> Handle | None:
    """softmax(x - m) = softmax(x) for any m that is constant along the axis."""
    x, m, axis = found["X"], found["Y"], found["axis"]
    behind = x.ndim - axis
    constant_along = m.ndim < behind or m.shape[-behind] == 1
    return b("softmax", x, axis=axis) if constant_along and reaches(m.shape, x.shape) else None


def _softmax_example(g: Graph) -> Handle:
    e = f("exp", real(g, 2, 3))
    return e / f("sum", e, axis=1, keepdims=True)


_WIDE = {"x": (-900.0, 900.0), "y": (1e-3, 1e3), "m": (-900.0, 900.0)}

_SOFTMAX = (
    Rule(
        name="softmax", left=exp(X) / spread(sum_(exp(X), axes=A)), right=_softmax,
        assumes="x real; the left side is inf/inf once exp(x) overflows", points=_WIDE, example=_softmax_example,
    ),
    Rule(
        name="softmax_shift", left=softmax(X - Y, axis=Var("axis")), right=_unshifted,
        assumes="y finite and constant along the axis",
        points=_WIDE, example=lambda g: f("softmax", real(g, 2, 2) - real(g, 2, 1, name="m"), axis=1),
    ),
    Rule(
        name="log_softmax", left=log(softmax(X, axis=Var("axis"))), right=log_softmax(X, axis=Var("axis")),
        assumes="x real; the left side is -inf once the softmax underflows",
        scale=1.0, points=_WIDE, example=lambda g: f("log", f("softmax", real(g, 3), axis=0)),
    ),
    Rule(
        name="log_softmax_of_difference", left=X - spread(logsumexp(X, axes=A)), right=_difference,
        assumes="x real; the left side loses the digits of x - max(x) where x is large",
        scale=1.0, points=_WIDE, example=lambda g: (x := real(g, 3)) - f("log", f("sum", f("exp", x))),
    ),
    Rule(
        name="logsumexp", left=log(sum_(exp(X), axes=A, keepdims=K)), right=logsumexp(X, axes=A, keepdims=K),
        assumes="x real; the left side overflows with exp(x)",
        scale=1.0, points=_WIDE, example=lambda g: f("log", f("sum", f("exp", real(g, 2, 2)), axis=1)),
    ),
    Rule(
        name="norm", left=sqrt(sum_(square(X), axes=A, keepdims=K)), right=norm(X, axes=A, keepdims=K),
        assumes="x real; equal everywhere, and the derivative at 0 is 0 instead of 0/0",
        example=lambda g: f("sqrt", f("sum", f("square", real(g, 3)))),
    ),
    Rule(
        name="norm_of_products", left=sqrt(sum_(X * X, axes=A, keepdims=K)),
        right=norm(X, axes=A, keepdims=K), assumes="as norm",
        example=lambda g: f("sqrt", f("sum", real(g, 3) * g["x"])),
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------ sigmoid, softplus, tanh


def _tanh_of_half(b: Rewriter, found: Found) -> Handle:
    return b("tanh", half(found["U"], b))


def _tanh_of_negated_half(b: Rewriter, found: Found) -> Handle:
    """-tanh(u/2) = tanh(-u/2)."""
    return b("tanh", negate(half(found["U"], b), b))


_SIGMOID = (
    Rule(
        name="tanh_of_double", left=expm1(U) / (exp(U) + 1), right=_tanh_of_half,
        assumes="u real; reached from (exp(2x) - 1)/(exp(2x) + 1), which is inf/inf for large x",
        points=_WIDE, example=lambda g: (f("exp", x := 2 * real(g)) - 1) / (f("exp", x) + 1),
    ),
    Rule(
        name="tanh_of_negated_double", left=(-expm1(U)) / (exp(U) + 1), right=_tanh_of_negated_half,
        assumes="u real; reached from (1 - exp(-2x))/(1 + exp(-2x))",
        points=_WIDE, example=lambda g: (1 - f("exp", x := -2 * real(g))) / (1 + f("exp", x)),
    ),
    Rule(
        name="tanh_of_sigmoid", left=2 * sigmoid(U) - 1, right=_tanh_of_half,
        assumes="u real; the left side cancels near 0",
        points=_WIDE, example=lambda g: 2 * f("sigmoid", 2 * real(g)) - 1,
    ),
    Rule(
        name="sigmoid", left=1 / (1 + exp(U)), right=sigmoid(-U),
        assumes="u real; equal everywhere, and the derivative is finite where exp(u) overflows",
        points=_WIDE, example=lambda g: 1 / (1 + f("exp", -real(g))),
    ),
    Rule(
        name="sigmoid_reciprocal", left=reciprocal(1 + exp(U)), right=sigmoid(-U), assumes="as sigmoid",
        points=_WIDE, example=lambda g: f("reciprocal", 1 + f("exp", -real(g))),
    ),
    Rule(
        name="sigmoid_of_positive", left=exp(X) / (1 + exp(X)), right=sigmoid(X),
        assumes="x real; the left side is inf/inf once exp(x) overflows",
        points=_WIDE, example=lambda g: f("exp", x := real(g)) / (1 + f("exp", x)),
    ),
    Rule(
        name="gated", left=Y / (1 + exp(U)), right=Y * sigmoid(-U),
        assumes="u real, y finite; the derivative is finite where exp(u) overflows",
        points=_WIDE, example=lambda g: real(g, name="y") / (1 + f("exp", -real(g))),
    ),
    Rule(
        name="sigmoid_complement", left=1 - sigmoid(X), right=sigmoid(-X),
        assumes="x real; the left side cancels to 0 for large x",
        points=_WIDE, example=lambda g: 1 - f("sigmoid", real(g)),
    ),
    Rule(
        name="log_sigmoid", left=log(sigmoid(X)), right=-softplus(-X),
        assumes="x real; the left side is -inf once the sigmoid underflows",
        points=_WIDE, example=lambda g: f("log", f("sigmoid", real(g))),
    ),
    Rule(
        name="log1p_sigmoid", left=log1p(-sigmoid(X)), right=-softplus(X), assumes="as log_sigmoid, of -x",
        points=_WIDE, example=lambda g: f("log1p", -f("sigmoid", real(g))),
    ),
    Rule(
        name="softplus", left=log(1 + exp(X)), right=softplus(X),
        assumes="x real; the left side overflows for large x and loses x for small",
        points=_WIDE, example=lambda g: f("log", 1 + f("exp", real(g))),
    ),
    Rule(
        name="softplus_log1p", left=log1p(exp(X)), right=softplus(X), assumes="as softplus",
        points=_WIDE, example=lambda g: f("log1p", f("exp", real(g))),
    ),
    Rule(
        name="softplus_reflected", left=softplus(X) - X, right=softplus(-X),
        assumes="x real; the left side cancels for large x",
        points=_WIDE, example=lambda g: f("softplus", x := real(g)) - x,
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------- log, exp, erf

_EXACT = (
    Rule(
        name="log_exp", left=log(exp(X)), right=X, assumes="x real; the left side overflows with exp(x)",
        points=_WIDE, example=lambda g: f("log", f("exp", real(g))),
    ),
    Rule(
        name="log_of_quotient", left=log(exp(X) / Y), right=X - log(Y),
        assumes="x real, y >= 0 (for y < 0 both are NaN); the left side overflows with exp(x)",
        scale=1.0, points=_WIDE, example=lambda g: f("log", f("exp", real(g)) / (2 + f("sin", real(g, name="y")))),
    ),
    Rule(
        name="log_of_product", left=log(exp(X) * Y), right=X + log(Y), assumes="as log_of_quotient",
        scale=1.0, points=_WIDE, example=lambda g: f("log", f("exp", real(g)) * (2 + f("sin", real(g, name="y")))),
    ),
    Rule(
        name="log_of_moved", left=log(Y), right=_log_of_moved,
        assumes=f"any y; log commutes with {', '.join(sorted(MOVES))}; only where log then becomes stable",
        scale=1.0, points=_WIDE,
        example=lambda g: f("log", f("take", f("softmax", real(g, 3), axis=0), g.const([1]), axis=0)),
    ),
)  # fmt: skip

_LOGARITHM = (
    Rule(
        name="log1p", left=log(1 + X), right=log1p(X), assumes="x > -1; the left side loses x near 0",
        example=lambda g: f("log", 1 + f("square", real(g))),
    ),
    Rule(
        name="log1p_of_negated", left=log(1 - X), right=log1p(-X),
        assumes="x < 1; the left side loses x near 0",
        example=lambda g: f("log", 1 - f("sin", real(g)) / 2),
    ),
    Rule(
        name="expm1", left=exp(X) - 1, right=expm1(X), assumes="x real; the left side cancels near 0",
        example=lambda g: f("exp", real(g)) - 1,
    ),
    Rule(
        name="expm1_negated", left=1 - exp(X), right=-expm1(X), assumes="as expm1",
        example=lambda g: 1 - f("exp", real(g)),
    ),
    Rule(
        name="erfc", left=1 - erf(X), right=erfc(X), assumes="x real; the left side cancels to 0 for large x",
        example=lambda g: 1 - f("erf", real(g)),
    ),
)  # fmt: skip

# In each application's order: the first that fits wins, so the special stands before the general.
RULES: tuple[Rule, ...] = (
    *_SOFTMAX, *MOMENTS, *SPECIAL, *_SIGMOID, *QUOTIENTS, *COMPLEMENTS, *LOGARITHMS, *PRODUCTS, *_EXACT, *GENERAL,
    *DIFFERENCES, *_LOGARITHM,
)  # fmt: skip

__all__ = ["RULES"]
