"""Normalisation: user functions composed of means, squares and roots.

Variances are biased, sums of squared deviations from the mean over the count: two passes, the mean first, so that no
large mean cancels. Gradients go through the statistics.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from graphc.errors import GraphError, ShapeError
from graphc.graph import Handle, call, lift
from graphc.ops.rules import floating, function, is_list
from graphc.types import Shape, definitely_unequal, normalise_axes, normalise_axis, shape_text


@function
def moments(x: Any, axis: Any = None, keepdims: bool = False) -> tuple[Handle, Handle]:
    """Mean and biased variance over ``axis`` (None, an int or a tuple), which share their sums.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> mean, variance = gc.moments(g.const([[1.0, 3.0], [2.0, 2.0]]), axis=1)
    >>> gc.interpret([mean, variance])
    [array([2., 2.], dtype=float32), array([1., 0.], dtype=float32)]
    """
    x = floating("moments", x)
    return call("mean", x, axis, keepdims), call("var", x, axis, keepdims=keepdims)


@function
def layer_norm(x: Any, scale: Any = None, shift: Any = None, axis: Any = -1, eps: float = 1e-5) -> Handle:
    """``(x - mean) / sqrt(variance + eps) * scale + shift``, with the statistics of each row along ``axis``.

    ``axis`` is an int or a tuple; ``scale`` and ``shift`` have the sizes of these axes. Raises ``ShapeError`` where
    they do not (Ba, Kiros and Hinton 2016).

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> gc.interpret(gc.layer_norm(g.const([[1.0, 3.0]]), eps=0.0)).tolist()
    [[-1.0, 1.0]]
    """
    x = floating("layer_norm", x)
    axes = normalise_axes(axis, x.ndim)
    return _affine(x, _standardised(x, axes, eps), axes, scale, shift)


@function
def rms_norm(x: Any, scale: Any = None, axis: Any = -1, eps: float = 1e-5) -> Handle:
    """``x / sqrt(mean(x * x) + eps) * scale`` along ``axis``: layer norm without a mean (Zhang and Sennrich 2019)."""
    x = floating("rms_norm", x)
    axes = normalise_axes(axis, x.ndim)
    return _affine(x, x * _inverse_root(_mean(call("square", x), axes), eps), axes, scale, None)


@function
def batch_norm(
    x: Any,
    scale: Any = None,
    shift: Any = None,
    axis: int = 1,
    eps: float = 1e-5,
    *,
    mean: Any = None,
    variance: Any = None,
) -> Handle:
    """``(x - mean) / sqrt(variance + eps) * scale + shift``, with one mean and variance for each place along ``axis``.

    They are those of the batch, over all other axes, unless ``mean`` and ``variance`` are given: running averages, or
    ``gc.moments`` of the batch where averages are made of them, too. All four have the size of ``axis``. Raises
    ``ShapeError`` where they do not, ``GraphError`` for a mean without a variance (Ioffe and Szegedy 2015).

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", ("N", 3, 8, 8))
    >>> mean, variance = gc.moments(x, axis=(0, 2, 3))
    >>> print(gc.batch_norm(x, mean=mean, variance=variance).type, mean.type)
    f32[N,3,8,8] f32[3]
    """
    x = floating("batch_norm", x)
    at = normalise_axis(axis, x.ndim)
    if (mean is None) != (variance is None):
        raise GraphError("one of mean and variance is given; give both, or neither for those of the batch")
    if mean is None:
        normal = _standardised(x, tuple(k for k in range(x.ndim) if k != at), eps)
    else:
        centred = x - _placed(x, mean, (at,), "mean")
        normal = centred * _inverse_root(_placed(x, variance, (at,), "variance"), eps)
    return _affine(x, normal, (at,), scale, shift)


@function
def instance_norm(x: Any, scale: Any = None, shift: Any = None, eps: float = 1e-5) -> Handle:
    """Each channel of each sample of ``x``, (batch, channels, ...), with its own mean and variance.

    ``scale`` and ``shift`` have the size of the channels (Ulyanov, Vedaldi and Lempitsky 2016).
    """
    x = _pictures("instance_norm", x, 3)
    return _affine(x, _standardised(x, tuple(range(2, x.ndim)), eps), (1,), scale, shift)


@function
def group_norm(x: Any, groups: int, scale: Any = None, shift: Any = None, eps: float = 1e-5) -> Handle:
    """``x``, (batch, channels, ...), with one mean and variance for each sample and group of neighbouring channels.

    ``scale`` and ``shift`` have the size of the channels. Raises ``ShapeError`` unless the channels are a multiple of
    ``groups`` (Wu and He 2018).
    """
    x = _pictures("group_norm", x, 2)
    channels = x.shape[1]
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise GraphError(f"groups={groups!r}; give an integer of at least 1")
    if not isinstance(channels, int) or channels % groups:
        raise ShapeError(f"{channels} channels are no multiple of {groups} groups; choose another number")
    parts = call("reshape", x, (x.shape[0], groups, channels // groups, *x.shape[2:]))
    normal = _standardised(parts, tuple(range(2, parts.ndim)), eps)
    return _affine(x, call("reshape", normal, x.shape), (1,), scale, shift)


# ------------------------------------------------------------------------------------------------- pieces


def _standardised(x: Handle, axes: tuple[int, ...], eps: float) -> Handle:
    centred = x - _mean(x, axes)
    return centred * _inverse_root(_mean(call("square", centred), axes), eps)


def _mean(x: Handle, axes: tuple[int, ...]) -> Handle:
    return call("mean", x, axes, keepdims=True)


def _inverse_root(variance: Handle, eps: Any) -> Handle:
    if isinstance(eps, bool) or not isinstance(eps, Real) or not 0 <= float(eps) < math.inf:
        raise GraphError(f"eps={eps!r}; give a finite number of at least 0")
    return call("rsqrt", variance + float(eps))


def _affine(x: Handle, normal: Handle, axes: tuple[int, ...], scale: Any, shift: Any) -> Handle:
    scaled = normal if scale is None else normal * _placed(x, scale, axes, "scale")
    return scaled if shift is None else scaled + _placed(x, shift, axes, "shift")


def _placed(x: Handle, value: Any, axes: tuple[int, ...], what: str) -> Handle:
    """``value``, which has the sizes of ``axes`` of ``x``, in their places."""
    given = lift(x.graph, x.graph.as_constant(value) if is_list(value) else value, x.dtype)
    wanted: Shape = tuple(x.shape[a] for a in axes)
    fits = len(given.shape) == len(wanted) and not any(map(definitely_unequal, given.shape, wanted))
    if not fits:
        raise ShapeError(f"{what} has shape {shape_text(given.shape)}; give shape {shape_text(wanted)}")
    if axes == tuple(range(x.ndim - len(axes), x.ndim)):
        return given
    return call("reshape", given, tuple(d if k in axes else 1 for k, d in enumerate(x.shape)))


def _pictures(op: str, x: Any, rank: int) -> Handle:
    x = floating(op, x)
    if x.ndim < rank:
        axes = "(batch, channels, ...)" if rank == 2 else "(batch, channels, width, ...)"
        raise ShapeError(f"operand has shape {shape_text(x.shape)}; give {axes}")
    return x


__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "moments", "rms_norm"]
