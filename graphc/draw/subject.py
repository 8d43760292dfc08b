"""What is drawn: any target that ``draw`` takes, as a cone with names, adjoints and values, by node id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from graphc.diff import grad
from graphc.errors import DrawError
from graphc.graph import Cone, Graph, Handle, key_text, rebuild
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
        return self.graph.ancestors(
            [*self.cone.outputs.values(), *self.cone.updates, *self.cone.updates.values()]
        )


def subject_of(target: Any) -> Subject:
    """What ``target`` stands for: a node, several, a mapping of named nodes, a graph, a cone, a program.

    Raises ``DrawError`` for anything else and for nodes of several graphs.
    """
    if isinstance(target, Cone):
        return Subject(cone=target, names={at: name for name, at in target.outputs.items()})
    if isinstance(target, Graph):
        return Subject(cone=Cone(target, {f"%{at}": at for at in sinks(target)}))
    cone: Any = getattr(target, "cone", None)
    if isinstance(cone, Cone):
        return subject_of(cone)
    named = _named(target)
    graph = next(iter(named.values())).graph
    names = {h.id: name for name, h in named.items() if not name.startswith("%")}
    return Subject(cone=Cone(graph, _sinks_of(graph, named)), names=names)


def _named(target: Any) -> dict[str, Handle]:
    items = _items(target)
    if not items or not all(isinstance(node, Handle) for _, node in items):
        kind = type(target).__name__
        raise DrawError(f"cannot draw {kind}; give a node, several nodes, a graph, a cone or a program")
    graphs = {id(node.graph) for _, node in items}
    if len(graphs) != 1:
        raise DrawError(f"the nodes to draw belong to {len(graphs)} graphs; draw nodes of one graph")
    return dict(items)


def _items(target: Any) -> list[tuple[str, Any]]:
    if isinstance(target, Handle):
        return [(f"%{target.id}", target)]
    if isinstance(target, Mapping):
        return [(key_text(name), node) for name, node in target.items()]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType]
    if isinstance(target, (list, tuple)):
        return [(f"%{getattr(t, 'id', '')}", t) for t in target]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return []


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


# --------------------------------------------------------------------------------- derivatives and values


def differentiated(subject: Subject, grads: Mapping[Handle, Handle] | None) -> Subject:
    """``subject`` with the backward graph of its loss: ``grads``, its own, or the one the chain rule makes.

    A derived backward graph is appended to a copy, where every node keeps its id: drawing changes no graph.
    """
    if grads is not None:
        return _given(subject, grads)
    loss, copy = loss_of(subject), copied(subject)
    adjoint = _adjoints(copy, loss)
    if _has_backward(subject):
        return replace(subject, adjoints=_inverse(_standing(subject, adjoint)), loss=loss)
    leaves = [at for at in adjoint if copy.graph.nodes[at].is_leaf]
    return replace(
        copy, adjoints=_inverse(adjoint), loss=loss, seeds=tuple(dict.fromkeys(adjoint[at] for at in leaves))
    )


def _adjoints(subject: Subject, loss: int) -> dict[int, int]:
    """For each node between the loss and its leaves, the node that is its adjoint; appends to the graph."""
    handle = subject.graph.handle
    found: Any = grad(handle(loss), wrt=[handle(at) for at in on_path(subject, loss)], stabilise=False)
    return {node.id: gradient.id for node, gradient in found.items()}


def _standing(subject: Subject, adjoint: Mapping[int, int]) -> dict[int, int]:
    """Of adjoints derived on a copy, those that are nodes of the subject itself."""
    return {at: node for at, node in adjoint.items() if node < len(subject.graph)}


def _has_backward(subject: Subject) -> bool:
    """Whether ``subject`` holds nodes that only derivatives declared; those that they share stand forward."""
    roles = ({o.role for o in subject.graph.origins(at)} for at in subject.forward)
    return any("backward" in found and "forward" not in found for found in roles)


def _given(subject: Subject, grads: Mapping[Handle, Handle]) -> Subject:
    for node in (*grads, *grads.values()):
        if node.graph is not subject.graph:
            raise DrawError("grads has nodes of another graph; give the gradients of the drawn graph")
    adjoint = {handle.id: node.id for handle, node in grads.items()}
    scalars = _scalars(subject)
    if len(scalars) == 1:
        adjoint = {**_standing(subject, _adjoints(copied(subject), scalars[0])), **adjoint}
    seeds = tuple(dict.fromkeys(node.id for node in grads.values()))
    return replace(subject, adjoints=_inverse(adjoint), loss=scalars[0] if scalars else -1, seeds=seeds)


def _inverse(adjoint: Mapping[int, int]) -> dict[int, tuple[int, ...]]:
    found: dict[int, tuple[int, ...]] = {}
    for at in sorted(adjoint, reverse=True):
        found[adjoint[at]] = (*found.get(adjoint[at], ()), at)
    return found


def copied(subject: Subject) -> Subject:
    """``subject`` over a copy of its whole graph, in which every node has the id that it had."""
    whole = rebuild(subject.cone, _as_it_is, range(len(subject.graph)))
    return replace(subject, cone=whole.cone)


def _as_it_is(*_: object) -> None:
    """Rewrites nothing."""


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
        raise DrawError(
            f"{len(found)} outputs are float scalars and a backward graph has one; "
            "draw the loss node, or give grads"
        )
    return found[0]


def on_path(subject: Subject, loss: int) -> list[int]:
    """The float nodes between the loss and its parameters, or, where it has none, its inputs."""
    graph = subject.graph
    below = graph.ancestors([loss])
    leaves = [at for at in below if graph.nodes[at].op == "param"] or [
        at for at in below if graph.nodes[at].op == "input"
    ]
    reached = {at for at in leaves if graph.nodes[at].type.dtype.is_float}
    if not reached:
        raise DrawError("the loss depends on no float parameter or input; there is no backward graph to draw")
    for at in below:
        if graph.nodes[at].type.dtype.is_float and not reached.isdisjoint(graph.nodes[at].operands):
            reached.add(at)
    return sorted(reached)


def evaluated(subject: Subject, inputs: Mapping[str, Any]) -> Subject:
    """``subject`` with the value of every node and known adjoint for ``inputs`` by name."""
    graph = subject.graph
    every = graph.ancestors([*subject.cone.roots, *subject.adjoints, *subject.seeds])
    found: Any = interpret([graph.handle(at) for at in every], params=inputs)
    values: dict[int, Any] = dict(zip(every, found, strict=True))
    gradients = {at: values[node] for node, targets in subject.adjoints.items() for at in targets}
    return replace(subject, values=values, gradients=gradients)
