"""Normalising layers: the functions of ``ops`` with a learnt scale and shift, batch norm with running averages."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass

from graphc import init
from graphc.errors import GraphError
from graphc.graph import Handle, call
from graphc.nn.base import Applied, Layer
from graphc.nn.settings import at_least, divides, within
from graphc.types import DType, Shape, normalise_axes, normalise_axis, product


@dataclass(frozen=True, slots=True, eq=False)
class _Normalising(Layer):
    """``eps`` is added to the variance; ``affine`` adds the learnt scale and shift."""

    _: KW_ONLY
    eps: float = 1e-5
    affine: bool = True

    def _check(self) -> None:
        within(0, math.inf, eps=self.eps)

    def _scale(self, own: Applied, shape: Shape) -> Handle | None:
        return own.param("scale", shape, init=init.Ones()) if self.affine else None

    def _shift(self, own: Applied, shape: Shape) -> Handle | None:
        return own.param("shift", shape, init=init.Zeros()) if self.affine else None


@dataclass(frozen=True, slots=True, eq=False)
class BatchNorm(_Normalising):
    """``(x - mean) / sqrt(variance + eps) * scale + shift`` for each channel: axis 1, or ``axis``.

    In training mode mean and variance are those of the batch, over all other axes, and gradients go through them; the
    states ``running_mean`` and ``running_var`` follow, ``(1 - momentum) * running + momentum * batch``, where the
    variance of the batch is unbiased (of one value a channel, 0); an empty batch leaves them as they are. In evaluation
    mode the states are used. A layer called twice averages over both calls. Inputs are (batch, channels, ...) of any
    rank from 2.

    Raises ``GraphError`` for settings out of range and in the step of a loop, whose running averages nothing could
    hold; ``ShapeError`` for an input of one axis or with a symbolic number of channels. Ioffe and Szegedy, "Batch
    normalization", 2015.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y = BatchNorm(name="norm")(g.input("x", ("N", 2)))
    >>> print([p.name for p in g.params], [s.name for s in g.leaves("state")])
    ['norm.scale', 'norm.shift'] ['norm.running_mean', 'norm.running_var']
    >>> batch = [[1, 10], [3, 30]]
    >>> gc.interpret(y, mode="train", x=batch).round(2).tolist(), gc.interpret(y, x=batch).round(2).tolist()
    ([[-1.0, -1.0], [1.0, 1.0]], [[1.0, 10.0], [3.0, 30.0]])
    """

    _: KW_ONLY
    momentum: float = 0.1
    axis: int = 1

    def check(self) -> None:
        self._check()
        within(0, 1, momentum=self.momentum)

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        with self.at(x) as own:
            own.require_axes("batch", "channels", "...")
            if own.graph.around is not None:
                raise GraphError(
                    "running averages cannot follow in the step of a loop; use LayerNorm, or apply it outside"
                )
            at = normalise_axis(self.axis, x.ndim)
            shape = (own.size(at, "channels"),)
            scale, shift = self._scale(own, shape), self._shift(own, shape)
            mean = own.state("running_mean", shape)
            variance = own.state("running_var", shape, init=init.Ones())
            others = tuple(k for k in range(x.ndim) if k != at)
            now, spread = call("moments", x, others)
            count = _count(x, others, spread.dtype)
            self._follow(own, mean, now, count)
            self._follow(own, variance, spread * _unbiased(count), count)
            return call(
                "batch_norm", x, scale, shift, at, self.eps,
                mean=call("phase", now, mean), variance=call("phase", spread, variance),
            )  # fmt: skip

    def _follow(self, own: Applied, running: Handle, batch: Handle, count: Handle | int) -> None:
        """Let the average follow, from where an earlier call of the layer leaves it.

        A program without the inputs of this call leaves it out, and one with those of this call alone the others.
        """
        graph = own.graph
        if running.id not in graph.state_updates:
            graph.set_update(running, self._average(running, batch, count))
            return
        ids = (graph.state_updates[running.id], *graph.stand_ins[running.id])
        before = [graph.handle(at) for at in ids]
        together = self._average(before[0], batch, count)
        graph.set_update(running, together, *before, self._average(running, batch, count))

    def _average(self, before: Handle, batch: Handle, count: Handle | int) -> Handle:
        after = call("cast", (1 - self.momentum) * before + self.momentum * batch, before.dtype)
        # The mean of no values is NaN, which an average would keep for good.
        return (
            call("where", count > 0, after, before)
            if isinstance(count, Handle)
            else after
            if count
            else before
        )


def _count(x: Handle, axes: tuple[int, ...], dtype: DType) -> Handle | int:
    """How many values there are over ``axes``."""
    count = product(x.shape[a] for a in axes)
    return count if isinstance(count, int) else call("extent", x, axes, dtype)


def _unbiased(count: Handle | int) -> Handle | float:
    """n / (n - 1) for n values; 1 for a single one, whose variance is 0 as it stands."""
    if isinstance(count, int):
        return count / max(count - 1, 1)
    return count / call("maximum", count - 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class LayerNorm(_Normalising):
    """``(x - mean) / sqrt(variance + eps) * scale + shift`` over ``axis``, an int or a tuple, of each sample.

    Scale and shift have the sizes of these axes. Raises ``GraphError`` for eps below 0, ``ShapeError`` for axes that
    the input lacks and symbolic ones. Ba, Kiros and Hinton, "Layer normalization", 2016.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y = LayerNorm((-2, -1))(g.input("x", ("N", 4, 5)))
    >>> print(y.type, g.params[0].type)
    f32[N,4,5] f32[4,5]
    """

    axis: int | tuple[int, ...] = -1

    def check(self) -> None:
        self._check()

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        with self.at(x) as own:
            axes = normalise_axes(self.axis, x.ndim)
            shape = tuple(own.size(a) for a in axes)
            return call("layer_norm", x, self._scale(own, shape), self._shift(own, shape), axes, self.eps)


@dataclass(frozen=True, slots=True, eq=False)
class RMSNorm(Layer):
    """``x / sqrt(mean(x * x) + eps) * scale`` over ``axis``: layer norm without mean and shift.

    Raises as ``LayerNorm``. Zhang and Sennrich, "Root mean square layer normalization", 2019.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(gc.interpret(RMSNorm(eps=0.0)(g.const([[3.0, 4.0]]))).round(3))
    [[0.849 1.131]]
    """

    _: KW_ONLY
    axis: int | tuple[int, ...] = -1
    eps: float = 1e-5

    def check(self) -> None:
        within(0, math.inf, eps=self.eps)

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        with self.at(x) as own:
            axes = normalise_axes(self.axis, x.ndim)
            scale = own.param("scale", tuple(own.size(a) for a in axes), init=init.Ones())
            return call("rms_norm", x, scale, axes, self.eps)


@dataclass(frozen=True, slots=True, eq=False)
class InstanceNorm(_Normalising):
    """Each channel of each sample of (batch, channels, ...) with its own mean and variance, then scale and shift.

    Raises ``GraphError`` for eps below 0, ``ShapeError`` for an input of fewer than three axes or with a symbolic
    number of channels. Ulyanov, Vedaldi and Lempitsky, "Instance normalization", 2016.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(InstanceNorm(affine=False)(g.input("x", ("N", 3, "H", "W"))).type, g.params)
    f32[N,3,H,W] []
    """

    def check(self) -> None:
        self._check()

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        with self.at(x) as own:
            own.require_axes("batch", "channels", "width", "...")
            shape = (own.size(1, "channels"),) if self.affine else ()
            return call("instance_norm", x, self._scale(own, shape), self._shift(own, shape), self.eps)


@dataclass(frozen=True, slots=True, eq=False)
class GroupNorm(_Normalising):
    """(batch, channels, ...) with one mean and variance for each sample and group of channels, then scale and shift.

    Raises ``GraphError`` for settings out of range and channels that are no multiple of ``groups``, ``ShapeError``
    for an input of one axis or with a symbolic number of channels. Wu and He, "Group normalization", 2018.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(GroupNorm(2)(g.input("x", ("N", 6, 8, 8))).type, g.params[0].type)
    f32[N,6,8,8] f32[6]
    """

    groups: int

    def check(self) -> None:
        self._check()
        at_least(1, groups=self.groups)

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        with self.at(x) as own:
            own.require_axes("batch", "channels", "...")
            shape = (own.size(1, "channels"),)
            divides(self.groups, shape[0], "channels")
            scale, shift = self._scale(own, shape), self._shift(own, shape)
            return call("group_norm", x, self.groups, scale, shift, self.eps)


__all__ = ["BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"]
