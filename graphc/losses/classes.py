"""Losses of several classes, which lie along the last axis: one loss a sample."""

from __future__ import annotations

from typing import Any, Literal

from graphc.errors import DTypeError, GraphError, ShapeError
from graphc.graph import Handle, call, cast_to, graph_of, lift
from graphc.losses.common import (
    Reduction,
    fraction,
    located,
    loss,
    positive,
    reduced,
    require_float,
    require_same,
)

Form = Literal["weston_watkins", "crammer_singer"]


@loss
def softmax_cross_entropy(
    logits: Handle,
    targets: Any,
    *,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
    weights: Any = None,
) -> Handle:
    """The cross-entropy between softmax of ``logits`` and ``targets``, finite for every finite logit.

    ``logits`` ``(..., classes)``, floating; ``targets`` either class indices, an integer dtype of shape
    ``(...)``, or probabilities (one-hot among them), a floating dtype of the shape of ``logits``.
    With indices each loss is ``logsumexp(x) - x[t]``, else ``-sum(t * log_softmax(x))``. ``label_smoothing`` e mixes
    the targets with all classes alike, (1 - e) t + e / classes (Szegedy et al. 2016). ``reduction`` is "mean" or "sum"
    over all but the classes, or "none". ``weights`` are one number for each loss, or for each of its leading axes, and
    the mean is then ``sum(w * l) / sum(w)``; bools are a mask. One weight for each class is ``gc.take(w, targets)``.

    Raises ``ShapeError`` with both shapes, ``DTypeError`` and ``GraphError`` where they do not fit; a class index out
    of range, negative ones among them, is an ``InputError`` before anything runs. Labels that are missing, as -1, are
    masked with ``targets=gc.maximum(t, 0), weights=t >= 0``; indices that are computed, as here, are not checked.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> loss = softmax_cross_entropy(g.input("x", ("N", 2)), g.input("t", ("N",), "int32"))
    >>> float(gc.interpret(loss, x=[[1000.0, 0.0]], t=[1]))
    1000.0
    """
    graph = graph_of((logits, targets), "softmax_cross_entropy")
    with graph.scope("softmax_cross_entropy"):
        logits, targets = lift(graph, logits), lift(graph, targets)
        _check_targets(logits, targets, "logits")
        mixed = fraction(label_smoothing, "label_smoothing", logits)
        losses = _by_index(logits, targets) if targets.dtype.is_int else _by_probability(logits, targets)
        if mixed:
            evenly = -call("mean", call("log_softmax", logits, axis=-1), axis=-1)
            losses = (1 - mixed) * losses + mixed * evenly
        return reduced(losses, reduction, weights)


def _by_index(logits: Handle, targets: Handle) -> Handle:
    chosen = _of_class(logits, targets)
    return call("logsumexp", logits, axis=-1) - chosen


def _by_probability(logits: Handle, targets: Handle) -> Handle:
    return -call("sum", targets * call("log_softmax", logits, axis=-1), axis=-1)


@loss
def nll(
    log_probabilities: Handle, targets: Any, *, reduction: Reduction = "mean", weights: Any = None
) -> Handle:
    """The negative log likelihood ``-x[t]`` of class indices under ``log_probabilities`` x, as of ``gc.log_softmax``.

    With a floating ``targets`` of the shape of x: ``-sum(t * x)``. All else as of ``softmax_cross_entropy``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> loss = nll(g.input("x", ("N", 2)), g.input("t", ("N",), "int32"))
    >>> float(gc.interpret(loss, x=[[-2.0, -0.5], [-1.0, -3.0]], t=[1, 0]))
    0.75
    """
    graph = graph_of((log_probabilities, targets), "nll")
    with graph.scope("nll"):
        log_probabilities, targets = lift(graph, log_probabilities), lift(graph, targets)
        _check_targets(log_probabilities, targets, "log-probabilities")
        return reduced(-_of_class(log_probabilities, targets), reduction, weights)


@loss
def kl_divergence(
    log_probabilities: Handle, targets: Any, *, reduction: Reduction = "mean", weights: Any = None
) -> Handle:
    """The Kullback-Leibler divergence ``sum(t (log(t) - x))`` of ``targets`` t from ``log_probabilities`` x.

    Both ``(..., classes)``, floating; 0 log(0) is 0. "mean" is over the samples, as all else in
    ``softmax_cross_entropy``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> loss = kl_divergence(gc.log(g.input("q", ("N", 2))), g.input("t", ("N", 2)))
    >>> float(gc.interpret(loss, q=[[0.25, 0.75]], t=[[0.5, 0.5]]))
    0.1438...
    """
    graph = graph_of((log_probabilities, targets), "kl_divergence")
    with graph.scope("kl_divergence"):
        log_probabilities = lift(graph, log_probabilities)
        targets = lift(graph, targets, log_probabilities.dtype)
        _check_classes(log_probabilities, "log-probabilities")
        require_same(log_probabilities, log_probabilities.shape, targets.shape, "targets")
        t = cast_to(targets, log_probabilities.dtype)
        each = call("where", t > 0, t * (call("log", t) - log_probabilities), 0.0)
        return reduced(call("sum", each, axis=-1), reduction, weights)


@loss
def multi_class_hinge(
    scores: Handle,
    targets: Any,
    *,
    form: Form = "weston_watkins",
    margin: float = 1.0,
    squared: bool = False,
    reduction: Reduction = "mean",
    weights: Any = None,
) -> Handle:
    """How far the ``scores`` of other classes come within ``margin`` of that of the right class, or pass it.

    With d_j = ``max(0, margin - y[t] + y[j])`` for the other classes j (its square with ``squared``), a loss is the
    sum of d_j over the number of classes, as PyTorch's ``MultiMarginLoss`` (Weston and Watkins 1999), or with
    ``form="crammer_singer"`` the largest d_j (Crammer and Singer 2001). Targets, ``reduction``, ``weights`` and errors
    as of ``softmax_cross_entropy``; floating targets are one-hot.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y, t = g.input("y", ("N", 3)), g.input("t", ("N",), "int32")
    >>> losses = [multi_class_hinge(y, t, form=form) for form in ("weston_watkins", "crammer_singer")]
    >>> [float(each) for each in gc.interpret(losses, y=[[1.0, 1.5, 0.5]], t=[0])]
    [0.666..., 1.5]
    """
    graph = graph_of((scores, targets), "multi_class_hinge")
    with graph.scope("multi_class_hinge"):
        scores, targets = lift(graph, scores), lift(graph, targets)
        _check_targets(scores, targets, "scores")
        if form not in ("weston_watkins", "crammer_singer"):
            raise located(scores, GraphError(f"form={form!r}; use 'weston_watkins' or 'crammer_singer'"))
        others = 1 - _one_hot(targets, scores)
        right = call("expand_dims", _of_class(scores, targets), -1)
        # The right class itself is at 0: no margin, no distance.
        near = call("relu", scores - right + positive(margin, "margin", scores) * others)
        near = call("square", near) if squared else near
        losses = call("mean" if form == "weston_watkins" else "max", near, axis=-1)
        return reduced(losses, reduction, weights)


def _of_class(values: Handle, targets: Handle) -> Handle:
    """``values`` at the class of each sample."""
    if not targets.dtype.is_int:
        return call("sum", targets * values, axis=-1)
    column = call("expand_dims", targets, -1)
    # Here -1 is no class: to count it from the end would train on the last one where labels are missing.
    return call("squeeze", call("take_along_axis", values, column, -1, wrap=False), -1)


def _one_hot(targets: Handle, scores: Handle) -> Handle:
    """Targets as 1 at the class."""
    if targets.dtype.is_float:
        return cast_to(targets, scores.dtype)
    return call("one_hot", targets, scores.shape[-1], scores.dtype.long)


def _check_classes(values: Handle, what: str) -> None:
    require_float(values, what)
    if not values.shape:
        raise located(values, ShapeError(f"{what} have shape (); their last axis must be the classes"))


def _check_targets(values: Handle, targets: Handle, what: str) -> None:
    _check_classes(values, what)
    if targets.dtype.is_int:
        require_same(values, values.shape[:-1], targets.shape, "class indices")
    elif targets.dtype.is_float:
        require_same(values, values.shape, targets.shape, "probabilities", _CLASSES)
    else:
        todo = "give class indices (int) or probabilities (float)"
        raise located(values, DTypeError(f"targets are {targets.dtype}; {todo}"))


_CLASSES = ", or class indices of an integer dtype"

__all__ = ["Form", "kl_divergence", "multi_class_hinge", "nll", "softmax_cross_entropy"]
