"""Ranges of all nodes: each op's own loops, run over intervals instead of numbers.

No op is known by name here, except a few of which more is known than their loops tell: a softmax lies in [0, 1], a mean
among what it is of. An op without loops (a loop over a body) may give anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from graphc import registry
from graphc.analysis.interval import EVERYTHING, Interval, applied, point, rounded
from graphc.graph import Graph
from graphc.loops import Axis, Call, Const, Expr, Extent, Load, Loop
from graphc.registry import Params
from graphc.size import dim_evaluate, dim_symbols
from graphc.types import Dim, DType, Type, product

MANY = 2.0**40  # no axis is longer: its values would fill every memory


def ranges_of(graph: Graph, order: Sequence[int], given: Mapping[int, Interval]) -> dict[int, Interval]:
    """The interval of every node of ``order``, from those ``given`` for leaves; other leaves may be anything."""
    found: dict[int, Interval] = {}
    for at in order:
        node = graph.nodes[at]
        if at in given:
            found[at] = given[at]
        elif node.is_const:
            found[at] = _constant(node.param["value"].array)
        elif node.is_leaf:
            found[at] = EVERYTHING
        else:
            types = [graph.nodes[i].type for i in node.operands]
            found[at] = of_op(node.op, node.param, node.type, types, [found[i] for i in node.operands])
    return found


def _constant(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> Interval:
    if not array.size:
        return point(0.0)
    values = array.astype(np.float64)
    known = values[~np.isnan(values)]
    if not known.size:
        return EVERYTHING
    return Interval(float(known.min()), float(known.max()), known.size < values.size)


def of_op(
    name: str, params: Params, kind: Type, types: Sequence[Type], operands: Sequence[Interval]
) -> Interval:
    """What op ``name``, whose result has type ``kind``, may give for operands of ``types`` in their intervals."""
    op = registry.lookup(name)
    known = _KNOWN.get(name)
    if known is not None:
        return known(list(operands), params, types)
    if op.loops is None or op.view:
        return operands[0] if op.view and operands else EVERYTHING
    sources = list(operands)
    for loop in op.loops(types, kind, params):
        sources.append(_looped(loop, sources))
    return sources[-1]


def _looped(loop: Loop, sources: Sequence[Interval]) -> Interval:
    value = _value(loop.expr, loop, sources)
    if loop.scatter is not None:
        times = _times(product(loop.axes + loop.reduce))
        return _summed(value, times, loop.dtype).joined(point(0.0))
    if loop.running is not None:
        return _summed(value, Interval(1.0, _times(loop.axes[loop.running]).high), loop.dtype)
    if not loop.combine:
        return value
    times = _times(product(loop.reduce))
    match loop.combine:
        case "add":
            return _summed(value, times, loop.dtype)
        case "maximum" | "minimum":
            return (
                value
                if times.low >= 1
                else value.joined(point(math.inf if loop.combine == "minimum" else -math.inf))
            )
        case _:
            return EVERYTHING


def _times(count: Dim) -> Interval:
    """How often: exactly, where all sizes are known."""
    return point(float(count)) if isinstance(count, int) else Interval(1.0, MANY)


def _summed(value: Interval, times: Interval, dtype: DType) -> Interval:
    """The sum of ``times`` values; each addition rounds, so the ends move outwards for each."""
    if value.size == math.inf:
        return Interval(-math.inf if value.low == -math.inf else min(0.0, value.low),
                        math.inf if value.high == math.inf else max(0.0, value.high),
                        value.nan or (value.low == -math.inf and value.high == math.inf))  # fmt: skip
    low, high = (
        min(value.low * t for t in (times.low, times.high)),
        max(value.high * t for t in (times.low, times.high)),
    )
    slack = times.high * value.size * times.high * float(np.finfo(dtype.numpy).eps) if dtype.is_float else 0.0
    slack = min(
        slack, times.high * value.size
    )  # an error of more than all digits is no longer one of rounding
    return rounded(Interval(low - slack if low < 0 or value.low < 0 else low, high + slack, value.nan), dtype)


def _value(expr: Expr, loop: Loop, sources: Sequence[Interval]) -> Interval:
    """The interval of a scalar expression; sums of many terms are rare, so recursion follows what one op wrote."""
    match expr:
        case Load(source):
            return sources[source]
        case Const(value):
            return point(float(value))
        case Axis(number):
            return _index((loop.axes + loop.reduce)[number])
        case Extent(dim):
            return _times(dim)
        case Call("mul", (a, b)) if a == b:
            return _square(_value(a, loop, sources), expr.dtype)
        case Call(fn, args, dtype):
            return applied(fn, [_value(a, loop, sources) for a in args], dtype)


def _square(x: Interval, dtype: DType) -> Interval:
    """x * x is no product of two independent values: it is never negative."""
    found = rounded(Interval(x.least**2, x.size * x.size, x.nan), dtype)
    return Interval(max(found.low, 0.0), found.high, found.nan)


def _index(size: Dim) -> Interval:
    return Interval(0.0, max(float(size) - 1, 0.0) if isinstance(size, int) else MANY)


# ------------------------------------------------------------------------- what loops do not tell

_Known = Callable[[list[Interval], Params, Sequence[Type]], Interval]


def _mean(operands: list[Interval], params: Params, types: Sequence[Type]) -> Interval:
    axes: tuple[int, ...] = params["axes"]
    count = product(types[0].shape[a] for a in axes)
    return EVERYTHING if count == 0 else _itself(operands, params, types)


def _itself(operands: list[Interval], params: Params, types: Sequence[Type]) -> Interval:
    """What changes no value."""
    return rounded(operands[0], types[0].dtype)


def _logsumexp(operands: list[Interval], params: Params, types: Sequence[Type]) -> Interval:
    x = operands[0]
    axes: tuple[int, ...] = params["axes"]
    count = product(types[0].shape[a] for a in axes)
    most = math.log(count) if isinstance(count, int) and count else math.log(MANY)
    return rounded(Interval(x.low if count else -math.inf, x.high + most, x.nan), types[0].dtype)


def _log_softmax(operands: list[Interval], params: Params, types: Sequence[Type]) -> Interval:
    x, count = operands[0], types[0].shape[int(params["axis"])]
    most = math.log(count) if isinstance(count, int) and count else math.log(MANY)
    spread = x.high - x.low
    low = -spread - most if math.isfinite(spread) else -math.inf
    found = rounded(Interval(low, 0.0, x.nan or x.size == math.inf), types[0].dtype)
    return Interval(found.low, 0.0, found.nan)


def _share(operands: list[Interval], params: Params, types: Sequence[Type]) -> Interval:
    x = operands[0]
    return Interval(0.0, 1.0, x.nan or x.size == math.inf)


_KNOWN: Mapping[str, _Known] = {
    "softmax": _share, "log_softmax": _log_softmax, "logsumexp": _logsumexp, "mean": _mean, "stop_gradient": _itself,
}  # fmt: skip


def sizes_of(graph: Graph, order: Sequence[int], chosen: Mapping[str, int], default: int) -> dict[str, int]:
    """A number for every size that leaves of ``order`` name."""
    leaves = [graph.nodes[at] for at in order if graph.nodes[at].is_leaf]
    names = {name for node in leaves for dim in node.type.shape for name in dim_symbols(dim)}
    return {name: chosen.get(name, default) for name in sorted(names)}


def concrete(kind: Type, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(dim_evaluate(dim, sizes) for dim in kind.shape)


__all__ = ["concrete", "of_op", "ranges_of", "sizes_of"]
