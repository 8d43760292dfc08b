"""Pooling over the last axes of (batch, channels, spatial axes ...)."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from graphc.graph import Handle, call
from graphc.nn.base import Layer
from graphc.nn.settings import Each, each
from graphc.types import normalise_axis, product


@dataclass(frozen=True, slots=True, eq=False)
class _Pool(Layer):
    """A window over the last axes, ``stride`` (by default the window) apart."""

    axes: ClassVar[int]
    op: ClassVar[str]

    kernel_size: Each
    stride: Each | None = None
    _: KW_ONLY
    padding: Any = 0

    def check(self) -> None:
        each(self.axes, 1, kernel_size=self.kernel_size)
        if self.stride is not None:
            each(self.axes, 1, stride=self.stride)

    def _pooled(self, x: Handle, **more: Any) -> Handle:
        with self.at(x):
            return call(self.op, x, self.kernel_size, stride=self.stride, padding=self.padding, **more)


class _Max(_Pool):
    __slots__ = ()

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        return self._pooled(x)


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool1d(_Max):
    """The largest of each window of the last axis; see ``MaxPool2d``."""

    axes: ClassVar[int] = 1
    op: ClassVar[str] = "max_pool1d"


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool2d(_Max):
    """The largest of each window of the last two axes, as ``gc.max_pool2d``: padding never wins.

    Raises ``GraphError`` for settings below 1, ``ShapeError`` for windows that do not fit.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(MaxPool2d(3, 2, padding=1)(g.input("x", ("N", 8, 28, 28))).type)
    f32[N,8,14,14]
    """

    axes: ClassVar[int] = 2
    op: ClassVar[str] = "max_pool2d"


@dataclass(frozen=True, slots=True, eq=False)
class _Mean(_Pool):
    count_include_pad: bool = True

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        return self._pooled(x, count_include_pad=self.count_include_pad)


@dataclass(frozen=True, slots=True, eq=False)
class AvgPool1d(_Mean):
    """The mean of each window of the last axis; see ``AvgPool2d``."""

    axes: ClassVar[int] = 1
    op: ClassVar[str] = "avg_pool1d"


@dataclass(frozen=True, slots=True, eq=False)
class AvgPool2d(_Mean):
    """The mean of each window of the last two axes, as ``gc.avg_pool2d``.

    Padding counts as zeros; with ``count_include_pad=False`` it does not count. Raises as ``MaxPool2d``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(AvgPool2d(2)(g.input("x", ("N", 8, 28, 28))).type)
    f32[N,8,14,14]
    """

    axes: ClassVar[int] = 2
    op: ClassVar[str] = "avg_pool2d"


@dataclass(frozen=True, slots=True, eq=False)
class GlobalAvgPool(Layer):
    """The mean of each channel over all axes behind it: (batch, channels, ...) to (batch, channels).

    Raises ``ShapeError`` for an input without such axes.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(GlobalAvgPool()(g.input("x", ("N", 8, 7, 7))).type)
    f32[N,8]
    """

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        with self.at(x) as own:
            own.require_axes("batch", "channels", "width", "...")
            return call("mean", x, tuple(range(2, x.ndim)))


@dataclass(frozen=True, slots=True, eq=False)
class Flatten(Layer):
    """All axes from ``start`` on in one: (batch, channels, height, width) to (batch, features).

    Raises ``ShapeError`` for an input without axis ``start``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(Flatten()(g.input("x", ("N", 8, 7, 7))).type)
    f32[N,392]
    """

    start: int = 1

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        with self.at(x):
            at = normalise_axis(self.start, x.ndim)
            return call("reshape", x, (*x.shape[:at], product(x.shape[at:])))


__all__ = ["AvgPool1d", "AvgPool2d", "Flatten", "GlobalAvgPool", "MaxPool1d", "MaxPool2d"]
