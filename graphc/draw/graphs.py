"""From a subject to a picture: one vertex a node, forward on the left, adjoints beside their nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graphc.draw.formulas import formula, layer_of, local_name, reference, title
from graphc.draw.partials import local_derivative
from graphc.draw.picture import Cluster, Edge, Line, Picture, Vertex
from graphc.draw.subject import Subject
from graphc.draw.text import array_text, shorten
from graphc.types import Type

VIEWS = ("forward", "backward", "both")
_DEEPEST = 8  # nested frames
_LEVELS_UP_TO = 160  # vertices; larger pictures are laid out without aligning the two sides


@dataclass(frozen=True, slots=True)
class Scene:
    """A subject and what is decided: which nodes are drawn, on which side, and how often each is used."""

    subject: Subject
    view: str
    shared: bool
    sides: dict[int, str]  # drawn node -> side, in topological order
    borrowed: frozenset[int]  # forward nodes that the view "backward" shows as references
    uses: dict[int, int]
    outputs: frozenset[int]

    def is_copied(self, at: int) -> bool:
        """Whether each use of ``at`` gets a vertex of its own: a scalar constant's long edges say nothing."""
        node = self.subject.graph.nodes[at]
        return (
            node.is_const
            and node.param["value"].array.size == 1
            and at not in self.subject.names
            and self.uses[at] > 0
        )

    def operands(self, at: int) -> tuple[int, ...]:
        """The drawn operands of ``at``: none for a reference."""
        return () if at in self.borrowed else self.subject.graph.nodes[at].operands

    def layer(self, at: int) -> str:
        """The layer that first declared node ``at``."""
        return layer_of(self.subject, at)


def scene_of(subject: Subject, view: str, *, shared: bool) -> Scene:
    """The nodes that ``view`` shows of ``subject``, with their sides."""
    graph, ahead = subject.graph, subject.forward
    sides = {at: _role(subject, at) for at in ahead}
    if view != "forward":
        sides |= {at: "backward" for at in graph.ancestors(subject.seeds) if at not in sides}
    if view == "forward":
        sides = {at: side for at, side in sides.items() if side == "forward"} or sides
    borrowed: frozenset[int] = frozenset()
    if view == "backward":
        back = [at for at, side in sides.items() if side == "backward"]
        borrowed = frozenset(
            {i for at in back for i in graph.nodes[at].operands if sides[i] == "forward"}
            | set(subject.seeds) - set(back)
        )
        sides = {at: side for at, side in sides.items() if side == "backward" or at in borrowed}
    sides = dict(sorted(sides.items()))
    outputs = frozenset(subject.cone.outputs.values())
    return Scene(subject, view, shared, sides, borrowed, _uses(subject, sides, borrowed), outputs)


def _role(subject: Subject, at: int) -> str:
    """A node declared in several roles belongs to the first that needs it: forward, backward, update."""
    origins = subject.graph.origins(at)
    roles = {o.role for o in origins}
    return next((role for role in ("forward", "backward", "update") if role in roles), "forward")


def _uses(subject: Subject, drawn: Iterable[int], borrowed: frozenset[int]) -> dict[int, int]:
    """How often each node is used: by operations, and as the gradient of a parameter or input."""
    uses = dict.fromkeys(drawn, 0)
    nodes = subject.graph.nodes
    read = [i for at in uses if at not in borrowed for i in nodes[at].operands]
    leaves = [at for at in subject.seeds for target in subject.adjoints.get(at, ()) if nodes[target].is_leaf]
    for at in (*read, *dict.fromkeys(leaves)):
        if at in uses:
            uses[at] += 1
    return uses


def picture_of(scene: Scene) -> Picture:
    """One vertex a node and one edge an operand."""
    frames = Frames(scene)
    vertices = [v for at in scene.sides for v in vertices_of(scene, frames, at)]
    edges = [e for at in scene.sides for e in edges_of(scene, at)] + update_edges(scene)
    return Picture(
        title=title_of(scene), vertices=tuple(vertices), edges=tuple(edges),
        clusters=tuple(frames.made.values()), levels=_levels(scene),
    )  # fmt: skip


def title_of(scene: Scene) -> str:
    name = scene.subject.graph.name
    return "" if name == "graph" else shorten(name)


def vertices_of(scene: Scene, frames: Frames, at: int) -> list[Vertex]:
    """The vertex of node ``at`` and those of the scalar constants that it reads."""
    own = [] if scene.is_copied(at) else [_vertex(scene, frames, at)]
    return own + [_copy(scene, frames, at, k) for k, i in enumerate(scene.operands(at)) if scene.is_copied(i)]


def edges_of(scene: Scene, at: int) -> list[Edge]:
    """The edges into node ``at``."""
    return [_edge(scene, at, position) for position in range(len(scene.operands(at)))]


class Frames:
    """The clusters of a picture, made as vertices ask for them: a side, then parts of the layer's path."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.several = scene.view == "both" and len(set(scene.sides.values())) > 1
        self.made: dict[tuple[str, ...], Cluster] = {}

    def of(self, at: int) -> str:
        """The key of the innermost cluster of node ``at``."""
        layer = self.scene.layer(at)
        return self.at(self.scene.sides[at], layer.split("/") if layer else [])

    def at(self, side: str, parts: Sequence[str]) -> str:
        """The key of the cluster of layer path ``parts`` on ``side``."""
        key = self._side(side)
        for depth in range(1, min(len(parts), _DEEPEST) + 1):
            key = self._make((side, *parts[:depth]), parts[depth - 1], key, "layer")
        return key

    def _side(self, side: str) -> str:
        return self._make((side,), side, "", "side") if self.several else ""

    def _make(self, path: tuple[str, ...], title: str, parent: str, role: str) -> str:
        if path not in self.made:
            self.made[path] = Cluster(key=f"c{len(self.made)}", title=title, parent=parent, role=role)
        return self.made[path].key


# --------------------------------------------------------------------------------------------------- vertices


def _vertex(scene: Scene, frames: Frames, at: int) -> Vertex:
    subject, node = scene.subject, scene.subject.graph.nodes[at]
    kind = "reference" if at in scene.borrowed else node.op if node.is_leaf else "op"
    uses = scene.uses[at]
    return Vertex(
        key=f"n{at}", kind=kind, lines=tuple(_lines(scene, at, kind)), mark=f"%{at}",
        type=type_text(node.type), side=scene.sides[at],
        shared=uses if scene.shared and uses > 1 and kind == "op" else 0, cluster=frames.of(at),
        output=at in scene.outputs, about=_about(subject, at),
    )  # fmt: skip


def _lines(scene: Scene, at: int, kind: str) -> Iterable[Line]:
    subject, node = scene.subject, scene.subject.graph.nodes[at]
    name = subject.names.get(at, "")
    yield Line(_heading(subject, at, kind, name), "title")
    if scene.view != "forward":
        yield from _adjoint(subject, at, scene.sides[at])
    if kind in ("op", "const", "reference") and not (node.is_leaf and kind == "reference"):
        yield Line(formula(subject, at))
    if at in subject.values:
        yield Line(f"value {array_text(subject.values[at])}", "value")
    if at in subject.gradients:
        yield Line(f"gradient {array_text(subject.gradients[at])}", "gradient")


def type_text(kind: Type) -> str:
    """A type as it stands beside a title: a scalar's is its dtype."""
    return shorten(kind) if kind.shape else kind.dtype.short


def _heading(subject: Subject, at: int, kind: str, name: str) -> str:
    node = subject.graph.nodes[at]
    if node.is_leaf:
        return shorten(name or local_name(node.param.get("name", "const"), layer_of(subject, at)))
    return (
        f"{shorten(name)} = {title(node)}"
        if name and kind == "op"
        else shorten(name)
        if name
        else title(node)
    )


def _adjoint(subject: Subject, at: int, side: str) -> Iterable[Line]:
    """Whose adjoint a node is: ``∂L/∂w = ∂L/∂q``."""
    targets = subject.adjoints.get(at, ())
    if targets and (side == "backward" or at in subject.adjoints):
        yield Line(
            shorten(
                " = ".join(adjoint_name(subject, t) for t in targets[:4])
                + (" …" if len(targets) > 4 else ""),
                60,
            ),
            "adjoint",
        )


def adjoint_name(subject: Subject, at: int) -> str:
    """The derivative of the loss by node ``at``, as it is written: ``∂L/∂%7``."""
    loss = subject.names.get(subject.loss, "") if subject.loss >= 0 else "L"
    return f"∂{shorten(loss, 16) or f'%{subject.loss}'}/∂{reference(subject, at)}"


def _about(subject: Subject, at: int) -> str:
    handle = subject.graph.handle(at)
    origins = subject.graph.origins(at)
    place = f", {origins[0].short}" if origins and origins[0].short else ""
    return f"%{at} {handle.label}: {handle.type}{place}"


def _copy(scene: Scene, frames: Frames, at: int, position: int) -> Vertex:
    operand = scene.subject.graph.nodes[at].operands[position]
    return Vertex(
        key=_source(scene, at, position), kind="const", lines=(Line(reference(scene.subject, operand)),),
        side=scene.sides[at], cluster=frames.of(at), about=_about(scene.subject, operand),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------ edges


def _source(scene: Scene, at: int, position: int) -> str:
    operand = scene.subject.graph.nodes[at].operands[position]
    return f"n{operand}x{at}x{position}" if scene.is_copied(operand) else f"n{operand}"


def _edge(scene: Scene, at: int, position: int) -> Edge:
    operand = scene.subject.graph.nodes[at].operands[position]
    back, beside = scene.sides[at] == "backward", scene.view == "both"
    crossing = back and scene.sides[operand] == "forward" and not scene.is_copied(operand)
    label = local_derivative(scene.subject, at, position) if scene.sides[at] == "forward" else ""
    return Edge(
        tail=_source(scene, at, position), head=f"n{at}", label=label, kind="borrow" if crossing else "data",
        flipped=back and beside and not crossing, ranked=not (crossing and beside),
    )  # fmt: skip


def update_edges(scene: Scene) -> list[Edge]:
    """From each next value to the parameter or state that takes it."""
    found = scene.subject.cone.updates.items()
    pairs = [(target, value) for target, value in found if target in scene.sides and value in scene.sides]
    return [
        Edge(tail=f"n{value}", head=f"n{target}", label="next value", kind="update", ranked=False)
        for target, value in pairs
    ]


def _levels(scene: Scene) -> tuple[tuple[str, ...], ...]:
    """Each forward node level with the backward node that is its adjoint, where that is one node's alone."""
    if scene.view != "both" or len(scene.sides) > _LEVELS_UP_TO:
        return ()
    drawn = {at: side for at, side in scene.sides.items() if not scene.is_copied(at)}
    pairs = ((targets[0], node) for node, targets in scene.subject.adjoints.items())
    return tuple((f"n{a}", f"n{b}") for a, b in pairs if a in drawn and drawn.get(b) == "backward")
