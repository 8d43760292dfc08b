"""Gradients before a rule sees them: their norm, and limits to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from graphc.errors import GraphError
from graphc.graph import Handle, call, cast_to, graph_of
from graphc.optim.base import Gradients
from graphc.optim.schedules import is_amount
from graphc.types import promote

Limit = float | Handle


def global_norm(grads: Gradients) -> Handle:
    """The Euclidean norm of all gradients together, a scalar in their widest dtype; at 0 its gradient is 0.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> a, b = g.param("a", (), init=3.0), g.param("b", (2,), init=[4.0, 0.0])
    >>> float(gc.interpret(global_norm(gc.grad((a * a + gc.sum(b * b)) / 2))))
    5.0
    """
    graph = _graph(grads, "global_norm")
    with graph.role("backward"), graph.scope("global_norm"):
        widest = promote(g.dtype for g in grads.values())
        norms = [cast_to(call("norm", g), widest) for g in grads.values()]
        return norms[0] if len(norms) == 1 else call("norm", call("stack", norms))


def clip_by_global_norm(grads: Gradients, limit: Limit) -> dict[Handle, Handle]:
    """Gradients scaled down together to a global norm of at most ``limit``; below it they stay as they are.

    g * limit / max(norm, limit), as of Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural
    networks", 2013. ``limit`` is a positive number, or a scalar node such as a state. The norm needs every gradient
    before the first update, so gradients are stored.

    Raises ``GraphError`` for what is no ``{parameter: gradient}`` and for a limit that is not positive.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (2,), init=[3.0, 4.0])
    >>> clipped = clip_by_global_norm(gc.grad(gc.sum(w * w) / 2), 1.0)
    >>> gc.interpret(clipped[w]).round(6).tolist()
    [0.6..., 0.8...]
    """
    graph = _graph(grads, "clip_by_global_norm")
    _check_limit(limit, "clip_by_global_norm")
    norm = global_norm(grads)
    with graph.role("backward"), graph.scope("clip_by_global_norm"):
        scale = limit / call("maximum", norm, limit)
        return {p: g * cast_to(scale, g.dtype) for p, g in grads.items()}


def clip_by_value(grads: Gradients, limit: Limit) -> dict[Handle, Handle]:
    """Gradients with each element cut to ``[-limit, limit]``; ``limit`` and errors as of ``clip_by_global_norm``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (2,), init=[3.0, -0.5])
    >>> gc.interpret(clip_by_value(gc.grad(gc.sum(w * w)), 2.0)[w]).tolist()
    [2.0, -1.0]
    """
    graph = _graph(grads, "clip_by_value")
    _check_limit(limit, "clip_by_value")
    with graph.role("backward"), graph.scope("clip_by_value"):
        low = -limit
        return {p: call("minimum", call("maximum", g, low), limit) for p, g in grads.items()}


def _graph(grads: Any, where: str) -> Any:
    if not isinstance(grads, Mapping) or not grads:
        raise GraphError(f"{grads!r} is no {{parameter: gradient}}; give gc.grad(loss)").located(where)
    return graph_of(list(cast("Gradients", grads).values()), where)


def _check_limit(limit: Any, where: str) -> None:
    if not isinstance(limit, Handle) and not (is_amount(limit) and limit > 0):
        raise GraphError(f"limit={limit!r}; give a positive number or a scalar node").located(where)


__all__ = ["clip_by_global_norm", "clip_by_value", "global_norm"]
