"""What a program can tell about itself: every stage of its compilation, a report, its cost, its memory plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphc import registry
from graphc.codegen.binding import Tables
from graphc.codegen.module import Module
from graphc.graph import Cone, Graph, Handle
from graphc.lower.memory import MemoryPlan
from graphc.lower.schedule import Schedule
from graphc.size import dim_evaluate
from graphc.types import Dim


@dataclass(frozen=True, slots=True)
class Stages(Mapping[str, Any]):
    """Every stage by name, in order: the declared cone, the cone after each pass, nests, schedule, module.

    ``print(program.stages["simplify"])`` shows one; all are immutable values.
    """

    inputs: tuple[Handle, ...]
    by_name: Mapping[str, Any]
    applications: tuple[Any, ...] = ()

    def __getitem__(self, name: str) -> Any:
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def __str__(self) -> str:
        return "\n\n".join(f"== {name} ==\n{value}" for name, value in self.by_name.items())


@dataclass(frozen=True, slots=True)
class Cost:
    """Work of one call: ``flops`` and ``bytes``, symbolic; ``at(N=32)`` gives numbers."""

    flops: Dim
    bytes: Dim

    @staticmethod
    def of(module: Module) -> Cost:
        unknown = {name for s in module.steps for name in s.tiles}
        flops = sum((s.product_flops + s.other_flops for s in module.steps), 0)
        moved = sum((s.bytes for s in module.steps), 0)
        return Cost(one_tile(flops, unknown), one_tile(moved, unknown))

    def at(self, **sizes: int) -> dict[str, int]:
        return {"flops": dim_evaluate(self.flops, sizes), "bytes": dim_evaluate(self.bytes, sizes)}

    def __str__(self) -> str:
        return f"{self.flops} floating-point operations, {self.bytes} bytes"


def one_tile(dim: Dim, tiles: set[str]) -> Dim:
    """Partial results counted as for one tile: they are small beside the rest."""
    from graphc.size import dim_symbols, substitute

    return substitute(dim, {name: 1 for name in dim_symbols(dim) if name in tiles})


@dataclass(frozen=True, slots=True)
class Plan:
    """The memory plan: which temporaries live when. ``at(N=32)`` gives offsets, peak and lower bound in bytes."""

    schedule: Schedule
    tables: Tables

    def at(self, **sizes: int) -> MemoryPlan:
        return self.tables.bind(sizes).plan

    def __str__(self) -> str:
        temporaries = [s for s in self.schedule.storages if s.kind == "temporary"]
        return "\n".join(
            f"m{s.number}: {s.dtype.short}[{s.size}] steps {s.first} to {s.last}" for s in temporaries
        )


@dataclass(frozen=True, slots=True)
class PassLine:
    """A graph after a pass: nodes, operations (nodes that are no leaves), edges, bytes of all values."""

    name: str
    nodes: int
    operations: int
    bytes: Dim


@dataclass(frozen=True, slots=True)
class Shared:
    """A subterm that several nodes use: computed once."""

    node: int
    formula: str
    uses: int
    layer: str


@dataclass(frozen=True, slots=True)
class Report:
    """A readable summary of a compilation."""

    passes: tuple[PassLine, ...]
    shared: tuple[Shared, ...]
    rules: tuple[str, ...]
    steps: int
    kernels: int
    temporaries: int

    @staticmethod
    def of(stages: Stages, module: Module, schedule: Schedule) -> Report:
        cones = [(name, value) for name, value in stages.items() if isinstance(value, Cone)]
        lines = tuple(_pass_line(name, cone) for name, cone in cones)
        final = cones[-1][1]
        temporaries = sum(s.kind == "temporary" for s in schedule.storages)
        rules = tuple(str(a) for a in stages.applications)
        return Report(
            lines, shared_subterms(final), rules, len(module.steps), len(module.kernels), temporaries
        )

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{'stage':<14} {'nodes':>6} {'operations':>11}  bytes of all values"
        yield from (f"{p.name:<14} {p.nodes:>6} {p.operations:>11}  {p.bytes}" for p in self.passes)
        yield f"shared subterms: {len(self.shared)}, saving {sum(s.uses - 1 for s in self.shared)} computations"
        yield from (
            f"  used {s.uses} times: {s.formula}{f'   [{s.layer}]' if s.layer else ''}"
            for s in self.shared[:20]
        )
        if len(self.shared) > 20:
            yield f"  and {len(self.shared) - 20} more"
        yield from (f"rule: {rule}" for rule in self.rules)
        yield f"{self.steps} steps run {self.kernels} different kernels; {self.temporaries} temporaries in memory"


def _pass_line(name: str, cone: Cone) -> PassLine:
    nodes = [cone.graph.nodes[at] for at in cone.nodes]
    operations = [n for n in nodes if not n.is_leaf]
    total: Dim = sum((n.type.size * n.type.dtype.itemsize for n in operations), 0)
    return PassLine(name, len(nodes), len(operations), total)


def shared_subterms(cone: Cone) -> tuple[Shared, ...]:
    """The operations of ``cone`` that more than one other node uses, most used first."""
    users = cone.users()
    found = [
        Shared(at, formula(cone.graph, at), len(readers), _layer(cone.graph, at))
        for at, readers in users.items()
        if len(readers) > 1 and not cone.graph.nodes[at].is_leaf
    ]
    return tuple(sorted(found, key=lambda s: (-s.uses, s.node)))


def formula(graph: Graph, at: int) -> str:
    node = graph.nodes[at]
    texts = [str(graph.nodes[i].param.get("name", f"%{i}")) for i in node.operands]
    return f"%{at} = {registry.lookup(node.op).label(texts, node.param)}"


def _layer(graph: Graph, at: int) -> str:
    origins = graph.origins(at)
    return origins[0].layer if origins else ""
