"""Names for what the user leaves nameless."""

from __future__ import annotations

from graphc.graph import Graph


def free_name(graph: Graph, kind: str, owned: str) -> str:
    """The first of ``kind``, ``kind_1``, ... under which no value ``owned`` stands in the present scope.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("dense.weight", (3,))
    >>> free_name(g, "dense", "weight")
    'dense_1'
    """
    prefix, taken, name, count = graph.here().layer.replace("/", "."), graph.named, kind, 0
    while ".".join(filter(None, (prefix, name, owned))) in taken:
        count += 1
        name = f"{kind}_{count}"
    return name


__all__ = ["free_name"]
