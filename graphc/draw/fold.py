"""Folding: a layer becomes one box; equal layers in a row or side by side become one box with their number.

Nodes outside every layer stay as they are, except those that only carry one layer's result to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.draw.formulas import title
from graphc.draw.graphs import Frames, Scene, edges_of, title_of, update_edges, vertices_of
from graphc.draw.picture import Edge, Line, Picture, Vertex
from graphc.draw.text import count_text, shorten
from graphc.types import Type

FOLD_FROM = 60  # drawn nodes from which fold="auto" folds, where most of them are in layers
_PAGE = 48  # boxes that fit a page: more, and outer layers are folded instead of inner ones
_PERIOD = 4  # layers that may repeat together, such as dense and norm
_OPS_SHOWN = 4
_DEEPEST = 8  # parts of a layer's path that are told apart

Name = tuple[str, str]  # side and layer path


@dataclass(frozen=True, slots=True)
class Group:
    """The nodes of one layer on one side, in topological order."""

    name: Name
    nodes: tuple[int, ...]


def folds_by_itself(scene: Scene) -> bool:
    """Whether ``fold="auto"`` folds ``scene``: it has many nodes, most of them in layers."""
    inside = sum(1 for at in scene.sides if scene.layer(at))
    return len(scene.sides) > FOLD_FROM and 2 * inside > len(scene.sides)


def folded(scene: Scene) -> Picture:
    """``scene`` with one box a layer and side, and one for equal ones in a row or in parallel."""
    deepest = max((scene.layer(at).count("/") + 1 for at in scene.sides if scene.layer(at)), default=1)
    foldings = (Folding(scene, depth) for depth in range(min(deepest, _DEEPEST), 1, -1))
    fitting = next((f for f in foldings if len(f.runs) <= _PAGE), None)
    return (fitting or Folding(scene, 1)).picture()


class Folding:
    """The groups of a scene at one depth of layer paths, and the runs of equal groups among them."""

    def __init__(self, scene: Scene, depth: int) -> None:
        self.scene = scene
        self.home = _homes(scene, depth)
        self.groups = _groups(self.home)
        self.reads, self.feeds = self._links()
        self.signatures = {name: self._signature(group) for name, group in self.groups.items()}
        self.runs = self._parallel(self._chained())
        self.box = {name: f"f{n}" for n, run in enumerate(self.runs) for name in run}

    def picture(self) -> Picture:
        scene, frames = self.scene, Frames(self.scene)
        loose = [at for at in scene.sides if at not in self.home]
        vertices = [v for at in loose for v in vertices_of(scene, frames, at)]
        vertices += [self._vertex(frames, run) for run in self.runs]
        return Picture(
            title=title_of(scene),
            vertices=tuple(vertices),
            edges=tuple(self._edges()),
            clusters=tuple(frames.made.values()),
            levels=self._levels(),
        )

    # ------------------------------------------------------------------------------------------ what is equal

    def _links(self) -> tuple[dict[Name, set[Name | int]], dict[Name, set[Name | int]]]:
        """For each group, the groups and loose operations of its side that it reads and that read it."""
        reads: dict[Name, set[Name | int]] = {name: set() for name in self.groups}
        feeds: dict[Name, set[Name | int]] = {name: set() for name in self.groups}
        for at in self.scene.sides:
            for operand in self.scene.operands(at):
                tail, head = self.home.get(operand, operand), self.home.get(at, at)
                if (
                    tail == head
                    or self.scene.sides[at] != self.scene.sides[operand]
                    or self._is_leaf(operand, tail)
                ):
                    continue
                if isinstance(head, tuple):
                    reads[head].add(tail)
                if isinstance(tail, tuple):
                    feeds[tail].add(head)
        return reads, feeds

    def _is_leaf(self, at: int, end: Name | int) -> bool:
        return isinstance(end, int) and self.scene.subject.graph.nodes[at].is_leaf

    def _signature(self, group: Group) -> tuple[object, ...]:
        """Two groups with equal signatures compute the same over other values."""
        graph = self.scene.subject.graph
        inside = {at: k for k, at in enumerate(group.nodes)}
        rows: list[object] = [group.name[0]]
        for at in group.nodes:
            node = graph.nodes[at]
            params = tuple(p for p in node.params if p[0] != "name")
            operands = tuple(inside.get(i, str(graph.nodes[i].type)) for i in node.operands)
            rows.append((node.op, str(params), str(node.type), operands))
        return tuple(rows)

    def _chained(self) -> list[list[Name]]:
        """Runs of groups that repeat along a path on which each reads only the one before."""
        runs: list[list[Name]] = []
        for path in self._paths():
            start = 0
            while start < len(path):
                length = self._repeats([self.signatures[name] for name in path], start)
                runs.append(path[start : start + length])
                start += length
        return runs

    def _paths(self) -> Iterable[list[Name]]:
        follows = {name: self._only_follower(name) for name in self.groups}
        heads = [name for name in self.groups if name not in set(follows.values())]
        for head in heads:
            path: list[Name] = []
            here: Name | None = head
            while here is not None:
                path.append(here)
                here = follows[here]
            yield path

    def _only_follower(self, name: Name) -> Name | None:
        ends = list(self.feeds[name])
        if len(ends) != 1 or not isinstance(ends[0], tuple) or len(self.reads[ends[0]]) != 1:
            return None
        return ends[0]

    def _repeats(self, signatures: Sequence[object], start: int) -> int:
        """How many groups from ``start`` on are repetitions of the first one, two ... of them; 1 for none."""
        best = 1
        for period in range(1, _PERIOD + 1):
            unit, end = signatures[start : start + period], start + period
            while len(unit) == period and signatures[end : end + period] == unit:
                end += period
            if end > start + period and end - start > best:
                best = end - start
        return best

    def _parallel(self, runs: list[list[Name]]) -> list[list[Name]]:
        """Single groups that are equal and stand between the same runs, as one run."""
        box = {name: n for n, run in enumerate(runs) for name in run}
        around = self._around(box)
        found: dict[object, list[Name]] = {}
        for n, run in enumerate(runs):
            name = run[0]
            key = (self.signatures[name], around[name]) if len(run) == 1 else n
            found.setdefault(key, []).extend(run)
        return list(found.values())

    def _around(self, box: Mapping[Name, int]) -> dict[Name, tuple[frozenset[object], frozenset[object]]]:
        """The runs and loose nodes, of any side, that each group reads and feeds."""
        ends: dict[Name, tuple[set[object], set[object]]] = {name: (set(), set()) for name in self.groups}
        for at in self.scene.sides:
            for operand in self.scene.operands(at):
                tail, head = self.home.get(operand), self.home.get(at)
                if tail != head and head is not None and not self.scene.is_copied(operand):
                    ends[head][0].add(-1 - operand if tail is None else box[tail])
                if tail != head and tail is not None:
                    ends[tail][1].add(-1 - at if head is None else box[head])
        return {name: (frozenset(a), frozenset(b)) for name, (a, b) in ends.items()}

    # ---------------------------------------------------------------------------------------------- the boxes

    def _vertex(self, frames: Frames, run: Sequence[Name]) -> Vertex:
        side, layer = run[0]
        return Vertex(
            key=self.box[run[0]],
            kind="stack" if len(run) > 1 else "layer",
            lines=tuple(self._lines(run)),
            side=side,
            cluster=frames.at(side, layer.split("/")[:-1]),
            about=", ".join(name[1] for name in run),
            output=any(at in self.scene.outputs for name in run for at in self.groups[name].nodes),
        )

    def _lines(self, run: Sequence[Name]) -> Iterable[Line]:
        graph, group = self.scene.subject.graph, self.groups[run[0]]
        first, last = (shorten(name[1].rpartition("/")[2], 24) for name in (run[0], run[-1]))
        yield Line(f"{first} … {last}" if len(run) > 1 else first, "title")
        if len(run) > 1:
            yield Line(self._times(run))
        heads = list(
            dict.fromkeys(title(graph.nodes[at]) for at in group.nodes if not graph.nodes[at].is_leaf)
        )
        more = " …" if len(heads) > _OPS_SHOWN else ""
        yield Line(", ".join(heads[:_OPS_SHOWN]) + more)
        yield Line(self._counts(group) + (" each" if len(run) > 1 else ""), "note")
        yield Line(self._types(run), "type")

    def _times(self, run: Sequence[Name]) -> str:
        period = len(dict.fromkeys(self.signatures[name] for name in run))
        return f"{len(run)} equal layers" if period == 1 else f"{period} layers, {len(run) // period} times"

    def _counts(self, group: Group) -> str:
        nodes = [self.scene.subject.graph.nodes[at] for at in group.nodes]
        weights = sum(_count(n.type) for n in nodes if n.op == "param")
        ops = count_text(sum(1 for n in nodes if not n.is_leaf), "op")
        return f"{ops}, {count_text(weights, 'parameter')}" if weights else ops

    def _types(self, run: Sequence[Name]) -> str:
        """The types that enter and leave, of what flows along the side."""
        graph, sides = self.scene.subject.graph, self.scene.sides
        inside = {at for name in run for at in self.groups[name].nodes}
        into = [
            i
            for at in sorted(inside)
            for i in self.scene.operands(at)
            if i not in inside and sides[i] == run[0][0] and not graph.nodes[i].is_const
        ]
        out = [
            i
            for at in sides
            for i in self.scene.operands(at)
            if i in inside and at not in inside and sides[at] == run[0][0]
        ]
        out = out or [at for at in sorted(inside) if at in self.scene.outputs]
        ends = [", ".join(dict.fromkeys(str(graph.nodes[i].type) for i in end[:8])) for end in (into, out)]
        return " → ".join(shorten(e, 30) for e in ends if e) or str(graph.nodes[max(inside)].type)

    def _edges(self) -> list[Edge]:
        found: dict[tuple[str, str], Edge] = {}
        for edge in [e for at in self.scene.sides for e in edges_of(self.scene, at)] + update_edges(
            self.scene
        ):
            tail, head = self._end(edge.tail), self._end(edge.head)
            if tail != head and tail:
                label = edge.label if (tail, head) == (edge.tail, edge.head) else ""
                found.setdefault((tail, head), replace(edge, tail=tail, head=head, label=label))
        return list(found.values())

    def _end(self, key: str) -> str:
        """The vertex that stands for ``key`` of the unfolded picture; ``""`` for a constant inside a box."""
        own, *use = key[1:].split("x")
        name = self.home.get(int(use[0] if use else own))
        if name is None:
            return key
        return "" if use else self.box[name]

    def _levels(self) -> tuple[tuple[str, ...], ...]:
        if self.scene.view != "both":
            return ()
        pairs = [
            (self.box[("forward", run[0][1])], self.box[run[0]])
            for run in self.runs
            if run[0][0] == "backward" and ("forward", run[0][1]) in self.box
        ]
        return tuple(dict(pairs).items())


def _count(kind: Type) -> int:
    """The elements of a parameter, whose sizes are ints."""
    size = kind.size
    return size if isinstance(size, int) else 0


def _homes(scene: Scene, depth: int) -> dict[int, Name]:
    """The group of each node that is in one."""
    home = {
        at: (side, "/".join(scene.layer(at).split("/")[:depth]))
        for at, side in scene.sides.items()
        if scene.layer(at) and not scene.is_copied(at)
    }
    readers: dict[int, list[int]] = {at: [] for at in scene.sides}
    for at, side in scene.sides.items():
        for operand in scene.operands(at):
            if scene.sides[operand] == side:
                readers[operand].append(at)
    return _absorbed(scene, home, readers)


def _absorbed(scene: Scene, home: dict[int, Name], readers: Mapping[int, Sequence[int]]) -> dict[int, Name]:
    """``home`` with leaves that one layer reads, and operations that carry one layer's result to others."""
    nodes, outputs = scene.subject.graph.nodes, scene.outputs
    carried: set[int] = set()
    for at in reversed(scene.sides):
        if readers[at] and at not in outputs and all(r in home or r in carried for r in readers[at]):
            carried.add(at)
    for at in scene.sides:
        if at in home or at not in carried or nodes[at].op == "input" or scene.is_copied(at):
            continue
        ends = readers[at] if nodes[at].is_leaf else [i for i in scene.operands(at) if not nodes[i].is_leaf]
        names = {home.get(end) for end in ends}
        only = names.pop() if len(names) == 1 else None
        if only is not None and only[0] == scene.sides[at]:
            home[at] = only
    return home


def _groups(home: Mapping[int, Name]) -> dict[Name, Group]:
    members: dict[Name, list[int]] = {}
    for at in sorted(home):
        members.setdefault(home[at], []).append(at)
    return {name: Group(name, tuple(nodes)) for name, nodes in members.items()}
