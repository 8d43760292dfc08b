"""Reductions over axes: sum, mean, extrema, product, norm, any, all, and the positions of extrema.

NaN propagates through all of them. Integers and booleans add up in int64; their mean is float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import DTypeError, ShapeError
from graphc.graph import FUNCTIONS, Handle, call
from graphc.loops import Axis, Const, Expr, Load, Loop, cast, identity
from graphc.loops import call as fn
from graphc.ops.rules import (
    at_least,
    axes_text,
    checked_axes,
    checked_axis,
    expect,
    extent,
    floating,
    function,
    inverse,
    moved,
    no_gradient,
    no_tangent,
    node,
    reduced,
    reshaped,
    size_value,
)
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Dim, DType, Shape, Type, normalise_axes, normalise_axis, product, require_float

_N = symbol("N")

# ---------------------------------------------------------------------------------------- what all share


def folded_index(rank: int, axes: Sequence[int], keepdims: bool) -> tuple[Expr, ...]:
    """Where a reduction over ``axes`` reads its operand: output axes first, then the reduced ones."""
    kept = [k for k in range(rank) if keepdims or k not in axes]
    place = {axis: len(kept) + position for position, axis in enumerate(axes)}
    return tuple(Axis(place[k] if k in place else kept.index(k)) for k in range(rank))


def fold(types: Sequence[Type], kind: Type, params: Params, combine: str, body: Callable[[Expr], Expr]) -> Loop:
    """The loop that folds ``body`` of the operand over ``params["axes"]``."""
    axes, keepdims = params["axes"], params["keepdims"]
    load = Load(0, folded_index(types[0].rank, axes, keepdims), types[0].dtype)
    sizes = tuple(types[0].shape[a] for a in axes)
    return Loop(axes=kind.shape, reduce=sizes, expr=body(load), combine=combine if axes else "", dtype=kind.dtype)


def _count(kind: Type, params: Params) -> Dim:
    return product(kind.shape[a] for a in params["axes"])


def _restored(b: Any, value: Any, app: Application) -> Any:
    """A reduced value with the reduced axes back, of size 1."""
    return reshaped(b, value, reduced(app.operands[0].shape, app.params["axes"], True))


def _spread(b: Any, value: Any, app: Application) -> Any:
    return b.spread(_restored(b, value, app), app.operands[0].shape)


def _again(b: Any, app: Application, value: Any) -> Any:
    return b(app.output.node.op, value, **app.params)


def _batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    axes = tuple(a + 1 for a in app.params["axes"])
    return b(app.output.node.op, app.operands[0], **{**app.params, "axes": axes})


def _label(name: str) -> Callable[[Sequence[str], Params], str]:
    return lambda x, p: f"{name}({x[0]}, {axes_text(p['axes'], p['keepdims'])})"


def _samples(cases: Sequence[tuple[Any, tuple[int, ...]]], **options: Any) -> tuple[Sample, ...]:
    return tuple(
        Sample(shapes=(shape,), params={"axes": axes, "keepdims": keepdims}, **options)
        for shape, axes in cases
        for keepdims in (False, True)
    )


_FULL = [((), ()), ((5,), (0,)), ((1,), (0,)), ((_N, 3), (0,)), ((_N, 3), (1,)), ((2, 3, 4), (0, 2)), ((2, 3), ()), ((2, 1, 3), (0, 1, 2)),
         ((2, 0), (0,))]  # fmt: skip
_EMPTY = [((0,), (0,)), ((0, 3), (0,)), ((3, 0), (1,))]


def _declare(name: str, infer: Callable[[Checks, Type, Params], DType], reference: Any, loops: Any, *, dtypes: tuple[str, ...] = (),
             empty: bool = True, distinct: bool = False, doc: str, **rules: Any) -> Op:  # fmt: skip
    def whole_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
        expect(types, 1, params, "axes", "keepdims")
        shape = reduced(types[0].shape, checked_axes(params["axes"], types[0].rank), params["keepdims"])
        return Type(infer(checks, types[0], params), shape)

    def whole_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
        return np.asarray(reference(operands[0], params["axes"], params["keepdims"], kind.dtype.numpy), kind.dtype.numpy)

    cases = _FULL + (_EMPTY if empty else [])
    defaults: dict[str, Any] = {"batch": _batch, "label": _label(name), "samples": _samples(cases, dtypes=dtypes, distinct=distinct)}
    return registry.register(Op(name=name, infer=whole_infer, reference=whole_reference, loops=loops, doc=doc, **{**defaults, **rules}))


def _summed_dtype(checks: Checks, kind: Type, params: Params) -> DType:
    return kind.dtype if kind.dtype.is_float else DType.I64


def _float_dtype(checks: Checks, kind: Type, params: Params) -> DType:
    require_float(kind.dtype, "the mean or norm")
    return kind.dtype


def _extremum_dtype(checks: Checks, kind: Type, params: Params) -> DType:
    if kind.dtype is DType.BOOL:
        raise DTypeError("bool has no extrema here; use gc.any or gc.all")
    for axis in params["axes"]:
        _not_empty(checks, kind.shape[axis], axis)
    return kind.dtype


def _not_empty(checks: Checks, size: Dim, axis: int) -> None:
    if size == 0:
        raise ShapeError(f"axis {axis} has size 0, and nothing has no extremum; reduce over axes that are not empty")
    at_least(checks, size, 1, f"extremum over axis {axis}")


def _bool_dtype(checks: Checks, kind: Type, params: Params) -> DType:
    if kind.dtype is not DType.BOOL:
        raise DTypeError(f"operand is {kind.dtype}; compare it to get bool")
    return DType.BOOL


# ---------------------------------------------------------------------------------------------- sum, mean

_declare(
    "sum", _summed_dtype, lambda x, a, k, d: np.sum(x, axis=a, keepdims=k, dtype=d),
    lambda types, kind, p: (fold(types, kind, p, "add", lambda load: cast(load, kind.dtype)),),
    vjp=lambda b, app, g: [_spread(b, g, app)], jvp=lambda b, app, t: _again(b, app, t[0]),
    latex=lambda x, p: rf"\sum_{{{','.join(map(str, p['axes']))}}} {x[0]}",
    doc="Sum over axes; integers and booleans add up in int64.")  # fmt: skip


def _mean_reference(x: Any, axes: Any, keepdims: bool, dtype: Any) -> Any:
    count = np.prod([x.shape[a] for a in axes], dtype=np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.divide(np.sum(x, axis=axes, keepdims=keepdims), count)


def _mean_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    count = cast(extent(_count(types[0], params)), kind.dtype)
    quotient = fn("div", Load(1, identity(kind.rank), kind.dtype), count)
    return (fold(types, kind, params, "add", lambda load: load), Loop(axes=kind.shape, expr=quotient, dtype=kind.dtype))


def _mean_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    count = _count(app.operands[0].type, app.params)
    return [_spread(b, b("div", cotangent, size_value(b, count, app.output.dtype)), app)]


_declare("mean", _float_dtype, _mean_reference, _mean_loops, vjp=_mean_vjp, jvp=lambda b, app, t: _again(b, app, t[0]),
         doc="Arithmetic mean over axes; the mean of nothing is NaN.")  # fmt: skip

# ----------------------------------------------------------------------------------------------- max, min


def _extreme(b: Any, app: Application) -> tuple[Any, Any]:
    """Where the operand attains the extremum, and how often it does."""
    mask = b("eq", app.operands[0], _restored(b, app.output, app))
    hits = b("cast", mask, dtype=app.output.dtype.long)
    return mask, b("sum", hits, **app.params)


def _extreme_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    """Ties share evenly."""
    mask, count = _extreme(b, app)
    share = _restored(b, b("div", cotangent, count), app)
    return [b.spread(b("where", mask, share, b.constant(0.0, share.type)), app.operands[0].shape)]


def _extreme_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    mask, count = _extreme(b, app)
    taken = b("where", mask, tangents[0], b.constant(0.0, app.output.type))
    return b("div", b("sum", taken, **app.params), count)


for _name, _combine, _numpy in (("max", "maximum", np.max), ("min", "minimum", np.min)):
    _declare(
        _name, _extremum_dtype, lambda x, a, k, d, f=_numpy: f(x, axis=a, keepdims=k),
        lambda types, kind, p, c=_combine: (fold(types, kind, p, c, lambda load: load),),
        vjp=_extreme_vjp, jvp=_extreme_jvp, empty=False, distinct=True,
        doc=f"The {_name}imum over axes; of nothing it is an error; ties share the gradient evenly.")  # fmt: skip

# --------------------------------------------------------------------------------------------------- prod


def _prod_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    others = b("prod_others", app.operands[0], axes=app.params["axes"])
    return [b("mul", _restored(b, cotangent, app), others)]


def _prod_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    others = b("prod_others", app.operands[0], axes=app.params["axes"])
    return b("sum", b("mul", tangents[0], others), **app.params)


_declare(
    "prod", _summed_dtype, lambda x, a, k, d: np.prod(x, axis=a, keepdims=k, dtype=d),
    lambda types, kind, p: (fold(types, kind, p, "mul", lambda load: cast(load, kind.dtype)),),
    vjp=_prod_vjp, jvp=_prod_jvp, doc="Product over axes; integers and booleans multiply in int64.")  # fmt: skip


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
    """Count zeros and multiply the rest: with one zero only that one's others have a product, with two none has."""
    one, zero = Const(1.0, kind.dtype), Const(0.0, kind.dtype)
    rest = Type(kind.dtype, reduced(kind.shape, params["axes"], False))
    inner: Params = {"axes": params["axes"], "keepdims": False}
    zeros = fold(types, rest, inner, "add", lambda x: fn("select", fn("eq", x, zero), one, zero))
    nonzero = fold(types, rest, inner, "mul", lambda x: fn("select", fn("eq", x, zero), one, x))
    around = tuple(Axis(k) for k in range(kind.rank) if k not in params["axes"])
    x, count, rest_product = Load(0, identity(kind.rank), kind.dtype), Load(1, around, kind.dtype), Load(2, around, kind.dtype)
    at_zero = fn("select", fn("eq", count, one), rest_product, zero)
    elsewhere = fn("select", fn("eq", count, zero), fn("div", rest_product, x), zero)
    return (zeros, nonzero, Loop(axes=kind.shape, expr=fn("select", fn("eq", x, zero), at_zero, elsewhere), dtype=kind.dtype))


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


registry.register(Op(
    name="prod_others", infer=_others_infer, reference=_others_reference, loops=_others_loops, batch=_batch,
    vjp=lambda b, app, g: [_others_linear(b, app, g)], jvp=lambda b, app, t: _others_linear(b, app, t[0]),
    label=lambda x, p: f"prod_others({x[0]}, {axes_text(p['axes'])})",
    samples=tuple(Sample(shapes=(s,), params={"axes": a}) for s, a in [((), ()), ((4,), (0,)), ((1,), (0,)), ((_N, 3), (1,)), ((2, 3, 2), (0, 2)), ((0, 2), (0,))]),
    doc="For each element, the product of the other elements along axes: the derivative of prod, zeros included."))  # fmt: skip

# --------------------------------------------------------------------------------------------------- norm


def _norm_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    root = fn("sqrt", Load(1, identity(kind.rank), kind.dtype))
    return (fold(types, kind, params, "add", lambda x: fn("mul", x, x)), Loop(axes=kind.shape, expr=root, dtype=kind.dtype))


def _direction(b: Any, app: Application) -> Any:
    """x / norm(x), and 0 where the norm is 0."""
    length = _restored(b, app.output, app)
    zero, one = b.constant(0.0, length.type), b.constant(1.0, length.type)
    flat = b("eq", length, zero)
    ratio = b("div", app.operands[0], b("where", flat, one, length))
    return b("where", flat, zero, ratio)


_declare(
    "norm", _float_dtype, lambda x, a, k, d: np.sqrt(np.sum(np.square(x), axis=a, keepdims=k)), _norm_loops,
    vjp=lambda b, app, g: [b("mul", _restored(b, g, app), _direction(b, app))],
    jvp=lambda b, app, t: b("sum", b("mul", t[0], _direction(b, app)), **app.params),
    latex=lambda x, p: rf"\lVert {x[0]} \rVert", doc="Euclidean norm over axes; its gradient at 0 is 0.")  # fmt: skip

# ----------------------------------------------------------------------------------------------- any, all


def _logical_loops(holds: bool) -> Any:
    def loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
        """Count the elements that decide: any counts the true, all the false ones."""
        counted = fold(types, Type(DType.I64, kind.shape), params, "add", lambda x: cast(x if holds else fn("not", x), DType.I64))
        found = fn("ne" if holds else "eq", Load(1, identity(kind.rank), DType.I64), Const(0, DType.I64))
        return (counted, Loop(axes=kind.shape, expr=found, dtype=DType.BOOL))

    return loops


for _name, _holds, _numpy in (("any", True, np.any), ("all", False, np.all)):
    _declare(_name, _bool_dtype, lambda x, a, k, d, f=_numpy: f(x, axis=a, keepdims=k), _logical_loops(_holds), dtypes=("bool",),
             vjp=no_gradient, jvp=no_tangent, doc=f"Whether {_name} of the elements along axes hold.")  # fmt: skip

# ----------------------------------------------------------------------------------------- argmax, argmin


def _position_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "axis", "keepdims")
    axis = checked_axis(params["axis"], types[0].rank)
    if types[0].dtype is DType.BOOL:
        raise DTypeError("bool has no extrema here; cast it with gc.cast")
    _not_empty(checks, types[0].shape[axis], axis)
    return Type(DType.I64, reduced(types[0].shape, (axis,), params["keepdims"]))


def _reversed_order(x: Expr) -> Expr:
    """An expression whose maximum is the minimum of ``x``: -x, or -1 - x, which no integer overflows."""
    return fn("neg", x) if x.dtype.is_float else fn("sub", Const(-1, x.dtype), x)


def _position_loops(name: str) -> Any:
    def loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
        inner: Params = {"axes": (params["axis"],), "keepdims": params["keepdims"]}
        return (fold(types, kind, inner, "argmax", (lambda x: x) if name == "argmax" else _reversed_order),)

    return loops


def _position_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    return b(app.output.node.op, app.operands[0], **{**app.params, "axis": app.params["axis"] + 1})


for _name, _numpy in (("argmax", np.argmax), ("argmin", np.argmin)):
    registry.register(Op(
        name=_name, infer=_position_infer, loops=_position_loops(_name), batch=_position_batch, vjp=no_gradient, jvp=no_tangent,
        reference=lambda xs, p, t, f=_numpy: np.asarray(f(xs[0], axis=p["axis"], keepdims=p["keepdims"]), np.int64),
        label=lambda x, p, n=_name: f"{n}({x[0]}, {axes_text((p['axis'],), p['keepdims'])})",
        samples=tuple(Sample(shapes=(s,), params={"axis": a, "keepdims": k}, distinct=True)
                      for s, a in [((5,), 0), ((1,), 0), ((_N, 3), 0), ((_N, 3), 1), ((2, 3, 4), 1), ((0, 3), 1)] for k in (False, True)),
        doc=f"The index of the first {_name[3:]}imum along an axis, as int64."))  # fmt: skip


# ---------------------------------------------------------------------------------------- user functions


def _over(op: str, x: Handle, axis: Any, keepdims: bool) -> Handle:
    return x.graph.add(op, (x,), axes=normalise_axes(axis, x.ndim), keepdims=bool(keepdims))


def _plain(op: str, doc: str, lifted: bool) -> None:
    def reduction(x: Any, axis: Any = None, keepdims: bool = False) -> Handle:
        return _over(op, floating(op, x) if lifted else node(op, x), axis, keepdims)

    reduction.__name__ = reduction.__qualname__ = op
    reduction.__doc__ = f"{doc} ``axis`` is None for all axes, an int or a tuple; raises ShapeError for axes that ``x`` lacks."
    function(reduction)


for _name, _lifted in {"sum": False, "mean": True, "max": False, "min": False, "prod": False}.items():
    _plain(_name, registry.lookup(_name).doc, _lifted)


@function
def any_(x: Any, axis: Any = None, keepdims: bool = False) -> Handle:
    """Whether any element along ``axis`` is true (numbers: not 0)."""
    return _over("any", call("cast", node("any", x), "bool"), axis, keepdims)


@function
def all_(x: Any, axis: Any = None, keepdims: bool = False) -> Handle:
    """Whether all elements along ``axis`` are true (numbers: not 0)."""
    return _over("all", call("cast", node("all", x), "bool"), axis, keepdims)


def _position(op: str, x: Any, axis: Any, keepdims: bool) -> Handle:
    x = node(op, x)
    if axis is not None:
        return x.graph.add(op, (x,), axis=normalise_axis(axis, x.ndim), keepdims=bool(keepdims))
    found = x.graph.add(op, (call("ravel", x),), axis=0, keepdims=False)
    return call("reshape", found, (1,) * x.ndim) if keepdims else found


@function
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Handle:
    """The index of the first maximum along ``axis`` (None: of the flattened value), as int64."""
    return _position("argmax", x, axis, keepdims)


@function
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Handle:
    """The index of the first minimum along ``axis`` (None: of the flattened value), as int64."""
    return _position("argmin", x, axis, keepdims)


def _centred(op: str, x: Any, axis: Any, ddof: int) -> tuple[Handle, tuple[int, ...], Any]:
    """The deviations from the mean, the axes, and the number that squares are divided by."""
    x = floating(op, x)
    axes = normalise_axes(axis, x.ndim)
    count: Dim = product(x.shape[a] for a in axes) - ddof
    divisor = max(count, 0) if isinstance(count, int) else x.graph.add("extent", (), size=count, dtype=x.dtype.long)
    return x - _over("mean", x, axes, True), axes, divisor


@function
def var(x: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Handle:
    """Variance over ``axis``: the mean square of deviations from the mean, over the count minus ``ddof``."""
    centred, axes, count = _centred("var", x, axis, ddof)
    return _over("sum", call("square", centred), axes, keepdims) / count


@function
def std(x: Any, axis: Any = None, *, ddof: int = 0, keepdims: bool = False) -> Handle:
    """Standard deviation over ``axis``; its gradient where all values are equal is 0."""
    centred, axes, count = _centred("std", x, axis, ddof)
    return _over("norm", centred, axes, keepdims) / (count**0.5 if isinstance(count, int) else call("sqrt", count))


@function
def norm(x: Any, axis: Any = None, keepdims: bool = False) -> Handle:
    """Euclidean norm over ``axis``, sqrt(sum(x * x)); its gradient at 0 is 0."""
    return _over("norm", floating("norm", x), axis, keepdims)


__all__ = ["FUNCTIONS", "Shape", "fold", "folded_index"]
