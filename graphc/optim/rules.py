"""The update rules, each as its formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from graphc.graph import Handle, call
from graphc.optim.base import BELOW_ONE, At, Hyper, Optimiser


@dataclass(frozen=True, slots=True, eq=False)
class SGD(Optimiser):
    """Gradient descent, ``p - learning_rate * g``.

    Gradients of a mini-batch make it stochastic gradient descent, those of all data gradient descent. The learning
    rate is the scalar state ``sgd.learning_rate``; a compiled program shows it as
    ``program.states["sgd.learning_rate"]``, where a new value takes effect at the next call. States, names, weight
    decay, schedules and errors are those of ``Optimiser``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (3,), init=[1.0, 2.0, 3.0])
    >>> updates = SGD(0.5)(gc.grad(gc.sum(w * w)))
    >>> gc.interpret(updates[w]).tolist()
    [0.0, 0.0, 0.0]
    """

    learning_rate: Hyper

    def rule(self, at: At) -> Handle:
        return at.parameter - at["learning_rate"] * at.gradient


@dataclass(frozen=True, slots=True, eq=False)
class Momentum(Optimiser):
    """Gradient descent with momentum: ``v = momentum * v + g``, then ``p - learning_rate * v`` (Polyak 1964).

    Keeps ``<parameter>.velocity``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (), init=1.0)
    >>> step = gc.compile(updates=Momentum(0.1)(gc.grad(w * w / 2)))
    >>> for _ in range(2):
    ...     _ = step()
    >>> print(step.params["w"].round(3), sorted(step.states))
    0.72 ['momentum.learning_rate', 'momentum.momentum', 'w.velocity']
    """

    keeps: ClassVar[Sequence[str]] = ("velocity",)

    learning_rate: Hyper
    momentum: Hyper = field(default=0.9, metadata=BELOW_ONE)

    def rule(self, at: At) -> Handle:
        v = at.set("velocity", at["momentum"] * at["velocity"] + at.gradient)
        return at.parameter - at["learning_rate"] * v


@dataclass(frozen=True, slots=True, eq=False)
class Nesterov(Optimiser):
    """Nesterov's accelerated gradient: ``v = momentum * v + g``, then ``p - learning_rate * (g + momentum * v)``.

    With x where momentum leads, the gradient is taken ahead, at ``x - learning_rate * momentum * v``; that point is
    what is stored as the parameter (Sutskever, Martens, Dahl and Hinton 2013). Keeps ``<parameter>.velocity``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (), init=1.0)
    >>> step = gc.compile(updates=Nesterov(0.1)(gc.grad(w * w / 2)))
    >>> _ = step()
    >>> print(step.params["w"].round(3))
    0.81
    """

    keeps: ClassVar[Sequence[str]] = ("velocity",)

    learning_rate: Hyper
    momentum: Hyper = field(default=0.9, metadata=BELOW_ONE)

    def rule(self, at: At) -> Handle:
        v = at.set("velocity", at["momentum"] * at["velocity"] + at.gradient)
        return at.parameter - at["learning_rate"] * (at.gradient + at["momentum"] * v)


@dataclass(frozen=True, slots=True, eq=False)
class AdaGrad(Optimiser):
    """A rate for each element: ``s = s + g^2``, then ``p - learning_rate * g / (sqrt(s + eps_root) + eps)``.

    Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011. Keeps ``<parameter>.squares``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (2,), init=[1.0, -300.0])
    >>> gc.interpret(AdaGrad(0.5)(gc.grad(gc.sum(w * w)))[w]).tolist()
    [0.5, -299.5]
    """

    keeps: ClassVar[Sequence[str]] = ("squares",)

    learning_rate: Hyper = 0.01
    eps: Hyper = 1e-8
    eps_root: Hyper = 0.0

    def rule(self, at: At) -> Handle:
        s = at.set("squares", at["squares"] + call("square", at.gradient))
        return at.parameter - at["learning_rate"] * at.gradient / _root(at, s)


@dataclass(frozen=True, slots=True, eq=False)
class RMSProp(Optimiser):
    """AdaGrad with a moving average: ``s`` averages g^2, then ``p - learning_rate * g / (sqrt(s + eps_root) + eps)``.

    Tieleman and Hinton, lecture 6.5 of "Neural networks for machine learning", 2012. ``centred`` takes the square of
    the average gradient from s, which makes it a variance (Graves 2013); ``momentum`` sums the scaled gradients up,
    ``b = momentum * b + g / ...``, and steps along b. Keeps ``<parameter>.squares``, ``.mean`` and ``.velocity``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (2,), init=[1.0, -300.0])
    >>> gc.interpret(RMSProp(0.5, decay=0.75)(gc.grad(gc.sum(w * w)))[w]).tolist()
    [0.0, -299.0]
    """

    learning_rate: Hyper = 0.01
    decay: Hyper = field(default=0.9, metadata=BELOW_ONE)
    eps: Hyper = 1e-8
    eps_root: Hyper = 0.0
    momentum: Hyper | None = field(default=None, metadata=BELOW_ONE)
    centred: bool = False

    @property
    def keeps(self) -> Sequence[str]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return ("squares", *["mean"] * self.centred, *["velocity"] * (self.momentum is not None))

    def rule(self, at: At) -> Handle:
        s = at.average("squares", at["decay"], call("square", at.gradient))
        if self.centred:  # a variance is not negative, but its rounding may be
            mean = at.average("mean", at["decay"], at.gradient)
            s = call("maximum", s - call("square", mean), 0)
        along = at.gradient / _root(at, s)
        if self.momentum is not None:
            along = at.set("velocity", at["momentum"] * at["velocity"] + along)
        return at.parameter - at["learning_rate"] * along


@dataclass(frozen=True, slots=True, eq=False)
class Adam(Optimiser):
    """Adaptive moments with bias correction (Kingma and Ba 2015).

    ``m`` and ``v`` are moving averages of the gradient and of its square; in step t

        p - learning_rate * m' / (sqrt(v' + eps_root) + eps),  m' = m / (1 - beta1^t),  v' = v / (1 - beta2^t)

    Keeps ``<parameter>.m`` and ``<parameter>.v``; the steps done are the int64 state ``adam.step``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (2,), init=[1.0, -300.0])
    >>> step = gc.compile(updates=Adam(0.1)(gc.grad(gc.sum(w * w))))
    >>> _ = step()
    >>> print(step.params["w"], step.states["adam.step"])
    [   0.9 -299.9] 1
    """

    keeps: ClassVar[Sequence[str]] = ("m", "v")
    counts: ClassVar[bool] = True

    learning_rate: Hyper = 1e-3
    beta1: Hyper = field(default=0.9, metadata=BELOW_ONE)
    beta2: Hyper = field(default=0.999, metadata=BELOW_ONE)
    eps: Hyper = 1e-8
    eps_root: Hyper = 0.0

    def rule(self, at: At) -> Handle:
        return at.parameter - _adaptive(at)


@dataclass(frozen=True, slots=True, eq=False)
class AdamW(Optimiser):
    """Adam whose weight decay is no part of the gradient: ``p - learning_rate * weight_decay * p`` beside Adam's step.

    Loshchilov and Hutter, "Decoupled weight decay regularization", 2019. States as of ``Adam``, under ``adamw``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (2,), init=[1.0, -300.0])
    >>> gc.interpret(AdamW(0.1, weight_decay=0.5)(gc.grad(gc.sum(w * w)))[w]).round(3).tolist()
    [0.85..., -284.89...]
    """

    keeps: ClassVar[Sequence[str]] = ("m", "v")
    counts: ClassVar[bool] = True
    decoupled: ClassVar[bool] = True

    learning_rate: Hyper = 1e-3
    beta1: Hyper = field(default=0.9, metadata=BELOW_ONE)
    beta2: Hyper = field(default=0.999, metadata=BELOW_ONE)
    eps: Hyper = 1e-8
    eps_root: Hyper = 0.0
    weight_decay: Hyper = field(default=0.01, kw_only=True)  # pyright: ignore[reportIncompatibleVariableOverride]

    def rule(self, at: At) -> Handle:
        return at.parameter - at["learning_rate"] * at["weight_decay"] * at.parameter - _adaptive(at)


def _adaptive(at: At) -> Handle:
    """Adam's step."""
    m = at.average("m", at["beta1"], at.gradient)
    v = at.average("v", at["beta2"], call("square", at.gradient))
    rate = at["learning_rate"] / at.correction(at["beta1"])
    return rate * m / _root(at, v / at.correction(at["beta2"]))


def _root(at: At, squares: Handle) -> Handle:
    return call("sqrt", squares + at["eps_root"]) + at["eps"]


__all__ = ["SGD", "AdaGrad", "Adam", "AdamW", "Momentum", "Nesterov", "RMSProp"]
