"""Optimisers made of optimisers: groups of parameters, updates under a mask, averages of weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.declare.names import chosen, free_name
from graphc.errors import GraphcError, GraphError
from graphc.graph import Handle, call
from graphc.init import Ones, initial_value
from graphc.optim.base import Gradients, Updates
from graphc.optim.schedules import is_amount

Rule = Callable[[Gradients], Updates]


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """One optimiser for each group of parameters: ``{which: optimiser}``, of which the first that fits a parameter
    takes it.

    ``which`` is a pattern of names, a parameter, or a tuple of these. Raises ``GraphError`` for a ``which`` that
    means none of the parameters, and for a parameter that is in no group.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y = gc.nn.Dense(2, name="out")(g.input("x", ("N", 3)))
    >>> rule = Groups({"*.bias": gc.optim.SGD(0.1), "*": gc.optim.AdamW(1e-3)})
    >>> [u.name for u in rule(gc.grad(gc.sum(y * y)))][:3]
    ['out.bias', 'adamw.step', 'out.weight.m']
    """

    groups: Mapping[Any, Rule]

    def __post_init__(self) -> None:
        if not isinstance(self.groups, Mapping) or not self.groups:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise GraphError(f"{self.groups!r} has no groups; give {{names: optimiser}}").located("Groups")

    def __call__(self, grads: Gradients) -> Updates:
        """The updates of all groups."""
        left, updates = dict(grads), Updates()
        for which, optimiser in self.groups.items():
            meant = _chosen(grads, which, "Groups")
            group = {p: left.pop(p) for p in meant if p in left}
            updates |= optimiser(group) if group else {}
        if left:
            names = ", ".join(p.name for p in left)
            raise GraphError(f"{names} are in no group; add '*' for all others").located("Groups")
        return updates


@dataclass(frozen=True, slots=True, eq=False)
class Masked:
    """``optimiser`` under masks: where a parameter's mask is false, its gradient counts as 0 and it becomes 0.

    Each of ``params`` (a pattern of names, a parameter, or several) has a mask of its shape, the boolean state
    ``<parameter>.mask``, true at first. A new mask takes effect at the next call, without compilation: ``prune``
    sets it. Raises ``GraphError`` where ``params`` means none.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (4,), init=[1.0, -2.0, 3.0, -4.0])
    >>> step = gc.compile(updates=Masked(gc.optim.SGD(0.25))(gc.grad(gc.sum(w * w))))
    >>> step.states["w.mask"] = [True, False, True, True]
    >>> _ = step()
    >>> step.params["w"].tolist()
    [0.5, 0.0, 1.5, -2.0]
    """

    optimiser: Rule
    params: Any = "*"
    _masks: dict[Handle, Handle] = field(default_factory=dict[Handle, Handle], init=False, repr=False)

    def __call__(self, grads: Gradients) -> Updates:
        """The updates of the optimiser, masked."""
        masks = {p: self._mask(p) for p in _chosen(grads, self.params, "Masked")}
        updates = self.optimiser({p: _where(masks.get(p), g) for p, g in grads.items()})
        return updates | {p: _where(mask, updates[p]) for p, mask in masks.items()}

    def _mask(self, parameter: Handle) -> Handle:
        if parameter not in self._masks:
            graph = parameter.graph
            name = free_name(graph, f"{parameter.name}.mask", "")
            with graph.role("update"):
                self._masks[parameter] = graph.state(name, parameter.shape, "bool", init=Ones())
        return self._masks[parameter]


def prune(program: Any, name: str, fraction: float) -> float:
    """Mask the given ``fraction`` of parameter ``name`` of ``program``, the smallest by magnitude, and set it to 0.

    The program's optimiser is ``Masked``. Gives the magnitude below which all was pruned; a fraction of 0 lifts the
    mask. Raises ``GraphError`` for a parameter without a mask and for a fraction outside [0, 1].

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (4,), init=[1.0, -2.0, 3.0, -4.0])
    >>> step = gc.compile(updates=Masked(gc.optim.SGD(0.25))(gc.grad(gc.sum(w * w))))
    >>> prune(step, "w", 0.5), step.params["w"].tolist()
    (3.0, [0.0, 0.0, 3.0, -4.0])
    """
    if not is_amount(fraction) or fraction > 1:
        raise GraphError(f"fraction={fraction!r}; give a number from 0 to 1").located("prune")
    if f"{name}.mask" not in program.states:
        raise GraphError(f"{name!r} has no mask; give the program updates of Masked").located("prune")
    mask, values = program.states[f"{name}.mask"], program.params[name]
    order = np.argsort(np.abs(values), axis=None, kind="stable")
    count = round(fraction * values.size)
    mask[...] = True
    mask.reshape(-1)[order[:count]] = False
    values[~mask] = 0
    return float(np.abs(values)[mask].min()) if count < values.size else float("inf")


def averaged(updates: Updates, decay: float = 0.999) -> Updates:
    """``updates`` with an exponential moving average of each parameter, the state ``<parameter>.average``.

    decay * average + (1 - decay) * next value, from the parameter's first value on (Polyak and Juditsky 1992 for the
    plain average). ``decay`` is a number from 0 to below 1.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (), init=1.0)
    >>> step = gc.compile(updates=averaged(gc.optim.SGD(0.5)(gc.grad(w * w)), decay=0.75))
    >>> _ = step()
    >>> float(step.params["w"]), float(step.states["w.average"])
    (0.0, 0.75)
    """
    if not is_amount(decay) or decay >= 1:
        raise GraphError(f"decay={decay!r}; give a number from 0 to below 1").located("averaged")
    found = dict(updates)
    for parameter, value in updates.items():
        if parameter.node.op == "param":
            state = _average(parameter)
            with state.graph.role("update"), state.graph.scope("averaged"):
                found[state] = decay * state + (1 - decay) * value
    return found


def _average(parameter: Handle) -> Handle:
    graph, name = parameter.graph, free_name(parameter.graph, f"{parameter.name}.average", "")

    def first(*_: Any) -> Any:
        return initial_value(graph, parameter)

    with graph.role("update"):
        return graph.state(name, parameter.shape, parameter.dtype.long, init=first)


def _where(mask: Handle | None, value: Handle) -> Handle:
    if mask is None:
        return value
    with value.graph.role("update"), value.graph.scope("masked"):
        return call("where", mask, value, 0.0)


def _chosen(grads: Gradients, which: Any, where: str) -> list[Handle]:
    try:
        return chosen(list(grads), which)
    except GraphcError as error:
        raise error.located(where) from None


__all__ = ["Groups", "Masked", "averaged", "prune"]
