"""The bodies of the loops of a picture: one step of each, in a frame of its own beside the graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from graphc.draw.graphs import Scene, picture_of
from graphc.draw.picture import Cluster, Picture
from graphc.draw.subject import Subject
from graphc.graph import Body, Cone, body_of


def with_bodies(scene: Scene) -> Picture:
    """The picture of ``scene`` with a step of each of its loops, once however many values of it are drawn."""
    picture = picture_of(scene)
    for number, (body, nodes) in enumerate(_bodies(scene)):
        picture = _beside(picture, _step(scene, body, nodes), f"s{number}", nodes)
    return picture


def _bodies(scene: Scene) -> Iterator[tuple[Body, list[int]]]:
    """The bodies that nodes of ``scene`` repeat, each with these nodes."""
    found: dict[Body, list[int]] = {}
    for at in scene.sides:
        body = body_of(scene.subject.graph.nodes[at])
        if body is not None and at not in scene.borrowed:
            found.setdefault(body, []).append(at)
    yield from found.items()


def _step(scene: Scene, body: Body, nodes: list[int]) -> Picture:
    """One step by itself, its results named as what they become."""
    graph = body.graph
    names = {
        after: f"next {graph.handle(at).name}" for at, after in zip(body.carries, body.following, strict=True)
    }
    cone = Cone(graph, {f"%{at}": at for at in body.following})
    uses = {at: len(users) for at, users in cone.users().items()}
    sides = dict.fromkeys(cone.nodes, scene.sides[nodes[0]])
    outputs = frozenset(body.following)
    return with_bodies(
        Scene(Subject(cone=cone, names=names), "forward", scene.shared, sides, frozenset(), uses, outputs)
    )


def _beside(picture: Picture, step: Picture, key: str, nodes: list[int]) -> Picture:
    """``picture`` with ``step`` in a frame; its keys are those of the step behind ``key``."""
    title = f"a step of {', '.join(f'%{at}' for at in nodes[:4])}{' …' if len(nodes) > 4 else ''}"
    frames = [
        replace(c, key=f"{key}{c.key}", parent=f"{key}{c.parent}" if c.parent else key) for c in step.clusters
    ]
    vertices = [
        replace(v, key=f"{key}{v.key}", cluster=f"{key}{v.cluster}" if v.cluster else key)
        for v in step.vertices
    ]
    edges = [replace(e, tail=f"{key}{e.tail}", head=f"{key}{e.head}") for e in step.edges]
    return replace(
        picture,
        vertices=(*picture.vertices, *vertices),
        edges=(*picture.edges, *edges),
        clusters=(*picture.clusters, Cluster(key=key, title=title, role="layer"), *frames),
    )


__all__ = ["with_bodies"]
