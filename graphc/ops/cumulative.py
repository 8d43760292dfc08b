"""Running sums along an axis: each element is added to the sum of those before it, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.graph import Handle, call
from graphc.loops import Axis, Const, Expr, Load, Loop, cast, identity
from graphc.loops import call as fn
from graphc.ops.rules import checked_axis, expect, function, minus, node, plus, wants
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, DType, Type, normalise_axis

_N = symbol("N")


def _infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "axis", "reverse", "exclusive")
    checked_axis(params["axis"], types[0].rank)
    return Type(types[0].dtype if types[0].dtype.is_float else DType.I64, types[0].shape)


def _reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    axis = params["axis"]
    x = np.flip(operands[0], axis) if params["reverse"] else operands[0]
    found = np.cumsum(x, axis, dtype=kind.dtype.numpy)
    if params["exclusive"]:
        first: Any = [slice(None)] * found.ndim
        last = list(first)
        first[axis], last[axis] = slice(0, 1), slice(0, -1)
        found = np.concatenate([np.zeros_like(found[tuple(first)]), found[tuple(last)]], axis)
    return np.ascontiguousarray(np.flip(found, axis)) if params["reverse"] else found


def _loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    """The sums, in the order in which they are added, then read backwards, or one element later."""
    axis, here = int(params["axis"]), identity(kind.rank)
    size = kind.shape[axis]

    def along(index: Expr) -> tuple[Expr, ...]:
        return (*here[:axis], index, *here[axis + 1 :])

    mirrored = minus(size, plus(Axis(axis), 1)) if params["reverse"] else Axis(axis)
    added = cast(Load(0, along(mirrored), types[0].dtype), kind.dtype)
    sums = Loop(axes=kind.shape, expr=added, dtype=kind.dtype, running=axis)
    if not params["reverse"] and not params["exclusive"]:
        return (sums,)
    found = Load(1, along(mirrored), kind.dtype)
    if params["exclusive"]:
        before = Load(1, along(fn("sub", mirrored, Const(1, DType.I64))), kind.dtype)
        later = fn("gt", mirrored, Const(0, DType.I64))
        return sums, Loop(
            axes=kind.shape, expr=fn("guard", later, before, Const(0, kind.dtype)), dtype=kind.dtype
        )
    return sums, Loop(axes=kind.shape, expr=found, dtype=kind.dtype)


def _vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    turned = {**app.params, "reverse": not app.params["reverse"]}
    return [b("cumsum", cotangent, **turned) if wants(app, 0) else None]


def _label(texts: Sequence[str], params: Params) -> str:
    chosen = "".join(f", {name}=True" for name in ("reverse", "exclusive") if params[name])
    return f"cumsum({texts[0]}, axis={params['axis']}{chosen})"


registry.register(
    Op(
        name="cumsum",
        infer=_infer,
        reference=_reference,
        loops=_loops,
        vjp=_vjp,
        jvp=lambda b, app, t: b("cumsum", t[0], **app.params),
        batch=lambda b, app, flags: b(
            "cumsum", app.operands[0], **{**app.params, "axis": app.params["axis"] + 1}
        ),
        label=_label,
        samples=tuple(
            Sample(shapes=(shape,), params={"axis": axis, "reverse": r, "exclusive": e}, dtypes=dtypes)
            for shape, axis, dtypes in [
                ((5,), 0, ()),
                ((1,), 0, ()),
                ((_N, 3), 0, ()),
                ((_N, 3), 1, ()),
                ((2, 3, 4), 1, ()),
                ((2, 1, 3), 1, ()),
                ((0, 3), 0, ()),
                ((3, 0), 0, ()),
                ((2, 3), 1, ("int32",)),
                ((3, 2), 0, ("bool",)),
            ]
            for r in (False, True)
            for e in (False, True)
        ),
        doc="Running sums along an axis; integers and booleans add up in int64.",
    )
)


@function
def cumsum(x: Any, axis: int | None = None, reverse: bool = False, exclusive: bool = False) -> Handle:
    """Sums of the elements of ``x`` up to each along ``axis`` (None: of the flattened value), as NumPy's.

    ``reverse`` adds from the last element on; ``exclusive`` leaves each element itself out, so that the first sum is
    0. In the shape of ``x``; integers and booleans add up in int64. Raises ``ShapeError`` for an axis out of range.

    >>> import graphc as gc
    >>> x = gc.Graph().input("x", ("N",))
    >>> gc.interpret(gc.cumsum(x, 0, reverse=True), x=[1, 2, 3]).tolist()
    [6.0, 5.0, 3.0]
    """
    x = node("cumsum", x)
    if axis is None:
        x, axis = call("ravel", x), 0
    params = {"axis": normalise_axis(axis, x.ndim), "reverse": bool(reverse), "exclusive": bool(exclusive)}
    return x.graph.add("cumsum", (x,), **params)


__all__ = ["cumsum"]
