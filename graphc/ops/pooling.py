"""Pooling: what a window that moves over the last axes holds, as maps over all of its elements at once.

A pool has no reduced axis: the elements of a window are as many loads of one expression, so that other axes, such as
channels, run innermost and in vectors. The maximum notes which element it is (the first where several are equal, the
last of a window with NaN); by that number an element is picked from its window and, the adjoint, put back into it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import DTypeError, ShapeError
from graphc.loops import Const, Expr, Load, Loop, call, identity
from graphc.ops.rules import Infer, Jvp, Loops, Vjp, everywhere, expect, extent, no_gradient, no_tangent
from graphc.ops.window import MOST_NAMED, covering, element, held, number, over, pooled, put_back, views
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, DType, Shape, Type, require_float, shape_text

_N = symbol("N")

# ---------------------------------------------------------------------------------------------------- the ops


def _declare(
    name: str,
    infer: Infer,
    reference: Callable[[Sequence[Any], Params, Type], Any],
    loops: Loops,
    *,
    vjp: Vjp,
    jvp: Jvp,
    samples: tuple[Sample, ...],
    doc: str,
) -> None:
    """Register an op over windows of the last axes; leading axes are all alike, so a batch is one more."""

    def batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
        params = dict(app.params)
        operands = everywhere(b, app, batched)
        if "shape" in params:
            params["shape"] = (operands[0].shape[0], *params["shape"])
        return b(name, *operands, **params)

    op = Op(
        name=name,
        infer=infer,
        reference=lambda xs, p, t: np.asarray(reference(xs, p, t), t.dtype.numpy),
        loops=loops,
        vjp=vjp,
        jvp=jvp,
        batch=batch,
        label=lambda x, p: f"{name}({', '.join(x)}, {shape_text(p['window'])}{_stride_text(p)})",
        samples=samples,
        doc=doc,
    )
    registry.register(op)


def _stride_text(params: Params) -> str:
    return "" if params["window"] == params["stride"] else f", stride={shape_text(params['stride'])}"


def _windows(params: Params) -> dict[str, Any]:
    return {"window": params["window"], "stride": params["stride"]}


_CASES: list[tuple[Shape, tuple[int, ...], tuple[int, ...]]] = [
    ((6,), (2,), (2,)),
    ((_N, 7), (3,), (2,)),
    ((1, 5), (1,), (2,)),
    ((2, 1, 5), (2,), (1,)),
    ((_N, 5, 4), (2, 2), (2, 2)),
    ((2, _N + 3, 7), (3, 2), (1, 3)),
    ((1, 3, 4), (3, 4), (3, 4)),
    ((7, 7), (6, 6), (1, 1)),
    ((0, 4), (2,), (2,)),
]


def _cases(
    *more: str, of: Callable[[Shape, Params], tuple[Shape, ...]], shape: bool = False
) -> tuple[Sample, ...]:
    """A sample for each case; operands' shapes follow from the pooled one, dtypes of further operands are told."""
    found: list[Sample] = []
    for whole, window, stride in _CASES:
        params: dict[str, Any] = {"window": window, "stride": stride}
        shapes = of(whole, params)
        params |= {"shape": whole} if shape else {}
        below = math.prod(window)
        found.append(
            Sample(shapes=shapes, params=params, dtypes=("", *more), integer_below=below, distinct=True)
        )
    return tuple(found)


def _inner(whole: Shape, params: Params) -> Shape:
    return pooled(Checks(), whole, params)


# ------------------------------------------------------------------------------------------------ max_pool


def _max_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "window", "stride")
    if types[0].dtype is DType.BOOL:
        raise DTypeError("bool has no extrema here; cast it with gc.cast")
    return Type(types[0].dtype, pooled(checks, types[0].shape, params))


def _maximum(a: Expr, b: Expr) -> Expr:
    return call("maximum", a, b)


def _added(a: Expr, b: Expr) -> Expr:
    return call("add", a, b)


def _max_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    where = b("argmax_pool", app.operands[0], app.output, **app.params)
    return [b("unpool", cotangent, where, **app.params, shape=app.operands[0].shape)]


def _max_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    where = b("argmax_pool", app.operands[0], app.output, **app.params)
    return b("pick", tangents[0], where, **app.params)


_declare(
    "max_pool",
    _max_infer,
    lambda xs, p, t: views(xs[0], p).max(axis=-1),
    lambda types, kind, p: (over(p["window"], kind.shape, lambda o: element(types[0], p, o), _maximum),),
    vjp=_max_vjp,
    jvp=_max_jvp,
    samples=_cases(of=lambda whole, p: (whole,)),
    doc="The largest element of each window of the last axes; its gradient goes to the first of equals.",
)


# --------------------------------------------------------------------------------------- argmax_pool, pick, unpool


def _where_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params, "window", "stride")
    x, top = types
    _same(checks, top, Type(x.dtype, pooled(checks, x.shape, params)), "maxima")
    return Type(DType.I32, top.shape)


def _same(checks: Checks, kind: Type, due: Type, what: str) -> None:
    if kind.dtype is not due.dtype or kind.rank != due.rank:
        raise ShapeError(f"{what} are {kind}; give {due}")
    for have, want in zip(kind.shape, due.shape, strict=True):
        checks.equal(have, want, what)


def _where_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    hits: Any = views(operands[0], params) == operands[1][..., None]
    first: Any = hits.argmax(axis=-1)
    return first + (hits.shape[-1] - 1) * ~hits.any(axis=-1)


def _where_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    """The least number of an element that is the maximum; where none is, as beside NaN, the last."""
    top, last = (
        Load(1, identity(kind.rank), types[1].dtype),
        Const(math.prod(params["window"]) - 1, DType.I32),
    )

    def place(offsets: Sequence[Expr], other: Expr = last) -> Expr:
        hit = call("eq", element(types[0], params, offsets), top)
        return call("select", hit, number(params, offsets, DType.I32), other)

    if math.prod(params["window"]) <= MOST_NAMED:
        found: Expr = last
        for index in reversed([*itertools.product(*map(range, params["window"]))][:-1]):
            found = place([extent(k) for k in index], found)
        return (Loop(axes=kind.shape, expr=found, dtype=DType.I32),)
    return (over(params["window"], kind.shape, place, lambda a, b: call("minimum", a, b)),)


_declare(
    "argmax_pool",
    _where_infer,
    _where_reference,
    _where_loops,
    vjp=no_gradient,
    jvp=no_tangent,
    samples=_cases("", of=lambda whole, p: (whole, _inner(whole, p))),
    doc="The number, within its window, of the first element equal to a given maximum; the last where none is.",
)


def _pick_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params, "window", "stride")
    x, where = types
    shape = pooled(checks, x.shape, params)
    _same(checks, where, Type(DType.I32, shape), "numbers of elements")
    return Type(x.dtype, shape)


def _pick_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    chosen = Load(1, identity(kind.rank), DType.I32)
    zero = Const(0.0 if kind.dtype.is_float else 0, kind.dtype)

    def term(offsets: Sequence[Expr]) -> Expr:
        hit = call("eq", chosen, number(params, offsets, DType.I32))
        return call("select", hit, element(types[0], params, offsets), zero)

    return (over(params["window"], kind.shape, term, _added),)


_declare(
    "pick",
    _pick_infer,
    lambda xs, p, t: np.take_along_axis(views(xs[0], p), xs[1][..., None], -1)[..., 0],
    _pick_loops,
    vjp=lambda b, app, g: [b("unpool", g, app.operands[1], **app.params, shape=app.operands[0].shape), None],
    jvp=lambda b, app, t: None if t[0] is None else b("pick", t[0], app.operands[1], **app.params),
    samples=_cases("int32", of=lambda whole, p: (whole, _inner(whole, p))),
    doc="From each window of the last axes the element of a given number.",
)


def _unpool_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params, "window", "stride", "shape")
    inner = pooled(checks, params["shape"], params)
    _same(checks, types[0], Type(types[0].dtype, inner), "values of windows")
    _same(checks, types[1], Type(DType.I32, inner), "numbers of elements")
    return Type(types[0].dtype, tuple(params["shape"]))


def _unpool_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    value, where = operands
    return put_back(value, params, kind, lambda k: np.where(where == k, value, 0))


def _unpool_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    zero = Const(0.0 if kind.dtype.is_float else 0, kind.dtype)

    def value(own: Expr, index: tuple[Expr, ...]) -> Expr:
        return call("select", call("eq", Load(1, index, DType.I32), own), Load(0, index, kind.dtype), zero)

    inner = types[0].shape[kind.rank - len(params["window"]) :]
    return (over(covering(params), kind.shape, lambda t: held(kind, params, inner, t, value), _added),)


_declare(
    "unpool",
    _unpool_infer,
    _unpool_reference,
    _unpool_loops,
    vjp=lambda b, app, g: [b("pick", g, app.operands[1], **_windows(app.params)), None],
    jvp=lambda b, app, t: None if t[0] is None else b("unpool", t[0], app.operands[1], **app.params),
    samples=_cases("int32", of=lambda whole, p: (_inner(whole, p),) * 2, shape=True),
    doc="Values put back at the element of a given number of their windows, added up where windows overlap: the "
    "adjoint of pick.",
)

# ------------------------------------------------------------------------------------------- sum_pool, sum_unpool


def _sum_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "window", "stride")
    require_float(types[0].dtype, "the sum of windows")
    return Type(types[0].dtype, pooled(checks, types[0].shape, params))


def _spread_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "window", "stride", "shape")
    require_float(types[0].dtype, "the sum of windows")
    _same(
        checks, types[0], Type(types[0].dtype, pooled(checks, params["shape"], params)), "values of windows"
    )
    return Type(types[0].dtype, tuple(params["shape"]))


def _spread_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    inner = types[0].shape[kind.rank - len(params["window"]) :]

    def term(back: Sequence[Expr]) -> Expr:
        return held(kind, params, inner, back, lambda _, index: Load(0, index, kind.dtype))

    return (over(covering(params), kind.shape, term, _added),)


_declare(
    "sum_pool",
    _sum_infer,
    lambda xs, p, t: views(xs[0], p).sum(axis=-1),
    lambda types, kind, p: (over(p["window"], kind.shape, lambda o: element(types[0], p, o), _added),),
    vjp=lambda b, app, g: [b("sum_unpool", g, **app.params, shape=app.operands[0].shape)],
    jvp=lambda b, app, t: b("sum_pool", t[0], **app.params),
    samples=_cases(of=lambda whole, p: (whole,)),
    doc="The sum of each window of the last axes.",
)

_declare(
    "sum_unpool",
    _spread_infer,
    lambda xs, p, t: put_back(xs[0], p, t, lambda _: xs[0]),
    _spread_loops,
    vjp=lambda b, app, g: [b("sum_pool", g, **_windows(app.params))],
    jvp=lambda b, app, t: b("sum_unpool", t[0], **app.params),
    samples=_cases(of=lambda whole, p: (_inner(whole, p),), shape=True),
    doc="For each element the sum over the windows that hold it: the adjoint of sum_pool.",
)
