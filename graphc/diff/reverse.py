"""Reverse mode: one sweep from the loss back to what it is differentiated by, appended to the same graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from graphc import registry
from graphc.diff.masking import AdjointBuild
from graphc.errors import DifferentiationError, GraphError
from graphc.graph import Build, Constant, Graph, Handle, lift, together
from graphc.registry import Application
from graphc.rewrite import stabilise_cone
from graphc.types import Shape, shape_text


class ByNode(dict[Handle, Handle]):
    """Gradients by node: a dict of a class of its own, so that it is not mistaken for updates."""


def grad(loss: Handle, wrt: Any = None, *, stabilise: bool = True) -> Any:
    """The gradient of ``loss`` by each node of ``wrt``, as nodes of the same graph.

    ``loss`` is a floating scalar. ``wrt`` is a node (gives its gradient), or a list of nodes (gives a dict by
    node); by default all floating parameters that ``loss`` depends on. A node that ``loss`` does not depend
    on has gradient zero. With ``stabilise`` the formulas of ``loss`` are first rewritten into equal ones that
    neither overflow nor cancel. Raises ``DifferentiationError`` for a loss that is no floating scalar or a
    ``wrt`` that is not floating, ``GraphError`` for nodes of another graph.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", (3,))
    >>> float(gc.interpret(grad(gc.sum(x * x), x), x=[1, 2, 3])[2])
    6.0
    """
    require_scalar(loss)
    nodes = _default_wrt(loss) if wrt is None else as_nodes(loss.graph, wrt)
    seed = loss.graph.constant(Constant.of(1.0, loss.dtype))
    found = ByNode(pull_back({loss: seed}, nodes, stabilise=stabilise))
    return found[nodes[0]] if isinstance(wrt, Handle) else found


def vjp(outputs: Any, cotangents: Any, wrt: Any, *, stabilise: bool = True) -> Any:
    """The product of ``cotangents`` with the Jacobian of ``outputs`` by ``wrt``.

    ``outputs`` is a node and ``cotangents`` a node or array of its shape, or both are lists. ``wrt`` is a
    node (gives one result) or a list (gives a dict by node). Raises as ``grad`` does, and ``ShapeError`` for
    misfits.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", (2,))
    >>> gc.interpret(vjp(gc.exp(x), x, x), x=[0, 1]).tolist()[0]
    0.0
    """
    ys, seeds = paired(outputs, cotangents, "cotangent")
    nodes = as_nodes(ys[0].graph, wrt)
    for y in ys:
        require_float_node(y, "is differentiated")
    found = pull_back(dict(zip(ys, seeds, strict=True)), nodes, stabilise=stabilise)
    return found[nodes[0]] if isinstance(wrt, Handle) else found


# ------------------------------------------------------------------------------------------------- arguments


def require_scalar(loss: Any) -> None:
    if not isinstance(loss, Handle):
        raise DifferentiationError(f"loss {loss!r} is not a node; give a floating scalar of a graph")
    if loss.shape or not loss.dtype.is_float:
        todo = (
            "reduce it with gc.sum or gc.mean, or use gc.vjp or gc.jacobian"
            if loss.shape
            else "cast it with gc.cast"
        )
        raise DifferentiationError(
            f"a loss is a floating scalar, not {loss.type} of shape {shape_text(loss.shape)}; {todo}"
        ).located(loss.label, loss.place)


def _default_wrt(loss: Handle) -> list[Handle]:
    reached = [
        loss.graph.handle(at) for at in loss.graph.ancestors([loss.id]) if loss.graph.nodes[at].op == "param"
    ]
    floating = [p for p in reached if p.dtype.is_float]
    if not floating:
        raise DifferentiationError(
            "it depends on no floating parameter; say by what to differentiate with wrt=[...]"
        ).located(loss.label, loss.place)
    return floating


def as_nodes(graph: Graph, wrt: Any, what: str = "wrt") -> list[Handle]:
    """``wrt``, called ``what`` in errors, as a list of floating nodes of ``graph``, each once."""
    given: list[Any] = list(wrt) if isinstance(wrt, (list, tuple, set, dict)) else [wrt]  # pyright: ignore[reportUnknownArgumentType]
    for node in given:
        if not isinstance(node, Handle) or node.graph is not graph:
            raise GraphError(f"{what}: {node!r} is not a node of graph {graph.name!r}; give nodes of it")
        require_float_node(node, "is what is differentiated by")
    if not given:
        raise DifferentiationError(f"{what}: no node is given; name at least one")
    return list(dict.fromkeys(given))


def require_float_node(node: Handle, part: str) -> None:
    if not node.dtype.is_float:
        raise DifferentiationError(
            f"it {part} but is {node.dtype}; only float32 and float64 have derivatives"
        ).located(node.label, node.place)


def paired(nodes: Any, values: Any, what: str) -> tuple[list[Handle], list[Handle]]:
    """Nodes and the (co)tangents given for them, each as a node of the shape and dtype it belongs to."""
    several = isinstance(nodes, (list, tuple))
    listed: list[Any] = list(nodes) if several else [nodes]  # pyright: ignore[reportUnknownArgumentType]
    given: list[Any] = listed_values(values) if several else [values]
    if not listed or len(listed) != len(given):
        raise DifferentiationError(
            f"{len(listed)} nodes and {len(given)} {what}s are given; give one {what} for each node"
        )
    return listed, [as_tangent(node, value, what) for node, value in zip(listed, given, strict=True)]


def listed_values(values: Any) -> list[Any]:
    """One value or several, as a list."""
    return list(values) if isinstance(values, Iterable) and not isinstance(values, Handle) else [values]  # pyright: ignore[reportUnknownArgumentType]


def as_tangent(node: Any, value: Any, what: str) -> Handle:
    """``value`` as a node of the dtype and shape of ``node``."""
    if not isinstance(node, Handle):
        raise GraphError(f"{node!r} is not a node of a graph; give nodes")
    made = lift(node.graph, value, node.dtype)
    if made.graph is not node.graph:
        raise GraphError(
            f"{what} {made!r} is not a node of graph {node.graph.name!r}; build both in one graph"
        )
    if made.dtype is not node.dtype:
        made = node.graph.add("cast", (made,), dtype=node.dtype.long)
    if made.shape != node.shape:
        made = node.graph.add("broadcast_to", (made,), shape=node.shape)
    return made


# ----------------------------------------------------------------------------------------------- the sweep


def pull_back(
    seeds: Mapping[Handle, Handle], wrt: Sequence[Handle], *, stabilise: bool = True
) -> dict[Handle, Handle]:
    """The adjoint of each node of ``wrt``, given those of the nodes in ``seeds``; all in one graph."""
    graph = wrt[0].graph
    ahead = stabilised(graph, list(seeds), wrt) if stabilise else dict[int, int]()
    with graph.role("backward"):
        sweep = _Sweep(graph, wrt)
        for y, seed in seeds.items():
            sweep.give(ahead.get(y.id, y.id), seed)
        sweep.run()
        return {node: sweep.result(node) for node in wrt}


def stabilised(graph: Graph, roots: Sequence[Handle], cuts: Sequence[Handle]) -> dict[int, int]:
    """Which nodes stand for what ``roots`` depend on, once it is rewritten into its stable form."""
    return stabilise_cone(graph, [r.id for r in roots], [c.id for c in cuts])[0]


class _Sweep:
    """Adjoints by node id, in reverse topological order."""

    def __init__(self, graph: Graph, wrt: Iterable[Handle]) -> None:
        self.graph = graph
        self.build = AdjointBuild(graph)
        self.wrt = {node.id for node in wrt}
        self.adjoints: dict[int, Handle] = {}

    def give(self, at: int, contribution: Handle) -> None:
        """Add ``contribution`` to the adjoint of node ``at``."""
        sofar = self.adjoints.get(at)
        self.adjoints[at] = contribution if sofar is None else self.build("add", sofar, contribution)

    def run(self) -> None:
        active, order = self._active()
        groups = together(self.graph, order)
        for at in reversed(order):
            group = groups.get(at, [at])  # visited at its first node, when all readers of all of it have been
            outputs = [k for k in group if at == group[0] and k in active and k in self.adjoints]
            if outputs and self.graph.nodes[at].operands:
                self._step(at, active, outputs)

    def _active(self) -> tuple[set[int], list[int]]:
        """The nodes on a path from ``wrt``, among those the seeds depend on: only these are visited."""
        order = self.graph.ancestors(self.adjoints)
        active = set(self.wrt)
        for at in order:
            node = self.graph.nodes[at]
            if node.type.dtype.is_float and any(operand in active for operand in node.operands):
                active.add(at)
        return active, order

    def _step(self, at: int, active: set[int], outputs: Sequence[int]) -> None:
        """Give what node ``at`` reads its share of the adjoints of ``outputs``: of the node, or of all of a loop."""
        node = self.graph.handle(outputs[0])
        wanted = tuple(operand in active for operand in node.node.operands)
        if not any(wanted):
            return
        op = registry.lookup(node.node.op)
        if op.vjp is None:
            raise DifferentiationError(
                f"{node.node.op} has no derivative; put gc.stop_gradient in front of it"
            ).located(node.label, node.place)
        every = tuple(self.graph.handle(k) for k in outputs)
        derive = partial(pull_back, stabilise=False)
        app = Application(node.operands, node, node.node.param, wanted, every, derive)
        adjoints = tuple(self.adjoints[k] for k in outputs)
        with self.graph.on_behalf_of(self.graph.origins(node.id)):
            found = op.vjp(self.build, app, adjoints if op.selects else adjoints[0])
            for operand, due, contribution in zip(node.operands, wanted, found, strict=True):
                if due and contribution is not None:
                    self.give(operand.id, self._shaped(contribution, operand.shape))

    def _shaped(self, contribution: Handle, shape: Shape) -> Handle:
        """A rule may leave a cotangent smaller than its operand (a scalar seed); it is spread here."""
        if contribution.shape == shape or not _smaller(contribution.shape, shape):
            return contribution
        return self.build("broadcast_to", contribution, shape=shape)

    def result(self, node: Handle) -> Handle:
        found = self.adjoints.get(node.id)
        return Build(self.graph).filled(0.0, node.type) if found is None else self._shaped(found, node.shape)


def _smaller(have: Shape, due: Shape) -> bool:
    return len(have) < len(due) or any(h == 1 and d != 1 for h, d in zip(have, due, strict=False))


__all__ = [
    "ByNode",
    "as_nodes",
    "as_tangent",
    "grad",
    "listed_values",
    "paired",
    "pull_back",
    "require_float_node",
    "require_scalar",
    "stabilised",
    "vjp",
]
