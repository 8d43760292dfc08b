"""Where values stop being finite: back from what came out, through values that are not, to the first of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from graphc.graph import Body, Cone, Graph, Node, body_of, together
from graphc.program.probe import MOVED, Spot

Array = np.ndarray[Any, Any]
#: A node in one step of the loop at hand; outside loops the step is 0.
Instance = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Extrema:
    """The smallest and largest element of each value that was probed; within loops, of each step."""

    low: Mapping[Spot, Array]
    high: Mapping[Spot, Array]

    def at(self, spot: Spot, steps: Sequence[int]) -> tuple[float, float] | None:
        """Both for a value in these steps of its loops; None for a value without extrema."""
        if spot not in self.low:
            return None
        return float(self.low[spot][tuple(steps)]), float(self.high[spot][tuple(steps)])


def is_finite(low: float, high: float) -> bool:
    """Whether a value with these extrema is; of nothing they are the wrong way round."""
    return low > high or (isfinite(low) and isfinite(high))


@dataclass(frozen=True, slots=True)
class Found:
    """The first value that is not finite: a node of ``graph``, in these steps of the loops around it."""

    graph: Graph
    spot: Spot
    steps: tuple[int, ...]


def first_of(cone: Cone, extrema: Extrema, roots: Iterable[int]) -> Found | None:
    """The first value that is not finite of those that made one of ``roots`` so; None if all of them are finite.

    A value that is not finite, but whose readers are, is passed over: the branch of a ``where`` that was not taken,
    a mask of -inf.
    """
    return _Level(cone.graph, tuple(cone.nodes), extrema).first([(0, at) for at in roots])


@dataclass(frozen=True, slots=True)
class _Level:
    """The nodes of one graph: of the cone, or of a body in one step of the loops around it."""

    graph: Graph
    nodes: tuple[int, ...]
    extrema: Extrema
    loops: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()  # of the loops around the one whose body this is
    body: Body | None = None
    length: int = 1
    reverse: bool = False

    def first(self, roots: Iterable[Instance]) -> Found | None:
        seen: set[Instance] = set()
        stack = [each for each in roots if self.is_bad(each)]
        while stack:
            each = stack.pop()
            if each not in seen:
                seen.add(each)
                stack += [other for other in self.read_by(each) if self.is_bad(other)]
        if not seen:
            return None
        step, at = min(seen, key=lambda each: (self.turn(each[0]), each[1]))
        return self.inside(step, at, {k for s, k in seen if s == step}) or self.found(step, at)

    def found(self, step: int, at: int) -> Found:
        return Found(self.graph, Spot(self.loops, at), self.around(step))

    def around(self, step: int) -> tuple[int, ...]:
        """The steps of all loops around a node of this graph."""
        return self.steps if self.body is None else (*self.steps, step)

    def turn(self, step: int) -> int:
        """When a step runs."""
        return self.length - 1 - step if self.reverse else step

    def is_bad(self, each: Instance) -> bool:
        step, at = each
        while self.graph.nodes[at].op in MOVED:
            [at] = self.graph.nodes[at].operands
        found = self.extrema.at(Spot(self.loops, at), self.around(step))
        return found is not None and not is_finite(*found)

    def read_by(self, each: Instance) -> Iterator[Instance]:
        """What an instance reads in this graph; a carry reads the step before."""
        step, at = each
        yield from ((step, operand) for operand in self.graph.nodes[at].operands)
        if self.body is not None and at in self.body.carries and self.turn(step) > 0:
            before = step + 1 if self.reverse else step - 1
            yield before, self.body.following[self.body.carries.index(at)]

    def inside(self, step: int, at: int, bad: set[int]) -> Found | None:
        """The first within the body, where node ``at`` is a loop; ``bad`` are all nodes that are not finite."""
        body = body_of(self.graph.nodes[at])
        if body is None:
            return None
        group = together(self.graph, self.nodes)[at]
        level = self.entered(step, group[0], body)
        return level.first(each for k in group if k in bad for each in level.made(self.graph.nodes[k]))

    def entered(self, step: int, loop: int, body: Body) -> _Level:
        loops = (*self.loops, loop)
        stack = next(array for spot, array in self.extrema.low.items() if spot.loops[: len(loops)] == loops)
        return _Level(
            graph=body.graph,
            nodes=tuple(range(len(body.graph))),
            extrema=self.extrema,
            loops=loops,
            steps=self.around(step),
            body=body,
            length=stack.shape[len(loops) - 1],
            reverse=self.graph.nodes[loop].param["reverse"],
        )

    def made(self, node: Node) -> Iterator[Instance]:
        """The instances in this body of which ``node``, a value of the loop, consists."""
        assert self.body is not None
        value = node.param["value"]
        if not node.param["last"]:
            yield from ((step, value) for step in range(self.length))
        elif self.length:
            last = 0 if self.reverse else self.length - 1
            yield last, self.body.following[self.body.carries.index(value)]


__all__ = ["Extrema", "Found", "first_of", "is_finite"]
