"""Gradient checking: derivatives as graphc builds them against central differences, in float64."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.binding import Array
from graphc.diff.reverse import as_nodes, grad, require_scalar
from graphc.errors import DifferentiationError
from graphc.graph import Body, Cone, Constant, Graph, Handle, Node, body_of, rebuild
from graphc.interpret import Run, start
from graphc.types import DType, Type


@dataclass(frozen=True, slots=True)
class Entry:
    """One compared derivative: of the loss by element ``index`` of ``name``."""

    name: str
    index: tuple[int, ...]
    analytic: float
    numeric: float

    @property
    def error(self) -> float:
        """|a - b| / max(1, |a|, |b|); infinite unless both are finite."""
        gap = abs(self.analytic - self.numeric)
        return gap / max(1.0, abs(self.analytic), abs(self.numeric)) if np.isfinite(gap) else float("inf")

    def __str__(self) -> str:
        where = f"{self.name}[{', '.join(map(str, self.index))}]" if self.index else self.name
        return f"{where}: graphc {self.analytic:.9g}, differences {self.numeric:.9g}, error {self.error:.1e}"


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
    **inputs: Any,
) -> GradientReport:
    """Compare ``gc.grad`` of ``loss`` with central differences of its value, both in float64.

    ``wrt`` are inputs, parameters or states; by default all floating inputs and parameters that ``loss``
    depends on. ``inputs``, ``params`` and ``mode`` are those of ``gc.interpret``. Of a larger array,
    ``limit`` elements spread over it are compared. Values behind ``gc.stop_gradient`` are held fixed. Raises
    ``DifferentiationError`` with the report when |a - b| > tolerance * max(1, |a|, |b|) somewhere. At a kink
    the two sides differ by design.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("w", (3,), init=[1.0, 2.0, 3.0])
    >>> check_gradients(gc.sum(gc.exp(w) * g.input("x", (3,))), x=[1, 0, -1]).ok
    True
    """
    require_scalar(loss)
    nodes = _differentiable_leaves(loss) if wrt is None else as_nodes(loss.graph, wrt)
    wide, moved = _widened(loss, nodes)
    run = start(wide.graph, [wide.id], _given(loss, wide.graph, params, inputs), mode)
    gradients = grad(wide, moved)
    analytic = run.evaluate([gradients[node].id for node in moved])
    probe = _Probe(run, wide.id, step)
    entries = [
        Entry(name, index, float(analytic[gradients[node].id][index]), probe(node.id, index))
        for name, node in zip((n.name or n.label for n in nodes), moved, strict=True)
        for index in _chosen(analytic[gradients[node].id].shape, limit)
    ]
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
    """Central differences of the loss by single elements; what ``stop_gradient`` hides is held."""

    def __init__(self, run: Run, loss: int, step: float) -> None:
        order = run.needed([loss])
        stopped = [at for at in order if run.graph.nodes[at].op == "stop_gradient"]
        self._held = {**run.values, **run.evaluate(stopped)} if stopped else run.values
        self._run, self._loss, self._step = run, loss, step
        self._base: dict[int, Array] = {}

    def __call__(self, at: int, index: tuple[int, ...]) -> float:
        if at not in self._base:
            self._base[at] = self._run.evaluate([at])[at]
        step = self._step * max(1.0, abs(float(self._base[at][index])))
        above, below = (self._loss_at(at, index, sign * step) for sign in (1, -1))
        return (above - below) / (2 * step)

    def _loss_at(self, at: int, index: tuple[int, ...], change: float) -> float:
        moved = np.array(self._base[at])
        moved[index] += change
        run = Run(self._run.graph, self._run.mode, self._run.sizes, {**self._held, at: moved})
        return float(run.evaluate([self._loss])[self._loss])


def _chosen(shape: tuple[int, ...], limit: int) -> Iterator[tuple[int, ...]]:
    """All indices, or ``limit`` of them spread evenly."""
    size = int(np.prod(shape, dtype=np.int64))
    positions = range(size) if size <= limit else np.linspace(0, size - 1, limit).astype(int)
    for position in positions:
        yield tuple(int(k) for k in np.unravel_index(int(position), shape)) if shape else ()


__all__ = ["Entry", "GradientReport", "check_gradients"]
