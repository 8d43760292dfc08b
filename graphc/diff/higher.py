"""Higher order: Hessian-vector products, and whole Jacobians as one batched sweep over an identity basis.

A Jacobian is what a vjp or jvp gives for each vector of a basis. The sweep is built once for a stand-in of
one basis vector, in a scratch copy of the graph. Then every node of it that depends on the stand-in is
carried back under a leading axis by its op's batch rule, with the whole basis in place of the stand-in; every
other node is the one that stands in the graph already. The number of nodes does not depend on the sizes,
which may be symbolic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphc import registry
from graphc.diff.forward import push_forward
from graphc.diff.reverse import (
    as_nodes,
    as_tangent,
    grad,
    listed_values,
    pull_back,
    require_float_node,
    require_scalar,
)
from graphc.errors import DifferentiationError, GraphError
from graphc.graph import Build, Cone, Graph, Handle, Node, rebuild
from graphc.registry import Application
from graphc.types import Dim, Type


def hvp(loss: Handle, wrt: Any, vector: Any, *, stabilise: bool = True) -> Any:
    """The product of the Hessian of ``loss`` with ``vector``: forward mode over reverse mode.

    ``wrt`` is a node and ``vector`` a node or array of its shape (gives one product), or both are lists
    (gives a dict by node). Raises as ``grad`` and ``jvp`` do.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", (2,))
    >>> gc.interpret(hvp(gc.sum(x * x * x), x, [1, 0]), x=[2, 5]).tolist()
    [12.0, 0.0]
    """
    require_scalar(loss)
    nodes = as_nodes(loss.graph, wrt)
    given = [vector] if isinstance(wrt, Handle) else listed_values(vector)
    if len(given) != len(nodes):
        raise DifferentiationError(
            f"{len(nodes)} nodes and {len(given)} vectors are given; give one vector for each node"
        )
    seeds = {node: as_tangent(node, value, "vector") for node, value in zip(nodes, given, strict=True)}
    gradients = grad(loss, nodes, stabilise=stabilise)
    found = push_forward([gradients[node] for node in nodes], seeds, stabilise=stabilise)
    return found[0] if isinstance(wrt, Handle) else dict(zip(nodes, found, strict=True))


def jacobian(y: Handle, x: Handle, *, stabilise: bool = True) -> Handle:
    """All derivatives of ``y`` by ``x``, of shape ``y.shape + x.shape``.

    Forward mode where ``x`` is known to be no larger than ``y``, else reverse mode; the number of nodes does
    not depend on the sizes. Raises ``DifferentiationError`` for nodes that are not floating.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", (2,))
    >>> gc.interpret(jacobian(x * x, x), x=[3, 4]).tolist()
    [[6.0, 0.0], [0.0, 8.0]]
    """
    require_pair(y, x)
    if _no_larger(x.type.size, y.type.size):
        return _by_columns(y, x, stabilise)
    return _by_rows(y, x, stabilise)


def hessian(loss: Handle, x: Handle, *, stabilise: bool = True) -> Handle:
    """All second derivatives of the scalar ``loss`` by ``x``, of shape ``x.shape + x.shape``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", (2,))
    >>> gc.interpret(hessian(x[0] * x[0] * x[1], x), x=[1, 2]).tolist()
    [[4.0, 2.0], [2.0, 0.0]]
    """
    return _by_columns(grad(loss, x, stabilise=stabilise), x, stabilise)


def require_pair(y: Any, x: Any) -> None:
    for node in (y, x):
        if not isinstance(node, Handle):
            raise GraphError(f"{node!r} is not a node of a graph; give nodes")
    require_float_node(y, "is differentiated")
    as_nodes(y.graph, x)


def _no_larger(left: Dim, right: Dim) -> bool:
    if isinstance(left, int):
        return not isinstance(right, int) or left <= right
    return False


# ----------------------------------------------------------------------------------------- both directions


def _by_rows(y: Handle, x: Handle, stabilise: bool) -> Handle:
    """Row by row: the vjp of each basis vector of the outputs."""
    if not y.shape:
        return pull_back({y: Build(y.graph).filled(1.0, y.type)}, [x], stabilise=stabilise)[x]

    def sweep(scratch: Mapping[Handle, Handle], seed: Handle) -> Handle:
        return pull_back({scratch[y]: seed}, [scratch[x]], stabilise=stabilise)[scratch[x]]

    with y.graph.role("backward"):
        rows = _over_basis(y.graph, [y, x], y.type, sweep)
        return Build(y.graph)("reshape", rows, shape=(*y.shape, *x.shape))


def _by_columns(y: Handle, x: Handle, stabilise: bool) -> Handle:
    """Column by column: the jvp of each basis vector of the inputs."""
    b = Build(y.graph)
    if not x.shape:
        return push_forward([y], {x: b.filled(1.0, x.type)}, stabilise=stabilise)[0]

    def sweep(scratch: Mapping[Handle, Handle], seed: Handle) -> Handle:
        return push_forward([scratch[y]], {scratch[x]: seed}, stabilise=stabilise)[0]

    columns = b("reshape", _over_basis(y.graph, [y, x], x.type, sweep), shape=(*x.shape, *y.shape))
    perm = (*range(x.ndim, x.ndim + y.ndim), *range(x.ndim))
    return b("transpose", columns, perm=perm) if y.ndim else columns


def _over_basis(
    graph: Graph,
    nodes: Sequence[Handle],
    kind: Type,
    sweep: Callable[[Mapping[Handle, Handle], Handle], Handle],
) -> Handle:
    """``sweep`` of each basis vector of ``kind``, stacked along a leading axis."""
    copy = rebuild(Cone(graph, {str(k): node.id for k, node in enumerate(nodes)}), _as_it_is)
    scratch, back = copy.cone.graph, {new: old for old, new in copy.mapping.items()}
    seed = scratch.input(_free_name(scratch), kind.shape, kind.dtype)
    result = sweep({node: scratch.handle(copy.mapping[node.id]) for node in nodes}, seed)
    basis = _identity(Build(graph), kind)
    return batched(graph, result, {seed.id: basis}, {new: graph.handle(old) for new, old in back.items()})


def _as_it_is(graph: Graph, at: int, node: Node, operands: Sequence[Handle]) -> None:
    """The visitor that copies every node."""


def _free_name(graph: Graph) -> str:
    name = "seed"
    while name in graph.named:
        name += "'"
    return name


def _identity(b: Build, kind: Type) -> Handle:
    """Every basis vector of ``kind`` along a leading axis: the identity matrix with its columns in shape."""
    size = kind.size
    square = b("one_hot", b("arange", size=size, dtype="int64"), depth=size, dtype=kind.dtype.long)
    return b("reshape", square, shape=(size, *kind.shape))


def batched(
    target: Graph, result: Handle, seeds: Mapping[int, Handle], known: Mapping[int, Handle]
) -> Handle:
    """``result``, a node of a scratch graph, carried into ``target`` under a leading axis.

    ``seeds`` gives, by scratch id, nodes of ``target`` that have the leading axis; ``known`` the nodes of
    ``target`` that stand for scratch nodes without it. What depends on no seed is spread along the axis at
    the end.
    """
    source, b = result.graph, Build(target)
    made: dict[int, Handle] = {**known, **seeds}
    lifted = set(seeds)
    for at in source.ancestors([result.id]):
        if at in made:
            continue
        node = source.handle(at)
        flags = [operand in lifted for operand in node.node.operands]
        with target.on_behalf_of(source.origins(at)):
            made[at] = _carried(b, node, [made[i] for i in node.node.operands], flags)
        if any(flags):
            lifted.add(at)
    leading = next(iter(seeds.values())).shape[0]
    return made[result.id] if result.id in lifted else b.spread(made[result.id], (leading, *result.shape))


def _carried(b: Build, node: Handle, operands: Sequence[Handle], flags: Sequence[bool]) -> Handle:
    if node.node.is_const:
        return b.graph.constant(node.node.param["value"])
    if not any(flags):
        return b(node.node.op, *operands, **node.node.param)
    rule = registry.lookup(node.node.op).batch
    if rule is None:
        raise DifferentiationError(
            f"{node.node.op} has no batching rule; build the Jacobian from gc.vjp or gc.jvp"
        ).located(node.label, node.place)
    return rule(b, Application(tuple(operands), node, node.node.param), flags)


__all__ = ["batched", "hessian", "hvp", "jacobian"]
