"""Errors of numbers: one loss an element."""

from __future__ import annotations

from typing import Any

from graphc.graph import Handle, call, graph_of, lift
from graphc.losses.common import Reduction, loss, positive, reduced, require_same


@loss
def mse(
    prediction: Handle, target: Any, *, reduction: Reduction = "mean", half: bool = False, weights: Any = None
) -> Handle:
    """The squared error of ``prediction``, floating, and ``target``, of one shape; ``half`` halves it.

    ``reduction`` is "mean" or "sum" over all elements, or "none"; ``weights`` as of ``softmax_cross_entropy``.
    Nothing is broadcast: a target ``(N,)`` beside a prediction ``(N, 1)`` is a mistake, not an ``(N, N)`` error.
    Raises ``ShapeError`` with both shapes.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> loss = mse(g.input("p", ("N",)), g.input("t", ("N",)), half=True)
    >>> float(gc.interpret(loss, p=[1.0, 2.0], t=[1.0, 4.0]))
    1.0
    """
    with graph_of((prediction, target), "mse").scope("mse"):
        total = reduced(call("square", _errors(prediction, target)), reduction, weights)
        return total / 2 if half else total


@loss
def mae(prediction: Handle, target: Any, *, reduction: Reduction = "mean", weights: Any = None) -> Handle:
    """The absolute error of ``prediction`` and ``target``, of one shape; its slope at 0 is 0. All else as of ``mse``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> float(gc.interpret(mae(g.input("p", ("N",)), [1.0, 4.0]), p=[1.0, 2.0]))
    1.0
    """
    with graph_of((prediction, target), "mae").scope("mae"):
        return reduced(call("abs", _errors(prediction, target)), reduction, weights)


@loss
def huber(
    prediction: Handle, target: Any, *, delta: float = 1.0, reduction: Reduction = "mean", weights: Any = None
) -> Handle:
    """Half the squared error up to ``delta``, then straight: e^2/2 for |e| <= delta, else delta (|e| - delta/2).

    Huber, "Robust estimation of a location parameter", 1964. Raises ``GraphError`` for a ``delta`` that is not
    positive; all else as of ``mse``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> gc.interpret(huber(g.input("p", (2,)), [0.0, 0.0], reduction="none"), p=[0.5, 3.0]).tolist()
    [0.125, 2.5]
    """
    with graph_of((prediction, target), "huber").scope("huber"):
        errors = _errors(prediction, target)
        delta = positive(delta, "delta", errors)
        size = call("abs", errors)
        far = delta * (size - delta / 2)
        return reduced(call("where", size <= delta, call("square", errors) / 2, far), reduction, weights)


def _errors(prediction: Any, target: Any) -> Handle:
    graph = graph_of((prediction, target))
    prediction, target = lift(graph, prediction), lift(graph, target)
    require_same(prediction, prediction.shape, target.shape, "target")
    return prediction - target


__all__ = ["huber", "mae", "mse"]
