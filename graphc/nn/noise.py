"""Layers that are random in training and the identity else: dropout and noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Real

from graphc.errors import GraphError
from graphc.graph import FUNCTIONS, Handle
from graphc.nn.base import Layer


@dataclass(frozen=True, slots=True, eq=False)
class Dropout(Layer):
    """In training, sets elements to 0 with probability ``rate`` and divides the others by 1 - ``rate``.

    ``axes`` are those along which elements are dropped each by itself: ``axes=(0, 1)`` drops whole feature maps of
    images (N, C, H, W); None drops single elements. In evaluation, the identity. A program compiled with
    ``mode="train"`` and without updates draws anew at each call: the mean of its answers is the Monte Carlo average.
    Raises ``GraphError`` for a rate outside [0, 1). Srivastava et al., Dropout (JMLR 15, 2014).

    >>> import graphc as gc
    >>> g = gc.Graph("net", seed=0)
    >>> x = g.input("x", ("N", 4))
    >>> net = gc.nn.Sequential(gc.nn.Dense(8, activation="relu"), gc.nn.Dropout(0.5), gc.nn.Dense(1))
    >>> sampled = gc.compile({"y": net(x)}, mode="train")
    >>> first, second = sampled(x=[[1, 2, 3, 4]]), sampled(x=[[1, 2, 3, 4]])
    >>> bool(first["y"] != second["y"])
    True
    """

    rate: float
    _: KW_ONLY
    axes: Sequence[int] | None = None

    def check(self) -> None:
        if not isinstance(self.rate, Real) or not 0 <= self.rate < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise GraphError(f"rate is {self.rate!r}; give a probability of at least 0 and below 1")

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``, with a mask of its own."""
        with self.at(x):
            return FUNCTIONS["dropout"](x, self.rate, self.axes)


@dataclass(frozen=True, slots=True, eq=False)
class GaussianNoise(Layer):
    """In training, adds numbers of the normal distribution with deviation ``std``; else the identity.

    For inputs, hidden values, and weights (``gc.nn.GaussianNoise(0.1)(layer_weight)``). Raises ``GraphError`` for a
    negative ``std``. Bishop, Training with noise is equivalent to Tikhonov regularization (Neural Computation 7, 1995).

    >>> import graphc as gc
    >>> x = gc.Graph("net").input("x", ("N", 4))
    >>> noisy = gc.nn.GaussianNoise(0.1)(x)
    >>> gc.interpret(noisy, x=[[1, 2, 3, 4]])
    array([[1., 2., 3., 4.]], dtype=float32)
    """

    std: float

    def check(self) -> None:
        if not isinstance(self.std, Real) or not self.std >= 0:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise GraphError(f"std is {self.std!r}; give a number of at least 0")

    def __call__(self, x: Handle) -> Handle:
        """``x`` with noise of its own."""
        with self.at(x):
            return FUNCTIONS["phase"](x + FUNCTIONS["normal_like"](x, std=self.std), x)


__all__ = ["Dropout", "GaussianNoise"]
