"""The largest and smallest along axes, and where they stand. Of nothing they are an error, known or at
the call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import DTypeError, ShapeError
from graphc.loops import Axis, Const, Expr, Load, Loop, identity
from graphc.loops import call as fn
from graphc.ops.reduce import declare, fold, restored
from graphc.ops.rules import axes_text, checked_axis, expect, no_gradient, no_tangent, reduced
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Dim, DType, Type

_N = symbol("N")
_NOWHERE = 2**63 - 1  # no index


def _extremum_dtype(checks: Checks, kind: Type, params: Params) -> DType:
    if kind.dtype is DType.BOOL:
        raise DTypeError("bool has no extrema here; use gc.any or gc.all")
    for axis in params["axes"]:
        _not_empty(checks, kind.shape[int(axis)], axis)
    return kind.dtype


def _not_empty(checks: Checks, size: Dim, axis: int) -> None:
    if size == 0:
        raise ShapeError(
            f"axis {axis} has size 0, and nothing has no extremum; reduce over axes that are not empty"
        )
    checks.at_least(size, 1, f"extremum over axis {axis}")


# ----------------------------------------------------------------------------------------------- max, min


def _extreme(b: Any, app: Application) -> tuple[Any, Any]:
    """Where the operand attains the extremum, and how often it does."""
    mask = b("eq", app.operands[0], restored(b, app.output, app))
    hits = b("cast", mask, dtype=app.output.dtype.long)
    return mask, b("sum", hits, **app.params)


def _extreme_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    """Ties share evenly."""
    mask, count = _extreme(b, app)
    share = restored(b, b("div", cotangent, count), app)
    return [b.spread(b("where", mask, share, b.constant(0.0, share.type)), app.operands[0].shape)]


def _extreme_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    mask, count = _extreme(b, app)
    taken = b("where", mask, tangents[0], b.constant(0.0, app.output.type))
    return b("div", b("sum", taken, **app.params), count)


def _declare_extremum(name: str, combine: str, numpy: Callable[..., Any]) -> None:
    declare(
        name,
        _extremum_dtype,
        lambda x, a, k, d: numpy(x, axis=a, keepdims=k),
        lambda types, kind, params: (fold(types, kind, params, combine, lambda x: x),),
        vjp=_extreme_vjp,
        jvp=_extreme_jvp,
        empty=False,
        distinct=True,
        doc=f"The {name}imum over axes; of nothing it is an error; ties share the gradient evenly.",
    )


_declare_extremum("max", "maximum", np.max)
_declare_extremum("min", "minimum", np.min)

# ----------------------------------------------------------------------------------------- argmax, argmin


def _position_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "axis", "keepdims")
    axis = checked_axis(params["axis"], types[0].rank)
    if types[0].dtype is DType.BOOL:
        raise DTypeError("bool has no extrema here; cast it with gc.cast")
    _not_empty(checks, types[0].shape[axis], axis)
    return Type(DType.I64, reduced(types[0].shape, (axis,), params["keepdims"]))


def _position_loops(types: Sequence[Type], kind: Type, params: Params, combine: str) -> tuple[Loop, ...]:
    """The extremum, then the least index at which it stands, or NaN does: vectors do both, not a running best."""
    inner: Params = {"axes": (params["axis"],), "keepdims": params["keepdims"]}
    source = types[0].dtype
    best = fold(types, Type(source, kind.shape), inner, combine, lambda x: x)
    top = Load(1, identity(kind.rank), source)

    def place(x: Expr) -> Expr:
        hit = fn("eq", x, top)
        hit = fn("or", hit, fn("isnan", x)) if source.is_float else hit
        return fn("select", hit, Axis(kind.rank), Const(_NOWHERE, DType.I64))

    return best, fold(types, kind, inner, "minimum", place)


def _position_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    return b(app.output.node.op, app.operands[0], **{**app.params, "axis": app.params["axis"] + 1})


def _declare_position(name: str, combine: str, numpy: Callable[..., Any]) -> None:
    def reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
        return np.asarray(numpy(operands[0], axis=params["axis"], keepdims=params["keepdims"]), np.int64)

    op = Op(
        name=name,
        infer=_position_infer,
        loops=partial(_position_loops, combine=combine),
        reference=reference,
        batch=_position_batch,
        vjp=no_gradient,
        jvp=no_tangent,
        label=lambda x, p: f"{name}({x[0]}, {axes_text((p['axis'],), p['keepdims'])})",
        samples=_POSITIONS,
        doc=f"The index of the first {name[3:]}imum along an axis, as int64.",
    )
    registry.register(op)


_POSITIONS = tuple(
    Sample(shapes=(shape,), params={"axis": axis, "keepdims": keepdims}, distinct=True)
    for shape, axis in [((5,), 0), ((1,), 0), ((_N, 3), 0), ((_N, 3), 1), ((2, 3, 4), 1), ((0, 3), 1)]
    for keepdims in (False, True)
)

_declare_position("argmax", "maximum", np.argmax)
_declare_position("argmin", "minimum", np.argmin)
