"""Order along an axis: argsort, and what is made of it: sort and top_k."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import ShapeError
from graphc.graph import Handle, call
from graphc.loops import Axis, Const, Load, Loop, identity
from graphc.ops.rules import checked_axis, expect, function, is_integer, no_gradient, no_tangent, node
from graphc.registry import Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, DType, Type, normalise_axis

_N = symbol("N")


def _infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "axis", "descending")
    checked_axis(params["axis"], types[0].rank)
    return Type(DType.I64, types[0].shape)


def _reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    x, axis = operands[0], params["axis"]
    if not params["descending"]:
        return np.argsort(x, axis, kind="stable")
    backwards = np.argsort(np.flip(x, axis), axis, kind="stable")
    return np.ascontiguousarray(x.shape[axis] - 1 - np.flip(backwards, axis))


def _loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    """Rows of positions with room for the work behind them, and the positions alone."""
    axis, here = int(params["axis"]), identity(kind.rank)
    size = kind.shape[axis]
    if size == 1:
        return (Loop(axes=kind.shape, expr=Const(0, DType.I64), dtype=DType.I64),)
    others = (*kind.shape[:axis], *kind.shape[axis + 1 :])
    index = (*here[:axis], Axis(kind.rank), *(Axis(k - 1) for k in range(axis + 1, kind.rank)))
    ordered = Loop(
        axes=(*others, 4 * size),
        reduce=(size,),
        expr=Load(0, index, types[0].dtype),
        dtype=DType.I64,
        combine="descending" if params["descending"] else "ascending",
    )
    found = Load(1, (*here[:axis], *here[axis + 1 :], here[axis]), DType.I64)
    return ordered, Loop(axes=kind.shape, expr=found, dtype=DType.I64)


registry.register(
    Op(
        name="argsort",
        infer=_infer,
        reference=_reference,
        loops=_loops,
        vjp=no_gradient,
        jvp=no_tangent,
        batch=lambda b, app, flags: b(
            "argsort", app.operands[0], **{**app.params, "axis": app.params["axis"] + 1}
        ),
        label=lambda x, p: f"argsort({x[0]}, axis={p['axis']}{', descending=True' * p['descending']})",
        samples=tuple(
            Sample(shapes=(shape,), params={"axis": axis, "descending": descending}, dtypes=dtypes)
            for shape, axis, dtypes in [
                ((5,), 0, ()),
                ((1,), 0, ()),
                ((_N, 3), 0, ()),
                ((_N, 3), 1, ()),
                ((2, 3, 4), 1, ()),
                ((3, 1), 1, ()),
                ((0, 3), 0, ()),
                ((3, 0), 0, ()),
                ((20,), 0, ("int32",)),
                ((2, 20), 1, ("int64",)),
                ((9,), 0, ("bool",)),
            ]
            for descending in (False, True)
        ),
        doc="The positions of the elements in order along an axis, as int64; equal ones keep their order.",
    )
)


@function
def argsort(x: Any, axis: int | None = -1, descending: bool = False) -> Handle:
    """The positions that put ``x`` in order along ``axis`` (None: of the flattened value), as int64; stable.

    NaN counts as the largest: last as in NumPy, first where ``descending``. Raises ``ShapeError`` for an axis out of
    range.

    >>> import graphc as gc
    >>> x = gc.Graph().input("x", ("N",))
    >>> gc.interpret(gc.argsort(x), x=[3, 1, 2]).tolist()
    [1, 2, 0]
    """
    x = node("argsort", x)
    if axis is None:
        x, axis = call("ravel", x), 0
    return x.graph.add("argsort", (x,), axis=normalise_axis(axis, x.ndim), descending=bool(descending))


@function
def sort(x: Any, axis: int | None = -1, descending: bool = False) -> Handle:
    """``x`` in order along ``axis`` (None: of the flattened value); NaN as in ``argsort``.

    Gradients go back to where each element came from. Raises ``ShapeError`` for an axis out of range.

    >>> import graphc as gc
    >>> x = gc.Graph().input("x", ("N",))
    >>> gc.interpret(gc.sort(x, descending=True), x=[3, 1, 2]).tolist()
    [3.0, 2.0, 1.0]
    """
    x = node("sort", x)
    if axis is None:
        x, axis = call("ravel", x), 0
    along = normalise_axis(axis, x.ndim)
    return x.graph.add("take_along", (x, argsort(x, along, descending)), axis=along, wrap=False)


@function
def top_k(x: Any, k: int, axis: int = -1, largest: bool = True) -> tuple[Handle, Handle]:
    """The ``k`` largest elements along ``axis``, from the largest on, and their positions: ``(values, indices)``.

    With ``largest=False`` the smallest, from the smallest on. Of equal elements the first come first; NaN counts as
    the largest. Gradients of the values go back to where they came from. Raises ``ShapeError`` for an axis out of
    range and for ``k`` below 0 or above the size of the axis.

    >>> import graphc as gc
    >>> x = gc.Graph().input("x", ("N", 4))
    >>> values, indices = gc.top_k(x, 2)
    >>> gc.interpret({"v": values, "i": indices}, x=[[1, 4, 2, 3]])
    {'v': array([[4., 3.]], dtype=float32), 'i': array([[1, 3]])}
    """
    x = node("top_k", x)
    along = normalise_axis(axis, x.ndim)
    size = x.shape[along]
    if not is_integer(k) or k < 0 or (isinstance(size, int) and k > size):
        raise ShapeError(f"k is {k!r} along an axis of size {size}; give an integer from 0 to that")
    order = argsort(x, along, largest)
    first = order[(*[slice(None)] * along, slice(0, k))]
    return x.graph.add("take_along", (x, first), axis=along, wrap=False), first


__all__ = ["argsort", "sort", "top_k"]
