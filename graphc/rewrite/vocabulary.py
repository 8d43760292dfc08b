"""What rules are written in: variables, ops on patterns, and what their examples are made of."""

from __future__ import annotations

from typing import Any

from graphc.graph import Graph, Handle, call
from graphc.rewrite.engine import Rewriter
from graphc.rewrite.pattern import Pattern, Spread, Var, negate, op

P, U, X, Y = Var("P"), Var("U"), Var("X"), Var("Y")
A, K = Var("axes"), Var("keepdims")

exp, expm1, log, log1p, pow_ = op("exp"), op("expm1"), op("log"), op("log1p"), op("pow")
sigmoid, softplus, reciprocal = op("sigmoid"), op("softplus"), op("reciprocal")
sin, cos, tan, atan = op("sin"), op("cos"), op("tan"), op("atan")
sinh, cosh, tanh = op("sinh"), op("cosh"), op("tanh")
sum_, mean, logsumexp, norm, sqrt, square = (
    op(name) for name in ("sum", "mean", "logsumexp", "norm", "sqrt", "square")
)
erf, erfc = op("erf"), op("erfc")
exprel, logrel, sinrel = op("exprel"), op("logrel"), op("sinrel")
log1mexp, logcosh, xlogy = op("log1mexp"), op("logcosh"), op("xlogy")
softmax, log_softmax = op("softmax"), op("log_softmax")


def spread(inner: Pattern, name: str = "spread") -> Spread:
    return Spread(inner, name)


def real(g: Graph, *shape: int, name: str = "x") -> Handle:
    """An input of an example."""
    return g.input(name, shape, "float64")


def f(name: str, *args: Any, **options: Any) -> Handle:
    """The user function ``name``."""
    return call(name, *args, **options)


def half(value: Handle, b: Rewriter) -> Handle:
    """``value / 2``, taken into a constant factor where there is one; halving is exact."""
    number = b.number(value)
    if number is not None:
        return b.constant(number / 2, value.dtype)
    product = b.sees(value, "mul")
    for position, factor in enumerate(product.operands if product else ()):
        number = b.number(factor)
        if product is not None and number is not None:
            other = product.operands[1 - position]
            exact = {2.0: other, -2.0: negate(other, b)}.get(number)
            return b("mul", other, b.constant(number / 2, value.dtype)) if exact is None else exact
    inner = b.sees(value, "neg")
    if inner is not None:
        return negate(half(inner.operands[0], b), b)
    return b("mul", value, b.constant(0.5, value.dtype))
