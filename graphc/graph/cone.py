"""A cone: the frozen part of a graph that a set of roots depends on. What passes take and give back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from graphc.graph.core import Graph
from graphc.graph.handle import Handle
from graphc.graph.node import Node
from graphc.graph.text import print_node


@dataclass(frozen=True, slots=True)
class Cone:
    """A graph with its named outputs and its updates ``{parameter or state: next value}``, all by node id.

    Since graphs are append-only, a cone never changes. ``kept`` are nodes that no rewrite may cross or replace.
    """

    graph: Graph
    outputs: Mapping[str, int]
    updates: Mapping[int, int] = field(default_factory=dict[int, int])
    kept: frozenset[int] = frozenset()

    @property
    def roots(self) -> tuple[int, ...]:
        return tuple(
            dict.fromkeys([*self.outputs.values(), *self.updates.values(), *self.updates, *sorted(self.kept)])
        )

    @property
    def nodes(self) -> list[int]:
        """The ids of all nodes of the cone in topological order."""
        return self.graph.ancestors(self.roots)

    def users(self) -> dict[int, list[int]]:
        """For each node, the nodes of the cone that read it, once for each operand position."""
        found: dict[int, list[int]] = {at: [] for at in self.nodes}
        for at in found:
            for operand in self.graph.nodes[at].operands:
                found[operand].append(at)
        return found

    def __str__(self) -> str:
        lines = [print_node(self.graph, at) for at in self.nodes]
        lines += [f"output {name!r} = %{at}" for name, at in self.outputs.items()]
        lines += [f"update %{target} = %{value}" for target, value in self.updates.items()]
        return "\n".join(lines)


Visit = Callable[[Graph, int, Node, Sequence[Handle]], Handle | None]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A new cone and, for every node of the old one, its counterpart."""

    cone: Cone
    mapping: Mapping[int, int]


def rebuild(cone: Cone, visit: Visit, order: Sequence[int] | None = None) -> Rebuilt:
    """The cone copied into a new graph, node by node in topological order.

    ``visit(new graph, old id, old node, new operands)`` may return another node to stand for this one, or None to
    copy it. Names, layers, initial values and places go along; equal nodes become one.
    """
    source, target = cone.graph, Graph(cone.graph.name, seed=cone.graph.seed)
    mapping: dict[int, int] = {}
    for at in cone.nodes if order is None else order:
        node = source.nodes[at]
        operands = [target.handle(mapping[i]) for i in node.operands]
        with target.on_behalf_of(source.origins(at)), target.role(_role(source, at)):
            visited = visit(target, at, node, operands)
            made = copy_node(target, source, at, node, operands) if visited is None else visited
        target.inherit(made.id, source.origins(at))
        mapping[at] = made.id
    return Rebuilt(_carried(cone, target, mapping), mapping)


def copy_node(target: Graph, source: Graph, at: int, node: Node, operands: Sequence[Handle]) -> Handle:
    """Node ``at`` of ``source`` appended to ``target`` over ``operands``."""
    if node.is_leaf:
        return target.copy_leaf(node, source, at)
    return target.add(node.op, operands, **dict(node.params))


def _role(source: Graph, at: int) -> str:
    origins = source.origins(at)
    return origins[0].role if origins else "forward"


def _carried(cone: Cone, target: Graph, mapping: Mapping[int, int]) -> Cone:
    return Cone(
        target,
        {name: mapping[at] for name, at in cone.outputs.items()},
        {mapping[leaf]: mapping[value] for leaf, value in cone.updates.items()},
        frozenset(mapping[at] for at in cone.kept),
    )
