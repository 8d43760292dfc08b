"""Reductions over axes: what they share, and sum, mean, norm, any and all.

NaN propagates through all of them. Integers and booleans add up in int64; their mean is float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import DTypeError
from graphc.loops import Axis, Const, Expr, Load, Loop, cast, identity
from graphc.loops import call as fn
from graphc.ops.rules import (
    Jvp,
    Loops,
    Text,
    Vjp,
    axes_text,
    checked_axes,
    expect,
    extent,
    no_gradient,
    no_tangent,
    reduced,
    reshaped,
    size_value,
)
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Dim, DType, Type, product, require_float

_N = symbol("N")

# ---------------------------------------------------------------------------------------- what all share


def folded_index(rank: int, axes: Sequence[int], keepdims: bool) -> tuple[Expr, ...]:
    """Where a reduction over ``axes`` reads its operand: output axes first, then the reduced ones."""
    kept = [k for k in range(rank) if keepdims or k not in axes]
    place = {axis: len(kept) + position for position, axis in enumerate(axes)}
    return tuple(Axis(place[k] if k in place else kept.index(k)) for k in range(rank))


def fold(
    types: Sequence[Type], kind: Type, params: Params, combine: str, body: Callable[[Expr], Expr]
) -> Loop:
    """The loop that folds ``body`` of the operand over ``params["axes"]``."""
    axes, keepdims = params["axes"], params["keepdims"]
    load = Load(0, folded_index(types[0].rank, axes, keepdims), types[0].dtype)
    sizes = tuple(types[0].shape[int(a)] for a in axes)
    return Loop(
        axes=kind.shape, reduce=sizes, expr=body(load), combine=combine if axes else "", dtype=kind.dtype
    )


def _count(kind: Type, params: Params) -> Dim:
    return product(kind.shape[int(a)] for a in params["axes"])


def restored(b: Any, value: Any, app: Application) -> Any:
    """A reduced value with the reduced axes back, of size 1."""
    return reshaped(b, value, reduced(app.operands[0].shape, app.params["axes"], True))


def spread(b: Any, value: Any, app: Application) -> Any:
    return b.spread(restored(b, value, app), app.operands[0].shape)


def again(b: Any, app: Application, value: Any) -> Any:
    return b(app.output.node.op, value, **app.params)


def batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    axes = tuple(a + 1 for a in app.params["axes"])
    return b(app.output.node.op, app.operands[0], **{**app.params, "axes": axes})


def _samples(cases: Sequence[tuple[Any, tuple[int, ...]]], **options: Any) -> tuple[Sample, ...]:
    return tuple(
        Sample(shapes=(shape,), params={"axes": axes, "keepdims": keepdims}, **options)
        for shape, axes in cases
        for keepdims in (False, True)
    )


_FULL = [
    ((), ()),
    ((5,), (0,)),
    ((1,), (0,)),
    ((_N, 3), (0,)),
    ((_N, 3), (1,)),
    ((2, 3, 4), (0, 2)),
    ((2, 3), ()),
    ((2, 1, 3), (0, 1, 2)),
    ((2, 0), (0,)),
]
_EMPTY = [((0,), (0,)), ((0, 3), (0,)), ((3, 0), (1,))]


def declare(
    name: str,
    infer: Callable[[Checks, Type, Params], DType],
    reference: Callable[[Any, tuple[int, ...], bool, Any], Any],
    loops: Loops,
    *,
    vjp: Vjp,
    jvp: Jvp,
    latex: Text | None = None,
    dtypes: tuple[str, ...] = (),
    empty: bool = True,
    distinct: bool = False,
    doc: str,
) -> Op:
    """Register a reduction with parameters axes and keepdims; ``infer`` gives its dtype, ``empty``
    allows nothing."""

    def whole_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
        expect(types, 1, params, "axes", "keepdims")
        shape = reduced(types[0].shape, checked_axes(params["axes"], types[0].rank), params["keepdims"])
        return Type(infer(checks, types[0], params), shape)

    def whole_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
        dtype = kind.dtype.numpy
        return np.asarray(reference(operands[0], params["axes"], params["keepdims"], dtype), dtype)

    def label(texts: Sequence[str], params: Params) -> str:
        return f"{name}({texts[0]}, {axes_text(params['axes'], params['keepdims'])})"

    cases = _samples(_FULL + (_EMPTY if empty else []), dtypes=dtypes, distinct=distinct)
    op = Op(
        name=name,
        infer=whole_infer,
        reference=whole_reference,
        loops=loops,
        vjp=vjp,
        jvp=jvp,
        batch=batch,
        label=label,
        latex=latex,
        samples=cases,
        doc=doc,
    )
    return registry.register(op)


def summed_dtype(checks: Checks, kind: Type, params: Params) -> DType:
    return kind.dtype if kind.dtype.is_float else DType.I64


def _float_dtype(checks: Checks, kind: Type, params: Params) -> DType:
    require_float(kind.dtype, "the mean or norm")
    return kind.dtype


def _bool_dtype(checks: Checks, kind: Type, params: Params) -> DType:
    if kind.dtype is not DType.BOOL:
        raise DTypeError(f"operand is {kind.dtype}; compare it to get bool")
    return DType.BOOL


# ---------------------------------------------------------------------------------------------- sum, mean

declare(
    "sum",
    summed_dtype,
    lambda x, a, k, d: np.sum(x, axis=a, keepdims=k, dtype=d),
    lambda types, kind, p: (fold(types, kind, p, "add", lambda load: cast(load, kind.dtype)),),
    vjp=lambda b, app, g: [spread(b, g, app)],
    jvp=lambda b, app, t: again(b, app, t[0]),
    latex=lambda x, p: rf"\sum_{{{','.join(map(str, p['axes']))}}} {x[0]}",
    doc="Sum over axes; integers and booleans add up in int64.",
)


def _mean_reference(x: Any, axes: Any, keepdims: bool, dtype: Any) -> Any:
    count = np.prod([x.shape[a] for a in axes], dtype=np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.divide(np.sum(x, axis=axes, keepdims=keepdims), count)


def _mean_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    count = cast(extent(_count(types[0], params)), kind.dtype)
    quotient = fn("div", Load(1, identity(kind.rank), kind.dtype), count)
    return (
        fold(types, kind, params, "add", lambda load: load),
        Loop(axes=kind.shape, expr=quotient, dtype=kind.dtype),
    )


def _mean_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    count = _count(app.operands[0].type, app.params)
    return [spread(b, b("div", cotangent, size_value(b, count, app.output.dtype)), app)]


declare(
    "mean",
    _float_dtype,
    _mean_reference,
    _mean_loops,
    vjp=_mean_vjp,
    jvp=lambda b, app, t: again(b, app, t[0]),
    doc="Arithmetic mean over axes; the mean of nothing is NaN.",
)

# --------------------------------------------------------------------------------------------------- norm


def _norm_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    root = fn("sqrt", Load(1, identity(kind.rank), kind.dtype))
    return (
        fold(types, kind, params, "add", lambda x: fn("mul", x, x)),
        Loop(axes=kind.shape, expr=root, dtype=kind.dtype),
    )


def _direction(b: Any, app: Application) -> Any:
    """x / norm(x), and 0 where the norm is 0."""
    length = restored(b, app.output, app)
    zero, one = b.constant(0.0, length.type), b.constant(1.0, length.type)
    flat = b("eq", length, zero)
    ratio = b("div", app.operands[0], b("where", flat, one, length))
    return b("where", flat, zero, ratio)


declare(
    "norm",
    _float_dtype,
    lambda x, a, k, d: np.sqrt(np.sum(np.square(x), axis=a, keepdims=k)),
    _norm_loops,
    vjp=lambda b, app, g: [b("mul", restored(b, g, app), _direction(b, app))],
    jvp=lambda b, app, t: b("sum", b("mul", t[0], _direction(b, app)), **app.params),
    latex=lambda x, p: rf"\lVert {x[0]} \rVert",
    doc="Euclidean norm over axes; its gradient at 0 is 0.",
)

# ----------------------------------------------------------------------------------------------- any, all


def _declare_logical(name: str, holds: bool, numpy: Callable[..., Any]) -> None:
    def loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
        """Count the elements that decide: any counts the true, all the false ones."""
        count = Type(DType.I64, kind.shape)
        counted = fold(types, count, params, "add", lambda x: cast(x if holds else fn("not", x), DType.I64))
        number = Load(1, identity(kind.rank), DType.I64)
        found = fn("ne" if holds else "eq", number, Const(0, DType.I64))
        return (counted, Loop(axes=kind.shape, expr=found, dtype=DType.BOOL))

    declare(
        name,
        _bool_dtype,
        lambda x, a, k, d: numpy(x, axis=a, keepdims=k),
        loops,
        dtypes=("bool",),
        vjp=no_gradient,
        jvp=no_tangent,
        doc=f"Whether {name} of the elements along axes hold.",
    )


_declare_logical("any", True, np.any)
_declare_logical("all", False, np.all)
