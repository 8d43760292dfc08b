"""What losses share: shapes that must agree, weights of samples, the reduction to a scalar."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, ParamSpec

from graphc.errors import DTypeError, GraphcError, GraphError, ShapeError
from graphc.graph import Handle, call, cast_to, lift
from graphc.graph.node import user_line
from graphc.types import Dim, DType, Shape, definitely_equal, definitely_unequal, shape_text

Reduction = Literal["mean", "sum", "none"]
P = ParamSpec("P")


def loss(body: Callable[P, Handle]) -> Callable[P, Handle]:
    """``body``, whose errors name it and the user's line where nothing inside did."""

    @functools.wraps(body)
    def located(*args: P.args, **kwargs: P.kwargs) -> Handle:
        try:
            return body(*args, **kwargs)
        except GraphcError as error:
            file, line = user_line()
            raise error.located(body.__name__, f'File "{file}", line {line}') from None

    return located


def reduced(losses: Handle, reduction: str, weights: Any = None) -> Handle:
    """``losses`` as they are ("none"), their sum or mean, each times its weight.

    The weighted mean is ``sum(w * l) / sum(w)``, NaN where all weights are 0. ``weights`` has the shape of the losses
    or its leading axes; where boolean weights are false, nothing of a loss is left, whatever it is.
    """
    if reduction not in ("mean", "sum", "none"):
        raise located(losses, GraphError(f"reduction={reduction!r}; use 'mean', 'sum' or 'none'"))
    if weights is None:
        return losses if reduction == "none" or not losses.shape else call(reduction, losses)
    weights = _beside(losses, lift(losses.graph, weights, losses.dtype))
    mask = weights.dtype is DType.BOOL
    weighted = call("where", weights, losses, 0.0) if mask else losses * weights
    if reduction == "none":
        return weighted
    total = call("sum", weighted)
    shared = call("broadcast_to", cast_to(weights, losses.dtype), losses.shape)
    return total if reduction == "sum" else total / call("sum", shared)


def _beside(losses: Handle, weights: Handle) -> Handle:
    """``weights`` with unit axes for those of the losses that it lacks."""
    rank = weights.ndim
    if weights.dtype is not DType.BOOL:
        weights = cast_to(weights, losses.dtype)
    if rank > losses.ndim or not _may_fit(losses.shape[:rank], weights.shape):
        wanted = shape_text(losses.shape)
        problem = f"weights have shape {shape_text(weights.shape)} and the losses {wanted}"
        raise located(
            losses, ShapeError(f"{problem}; give one for each loss, or for each of the leading axes")
        )
    return call("expand_dims", weights, tuple(range(rank, losses.ndim))) if rank < losses.ndim else weights


def require_same(value: Handle, wanted: Shape, given: Shape, what: str, instead: str = "") -> None:
    """Raise unless ``given`` can be ``wanted``; two different symbols are left to the call to compare."""
    if not _may_fit(wanted, given):
        beside = f"{what} of shape {shape_text(given)} beside a value of shape {shape_text(value.shape)}"
        raise located(value, ShapeError(f"{beside}; give shape {shape_text(wanted)}{instead}"))


def _may_fit(wanted: Shape, given: Shape) -> bool:
    return len(wanted) == len(given) and all(_may_be_equal(a, b) for a, b in zip(wanted, given, strict=True))


def _may_be_equal(left: Dim, right: Dim) -> bool:
    """A literal 1 would be broadcast instead of compared, so it has to meet a 1."""
    if definitely_equal(left, right):
        return True
    return 1 not in (left, right) and not definitely_unequal(left, right)


def require_float(value: Handle, what: str) -> None:
    """Raise ``DTypeError`` unless ``value`` is floating."""
    if not value.dtype.is_float:
        raise located(value, DTypeError(f"{what} are {value.dtype}; give float32 or float64"))


def fraction(value: Any, name: str, at: Handle) -> float:
    """``value``, which has to be a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise located(at, GraphError(f"{name}={value!r}; give a number from 0 to 1"))
    return float(value)


def positive(value: Any, name: str, at: Handle) -> float:
    """``value``, which has to be a positive finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise located(at, GraphError(f"{name}={value!r}; give a positive number"))
    return float(value)


def located(value: Handle, error: GraphcError) -> GraphcError:
    here = value.graph.here()
    return error.located(here.layer, here.place)


__all__ = ["Reduction", "fraction", "located", "loss", "positive", "reduced", "require_float", "require_same"]
