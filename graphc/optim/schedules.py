"""Schedules: hyperparameters as functions of the number of steps done, computed inside the program."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.graph import Graph, Handle, call, lift
from graphc.interpret import interpret
from graphc.types import DType

Formula = Callable[[Handle], Any]


@dataclass(frozen=True, slots=True, repr=False)
class Schedule:
    """A hyperparameter that follows ``formula``, a function of nodes, of the number of steps done.

    Given in a number's place, as in ``Adam(Schedule(...))``, it is computed by the program itself, in float64, from
    the optimiser's count of steps: 0 in the first step. Called with a number of steps, or an array of them, it gives
    the value there, as the program computes it.

    >>> import graphc as gc
    >>> rate = Schedule(lambda t: 0.1 / gc.sqrt(1 + t))
    >>> rate(3), rate([0, 24]).round(3).tolist()
    (0.05, [0.1, 0.02])
    """

    formula: Formula
    text: str = "Schedule(...)"

    def at(self, step: Handle) -> Handle:
        """The node of the value once ``step`` steps are done; float64."""
        return lift(step.graph, self.formula(call("cast", step, "float64")), DType.F64)

    def __call__(self, step: Any) -> Any:
        steps = np.asarray(step, np.float64)
        graph = Graph("schedule")
        value = self.at(graph.input("step", steps.shape, "float64"))
        found = np.broadcast_to(interpret(value, step=steps), steps.shape)
        return float(found) if not steps.ndim else found

    def __repr__(self) -> str:
        return self.text


Hyper = float | Schedule


def constant(value: float) -> Schedule:
    """The same value at every step.

    >>> constant(0.1)(1000)
    0.1
    """
    rate = _amount("constant", value=value)
    return Schedule(lambda t: 0 * t + rate, f"constant({rate:g})")


def step_decay(rate: float, *, every: int, factor: float = 0.1) -> Schedule:
    """``rate * factor^floor(t / every)``: multiplied by ``factor`` each ``every`` steps.

    >>> step_decay(1.0, every=10, factor=0.5)([0, 9, 10, 25]).tolist()
    [1.0, 1.0, 0.5, 0.25]
    """
    rate, factor = _amount("step_decay", rate=rate), _amount("step_decay", factor=factor)
    _count("step_decay", every=every)
    text = f"step_decay({rate:g}, every={every}, factor={factor:g})"
    return Schedule(lambda t: rate * factor ** call("floor", t / every), text)


def exponential(rate: float, *, factor: float, every: int = 1) -> Schedule:
    """``rate * factor^(t / every)``: step decay without the steps.

    >>> exponential(1.0, factor=0.25, every=10)([0, 5, 10]).round(12).tolist()
    [1.0, 0.5, 0.25]
    """
    rate, factor = _amount("exponential", rate=rate), _amount("exponential", factor=factor)
    _count("exponential", every=every)
    text = f"exponential({rate:g}, factor={factor:g}, every={every})"
    return Schedule(lambda t: rate * factor ** (t / every), text)


def linear(start: float, end: float, *, steps: int) -> Schedule:
    """From ``start`` at step 0 evenly to ``end`` after ``steps`` steps, where it stays.

    >>> linear(1.0, 0.0, steps=4)([0, 1, 4, 9]).tolist()
    [1.0, 0.75, 0.0, 0.0]
    """
    start, end = _amount("linear", start=start), _amount("linear", end=end)
    _count("linear", steps=steps)
    text = f"linear({start:g}, {end:g}, steps={steps})"
    return Schedule(lambda t: start + (end - start) * call("minimum", t / steps, 1.0), text)


def cosine(rate: float, *, steps: int, end: float = 0.0, warmup: int = 0, restarts: bool = False) -> Schedule:
    """Half a cosine from ``rate`` down to ``end`` after ``steps`` steps, the first ``warmup`` of which lead up to it.

    ``end + (rate - end) (1 + cos(pi t / n)) / 2`` with n = ``steps - warmup``. Then it stays at ``end``, or with
    ``restarts`` starts at ``rate`` again each n steps (Loshchilov and Hutter, "SGDR", 2017).

    >>> cosine(1.0, steps=12, warmup=4)([0, 3, 4, 8, 12, 99]).round(12).tolist()
    [0.25, 1.0, 1.0, 0.5, 0.0, 0.0]
    """
    rate, end = _amount("cosine", rate=rate), _amount("cosine", end=end)
    _count("cosine", steps=steps)
    _count("cosine", least=0, warmup=warmup)
    if warmup >= steps:
        raise GraphError(f"warmup={warmup} leaves none of steps={steps}; give more steps").located("cosine")
    length = steps - warmup
    more = f", warmup={warmup}" * bool(warmup) + ", restarts=True" * restarts
    text = f"cosine({rate:g}, steps={steps}, end={end:g}{more})"

    def annealed(t: Handle) -> Handle:
        within = t % length if restarts else call("minimum", t, float(length))
        return end + (rate - end) * (1 + call("cos", within * (math.pi / length))) / 2

    return _after_warmup(warmup, Schedule(annealed), rate, text) if warmup else Schedule(annealed, text)


def warmup(steps: int, then: Hyper) -> Schedule:
    """Evenly up to the first value of ``then`` in ``steps`` steps, the first of which is not 0; then ``then``.

    ``then`` is a number or a schedule, which counts its steps from the end of the warm-up.

    >>> warmup(4, 0.1)([0, 1, 3, 4, 100]).tolist()
    [0.025, 0.05, 0.1, 0.1, 0.1]
    """
    _count("warmup", steps=steps)
    following = _schedule("warmup", then)
    return _after_warmup(steps, following, following(0), f"warmup({steps}, {then!r})")


def _after_warmup(steps: int, then: Schedule, rate: float, text: str) -> Schedule:
    rising = Schedule(lambda t: rate * (t + 1) / steps)
    return Schedule(_in_turn([(0, rising), (steps, then)]), text)


def piecewise(parts: Mapping[int, Hyper]) -> Schedule:
    """A number or a schedule from each of the given steps on; the first is 0. Schedules count from their own start.

    >>> piecewise({0: 0.1, 10: 0.01, 20: linear(0.01, 0.0, steps=10)})([9, 10, 25]).tolist()
    [0.1, 0.01, 0.005]
    """
    starts = sorted(parts) if isinstance(parts, Mapping) else []  # pyright: ignore[reportUnnecessaryIsInstance]
    for start in starts:
        _count("piecewise", least=0, start=start)
    if not starts or starts[0] != 0:
        raise GraphError(f"{parts!r} does not start at step 0; give {{0: value, step: value, ...}}").located(
            "piecewise"
        )
    pieces = [(start, _schedule("piecewise", parts[start])) for start in starts]
    listed = ", ".join(f"{start}: {parts[start]!r}" for start in starts)
    return Schedule(_in_turn(pieces), f"piecewise({{{listed}}})")


def _in_turn(pieces: list[tuple[int, Schedule]]) -> Formula:
    def formula(t: Handle) -> Any:
        value = pieces[0][1].formula(t)
        for start, piece in pieces[1:]:
            value = call("where", t >= float(start), piece.formula(t - float(start)), value)
        return value

    return formula


def _schedule(where: str, value: Hyper) -> Schedule:
    return value if isinstance(value, Schedule) else constant(_amount(where, value=value))


# ------------------------------------------------------------------------------------------------- checks


def is_amount(value: Any) -> bool:
    """Whether ``value`` is a finite real number of at least 0."""
    return not isinstance(value, bool) and isinstance(value, Real) and 0 <= float(value) < math.inf


def _amount(where: str, **given: Any) -> float:
    ((name, value),) = given.items()
    if not is_amount(value):
        raise GraphError(f"{name}={value!r}; give a finite number of at least 0").located(where)
    return float(value)


def _count(where: str, least: int = 1, **given: Any) -> None:
    ((name, value),) = given.items()
    if type(value) is not int or value < least:
        raise GraphError(f"{name}={value!r}; give an integer of at least {least}").located(where)


__all__ = [
    "Formula", "Hyper", "Schedule", "constant", "cosine", "exponential", "is_amount", "linear", "piecewise",
    "step_decay", "warmup",
]  # fmt: skip
