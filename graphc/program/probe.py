"""A cone with probes: for each value, also those inside loops, the smallest and the largest element.

Of both NaN wins, so a value is finite exactly where they are. Probes of a step stand in the body of its loop and are
stacked over the steps like any other value of it, so no value is kept longer than the program itself would keep it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.graph import Body, Cone, Graph, Handle, Node, body_of, rebuild, together
from graphc.types import DType

#: The values of these have the elements of their operand.
MOVED = frozenset({"reshape", "transpose", "broadcast_to"})


@dataclass(frozen=True, slots=True)
class Spot:
    """A node of a cone, or of a body in it: ``loops`` are the nodes, each within the body of the one before, whose
    bodies lead there; a loop is called by the first of its nodes."""

    loops: tuple[int, ...]
    node: int


@dataclass(frozen=True, slots=True)
class _Probe:
    """The extrema of the value at ``spot``, as nodes; within loops, one for each step."""

    spot: Spot
    low: Handle
    high: Handle


@dataclass(frozen=True, slots=True)
class Probed:
    """``cone`` has two outputs for each of ``spots``, in this order: ``"low <k>"`` and ``"high <k>"``."""

    cone: Cone
    spots: tuple[Spot, ...]


def probe(cone: Cone) -> Probed:
    """Probes for all values of ``cone``, in place of its outputs; it updates nothing."""
    bodies = _Bodies(cone.graph, cone.nodes)

    def visit(target: Graph, at: int, node: Node, operands: Sequence[Handle]) -> Handle | None:
        changed = bodies.changed(at, node)
        return None if changed is node else target.add(changed.op, operands, **changed.param)

    made = rebuild(cone, visit)
    probes = _probes(made.cone.graph, cone.graph, made.mapping, bodies)
    outputs = {f"low {k}": p.low.id for k, p in enumerate(probes)}
    outputs |= {f"high {k}": p.high.id for k, p in enumerate(probes)}
    return Probed(Cone(made.cone.graph, outputs), tuple(p.spot for p in probes))


class _Bodies:
    """The bodies of the loops among ``nodes``, each with probes: by the first node of its loop."""

    def __init__(self, graph: Graph, nodes: Iterable[int]) -> None:
        groups = together(graph, nodes)
        self.first = {at: groups[at][0] for at in groups if body_of(graph.nodes[at]) is not None}
        self.found = {at: _probed_body(graph.nodes[at]) for at in set(self.first.values())}

    def changed(self, at: int, node: Node) -> Node:
        """``node`` with its body as probed."""
        if at not in self.first:
            return node
        body, _ = self.found[self.first[at]]
        return replace(node, params=tuple((n, body if isinstance(v, Body) else v) for n, v in node.params))


def _probed_body(node: Node) -> tuple[Body, list[_Probe]]:
    body = body_of(node)
    assert body is not None
    every = range(len(body.graph))
    bodies = _Bodies(body.graph, every)
    numbers = iter(every)
    graph = body.copied(change=lambda each: bodies.changed(next(numbers), each))
    return Body(graph, body.following), _probes(graph, body.graph, {at: at for at in every}, bodies)


def _probes(graph: Graph, source: Graph, mapping: Mapping[int, int], bodies: _Bodies) -> list[_Probe]:
    """Append the probes of the nodes of ``source`` that ``mapping`` finds in ``graph``."""
    found: list[_Probe] = []
    for at, now in mapping.items():
        value = graph.handle(now)
        if is_probed(source.nodes[at]):
            found.append(_Probe(Spot((), at), _extremum(value, "min"), _extremum(value, "max")))
        if at in bodies.found:
            _, inner = bodies.found[at]
            found += [_stacked(value, at, each) for each in inner]
    return found


def is_probed(node: Node) -> bool:
    """Whether a value has extrema of its own."""
    return node.type.dtype is not DType.BOOL and 0 not in node.type.shape and node.op not in MOVED


def _extremum(value: Handle, op: str) -> Handle:
    axes = tuple(range(value.ndim))
    return value.graph.add(op, (value,), axes=axes, keepdims=False) if axes else value


def _stacked(loop: Handle, at: int, inner: _Probe) -> _Probe:
    """What ``inner`` finds in each step of ``loop``, node ``at`` of the cone."""

    def stack(each: Handle) -> Handle:
        chosen = {**loop.node.param, "value": each.id, "last": False}
        return loop.graph.add(loop.node.op, loop.operands, **chosen)

    spot = Spot((at, *inner.spot.loops), inner.spot.node)
    return _Probe(spot, stack(inner.low), stack(inner.high))


__all__ = ["MOVED", "Probed", "Spot", "is_probed", "probe"]
