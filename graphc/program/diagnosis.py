"""What ``Program.debug`` finds: the first value that is not finite, how it came about, and the range of all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan

from graphc.codegen.module import formula, node_text
from graphc.graph import Cone, Graph, Origin
from graphc.program.probe import MOVED, Spot
from graphc.program.trace import Extrema, Found, first_of, is_finite

_ROLES = ("forward", "backward", "update")


@dataclass(frozen=True, slots=True)
class ValueRange:
    """A value and its smallest and largest element: ``low > high`` where it has none, None for booleans."""

    formula: str
    type: str
    low: float | None
    high: float | None

    @property
    def finite(self) -> bool:
        return self.low is None or self.high is None or is_finite(self.low, self.high)

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.formula}: {self.type}"
        if self.low > self.high:
            return f"{self.formula}: {self.type}, empty"
        both = f"{self.low:g}" if self.low == self.high else f"from {self.low:g} to {self.high:g}"
        return f"{self.formula}: {self.type}, {both}"


@dataclass(frozen=True, slots=True)
class Suspect:
    """The first value that is not finite.

    value:    its formula, over names and the numbers of nodes that the stages of the program show, and its range
    op:       what computes it; ``"input"``, ``"param"`` or ``"state"`` where it was given so
    role:     the part of the program that it belongs to: ``"forward"``, ``"backward"`` or ``"update"``
    layer:    the layer that declared it, and ``place`` the user's line
    steps:    within loops, the number of the step, outermost loop first
    operands: what it was computed from, all finite
    """

    value: ValueRange
    op: str
    role: str
    layer: str
    place: str
    steps: tuple[int, ...]
    operands: tuple[ValueRange, ...]

    @property
    def kind(self) -> str:
        """What it holds: ``"NaN"``, ``"inf"``, ``"-inf"`` or ``"inf and -inf"``."""
        ends = [end for end in (self.value.low, self.value.high) if end is not None]
        if any(map(isnan, ends)):
            return "NaN"
        return " and ".join(str(end) for end in dict.fromkeys(reversed(ends)) if not isfinite(end))

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.value.formula}: {self.value.type} holds {self.kind} ({self.role})"
        if self.steps:
            yield f"  in step {', '.join(map(str, self.steps))} of its loop"
        if self.layer:
            yield f"  layer {self.layer}"
        if self.place:
            yield f"  declared at {self.place}"
        yield from (f"  reads {operand}" for operand in self.operands)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What ``Program.debug`` found; ``print`` it.

    affected: the outputs and updates that are not finite
    first:    the first value that made them so; None if all are finite
    ranges:   the range of every value of the program, by the number of its node
    """

    name: str
    sizes: Mapping[str, int]
    affected: tuple[str, ...]
    first: Suspect | None
    ranges: Mapping[int, ValueRange]

    @property
    def ok(self) -> bool:
        """Whether all outputs and updates are finite."""
        return not self.affected

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        title = ", ".join([self.name, *(f"{name}={size}" for name, size in self.sizes.items())])
        if self.first is not None:
            yield f"{title}: not finite: {', '.join(self.affected)}"
            yield f"first: {self.first}"
            return
        yield f"{title}: all outputs and updates are finite"
        largest = max((r for r in self.ranges.values() if r.finite), key=_magnitude, default=None)
        if largest is not None:
            yield f"largest: {largest}"
        yield from (f"not finite, but without effect: {r}" for r in self.ranges.values() if not r.finite)


def _magnitude(value: ValueRange) -> float:
    if value.low is None or value.high is None or value.low > value.high:
        return 0.0
    return max(-value.low, value.high)


def diagnose(name: str, sizes: Mapping[str, int], cone: Cone, extrema: Extrema) -> Diagnosis:
    """What ``extrema``, measured in ``cone``, say of it."""
    ranges = {at: _range(cone.graph, Spot((), at), (), extrema) for at in cone.nodes}
    bad = {what: at for what, at in _results(cone).items() if not ranges[at].finite}
    found = first_of(cone, extrema, bad.values())
    first = None if found is None else _suspect(found, extrema)
    return Diagnosis(name, dict(sizes), tuple(bad), first, ranges)


def _results(cone: Cone) -> dict[str, int]:
    updates = {f"update of {cone.graph.handle(leaf).name!r}": at for leaf, at in cone.updates.items()}
    return {**{f"output {name!r}": at for name, at in cone.outputs.items()}, **updates}


def _range(graph: Graph, spot: Spot, steps: Sequence[int], extrema: Extrema) -> ValueRange:
    source = spot.node
    while graph.nodes[source].op in MOVED:
        [source] = graph.nodes[source].operands
    low, high = extrema.at(Spot(spot.loops, source), steps) or (None, None)
    node = graph.nodes[spot.node]
    named = node_text(graph, spot.node)
    text = named if node.is_leaf else f"{named} = {formula(graph, spot.node)}"
    return ValueRange(text, str(node.type), low, high)


def _suspect(found: Found, extrema: Extrema) -> Suspect:
    graph, spot = found.graph, found.spot
    origins = graph.origins(spot.node)
    first = origins[0] if origins else Origin()
    operands = dict.fromkeys(graph.nodes[spot.node].operands)
    return Suspect(
        value=_range(graph, spot, found.steps, extrema),
        op=graph.nodes[spot.node].op,
        role=_role(origins),
        layer=first.layer,
        place=first.place,
        steps=found.steps,
        operands=tuple(_range(graph, Spot(spot.loops, at), found.steps, extrema) for at in operands),
    )


def _role(origins: Sequence[Origin]) -> str:
    """A node declared in several parts belongs to the first that needs it."""
    roles = {origin.role for origin in origins}
    return next((role for role in _ROLES if role in roles), "forward")


__all__ = ["Diagnosis", "Suspect", "ValueRange", "diagnose"]
