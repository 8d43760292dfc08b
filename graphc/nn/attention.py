"""Attention with its projections, in heads."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from graphc.errors import GraphError, ShapeError
from graphc.graph import Constant, Handle, call, lift
from graphc.nn.base import Applied, Layer
from graphc.nn.sequences import taking_part
from graphc.nn.settings import at_least
from graphc.types import DType, shape_text


@dataclass(frozen=True, slots=True, eq=False)
class MultiHeadAttention(Layer):
    """Attention of ``query`` to ``key`` and ``value`` in ``heads`` of ``key_dim`` features each (Vaswani et al. 2017).

    ``query`` (N, T, features), ``key`` and ``value`` (N, S, ...), whose lengths may be symbolic; left out, ``key`` is
    the query (self-attention) and ``value`` the key. Each is projected to heads * key_dim features, by default as many
    as the query has; what the heads find is joined and projected to ``units`` features, by default as many, too: (N, T,
    units). The projections are ``query``, ``key``, ``value`` and ``out``, each a ``weight`` and a ``bias`` as in
    ``Dense``.

    ``lengths`` (N,) or ``key_mask``, bool (N, S), say which keys take part; ``mask``, bool or floating, (T, S),
    (N, T, S) or (N, heads, T, S), which keys each query sees, as in ``gc.attention``; ``causal``, that it sees none
    behind it. A query to which no key is left gets the bias of ``out``. ``block`` is that of ``gc.attention``: how many
    queries meet how many keys at a time, for long sequences.

    Raises ``GraphError`` for sizes below 1, ``ShapeError`` and ``DTypeError`` for inputs that do not fit.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x, lengths = g.input("x", ("N", "T", 32)), g.input("lengths", ("N",), "int32")
    >>> attend = MultiHeadAttention(4, name="attend")
    >>> print(attend(x, lengths=lengths).type, attend.weights(x, lengths=lengths).type)
    f32[N,T,32] f32[N,4,T,T]
    """

    heads: int
    key_dim: int | None = None
    _: KW_ONLY
    units: int | None = None
    use_bias: bool = True
    init: Any = None
    bias_init: Any = None
    block: int | tuple[int, int] | None = None

    def check(self) -> None:
        at_least(1, heads=self.heads)
        at_least(1, **{n: v for n, v in (("key_dim", self.key_dim), ("units", self.units)) if v is not None})

    def __call__(
        self,
        query: Handle,
        key: Handle | None = None,
        value: Handle | None = None,
        *,
        mask: Any = None,
        lengths: Any = None,
        key_mask: Any = None,
        causal: bool = False,
    ) -> Handle:
        """What the queries find."""
        key = query if key is None else key
        value = key if value is None else value
        with self.at(query, key, value) as own:
            seen = _mask(own, lengths, key_mask, mask)
            q, k, v = (self._in_heads(own, name, x) for name, x in zip(_INPUTS, own.inputs, strict=True))
            found = call("swapaxes", call("attention", q, k, v, seen, causal=causal, block=self.block), 1, 2)
            joined = call("reshape", found, (*query.shape[:2], -1))
            return self._projected(own, "out", joined, self.units or own.size(-1))

    def weights(
        self,
        query: Handle,
        key: Handle | None = None,
        *,
        mask: Any = None,
        lengths: Any = None,
        key_mask: Any = None,
        causal: bool = False,
    ) -> Handle:
        """What each head weighs the values with, (N, heads, T, S); computed once with what the call gives."""
        with self.at(query, query if key is None else key) as own:
            seen = _mask(own, lengths, key_mask, mask)
            q, k = (self._in_heads(own, name, x) for name, x in zip(_INPUTS, own.inputs, strict=False))
            return call("attention_weights", q, k, seen, causal=causal)

    def _in_heads(self, own: Applied, name: str, x: Handle) -> Handle:
        """``x`` projected, as (N, heads, T, key_dim)."""
        depth = self.key_dim or self._depth(own)
        y = self._projected(own, name, x, self.heads * depth)
        return call("swapaxes", call("reshape", y, (*x.shape[:2], self.heads, depth)), 1, 2)

    def _depth(self, own: Applied) -> int:
        features = own.size(-1)
        if features % self.heads:
            raise GraphError(f"{features} features do not divide into {self.heads} heads; give key_dim")
        return features // self.heads

    def _projected(self, own: Applied, name: str, x: Handle, units: int) -> Handle:
        y = x @ own.param(f"{name}.weight", (_features(name, x), units), init=self.init)
        return y + own.param(f"{name}.bias", (units,), init=self.bias_init) if self.use_bias else y


_INPUTS = ("query", "key", "value")


def _features(name: str, x: Handle) -> int:
    if x.ndim == 3 and isinstance(x.shape[2], int):
        return x.shape[2]
    raise ShapeError(f"{name} of shape {shape_text(x.shape)}; give (N, length, features), features an int")


def _mask(own: Applied, lengths: Any, key_mask: Any, mask: Any) -> Handle | None:
    """What ``gc.attention`` takes for the masks given, bool or floating, against (N, heads, T, S)."""
    query, key = own.inputs[:2]
    for name, x in zip(_INPUTS, own.inputs, strict=False):
        _features(name, x)
    keys = taking_part(own.graph, (query.shape[0], key.shape[1]), lengths, key_mask)
    seen = None if mask is None else _over_heads(lift(own.graph, mask))
    if keys is None:
        return seen
    keys = call("expand_dims", keys, (1, 2))
    if seen is None or seen.dtype is DType.BOOL:
        return keys if seen is None else seen & keys
    return call("where", keys, seen, own.graph.constant(Constant.of(-np.inf, seen.dtype)))


def _over_heads(mask: Handle) -> Handle:
    return call("expand_dims", mask, 1) if mask.ndim == 3 else mask


__all__ = ["MultiHeadAttention"]
