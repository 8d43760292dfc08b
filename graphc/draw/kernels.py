"""The kernel graph: which kernel reads what another wrote, from a neutral list that the compiler fills in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphc.draw.picture import Cluster, Edge, Line, Picture, Vertex
from graphc.draw.text import FORMULA_LIMIT, bytes_text, pretty, shorten

_FORMULAS_SHOWN = 6
_LAYERS_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelBox:
    """One kernel of a program, in the order of execution.

    role:     ``forward``, ``backward`` or ``update``
    formulas: what it computes, one line a statement
    reads:    names of the buffers it reads; ``writes``: those it writes
    bytes:    memory traffic of one call, an int or a symbolic size; None where unknown
    layers:   the layers that it serves
    """

    name: str
    role: str = "forward"
    formulas: Sequence[str] = ()
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()
    bytes: Any = None
    layers: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferBox:
    """A buffer that outlives the kernels: ``kind`` is input, param, state, const or output."""

    name: str
    kind: str
    type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelPlan:
    """A program as its drawing sees it: kernels in order of execution and the buffers that outlive a call."""

    title: str = ""
    kernels: tuple[KernelBox, ...] = ()
    buffers: Mapping[str, BufferBox] = field(default_factory=dict[str, BufferBox])


def picture_of_kernels(plan: KernelPlan) -> Picture:
    """Kernels as boxes in one frame a role; an edge is a buffer, from its last writer to a reader."""
    roles = dict.fromkeys(k.role for k in plan.kernels)
    frames = {role: f"r{n}" for n, role in enumerate(roles)} if len(roles) > 1 else dict.fromkeys(roles, "")
    kernels = [_kernel(k, n, frames[k.role]) for n, k in enumerate(plan.kernels)]
    flow = _Flow(plan)
    edges = [edge for n, kernel in enumerate(plan.kernels) for edge in flow.step(n, kernel)]
    edges += flow.results()
    clusters = tuple(Cluster(key=key, title=role, role="side") for role, key in frames.items() if key)
    return Picture(
        title=shorten(plan.title),
        vertices=(*flow.vertices.values(), *kernels),
        edges=tuple(edges),
        clusters=clusters,
    )


def _kernel(kernel: KernelBox, number: int, cluster: str) -> Vertex:
    lines = [Line(shorten(kernel.name, FORMULA_LIMIT), "title")]
    lines += [Line(shorten(pretty(f), FORMULA_LIMIT)) for f in kernel.formulas[:_FORMULAS_SHOWN]]
    lines += [Line(f"… {len(kernel.formulas) - _FORMULAS_SHOWN} more", "note")] * (
        len(kernel.formulas) > _FORMULAS_SHOWN
    )
    lines += [Line(t, "type") for t in _facts(kernel)]
    return Vertex(
        key=f"k{number}", kind="kernel", lines=tuple(lines), mark=str(number + 1), side=kernel.role,
        cluster=cluster, about="; ".join([kernel.name, *kernel.formulas]),
    )  # fmt: skip


def _facts(kernel: KernelBox) -> Iterable[str]:
    if kernel.layers:
        more = f" and {len(kernel.layers) - _LAYERS_SHOWN} more" if len(kernel.layers) > _LAYERS_SHOWN else ""
        yield shorten(", ".join(shorten(name, 18) for name in kernel.layers[:_LAYERS_SHOWN]), 60) + more
    if kernel.bytes is not None:
        yield f"{bytes_text(kernel.bytes)} moved"


class _Flow:
    """Follows the buffers through the kernels: who wrote each last, and which outlive the call."""

    def __init__(self, plan: KernelPlan) -> None:
        self.plan = plan
        self.writer: dict[str, str] = {}
        self.vertices: dict[str, Vertex] = {}

    def step(self, number: int, kernel: KernelBox) -> list[Edge]:
        """The edges into kernel ``number``; its writes are known afterwards."""
        edges = [
            Edge(tail=self._source(b), head=f"k{number}", label=self._edge_label(b))
            for b in dict.fromkeys(kernel.reads)
        ]
        edges = [e for e in edges if e.tail != e.head]
        self.writer |= dict.fromkeys(kernel.writes, f"k{number}")
        return edges

    def results(self) -> list[Edge]:
        """Edges to the buffers that a call leaves behind: outputs, new parameters and states."""
        kept = [(name, self.plan.buffers[name]) for name in self.writer if name in self.plan.buffers]
        return [self._result(name, box) for name, box in kept]

    def _result(self, name: str, box: BufferBox) -> Edge:
        stored = box.kind != "output"
        return Edge(
            tail=self.writer[name],
            head=self._vertex(name),
            kind="update" if stored else "data",
            ranked=not stored,
        )

    def _source(self, name: str) -> str:
        return self.writer.get(name) or self._vertex(name)

    def _edge_label(self, name: str) -> str:
        return shorten(name, 20) if name in self.writer else ""

    def _vertex(self, name: str) -> str:
        if name not in self.vertices:
            box = self.plan.buffers.get(name, BufferBox(name=name, kind="buffer"))
            lines = (
                Line(shorten(box.name), "title"),
                *((Line(shorten(box.type), "type"),) if box.type else ()),
            )
            kind = "buffer" if box.kind == "output" else box.kind
            key = f"b{len(self.vertices)}"
            self.vertices[name] = Vertex(
                key=key, kind=kind, lines=lines, output=box.kind == "output", about=box.name
            )
        return self.vertices[name].key
