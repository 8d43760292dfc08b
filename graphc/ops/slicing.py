"""Ranges of axes: slice and its adjoint, padding, joining. Bounds with symbolic sizes are checked at
the call."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import DTypeError, GraphError, ShapeError
from graphc.loops import Axis, Const, Expr, Load, Loop, call, identity
from graphc.ops.layout import move, samples
from graphc.ops.rules import (
    checked_axis,
    everywhere,
    expect,
    extent,
    minus,
    per_axis,
    plus,
    times,
    wants,
)
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Dim, DType, Type, shape_text

_N = symbol("N")

# ------------------------------------------------------------------------------------------ slice, place


def counted(start: Dim, stop: Dim, step: int) -> Dim:
    """How many elements ``start``, ``start + step`` ... lie before ``stop``."""
    span = stop - start if step > 0 else start - stop
    return (span + abs(step) - 1) // abs(step)


def _slice_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "start", "stop", "step")
    each = [per_axis(params[name], types[0].rank, name) for name in ("start", "stop", "step")]
    for axis, (size, start, stop, step) in enumerate(zip(types[0].shape, *each, strict=True)):
        if not isinstance(step, int) or step == 0:
            raise ShapeError(f"step {step} of axis {axis} is no stride; give an int other than 0")
        _check_span(checks, size, start, stop, step, f"slice of axis {axis}")
    return Type(types[0].dtype, tuple(counted(*span) for span in zip(*each, strict=True)))


def _check_span(checks: Checks, size: Dim, start: Dim, stop: Dim, step: int, what: str) -> None:
    """A range runs from 0 or later to ``size`` at most, backward from ``size - 1`` at most to -1 or later."""
    checks.at_least(counted(start, stop, step), 0, f"{what}, its length")
    checks.at_least(start if step > 0 else stop, 0 if step > 0 else -1, f"{what}, lower end")
    checks.at_least(size if step > 0 else size - 1, stop if step > 0 else start, f"{what}, upper end")


def _places(start: int, step: int, count: int) -> Any:
    return start + step * np.arange(count)


def _slice_reference(x: Any, params: Params, shape: Any) -> Any:
    for axis, (start, step, count) in enumerate(zip(params["start"], params["step"], shape, strict=True)):
        x = np.take(x, _places(start, step, count), axis=axis)
    return x


def _slice_load(x: Type, kind: Type, params: Params) -> Expr:
    index = (
        plus(times(Axis(k), step), start)
        for k, (start, step) in enumerate(zip(params["start"], params["step"], strict=True))
    )
    return Load(0, tuple(index), x.dtype)


def _slice_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    """A plain slice was padded away, a strided one was picked out."""
    shape, start, step = app.operands[0].shape, app.params["start"], app.params["step"]
    if any(s != 1 for s in step):
        return [b("place", cotangent, start=start, step=step, shape=shape)]
    high = tuple(size - stop for size, stop in zip(shape, app.params["stop"], strict=True))
    return [b("pad", cotangent, low=start, high=high, value=0.0)]


def _slice_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    x, p = app.operands[0], app.params
    return b("slice", x, start=(0, *p["start"]), stop=(x.shape[0], *p["stop"]), step=(1, *p["step"]))


def _slice_label(texts: Sequence[str], params: Params) -> str:
    spans = zip(params["start"], params["stop"], params["step"], strict=True)
    return f"{texts[0]}[{', '.join(f'{a}:{o}' + (f':{s}' if s != 1 else '') for a, o, s in spans)}]"


def _span(*spans: tuple[Any, Any, int]) -> dict[str, Any]:
    start, stop, step = zip(*spans, strict=True) if spans else ((), (), ())
    return {"start": start, "stop": stop, "step": step}


move(
    "slice",
    _slice_infer,
    _slice_reference,
    _slice_load,
    vjp=_slice_vjp,
    batch=_slice_batch,
    label=_slice_label,
    samples=samples(
        ((), _span()),
        ((5,), _span((1, 4, 1))),
        ((5,), _span((0, 5, 2))),
        ((5,), _span((4, -1, -1))),
        ((6,), _span((5, 0, -2))),
        ((5,), _span((2, 2, 1))),
        ((_N, 4), _span((0, _N, 1), (1, 3, 1))),
        ((_N, 4), _span((_N - 1, -1, -1), (0, 4, 3))),
        ((0, 3), _span((0, 0, 1), (0, 3, 2))),
        ((1,), _span((0, 1, 1))),
    ),
    doc="A range of each axis; stop lies one step past the last element, -1 where a negative step runs "
    "to the front.",
)


def _place_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "start", "step", "shape")
    for name in ("start", "step", "shape"):
        per_axis(params[name], types[0].rank, name)
    return Type(types[0].dtype, tuple(params["shape"]))


def _place_reference(x: Any, params: Params, shape: Any) -> Any:
    result = np.zeros(shape, x.dtype)
    rows = [
        _places(start, step, count)
        for start, step, count in zip(params["start"], params["step"], x.shape, strict=True)
    ]
    result[np.ix_(*rows)] = x
    return result


def _place_load(x: Type, kind: Type, params: Params) -> Expr:
    """Element i is operand element (i - start) / step where that is whole and in range, else 0."""
    index: list[Expr] = []
    inside: list[Expr] = []
    for k, (start, step) in enumerate(zip(params["start"], params["step"], strict=True)):
        offset = plus(Axis(k), -start) if step > 0 else minus(start, Axis(k))
        position = offset if abs(step) == 1 else call("floordiv", offset, extent(abs(step)))
        index.append(position)
        inside += (
            []
            if abs(step) == 1
            else [call("eq", call("mod", offset, extent(abs(step))), Const(0, DType.I64))]
        )
        inside += [call("ge", offset, Const(0, DType.I64)), call("lt", position, extent(x.shape[k]))]
    return guarded(inside, Load(0, tuple(index), x.dtype), _zero(x.dtype))


def guarded(conditions: Sequence[Expr], load: Expr, other: Expr) -> Expr:
    """``load`` where all conditions hold."""
    if not conditions:
        return load
    both = conditions[0]
    for condition in conditions[1:]:
        both = call("and", both, condition)
    return call("guard", both, load, other)


def _zero(dtype: DType) -> Const:
    return Const(0.0 if dtype.is_float else False if dtype is DType.BOOL else 0, dtype)


def _place_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    start, step = app.params["start"], app.params["step"]
    spans = zip(start, step, app.operands[0].shape, strict=True)
    stop = tuple(a + s * (count - 1) + (1 if s > 0 else -1) for a, s, count in spans)
    return [b("slice", cotangent, start=start, stop=stop, step=step)]


def _place_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    x, p = app.operands[0], app.params
    return b("place", x, start=(0, *p["start"]), step=(1, *p["step"]), shape=(x.shape[0], *p["shape"]))


def _placed(start: tuple[Any, ...], step: tuple[int, ...], shape: tuple[Any, ...]) -> dict[str, Any]:
    return {"start": start, "step": step, "shape": shape}


move(
    "place",
    _place_infer,
    _place_reference,
    _place_load,
    vjp=_place_vjp,
    batch=_place_batch,
    samples=samples(
        ((), _placed((), (), ())),
        ((3,), _placed((1,), (2,), (7,))),
        ((3,), _placed((2,), (-1,), (3,))),
        ((2,), _placed((4,), (-3,), (6,))),
        ((_N, 2), _placed((_N - 1, 0), (-1, 3), (_N, 5))),
        ((0,), _placed((0,), (2,), (3,))),
        ((1, 2), _placed((0, 1), (1, 1), (1, 4))),
    ),
    doc="Zeros with the value at start, start + step ... of each axis: the adjoint of slice.",
)

# ---------------------------------------------------------------------------------------------------- pad


def _pad_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "low", "high", "value")
    low, high = (per_axis(params[name], types[0].rank, name) for name in ("low", "high"))
    for axis, pair in enumerate(zip(low, high, strict=True)):
        for amount in pair:
            checks.at_least(amount, 0, f"padding of axis {axis}")
    return Type(types[0].dtype, tuple(a + d + o for a, d, o in zip(low, types[0].shape, high, strict=True)))


def _pad_reference(x: Any, params: Params, shape: Any) -> Any:
    result = np.full(shape, params["value"], x.dtype)
    result[tuple(slice(low, low + size) for low, size in zip(params["low"], x.shape, strict=True))] = x
    return result


def _pad_load(x: Type, kind: Type, params: Params) -> Expr:
    inside: list[Expr] = []
    for k, (low, high) in enumerate(zip(params["low"], params["high"], strict=True)):
        inside += [] if low == 0 else [call("ge", Axis(k), extent(low))]
        inside += [] if high == 0 else [call("lt", Axis(k), extent(low + x.shape[k]))]
    index = tuple(plus(Axis(k), -low) for k, low in enumerate(params["low"]))
    return guarded(
        inside, Load(0, index, x.dtype), Const(x.dtype.numpy.type(params["value"]).item(), x.dtype)
    )


def _pad_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    low, shape = app.params["low"], app.operands[0].shape
    stop = tuple(a + d for a, d in zip(low, shape, strict=True))
    return [b("slice", cotangent, start=low, stop=stop, step=(1,) * len(low))]


def _pad_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    p = app.params
    return b("pad", app.operands[0], low=(0, *p["low"]), high=(0, *p["high"]), value=p["value"])


def _padded(low: tuple[Any, ...], high: tuple[Any, ...], value: float = 0.0) -> dict[str, Any]:
    return {"low": low, "high": high, "value": value}


move(
    "pad",
    _pad_infer,
    _pad_reference,
    _pad_load,
    vjp=_pad_vjp,
    jvp=lambda b, app, t: b("pad", t[0], **{**app.params, "value": 0.0}),
    batch=_pad_batch,
    samples=samples(
        ((), _padded((), ())),
        ((3,), _padded((1,), (2,))),
        ((_N, 2), _padded((0, 1), (2, 0), 1.5)),
        ((_N,), _padded((_N,), (1,))),
        ((0, 2), _padded((1, 0), (1, 0))),
        ((1, 1), _padded((0, 0), (0, 0))),
    ),
    doc="The value with low elements in front and high behind each axis, all equal to value.",
)

# -------------------------------------------------------------------------------------------- concatenate


def _concatenate_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    if not types:
        raise GraphError("no operands are given; give at least one")
    expect(types, len(types), params, "axis")
    first, axis = types[0], checked_axis(params["axis"], types[0].rank)
    for kind in types[1:]:
        _check_alike(checks, first, kind, axis)
    joined: Dim = sum((t.shape[axis] for t in types), start=0)
    return Type(first.dtype, (*first.shape[:axis], joined, *first.shape[axis + 1 :]))


def _check_alike(checks: Checks, first: Type, kind: Type, axis: int) -> None:
    shapes = f"shapes {shape_text(first.shape)} and {shape_text(kind.shape)}"
    if kind.rank != first.rank:
        raise ShapeError(f"{shapes} differ in rank; reshape one")
    if kind.dtype is not first.dtype:
        raise DTypeError(f"operands are {first.dtype} and {kind.dtype}; cast them to one dtype with gc.cast")
    for k, (mine, yours) in enumerate(zip(first.shape, kind.shape, strict=True)):
        if k != axis:
            checks.equal(mine, yours, f"{shapes} are joined along axis {axis}, axis {k}")


def _offsets(types: Sequence[Type], axis: int) -> list[Dim]:
    """Where each operand begins, and the end."""
    found: list[Dim] = [0]
    for kind in types:
        found.append(found[-1] + kind.shape[axis])
    return found


def _concatenate_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    """The operand is chosen by a balanced tree of comparisons, so that many operands nest only a little."""
    axis, offsets = params["axis"], _offsets(types, params["axis"])

    def chosen(first: int, last: int) -> Expr:
        if last - first == 1:
            index = list(identity(kind.rank))
            index[axis] = plus(Axis(axis), -offsets[first])
            return Load(first, tuple(index), kind.dtype)
        middle = (first + last) // 2
        return call(
            "guard",
            call("lt", Axis(axis), extent(offsets[middle])),
            chosen(first, middle),
            chosen(middle, last),
        )

    return (Loop(axes=kind.shape, expr=chosen(0, len(types)), dtype=kind.dtype),)


def _concatenate_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    axis, offsets = app.params["axis"], _offsets(app.types, app.params["axis"])
    rank, found = cotangent.ndim, list[Any]()
    for position, (first, last) in enumerate(itertools.pairwise(offsets)):
        if not wants(app, position):
            found.append(None)
            continue
        start = tuple(first if k == axis else 0 for k in range(rank))
        stop = tuple(last if k == axis else d for k, d in enumerate(cotangent.shape))
        found.append(b("slice", cotangent, start=start, stop=stop, step=(1,) * rank))
    return found


def _concatenate_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    filled = [b.zeros(o.type) if t is None else t for t, o in zip(tangents, app.operands, strict=True)]
    return b("concatenate", *filled, **app.params)


def _concatenate_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    return b("concatenate", *everywhere(b, app, batched), axis=app.params["axis"] + 1)


registry.register(
    Op(
        name="concatenate",
        infer=_concatenate_infer,
        loops=_concatenate_loops,
        vjp=_concatenate_vjp,
        jvp=_concatenate_jvp,
        batch=_concatenate_batch,
        reference=lambda xs, p, t: np.concatenate(xs, axis=p["axis"]),
        label=lambda x, p: f"concatenate({', '.join(x)}, axis={p['axis']})",
        samples=tuple(
            Sample(shapes=s, params={"axis": a})
            for s, a in [
                (((3,),), 0),
                (((2,), (3,)), 0),
                (((_N, 2), (_N, 1), (_N, 3)), 1),
                (((_N, 2), (1, 2)), 0),
                (((0, 2), (3, 2)), 0),
                (((2, 0), (2, 0)), 1),
                (((2, 1, 2),) * 5, 1),
            ]
        ),
        doc="Operands joined along an axis.",
    )
)
