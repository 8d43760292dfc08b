"""The fully connected layer."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from graphc.graph import Handle
from graphc.nn.activations import Activate, activation_of
from graphc.nn.base import Layer
from graphc.nn.settings import at_least


@dataclass(frozen=True, slots=True, eq=False)
class Dense(Layer):
    """``activation(x @ weight + bias)`` along the last axis.

    Input ``(..., features)``, output ``(..., units)`` in the input's floating dtype (float32 for integers);
    weight ``(features, units)``, bias ``(units,)``; ``init`` and ``bias_init`` are arrays or initialisers.
    ``activation`` is a name or a callable on nodes. Names and sharing are those of every ``Layer``.

    Raises ``GraphError`` for units below 1, unknown activations and a name used twice; ``ShapeError`` for a
    scalar input, a symbolic number of features and, in a later call, another number of features.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y = Dense(10, activation="relu", name="hidden")(g.input("x", ("N", 64)))
    >>> print(y.type, [p.name for p in g.params])
    f32[N,10] ['hidden.weight', 'hidden.bias']
    """

    units: int
    activation: str | Activate | None = None
    _: KW_ONLY
    use_bias: bool = True
    init: Any = None
    bias_init: Any = None

    def check(self) -> None:
        at_least(1, units=self.units)
        activation_of(self.activation)

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        with self.at(x) as own:
            weight = own.param("weight", (own.size(-1), self.units), init=self.init)
            bias = own.param("bias", (self.units,), init=self.bias_init) if self.use_bias else None
            y = x @ weight if bias is None else x @ weight + bias
            return activation_of(self.activation)(y)


__all__ = ["Dense"]
