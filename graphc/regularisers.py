"""Regularisers: R(w) of chosen parameters, to be added to a loss as ``loss + strength * R(w)``.

The training loss is then L(w) = mean loss + lambda R(w). ``strength`` is a number, or a scalar node such as a state
that is set between calls. The first argument chooses: a parameter, a list of them, or a graph, of whose parameters
those called ``names`` are taken, a pattern such as "*.weight".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from numbers import Real
from typing import TYPE_CHECKING, Any, cast

from graphc.declare.names import chosen
from graphc.errors import GraphcError, GraphError, unknown
from graphc.graph import Graph, Handle, call, cast_to
from graphc.types import promote


def l1(of: Graph | Handle | Iterable[Handle], names: Any = "*") -> Handle:
    """The sum of absolute values, ``sum(|w|)``, a scalar in the widest dtype; its slope at 0 is 0.

    Raises ``GraphError`` for no parameters, for values that are not floating and for ``names`` that fit none.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w, b = g.param("w", (2,), init=[1.0, -2.0]), g.param("b", (), init=5.0)
    >>> [float(gc.interpret(l1(each))) for each in (w, [w, b], g)], float(gc.interpret(l1(g, "w")))
    ([3.0, 8.0, 8.0], 3.0)
    """
    return _summed("l1", of, names, lambda w: call("sum", call("abs", w)))


def l2(of: Graph | Handle | Iterable[Handle], names: Any = "*") -> Handle:
    """The sum of squares, ``sum(w^2)``, whose gradient is 2 w; parameters, dtype and errors as of ``l1``.

    ``strength * l2(w)`` is what an optimiser's ``weight_decay=2 * strength`` does without showing it in the loss.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (2,), init=[1.0, -2.0])
    >>> float(gc.interpret(l2(w)))
    5.0
    """
    return _summed("l2", of, names, lambda w: call("sum", call("square", w)))


def elastic_net(of: Graph | Handle | Iterable[Handle], names: Any = "*", *, beta: float = 1.0) -> Handle:
    """``sum(beta w^2 + |w|)`` (Zou and Hastie 2005); parameters, dtype and errors as of ``l1``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (2,), init=[1.0, -2.0])
    >>> float(gc.interpret(elastic_net(w, beta=0.5)))
    5.5
    """
    if isinstance(beta, bool) or not isinstance(beta, Real) or not 0 <= float(beta) < math.inf:
        raise GraphError(f"beta={beta!r}; give a finite number of at least 0").located("elastic_net")
    return _summed("elastic_net", of, names, lambda w: call("sum", beta * call("square", w) + call("abs", w)))


def _summed(what: str, of: Any, names: Any, term: Callable[[Handle], Handle]) -> Handle:
    found = _parameters(of, names, what)
    with found[0].graph.scope(what):
        terms = [term(each) for each in found]
        widest = promote(each.dtype for each in terms)
        total = cast_to(terms[0], widest)
        for each in terms[1:]:
            total = total + cast_to(each, widest)
        return total


def _parameters(of: Any, names: Any, what: str) -> list[Handle]:
    given = of.params if isinstance(of, Graph) else [of] if isinstance(of, Handle) else of
    if not isinstance(given, Iterable) or not (among := list(cast("Iterable[Any]", given))):
        raise GraphError(f"{of!r} holds no parameters; give nodes or a graph").located(what)
    for each in among:
        if not isinstance(each, Handle) or not each.dtype.is_float:
            raise GraphError(f"{each!r} is no floating node; give parameters").located(what)
    try:
        return chosen(among, names)
    except GraphcError as error:
        raise error.located(what) from None


__all__ = ["elastic_net", "l1", "l2"]

if not TYPE_CHECKING:
    __getattr__ = unknown("gc.regularisers", __all__)
