"""Attention's scores and masks, and the ways through them: whole rows, blocks of queries, blocks of keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.errors import DTypeError
from graphc.graph import Constant, Handle, call
from graphc.ops.scanning import scan
from graphc.types import Checks, Dim, DType, Shape, promote

# ------------------------------------------------------------------------------------------------- scores


def scored(
    q: Handle, k: Handle, mask: Handle | None, scale: Any, causal: bool, first: Any = 0
) -> tuple[Handle, Handle | None]:
    """How well each key fits each query, and which keys a query sees, None for all. The queries are those from
    ``first`` on, counted from the first key. They are scaled, not the scores: that is less to do, and no product is
    left that could fuse with what is subtracted from the scores."""
    scores = call("matmul", q * _scale(q, scale), call("swapaxes", k, -1, -2))
    seen = _causal(scores, first) if causal else None
    if mask is None:
        return scores, seen
    scores, taking_part = _masked(scores, mask)
    return scores, taking_part if seen is None else seen & taking_part


def some(seen: Handle | None) -> Handle:
    """Whether a query sees any key."""
    return call("any", seen, axis=-1, keepdims=True)


def _masked(scores: Handle, mask: Handle) -> tuple[Handle, Handle]:
    """The scores under ``mask``, and which keys take part."""
    if mask.dtype is DType.BOOL:
        return scores, mask
    if mask.dtype.is_float:
        return scores + mask, ~(mask < lowest(mask))
    raise DTypeError(f"mask is {mask.dtype}; give bool, true where a key takes part, or floats to be added")


def unseen_last(scores: Handle, seen: Handle | None) -> Handle:
    """The scores of keys that are not seen are the lowest number, not -inf: a row that sees none has no 0/0 in it,
    and any other no weight there."""
    return scores if seen is None else call("where", seen, scores, lowest(scores))


def lowest(value: Handle) -> float:
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


# ------------------------------------------------------------------------------------------------- blocks


class Blocks:
    """An axis in blocks of ``size``, or in one of a known ``length`` below it, the last one filled up with zeros."""

    def __init__(self, length: Dim, size: int) -> None:
        self.length, self.size = length, size if not isinstance(length, int) else min(size, max(length, 1))
        size = self.size
        self.count = (length + size - 1) // size
        self.spare = self.count * size - length

    def cut(self, value: Handle, axis: int = -2) -> Handle:
        """``value`` (..., length, ...) as (blocks, ..., size, ...)."""
        at, rank = value.ndim + axis, value.ndim
        if self.spare != 0:
            value = call("pad", value, [(0, self.spare if k == at else 0) for k in range(rank)])
        shape = (*value.shape[:at], self.count, self.size, *value.shape[at + 1 :])
        order = (at, *range(at), *range(at + 1, rank + 1))
        return call("transpose", call("reshape", value, shape), order)

    def firsts(self, graph: Any) -> Handle:
        """Where each block begins."""
        return call("arange", graph, self.count, DType.I64) * self.size

    def joined(self, found: Handle) -> Handle:
        """The rows of (blocks, ..., size, E) one after another, those filled up left out."""
        lead = found.ndim - 3
        moved = call("transpose", found, (*range(1, lead + 1), 0, lead + 1, lead + 2))
        rows = call("reshape", moved, (*found.shape[1:-2], self.count * self.size, found.shape[-1]))
        return rows if self.spare == 0 else rows[..., : self.length, :]


def by_queries(
    blocks: Blocks, q: Handle, mask: Handle | None, mixed: Callable[[Handle, Handle | None, Any], Handle]
) -> Handle:
    """What ``mixed`` finds for each block of queries, in a loop that keeps nothing."""
    given: dict[str, Handle] = {"q": blocks.cut(q), "first": blocks.firsts(q.graph)}
    if mask is not None and mask.ndim > 1 and mask.shape[-2] != 1:
        given["mask"] = blocks.cut(mask)

    def body(_: Any, x: Mapping[str, Handle]) -> tuple[tuple[()], Handle]:
        return (), mixed(x["q"], x.get("mask", mask), x["first"])

    _, found = scan(body, (), given, checkpoint=True)
    return blocks.joined(found)


class Keys:
    """Keys and values in blocks, which queries meet one after another.

    Of each row stand so far: the largest score m, the sum l of exp(score - m), and the values in the same weights, a.
    A block with a larger score shrinks both sums by exp(m - m'); in the end a / l is the softmax's mean (Milakov and
    Gimelshein 2018, "Online normalizer calculation for softmax"; Dao et al. 2022, "FlashAttention").
    """

    def __init__(self, blocks: Blocks, k: Handle, v: Handle) -> None:
        self.blocks, self.k, self.v = blocks, k, v
        self.length = blocks.length if isinstance(blocks.length, int) else call("extent", k, -2)
        self.given: dict[str, Handle] = {
            "k": blocks.cut(k),
            "v": blocks.cut(v),
            "first": blocks.firsts(k.graph),
        }

    def mixed(self, q: Handle, mask: Handle | None, scale: Any, causal: bool, first: Any) -> Handle:
        """The values of queries ``first`` and on."""
        given = dict(self.given)
        if mask is not None and mask.shape[-1] != 1:
            given["mask"] = self.blocks.cut(mask, -1)
        rows, wide = self._shapes(q, mask)

        def body(carry: tuple[Handle, Handle, Handle], x: Mapping[str, Handle]) -> tuple[Any, tuple[()]]:
            top, total, mixed = carry
            scores, seen = scored(q, x["k"], x.get("mask", mask), scale, causal, first - x["first"])
            if self.blocks.spare != 0:
                here = call("arange", scores, self.blocks.size) < self.length - x["first"]
                seen = here if seen is None else seen & here
            scores = unseen_last(scores, seen)
            block = call("stop_gradient", call("max", scores, axis=-1, keepdims=True))
            higher = call("broadcast_to", call("maximum", top, block), rows)
            kept, grown = call("exp", top - higher), call("exp", scores - higher)
            if seen is not None:
                grown = call("where", seen, grown, 0.0)
            total = total * kept + call("sum", grown, axis=-1, keepdims=True)
            mixed = mixed * kept + call("matmul", grown, x["v"])
            return (higher, total, call("broadcast_to", mixed, wide)), ()

        dtype = promote([q.dtype, *_wider(mask, scale)])
        start = tuple(
            call("broadcast_to", q.graph.constant(Constant.of(value, dtype)), shape)
            for value, shape in ((-float(np.finfo(dtype.numpy).max), rows), (0.0, rows), (0.0, wide))
        )
        (_, total, mixed), _ = scan(body, start, given, checkpoint=True)
        return mixed / call("where", total > 0, total, 1.0)

    def _shapes(self, q: Handle, mask: Handle | None) -> tuple[Shape, Shape]:
        """Those of a number for each query, and of what the queries find."""
        masked = [] if mask is None else [(*mask.shape[:-1], 1)]
        each = [(*q.shape[:-1], 1), (*self.k.shape[:-2], 1, 1), *masked]
        rows = Checks().broadcast(each)
        return rows, Checks().broadcast([rows, (*self.v.shape[:-2], 1, self.v.shape[-1])])


def _wider(mask: Handle | None, scale: Any) -> list[DType]:
    """The types that scores take on from what is added to them and what they are multiplied by."""
    found = [] if mask is None else [mask.dtype]
    if isinstance(scale, Handle):
        return [*found, scale.dtype]
    return [*found, DType.of(scale.dtype)] if hasattr(scale, "dtype") else found
