"""Attention: a user function composed of two products and a softmax, for long sequences in blocks of queries."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.graph import Handle, call, lift, meet
from graphc.ops.rules import function, is_integer
from graphc.ops.scanning import scan
from graphc.types import Dim, DType, definitely_unequal, shape_text

#: Bytes of the scores of one sequence from which they are made block by block, and queries in such a block.
LARGE, BLOCK = 1 << 21, 64


@function
def attention(
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    *,
    scale: float | None = None,
    causal: bool = False,
    block: int | None = None,
) -> Handle:
    """``softmax(q k^T * scale + mask) v``: for each query the mean of the values, weighted by how its key fits.

    ``q`` is (..., T, D), ``k`` (..., S, D) and ``v`` (..., S, E), the leading axes (batch, heads) broadcast; the
    result is (..., T, E). ``scale`` is 1/sqrt(D) by default. ``mask`` broadcasts to (..., T, S): bool, true where a
    key takes part, or floating, added to the scores. ``causal`` lets query t see keys 0 to t. A query to which no key
    is left, none true or all -inf, gets 0, and no gradient. Raises ``ShapeError`` and ``DTypeError`` for misfits
    (Vaswani et al. 2017).

    With ``block``, so many queries at a time meet all keys, and backwards their weights are computed again: memory
    grows with T + S, not with T S. Where it is left out, that is done in blocks of 64 once the scores of a sequence of
    known length take 2 MiB; ``block=0`` never does it.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> q, k, v = (g.input(name, ("N", 4, "T", 16)) for name in "qkv")
    >>> print(gc.attention(q, k, v, causal=True).type)
    f32[N,4,T,16]
    """
    q, k, v = meet("attention", (q, k, v), floating=True)
    _check_shapes(q, k, v)
    rows = _block(q, k, block)
    if not rows:
        return _mixed(q, k, v, mask, scale, causal)
    return _Blocks(q, rows).run(mask, lambda q, mask, first: _mixed(q, k, v, mask, scale, causal, first))


def _mixed(q: Handle, k: Handle, v: Handle, mask: Any, scale: Any, causal: bool, first: Any = 0) -> Handle:
    """The values of queries ``first`` and on."""
    scores, seen = _scored(q, k, mask, scale, causal, first)
    mixed = call("matmul", _weights(scores, seen), v)
    return mixed if mask is None else call("where", _some(seen), mixed, 0.0)


def _block(q: Handle, k: Handle, block: Any) -> int:
    """How many queries a block has; 0 for no blocks."""
    if block is not None and not (is_integer(block) and block >= 0):
        raise ShapeError(f"block is {block!r}; give an int of at least 0")
    if block is not None:
        return int(block)
    queries, keys = q.shape[-2], k.shape[-2]
    if not isinstance(queries, int) or not isinstance(keys, int):
        return 0
    return BLOCK if queries * keys * q.dtype.itemsize >= LARGE and queries > BLOCK else 0


class _Blocks:
    """Queries in blocks of rows, the last one filled up, and what becomes of each in a loop that keeps nothing."""

    def __init__(self, q: Handle, rows: int) -> None:
        self.q, self.rows, self.length = q, rows, q.shape[-2]
        self.count = (self.length + rows - 1) // rows

    def run(self, mask: Any, mixed: Callable[[Handle, Any, Handle], Handle]) -> Handle:
        graph = self.q.graph
        if mask is not None:
            mask = lift(graph, graph.as_constant(mask) if isinstance(mask, list) else mask)
        given = {"q": self.cut(self.q), "first": call("arange", graph, self.count, DType.I64) * self.rows}
        by_row = False
        if mask is not None and mask.ndim > 1 and mask.shape[-2] != 1:
            given["mask"], by_row = self.cut(mask), True

        def body(_: Any, x: Any) -> Any:
            return (), mixed(x["q"], x["mask"] if by_row else mask, x["first"])

        _, found = scan(body, (), given, checkpoint=True)
        return self.joined(found)

    def cut(self, value: Handle) -> Handle:
        """``value`` (..., T, D) as (blocks, ..., rows, D)."""
        lead, spare = value.ndim - 2, self.count * self.rows - self.length
        if spare != 0:
            value = call("pad", value, [*[(0, 0)] * lead, (0, spare), (0, 0)])
        blocks = call("reshape", value, (*value.shape[:-2], self.count, self.rows, value.shape[-1]))
        return call("transpose", blocks, (lead, *range(lead), lead + 1, lead + 2))

    def joined(self, found: Handle) -> Handle:
        """The rows of (blocks, ..., rows, E) one after another, those filled up left out."""
        lead = found.ndim - 3
        moved = call("transpose", found, (*range(1, lead + 1), 0, lead + 1, lead + 2))
        shape = (*found.shape[1:-2], self.count * self.rows, found.shape[-1])
        rows = call("reshape", moved, shape)
        return rows if shape[-2] == self.length else rows[..., : self.length, :]


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


def _scored(
    q: Handle, k: Handle, mask: Any, scale: Any, causal: bool, first: Any = 0
) -> tuple[Handle, Handle | None]:
    """How well each key fits each query, and which keys a query sees, None for all."""
    scores = call("matmul", q, call("swapaxes", k, -1, -2)) * _scale(q, scale)
    seen = _causal(scores, first) if causal else None
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


def _causal(scores: Handle, first: Any) -> Handle:
    queries, keys = scores.shape[-2:]
    row = call("reshape", call("arange", scores, queries) + first, (queries, 1))
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
