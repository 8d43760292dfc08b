"""Indexing by integers that are data: take and its adjoint scatter_add, their elementwise forms, one-hot, counting.

Negative indices count from the end. Indices out of range raise IndexError in the reference; kernels do not look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import DTypeError, ShapeError
from graphc.graph import Graph, Handle, call, graph_of, lift
from graphc.loops import Axis, Const, Expr, Extent, Load, Loop, cast, identity
from graphc.loops import call as fn
from graphc.ops.rules import axes_from, at_least, batch_size, checked_axis, everywhere, expect, function, integers, moved, no_gradient, no_tangent, node, reshaped, size_value, wrapped
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Dim, DType, Type, as_dim, normalise_axes, normalise_axis, product, shape_text

_N = symbol("N")


def _axis_of(index: Sequence[Expr], axis: int, other: Sequence[Expr], removed: int = 1) -> tuple[Expr, ...]:
    """``index`` with the ``removed`` positions from ``axis`` on replaced by ``other``."""
    return (*index[:axis], *other, *index[axis + removed :])


def _looked_up(source: int, index: Sequence[Expr], kind: Type, size: Dim) -> Expr:
    """The index that operand ``source`` holds at ``index``, counted from the front."""
    return wrapped(cast(Load(source, tuple(index), kind.dtype), DType.I64), size)


def _check_index_rank(values: Type, indices: Type) -> None:
    if values.rank != indices.rank:
        raise ShapeError(f"shapes {shape_text(values.shape)} and {shape_text(indices.shape)} differ in rank; give indices with as many axes")


# ------------------------------------------------------------------------------------ take, scatter_add


def _take_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params, "axis")
    integers(types[1])
    axis, shape = checked_axis(params["axis"], types[0].rank), types[0].shape
    return Type(types[0].dtype, (*shape[:axis], *types[1].shape, *shape[axis + 1 :]))


def _take_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    axis, here = params["axis"], identity(kind.rank)
    found = _looked_up(1, here[axis : axis + types[1].rank], types[1], types[0].shape[axis])
    return (Loop(axes=kind.shape, expr=Load(0, _axis_of(here, axis, (found,), types[1].rank), kind.dtype), dtype=kind.dtype),)


def _take_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    axis = app.params["axis"]
    return [b("scatter_add", cotangent, app.operands[1], axis=axis, size=app.operands[0].shape[axis]), None]


def _from_front(b: Any, indices: Any, size: Dim) -> Any:
    """Integer ``indices`` as int64, negative ones counted from the front."""
    indices = indices if indices.dtype is DType.I64 else b("cast", indices, dtype="int64")
    below = b("lt", indices, b.constant(0, indices.type))
    return b("where", below, b("add", indices, size_value(b, size, DType.I64)), indices)


def _shifted_rows(b: Any, indices: Any, size: Dim) -> Any:
    """Indices of row k of a batch as indices of all rows laid end to end: k * size is added."""
    starts = b("mul", b("arange", size=indices.shape[0], dtype="int64"), size_value(b, size, DType.I64))
    column = (indices.shape[0], *([1] * (indices.ndim - 1)))
    return b("add", _from_front(b, indices, size), reshaped(b, starts, column))


def _take_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    (values, indices), axis = app.operands, app.params["axis"]
    if not batched[1]:
        return b("take", values, indices, axis=axis + 1)
    if not batched[0]:
        found = b("take", values, indices, axis=axis)
        return moved(b, found, (axis, *(k for k in range(found.ndim) if k != axis)))
    return _take_rows(b, values, indices, axis)


def _take_rows(b: Any, values: Any, indices: Any, axis: int) -> Any:
    """Each row has indices of its own: the rows are laid end to end and taken from as one."""
    rows, size = values.shape[0], values.shape[axis + 1]
    rest = [k for k in range(1, values.ndim) if k != axis + 1]
    front = moved(b, values, (0, axis + 1, *rest))
    flat = reshaped(b, front, (rows * size, *front.shape[2:]))
    found = b("take", flat, _shifted_rows(b, indices, size), axis=0)
    inner, before = indices.ndim - 1, axis
    order = (0, *range(inner + 1, inner + 1 + before), *range(1, inner + 1), *range(inner + 1 + before, found.ndim))
    return moved(b, found, order)


def _samples(*cases: tuple[Any, Any, dict[str, Any], int]) -> tuple[Sample, ...]:
    return tuple(
        Sample(shapes=(values, indices), params=params, dtypes=("", dtype), integer_below=below)
        for values, indices, params, below in cases
        for dtype in ("int64", "int32")
    )


registry.register(Op(
    name="take", infer=_take_infer, reference=lambda xs, p, t: np.asarray(np.take(xs[0], xs[1], axis=p["axis"])), loops=_take_loops,
    vjp=_take_vjp, jvp=lambda b, app, t: None if t[0] is None else b("take", t[0], app.operands[1], **app.params), batch=_take_batch,
    label=lambda x, p: f"take({x[0]}, {x[1]}, axis={p['axis']})",
    samples=_samples(((5,), (3,), {"axis": 0}, 5), ((5,), (), {"axis": 0}, 5), ((4, 3), (2, 2), {"axis": 0}, 4), ((_N, 4, 2), (_N,), {"axis": 1}, 4),
                     ((2, 3), (4,), {"axis": 1}, 3), ((3, 2), (0,), {"axis": 0}, 3), ((0, 3), (2,), {"axis": 1}, 3), ((1,), (2,), {"axis": 0}, 1)),
    doc="Elements at indices along an axis: shape x[:axis] + indices + x[axis+1:]."))  # fmt: skip


def _scatter_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params, "axis", "size")
    integers(types[1])
    (updates, indices), axis = types, params["axis"]
    if not 0 <= axis <= updates.rank - indices.rank:
        raise ShapeError(f"axis {axis} leaves no room for {indices.rank} axes of indices in {shape_text(updates.shape)}; lower it")
    for k, dim in enumerate(indices.shape):
        checks.equal(updates.shape[axis + k], dim, f"axis {axis + k} of the updates and axis {k} of the indices")
    return Type(updates.dtype, (*updates.shape[:axis], params["size"], *updates.shape[axis + indices.rank :]))


def _scatter_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    shape: Any = kind.shape
    result = np.zeros(shape, kind.dtype.numpy)
    np.add.at(result, (*([slice(None)] * params["axis"]), operands[1]), operands[0])
    return result


def _scatter_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    (updates, indices), axis = types, params["axis"]
    here = identity(updates.rank)
    found = _looked_up(1, here[axis : axis + indices.rank], indices, params["size"])
    target = _axis_of(here, axis, (found,), indices.rank)
    load = Load(0, here, kind.dtype)
    return (Loop(axes=updates.shape, expr=load, dtype=kind.dtype, scatter=target, scatter_shape=kind.shape),)


def _scatter_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    axis, size = app.params["axis"], app.params["size"]
    if not batched[1]:
        return b("scatter_add", *app.operands, axis=axis + 1, size=size)
    updates, indices = everywhere(b, app, batched)
    return _scatter_rows(b, updates, indices, axis, size)


def _scatter_rows(b: Any, updates: Any, indices: Any, axis: int, size: Dim) -> Any:
    """Each row has indices of its own: all rows are added into one result, whose rows lie end to end."""
    rows, inner = updates.shape[0], indices.ndim - 1
    around = [k for k in range(1, updates.ndim) if not axis < k <= axis + inner]
    front = moved(b, updates, (0, *range(axis + 1, axis + 1 + inner), *around))
    flat = b("scatter_add", front, _shifted_rows(b, indices, size), axis=0, size=rows * size)
    found = reshaped(b, flat, (rows, size, *flat.shape[1:]))
    return moved(b, found, (0, *range(2, axis + 2), 1, *range(axis + 2, found.ndim)))


registry.register(Op(
    name="scatter_add", infer=_scatter_infer, reference=_scatter_reference, loops=_scatter_loops, batch=_scatter_batch,
    vjp=lambda b, app, g: [b("take", g, app.operands[1], axis=app.params["axis"]), None],
    jvp=lambda b, app, t: None if t[0] is None else b("scatter_add", t[0], app.operands[1], **app.params),
    label=lambda x, p: f"scatter_add({x[0]}, {x[1]}, axis={p['axis']}, size={p['size']})",
    samples=_samples(((3,), (3,), {"axis": 0, "size": 5}, 5), ((), (), {"axis": 0, "size": 3}, 3), ((2, 2, 3), (2, 2), {"axis": 0, "size": 4}, 4),
                     ((_N, 3, 2), (3,), {"axis": 1, "size": 4}, 4), ((0, 2), (0,), {"axis": 0, "size": 3}, 3), ((2, 4), (4,), {"axis": 1, "size": _N}, 1)),
    doc="Zeros with updates added at indices along an axis: the adjoint of take."))  # fmt: skip

# ---------------------------------------------------------------------------------- take_along, put_along


def _match_around(checks: Checks, values: Type, indices: Type, axis: int) -> None:
    for k, (mine, yours) in enumerate(zip(values.shape, indices.shape, strict=True)):
        if k != axis:
            checks.equal(mine, yours, f"axis {k} of {shape_text(values.shape)} and of the indices {shape_text(indices.shape)}")


def _along_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params, "axis")
    integers(types[1])
    _check_index_rank(*types)
    _match_around(checks, types[0], types[1], checked_axis(params["axis"], types[0].rank))
    return Type(types[0].dtype, types[1].shape)


def _along_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    axis, here = params["axis"], identity(kind.rank)
    found = _looked_up(1, here, types[1], types[0].shape[axis])
    return (Loop(axes=kind.shape, expr=Load(0, _axis_of(here, axis, (found,)), kind.dtype), dtype=kind.dtype),)


def _along_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    params = {**app.params, "axis": app.params["axis"] + 1}
    return b(app.output.node.op, *everywhere(b, app, batched), **params)


def _put_vjp_of_take(b: Any, app: Application, cotangent: Any) -> list[Any]:
    axis = app.params["axis"]
    return [b("put_along", cotangent, app.operands[1], axis=axis, size=app.operands[0].shape[axis]), None]


registry.register(Op(
    name="take_along", infer=_along_infer, loops=_along_loops, vjp=_put_vjp_of_take, batch=_along_batch,
    reference=lambda xs, p, t: np.take_along_axis(xs[0], xs[1].astype(np.int64), axis=p["axis"]),
    jvp=lambda b, app, t: None if t[0] is None else b("take_along", t[0], app.operands[1], **app.params),
    label=lambda x, p: f"take_along({x[0]}, {x[1]}, axis={p['axis']})",
    samples=_samples(((5,), (3,), {"axis": 0}, 5), ((_N, 4), (_N, 1), {"axis": 1}, 4), ((3, 2), (4, 2), {"axis": 0}, 3), ((0, 3), (0, 1), {"axis": 1}, 3),
                     ((2, 3, 2), (2, 1, 2), {"axis": 1}, 3), ((1, 1), (1, 1), {"axis": 1}, 1), ((2, 3), (2, 0), {"axis": 1}, 3)),
    doc="For each element of indices, the value at that index along an axis and at its own place elsewhere."))  # fmt: skip


def _put_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params, "axis", "size")
    integers(types[1])
    _check_index_rank(*types)
    axis = checked_axis(params["axis"], types[0].rank)
    for k, (mine, yours) in enumerate(zip(types[0].shape, types[1].shape, strict=True)):
        checks.equal(mine, yours, f"axis {k} of the updates and of the indices")
    return Type(types[0].dtype, (*types[0].shape[:axis], params["size"], *types[0].shape[axis + 1 :]))


def _put_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    updates, indices = operands
    shape: Any = kind.shape
    result, places = np.zeros(shape, kind.dtype.numpy), list(np.indices(indices.shape))
    places[params["axis"]] = indices
    np.add.at(result, tuple(places), updates)
    return result


def _put_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    here = identity(kind.rank)
    target = _axis_of(here, params["axis"], (_looked_up(1, here, types[1], params["size"]),))
    load = Load(0, here, kind.dtype)
    return (Loop(axes=types[0].shape, expr=load, dtype=kind.dtype, scatter=target, scatter_shape=kind.shape),)


registry.register(Op(
    name="put_along", infer=_put_infer, reference=_put_reference, loops=_put_loops, batch=_along_batch,
    vjp=lambda b, app, g: [b("take_along", g, app.operands[1], axis=app.params["axis"]), None],
    jvp=lambda b, app, t: None if t[0] is None else b("put_along", t[0], app.operands[1], **app.params),
    label=lambda x, p: f"put_along({x[0]}, {x[1]}, axis={p['axis']}, size={p['size']})",
    samples=_samples(((3,), (3,), {"axis": 0, "size": 5}, 5), ((_N, 1), (_N, 1), {"axis": 1, "size": 4}, 4), ((4, 2), (4, 2), {"axis": 0, "size": 3}, 3),
                     ((0, 1), (0, 1), {"axis": 1, "size": 3}, 3)),
    doc="Zeros with each update added at its index along an axis: the adjoint of take_along."))  # fmt: skip

# ------------------------------------------------------------------------------- one_hot, arange, extent


def _one_hot_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "depth", "dtype")
    integers(types[0])
    return Type(DType.of(params["dtype"]), (*types[0].shape, params["depth"]))


def _one_hot_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    index = cast(Load(0, axes_from(0, kind.rank - 1), types[0].dtype), DType.I64)
    hit = cast(fn("eq", index, Axis(kind.rank - 1)), kind.dtype)
    return (Loop(axes=kind.shape, expr=hit, dtype=kind.dtype),)


def _one_hot_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    return (np.asarray(operands[0])[..., None] == np.arange(kind.shape[-1])).astype(kind.dtype.numpy)


registry.register(Op(
    name="one_hot", infer=_one_hot_infer, reference=_one_hot_reference, loops=_one_hot_loops, vjp=no_gradient, jvp=no_tangent,
    batch=lambda b, app, flags: b("one_hot", app.operands[0], **app.params), label=lambda x, p: f"one_hot({x[0]}, {p['depth']})",
    samples=tuple(Sample(shapes=(s,), params={"depth": d, "dtype": "float32"}, dtypes=(i,), integer_below=5)
                  for s, d, i in [((), 3, "int64"), ((_N,), 4, "int32"), ((2, 3), _N, "int64"), ((0,), 3, "int64"), ((2,), 0, "int64")]),
    doc="1 where the last axis equals the index, else 0; an index out of range gives zeros."))  # fmt: skip


def _arange_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 0, params, "size", "dtype")
    at_least(checks, params["size"], 0, "length")
    return Type(DType.of(params["dtype"]), (params["size"],))


registry.register(Op(
    name="arange", infer=_arange_infer, reference=lambda xs, p, t: np.arange(t.shape[0], dtype=t.dtype.numpy),
    loops=lambda types, kind, p: (Loop(axes=kind.shape, expr=cast(Axis(0), kind.dtype), dtype=kind.dtype),),
    vjp=no_gradient, jvp=no_tangent, batch=lambda b, app, flags: b("arange", **app.params), label=lambda x, p: f"arange({p['size']})",
    samples=tuple(Sample(shapes=(), params={"size": n, "dtype": d}) for n, d in [(4, "int64"), (_N, "int32"), (0, "int64"), (3, "float32")]),
    doc="0, 1, 2 ... up to a size, which may be symbolic."))  # fmt: skip


def _extent_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 0, params, "size", "dtype")
    return Type(DType.of(params["dtype"]))


def _extent_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    size = params["size"]
    value = Const(size, DType.I64) if isinstance(size, int) else Extent(size)
    return (Loop(axes=(), expr=cast(value, kind.dtype), dtype=kind.dtype),)


registry.register(Op(
    name="extent", infer=_extent_infer, reference=lambda xs, p, t: np.asarray(p["size"], t.dtype.numpy), loops=_extent_loops,
    vjp=no_gradient, jvp=no_tangent, batch=lambda b, app, flags: b("extent", **app.params), label=lambda x, p: f"size({p['size']})",
    samples=tuple(Sample(shapes=(), params={"size": n, "dtype": d}) for n, d in [(4, "int64"), (_N, "float32"), (2 * _N + 1, "float64")]),
    doc="A size as a number, known when a program is called."))  # fmt: skip


# ---------------------------------------------------------------------------------------- user functions


def index_node(graph: Graph, indices: Any) -> Handle:
    """``indices`` (a node, an int, an array, a list) as a node of integers."""
    found = lift(graph, indices)
    if not found.dtype.is_int:
        raise DTypeError(f"indices are {found.dtype}; give int32 or int64")
    return found


@function
def take(x: Any, indices: Any, axis: int | None = None) -> Handle:
    """Elements of ``x`` at ``indices`` along ``axis`` (None: of the flattened value), as NumPy's ``take``.

    ``indices``: integers of any shape, which replaces the axis; negative ones count from the end.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> print(gc.take(g.input("x", ("V", 8)), g.input("i", ("N", 5), "int32"), axis=0).type)
    f32[N,5,8]
    """
    graph = graph_of((x, indices), "take")
    x = call("ravel", lift(graph, x)) if axis is None else lift(graph, x)
    return graph.add("take", (x, index_node(graph, indices)), axis=normalise_axis(axis or 0, x.ndim))


@function
def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Handle:
    """For each element of ``indices``, the value of ``x`` at that index along ``axis``; other axes broadcast."""
    graph = graph_of((x, indices), "take_along_axis")
    x, found = lift(graph, x), index_node(graph, indices)
    _check_index_rank(x.type, found.type)
    at = normalise_axis(axis, x.ndim)
    around = Checks().broadcast([(*h.shape[:at], 1, *h.shape[at + 1 :]) for h in (x, found)])
    spread = [call("broadcast_to", h, (*around[:at], h.shape[at], *around[at + 1 :])) for h in (x, found)]
    return graph.add("take_along", spread, axis=at)


@function
def scatter_add(updates: Any, indices: Any, size: Any, axis: int = 0) -> Handle:
    """Zeros with ``size`` along ``axis``, to which ``updates`` are added at ``indices``: the adjoint of ``take``.

    ``updates`` has shape pre + indices.shape + post with ``axis`` axes in pre; equal indices add up.
    """
    graph = graph_of((updates, indices), "scatter_add")
    values, found = lift(graph, updates), index_node(graph, indices)
    return graph.add("scatter_add", (values, found), axis=normalise_axis(axis, values.ndim - found.ndim + 1), size=as_dim(size))


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
    """How many elements ``x`` has along ``axis`` (None: in all), as a scalar node; symbolic sizes are read at the call."""
    x = node("extent", x)
    size = product(x.shape[a] for a in normalise_axes(axis, x.ndim))
    return x.graph.add("extent", (), size=size, dtype=DType.of(dtype).long)
