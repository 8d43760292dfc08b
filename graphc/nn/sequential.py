"""Layers one after another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, cast

from graphc.errors import GraphError
from graphc.graph import Handle
from graphc.nn.activations import activation_named

Apply = Callable[[Handle], Handle]


class Sequential:
    """``layers`` applied one after another; a text stands for the activation of that name.

    With a ``name``, the layers' names start with it. Raises ``GraphError`` for what is neither callable nor a
    known activation.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> net = Sequential(gc.nn.Dense(8), "relu", gc.nn.Dense(2), name="mlp")
    >>> net(g.input("x", ("N", 4))).shape[1], [p.name for p in g.params][::2]
    (2, ['mlp.dense.weight', 'mlp.dense_1.weight'])
    """

    __slots__ = ("layers", "name")

    def __init__(self, *layers: Apply | str, name: str = "") -> None:
        self.layers: tuple[Apply, ...] = tuple(map(_layer, layers))
        self.name = name

    def __call__(self, x: Handle) -> Handle:
        """The last layer's output for input ``x``."""
        with x.graph.scope(self.name) if self.name else nullcontext():
            for layer in self.layers:
                x = layer(x)
        return x

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


def _layer(given: Any) -> Apply:
    try:
        return layer_of(given)
    except GraphError as error:
        raise error.located("Sequential") from None


def layer_of(given: Any) -> Apply:
    """``given`` as a callable on nodes; a text stands for the activation of that name."""
    if isinstance(given, str):
        return activation_named(given)
    if callable(given) and not isinstance(given, type):
        return cast(Apply, given)
    raise GraphError(_no_layer(given))


def _no_layer(given: Any) -> str:
    if isinstance(given, type):
        return f"{given.__name__} is a class, not a layer; make one, as in gc.nn.Dense(64)"
    if isinstance(given, list | tuple):
        kind = "list" if isinstance(given, list) else "tuple"
        return f"a {kind} is not a layer; give the layers themselves, as in Sequential(*layers)"
    return f"{given!r} is not a layer; give callables on nodes or names of activations"


__all__ = ["Apply", "Sequential", "layer_of"]
