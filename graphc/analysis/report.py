"""``analyse``: what each node of a formula may be, how it answers to errors of its operands, where that is risky."""

# SymPy carries no types.
# pyright: basic

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from graphc import registry
from graphc.analysis.interval import Interval
from graphc.analysis.ranges import concrete, ranges_of, sizes_of
from graphc.binding import Array, unknown_name
from graphc.errors import GraphError, InputError
from graphc.graph import Cone, Graph, Handle
from graphc.interpret import Run, start
from graphc.ops import symbolic
from graphc.ops.elementwise import Scalar, partial
from graphc.rewrite import stabilised
from graphc.types import DType

SAMPLES = 48
CANCELS = 2.0**10  # a condition number that costs ten bits


@dataclass(frozen=True, slots=True)
class Warned:
    """A risk at one node, and the user's line."""

    node: int
    text: str
    place: str

    def __str__(self) -> str:
        return f"%{self.node}: {self.text}" + (f"\n    {self.place}" if self.place else "")


@dataclass(frozen=True, slots=True)
class Row:
    """One node: its range, and the largest condition number |x f'(x)/f(x)| seen over its operands (None: not known)."""

    node: int
    formula: str
    dtype: DType
    range: Interval
    condition: float | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """What ``analyse`` found; print it for a table. ``analysis[node]`` is the row of a node."""

    rows: tuple[Row, ...]
    warnings: tuple[Warned, ...]
    counterpart: Mapping[int, int]

    def __getitem__(self, node: Handle) -> Row:
        at = self.counterpart.get(node.id)
        found = next((row for row in self.rows if row.node == at), None)
        if found is None:
            raise GraphError("it is not part of what was analysed; give a node that it depends on").located(
                node.label, node.place
            )
        return found

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        width = max((len(row.formula) for row in self.rows), default=0)
        yield f"{'node':<{width}}  {'dtype':<8} {'condition':>9}  range"
        for row in self.rows:
            condition = "" if row.condition is None else f"{row.condition:.2g}"
            yield f"{row.formula:<{width}}  {row.dtype!s:<8} {condition:>9}  {row.range}"
        yield f"{len(self.warnings)} warning{'s' * (len(self.warnings) != 1)}"
        yield from map(str, self.warnings)


def analyse(
    node: Handle,
    /,
    ranges: Mapping[Any, tuple[float, float]] | None = None,
    *,
    sizes: Mapping[str, int] | None = None,
    stabilise: bool = True,
    seed: int = 0,
) -> Analysis:
    """The ranges of all nodes that ``node`` depends on, their condition numbers, and warnings.

    ``ranges``: (low, high) of inputs, parameters and states, by name or handle; others may be anything. Ranges follow
    from these by interval arithmetic, rounded outwards, and so hold for all values in them. Condition numbers, from
    each op's SymPy derivative, are the largest seen at random points, for which symbolic sizes are as in ``sizes``, by
    default 4. The formula is analysed in its stable form, as programs compute it, or, with ``stabilise=False``, as
    written. Raises ``InputError`` for an unknown name and for a range that is none.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> z = g.input("z", (3,))
    >>> found = analyse(gc.exp(z), {"z": (-10.0, 100.0)})
    >>> print(found[z].range, found.warnings[0].text)
    [-10, 100] exp may overflow: its operand is in [-10, 100], and exp(x) has no float32 for x > 88.72
    """
    if not isinstance(node, Handle):
        raise GraphError(f"{node!r} is not a node; give a node of a graph").located("analyse")
    known = _given(node.graph, ranges or {})
    before = Cone(node.graph, {"y": node.id})
    done = stabilised(before) if stabilise else None
    cone, counterpart = (done.cone, done.mapping) if done else (before, {at: at for at in before.nodes})
    graph, order = cone.graph, cone.nodes
    given = {at: _interval(known[name]) for at in order if (name := graph.handle(at).name) in known}
    intervals = ranges_of(graph, order, given)
    seen = _sampled(graph, order, intervals, sizes or {}, seed)
    rows = [_row(graph, at, intervals[at], seen) for at in order]
    found = [warned for row in rows for warned in _warnings(graph, row, intervals, seen)]
    return Analysis(tuple(rows), tuple(found), counterpart)


def _given(graph: Graph, ranges: Mapping[Any, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    for key, value in ranges.items():
        name = key.name if isinstance(key, Handle) else str(key)
        if name not in graph.named:
            raise unknown_name(name, graph.named)
        found[name] = _checked(name, value)
    return found


def _checked(name: str, value: Any) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in value)
    except (TypeError, ValueError):
        low = high = math.nan
    if not low <= high:
        raise InputError(f"range {value!r} is no interval; give (low, high)").located(
            f"analyse: input {name!r}"
        )
    return low, high


def _interval(ends: tuple[float, float]) -> Interval:
    return Interval(*ends)


def _row(graph: Graph, at: int, interval: Interval, seen: Mapping[int, Array]) -> Row:
    node = graph.nodes[at]
    conditions = _conditions(graph, at, seen)
    finite = [float(c) for c in conditions if not math.isnan(c)]
    return Row(at, _formula(graph, at), node.type.dtype, interval, max(finite) if finite else None)


def _formula(graph: Graph, at: int) -> str:
    node = graph.nodes[at]
    if node.is_const:
        array = node.param["value"].array
        return f"%{at} = {array.ravel()[0]:.6g}" if array.size == 1 else f"%{at} = constant"
    if node.is_leaf:
        return f"%{at} = {graph.handle(at).name}"
    op = registry.lookup(node.op)
    return f"%{at} = {op.label([f'%{i}' for i in node.operands], node.param)}"


# --------------------------------------------------------------------------------------------- condition numbers


def _sampled(
    graph: Graph, order: Sequence[int], intervals: Mapping[int, Interval], sizes: Mapping[str, int], seed: int
) -> dict[int, Array]:
    """The values of all nodes at random points, stacked; empty where the formula cannot be run at them."""
    rng, numbers = np.random.default_rng(seed), sizes_of(graph, order, sizes, 4)
    leaves = [at for at in order if graph.nodes[at].is_leaf and not graph.nodes[at].is_const]
    runs: list[Mapping[int, Array]] = []
    for k in range(SAMPLES):
        given = {graph.handle(at).name: _drawn(rng, graph, at, intervals[at], numbers, k) for at in leaves}
        try:
            run = start(graph, order[-1:], given)
            runs.append(_every(run, order))
        except (InputError, GraphError):
            return {}
    return {at: np.stack([run[at] for run in runs]) for at in order}


def _every(run: Run, order: Sequence[int]) -> Mapping[int, Array]:
    return run.evaluate(list(order))


def _drawn(
    rng: np.random.Generator, graph: Graph, at: int, interval: Interval, sizes: Mapping[str, int], k: int
) -> Array:
    """Values in ``interval``: evenly spread, and every other time by magnitude; ends that are infinite are cut."""
    kind = graph.nodes[at].type
    shape = concrete(kind, sizes)
    low, high = max(interval.low, -1e3), min(interval.high, 1e3)
    if not math.isinf(interval.low) and not math.isinf(interval.high):
        low, high = interval.low, interval.high
    values = rng.uniform(low, high, shape)
    if k % 2 and kind.dtype.is_float and high > low:
        top = max(abs(low), abs(high))
        bottom = low if low > 0 else -high if high < 0 else top * 1e-9
        size = np.exp(rng.uniform(math.log(bottom), math.log(top), shape))
        values = np.clip(np.where(values < 0, -size, size), low, high)
    return np.asarray(values).astype(kind.dtype.numpy)


def _conditions(graph: Graph, at: int, seen: Mapping[int, Array]) -> list[float]:
    """For each operand of an elementwise node the largest |x f'(x)/f(x)| over the samples; NaN where unknown."""
    node = graph.nodes[at]
    scalar = None if node.is_leaf else registry.lookup(node.op).scalar
    if scalar is None or not node.type.dtype.is_float or not seen:
        return []
    operands, result = [seen[i].astype(np.float64) for i in node.operands], seen[at].astype(np.float64)
    with np.errstate(all="ignore"):
        return [_condition(scalar, k, operands, result) for k in range(scalar.arity)]


def _condition(scalar: Scalar, position: int, operands: Sequence[Array], result: Array) -> float:
    slope = _slope(scalar, position)
    rank = result.ndim
    placed = [o.reshape(o.shape[0], *[1] * (rank - o.ndim), *o.shape[1:]) for o in operands]
    if slope is None:
        return math.nan
    value = np.abs(placed[position] * slope(*placed, result) / result)
    kept = value[np.isfinite(value) & (result != 0)]
    return float(kept.max()) if kept.size else math.nan


@lru_cache(maxsize=1024)
def _slope(scalar: Scalar, position: int) -> Any:
    """The derivative by an operand as a NumPy function of the operands and the output; None where SymPy has none."""
    import sympy

    found = partial(scalar, position)
    formula = found.formula if found.kind != "constant" else sympy.Float(found.value)
    names = (*symbolic.symbols(scalar.arity), symbolic.output_symbol())
    own = {"sigmoid": lambda x: 1 / (1 + np.exp(-x)), "softplus": lambda x: np.logaddexp(0, x)}
    try:
        return sympy.lambdify(names, formula, modules=[own, "numpy", "scipy"])
    except (TypeError, NotImplementedError, ImportError):
        return None


# ------------------------------------------------------------------------------------------------------ warnings


def _warnings(
    graph: Graph, row: Row, intervals: Mapping[int, Interval], seen: Mapping[int, Array]
) -> Iterator[Warned]:
    node = graph.nodes[row.node]
    if node.is_leaf or not node.type.dtype.is_float:
        return
    operands = [intervals[i] for i in node.operands]
    place = graph.handle(row.node).place
    for text in (
        *_out_of_range(node.op, row, operands),
        *_outside(node.op, operands),
        *_cancelled(graph, row, seen),
    ):
        yield Warned(row.node, text, place)


def _out_of_range(op: str, row: Row, operands: Sequence[Interval]) -> Iterator[str]:
    """Overflow: an infinite end although all operands are finite, and no pole is the reason."""
    poles = op in ("div", "reciprocal", "rsqrt", "log", "log1p", "log2", "atanh", "tan", "pow") or "." in op
    if row.range.size < math.inf or any(o.size == math.inf for o in operands) or poles:
        return
    bound = _BOUND.get(op)
    told = ", ".join(map(str, operands))
    if bound:
        limit = math.log(float(np.finfo(row.dtype.numpy).max)) + bound
        yield f"{op} may overflow: its operand is in {told}, and {op}(x) has no {row.dtype} for x > {limit:.4g}"
    else:
        yield f"{op} may overflow {row.dtype}: its operands are in {told}"


_BOUND = {"exp": 1e-300, "expm1": 1e-300, "sinh": math.log(2), "cosh": math.log(2)}


def _outside(op: str, operands: Sequence[Interval]) -> Iterator[str]:
    """Poles and the ends of domains."""
    x = operands[-1] if op == "div" else operands[0] if operands else Interval(0, 0)
    if op in ("div", "reciprocal") and 0 in x:
        yield f"division by a range that holds 0: the divisor is in {x}"
    low, high, strict = _DOMAINS.get(op, (-math.inf, math.inf, False))
    if x.low < low or x.high > high:
        what = f"below {low:g}" if x.low < low else f"above {high:g}"
        yield f"{op} of a value {what} is NaN: its operand is in {x}"
    elif strict and (low in x or high in x):
        end = low if low in x else high
        yield f"{op} of {end:g} is infinite: its operand is in {x}"
    if op == "pow" and x.low < 0:
        yield f"pow of a negative base is NaN unless the exponent is an integer: the base is in {x}"


_DOMAINS = {
    "log": (0.0, math.inf, True), "log2": (0.0, math.inf, True), "log1p": (-1.0, math.inf, True),
    "sqrt": (0.0, math.inf, False), "rsqrt": (0.0, math.inf, True), "asin": (-1.0, 1.0, False),
    "acos": (-1.0, 1.0, False), "atanh": (-1.0, 1.0, True), "acosh": (1.0, math.inf, False),
}  # fmt: skip


def _cancelled(graph: Graph, row: Row, seen: Mapping[int, Array]) -> Iterator[str]:
    """Sums and differences of rounded values that lose ten bits and more; leaves are exact, so they lose nothing."""
    node = graph.nodes[row.node]
    if node.op not in ("add", "sub") or row.condition is None or row.condition < CANCELS:
        return
    if all(graph.nodes[i].is_leaf for i in node.operands):
        return
    sign = "-" if node.op == "sub" else "+"
    yield (
        f"cancellation in a {sign} b: at sampled points the operands agree to within {1 / row.condition:.1g} of "
        f"their size, which costs {math.log2(row.condition):.0f} bits"
    )


__all__ = ["Analysis", "Row", "Warned", "analyse"]
