"""Activations with parameters: user functions over the elementwise ones."""

from __future__ import annotations

from typing import Any, Literal

from graphc.errors import GraphError, ShapeError
from graphc.graph import FUNCTIONS, Handle, call
from graphc.ops.rules import floating, function
from graphc.types import normalise_axis, shape_text

_exact_gelu, _plain_elu = FUNCTIONS["gelu"], FUNCTIONS["elu"]


@function
def gelu(x: Any, approximate: Literal["none", "tanh"] = "none") -> Handle:
    """``x`` times the normal distribution function of ``x``; with ``approximate="tanh"`` the formula that is
    called so, x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))/2, which is within 5e-4 of it (Hendrycks and Gimpel 2016).
    """
    if approximate not in ("none", "tanh"):
        raise GraphError(f"approximate={approximate!r}; use 'none' or 'tanh'")
    return _exact_gelu(x) if approximate == "none" else call("gelu_tanh", x)


@function
def elu(x: Any, alpha: Any = 1.0) -> Handle:
    """``x`` for x > 0, else ``alpha * (exp(x) - 1)``."""
    if isinstance(alpha, (int, float)) and alpha == 1:
        return _plain_elu(x)
    x = floating("elu", x)
    return call("where", x > 0, x, alpha * call("expm1", x))


@function
def leaky_relu(x: Any, slope: Any = 0.01) -> Handle:
    """``x`` for x > 0, else ``slope * x``; the slope at 0 is ``slope``."""
    x = floating("leaky_relu", x)
    return call("where", x > 0, x, x * slope)


@function
def step(x: Any) -> Handle:
    """1 for x > 0, else 0 (``heaviside``); its slope is 0."""
    return call("heaviside", x)


@function
def maxout(x: Any, pieces: int = 2, axis: int = -1) -> Handle:
    """The maximum of each ``pieces`` neighbours along ``axis``, which is so many times shorter (Goodfellow 2013).

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> gc.interpret(gc.maxout(g.const([1.0, 4.0, 3.0, 2.0])), ).tolist()
    [4.0, 3.0]
    """
    x = floating("maxout", x)
    at = normalise_axis(axis, x.ndim)
    size = x.shape[at]
    if isinstance(pieces, bool) or not isinstance(pieces, int) or pieces < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise GraphError(f"pieces={pieces!r}; give an integer of at least 1")
    if not isinstance(size, int) or size % pieces:
        raise ShapeError(
            f"size {size} of axis {axis} of shape {shape_text(x.shape)} is no multiple of {pieces} pieces; "
            "give a fixed size that is"
        )
    parts = call("reshape", x, (*x.shape[:at], size // pieces, pieces, *x.shape[at + 1 :]))
    return call("max", parts, axis=at + 1)


__all__ = ["elu", "gelu", "leaky_relu", "maxout", "step"]
