"""The table of vectors for indices."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from graphc import init
from graphc.errors import DTypeError, GraphError
from graphc.graph import Handle, call
from graphc.nn.base import Layer
from graphc.nn.settings import at_least
from graphc.types import DType


@dataclass(frozen=True, slots=True, eq=False)
class Embedding(Layer):
    """Row ``x[...]`` of ``weight`` (num_embeddings, embedding_dim) for each index: shape ``(..., embedding_dim)``.

    Indices are int32 or int64; the table is drawn from N(0, 1) unless ``init`` says otherwise, in ``dtype``. The
    vector of ``padding_idx``, where given, is 0 and gets no gradient. Raises ``GraphError`` for sizes below 1 and a
    padding index outside the table; ``DTypeError`` for another dtype than float32 or float64 and for indices that
    are no integers. A call refuses indices below 0 and outside the table.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y = Embedding(100, 8)(g.input("tokens", ("N", "T"), "int32"))
    >>> print(y.type, g.params[0].type)
    f32[N,T,8] f32[100,8]
    """

    num_embeddings: int
    embedding_dim: int
    padding_idx: int | None = None
    _: KW_ONLY
    init: Any = None
    dtype: str = "float32"

    def check(self) -> None:
        at_least(1, num_embeddings=self.num_embeddings, embedding_dim=self.embedding_dim)
        if not DType.of(self.dtype).is_float:
            raise DTypeError(f"dtype={self.dtype!r}; give 'float32' or 'float64'")
        index = self.padding_idx
        if index is not None and (type(index) is not int or not 0 <= index < self.num_embeddings):
            raise GraphError(
                f"padding_idx={index!r} of {self.num_embeddings} vectors; give an integer of 0 to "
                f"{self.num_embeddings - 1}"
            )

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to indices ``x``."""
        with self.at(x) as own:
            shape = (self.num_embeddings, self.embedding_dim)
            drawn = init.Normal(std=1.0) if self.init is None else self.init
            found = call("take", own.param("weight", shape, init=drawn, dtype=self.dtype), x, 0, wrap=False)
            if self.padding_idx is None:
                return found
            return call("where", call("expand_dims", x, -1) == self.padding_idx, 0, found)


__all__ = ["Embedding"]
