"""Losses: scalars to minimise, means over the batch (softmax cross-entropy) or over all elements (mse)."""

from __future__ import annotations

from typing import Any, Literal

from graphc.errors import DTypeError, GraphcError, GraphError, ShapeError
from graphc.graph import Handle, call, graph_of, lift
from graphc.types import Dim, Shape, definitely_equal, definitely_unequal, shape_text

Reduction = Literal["mean", "sum", "none"]


def softmax_cross_entropy(logits: Handle, targets: Any, *, reduction: Reduction = "mean") -> Handle:
    """The cross-entropy between softmax of ``logits`` and ``targets``, finite for every finite logit.

    ``logits`` ``(..., classes)``, floating; ``targets`` either class indices, an integer dtype of shape
    ``(...)``, or probabilities (one-hot among them), a floating dtype of the shape of ``logits``.
    With indices each loss is ``logsumexp(x) - x[t]``, else ``-sum(t * log_softmax(x))``. ``reduction`` is
    "mean" or "sum" over all but the classes, or "none".

    Raises ``ShapeError`` with both shapes and ``DTypeError`` where they do not fit.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> loss = softmax_cross_entropy(g.input("x", ("N", 2)), g.input("t", ("N",), "int32"))
    >>> float(gc.interpret(loss, x=[[1000.0, 0.0]], t=[1]))
    1000.0
    """
    graph = graph_of((logits, targets), "softmax_cross_entropy")
    with graph.scope("softmax_cross_entropy"):
        targets = lift(graph, targets)
        _check_logits(logits, targets)
        losses = _by_index(logits, targets) if targets.dtype.is_int else _by_probability(logits, targets)
        return _reduced(losses, reduction)


def mse(prediction: Handle, target: Any, *, reduction: Reduction = "mean", half: bool = False) -> Handle:
    """The squared error of ``prediction``, floating, and ``target``, of one shape; ``half`` halves it.

    ``reduction`` is "mean" or "sum" over all elements, or "none". Nothing is broadcast: a target ``(N,)``
    beside a prediction ``(N, 1)`` is a mistake, not an ``(N, N)`` error. Raises ``ShapeError`` with both
    shapes.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> loss = mse(g.input("p", ("N",)), g.input("t", ("N",)), half=True)
    >>> float(gc.interpret(loss, p=[1.0, 2.0], t=[1.0, 4.0]))
    1.0
    """
    graph = graph_of((prediction, target), "mse")
    with graph.scope("mse"):
        prediction, target = lift(graph, prediction), lift(graph, target)
        _require_same(prediction, prediction.shape, target.shape, "target")
        errors = call("square", prediction - target)
        total = _reduced(errors, reduction)
        return total / 2 if half else total


def _by_index(logits: Handle, targets: Handle) -> Handle:
    column = call("expand_dims", targets, -1)
    chosen = call("take_along_axis", logits, column, -1)
    return call("logsumexp", logits, axis=-1) - call("squeeze", chosen, -1)


def _by_probability(logits: Handle, targets: Handle) -> Handle:
    return -call("sum", targets * call("log_softmax", logits, axis=-1), axis=-1)


def _check_logits(logits: Handle, targets: Handle) -> None:
    if not logits.shape:
        raise _located(logits, ShapeError("logits have shape (); their last axis must be the classes"))
    if targets.dtype.is_int:
        _require_same(logits, logits.shape[:-1], targets.shape, "class indices")
    elif targets.dtype.is_float:
        _require_same(logits, logits.shape, targets.shape, "probabilities", _CLASSES)
    else:
        todo = "give class indices (int) or probabilities (float)"
        raise _located(logits, DTypeError(f"targets are {targets.dtype}; {todo}"))


_CLASSES = ", or class indices of an integer dtype"


def _require_same(value: Handle, wanted: Shape, given: Shape, what: str, instead: str = "") -> None:
    """Raise unless ``given`` can be ``wanted``; two different symbols are left to the call to compare."""
    if len(wanted) == len(given) and all(_may_be_equal(a, b) for a, b in zip(wanted, given, strict=True)):
        return
    beside = f"{what} of shape {shape_text(given)} beside a value of shape {shape_text(value.shape)}"
    raise _located(value, ShapeError(f"{beside}; give shape {shape_text(wanted)}{instead}"))


def _may_be_equal(left: Dim, right: Dim) -> bool:
    """A literal 1 would be broadcast instead of compared, so it has to meet a 1."""
    if definitely_equal(left, right):
        return True
    return 1 not in (left, right) and not definitely_unequal(left, right)


def _reduced(losses: Handle, reduction: str) -> Handle:
    if reduction not in ("mean", "sum", "none"):
        raise _located(losses, GraphError(f"reduction={reduction!r}; use 'mean', 'sum' or 'none'"))
    return losses if reduction == "none" or not losses.shape else call(reduction, losses)


def _located(value: Handle, error: GraphcError) -> GraphcError:
    here = value.graph.here()
    return error.located(here.layer, here.place)


__all__ = ["Reduction", "mse", "softmax_cross_entropy"]
