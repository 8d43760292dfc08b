"""Values made of sizes and positions: one-hot rows, counting, a size as a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.loops import Axis, Const, Extent, Load, Loop, cast
from graphc.loops import call as fn
from graphc.ops.rules import axes_from, expect, integers, no_gradient, no_tangent
from graphc.registry import Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, DType, Type

_N = symbol("N")


def _one_hot_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "depth", "dtype")
    integers(types[0])
    return Type(DType.of(params["dtype"]), (*types[0].shape, params["depth"]))


def _one_hot_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    index = cast(Load(0, axes_from(0, kind.rank - 1), types[0].dtype), DType.I64)
    hit = cast(fn("eq", index, Axis(kind.rank - 1)), kind.dtype)
    return (Loop(axes=kind.shape, expr=hit, dtype=kind.dtype),)


def _one_hot_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    depth: Any = kind.shape[-1]
    return np.asarray(np.asarray(operands[0])[..., None] == np.arange(depth), kind.dtype.numpy)


def _arange_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    size: Any = kind.shape[0]
    return np.arange(size, dtype=kind.dtype.numpy)


registry.register(
    Op(
        name="one_hot",
        infer=_one_hot_infer,
        reference=_one_hot_reference,
        loops=_one_hot_loops,
        vjp=no_gradient,
        jvp=no_tangent,
        batch=lambda b, app, flags: b("one_hot", app.operands[0], **app.params),
        label=lambda x, p: f"one_hot({x[0]}, {p['depth']})",
        samples=tuple(
            Sample(shapes=(s,), params={"depth": d, "dtype": "float32"}, dtypes=(i,), integer_below=5)
            for s, d, i in [
                ((), 3, "int64"),
                ((_N,), 4, "int32"),
                ((2, 3), _N, "int64"),
                ((0,), 3, "int64"),
                ((2,), 0, "int64"),
            ]
        ),
        doc="1 where the last axis equals the index, else 0; an index out of range gives zeros.",
    )
)


def _arange_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 0, params, "size", "dtype")
    checks.at_least(params["size"], 0, "length")
    return Type(DType.of(params["dtype"]), (params["size"],))


registry.register(
    Op(
        name="arange",
        infer=_arange_infer,
        reference=_arange_reference,
        loops=lambda types, kind, p: (
            Loop(axes=kind.shape, expr=cast(Axis(0), kind.dtype), dtype=kind.dtype),
        ),
        vjp=no_gradient,
        jvp=no_tangent,
        batch=lambda b, app, flags: b("arange", **app.params),
        label=lambda x, p: f"arange({p['size']})",
        samples=tuple(
            Sample(shapes=(), params={"size": n, "dtype": d})
            for n, d in [(4, "int64"), (_N, "int32"), (0, "int64"), (3, "float32")]
        ),
        doc="0, 1, 2 ... up to a size, which may be symbolic.",
    )
)


def _extent_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 0, params, "size", "dtype")
    return Type(DType.of(params["dtype"]))


def _extent_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    size = params["size"]
    value = Const(size, DType.I64) if isinstance(size, int) else Extent(size)
    return (Loop(axes=(), expr=cast(value, kind.dtype), dtype=kind.dtype),)


registry.register(
    Op(
        name="extent",
        infer=_extent_infer,
        reference=lambda xs, p, t: np.asarray(p["size"], t.dtype.numpy),
        loops=_extent_loops,
        vjp=no_gradient,
        jvp=no_tangent,
        batch=lambda b, app, flags: b("extent", **app.params),
        label=lambda x, p: f"size({p['size']})",
        samples=tuple(
            Sample(shapes=(), params={"size": n, "dtype": d})
            for n, d in [(4, "int64"), (_N, "float32"), (2 * _N + 1, "float64")]
        ),
        doc="A size as a number, known when a program is called.",
    )
)
