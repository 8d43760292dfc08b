"""The dense layer of maximal pieces."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from graphc.graph import Handle, call
from graphc.nn.base import Layer
from graphc.nn.settings import at_least


@dataclass(frozen=True, slots=True, eq=False)
class Maxout(Layer):
    """The largest of ``pieces`` affine functions for each unit: ``maxout(x @ weight + bias)`` along the last axis.

    Weight ``(features, units * pieces)``, bias ``(units * pieces,)``; the pieces of a unit are neighbours. Raises
    ``GraphError`` for settings below 1, ``ShapeError`` as ``Dense``. Goodfellow, Warde-Farley, Mirza, Courville and
    Bengio, "Maxout networks", 2013.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y = Maxout(10, pieces=3)(g.input("x", ("N", 64)))
    >>> print(y.type, g.params[0].type)
    f32[N,10] f32[64,30]
    """

    units: int
    pieces: int = 2
    _: KW_ONLY
    use_bias: bool = True
    init: Any = None
    bias_init: Any = None

    def check(self) -> None:
        at_least(1, units=self.units, pieces=self.pieces)

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        with self.at(x) as own:
            columns = self.units * self.pieces
            y = x @ own.param("weight", (own.size(-1), columns), init=self.init)
            if self.use_bias:
                y = y + own.param("bias", (columns,), init=self.bias_init)
            return call("maxout", y, self.pieces)


__all__ = ["Maxout"]
