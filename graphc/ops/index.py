"""Indexing by integers that are data: take and its adjoint scatter_add, and their elementwise forms.

Negative indices count from the end, but where ``wrap`` is false, as for classes, they are out of range. Indices
out of range raise IndexError in the reference; programs look at them before their first kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import ShapeError
from graphc.loops import Const, Expr, Load, Loop, cast, identity
from graphc.loops import call as fn
from graphc.ops.rules import (
    checked_axis,
    everywhere,
    expect,
    integers,
    moved,
    reshaped,
    size_value,
    wrapped,
)
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Dim, DType, Type, shape_text

_N = symbol("N")


def _axis_of(index: Sequence[Expr], axis: int, other: Sequence[Expr], removed: int = 1) -> tuple[Expr, ...]:
    """``index`` with the ``removed`` positions from ``axis`` on replaced by ``other``."""
    return (*index[:axis], *other, *index[axis + removed :])


def _looked_up(source: int, index: Sequence[Expr], kind: Type, size: Dim, *, wrap: bool = True) -> Expr:
    """The index that operand ``source`` holds at ``index``, counted from the front."""
    held = cast(Load(source, tuple(index), kind.dtype), DType.I64)
    return wrapped(held, size) if wrap else held


def check_index_rank(values: Type, indices: Type) -> None:
    if values.rank != indices.rank:
        raise ShapeError(
            f"shapes {shape_text(values.shape)} and {shape_text(indices.shape)} differ in rank; give "
            "indices with as many axes"
        )


# ------------------------------------------------------------------------------------ take, scatter_add


def _take_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params, "axis", "wrap")
    integers(types[1])
    axis, shape = checked_axis(params["axis"], types[0].rank), types[0].shape
    return Type(types[0].dtype, (*shape[:axis], *types[1].shape, *shape[axis + 1 :]))


def _take_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    axis, here = int(params["axis"]), identity(kind.rank)
    held = here[axis : axis + types[1].rank]
    found = _looked_up(1, held, types[1], types[0].shape[axis], wrap=params["wrap"])
    return (
        Loop(
            axes=kind.shape,
            expr=Load(0, _axis_of(here, axis, (found,), types[1].rank), kind.dtype),
            dtype=kind.dtype,
        ),
    )


def _admitted(indices: Any, size: int, params: Params) -> Any:
    """``indices`` as NumPy takes them; raises IndexError for negative ones that do not count from the end."""
    if not params["wrap"] and indices.min(initial=0) < 0:
        raise IndexError(
            f"index {indices.min()} is out of range for size {size}, and none counts from the end"
        )
    return indices.astype(np.int64)


def _take_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    values, axis = operands[0], params["axis"]
    return np.asarray(np.take(values, _admitted(operands[1], values.shape[axis], params), axis=axis))


def _take_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    size = app.operands[0].shape[app.params["axis"]]
    return [b("scatter_add", cotangent, app.operands[1], **app.params, size=size), None]


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
    (values, indices), axis, wrap = app.operands, app.params["axis"], app.params["wrap"]
    if not batched[1]:
        return b("take", values, indices, axis=axis + 1, wrap=wrap)
    if not batched[0]:
        found = b("take", values, indices, axis=axis, wrap=wrap)
        return moved(b, found, (axis, *(k for k in range(found.ndim) if k != axis)))
    return _take_rows(b, values, indices, axis)


def _take_rows(b: Any, values: Any, indices: Any, axis: int) -> Any:
    """Each row has indices of its own: the rows are laid end to end and taken from as one."""
    rows, size = values.shape[0], values.shape[axis + 1]
    rest = [k for k in range(1, values.ndim) if k != axis + 1]
    front = moved(b, values, (0, axis + 1, *rest))
    flat = reshaped(b, front, (rows * size, *front.shape[2:]))
    found = b("take", flat, _shifted_rows(b, indices, size), axis=0, wrap=False)
    inner, before = indices.ndim - 1, axis
    order = (
        0,
        *range(inner + 1, inner + 1 + before),
        *range(1, inner + 1),
        *range(inner + 1 + before, found.ndim),
    )
    return moved(b, found, order)


def _samples(*cases: tuple[Any, Any, dict[str, Any], int]) -> tuple[Sample, ...]:
    return tuple(
        Sample(shapes=(values, indices), params=params, dtypes=("", dtype), integer_below=below)
        for values, indices, params, below in cases
        for dtype in ("int64", "int32")
    )


registry.register(
    Op(
        name="take",
        infer=_take_infer,
        reference=_take_reference,
        loops=_take_loops,
        vjp=_take_vjp,
        jvp=lambda b, app, t: None if t[0] is None else b("take", t[0], app.operands[1], **app.params),
        batch=_take_batch,
        label=lambda x, p: f"take({x[0]}, {x[1]}, axis={p['axis']})",
        samples=_samples(
            ((5,), (3,), {"axis": 0, "wrap": True}, 5),
            ((5,), (), {"axis": 0, "wrap": False}, 5),
            ((4, 3), (2, 2), {"axis": 0, "wrap": False}, 4),
            ((_N, 4, 2), (_N,), {"axis": 1, "wrap": True}, 4),
            ((2, 3), (4,), {"axis": 1, "wrap": True}, 3),
            ((3, 2), (0,), {"axis": 0, "wrap": True}, 3),
            ((0, 3), (2,), {"axis": 1, "wrap": False}, 3),
            ((1,), (2,), {"axis": 0, "wrap": True}, 1),
        ),
        doc="Elements at indices along an axis: shape x[:axis] + indices + x[axis+1:].",
    )
)


def _scatter_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params, "axis", "size", "wrap")
    integers(types[1])
    (updates, indices), axis = types, int(params["axis"])
    if not 0 <= axis <= updates.rank - indices.rank:
        raise ShapeError(
            f"axis {axis} leaves no room for {indices.rank} axes of indices in "
            f"{shape_text(updates.shape)}; lower it"
        )
    for k, dim in enumerate(indices.shape):
        checks.equal(
            updates.shape[axis + k], dim, f"axis {axis + k} of the updates and axis {k} of the indices"
        )
    return Type(updates.dtype, (*updates.shape[:axis], params["size"], *updates.shape[axis + indices.rank :]))


def _scatter_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    shape: Any = kind.shape
    result = np.zeros(shape, kind.dtype.numpy)
    found = _admitted(operands[1], shape[params["axis"]], params)
    np.add.at(result, (*([slice(None)] * params["axis"]), found), operands[0])
    return result


def _scatter_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    (updates, indices), axis = types, params["axis"]
    here = identity(updates.rank)
    held = here[axis : axis + indices.rank]
    found = _looked_up(1, held, indices, params["size"], wrap=params["wrap"])
    target = _axis_of(here, axis, (found,), indices.rank)
    load = Load(0, here, kind.dtype)
    return (Loop(axes=updates.shape, expr=load, dtype=kind.dtype, scatter=target, scatter_shape=kind.shape),)


def _take_vjp_of_scatter(b: Any, app: Application, cotangent: Any) -> list[Any]:
    params = {name: app.params[name] for name in ("axis", "wrap")}
    return [b("take", cotangent, app.operands[1], **params), None]


def _scatter_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    axis, size = app.params["axis"], app.params["size"]
    if not batched[1]:
        return b("scatter_add", *app.operands, **{**app.params, "axis": axis + 1})
    updates, indices = everywhere(b, app, batched)
    return _scatter_rows(b, updates, indices, axis, size)


def _scatter_rows(b: Any, updates: Any, indices: Any, axis: int, size: Dim) -> Any:
    """Each row has indices of its own: all rows are added into one result, whose rows lie end to end."""
    rows, inner = updates.shape[0], indices.ndim - 1
    around = [k for k in range(1, updates.ndim) if not axis < k <= axis + inner]
    front = moved(b, updates, (0, *range(axis + 1, axis + 1 + inner), *around))
    flat = b("scatter_add", front, _shifted_rows(b, indices, size), axis=0, size=rows * size, wrap=False)
    found = reshaped(b, flat, (rows, size, *flat.shape[1:]))
    return moved(b, found, (0, *range(2, axis + 2), 1, *range(axis + 2, found.ndim)))


registry.register(
    Op(
        name="scatter_add",
        infer=_scatter_infer,
        reference=_scatter_reference,
        loops=_scatter_loops,
        batch=_scatter_batch,
        vjp=_take_vjp_of_scatter,
        jvp=lambda b, app, t: None if t[0] is None else b("scatter_add", t[0], app.operands[1], **app.params),
        label=lambda x, p: f"scatter_add({x[0]}, {x[1]}, axis={p['axis']}, size={p['size']})",
        samples=_samples(
            ((3,), (3,), {"axis": 0, "size": 5, "wrap": True}, 5),
            ((), (), {"axis": 0, "size": 3, "wrap": True}, 3),
            ((2, 2, 3), (2, 2), {"axis": 0, "size": 4, "wrap": False}, 4),
            ((_N, 3, 2), (3,), {"axis": 1, "size": 4, "wrap": True}, 4),
            ((0, 2), (0,), {"axis": 0, "size": 3, "wrap": False}, 3),
            ((2, 4), (4,), {"axis": 1, "size": _N, "wrap": True}, 1),
        ),
        doc="Zeros with updates added at indices along an axis: the adjoint of take.",
    )
)

# ---------------------------------------------------------------------------------- take_along, put_along


def _match_around(checks: Checks, values: Type, indices: Type, axis: int) -> None:
    for k, (mine, yours) in enumerate(zip(values.shape, indices.shape, strict=True)):
        if k != axis:
            checks.equal(
                mine,
                yours,
                f"axis {k} of {shape_text(values.shape)} and of the indices {shape_text(indices.shape)}",
            )


def _along_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params, "axis", "wrap")
    integers(types[1])
    check_index_rank(*types)
    _match_around(checks, types[0], types[1], checked_axis(params["axis"], types[0].rank))
    return Type(types[0].dtype, types[1].shape)


def _along_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    axis, here = int(params["axis"]), identity(kind.rank)
    found = _looked_up(1, here, types[1], types[0].shape[axis], wrap=params["wrap"])
    return (
        Loop(axes=kind.shape, expr=Load(0, _axis_of(here, axis, (found,)), kind.dtype), dtype=kind.dtype),
    )


def _along_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    values, axis = operands[0], params["axis"]
    return np.take_along_axis(values, _admitted(operands[1], values.shape[axis], params), axis=axis)


def _along_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    params = {**app.params, "axis": app.params["axis"] + 1}
    return b(app.output.node.op, *everywhere(b, app, batched), **params)


def _put_vjp_of_take(b: Any, app: Application, cotangent: Any) -> list[Any]:
    size = app.operands[0].shape[app.params["axis"]]
    return [b("put_along", cotangent, app.operands[1], **app.params, size=size), None]


registry.register(
    Op(
        name="take_along",
        infer=_along_infer,
        loops=_along_loops,
        vjp=_put_vjp_of_take,
        batch=_along_batch,
        reference=_along_reference,
        jvp=lambda b, app, t: None if t[0] is None else b("take_along", t[0], app.operands[1], **app.params),
        label=lambda x, p: f"take_along({x[0]}, {x[1]}, axis={p['axis']})",
        samples=_samples(
            ((5,), (3,), {"axis": 0, "wrap": True}, 5),
            ((_N, 4), (_N, 1), {"axis": 1, "wrap": False}, 4),
            ((3, 2), (4, 2), {"axis": 0, "wrap": False}, 3),
            ((0, 3), (0, 1), {"axis": 1, "wrap": True}, 3),
            ((2, 3, 2), (2, 1, 2), {"axis": 1, "wrap": True}, 3),
            ((1, 1), (1, 1), {"axis": 1, "wrap": True}, 1),
            ((2, 3), (2, 0), {"axis": 1, "wrap": False}, 3),
        ),
        doc="For each element of indices, the value at that index along an axis and at its own place "
        "elsewhere.",
    )
)


def _put_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params, "axis", "size", "wrap")
    integers(types[1])
    check_index_rank(*types)
    axis = checked_axis(params["axis"], types[0].rank)
    for k, (mine, yours) in enumerate(zip(types[0].shape, types[1].shape, strict=True)):
        checks.equal(mine, yours, f"axis {k} of the updates and of the indices")
    return Type(types[0].dtype, (*types[0].shape[:axis], params["size"], *types[0].shape[axis + 1 :]))


def _places(x: Any) -> Any:
    return np.indices(x.shape)  # pyright: ignore[reportUnknownVariableType] - untyped in NumPy


def _put_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    updates, indices = operands
    shape: Any = kind.shape
    result, places = np.zeros(shape, kind.dtype.numpy), list[Any](_places(indices))
    places[params["axis"]] = _admitted(indices, shape[params["axis"]], params)
    np.add.at(result, tuple(places), updates)
    return result


def _put_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    here = identity(kind.rank)
    if types[0].shape[params["axis"]] == 1:
        return (_put_one(types, kind, params),)
    place = _looked_up(1, here, types[1], params["size"], wrap=params["wrap"])
    target = _axis_of(here, params["axis"], (place,))
    load = Load(0, here, kind.dtype)
    return (Loop(axes=types[0].shape, expr=load, dtype=kind.dtype, scatter=target, scatter_shape=kind.shape),)


def _take_vjp_of_put(b: Any, app: Application, cotangent: Any) -> list[Any]:
    params = {name: app.params[name] for name in ("axis", "wrap")}
    return [b("take_along", cotangent, app.operands[1], **params), None]


def _put_one(types: Sequence[Type], kind: Type, params: Params) -> Loop:
    """One update a row needs no scattering: the element is the update where its index is the place, else 0."""
    axis: int = params["axis"]
    here = identity(kind.rank)
    first = _axis_of(here, axis, (Const(0, DType.I64),))
    place = _looked_up(1, first, types[1], params["size"], wrap=params["wrap"])
    chosen = fn("eq", place, here[axis])
    expr = fn("select", chosen, Load(0, first, kind.dtype), Const(0, kind.dtype))
    return Loop(axes=kind.shape, expr=expr, dtype=kind.dtype, bounded=((place, params["size"]),))


registry.register(
    Op(
        name="put_along",
        infer=_put_infer,
        reference=_put_reference,
        loops=_put_loops,
        batch=_along_batch,
        vjp=_take_vjp_of_put,
        jvp=lambda b, app, t: None if t[0] is None else b("put_along", t[0], app.operands[1], **app.params),
        label=lambda x, p: f"put_along({x[0]}, {x[1]}, axis={p['axis']}, size={p['size']})",
        samples=_samples(
            ((3,), (3,), {"axis": 0, "size": 5, "wrap": True}, 5),
            ((_N, 1), (_N, 1), {"axis": 1, "size": 4, "wrap": False}, 4),
            ((4, 2), (4, 2), {"axis": 0, "size": 3, "wrap": False}, 3),
            ((0, 1), (0, 1), {"axis": 1, "size": 3, "wrap": True}, 3),
        ),
        doc="Zeros with each update added at its index along an axis: the adjoint of take_along.",
    )
)
