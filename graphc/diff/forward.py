"""Forward mode: tangents pushed along the graph, appended to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from graphc import registry
from graphc.diff.reverse import as_nodes, as_tangent, require_float_node, stabilised
from graphc.errors import DifferentiationError, GraphError
from graphc.graph import Build, Graph, Handle
from graphc.registry import Application


def jvp(outputs: Any, tangents: Mapping[Handle, Any], *, stabilise: bool = True) -> Any:
    """The derivative of ``outputs`` in the direction ``tangents``: {node: node or array of its shape}.

    ``outputs`` is a node (gives its tangent) or a list of nodes (gives a list). A tangent given for an inner
    node adds to the one that reaches it, as the gradient by an inner node is its total derivative. Raises
    ``DifferentiationError`` for nodes that are not floating, ``GraphError`` for nodes of another graph.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", (2,))
    >>> gc.interpret(jvp(x * x, {x: [1, 0]}), x=[3, 4]).tolist()
    [6.0, 0.0]
    """
    single = isinstance(outputs, Handle)
    ys: list[Any] = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]  # pyright: ignore[reportUnknownArgumentType]
    if not ys or not all(isinstance(y, Handle) for y in ys):
        raise GraphError(f"outputs {outputs!r} are not nodes; give nodes of a graph")
    nodes = as_nodes(ys[0].graph, list(tangents), "tangents")
    for y in ys:
        require_float_node(y, "is differentiated")
    found = push_forward(
        ys, {node: as_tangent(node, tangents[node], "tangent") for node in nodes}, stabilise=stabilise
    )
    return found[0] if single else found


def push_forward(
    ys: Sequence[Handle], seeds: Mapping[Handle, Handle], *, stabilise: bool = True
) -> list[Handle]:
    """The tangent of each node of ``ys``, given those of the nodes in ``seeds``; all in one graph."""
    graph = ys[0].graph
    ahead = stabilised(graph, ys, list(seeds)) if stabilise else dict[int, int]()
    roots = [ahead.get(y.id, y.id) for y in ys]
    found = tangents_of(graph, roots, {node.id: tangent for node, tangent in seeds.items()})
    return [
        found[at] if at in found else Build(graph).filled(0.0, y.type)
        for at, y in zip(roots, ys, strict=True)
    ]


def tangents_of(graph: Graph, roots: Iterable[int], seeds: Mapping[int, Handle]) -> dict[int, Handle]:
    """The tangent, by node id, of every node among what ``roots`` depend on that depends on a seed."""
    found: dict[int, Handle] = {}
    build = Build(graph)
    for at in graph.ancestors(roots):
        moved = (
            any(operand in found for operand in graph.nodes[at].operands)
            and graph.nodes[at].type.dtype.is_float
        )
        tangent = _step(build, graph.handle(at), found) if moved else None
        seed = seeds.get(at)
        if seed is not None:
            tangent = seed if tangent is None else build("add", tangent, seed)
        if tangent is not None:
            found[at] = tangent
    return found


def _step(build: Build, node: Handle, found: Mapping[int, Handle]) -> Handle | None:
    rule = registry.lookup(node.node.op).jvp
    if rule is None:
        raise DifferentiationError(
            f"{node.node.op} has no derivative; put gc.stop_gradient in front of it"
        ).located(node.label, node.place)
    app = Application(node.operands, node, node.node.param, derive=partial(push_forward, stabilise=False))
    with node.graph.on_behalf_of(node.graph.origins(node.id)):
        tangent = rule(build, app, [found.get(operand.id) for operand in node.operands])
        return None if tangent is None else build.spread(tangent, node.shape)


__all__ = ["jvp", "push_forward", "tangents_of"]
