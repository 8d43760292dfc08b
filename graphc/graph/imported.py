"""Reads a network that a user declared in plain networkx: nodes in topological order with their operands."""

# networkx comes without types.
# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import networkx

from graphc.errors import GraphError

Name = Hashable


@dataclass(frozen=True, slots=True)
class Declared:
    """One node as the user declared it: name, attributes and its operands' names in order."""

    name: Name
    attributes: Mapping[str, Any]
    operands: tuple[Name, ...]
    is_sink: bool


def read_networkx(dag: Any) -> list[Declared]:
    """The nodes of ``dag`` in topological order.

    Operands are ordered by the node's ``args=`` (a list of parents), else by ``operand=`` on the edges, else,
    in a multigraph, by edge keys that are exactly 0, 1, 2 ..., else as the edges were inserted. Raises
    ``GraphError`` for what is no directed networkx graph, for cycles and orders that do not fit.
    """
    _check_directed(dag)
    _check_acyclic(dag)
    return [_declared(dag, name) for name in networkx.topological_sort(dag)]


def graph_name(dag: Any) -> str:
    """The name that ``dag`` carries, or ``"graph"``."""
    carried = getattr(dag, "graph", None)
    return str(carried.get("name") or "graph") if isinstance(carried, dict) else "graph"


def brief(name: Any) -> str:
    """A node's name, or another value, as errors write it: cut to a readable length."""
    text = repr(name)
    return text if len(text) <= 60 else f"{text[:57]}..."


def listed(names: Iterable[Name]) -> str:
    """Names as errors list them: at most ten, or ``none``."""
    shown = [brief(n) for n in names]
    rest = f" and {len(shown) - 10} more" if len(shown) > 10 else ""
    return ", ".join(shown[:10]) + rest if shown else "none"


def _check_directed(dag: Any) -> None:
    if not isinstance(dag, networkx.DiGraph):
        kind = type(dag).__name__
        raise GraphError(f"{kind} is not a directed networkx graph; use a networkx.DiGraph")


def _check_acyclic(dag: Any) -> None:
    for name in networkx.nodes_with_selfloops(dag):
        raise GraphError(f"node {brief(name)} has an edge to itself; remove it, a network is acyclic")
    if networkx.is_directed_acyclic_graph(dag):
        return
    path = [edge[0] for edge in networkx.find_cycle(dag)]
    around = " -> ".join(brief(n) for n in [*path[:8], path[0]])
    raise GraphError(f"{len(path)} nodes form a cycle ({around}); remove an edge, a network is acyclic")


def _declared(dag: Any, name: Name) -> Declared:
    attributes = dict(dag.nodes[name])
    try:
        operands = _operands(dag, name, attributes.pop("args", None))
    except GraphError as error:
        raise error.located(f"node {brief(name)}") from None
    return Declared(name, attributes, operands, dag.out_degree(name) == 0)


def _operands(dag: Any, name: Name, args: Any) -> tuple[Name, ...]:
    edges = list(dag.in_edges(name, data=True))
    positions = [data.get("operand") for _, _, data in edges]
    placed = [p for p in positions if p is not None]
    if args is not None:
        return _by_args(dag, name, args, bool(placed))
    if placed:
        return _by_position(edges, positions)
    keys = [key for *_, key in dag.in_edges(name, keys=True)] if dag.is_multigraph() else []
    if keys and _is_permutation(keys):
        return _by_position(edges, keys)
    return tuple(parent for parent, *_ in edges)


def _by_args(dag: Any, name: Name, args: Any, placed: bool) -> tuple[Name, ...]:
    if not isinstance(args, (list, tuple)):
        raise GraphError(f"args={args!r} is not a list; list the operands' names in order")
    if placed:
        raise GraphError("both args= and operand= give the order of the operands; keep one of them")
    parents = list(dag.predecessors(name))
    for arg in args:
        if arg not in parents:
            raise GraphError(f"args= names {brief(arg)}, no parent ({listed(parents)}); add an edge from it")
    unused = [p for p in parents if p not in args]
    if unused:
        raise GraphError(
            f"args={brief(args)} lacks parents {listed(unused)}; name them or remove their edges"
        )
    return tuple(args)


def _by_position(edges: list[Any], positions: list[Any]) -> tuple[Name, ...]:
    if not _is_permutation(positions):
        wanted = list(range(len(edges)))
        raise GraphError(f"the edges have operand= positions {positions}; number all of them as in {wanted}")
    ordered = sorted(range(len(edges)), key=positions.__getitem__)
    return tuple(edges[k][0] for k in ordered)


def _is_permutation(positions: list[Any]) -> bool:
    return all(type(p) is int for p in positions) and sorted(positions) == list(range(len(positions)))


__all__ = ["Declared", "brief", "graph_name", "listed", "read_networkx"]
