"""Convolutions and their transposes over (batch, channels, spatial axes ...)."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from graphc.graph import Handle, call
from graphc.nn.activations import Activate, activation_of
from graphc.nn.base import Applied, Layer
from graphc.nn.settings import Each, at_least, divides, each, spread


@dataclass(frozen=True, slots=True, eq=False)
class _Windowed(Layer):
    """What convolutions in both directions have in common."""

    axes: ClassVar[int]

    out_channels: int
    kernel_size: Each
    stride: Each = 1
    _: KW_ONLY
    padding: Any = 0
    dilation: Each = 1
    groups: int = 1
    activation: str | Activate | None = None
    use_bias: bool = True
    init: Any = None
    bias_init: Any = None

    def _check(self) -> None:
        at_least(1, out_channels=self.out_channels, groups=self.groups)
        each(self.axes, 1, kernel_size=self.kernel_size, stride=self.stride, dilation=self.dilation)
        divides(self.groups, self.out_channels, "output channels")
        activation_of(self.activation)

    def _channels(self, own: Applied) -> int:
        """The channels of the input, which has the right axes and falls into the groups."""
        own.require_axes("batch", "channels", *_SPATIAL[self.axes])
        channels = own.size(1, "channels")
        divides(self.groups, channels, "input channels")
        return channels

    def _applied(self, own: Applied, op: str, x: Handle, first: int, second: int, **more: Any) -> Handle:
        shape = (first, second // self.groups, *spread(self.kernel_size, self.axes))
        weight = own.param("weight", shape, init=self.init)
        bias = own.param("bias", (self.out_channels,), init=self.bias_init) if self.use_bias else None
        steps = {name: getattr(self, name) for name in ("stride", "padding", "dilation", "groups")}
        return activation_of(self.activation)(call(op, x, weight, bias, **steps, **more))


_SPATIAL = {1: ("length",), 2: ("height", "width")}


class _Convolution(_Windowed):
    __slots__ = ()

    def check(self) -> None:
        self._check()

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        with self.at(x) as own:
            return self._applied(own, f"conv{self.axes}d", x, self.out_channels, self._channels(own))


@dataclass(frozen=True, slots=True, eq=False)
class Conv1d(_Convolution):
    """``activation(conv1d(x, weight) + bias)`` for ``x`` (batch, channels, length); see ``Conv2d``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(Conv1d(8, 5, stride=2, padding=2)(g.input("x", ("N", 3, 100))).type)
    f32[N,8,50]
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, eq=False)
class Conv2d(_Convolution):
    """``activation(conv2d(x, weight) + bias)`` for ``x`` (batch, channels, height, width), as PyTorch's Conv2d.

    Weight ``(out_channels, channels / groups, height, width)`` of the kernel, bias ``(out_channels,)``.
    ``kernel_size``, ``stride`` and ``dilation`` are an int or one for each axis; ``padding`` as in ``gc.conv2d``:
    numbers, pairs, "valid", or, for odd kernels, "same". ``groups`` = channels makes it depthwise. An activation by
    name runs along the last axis where it has one (softmax).

    Raises ``GraphError`` for settings below their least and channels that do not fall into the groups, ``ShapeError``
    for an input of another rank, with a symbolic number of channels, or smaller than the window.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y = Conv2d(16, 3, padding="same", activation="relu", name="c")(g.input("x", ("N", 3, 28, 28)))
    >>> print(y.type, [str(p.type) for p in g.params])
    f32[N,16,28,28] ['f32[16,3,3,3]', 'f32[16]']
    """

    axes: ClassVar[int] = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Transposed(_Windowed):
    output_padding: Each = 0

    def check(self) -> None:
        self._check()
        each(self.axes, 0, padding=self.padding, output_padding=self.output_padding)

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        with self.at(x) as own:
            op, channels = f"conv_transpose{self.axes}d", self._channels(own)
            return self._applied(own, op, x, channels, self.out_channels, output_padding=self.output_padding)


@dataclass(frozen=True, slots=True, eq=False)
class ConvTranspose1d(_Transposed):
    """The adjoint of ``Conv1d``, as PyTorch's ConvTranspose1d; see ``ConvTranspose2d``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(ConvTranspose1d(3, 4, stride=2, padding=1)(g.input("x", ("N", 8, 50))).type)
    f32[N,3,100]
    """

    axes: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, eq=False)
class ConvTranspose2d(_Transposed):
    """The adjoint of ``Conv2d`` plus a bias, as PyTorch's ConvTranspose2d: what makes pictures larger.

    Weight ``(channels, out_channels / groups, height, width)`` of the kernel. An axis of size ``n`` gets
    ``(n - 1) stride - 2 padding + dilation (kernel_size - 1) + 1 + output_padding``. Raises as ``Conv2d``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(ConvTranspose2d(3, 4, stride=2, padding=1)(g.input("x", ("N", 8, 14, 14))).type)
    f32[N,3,28,28]
    """

    axes: ClassVar[int] = 2


__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"]
