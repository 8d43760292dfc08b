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
    scores, seen = _scored(q, k, mask, scale, causal)
    mixed = call("matmul", _weights(scores, seen), v)
    return mixed if mask is None else call("where", _some(seen), mixed, 0.0)


@function
def attention_weights(
    q: Any, k: Any, mask: Any = None, *, scale: float | None = None, causal: bool = False
) -> Handle:
    """``softmax(q k^T * scale + mask)``, (..., T, S): what ``attention`` of the same operands weighs the values with.

    Each row sums to 1; that of a query to which no key is left is 0. A program that has both computes them once.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> weights = gc.attention_weights(g.input("q", (2, 4)), g.input("k", (3, 4)), causal=True)
    >>> gc.interpret(weights, q=[[0] * 4] * 2, k=[[0] * 4] * 3)
    array([[1. , 0. , 0. ],
           [0.5, 0.5, 0. ]], dtype=float32)
    """
    q, k = meet("attention_weights", (q, k), floating=True)
    _check_shapes(q, k)
    scores, seen = _scored(q, k, mask, scale, causal)
    weights = _weights(scores, seen)
    return weights if mask is None else call("where", _some(seen), weights, 0.0)


def _scored(q: Handle, k: Handle, mask: Any, scale: Any, causal: bool) -> tuple[Handle, Handle | None]:
    """How well each key fits each query, and which keys a query sees, None for all."""
    scores = call("matmul", q, call("swapaxes", k, -1, -2)) * _scale(q, scale)
    seen = _causal(scores) if causal else None
    if mask is None:
        return scores, seen
    scores, taking_part = _masked(scores, mask)
    return scores, taking_part if seen is None else seen & taking_part


def _some(seen: Handle | None) -> Handle:
    """Whether a query sees any key."""
    return call("any", seen, axis=-1, keepdims=True)


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


def _check_shapes(q: Handle, k: Handle, v: Handle | None = None) -> None:
    *most, last = [f"{n} {shape_text(x.shape)}" for n, x in (("q", q), ("k", k), ("v", v)) if x is not None]
    shapes = f"{', '.join(most)} and {last}"
    if min(x.ndim for x in (q, k, v) if x is not None) < 2:
        raise ShapeError(f"{shapes}: an operand lacks axes; give (..., length, features) each")
    _same(q.shape[-1], k.shape[-1], f"{shapes}: queries and keys have", "features")
    if v is not None:
        _same(k.shape[-2], v.shape[-2], f"{shapes}: there are", "keys and values")


def _same(left: Dim, right: Dim, what: str, of: str) -> None:
    if definitely_unequal(left, right):
        raise ShapeError(f"{what} {left} and {right} {of}; make them equal")


__all__ = ["attention", "attention_weights"]
