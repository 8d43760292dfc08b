"""Layers one after another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, cast

from graphc.errors import GraphError
from graphc.graph import Handle
from graphc.nn.activations import activation_named

Layer = Callable[[Handle], Handle]


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

    def __init__(self, *layers: Layer | str, name: str = "") -> None:
        self.layers: tuple[Layer, ...] = tuple(_layer(layer) for layer in layers)
        self.name = name

    def __call__(self, x: Handle) -> Handle:
        """The last layer's output for input ``x``."""
        with x.graph.scope(self.name) if self.name else nullcontext():
            for layer in self.layers:
                x = layer(x)
        return x

    def __repr__(self) -> str:
        return f"Sequential({', '.join(map(repr, self.layers))})"


def _layer(layer: Any) -> Layer:
    if isinstance(layer, str):
        return activation_named(layer)
    if callable(layer):
        return cast(Layer, layer)
    raise GraphError(f"{layer!r} is not a layer; give callables on handles or names of activations").located(
        "Sequential"
    )


__all__ = ["Layer", "Sequential"]
