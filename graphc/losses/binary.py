"""Losses of two classes: one loss an element."""

from __future__ import annotations

from typing import Any

from graphc.graph import Handle, call, cast_to, graph_of, lift
from graphc.losses.common import Reduction, loss, positive, reduced, require_float, require_same


@loss
def binary_cross_entropy(
    probabilities: Handle, targets: Any, *, reduction: Reduction = "mean", weights: Any = None
) -> Handle:
    """``-(t log(p) + (1 - t) log(1 - p))`` of ``probabilities`` p and ``targets`` t, where 0 log(0) is 0.

    Both of one shape; p floating, t bools, integers 0 and 1, or numbers between. Of ``sigmoid(x)`` it is computed
    from x, so that it is finite; a probability of 0 for what happened costs infinity. ``reduction`` and ``weights``
    as of ``softmax_cross_entropy``. Raises ``ShapeError`` and ``DTypeError`` where they do not fit.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> loss = binary_cross_entropy(g.input("p", ("N",)), g.input("t", ("N",)))
    >>> float(gc.interpret(loss, p=[0.5, 0.0], t=[1.0, 0.0]))
    0.34657...
    """
    with graph_of((probabilities, targets), "binary_cross_entropy").scope("binary_cross_entropy"):
        p, t = _pair(probabilities, targets, "probabilities")
        happened = call("where", t > 0, t * call("log", p), 0.0)
        missed = call("where", t < 1, (1 - t) * call("log1p", -p), 0.0)
        return reduced(-(happened + missed), reduction, weights)


@loss
def binary_cross_entropy_with_logits(
    logits: Handle, targets: Any, *, reduction: Reduction = "mean", weights: Any = None
) -> Handle:
    """``binary_cross_entropy`` of ``sigmoid(logits)``, as ``t softplus(-x) + (1 - t) softplus(x)``.

    Finite, with full digits of the loss and of its slope, for every finite logit. Shapes, dtypes, ``reduction``,
    ``weights`` and errors as there.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> loss = binary_cross_entropy_with_logits(g.input("x", ("N",)), g.input("t", ("N",)))
    >>> float(gc.interpret(loss, x=[-1000.0, 1000.0], t=[1.0, 1.0]))
    500.0
    """
    name = "binary_cross_entropy_with_logits"
    with graph_of((logits, targets), name).scope(name):
        x, t = _pair(logits, targets, "logits")
        losses = t * call("softplus", -x) + (1 - t) * call("softplus", x)
        return reduced(losses, reduction, weights)


@loss
def hinge(
    scores: Handle,
    targets: Any,
    *,
    margin: float = 1.0,
    squared: bool = False,
    reduction: Reduction = "mean",
    weights: Any = None,
) -> Handle:
    """``max(0, margin - t y)`` of ``scores`` y and ``targets`` t, -1 or +1; its square with ``squared``.

    The slope at the kink is 0. Both of one shape, y floating; a positive ``margin``; ``reduction`` and ``weights`` as
    of ``softmax_cross_entropy``. Raises ``ShapeError``, ``DTypeError`` and ``GraphError`` where they do not fit.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> loss = hinge(g.input("y", ("N",)), g.input("t", ("N",), "int32"), reduction="none")
    >>> gc.interpret(loss, y=[0.5, 0.5, 3.0], t=[1, -1, 1]).tolist()
    [0.5, 1.5, 0.0]
    """
    with graph_of((scores, targets), "hinge").scope("hinge"):
        y, t = _pair(scores, targets, "scores")
        losses = call("relu", positive(margin, "margin", y) - t * y)
        return reduced(call("square", losses) if squared else losses, reduction, weights)


def _pair(value: Any, targets: Any, what: str) -> tuple[Handle, Handle]:
    """Value and targets as nodes of one shape and dtype."""
    graph = graph_of((value, targets))
    value = lift(graph, value)
    targets = lift(graph, targets, value.dtype)
    require_float(value, what)
    require_same(value, value.shape, targets.shape, "targets")
    return value, cast_to(targets, value.dtype)


__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "hinge"]
