"""The product along axes, with derivatives that are exact to every order, also where factors are 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.loops import Axis, Const, Load, Loop, cast, identity
from graphc.loops import call as fn
from graphc.ops.reduce import batch, declare, fold, restored, summed_dtype
from graphc.ops.rules import axes_text, checked_axes, expect, inverse, moved, reduced, reshaped
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Type, product, require_float

_N = symbol("N")


# --------------------------------------------------------------------------------------------------- prod


def _prod_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    others = b("prod_others", app.operands[0], axes=app.params["axes"])
    return [b("mul", restored(b, cotangent, app), others)]


def _prod_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    others = b("prod_others", app.operands[0], axes=app.params["axes"])
    return b("sum", b("mul", tangents[0], others), **app.params)


declare(
    "prod",
    summed_dtype,
    lambda x, a, k, d: np.prod(x, axis=a, keepdims=k, dtype=d),
    lambda types, kind, p: (fold(types, kind, p, "mul", lambda load: cast(load, kind.dtype)),),
    vjp=_prod_vjp,
    jvp=_prod_jvp,
    doc="Product over axes; integers and booleans multiply in int64.",
)


def _others_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "axes")
    checked_axes(params["axes"], types[0].rank)
    require_float(types[0].dtype, "prod_others")
    return types[0]


def _others_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    x, axes = operands[0], params["axes"]
    result = np.empty_like(x)
    for at in np.ndindex(*x.shape):
        line = np.array(x[tuple(slice(None) if k in axes else i for k, i in enumerate(at))])
        line[tuple(i for k, i in enumerate(at) if k in axes)] = 1
        result[at] = np.prod(line)
    return result


def _others_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    """Count zeros and multiply the rest: with one zero only that one's others have a product, with two
    none has."""
    one, zero = Const(1.0, kind.dtype), Const(0.0, kind.dtype)
    rest = Type(kind.dtype, reduced(kind.shape, params["axes"], False))
    inner: Params = {"axes": params["axes"], "keepdims": False}
    zeros = fold(types, rest, inner, "add", lambda x: fn("select", fn("eq", x, zero), one, zero))
    nonzero = fold(types, rest, inner, "mul", lambda x: fn("select", fn("eq", x, zero), one, x))
    around = tuple(Axis(k) for k in range(kind.rank) if k not in params["axes"])
    x, count, rest_product = (
        Load(0, identity(kind.rank), kind.dtype),
        Load(1, around, kind.dtype),
        Load(2, around, kind.dtype),
    )
    at_zero = fn("select", fn("eq", count, one), rest_product, zero)
    elsewhere = fn("select", fn("eq", count, zero), fn("div", rest_product, x), zero)
    return (
        zeros,
        nonzero,
        Loop(axes=kind.shape, expr=fn("select", fn("eq", x, zero), at_zero, elsewhere), dtype=kind.dtype),
    )


def _others_linear(b: Any, app: Application, value: Any) -> Any:
    """The derivative of the others' products, a symmetric map, as the products without two elements.

    d out[i] / d x[k] is the product over l other than i and k, and 0 for k = i.
    """
    x, axes = app.operands[0], app.params["axes"]
    perm = (*(k for k in range(x.ndim) if k not in axes), *axes)
    kept, size = reduced(x.shape, axes, False), product(x.shape[a] for a in axes)
    row = (*kept, 1, size)
    index = b("arange", size=size, dtype="int64")
    same = b("eq", reshaped(b, index, (size, 1)), reshaped(b, index, (1, size)))
    pairs = b("where", same, b.constant(1.0, x.type), reshaped(b, moved(b, x, perm), row))
    terms = b("mul", reshaped(b, moved(b, value, perm), row), b("prod_others", pairs, axes=(len(kept) + 1,)))
    lines = b("sum", b("where", same, b.constant(0.0, x.type), terms), axes=(len(kept) + 1,), keepdims=False)
    return moved(b, reshaped(b, lines, tuple(x.shape[k] for k in perm)), inverse(perm))


registry.register(
    Op(
        name="prod_others",
        infer=_others_infer,
        reference=_others_reference,
        loops=_others_loops,
        batch=batch,
        vjp=lambda b, app, g: [_others_linear(b, app, g)],
        jvp=lambda b, app, t: _others_linear(b, app, t[0]),
        label=lambda x, p: f"prod_others({x[0]}, {axes_text(p['axes'])})",
        samples=tuple(
            Sample(shapes=(s,), params={"axes": a})
            for s, a in [
                ((), ()),
                ((4,), (0,)),
                ((1,), (0,)),
                ((_N, 3), (1,)),
                ((2, 3, 2), (0, 2)),
                ((0, 2), (0,)),
            ]
        ),
        doc="For each element, the product of the other elements along axes: the derivative of prod, "
        "zeros included.",
    )
)
