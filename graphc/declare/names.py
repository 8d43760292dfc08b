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


def free_layer_name(graph: Graph, around: str, kind: str) -> str:
    """The first of ``kind``, ``kind_1``, ... that no layer, and no name of a value, has within layer ``around``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("dense.weight", (3,))
    >>> free_layer_name(g, "", "dense"), free_layer_name(g, "block", "dense")
    ('dense_1', 'dense')
    """
    prefix, name, count = f"{around}/" if around else "", kind, 0
    while graph.has_layer(prefix + name):
        count += 1
        name = f"{kind}_{count}"
    return name


__all__ = ["free_layer_name", "free_name"]
