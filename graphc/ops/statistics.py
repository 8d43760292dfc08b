"""User functions over reductions: NumPy's names and arguments, and what is composed of them (variance,
deviation)."""

from __future__ import annotations

from typing import Any

from graphc import registry
from graphc.graph import Handle, call
from graphc.ops.rules import floating, function, node
from graphc.types import Dim, normalise_axes, normalise_axis, product


def _over(op: str, x: Handle, axis: Any, keepdims: bool) -> Handle:
    return x.graph.add(op, (x,), axes=normalise_axes(axis, x.ndim), keepdims=bool(keepdims))


def _plain(op: str, doc: str, lifted: bool) -> None:
    def reduction(x: Any, axis: Any = None, keepdims: bool = False) -> Handle:
        return _over(op, floating(op, x) if lifted else node(op, x), axis, keepdims)

    reduction.__name__ = reduction.__qualname__ = op
    reduction.__doc__ = (
        f"{doc} ``axis`` is None for all axes, an int or a tuple; raises ShapeError for "
        "axes that ``x`` lacks."
    )
    function(reduction)


for _name, _lifted in {"sum": False, "mean": True, "max": False, "min": False, "prod": False}.items():
    _plain(_name, registry.lookup(_name).doc, _lifted)


@function
def any_(x: Any, axis: Any = None, keepdims: bool = False) -> Handle:
    """Whether any element along ``axis`` is true (numbers: not 0)."""
    return _over("any", call("cast", node("any", x), "bool"), axis, keepdims)


@function
def all_(x: Any, axis: Any = None, keepdims: bool = False) -> Handle:
    """Whether all elements along ``axis`` are true (numbers: not 0)."""
    return _over("all", call("cast", node("all", x), "bool"), axis, keepdims)


def _position(op: str, x: Any, axis: Any, keepdims: bool) -> Handle:
    x = node(op, x)
    if axis is not None:
        return x.graph.add(op, (x,), axis=normalise_axis(axis, x.ndim), keepdims=bool(keepdims))
    found = x.graph.add(op, (call("ravel", x),), axis=0, keepdims=False)
    return call("reshape", found, (1,) * x.ndim) if keepdims else found


@function
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Handle:
    """The index of the first maximum along ``axis`` (None: of the flattened value), as int64."""
    return _position("argmax", x, axis, keepdims)


@function
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Handle:
    """The index of the first minimum along ``axis`` (None: of the flattened value), as int64."""
    return _position("argmin", x, axis, keepdims)


def _centred(op: str, x: Any, axis: Any, ddof: int) -> tuple[Handle, tuple[int, ...], Any]:
    """The deviations from the mean, the axes, and the number that squares are divided by."""
    x = floating(op, x)
    axes = normalise_axes(axis, x.ndim)
    count: Dim = product(x.shape[a] for a in axes) - ddof
    divisor = (
        max(count, 0) if isinstance(count, int) else x.graph.add("extent", (), size=count, dtype=x.dtype.long)
    )
    return x - _over("mean", x, axes, True), axes, divisor


@function
def var(x: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Handle:
    """Variance over ``axis``: the mean square of deviations from the mean, over the count minus ``ddof``."""
    centred, axes, count = _centred("var", x, axis, ddof)
    return _over("sum", call("square", centred), axes, keepdims) / count


@function
def std(x: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Handle:
    """Standard deviation over ``axis``; its gradient where all values are equal is 0."""
    centred, axes, count = _centred("std", x, axis, ddof)
    return _over("norm", centred, axes, keepdims) / (
        count**0.5 if isinstance(count, int) else call("sqrt", count)
    )


@function
def norm(x: Any, axis: Any = None, keepdims: bool = False) -> Handle:
    """Euclidean norm over ``axis``, sqrt(sum(x * x)); its gradient at 0 is 0."""
    return _over("norm", floating("norm", x), axis, keepdims)
