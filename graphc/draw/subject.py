"""What is drawn: any target that ``draw`` takes, as a cone with names, adjoints and values, by node id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graphc.diff import grad
from graphc.draw.text import shorten
from graphc.errors import DrawError
from graphc.graph import Cone, Graph, Handle, rebuild
from graphc.interpret import interpret
from graphc.rewrite import stabilise_cone


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A cone and what is known about its nodes.

    names:     how the user calls a node
    adjoints:  for a node, the forward nodes whose adjoint it is
    loss:      the node that is differentiated, or -1
    seeds:     roots of the backward graph
    values:    the value of a node; ``gradients``: the value of its adjoint
    """

    cone: Cone
    names: Mapping[int, str] = field(default_factory=dict[int, str])
    adjoints: Mapping[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])
    loss: int = -1
    seeds: tuple[int, ...] = ()
    values: Mapping[int, Any] = field(default_factory=dict[int, Any])
    gradients: Mapping[int, Any] = field(default_factory=dict[int, Any])

    @property
    def graph(self) -> Graph:
        return self.cone.graph

    @property
    def forward(self) -> list[int]:
        """The nodes that the outputs depend on."""
        return self.graph.ancestors([*self.cone.outputs.values(), *self.cone.updates, *self.cone.updates.values()])

    def name(self, at: int) -> str:
        """How texts refer to node ``at``: the user's name for it, a scalar constant's value, or ``%7``."""
        return self.names.get(at) or f"%{at}"


def subject_of(target: Any) -> Subject:
    """The subject that ``target`` (a node, several, a mapping of named nodes, a graph, a cone, a program) stands for.

    Raises ``DrawError`` for anything else and for nodes of several graphs.
    """
    if isinstance(target, Cone):
        return Subject(cone=target, names={at: name for name, at in target.outputs.items()})
    if isinstance(target, Graph):
        return Subject(cone=Cone(target, {f"%{at}": at for at in sinks(target)}))
    if isinstance(getattr(target, "cone", None), Cone):
        return subject_of(target.cone)
    named = _named(target)
    graphs = {id(h.graph): h.graph for h in named.values()}
    if len(graphs) != 1:
        raise DrawError(f"the nodes to draw belong to {len(graphs)} graphs; draw nodes of one graph")
    graph = next(iter(graphs.values()))
    names = {h.id: name for name, h in named.items() if not name.startswith("%")}
    return Subject(cone=Cone(graph, _sinks_of(graph, named)), names=names)


def _named(target: Any) -> dict[str, Handle]:
    items: Any
    if isinstance(target, Handle):
        items = [(f"%{target.id}", target)]
    elif isinstance(target, Mapping):
        items = target.items()  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    elif isinstance(target, Sequence) and not isinstance(target, str):
        items = [(f"%{getattr(t, 'id', '')}", t) for t in target]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    else:
        items = []
    found = {shorten(name): node for name, node in items if isinstance(node, Handle)}
    if not found or len(found) != len(items):
        raise DrawError(f"cannot draw {type(target).__name__}; give a node, several nodes, a graph, a cone or a program")
    return found


def _sinks_of(graph: Graph, named: Mapping[str, Handle]) -> dict[str, int]:
    """Of the named nodes, those that no other named node depends on: the others only get their names."""
    inner: set[int] = set()
    for handle in named.values():
        inner.update(graph.ancestors(handle.node.operands))
    return {name: h.id for name, h in named.items() if h.id not in inner}


def sinks(graph: Graph) -> list[int]:
    """The nodes that no node reads; the leaves of a graph that has nothing else."""
    read = {i for node in graph.nodes for i in node.operands}
    return [at for at in range(len(graph)) if at not in read]


# -------------------------------------------------------------------------------------------- derivatives, values


def differentiated(subject: Subject, grads: Mapping[Handle, Handle] | None) -> Subject:
    """``subject`` with the backward graph of its loss, which ``grads`` names or the chain rule makes.

    A derived backward graph is appended to a copy, where every node keeps its id: drawing changes no graph.
    """
    if grads is not None:
        return _given(subject, grads)
    subject = copied(subject)
    loss = loss_of(subject)
    path = on_path(subject, loss)
    found: Any = grad(subject.graph.handle(loss), wrt=[subject.graph.handle(at) for at in path], stabilise=False)
    adjoint = {handle.id: node.id for handle, node in found.items()}
    wanted = [at for at in path if subject.graph.nodes[at].is_leaf]
    return replace(subject, adjoints=_inverse(adjoint), loss=loss, seeds=tuple(adjoint[at] for at in wanted))


def _given(subject: Subject, grads: Mapping[Handle, Handle]) -> Subject:
    for node in grads.values():
        if node.graph is not subject.graph:
            raise DrawError("grads are nodes of another graph; give the gradients of the drawn graph")
    adjoint = {handle.id: node.id for handle, node in grads.items()}
    loss = next(iter(_scalars(subject)), -1)
    return replace(subject, adjoints=_inverse(adjoint), loss=loss, seeds=tuple(adjoint.values()))


def _inverse(adjoint: Mapping[int, int]) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for at in sorted(adjoint, reverse=True):
        found[adjoint[at]] = (*found.get(adjoint[at], ()), at)
    return found


def copied(subject: Subject) -> Subject:
    """``subject`` over a copy of its whole graph, in which every node has the id that it had."""
    graph, cone = subject.graph, subject.cone
    whole = rebuild(Cone(graph, cone.outputs, cone.updates, cone.kept), lambda *_: None, range(len(graph)))
    return replace(subject, cone=whole.cone)


def stabilised(subject: Subject) -> Subject:
    """``subject`` in the form that is differentiated, over a copy: stabilising rules applied, names kept."""
    subject = copied(subject)
    mapping, _ = stabilise_cone(subject.graph, subject.cone.roots)
    cone = subject.cone
    outputs = {name: mapping[at] for name, at in cone.outputs.items()}
    updates = {leaf: mapping[at] for leaf, at in cone.updates.items()}
    names = {mapping[at]: name for at, name in subject.names.items() if at in mapping}
    return replace(subject, cone=Cone(subject.graph, outputs, updates, cone.kept), names=names)


def _scalars(subject: Subject) -> list[int]:
    kinds = {at: subject.graph.nodes[at].type for at in subject.cone.outputs.values()}
    return [at for at, kind in kinds.items() if kind.dtype.is_float and not kind.shape]


def loss_of(subject: Subject) -> int:
    """The output to differentiate; raises ``DrawError`` unless exactly one is a float scalar."""
    found = _scalars(subject)
    if len(found) != 1:
        raise DrawError(f"{len(found)} outputs are float scalars; the backward graph needs one: draw the loss node, or pass grads=")
    return found[0]


def on_path(subject: Subject, loss: int) -> list[int]:
    """The float nodes between the loss and its parameters, or, where it has none, its inputs."""
    graph = subject.graph
    below = graph.ancestors([loss])
    leaves = [at for at in below if graph.nodes[at].op == "param"] or [at for at in below if graph.nodes[at].op == "input"]
    reached = {at for at in leaves if graph.nodes[at].type.dtype.is_float}
    if not reached:
        raise DrawError("the loss depends on no float parameter or input; there is no backward graph to draw")
    for at in below:
        if graph.nodes[at].type.dtype.is_float and not reached.isdisjoint(graph.nodes[at].operands):
            reached.add(at)
    return sorted(reached)


def evaluated(subject: Subject, inputs: Mapping[str, Any]) -> Subject:
    """``subject`` with the value of every node for ``inputs`` (by name) and, where known, of every adjoint."""
    graph = subject.graph
    every = graph.ancestors([*subject.cone.roots, *subject.adjoints, *subject.seeds])
    found: Any = interpret([graph.handle(at) for at in every], params=inputs)
    values: dict[int, Any] = dict(zip(every, found, strict=True))
    gradients = {at: values[node] for node, targets in subject.adjoints.items() for at in targets}
    return replace(subject, values=values, gradients=gradients)
