"""What optimisers share: hyperparameters and moments as named states, the count of steps, checks of what is
given."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, ClassVar, Self, cast

from graphc.declare.names import free_name, require_dataclass
from graphc.errors import GraphError
from graphc.graph import Graph, Handle, call, cast_to, check_update, graph_of
from graphc.optim.schedules import Hyper, Schedule, is_amount
from graphc.types import DType, promote

Gradients = Mapping[Handle, Handle]
Updates = dict[Handle, Handle]

#: Metadata of a hyperparameter below 1; the others are any finite number of at least 0.
BELOW_ONE: Mapping[str, float] = {"below": 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class At:
    """One parameter in front of an optimiser's rule: what the rule reads, and what it keeps.

    ``at["beta1"]`` is a hyperparameter, ``at["m"]`` a value kept from the step before, each in the parameter's
    dtype; ``at.set("m", value)`` keeps ``value`` for the next step and gives it.
    """

    parameter: Handle
    gradient: Handle
    states: Mapping[str, Handle]
    updates: Updates

    def __getitem__(self, name: str) -> Handle:
        return cast_to(self.states[name], self.parameter.dtype)

    def set(self, name: str, value: Handle) -> Handle:
        """``value``, kept as what ``at[name]`` gives in the next step."""
        self.updates[self.states[name]] = value
        return value

    def average(self, name: str, decay: Handle, value: Handle) -> Handle:
        """The exponential moving average of ``value``, kept under ``name``: decay * before + (1 - decay) * value.

        It starts at 0, so after t steps its weights sum to 1 - decay^t, which is what ``correction`` gives.
        """
        return self.set(name, decay * self[name] + (1 - decay) * value)

    def correction(self, decay: Handle) -> Handle:
        """1 - decay^t in step t, as -expm1(t log(decay)): a power next to 1 would lose its digits. A scalar, once a
        step."""
        return -call("expm1", cast_to(self.updates[self.states["step"]], decay.dtype) * call("log", decay))


@dataclass(frozen=True, slots=True, eq=False)
class Optimiser(ABC):
    """An update rule. A subclass is a frozen dataclass that gives its hyperparameters as ``float`` fields and ``rule``.

    Called with ``{parameter: gradient}`` it gives the updates of one step: ``{parameter: next value}``, and those
    of the states that it keeps. Hyperparameters are scalar states in the widest dtype of the parameters, called
    ``<optimiser>.<field>`` (``adam.beta1``; ``adam_1.beta1`` for a second Adam of the same graph). ``keeps``
    names what is kept for each parameter, as states ``<parameter>.<name>`` that start at 0; with ``counts`` the
    number of steps done is the state ``<optimiser>.step``. One object called twice uses one set of states.

    A ``Schedule`` in the place of a number makes the program compute it from the count of steps; its state then
    shows the value of the last step. A hyperparameter that is None is no part of the formula.

    ``weight_decay`` adds ``weight_decay * p`` to the gradient, the slope of the term ``weight_decay / 2 * sum(p^2)``;
    a ``decoupled`` rule reads it itself instead.

    Raises ``GraphError`` for hyperparameters out of range, for no gradients, and for keys that are no parameters;
    ``ShapeError`` and ``DTypeError`` for gradients that do not fit their parameter.

    >>> import graphc as gc
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, slots=True, eq=False)
    ... class SignDescent(Optimiser):
    ...     learning_rate: float
    ...     def rule(self, at):
    ...         return at.parameter - at["learning_rate"] * gc.sign(at.gradient)
    >>> g = gc.Graph()
    >>> w = g.param("w", (2,), init=[1.0, -3.0])
    >>> gc.interpret(SignDescent(0.5)(gc.grad(gc.sum(w * w)))[w]).tolist()
    [0.5, -2.5]
    """

    keeps: ClassVar[Sequence[str]] = ()
    counts: ClassVar[bool] = False
    decoupled: ClassVar[bool] = False
    weight_decay: Hyper | None = field(default=None, kw_only=True)
    _owned: dict[int, _Owned] = field(default_factory=dict[int, "_Owned"], init=False, repr=False)

    def __new__(cls, *_args: Any, **_settings: Any) -> Self:
        require_dataclass(cls)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        for each in _hyperparameters(self):
            _check_number(self, each)

    @abstractmethod
    def rule(self, at: At) -> Handle:
        """The next value of one parameter."""

    def __call__(self, grads: Gradients) -> Updates:
        """The updates that one step along ``grads`` makes."""
        graph = _checked(grads, _title(self))
        updates: Updates = {}
        with graph.role("update"):
            owned = self._owned.get(id(graph)) or self._own(graph, grads)
            kept = [self._states(owned, p) for p in grads]
            with graph.scope(_title(self).lower()):
                values = _advanced(self, owned, updates)
                for (p, gradient), own in zip(grads.items(), kept, strict=True):
                    updates[p] = self.rule(self.decayed(At(p, gradient, {**values, **own}, updates)))
        return updates

    def decayed(self, at: At) -> At:
        """``at`` with weight decay in its gradient, unless the rule reads that itself."""
        if self.weight_decay is None or self.decoupled:
            return at
        return replace(at, gradient=at.gradient + at["weight_decay"] * at.parameter)

    def _own(self, graph: Graph, grads: Gradients) -> _Owned:
        first = {each.name: _first(getattr(self, each.name)) for each in _hyperparameters(self)}
        widest = promote(p.dtype for p in grads)
        with graph.scope(free_name(graph, _title(self).lower(), next(iter(first), "step"))):
            shared = {n: graph.state(n, (), widest, init=value) for n, value in first.items()}
            if self.counts or any(isinstance(getattr(self, n), Schedule) for n in first):
                shared["step"] = graph.state("step", (), DType.I64.long)
        return self._owned.setdefault(id(graph), _Owned(graph, shared, {}))

    def _states(self, owned: _Owned, parameter: Handle) -> Mapping[str, Handle]:
        """What is kept for ``parameter``, by the names that ``rule`` uses."""
        if parameter not in owned.kept:
            owned.kept[parameter] = {n: _beside(parameter, n) for n in self.keeps}
        return owned.kept[parameter]


@dataclass(frozen=True, slots=True)
class _Owned:
    """An optimiser's states in one graph. Holding the graph keeps its identity from being reused."""

    graph: Graph
    shared: dict[str, Handle]
    kept: dict[Handle, dict[str, Handle]]


def _beside(parameter: Handle, name: str) -> Handle:
    graph = parameter.graph
    free = free_name(graph, f"{parameter.name}.{name}", "")
    return graph.state(free, parameter.shape, parameter.dtype.long)


def _title(optimiser: Optimiser) -> str:
    return type(optimiser).__name__


def _advanced(optimiser: Optimiser, owned: _Owned, updates: Updates) -> dict[str, Handle]:
    """What rules read of the states that all parameters share: those that are counted or scheduled move on."""
    values = dict(owned.shared)
    step = owned.shared.get("step")
    if step is None:
        return values
    updates[step] = step + 1
    for each in _hyperparameters(optimiser):
        schedule = getattr(optimiser, each.name)
        if isinstance(schedule, Schedule):
            state = owned.shared[each.name]
            values[each.name] = updates[state] = cast_to(schedule.at(step), state.dtype)
    return values


# As annotations are, or as they are written where they are not evaluated.
_NUMBERS = (float, float | None, Hyper, Hyper | None, "float", "float | None", "Hyper", "Hyper | None")


def _hyperparameters(optimiser: Optimiser) -> list[Field[Any]]:
    """The fields that are numbers or schedules, the optimiser's own before those of all."""
    found = [each for each in fields(optimiser) if each.type in _NUMBERS and not _left_out(optimiser, each)]
    return sorted(found, key=lambda each: each.kw_only is True)


def _left_out(optimiser: Optimiser, declared: Field[Any]) -> bool:
    return declared.default is None and getattr(optimiser, declared.name) is None


def _first(value: Hyper) -> float:
    return value(0) if isinstance(value, Schedule) else float(value)


# ------------------------------------------------------------------------------------------------- checks


def _check_number(optimiser: Optimiser, declared: Field[Any]) -> None:
    given, below = getattr(optimiser, declared.name), declared.metadata.get("below", math.inf)
    value = given(0) if isinstance(given, Schedule) else given
    if not is_amount(value) or value >= below:
        wanted = "finite number of at least 0" if below == math.inf else f"number from 0 to below {below:g}"
        starts = f", which starts at {value!r}" if isinstance(given, Schedule) else ""
        raise GraphError(f"{declared.name}={given!r}{starts}; give a {wanted}").located(_title(optimiser))


def _checked(grads: Any, optimiser: str) -> Graph:
    """The graph of ``grads``, each of which fits its parameter."""
    if not isinstance(grads, Mapping) or not grads:
        raise GraphError(f"{grads!r} is no {{parameter: gradient}}; give gc.grad(loss)").located(optimiser)
    for target, gradient in cast("Gradients", grads).items():
        _check_pair(target, gradient, optimiser)
    return graph_of(list(cast("Gradients", grads)), optimiser)


def _check_pair(target: Any, gradient: Any, optimiser: str) -> None:
    if not isinstance(target, Handle):
        raise GraphError(f"{target!r} is no parameter; give handles").located(optimiser)
    if target.node.op not in ("param", "state"):
        problem = f"{target.label} is no parameter; only parameters and states are updated"
        raise GraphError(problem).located(optimiser, target.place)
    if not isinstance(gradient, Handle):
        raise GraphError(f"gradient {gradient!r} of {target.label} is no node; give gc.grad(loss)").located(
            optimiser, target.place
        )
    check_update(target, gradient)


__all__ = ["BELOW_ONE", "At", "Gradients", "Hyper", "Optimiser", "Updates"]
