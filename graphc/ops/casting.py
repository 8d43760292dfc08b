"""The op that changes dtypes. Not elementwise in the narrow sense: its operand and result differ in dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.graph import Handle, cast_to, public
from graphc.loops import Loop, broadcast_load, cast
from graphc.ops.rules import expect
from graphc.registry import Application, Op, Params, Sample
from graphc.types import Checks, DType, Type


def _cast_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "dtype")
    return Type(DType.of(params["dtype"]), types[0].shape)


def _cast_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    load = broadcast_load(0, types[0].dtype, types[0].shape, kind.rank)
    return (Loop(axes=kind.shape, expr=cast(load, kind.dtype), dtype=kind.dtype),)


def _cast_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    source = app.operands[0].dtype
    return [
        b("cast", cotangent, dtype=source.long) if source.is_float and app.output.dtype.is_float else None
    ]


def _cast_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    target = app.output.dtype
    return (
        b("cast", tangents[0], dtype=target.long)
        if target.is_float and app.operands[0].dtype.is_float
        else None
    )


def _same_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    return b(app.output.node.op, *app.operands, **app.params)


registry.register(
    Op(
        name="cast",
        infer=_cast_infer,
        reference=lambda xs, p, t: np.asarray(xs[0]).astype(t.dtype.numpy),
        loops=_cast_loops,
        vjp=_cast_vjp,
        jvp=_cast_jvp,
        batch=_same_batch,
        label=lambda x, p: f"{p['dtype']}({x[0]})",
        samples=tuple(
            Sample(shapes=(s,), params={"dtype": d})
            for s in ((4,), ("N", 3))
            for d in ("float32", "float64", "int32", "bool")
        ),
        doc="The value in another dtype; floats are cut toward zero for integers.",
    )
)


@public
def cast_(x: Any, dtype: Any) -> Handle:
    """``x`` in ``dtype`` (float32, float64, int32, int64, bool)."""
    return cast_to(x, DType.of(dtype))


__all__ = ["cast_"]
