"""The neutral picture: what to draw, before anyone asks how. Builders make it, the DOT writer reads it."""

from __future__ import annotations

from dataclasses import dataclass

# What a vertex stands for; each has a shape of its own, so that colour is never needed to tell them apart.
KINDS = ("input", "param", "state", "const", "op", "reference", "layer", "stack", "kernel", "buffer")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a label; ``style`` is one of ``title formula type value gradient adjoint note``."""

    text: str
    style: str = "formula"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """One thing drawn.

    key:     its identity inside the picture, of letters and digits only
    mark:    the small identity in front of the title (``%7``); ``type``: the small type behind it
    shared:  how many uses it has, where it is a shared subterm; 0 where it is none
    output:  whether it is a result of the graph
    side:    ``forward``, ``backward`` or ``update``
    cluster: key of the innermost cluster that holds it, or ``""``
    about:   the full text shown when the mouse rests on it
    """

    key: str
    kind: str
    lines: tuple[Line, ...]
    mark: str = ""
    type: str = ""
    shared: int = 0
    output: bool = False
    side: str = "forward"
    cluster: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """``tail`` is used by ``head``.

    kind:    ``data``; ``borrow`` (a forward value read by the backward graph); ``update`` (the next value
             of a parameter or state)
    flipped: drawn so that ``head`` lies above ``tail``: the backward graph runs upwards
    ranked:  whether the edge decides which end lies above the other
    """

    tail: str
    head: str
    label: str = ""
    kind: str = "data"
    flipped: bool = False
    ranked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A frame with a title around vertices and inner clusters."""

    key: str
    title: str
    parent: str = ""
    role: str = "layer"  # layer or side


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything that one drawing shows; ``levels`` are groups of vertices drawn at the same height."""

    title: str
    vertices: tuple[Vertex, ...]
    edges: tuple[Edge, ...]
    clusters: tuple[Cluster, ...] = ()
    levels: tuple[tuple[str, ...], ...] = ()
    legend: bool = False
