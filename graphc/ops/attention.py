"""Attention: a user function composed of two products and a softmax, for long sequences block by block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import ShapeError
from graphc.graph import Handle, call, lift, meet
from graphc.ops.attention_blocks import Blocks, Keys, by_queries, scored, some, unseen_last
from graphc.ops.rules import function, is_integer, is_list
from graphc.types import Dim, definitely_unequal, shape_text

#: Bytes of the scores of one sequence from which they are made block by block, and the queries and keys of a block.
LARGE, BLOCK = 1 << 21, (128, 256)


@function
def attention(
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    *,
    scale: float | None = None,
    causal: bool = False,
    block: int | tuple[int, int] | None = None,
) -> Handle:
    """``softmax(q k^T * scale + mask) v``: for each query the mean of the values, weighted by how its key fits.

    ``q`` is (..., T, D), ``k`` (..., S, D) and ``v`` (..., S, E), the leading axes (batch, heads) broadcast; the
    result is (..., T, E). ``scale`` is 1/sqrt(D) by default. ``mask`` broadcasts to (..., T, S): bool, true where a
    key takes part, or floating, added to the scores. ``causal`` lets query t see keys 0 to t. A query to which no key
    is left, none true or all -inf, gets 0, and no gradient. Raises ``ShapeError`` and ``DTypeError`` for misfits
    (Vaswani et al. 2017).

    ``block``, a pair (queries, keys), has so many queries at a time meet so many keys at a time, with a running maximum
    of each row (Milakov and Gimelshein 2018; Dao et al. 2022), and backwards their weights are computed again: memory
    grows with T + S, not with T S. 0 leaves an axis whole, and an int is that of the queries. Left out, blocks are
    128 by 256 once the scores of a sequence of known lengths take 2 MiB.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> q, k, v = (g.input(name, ("N", 4, "T", 16)) for name in "qkv")
    >>> print(gc.attention(q, k, v, causal=True).type)
    f32[N,4,T,16]
    """
    q, k, v = meet("attention", (q, k, v), floating=True)
    _check_shapes(q, k, v)
    rows, columns = _block(q, k, block)
    mask = _lifted(q, k, mask)
    keys = Keys(Blocks(k.shape[-2], columns), k, v) if columns else None

    def mixed(q: Handle, mask: Handle | None, first: Any) -> Handle:
        if keys is not None:
            return keys.mixed(q, mask, scale, causal, first)
        scores, seen = scored(q, k, mask, scale, causal, first)
        found = call("matmul", _weights(scores, seen), v)
        return found if mask is None else call("where", some(seen), found, 0.0)

    return by_queries(Blocks(q.shape[-2], rows), q, mask, mixed) if rows else mixed(q, mask, 0)


def _block(q: Handle, k: Handle, block: Any) -> tuple[int, int]:
    """How many queries and how many keys a block has; 0 for no blocks."""
    if block is not None:
        sizes: Sequence[Any] = block if is_list(block) else (block, 0)
        if len(sizes) != 2 or not all(_is_count(size) for size in sizes):
            raise ShapeError(f"block is {block!r}; give an int of at least 0, or two: of queries and of keys")
        return int(sizes[0]), int(sizes[1])
    queries, keys = q.shape[-2], k.shape[-2]
    if not isinstance(queries, int) or not isinstance(keys, int):
        return 0, 0
    if queries * keys * q.dtype.itemsize < LARGE:
        return 0, 0
    return BLOCK[0] if queries > BLOCK[0] else 0, BLOCK[1] if keys > BLOCK[1] else 0


def _is_count(size: Any) -> bool:
    return is_integer(size) and not isinstance(size, bool) and size >= 0


def _lifted(q: Handle, k: Handle, mask: Any) -> Handle | None:
    """``mask`` as a node of at least one axis."""
    if mask is None:
        return None
    mask = lift(q.graph, q.graph.as_constant(mask) if isinstance(mask, list) else mask)
    for axis, size in ((-1, k.shape[-2]), (-2, q.shape[-2])):
        if mask.ndim >= -axis and mask.shape[axis] != 1 and definitely_unequal(mask.shape[axis], size):
            wanted = shape_text((q.shape[-2], k.shape[-2]))
            raise ShapeError(
                f"mask has shape {shape_text(mask.shape)}; its last axes must broadcast to {wanted}"
            )
    return mask if mask.ndim else call("reshape", mask, (1,))


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
    mask = _lifted(q, k, mask)
    scores, seen = scored(q, k, mask, scale, causal)
    weights = _weights(scores, seen)
    return weights if mask is None else call("where", some(seen), weights, 0.0)


def _weights(scores: Handle, seen: Handle | None) -> Handle:
    """Softmax over the keys that are seen."""
    return call("softmax", unseen_last(scores, seen))


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
