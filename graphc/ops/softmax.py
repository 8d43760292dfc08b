"""Softmax, its logarithm and log-sum-exp: ops of their own, since the plain compositions overflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.graph import Handle
from graphc.loops import Axis, Const, Load, Loop, call, identity
from graphc.ops.reduce import fold
from graphc.ops.rules import (
    Jvp,
    Vjp,
    axes_text,
    checked_axes,
    checked_axis,
    expect,
    floating,
    function,
    reduced,
    reshaped,
)
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Type, normalise_axes, normalise_axis, require_float

_N = symbol("N")

# ---------------------------------------------------------------------------------------------- logsumexp


def _lse_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "axes", "keepdims")
    require_float(types[0].dtype, "logsumexp")
    return Type(
        types[0].dtype,
        reduced(types[0].shape, checked_axes(params["axes"], types[0].rank), params["keepdims"]),
    )


def _lse_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    x, axes = operands[0], params["axes"]
    top = np.max(x, axis=axes, keepdims=True, initial=-np.inf) if axes else x
    shift = np.where(np.isfinite(top), top, 0).astype(x.dtype)
    with np.errstate(divide="ignore", over="ignore"):
        value = np.log(np.sum(np.exp(x - shift), axis=axes, keepdims=True)) + shift
    return value.reshape(kind.shape).astype(kind.dtype.numpy)


def _lse_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    """m = max x, or 0 where that is infinite; log(sum(exp(x - m))) + m."""
    here = identity(kind.rank)
    loops = (fold(types, kind, params, "maximum", lambda x: x), _shift(kind))
    around = Load(2, here, kind.dtype)
    summed = fold(types, kind, params, "add", lambda x: call("exp", call("difference", x, around)))
    result = call("add", call("log", Load(3, here, kind.dtype)), around)
    return (*loops, summed, Loop(axes=kind.shape, expr=result, dtype=kind.dtype))


def _weights(b: Any, app: Application) -> Any:
    """The derivative of logsumexp, exp(x - out), which is softmax."""
    keep = reduced(app.operands[0].shape, app.params["axes"], True)
    return b("exp", b("sub", app.operands[0], reshaped(b, app.output, keep)))


def _lse_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    keep = reduced(app.operands[0].shape, app.params["axes"], True)
    return [b("mul", reshaped(b, cotangent, keep), _weights(b, app))]


def _lse_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    return b("sum", b("mul", tangents[0], _weights(b, app)), **app.params)


def _lse_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    return b(
        "logsumexp",
        app.operands[0],
        axes=tuple(a + 1 for a in app.params["axes"]),
        keepdims=app.params["keepdims"],
    )


_LSE_CASES = [
    ((), ()),
    ((5,), (0,)),
    ((1,), (0,)),
    ((_N, 3), (1,)),
    ((2, 3, 4), (0, 2)),
    ((0, 3), (1,)),
    ((3, 0), (1,)),
    ((2, 3), ()),
]

registry.register(
    Op(
        name="logsumexp",
        infer=_lse_infer,
        reference=_lse_reference,
        loops=_lse_loops,
        vjp=_lse_vjp,
        jvp=_lse_jvp,
        batch=_lse_batch,
        label=lambda x, p: f"logsumexp({x[0]}, {axes_text(p['axes'], p['keepdims'])})",
        latex=lambda x, p: rf"\log \sum \exp {x[0]}",
        samples=tuple(
            Sample(shapes=(s,), params={"axes": a, "keepdims": k})
            for s, a in _LSE_CASES
            for k in (False, True)
        ),
        doc="log(sum(exp(x))) over axes, without overflow; -inf for nothing.",
    )
)

# ---------------------------------------------------------------------------------- softmax, log_softmax


def _axis_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "axis")
    require_float(types[0].dtype, "softmax")
    checked_axis(params["axis"], types[0].rank)
    return types[0]


def _shifted(x: Any, axis: int) -> Any:
    """``x`` less the shift of ``_shift``: a row with inf is NaN where it is inf, else what is left of it, 0."""
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return x - np.where(np.isfinite(top), top, 0).astype(x.dtype)


def _softmax_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    with np.errstate(invalid="ignore", over="ignore"):
        grown = np.exp(_shifted(operands[0], params["axis"]))
        return grown / np.sum(grown, axis=params["axis"], keepdims=True)


def _log_softmax_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        shifted = _shifted(operands[0], params["axis"])
        return shifted - np.log(np.sum(np.exp(shifted), axis=params["axis"], keepdims=True))


def _row(source: int, kind: Type, axis: int) -> Load:
    """The value that intermediate ``source`` has for the row along ``axis``."""
    return Load(source, tuple(Axis(k) for k in range(kind.rank) if k != axis), kind.dtype)


def _pieces(kind: Type, params: Params) -> tuple[Type, Params, Load]:
    rows = Type(kind.dtype, reduced(kind.shape, (params["axis"],), False))
    return rows, {"axes": (params["axis"],), "keepdims": False}, Load(0, identity(kind.rank), kind.dtype)


def _softmax_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    rows, inner, here = _pieces(kind, params)
    axis = params["axis"]
    top = fold(types, rows, inner, "maximum", lambda x: x)
    grown = Loop(
        axes=kind.shape, expr=call("exp", call("difference", here, _row(2, kind, axis))), dtype=kind.dtype
    )
    summed = fold(
        types, rows, inner, "add", lambda x: Load(3, x.index if isinstance(x, Load) else (), kind.dtype)
    )
    share = call("div", Load(3, here.index, kind.dtype), _row(4, kind, axis))
    return (top, _shift(rows), grown, summed, Loop(axes=kind.shape, expr=share, dtype=kind.dtype))


def _log_softmax_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    """(x - m) - log(sum(exp(x - m))): subtracting m first keeps the digits of x when m is large."""
    rows, inner, here = _pieces(kind, params)
    top = fold(types, rows, inner, "maximum", lambda x: x)
    row = Load(2, identity(rows.rank), kind.dtype)
    summed = fold(types, rows, inner, "add", lambda x: call("exp", call("difference", x, row)))
    logged = Loop(
        axes=rows.shape, expr=call("log", Load(3, identity(rows.rank), kind.dtype)), dtype=kind.dtype
    )
    shifted = call("difference", here, _row(2, kind, params["axis"]))
    result = call("sub", shifted, _row(4, kind, params["axis"]))
    return (top, _shift(rows), summed, logged, Loop(axes=kind.shape, expr=result, dtype=kind.dtype))


def _shift(rows: Type) -> Loop:
    """The largest element of a row, the first intermediate, or 0 where that is infinite.

    It is subtracted from what was rounded as it was, for exp shows what a product of 1e10 lost. The same nest in all
    three ops, so that a program with several of them finds it once.
    """
    top = Load(1, identity(rows.rank), rows.dtype)
    shift = call("select", call("isfinite", top), top, Const(0.0, rows.dtype))
    return Loop(axes=rows.shape, expr=shift, dtype=rows.dtype)


def _along(b: Any, value: Any, app: Application) -> Any:
    return b("sum", value, axes=(app.params["axis"],), keepdims=True)


def _softmax_linear(b: Any, app: Application, value: Any) -> Any:
    """The Jacobian of softmax, diag(y) - y y^T, times ``value``; it is symmetric."""
    return b("mul", app.output, b("sub", value, _along(b, b("mul", value, app.output), app)))


def _log_softmax_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    return [b("sub", cotangent, b("mul", b("exp", app.output), _along(b, cotangent, app)))]


def _log_softmax_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    return b("sub", tangents[0], _along(b, b("mul", b("exp", app.output), tangents[0]), app))


def _axis_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    return b(app.output.node.op, app.operands[0], axis=app.params["axis"] + 1)


def _declare(
    name: str, reference: Any, loops: Callable[..., tuple[Loop, ...]], vjp: Vjp, jvp: Jvp, doc: str
) -> None:
    cases = [((5,), 0), ((1,), 0), ((_N, 3), 1), ((_N, 3), 0), ((2, 3, 4), 1), ((0, 3), 1), ((3, 0), 1)]
    registry.register(
        Op(
            name=name,
            infer=_axis_infer,
            reference=reference,
            loops=loops,
            vjp=vjp,
            jvp=jvp,
            batch=_axis_batch,
            label=lambda x, p: f"{name}({x[0]}, axis={p['axis']})",
            samples=tuple(Sample(shapes=(s,), params={"axis": a}) for s, a in cases),
            doc=doc,
        )
    )


_declare(
    "softmax",
    _softmax_reference,
    _softmax_loops,
    lambda b, app, g: [_softmax_linear(b, app, g)],
    lambda b, app, t: _softmax_linear(b, app, t[0]),
    "exp(x) over its sum along an axis, without overflow.",
)
_declare(
    "log_softmax",
    _log_softmax_reference,
    _log_softmax_loops,
    _log_softmax_vjp,
    _log_softmax_jvp,
    "The logarithm of softmax along an axis, without overflow or cancellation.",
)


# ---------------------------------------------------------------------------------------- user functions


@function
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Handle:
    """log(sum(exp(x))) over ``axis`` (None, an int or a tuple), finite wherever the result is.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> gc.logsumexp(g.input("x", ("N", 3)), axis=1).shape
    (N,)
    """
    x = floating("logsumexp", x)
    return x.graph.add("logsumexp", (x,), axes=normalise_axes(axis, x.ndim), keepdims=bool(keepdims))


@function
def softmax(x: Any, axis: int = -1) -> Handle:
    """exp(x) over its sum along ``axis``; sums to 1 there, for inputs of any size."""
    x = floating("softmax", x)
    return x.graph.add("softmax", (x,), axis=normalise_axis(axis, x.ndim))


@function
def log_softmax(x: Any, axis: int = -1) -> Handle:
    """The logarithm of ``softmax(x, axis)``, exact also where softmax rounds to 0 or 1."""
    x = floating("log_softmax", x)
    return x.graph.add("log_softmax", (x,), axis=normalise_axis(axis, x.ndim))
