"""The update rules, each as its formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from graphc.graph import Handle, call
from graphc.optim.base import BELOW_ONE, At, Optimiser


@dataclass(frozen=True, slots=True, eq=False)
class SGD(Optimiser):
    """Gradient descent, ``p - learning_rate * g``.

    Gradients of a mini-batch make it stochastic gradient descent, those of all data gradient descent. The learning
    rate is the scalar state ``sgd.learning_rate``; a compiled program shows it as
    ``program.states["sgd.learning_rate"]``, where a new value takes effect at the next call. States, names and
    errors are those of ``Optimiser``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (3,), init=[1.0, 2.0, 3.0])
    >>> updates = SGD(0.5)(gc.grad(gc.sum(w * w)))
    >>> gc.interpret(updates[w]).tolist()
    [0.0, 0.0, 0.0]
    """

    learning_rate: float

    def rule(self, at: At) -> Handle:
        return at.parameter - at["learning_rate"] * at.gradient


@dataclass(frozen=True, slots=True, eq=False)
class Momentum(Optimiser):
    """Gradient descent with momentum: ``v = momentum * v + g``, then ``p - learning_rate * v`` (Polyak 1964).

    With ``nesterov`` the step is ``p - learning_rate * (g + momentum * v)``: Nesterov's accelerated gradient, with
    the parameter stored at the look-ahead point ``x - learning_rate * momentum * v``, where the gradient is taken
    (Sutskever et al. 2013). Keeps ``<parameter>.velocity``.

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

    learning_rate: float
    momentum: float = field(default=0.9, metadata=BELOW_ONE)
    nesterov: bool = False

    def rule(self, at: At) -> Handle:
        v = at.set("velocity", at["momentum"] * at["velocity"] + at.gradient)
        along = at.gradient + at["momentum"] * v if self.nesterov else v
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

    learning_rate: float = 1e-3
    beta1: float = field(default=0.9, metadata=BELOW_ONE)
    beta2: float = field(default=0.999, metadata=BELOW_ONE)
    eps: float = 1e-8
    eps_root: float = 0.0

    def rule(self, at: At) -> Handle:
        m = at.average("m", at["beta1"], at.gradient)
        v = at.average("v", at["beta2"], call("square", at.gradient))
        rate = at["learning_rate"] / at.correction(at["beta1"])
        spread = call("sqrt", v / at.correction(at["beta2"]) + at["eps_root"])
        return at.parameter - rate * m / (spread + at["eps"])


__all__ = ["SGD", "Adam", "Momentum"]
