"""Residual connections: what a branch adds to a shortcut."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

from graphc.errors import ShapeError
from graphc.graph import Handle
from graphc.nn.activations import Activate, activation_of
from graphc.nn.base import Layer
from graphc.nn.sequential import layer_of
from graphc.nn.settings import within
from graphc.types import definitely_unequal, shape_text


@dataclass(frozen=True, slots=True, eq=False)
class Residual(Layer):
    """``activation(shortcut(x) + branch(x))``.

    ``branch`` is a layer, such as a ``Sequential``. ``shortcut`` is None for ``x`` itself, a number for that many
    times ``x``, or a layer: a projection where the branch changes the shape (``Conv2d(32, 1, stride=2)``,
    ``Dense(64)``), a dropout, anything. With ``branch_scale`` the branch is multiplied by a parameter that starts
    there: at 0, each block begins as its shortcut. Names of layers inside start with the block's.

    Raises ``GraphError`` for what is no layer, ``ShapeError`` where branch and shortcut have different shapes. He,
    Zhang, Ren and Sun, "Deep residual learning" and "Identity mappings", 2016; the learnt scale: Bachlechner and
    others, "ReZero is all you need", 2020.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> block = Residual(gc.nn.Sequential(gc.nn.Dense(4, "relu"), gc.nn.Dense(4)), name="block")
    >>> print(block(g.input("x", ("N", 4))).type, [p.name for p in g.params][::2])
    f32[N,4] ['block.dense.weight', 'block.dense_1.weight']
    """

    branch: Any
    shortcut: Any = None
    _: KW_ONLY
    activation: str | Activate | None = None
    branch_scale: float | None = None

    def check(self) -> None:
        layer_of(self.branch)
        if self.shortcut is not None and not isinstance(self.shortcut, (int, float)):
            layer_of(self.shortcut)
        if self.branch_scale is not None:
            within(-math.inf, math.inf, branch_scale=self.branch_scale)
        activation_of(self.activation)

    def __call__(self, x: Handle) -> Handle:
        """The block applied to ``x``."""
        with self.at(x) as own:
            added, kept = layer_of(self.branch)(x), self._kept(x)
            _require_same(kept, added)
            if self.branch_scale is not None:
                added = added * own.param("scale", (), init=self.branch_scale)
            return activation_of(self.activation)(kept + added)

    def _kept(self, x: Handle) -> Handle:
        if self.shortcut is None:
            return x
        return self.shortcut * x if isinstance(self.shortcut, (int, float)) else layer_of(self.shortcut)(x)


def _require_same(kept: Handle, added: Handle) -> None:
    """Nothing is broadcast: a branch of one channel beside many is a mistake."""
    pairs = list(zip(kept.shape, added.shape, strict=False))
    if kept.ndim != added.ndim or any(definitely_unequal(a, b) or (a == 1) != (b == 1) for a, b in pairs):
        shapes = f"the branch gives shape {shape_text(added.shape)} and the shortcut {shape_text(kept.shape)}"
        raise ShapeError(f"{shapes}; make them equal, for instance by shortcut=gc.nn.Dense or gc.nn.Conv2d")


__all__ = ["Residual"]
