"""The transformer's block: attention and a network of two dense layers, each added to what it read."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from graphc.graph import Handle
from graphc.nn.activations import Activate, activation_of
from graphc.nn.attention import MultiHeadAttention
from graphc.nn.base import Applied, Layer
from graphc.nn.normalise import LayerNorm
from graphc.nn.settings import at_least


@dataclass(frozen=True, slots=True, eq=False)
class TransformerBlock(Layer):
    """``x = x + attention(norm1(x))``, then ``x + down(activation(up(norm2(x))))``: the block with norms in front.

    Input and output (N, T, features). ``attention`` is a ``MultiHeadAttention`` of ``heads``, whose masks the call
    takes and whose weights ``weights`` gives, and ``block`` is its own; ``hidden`` are the units between the dense
    layers ``up`` and ``down``; ``norm1`` and ``norm2`` are layer norms with a ``scale`` and a ``shift``. Vaswani et al.
    2017; Xiong et al., "On layer normalization in the transformer architecture", 2020.

    Raises ``GraphError`` for sizes below 1 and unknown activations; other errors are those of the attention.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", ("N", "T", 32))
    >>> block = TransformerBlock(4, 64, name="block")
    >>> print(block(x, causal=True).type, [p.name for p in g.params][2])
    f32[N,T,32] block.attention.query.weight
    """

    heads: int
    hidden: int
    activation: str | Activate = "gelu"
    _: KW_ONLY
    block: int | tuple[int, int] | None = None
    attention: MultiHeadAttention = field(init=False, repr=False)
    norm1: LayerNorm = field(default_factory=lambda: LayerNorm(name="norm1"), init=False, repr=False)
    norm2: LayerNorm = field(default_factory=lambda: LayerNorm(name="norm2"), init=False, repr=False)

    def __post_init__(self) -> None:
        Layer.__post_init__(self)
        object.__setattr__(
            self, "attention", MultiHeadAttention(self.heads, block=self.block, name="attention")
        )

    def check(self) -> None:
        at_least(1, heads=self.heads, hidden=self.hidden)
        activation_of(self.activation)

    def __call__(self, x: Handle, **masks: Any) -> Handle:
        """The block applied to ``x``; ``mask``, ``lengths``, ``key_mask`` and ``causal`` are those of the attention."""
        with self.at(x) as own:
            x = x + self.attention(self.norm1(x), **masks)
            inner = activation_of(self.activation)(_dense(own, "up", self.norm2(x), self.hidden))
            return x + _dense(own, "down", inner, own.size(-1))

    def weights(self, x: Handle, **masks: Any) -> Handle:
        """What each head weighs the values with, (N, heads, T, T)."""
        with self.at(x):
            return self.attention.weights(self.norm1(x), **masks)


def _dense(own: Applied, name: str, x: Handle, units: int) -> Handle:
    return x @ own.param(f"{name}.weight", (x.shape[-1], units)) + own.param(f"{name}.bias", (units,))


__all__ = ["TransformerBlock"]
