"""Optimisers: from gradients to updates, as nodes of the graph. Hyperparameters are states, so that a program
reads them at each call and a new value never recompiles anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, cast

from graphc.declare.names import free_name
from graphc.errors import GraphError
from graphc.graph import Graph, Handle, cast_to, check_update, graph_of
from graphc.types import promote

Gradients = Mapping[Handle, Handle]
Updates = dict[Handle, Handle]


@dataclass(frozen=True, slots=True, eq=False)
class SGD:
    """Gradient descent, ``p - learning_rate * gradient``.

    Called with ``{parameter: gradient}`` it gives ``{parameter: next value}``. The learning rate is the
    scalar state ``sgd.learning_rate`` (``sgd_1.learning_rate`` for a second optimiser of the same graph) in
    the widest dtype of the parameters; one object called twice uses one state. Gradients of a mini-batch
    make it stochastic gradient descent, those of all data gradient descent. A compiled program shows the rate
    as ``program.states["sgd.learning_rate"]``, where a new value takes effect at the next call.

    Raises ``GraphError`` for a learning rate that is negative or not finite, for no gradients, and for keys
    that are no parameters; ``ShapeError`` and ``DTypeError`` for gradients that do not fit their parameter.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (3,), init=[1.0, 2.0, 3.0])
    >>> updates = SGD(0.5)(gc.grad(gc.sum(w * w)))
    >>> gc.interpret(updates[w]).tolist()
    [0.0, 0.0, 0.0]
    """

    learning_rate: float
    _states: dict[int, Handle] = field(default_factory=dict[int, Handle], init=False, repr=False)

    def __post_init__(self) -> None:
        rate = self.learning_rate
        if isinstance(rate, bool) or not isinstance(rate, Real) or not math.isfinite(rate) or rate < 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise GraphError(f"learning_rate={rate!r}; give a finite number of at least 0").located("SGD")

    def __call__(self, grads: Gradients) -> Updates:
        """The updates that one step along ``grads`` makes."""
        graph = _checked(grads, "SGD")
        with graph.role("update"):
            rate = self._rate(graph, grads)
            with graph.scope("sgd"):
                return {p: p - cast_to(rate, p.dtype) * gradient for p, gradient in grads.items()}

    def _rate(self, graph: Graph, grads: Gradients) -> Handle:
        if id(graph) not in self._states:
            widest = promote(p.dtype for p in grads)
            with graph.scope(free_name(graph, "sgd", "learning_rate")):
                rate = graph.state("learning_rate", (), widest, init=float(self.learning_rate))
            self._states[id(graph)] = rate  # the handle holds the graph, so that its identity is not reused
        return self._states[id(graph)]


def _checked(grads: Any, optimiser: str) -> Graph:
    """The graph of ``grads``, each of which fits its parameter."""
    if not isinstance(grads, Mapping) or not grads:
        raise GraphError(f"{grads!r} is no {{parameter: gradient}}; give gc.grad(loss)").located(optimiser)
    for target, gradient in cast("Gradients", grads).items():
        _check_pair(target, gradient, optimiser)
    return graph_of(list(cast("Gradients", grads)), optimiser)


def _check_pair(target: Any, gradient: Any, optimiser: str) -> None:
    if not isinstance(target, Handle):
        raise GraphError(f"{target!r} is no parameter; give handles").located(optimiser)
    if target.node.op not in ("param", "state"):
        problem = f"{target.label} is no parameter; only parameters and states are updated"
        raise GraphError(problem).located(optimiser, target.place)
    if not isinstance(gradient, Handle):
        raise GraphError(f"gradient {gradient!r} of {target.label} is no node; give gc.grad(loss)").located(
            optimiser, target.place
        )
    check_update(target, gradient)


__all__ = ["SGD", "Gradients", "Updates"]
