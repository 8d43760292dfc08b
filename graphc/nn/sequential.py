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
    """``given`` as a callable on handles; a text stands for the activation of that name."""
    if isinstance(given, str):
        return activation_named(given)
    if callable(given) and not isinstance(given, type):
        return cast(Apply, given)
    raise GraphError(f"{given!r} is not a layer; give callables on handles or names of activations")


__all__ = ["Apply", "Sequential", "layer_of"]
