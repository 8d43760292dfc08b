"""User functions over integer indices: take, take_along_axis, scatter_add, one_hot, arange, extent."""

from __future__ import annotations

from typing import Any

from graphc.errors import DTypeError
from graphc.graph import Graph, Handle, call, graph_of, lift
from graphc.ops.index import check_index_rank
from graphc.ops.rules import function, node
from graphc.types import Checks, DType, as_dim, normalise_axes, normalise_axis, product

# ---------------------------------------------------------------------------------------- user functions


def index_node(graph: Graph, indices: Any) -> Handle:
    """``indices`` (a node, an int, an array, a list) as a node of integers."""
    found = lift(graph, indices)
    if not found.dtype.is_int:
        raise DTypeError(f"indices are {found.dtype}; give int32 or int64")
    return found


@function
def take(x: Any, indices: Any, axis: int | None = None, *, wrap: bool = True) -> Handle:
    """Elements of ``x`` at ``indices`` along ``axis`` (None: of the flattened value), as NumPy's ``take``.

    ``indices``: integers of any shape, which replaces the axis. Negative ones count from the end; with ``wrap=False``
    they are out of range. An input that holds an index out of range is an ``InputError`` before anything runs.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(gc.take(g.input("x", ("V", 8)), g.input("i", ("N", 5), "int32"), axis=0).type)
    f32[N,5,8]
    """
    graph = graph_of((x, indices), "take")
    x = call("ravel", lift(graph, x)) if axis is None else lift(graph, x)
    at = normalise_axis(axis or 0, x.ndim)
    return graph.add("take", (x, index_node(graph, indices)), axis=at, wrap=bool(wrap))


@function
def take_along_axis(x: Any, indices: Any, axis: int = -1, *, wrap: bool = True) -> Handle:
    """For each element of ``indices``, the value of ``x`` at that index along ``axis``; other axes broadcast.

    Negative indices count from the end; with ``wrap=False`` they are out of range. An input that holds an index out
    of range is an ``InputError`` before anything runs; computed ones are kept within it.
    """
    graph = graph_of((x, indices), "take_along_axis")
    x, found = lift(graph, x), index_node(graph, indices)
    check_index_rank(x.type, found.type)
    at = normalise_axis(axis, x.ndim)
    around = Checks().broadcast([(*h.shape[:at], 1, *h.shape[at + 1 :]) for h in (x, found)])
    spread = [call("broadcast_to", h, (*around[:at], h.shape[at], *around[at + 1 :])) for h in (x, found)]
    return graph.add("take_along", spread, axis=at, wrap=bool(wrap))


@function
def scatter_add(updates: Any, indices: Any, size: Any, axis: int = 0) -> Handle:
    """Zeros with ``size`` along ``axis``, to which ``updates`` are added at ``indices``: the adjoint
    of ``take``.

    ``updates`` has shape pre + indices.shape + post with ``axis`` axes in pre; equal indices add up.
    """
    graph = graph_of((updates, indices), "scatter_add")
    values, found = lift(graph, updates), index_node(graph, indices)
    return graph.add(
        "scatter_add",
        (values, found),
        axis=normalise_axis(axis, values.ndim - found.ndim + 1),
        size=as_dim(size),
        wrap=True,
    )


@function
def one_hot(indices: Any, depth: Any, dtype: Any = "float32") -> Handle:
    """1 where a new last axis of size ``depth`` equals the index, else 0."""
    x = node("one_hot", indices)
    return x.graph.add("one_hot", (index_node(x.graph, x),), depth=as_dim(depth), dtype=DType.of(dtype).long)


@function
def arange(graph: Any, size: Any, dtype: Any = "int64") -> Handle:
    """0, 1, 2 ... up to ``size``, which may be symbolic, in ``graph`` (a graph, or any node of it).

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(gc.arange(g, "N").type)
    i64[N]
    """
    owner: Graph = graph if isinstance(graph, Graph) else node("arange", graph).graph
    return owner.add("arange", (), size=as_dim(size), dtype=DType.of(dtype).long)


@function
def extent(x: Any, axis: Any = None, dtype: Any = "int64") -> Handle:
    """How many elements ``x`` has along ``axis`` (None: in all), as a scalar node; symbolic sizes are
    read at the call."""
    x = node("extent", x)
    size = product(x.shape[a] for a in normalise_axes(axis, x.ndim))
    return x.graph.add("extent", (), size=size, dtype=DType.of(dtype).long)
