"""Gradient checking: derivatives as graphc builds them against central differences, in float64."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.binding import Array
from graphc.diff.forward import push_forward
from graphc.diff.reverse import as_nodes, grad, require_scalar
from graphc.errors import DifferentiationError
from graphc.graph import Body, Cone, Constant, Graph, Handle, Node, body_of, rebuild
from graphc.interpret import Run, start
from graphc.types import DType, Type

ELEMENT, DIRECTION, FORWARD, SECOND = "element", "direction", "forward", "second order"


@dataclass(frozen=True, slots=True)
class Entry:
    """One compared derivative: of the loss by element ``index`` of ``name``, or, as ``kind`` says, along a random
    direction of ``name``: reverse mode beside differences, beside forward mode, or second derivatives."""

    name: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    kind: str = ELEMENT

    @property
    def error(self) -> float:
        """|a - b| / max(1, |a|, |b|); infinite unless both are finite."""
        gap = abs(self.analytic - self.numeric)
        return gap / max(1.0, abs(self.analytic), abs(self.numeric)) if np.isfinite(gap) else float("inf")

    @property
    def where(self) -> str:
        """What the derivative is by."""
        if self.kind != ELEMENT:
            return f"{self.name} along a random direction" + (
                "" if self.kind == DIRECTION else f", {self.kind}"
            )
        return f"{self.name}[{', '.join(map(str, self.index))}]" if self.index else self.name

    def __str__(self) -> str:
        other = "forward mode" if self.kind == FORWARD else "differences"
        return f"{self.where}: graphc {self.analytic:.9g}, {other} {self.numeric:.9g}, error {self.error:.1e}"


@dataclass(frozen=True, slots=True)
class GradientReport:
    """What ``check_gradients`` found: all compared entries, the worst first."""

    entries: tuple[Entry, ...]
    tolerance: float

    @property
    def ok(self) -> bool:
        return self.worst <= self.tolerance

    @property
    def worst(self) -> float:
        return self.entries[0].error if self.entries else 0.0

    @property
    def table(self) -> str:
        """The worst entry of each parameter and kind, one a line."""
        chosen: dict[tuple[str, str], Entry] = {}
        for entry in self.entries:
            chosen.setdefault((entry.name, entry.kind), entry)
        count = Counter((entry.name, entry.kind) for entry in self.entries)
        width = max((len(entry.where) for entry in chosen.values()), default=0)
        head = f"{'worst derivative by':<{width}}  {'of':>5}  {'graphc':>16}  {'compared with':>16}  error"
        lines = [
            f"{entry.where:<{width}}  {count[key]:>5}  {entry.analytic:>16.9g}  {entry.numeric:>16.9g}  "
            f"{entry.error:.1e}{'' if entry.error <= self.tolerance else '  DISAGREE'}"
            for key, entry in chosen.items()
        ]
        return "\n".join([head, *lines])

    def __str__(self) -> str:
        names = dict.fromkeys(entry.name for entry in self.entries)
        verdict = "agree" if self.ok else "DISAGREE"
        what = f"{len(self.entries)} derivatives by {', '.join(names) or 'nothing'}"
        head = f"{what} {verdict} within {self.tolerance:.0e}; the worst:"
        return "\n".join([head, *(f"  {entry}" for entry in self.entries[:5])])


def check_gradients(
    loss: Handle,
    /,
    *,
    wrt: Sequence[Handle] | None = None,
    params: Mapping[Any, Any] | None = None,
    mode: str = "eval",
    tolerance: float = 1e-6,
    step: float = 1e-5,
    limit: int = 50,
    directions: int = 0,
    forward: bool = False,
    second: bool = False,
    seed: int = 0,
    **inputs: Any,
) -> GradientReport:
    """Compare ``gc.grad`` of ``loss`` with central differences of its value, both in float64.

    ``wrt`` are inputs, parameters or states; by default all floating inputs and parameters that ``loss``
    depends on. ``inputs``, ``params`` and ``mode`` are those of ``gc.interpret``. Of a larger array,
    ``limit`` elements spread over it are compared. ``directions`` adds derivatives of each of ``wrt`` along so many
    random directions, which every element takes part in; ``forward`` compares reverse with forward mode along one,
    ``second`` second derivatives with differences of the gradient. Where a difference of step ``step`` disagrees, it
    is taken again by extrapolation over shrinking steps (Ridders 1982), so that a poor step is no disagreement.
    Values behind ``gc.stop_gradient`` are held fixed. Raises ``DifferentiationError`` with the report when
    |a - b| > tolerance * max(1, |a|, |b|) somewhere. At a kink the two sides differ by design.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (3,), init=[1.0, 2.0, 3.0])
    >>> loss = gc.sum(gc.exp(w) * g.input("x", (3,)))
    >>> check_gradients(loss, x=[1, 0, -1]).ok
    True
    >>> sorted({entry.kind for entry in check_gradients(loss, forward=True, second=True, x=[1, 0, -1]).entries})
    ['element', 'forward', 'second order']
    """
    require_scalar(loss)
    nodes = _differentiable_leaves(loss) if wrt is None else as_nodes(loss.graph, wrt)
    wide, moved = _widened(loss, nodes)
    run = start(wide.graph, [wide.id], _given(loss, wide.graph, params, inputs), mode)
    gradients = grad(wide, moved)
    analytic = run.evaluate([gradients[node].id for node in moved])
    probe = _Probe(run, wide.id, step, tolerance)
    names = [node.name or node.label for node in nodes]
    entries: list[Entry] = []
    for name, node in zip(names, moved, strict=True):
        found = analytic[gradients[node].id]
        entries += (
            Entry(name, index, float(found[index]), probe.by_element(node.id, index, float(found[index])))
            for index in _chosen(found.shape, limit)
        )
        along = _Directions(probe, name, node, gradients[node], np.random.default_rng(seed))
        entries += along.entries(found, directions, forward=forward, second=second)
    report = GradientReport(tuple(sorted(entries, key=lambda e: -e.error)), tolerance)
    if not report.ok:
        raise DifferentiationError(str(report)).located(loss.label, loss.place)
    return report


def _differentiable_leaves(loss: Handle) -> list[Handle]:
    reached = [loss.graph.handle(at) for at in loss.graph.ancestors([loss.id])]
    found = [node for node in reached if node.node.op in ("input", "param") and node.dtype.is_float]
    if not found:
        raise DifferentiationError(
            "it depends on no floating input or parameter; there is nothing to check"
        ).located(loss.label, loss.place)
    return found


def _widened(loss: Handle, nodes: Sequence[Handle]) -> tuple[Handle, list[Handle]]:
    """``loss`` and ``nodes`` in a graph of their own where float32 is float64 throughout."""
    source = loss.graph
    cone = Cone(source, {str(k): node.id for k, node in enumerate([loss, *nodes])})

    def visit(target: Graph, at: int, node: Node, operands: Sequence[Handle]) -> Handle | None:
        single = node.type.dtype is DType.F32
        if not single and body_of(node) is None:
            return None
        if node.is_const:
            return target.constant(Constant.of(node.param["value"].array, DType.F64))
        if node.is_leaf:
            return target.copy_leaf(
                Node(node.op, (), node.params, Type(DType.F64, node.type.shape)), source, at
            )
        made = target.add(node.op, operands, **{name: _wide(value) for name, value in node.params})
        narrow = single and made.dtype is not DType.F64
        return target.add("cast", (made,), dtype="float64") if narrow else made

    mapping, graph = (rebuilt := rebuild(cone, visit)).mapping, rebuilt.cone.graph
    return graph.handle(mapping[loss.id]), [graph.handle(mapping[node.id]) for node in nodes]


def _wide(value: Any) -> Any:
    """A parameter of a node where float32 is float64: a dtype, a constant, the body of a loop."""
    if isinstance(value, Body):
        return Body(value.copied(change=_wide_node), value.following)
    if isinstance(value, Constant):
        return Constant.of(value.array, DType.F64) if value.dtype is DType.F32 else value
    return "float64" if value == "float32" else value


def _wide_node(node: Node) -> Node:
    dtype = DType.F64 if node.type.dtype is DType.F32 else node.type.dtype
    params = tuple((name, _wide(value)) for name, value in node.params)
    return Node(node.op, node.operands, params, Type(dtype, node.type.shape))


def _given(
    loss: Handle, wide: Graph, params: Mapping[Any, Any] | None, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """What the caller gave, by name, less what belongs to other parts of the graph."""
    everything = {
        **{k.name if isinstance(k, Handle) else str(k): v for k, v in (params or {}).items()},
        **inputs,
    }
    elsewhere = set(loss.graph.named) - set(wide.named)
    return {name: value for name, value in everything.items() if name not in elsewhere}


class _Probe:
    """Differences of values of the graph; what ``stop_gradient`` hides is held."""

    def __init__(self, run: Run, loss: int, step: float, tolerance: float) -> None:
        order = run.needed([loss])
        stopped = [at for at in order if run.graph.nodes[at].op == "stop_gradient"]
        self._held = {**run.values, **run.evaluate(stopped)} if stopped else run.values
        self.run, self.loss, self._step, self._tolerance = run, loss, step, tolerance
        self._base: dict[int, Array] = {}

    def base(self, at: int) -> Array:
        """The value of node ``at`` from which differences are taken."""
        if at not in self._base:
            self._base[at] = self.run.evaluate([at])[at]
        return self._base[at]

    def by_element(self, at: int, index: tuple[int, ...], expected: float) -> float:
        direction = np.zeros_like(self.base(at))
        direction[index] = 1
        size = max(1.0, abs(float(self.base(at)[index])))
        return self.along(at, direction, expected, self._step * size)

    def along(
        self, at: int, direction: Array, expected: float, step: float, of: tuple[int, Array] | None = None
    ) -> float:
        """The derivative along ``direction`` of the loss, or of the sum of node ``of[0]`` weighted by ``of[1]``."""
        root, weights = of or (self.loss, np.ones(()))

        def value(change: float) -> float:
            moved = {**self._held, at: np.asarray(self.base(at) + change * direction)}
            run = Run(self.run.graph, self.run.mode, self.run.sizes, moved)
            return float(np.sum(run.evaluate([root])[root] * weights))

        found = (value(step) - value(-step)) / (2 * step)
        if abs(found - expected) <= 0.1 * self._tolerance * max(1.0, abs(expected)):
            return found
        return ridders(value, step * 2**7)


def ridders(value: Callable[[float], float], step: float, count: int = 9) -> float:
    """The derivative of ``value`` at 0: central differences over halved steps, extrapolated to step 0.

    Of the tableau the element is taken that differs least from its two neighbours (Ridders, Accurate computation of
    F'(x) and F'(x)F''(x), 1982).
    """
    before: list[float] = []
    best, error = math.nan, math.inf
    for k in range(count):
        h = step / 2**k
        row = [(value(h) - value(-h)) / (2 * h)]
        for j, older in enumerate(before):
            row.append((4.0 ** (j + 1) * row[j] - older) / (4.0 ** (j + 1) - 1))
            spread = max(abs(row[-1] - row[-2]), abs(row[-1] - older))
            if spread < error:
                best, error = row[-1], spread
        before = row
    return best if math.isfinite(best) else before[0]


@dataclass(frozen=True, slots=True)
class _Directions:
    """Derivatives by ``node`` along random directions; ``gradient`` is that of the loss."""

    probe: _Probe
    name: str
    node: Handle
    gradient: Handle
    rng: np.random.Generator

    def entries(self, found: Array, count: int, *, forward: bool, second: bool) -> Iterator[Entry]:
        for _ in range(count):
            yield self._first(found)
        if forward:
            yield self._forward(found)
        if second:
            yield self._second()

    def _drawn(self) -> tuple[Array, float]:
        """A direction and the step along it."""
        base = self.probe.base(self.node.id)
        return self.rng.choice([-1.0, 1.0], base.shape), 1e-5 * max(
            1.0, float(np.max(np.abs(base), initial=0.0))
        )

    def _first(self, found: Array) -> Entry:
        direction, step = self._drawn()
        expected = float(np.sum(found * direction))
        return self._entry(expected, self.probe.along(self.node.id, direction, expected, step), DIRECTION)

    def _forward(self, found: Array) -> Entry:
        direction, _ = self._drawn()
        loss = self.node.graph.handle(self.probe.loss)
        forward = push_forward([loss], {self.node: self._tangent(direction)})[0]
        return self._entry(float(np.sum(found * direction)), float(self._value(forward)), FORWARD)

    def _second(self) -> Entry:
        (direction, step), (weights, _) = self._drawn(), self._drawn()
        product = push_forward([self.gradient], {self.node: self._tangent(direction)})[0]
        expected = float(np.sum(self._value(product) * weights))
        numeric = self.probe.along(self.node.id, direction, expected, step, (self.gradient.id, weights))
        return self._entry(expected, numeric, SECOND)

    def _tangent(self, direction: Array) -> Handle:
        """``direction`` as an input, since the node may have sizes that only this run knows."""
        made = self.node.graph.input(f"direction {len(self.node.graph)}", self.node.shape, "float64")
        self.probe.run.values[made.id] = direction
        return made

    def _value(self, node: Handle) -> Array:
        return self.probe.run.evaluate([node.id])[node.id]

    def _entry(self, analytic: float, numeric: float, kind: str) -> Entry:
        return Entry(self.name, (), analytic, numeric, kind)


def _chosen(shape: tuple[int, ...], limit: int) -> Iterator[tuple[int, ...]]:
    """All indices, or ``limit`` of them spread evenly."""
    size = int(np.prod(shape, dtype=np.int64))
    positions = range(size) if size <= limit else np.linspace(0, size - 1, limit).astype(int)
    for position in positions:
        yield tuple(int(k) for k in np.unravel_index(int(position), shape)) if shape else ()


__all__ = ["Entry", "GradientReport", "check_gradients"]
