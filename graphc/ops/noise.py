"""User functions over random draws: noise in the shape of a value, and values dropped in training."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

from graphc.errors import GraphError
from graphc.graph import Handle, call
from graphc.ops.rules import floating, function
from graphc.types import normalise_axes


@function
def uniform_like(x: Any, low: Any = 0.0, high: Any = 1.0) -> Handle:
    """Random numbers from [``low``, ``high``) in the shape of ``x`` and its dtype (float32 for integers).

    Made beside ``x``: in the body of ``gc.scan``, anew for each step. Otherwise as ``Graph.uniform``.

    >>> import graphc as gc
    >>> x = gc.Graph().input("x", ("N", 3))
    >>> print(gc.uniform_like(x, -1, 1).type)
    f32[N,3]
    """
    x = floating("uniform_like", x)
    return x.graph.uniform(x.shape, low=low, high=high, dtype=x.dtype)


@function
def normal_like(x: Any, mean: Any = 0.0, std: Any = 1.0) -> Handle:
    """Random numbers of the normal distribution in the shape of ``x`` and its dtype (float32 for integers).

    Made beside ``x``: in the body of ``gc.scan``, anew for each step. Otherwise as ``Graph.normal``.

    >>> import graphc as gc
    >>> x = gc.Graph().input("x", ("N", 3))
    >>> noisy = x + gc.phase(train=gc.normal_like(x, std=0.1), eval=0)
    """
    x = floating("normal_like", x)
    return x.graph.normal(x.shape, mean=mean, std=std, dtype=x.dtype)


@function
def dropout(x: Any, rate: float, axes: int | Sequence[int] | None = None) -> Handle:
    """In training, ``x`` with elements set to 0 with probability ``rate`` and the others divided by 1 - ``rate``; else
    ``x``.

    ``x`` is any floating value, a weight as well as a unit. With ``axes``, what lies along the other axes is dropped
    together: ``axes=(0, 1)`` drops whole feature maps of images (N, C, H, W). Each call has a mask of its own, drawn
    anew in each step of training, from the graph's seed. Raises ``GraphError`` for a rate outside [0, 1). Inverted
    scaling, after Srivastava et al., Dropout (JMLR 15, 2014).

    >>> import graphc as gc
    >>> g = gc.Graph(seed=0)
    >>> x = g.input("x", ("N",))
    >>> sorted(set(gc.interpret(gc.dropout(x, 0.5), mode="train", x=[1] * 100).tolist()))
    [0.0, 2.0]
    """
    if not isinstance(rate, Real) or not 0 <= rate < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise GraphError(f"rate is {rate!r}; give a probability of at least 0 and below 1")
    x = floating("dropout", x)
    own = range(x.ndim) if axes is None else normalise_axes(axes, x.ndim)
    if not rate:
        return x
    kept = x.graph.bernoulli(1 - rate, [d if k in own else 1 for k, d in enumerate(x.shape)])
    return call("phase", call("where", kept, x * (1 / (1 - rate)), 0), x)


__all__ = ["dropout", "normal_like", "uniform_like"]
