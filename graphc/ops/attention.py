"""Attention: a user function composed of two products and a softmax."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.graph import Handle, call, lift, meet
from graphc.ops.rules import function
from graphc.types import Dim, DType, definitely_unequal, shape_text


@function
def attention(
    q: Any, k: Any, v: Any, mask: Any = None, *, scale: float | None = None, causal: bool = False
) -> Handle:
    """``softmax(q k^T * scale + mask) v``: for each query the mean of the values, weighted by how its key fits.

    ``q`` is (..., T, D), ``k`` (..., S, D) and ``v`` (..., S, E), the leading axes (batch, heads) broadcast; the
    result is (..., T, E). ``scale`` is 1/sqrt(D) by default. ``mask`` broadcasts to (..., T, S): bool, true where a
    key takes part, or floating, added to the scores. ``causal`` lets query t see keys 0 to t. A query to which no key
    is left, none true or all -inf, gets 0, and no gradient. Raises ``ShapeError`` and ``DTypeError`` for misfits
    (Vaswani et al. 2017).

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> q, k, v = (g.input(name, ("N", 4, "T", 16)) for name in "qkv")
    >>> print(gc.attention(q, k, v, causal=True).type)
    f32[N,4,T,16]
    """
    q, k, v = meet("attention", (q, k, v), floating=True)
    _check_shapes(q, k, v)
    scores = call("matmul", q, call("swapaxes", k, -1, -2)) * _scale(q, scale)
    seen = _causal(scores) if causal else None
    if mask is None:
        return call("matmul", _weights(scores, seen), v)
    scores, taking_part = _masked(scores, mask)
    seen = taking_part if seen is None else seen & taking_part
    some = call("any", seen, axis=-1, keepdims=True)
    return call("where", some, call("matmul", _weights(scores, seen), v), 0.0)


def _masked(scores: Handle, mask: Any) -> tuple[Handle, Handle]:
    """The scores under ``mask``, and which keys take part."""
    mask = lift(scores.graph, scores.graph.as_constant(mask) if isinstance(mask, list) else mask)
    if mask.dtype is DType.BOOL:
        return scores, mask
    if mask.dtype.is_float:
        return scores + mask, ~(mask < _lowest(mask))
    raise DTypeError(f"mask is {mask.dtype}; give bool, true where a key takes part, or floats to be added")


def _weights(scores: Handle, seen: Handle | None) -> Handle:
    """Softmax over the keys that are seen. The others' scores are the lowest number, not -inf: a row that sees none
    has no 0/0 in it, and any other no weight there."""
    return call("softmax", scores if seen is None else call("where", seen, scores, _lowest(scores)))


def _lowest(value: Handle) -> float:
    return -float(np.finfo(value.dtype.numpy).max)


def _causal(scores: Handle) -> Handle:
    queries, keys = scores.shape[-2:]
    row = call("reshape", call("arange", scores, queries), (queries, 1))
    return row >= call("arange", scores, keys)


def _scale(q: Handle, scale: Any) -> Any:
    if scale is not None:
        return scale
    depth = q.shape[-1]
    if isinstance(depth, int):
        return 1 / math.sqrt(max(depth, 1))
    return call("rsqrt", call("extent", q, -1, q.dtype.long))


# ------------------------------------------------------------------------------------------------- checks


def _check_shapes(q: Handle, k: Handle, v: Handle) -> None:
    shapes = f"q {shape_text(q.shape)}, k {shape_text(k.shape)} and v {shape_text(v.shape)}"
    if min(q.ndim, k.ndim, v.ndim) < 2:
        raise ShapeError(f"{shapes}: an operand lacks axes; give (..., length, features) each")
    _same(q.shape[-1], k.shape[-1], f"{shapes}: queries and keys have", "features")
    _same(k.shape[-2], v.shape[-2], f"{shapes}: there are", "keys and values")


def _same(left: Dim, right: Dim, what: str, of: str) -> None:
    if definitely_unequal(left, right):
        raise ShapeError(f"{what} {left} and {right} {of}; make them equal")


__all__ = ["attention"]
