"""Stabilise: overflow, cancellation and 0/0 rewritten away, in a cone or in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphc.graph import Build, Cone, Graph, Handle
from graphc.rewrite.bodies import Loop, Rebuilt, loops_of, rewrite_bodies, rewritten
from graphc.rewrite.engine import Applied, Rewriter, Rewritten, Term, by_op, rewrite_cone
from graphc.rewrite.rules import RULES

_TABLE = by_op(RULES)


def stabilise(cone: Cone) -> Rewritten:
    """The cone with every formula that a rule knows in its stable form. Doing it twice changes nothing.

    >>> import graphc as gc
    >>> from graphc.graph import Cone
    >>> g = gc.Graph()
    >>> y = gc.log(1 + gc.exp(g.input("x", (3,))))
    >>> print(stabilise(Cone(g, {"y": y.id})).cone)
    %0: f32[3] = input(name='x')
    %4: f32[3] = softplus(%0)
    output 'y' = %4
    """
    return rewrite_cone(cone, _TABLE)


def stabilise_cone(
    graph: Graph, roots: Iterable[int], cuts: Iterable[int] = ()
) -> tuple[dict[int, int], tuple[Applied, ...]]:
    """Append the stable form of what ``roots`` depend on to the same graph.

    Returns the counterpart of every node that ``roots`` depend on (itself where nothing changed) and the
    rewrites. ``cuts`` are the nodes by which a derivative will be asked for: each stands for itself, as does
    all that is reached only through one; no rule looks through, replaces or lands on a cut.
    """
    roots, cut = list(roots), frozenset(cuts)
    b = Rewriter(graph, _TABLE, set(cut))
    mapping = {at: at for at in graph.ancestors(roots)}
    order = _down_to(graph, roots, cut)
    loops = _Loops(b, loops_of(graph, [at for at in order if at not in cut]))
    for at in order:
        mapping[at] = loops.restated(at, mapping) if loops.changes(at) else _restated(b, at, mapping)
    return mapping, tuple(b.applied)


class _Loops:
    """The loops of a graph whose bodies a rule changes."""

    def __init__(self, b: Rewriter, loops: Mapping[int, Loop]) -> None:
        self.b = b
        self.loops = loops
        self.done = {loop.nodes[0]: rewritten(loop, stabilised) for loop in loops.values()}
        self.built: dict[int, Rebuilt] = {}

    def changes(self, at: int) -> bool:
        return at in self.loops and self.done[self.loops[at].nodes[0]] is not None

    def restated(self, at: int, mapping: Mapping[int, int]) -> int:
        graph, loop = self.b.graph, self.loops[at]
        first, done = loop.nodes[0], self.done[loop.nodes[0]]
        assert done is not None
        with self.b.standing_for(at, graph):
            if first not in self.built:
                operands = [graph.handle(mapping[i]) for i in loop.node.operands]
                self.built[first] = Rebuilt(Build(graph), loop, done, operands)
                self.b.applied.extend(done.applied)
            made = self.built[first].value(graph.nodes[at])
        return _inherited(self.b, at, made)


def stabilised(cone: Cone) -> Rewritten:
    """``stabilise`` over the bodies of loops, the innermost first, and then over the cone itself."""
    inner = rewrite_bodies(cone, stabilised)
    done = stabilise(inner.cone)
    mapping = {at: done.mapping[now] for at, now in inner.mapping.items() if now in done.mapping}
    return Rewritten(done.cone, mapping, (*inner.applied, *done.applied))


def _restated(b: Rewriter, at: int, mapping: Mapping[int, int]) -> int:
    node = b.graph.nodes[at]
    operands = tuple(b.graph.handle(mapping[i]) for i in node.operands)
    same = all(o.id == i for o, i in zip(operands, node.operands, strict=True))
    if node.is_leaf or at in b.cuts or (same and node.op not in b.rules):
        return at
    with b.standing_for(at, b.graph):
        term = Term(node.op, operands, node.param)
        made = b.rewrite(term)
        if made is None:
            made = b.graph.handle(at) if same else b.graph.add(term.op, operands, **term.params)
    return _inherited(b, at, made)


def _inherited(b: Rewriter, at: int, made: Handle) -> int:
    """``made``, which stands for ``at`` from now on, unless it is a cut that ``at`` was not."""
    if made.id in b.cuts:
        return at
    if made.id != at:
        b.graph.inherit(made.id, b.graph.origins(at))
    return made.id


def _down_to(graph: Graph, roots: list[int], cuts: frozenset[int]) -> list[int]:
    """What ``roots`` depend on without going through a cut, in topological order."""
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        at = stack.pop()
        if at not in seen:
            seen.add(at)
            stack.extend(() if at in cuts else graph.nodes[at].operands)
    return sorted(seen)
