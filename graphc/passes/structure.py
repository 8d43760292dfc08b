"""Passes over the structure of a cone: choose the phase, drop what nobody needs, share what is equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphc.errors import GraphError
from graphc.graph import Cone, Graph, Handle, Node, rebuild
from graphc.graph.cone import Visit
from graphc.rewrite import Rewritten

PHASES = ("train", "eval")
# x op y and y op x are the same bits. Not maximum and minimum: which zero wins may depend on the order.
COMMUTATIVE = frozenset({"add", "mul", "eq", "ne", "logical_and", "logical_or", "logical_xor"})


def visited(cone: Cone, visit: Visit) -> Rewritten:
    """The cone rebuilt by ``visit``, as a pass gives it back."""
    done = rebuild(cone, visit)
    return Rewritten(done.cone, done.mapping)


def unchanged(cone: Cone) -> Rewritten:
    """The cone as it is: what a pass with nothing to do gives back."""
    return Rewritten(cone, {at: at for at in cone.nodes})


def resolve_phase(mode: str) -> Callable[[Cone], Rewritten]:
    """The pass that replaces each ``phase(train, eval)`` by its branch for ``mode``; ``GraphError`` for
    others.

    >>> import graphc as gc
    >>> from graphc.graph import Cone
    >>> g = gc.Graph()
    >>> x = g.input("x", (3,))
    >>> cone = Cone(g, {"y": gc.phase(train=x * 2, eval=x).id})
    >>> resolve_phase("eval")(cone).cone.outputs
    {'y': 0}
    """
    if mode not in PHASES:
        raise GraphError(f"mode {mode!r} is neither 'train' nor 'eval'; give one of them")

    def visit(target: Graph, at: int, node: Node, operands: Sequence[Handle]) -> Handle | None:
        return operands[PHASES.index(mode)] if node.op == "phase" else None

    def resolve_phase(cone: Cone) -> Rewritten:
        chosen = any(cone.graph.nodes[at].op == "phase" for at in cone.nodes)
        return visited(cone, visit) if chosen else unchanged(cone)

    return resolve_phase


def prune(cone: Cone) -> Rewritten:
    """The cone in a graph that holds nothing else."""
    return unchanged(cone) if len(cone.nodes) == len(cone.graph) else visited(cone, _copied)


def _copied(target: Graph, at: int, node: Node, operands: Sequence[Handle]) -> Handle | None:
    return None


def share(cone: Cone) -> Rewritten:
    """Equal nodes made one, with the operands of commutative ops in order of their ids.

    >>> import graphc as gc
    >>> from graphc.graph import Cone
    >>> g = gc.Graph()
    >>> x, y = g.input("x"), g.input("y")
    >>> len(share(Cone(g, {"z": (x * y + y * x).id})).cone.nodes)
    4
    """
    unordered = any(_out_of_order(cone.graph.nodes[at]) for at in cone.nodes)
    return visited(cone, _ordered) if unordered else unchanged(cone)


def _out_of_order(node: Node) -> bool:
    return node.op in COMMUTATIVE and list(node.operands) != sorted(node.operands)


def _ordered(target: Graph, at: int, node: Node, operands: Sequence[Handle]) -> Handle | None:
    if node.op not in COMMUTATIVE:
        return None
    return target.add(node.op, sorted(operands, key=lambda o: o.id), **dict(node.params))
