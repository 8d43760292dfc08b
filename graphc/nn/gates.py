"""First values of recurrent layers, whose weights hold one block for each gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from graphc.graph.given import initialiser
from graphc.init import Array, Initialiser


@dataclass(frozen=True, slots=True)
class PerGate:
    """``init`` drawn anew for each of ``gates`` blocks of columns, so that each has the fans of one gate."""

    init: Initialiser
    gates: int

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        block = (*shape[:-1], shape[-1] // self.gates)
        return np.concatenate([self.init(generator, block, dtype) for _ in range(self.gates)], axis=-1)


def per_gate(init: Any, default: Initialiser, gates: int) -> Any:
    """``init`` for weights of ``gates`` blocks: an initialiser, or its name, by blocks; an array as it is."""
    chosen: Any = default if init is None else initialiser(init)
    return PerGate(cast(Initialiser, chosen), gates) if callable(chosen) else chosen


@dataclass(frozen=True, slots=True)
class OneGate:
    """``value`` in the biases of gate number ``gate``, zero in those of the others."""

    value: float
    gate: int
    gates: int

    def __call__(self, generator: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        biases = np.zeros((self.gates, shape[0] // self.gates), dtype)
        biases[self.gate] = self.value
        return biases.ravel()


__all__ = ["OneGate", "PerGate", "per_gate"]
