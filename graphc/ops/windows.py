"""User functions over windows: convolution and pooling of any number of spatial axes, channels in front of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.graph import Build, Handle, call, meet
from graphc.ops.rules import floating, function, is_integer, node
from graphc.ops.sliding import Spec
from graphc.ops.spatial import Pairs, check_middle, each_axis, pairs_of
from graphc.ops.spreading import Meeting, Term, spread_windows
from graphc.types import Checks, Dim, DType, shape_text


def _padded(x: Handle, pairs: Pairs, value: float = 0.0) -> Handle:
    """``x`` with its last axes padded."""
    return call("pad", x, [(0, 0)] * (x.ndim - len(pairs)) + pairs, value)


# ----------------------------------------------------------------------------------------------- convolution


def convolve(
    x: Any, weight: Any, bias: Any, count: int, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Handle:
    """The convolution over the last ``count`` axes: what conv1d, conv2d and conv3d are."""
    x, weight = _operands(f"conv{count}d", x, weight, count)
    stride, dilation = each_axis(stride, count, "stride"), each_axis(dilation, count, "dilation")
    _check_groups(groups, weight.shape[0], x.shape[1], weight.shape[1])
    check_middle(padding, weight.shape[2:], dilation)
    pairs = pairs_of(padding, x.shape[2:], weight.shape[2:], stride, dilation)
    wide, kernel, spec = _grouped(_padded(x, pairs), weight, groups, stride, dilation)
    found = x.graph.add("correlate", (wide, kernel), **spec.params())
    return _biased(_joined(found, 1, groups), bias, count)


def _operands(name: str, x: Any, weight: Any, count: int) -> tuple[Handle, Handle]:
    x, weight = meet(name, (x, weight))
    if x.dtype is DType.BOOL:
        raise DTypeError("operands are bool; cast them with gc.cast")
    for what, value in (("input", x), ("weight", weight)):
        if value.ndim != count + 2:
            raise ShapeError(
                f"{what} has shape {shape_text(value.shape)}; give {count + 2} axes, of which the last {count} are "
                "spatial"
            )
    return x, weight


def _check_groups(groups: Any, outputs: Dim, channels: Dim, inputs: Dim) -> None:
    """Inputs and outputs fall into as many groups, and the weights have the inputs of one."""
    if not is_integer(groups) or groups < 1:
        raise ShapeError(f"groups is {groups!r}; give an int of at least 1")
    if isinstance(outputs, int) and outputs % groups:
        raise ShapeError(f"weight gives {outputs} channels in {groups} groups; give a multiple of {groups}")
    Checks().equal(
        channels, inputs * groups, f"channels of the input, and weights of {inputs} in {groups} groups"
    )


def _grouped(
    x: Handle, weight: Handle, groups: int, stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[Handle, Handle, Spec]:
    """Operands with an axis of their own for the groups, if there are several, and the index expression."""
    wide, kernel = _split(x, 1, groups), _split(weight, 0, groups)
    letters = iter(ascii_letters)
    n, c, o, g = (next(letters) for _ in range(4))
    places = [next(letters) for _ in stride]
    insides = [next(letters) for _ in stride]
    group = g if groups > 1 else ""
    windows = (a + i for a, i in zip(places, insides, strict=True))
    spec = Spec(
        (n, *group, c, *windows),
        group + o + c + "".join(insides),
        n + group + o + "".join(places),
        stride,
        dilation,
    )
    return wide, kernel, spec


def _split(x: Handle, axis: int, groups: int) -> Handle:
    if groups == 1:
        return x
    return call("reshape", x, (*x.shape[:axis], groups, x.shape[axis] // groups, *x.shape[axis + 1 :]))


def _joined(x: Handle, axis: int, groups: int) -> Handle:
    if groups == 1:
        return x
    return call("reshape", x, (*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :]))


def _biased(x: Handle, bias: Any, count: int) -> Handle:
    if bias is None:
        return x
    bias = meet("bias", (x, bias))[1]
    if bias.ndim != 1:
        raise ShapeError(f"bias has shape {shape_text(bias.shape)}; give one value an output channel")
    return x + call("reshape", bias, (*bias.shape, *(1,) * count))


@function
def conv1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Handle:
    """Cross-correlation of ``x`` (N, C, L) with ``weight`` (O, C / groups, K), as PyTorch's conv1d.

    ``bias`` has one value an output channel. ``padding`` is an int, a list of one int or pair, "valid" or "same"
    (with strides as in XLA). Raises ``ShapeError`` for what does not fit.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x, w = g.input("x", ("N", 2, "L")), g.param("w", (4, 2, 3))
    >>> print(gc.conv1d(x, w, padding="same").type, gc.conv1d(x, w, stride=2).type)
    f32[N,4,L] f32[N,4,(L + 1)//2 - 1]
    """
    return convolve(x, weight, bias, 1, stride, padding, dilation, groups)


@function
def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Handle:
    """Cross-correlation of ``x`` (N, C, H, W) with ``weight`` (O, C / groups, KH, KW), as PyTorch's conv2d.

    ``stride``, ``dilation`` and ``padding`` are one value or one a spatial axis; ``padding`` takes pairs too, and
    "valid" or "same" (with strides as in XLA). ``groups`` = C makes it depthwise. ``bias`` has one value an output
    channel. Raises ``ShapeError`` for what does not fit.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x, w = g.input("x", ("N", 3, 28, 28)), g.param("w", (8, 3, 5, 5))
    >>> print(gc.conv2d(x, w, padding=2, stride=2).type)
    f32[N,8,14,14]
    """
    return convolve(x, weight, bias, 2, stride, padding, dilation, groups)


@function
def conv3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Handle:
    """Cross-correlation of ``x`` (N, C, D, H, W) with ``weight`` (O, C / groups, KD, KH, KW); see ``conv2d``."""
    return convolve(x, weight, bias, 3, stride, padding, dilation, groups)


# ------------------------------------------------------------------------------------------------- transposed


def spread(
    x: Any,
    weight: Any,
    bias: Any,
    count: int,
    stride: Any,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    groups: Any,
) -> Handle:
    """The transposed convolution over the last ``count`` axes: the adjoint of ``convolve``."""
    x, weight = _operands(f"conv_transpose{count}d", x, weight, count)
    stride, dilation = each_axis(stride, count, "stride"), each_axis(dilation, count, "dilation")
    padding, more = (
        each_axis(padding, count, "padding", 0),
        each_axis(output_padding, count, "output_padding", 0),
    )
    if not is_integer(groups) or groups < 1:
        raise ShapeError(f"groups is {groups!r}; give an int of at least 1")
    Checks().equal(x.shape[1], weight.shape[0], "channels of the input and of the weight")
    wide, kernel, spec = _grouped(x, weight, groups, stride, dilation)
    letters, meetings = list(spec.x), list[Meeting]()
    lead = len(spec.x) - count
    for k, size in enumerate(x.shape[2:]):
        reach = stride[k] * (size - 1) + dilation[k] * (weight.shape[2 + k] - 1) + 1 + more[k]
        place, inside = spec.x[lead + k]
        meetings.append(Meeting(lead + k, place, inside, stride[k], dilation[k], reach))
    found = spread_windows(Build(x.graph), Term(wide, spec.out), Term(kernel, spec.w), letters, meetings)
    return _biased(_cropped(_joined(found, 1, groups), padding), bias, count)


def _cropped(x: Handle, padding: Sequence[int]) -> Handle:
    if not any(padding):
        return x
    low = (0,) * (x.ndim - len(padding)) + tuple(padding)
    stop = tuple(d - p for d, p in zip(x.shape, low, strict=True))
    return x.graph.add("slice", (x,), start=low, stop=stop, step=(1,) * x.ndim)


@function
def conv_transpose1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Handle:
    """The adjoint of ``conv1d``: ``x`` (N, C, L), ``weight`` (C, O / groups, K), as PyTorch's conv_transpose1d."""
    return spread(x, weight, bias, 1, stride, padding, output_padding, dilation, groups)


@function
def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Handle:
    """The adjoint of ``conv2d``: ``x`` (N, C, H, W), ``weight`` (C, O / groups, KH, KW).

    ``padding`` crops the result, ``output_padding`` adds to its end, as in PyTorch's conv_transpose2d.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x, w = g.input("x", ("N", 8, 7, 7)), g.param("w", (8, 4, 3, 3))
    >>> print(gc.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1).type)
    f32[N,4,14,14]
    """
    return spread(x, weight, bias, 2, stride, padding, output_padding, dilation, groups)


# ---------------------------------------------------------------------------------------------------- pooling


def _pool_arguments(
    x: Handle, window: Any, stride: Any, padding: Any, count: int
) -> tuple[tuple[int, ...], tuple[int, ...], Pairs]:
    if x.ndim < count + 1:
        raise ShapeError(
            f"input has shape {shape_text(x.shape)}; give channels and {count} spatial axes at least"
        )
    window = each_axis(window, count, "window")
    stride = window if stride is None else each_axis(stride, count, "stride")
    pairs = pairs_of(padding, x.shape[x.ndim - count :], window, stride, (1,) * count)
    for pair, size in zip(pairs, window, strict=True):
        if any(isinstance(p, int) and p >= size for p in pair):
            raise ShapeError(
                f"padding {pair} of a window of {size} makes windows of padding alone; give less"
            )
    return window, stride, pairs


def largest(x: Any, window: Any, stride: Any, padding: Any, count: int) -> Handle:
    """The maxima of windows of the last ``count`` axes; padding never wins."""
    x = node(f"max_pool{count}d", x)
    window, stride, pairs = _pool_arguments(x, window, stride, padding, count)
    if x.dtype is DType.BOOL:
        raise DTypeError("bool has no extrema here; cast it with gc.cast")
    lowest = -np.inf if x.dtype.is_float else -(2 ** (8 * x.dtype.itemsize - 1))
    wide = _padded(x, pairs, lowest)
    return x.graph.add("max_pool", (wide,), window=window, stride=stride)


def average(x: Any, window: Any, stride: Any, padding: Any, count_include_pad: bool, count: int) -> Handle:
    """The means of windows of the last ``count`` axes."""
    x = floating(f"avg_pool{count}d", x)
    window, stride, pairs = _pool_arguments(x, window, stride, padding, count)
    total = x.graph.add("sum_pool", (_padded(x, pairs),), window=window, stride=stride)
    if count_include_pad or all(p == (0, 0) for p in pairs):
        return total / float(math.prod(window))
    ones = call("broadcast_to", x.graph.as_constant(1.0, x.dtype), x.shape[x.ndim - count :])
    return total / x.graph.add("sum_pool", (_padded(ones, pairs),), window=window, stride=stride)


@function
def max_pool1d(x: Any, window: Any, *, stride: Any = None, padding: Any = 0) -> Handle:
    """The largest of each window of the last axis; see ``max_pool2d``."""
    return largest(x, window, stride, padding, 1)


@function
def max_pool2d(x: Any, window: Any, *, stride: Any = None, padding: Any = 0) -> Handle:
    """The largest of each window of the last two axes, ``stride`` (by default the window) apart.

    Padding never wins; NaN does. The gradient goes to the first of equal elements. Raises ``ShapeError`` for what
    does not fit.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(gc.max_pool2d(g.input("x", ("N", 8, 28, 28)), 3, stride=2, padding=1).type)
    f32[N,8,14,14]
    """
    return largest(x, window, stride, padding, 2)


@function
def avg_pool1d(
    x: Any, window: Any, *, stride: Any = None, padding: Any = 0, count_include_pad: bool = True
) -> Handle:
    """The mean of each window of the last axis; see ``avg_pool2d``."""
    return average(x, window, stride, padding, count_include_pad, 1)


@function
def avg_pool2d(
    x: Any, window: Any, *, stride: Any = None, padding: Any = 0, count_include_pad: bool = True
) -> Handle:
    """The mean of each window of the last two axes, ``stride`` (by default the window) apart.

    Padding counts as zeros; with ``count_include_pad=False`` it does not count. Raises ``ShapeError`` for what does
    not fit.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(gc.avg_pool2d(g.input("x", ("N", 8, 28, 28)), 2).type)
    f32[N,8,14,14]
    """
    return average(x, window, stride, padding, count_include_pad, 2)


__all__ = [
    "avg_pool1d", "avg_pool2d", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "max_pool1d",
    "max_pool2d",
]  # fmt: skip
