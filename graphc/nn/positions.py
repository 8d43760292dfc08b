"""Positions of the steps of a sequence, as features."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.errors import ShapeError
from graphc.graph import Handle, call
from graphc.types import DType, promote, shape_text


def sinusoidal_positions(x: Handle, *, base: float = 10_000.0) -> Handle:
    """Sines and cosines that tell the steps of ``x``, (..., T, features), apart: (T, features), to be added to it.

    Feature 2k of step t is ``sin(t / base**(2k / features))`` and feature 2k + 1 the cosine (Vaswani et al. 2017). T
    may be symbolic. Raises ``ShapeError`` for fewer than two axes and a symbolic number of features.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", ("N", "T", 4))
    >>> gc.interpret(gc.nn.sinusoidal_positions(x), x=[[[0] * 4] * 2]).round(3)
    array([[0.   , 1.   , 0.   , 1.   ],
           [0.841, 0.54 , 0.01 , 1.   ]], dtype=float32)
    """
    steps, features = _sizes(x)
    rates = base ** -(np.arange(0, features, 2) / max(features, 1))
    dtype = promote([x.dtype, DType.F32])
    times = call("expand_dims", call("arange", x, steps, dtype), 1)
    angles = times * rates.astype(dtype.numpy)
    pairs = call("stack", [call("sin", angles), call("cos", angles)], -1)
    return call("reshape", pairs, (steps, 2 * len(rates)))[:, :features]


def _sizes(x: Handle) -> tuple[Any, int]:
    if x.ndim >= 2 and isinstance(x.shape[-1], int):
        return x.shape[-2], x.shape[-1]
    here = x.graph.here()
    todo = "give (..., length, features), features an int"
    raise ShapeError(f"input of shape {shape_text(x.shape)}; {todo}").located(
        "sinusoidal_positions", here.place
    )


__all__ = ["sinusoidal_positions"]
