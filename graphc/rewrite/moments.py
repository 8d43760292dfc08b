"""One-pass variances and covariances, and lengths: what cancels with a large mean, and slopes of 0/0 at 0."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.graph import Handle
from graphc.rewrite.engine import Rewriter
from graphc.rewrite.pattern import Found, Rule, Var
from graphc.rewrite.vocabulary import A, K, X, f, mean, real, sqrt, square
from graphc.types import Dim, product


@dataclass(frozen=True, slots=True)
class Fold:
    """``total/count`` of ``value`` over ``axes``: a mean where ``count`` is their size, a sum where it is 1."""

    value: Handle
    axes: tuple[int, ...]
    keepdims: bool
    is_mean: bool

    def over(self, b: Rewriter, value: Handle) -> Handle:
        return b("mean" if self.is_mean else "sum", value, axes=self.axes, keepdims=self.keepdims)

    def centred(self, b: Rewriter) -> Handle:
        return b("sub", self.value, b("mean", self.value, axes=self.axes, keepdims=True))

    def same(self, other: Fold) -> bool:
        return (self.axes, self.keepdims, self.value.shape) == (other.axes, other.keepdims, other.value.shape)


def _fold(b: Rewriter, value: Handle) -> Fold | None:
    """``value`` as a mean, written as such or as a sum over its count, or as a sum."""
    term = b.sees(value, "mean", "sum")
    if term is not None:
        return Fold(term.operands[0], term.params["axes"], term.params["keepdims"], term.op == "mean")
    summed = _over_count(b, value)
    return None if summed is None else Fold(summed.value, summed.axes, summed.keepdims, True)


def _over_count(b: Rewriter, value: Handle) -> Fold | None:
    """A sum that ``value`` divides by the number of its summands."""
    quotient = b.sees(value, "div")
    summed = _fold(b, quotient.operands[0]) if quotient and b.sees(quotient.operands[0], "sum") else None
    if quotient is None or summed is None:
        return None
    count = product(summed.value.shape[a] for a in summed.axes)
    return summed if _is_size(b, quotient.operands[1], count) else None


def _is_size(b: Rewriter, value: Handle, count: Dim) -> bool:
    term = b.sees(value, "extent")
    if term is not None:
        return bool(term.params["size"] == count)
    return isinstance(count, int) and b.number(value) == count


def _factors(b: Rewriter, value: Handle) -> tuple[Handle, Handle] | None:
    term = b.sees(value, "square", "mul")
    return None if term is None else (term.operands[0], term.operands[-1])


def _centred(b: Rewriter, found: Found) -> Handle | None:
    """mean(x y) - mean(x) mean(y) = mean((x - mean(x)) (y - mean(y))), and sums alike."""
    first, last = _fold(b, found["A"]), found["B"]
    if first is None:
        return None
    factors = _factors(b, first.value)
    means = _means(b, first, last)
    if factors is None or means is None:
        return None
    x, y = means
    if {x.value, y.value} != set(factors) or not (first.same(x) and first.same(y)):
        return None
    if x.value is y.value:
        return first.over(b, b("square", x.centred(b)))
    return first.over(b, b("mul", x.centred(b), y.centred(b)))


def _means(b: Rewriter, first: Fold, last: Handle) -> tuple[Fold, Fold] | None:
    """The two folds whose product ``last`` is: of means for a mean, of sums over their count for a sum."""
    quotient = None if first.is_mean else b.sees(last, "div")
    if quotient is not None:
        count = product(first.value.shape[a] for a in first.axes)
        last = quotient.operands[0] if _is_size(b, quotient.operands[1], count) else last
    if not first.is_mean and quotient is None:
        return None
    factors = _factors(b, last)
    x, y = (_fold(b, factor) for factor in factors) if factors else (None, None)
    if x is None or y is None or x.is_mean is not first.is_mean or y.is_mean is not first.is_mean:
        return None
    return x, y


def _root_mean_square(b: Rewriter, found: Found) -> Handle:
    """norm(x)/sqrt(n)."""
    x, axes = found["X"], found["axes"]
    length = b("norm", x, axes=axes, keepdims=found["keepdims"])
    return b("div", length, b("sqrt", _size(b, x, axes)))


def _size(b: Rewriter, x: Handle, axes: tuple[int, ...]) -> Handle:
    count = product(x.shape[a] for a in axes)
    if isinstance(count, int):
        return b.constant(float(count), x.dtype)
    return b("extent", size=count, dtype=x.dtype.long)


_SMALL = {"x": (1e3, 1.001e3), "y": (1e3, 1.001e3)}

MOMENTS = (
    Rule(
        name="covariance", left=Var("A") - Var("B"), right=_centred,
        assumes="x, y real; the left side cancels where the means are large beside the deviations", points=_SMALL,
        example=lambda g: f("mean", (x := real(g, 4)) * (y := real(g, 4, name="y"))) - f("mean", x) * f("mean", y),
    ),
    Rule(
        name="root_mean_square", left=sqrt(mean(square(X), axes=A, keepdims=K)), right=_root_mean_square,
        assumes="x real; equal everywhere, and the derivative at 0 is 0 instead of 0/0",
        example=lambda g: f("sqrt", f("mean", f("square", real(g, 4)))),
    ),
    Rule(
        name="root_mean_product", left=sqrt(mean(X * X, axes=A, keepdims=K)), right=_root_mean_square,
        assumes="as root_mean_square", example=lambda g: f("sqrt", f("mean", (x := real(g, 4)) * x)),
    ),
    Rule(
        name="root_of_square", left=sqrt(square(X)), right=lambda b, found: b("abs", found["X"]),
        assumes="x real, x^2 in the range of the type; the derivative at 0 is 0 instead of 0/0",
        example=lambda g: f("sqrt", f("square", real(g))),
    ),
    Rule(
        name="root_of_product", left=sqrt(X * X), right=lambda b, found: b("abs", found["X"]),
        assumes="as root_of_square", example=lambda g: f("sqrt", (x := real(g)) * x),
    ),
)  # fmt: skip

__all__ = ["MOMENTS"]
