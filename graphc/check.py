"""The checker: structure first, then every type by its op's own rule: no second list of what is right."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Sequence

from graphc import registry
from graphc.errors import GraphcError, GraphError
from graphc.graph import LEAVES, Cone, Graph, check_update
from graphc.graph.body import body_of, check_body
from graphc.graph.node import Constant, Node
from graphc.types import Checks, Type


def check(target: Graph | Cone) -> None:
    """Raise ``GraphError`` naming the first node that is not well formed or whose type its op does not give.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> _ = gc.exp(g.input("x", ("N", 3)))
    >>> check(g)
    """
    if isinstance(target, Cone):
        _check_roots(target)
        graph, nodes = target.graph, target.nodes
        updates = dict(target.updates)
    else:
        graph, nodes = target, list(range(len(target)))
        updates = dict(target.state_updates)
        _check_edges(graph)
    for at in nodes:
        _check_structure(graph, at)
    _check_names(graph)
    for at in nodes:
        _check_type(graph, at)
    _check_updates(graph, updates)


def _fail(graph: Graph, at: int, text: str) -> GraphError:
    handle = graph.handle(at)
    return GraphError(text).located(f"%{at} ({handle.label})", handle.place)


def _check_roots(cone: Cone) -> None:
    for name, at in cone.outputs.items():
        if not 0 <= at < len(cone.graph):
            raise _absent(cone.graph, f"output {name!r} is", at)
    for at in (*cone.updates, *cone.updates.values(), *cone.kept):
        if not 0 <= at < len(cone.graph):
            raise _absent(cone.graph, "the cone names", at)


def _absent(graph: Graph, what: str, at: int) -> GraphError:
    return GraphError(f"{what} %{at}, which graph {graph.name!r} has not; it has {len(graph)} nodes")


def _check_edges(graph: Graph) -> None:
    """The networkx graph and the operand tuples say the same."""
    edges = {
        (operand, at, position)
        for at, node in enumerate(graph.nodes)
        for position, operand in enumerate(node.operands)
    }
    held = set(graph.nx.edges(keys=True))
    if held != edges or set(graph.nx.nodes) != set(range(len(graph))):
        strange = sorted(held ^ edges)[:1] or sorted(set(graph.nx.nodes) ^ set(range(len(graph))))[:1]
        raise GraphError(
            f"networkx and the nodes of graph {graph.name!r} disagree at {strange[0]}; use Graph.add"
        )


def _check_structure(graph: Graph, at: int) -> None:
    """Operands stand before their user, so that ids are a topological order; leaves have none."""
    node = graph.nodes[at]
    for operand in node.operands:
        if not 0 <= operand < at:
            raise _fail(graph, at, f"operand %{operand} does not stand before it; operands have smaller ids")
    if node.op in LEAVES and node.operands:
        raise _fail(graph, at, f"a {node.op} has {len(node.operands)} operands; it takes none")


def _check_names(graph: Graph) -> None:
    seen: dict[str, int] = {}
    for at, node in enumerate(graph.nodes):
        if node.op in ("input", "param", "state"):
            name = node.param.get("name")
            if not isinstance(name, str) or seen.setdefault(name, at) != at:
                raise _fail(
                    graph, at, f"name {name!r} is missing or used twice; each leaf has a name of its own"
                )
    if seen != dict(graph.named):
        name, at = sorted(set(seen.items()) ^ set(graph.named.items()))[0]
        raise GraphError(
            f"name {name!r} stands for another node than %{at}; declare leaves with the methods of Graph"
        )


def _check_type(graph: Graph, at: int) -> None:
    node = graph.nodes[at]
    try:
        due = _inferred(node, [graph.nodes[operand].type for operand in node.operands])
    except GraphcError as error:
        raise _fail(graph, at, f"its op refuses it: {error}") from None
    if due != node.type:
        raise _fail(graph, at, f"has type {node.type}, but {node.op} gives {due}; build it with Graph.add")


def _inferred(node: Node, operands: Sequence[Type]) -> Type:
    if node.is_const:
        value = node.param["value"]
        if not isinstance(value, Constant):
            raise GraphError(
                f"its value is a {type(value).__name__}, not a constant; declare it with Graph.const"
            )
        return Type(value.dtype, value.shape)
    if node.op in LEAVES:
        return node.type
    body = body_of(node)
    if body is not None:
        check_body(body)
        check(body.graph)
    return registry.lookup(node.op).infer(Checks(), operands, dict(node.params))


def _check_updates(graph: Graph, updates: dict[int, int]) -> None:
    for leaf, value in updates.items():
        if graph.nodes[leaf].op not in ("param", "state"):
            raise _fail(
                graph, leaf, "is updated, but is neither a parameter nor a state; update one of these"
            )
        try:
            check_update(graph.handle(leaf), graph.handle(value))
        except GraphcError as error:
            raise _fail(graph, leaf, str(error.args[0])) from None


__all__ = ["check"]
