"""Rewriting within loops: what is done to a graph is done to the bodies of its loops too.

A loop's body is rewritten once, for all of its values that the graph reads, and the loop is then built anew: what the
rewriting freed from waiting for the step before leaves the loop, and carries that nobody needs are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.graph import Body, Build, Cone, Graph, Handle, Node, body_of, rebuild, together
from graphc.graph.body import CARRY, EACH, FIXED
from graphc.ops.repeat import Given, Repeat, Step
from graphc.rewrite.engine import Rewritten

Rewrite = Callable[[Cone], Rewritten]


@dataclass(frozen=True, slots=True)
class Loop:
    """All nodes of a graph that are values of one loop."""

    node: Node
    body: Body
    nodes: tuple[int, ...]
    wanted: tuple[int, ...]  # nodes of the body of which stacks are read
    lasts: tuple[int, ...]  # carries of which the last is read

    @property
    def cone(self) -> Cone:
        """The body, with all that must be known of it after it was rewritten."""
        body = self.body
        roots = dict.fromkeys((*body.carries, *body.following, *self.wanted))
        return Cone(body.graph, {f"%{at}": at for at in roots})


def loops_of(graph: Graph, nodes: Iterable[int]) -> dict[int, Loop]:
    """The loops that have values among ``nodes``, by each of these."""
    found: dict[int, Loop] = {}
    for group in together(graph, nodes).values():
        if group[0] not in found and body_of(graph.nodes[group[0]]) is not None:
            found |= dict.fromkeys(group, _loop(graph, group))
    return found


def _loop(graph: Graph, group: Sequence[int]) -> Loop:
    first = graph.nodes[group[0]]
    body = body_of(first)
    assert body is not None
    chosen = [(graph.nodes[at].param["value"], graph.nodes[at].param["last"]) for at in group]
    wanted, lasts = (tuple(v for v, last in chosen if last is which) for which in (False, True))
    return Loop(first, body, tuple(group), wanted, lasts)


class Rebuilt:
    """A loop over a rewritten body, in the graph of ``b``; ``operands`` are the loop's operands there."""

    def __init__(self, b: Any, loop: Loop, done: Rewritten, operands: Sequence[Handle]) -> None:
        body, mapping = loop.body, done.mapping
        kinds = (
            dict.fromkeys(body.carries, CARRY)
            | dict.fromkeys(body.each, EACH)
            | dict.fromkeys(body.fixed, FIXED)
        )
        given = {
            mapping[at]: Given(kinds[at], operand)
            for at, operand in zip(body.inputs, operands, strict=True)
            if at in mapping
        }
        following = {mapping[at]: mapping[k] for at, k in zip(body.carries, body.following, strict=True)}
        self.mapping = mapping
        self.repeat = Repeat(
            b,
            Step(done.cone.graph, given, following),
            length=loop.node.param["length"],
            reverse=loop.node.param["reverse"],
            checkpoint=loop.node.param["checkpoint"],
            wanted=[mapping[at] for at in loop.wanted],
            lasts=[mapping[at] for at in loop.lasts],
        )

    def value(self, node: Node) -> Handle:
        """What stands for ``node``, a value of the loop."""
        at = self.mapping[node.param["value"]]
        return self.repeat.last(at) if node.param["last"] else self.repeat.stack(at)


def rewritten(loop: Loop, rewrite: Rewrite) -> Rewritten | None:
    """The loop's body rewritten; None where nothing changes and every carry is needed."""
    cone = loop.cone
    done = rewrite(cone)
    same = done.cone.graph is cone.graph and _needed(loop) >= set(loop.body.carries)
    return None if same else done


def _needed(loop: Loop) -> set[int]:
    """The nodes of the body that the values that are read depend on, over all steps."""
    graph, needed = loop.body.graph, set[int]()
    after = dict(zip(loop.body.carries, loop.body.following, strict=True))
    todo = [*loop.wanted, *loop.lasts]
    while todo:
        found = set(graph.ancestors(todo)) - needed
        needed |= found
        todo = [after[at] for at in found if at in after]
    return needed


def rewrite_bodies(cone: Cone, rewrite: Rewrite) -> Rewritten:
    """The cone with the bodies of its loops, and of loops within these, rewritten."""
    found: dict[int, tuple[Loop, Rewritten]] = {}
    for at, loop in loops_of(cone.graph, cone.nodes).items():
        known = found.get(loop.nodes[0])
        done = known[1] if known else rewritten(loop, rewrite)
        if done is not None:
            found[at] = (loop, done)
    if not found:
        return Rewritten(cone, {at: at for at in cone.nodes})
    built: dict[int, Rebuilt] = {}

    def visit(target: Graph, at: int, node: Node, operands: Sequence[Handle]) -> Handle | None:
        if at not in found:
            return None
        loop, done = found[at]
        first = loop.nodes[0]
        if first not in built:
            built[first] = Rebuilt(Build(target), loop, done, operands)
        return built[first].value(node)

    made = rebuild(cone, visit)
    applied = tuple(a for at, (loop, done) in found.items() if at == loop.nodes[0] for a in done.applied)
    return Rewritten(made.cone, made.mapping, applied)


__all__ = ["Loop", "Rebuilt", "loops_of", "rewrite_bodies", "rewritten"]
