"""The report of a compilation: what each pass did, what is shared at four levels, which rules were applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphc import registry
from graphc.codegen.module import Module, formula
from graphc.graph import Cone, Graph, body_of
from graphc.lower.memory import MemoryPlan
from graphc.lower.schedule import Schedule
from graphc.ops.elementwise import partial
from graphc.program.stages import Stages
from graphc.rewrite import RULES, Applied
from graphc.types import Dim

_SHOWN = 20
_STABILISING = frozenset(rule.name for rule in RULES)


@dataclass(frozen=True, slots=True)
class PassLine:
    """A graph after a pass: nodes, operations (nodes that are no leaves), bytes of all their values."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A readable summary of a compilation; ``print`` it.

    reused:      nodes that were declared or derived again and found to stand already, forward and backward together
    shared:      the operations that several others use
    by_output:   elementwise ops whose derivative is written in their own output
    repeated:    subexpressions inside kernels that several statements use
    rules:       what was rewritten, and where
    reasons:     of each rule applied, once: where both of its sides are equal, and what the written side loses
    """

    passes: tuple[PassLine, ...]
    reused: int
    shared: tuple[Shared, ...]
    by_output: tuple[str, ...]
    repeated: int
    rules: tuple[str, ...]
    reasons: tuple[str, ...]
    steps: int
    kernels: int
    memory: str

    @staticmethod
    def of(stages: Stages, module: Module, schedule: Schedule, plan: MemoryPlan | None) -> Report:
        cones = {name: value for name, value in stages.items() if isinstance(value, Cone)}
        declared, final = cones["declared"], list(cones.values())[-1]
        temporaries = sum(s.kind == "temporary" for s in schedule.storages)
        return Report(
            passes=tuple(_pass_line(name, cone) for name, cone in cones.items()),
            reused=declared.graph.reused,
            shared=shared_subterms(final),
            by_output=written_in_output(final),
            repeated=sum(k.text.repeated for k in module.kernels),
            rules=tuple(_placed(a) for a in stages.applications),
            reasons=_reasons({a.rule for a in stages.applications}),
            steps=len(module.steps),
            kernels=len(module.kernels),
            memory=str(plan)
            if plan
            else f"{temporaries} temporaries; their places are planned at the first call",
        )

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{'stage':<14} {'nodes':>6} {'operations':>11}  bytes of all values"
        yield from (f"{p.name:<14} {p.nodes:>6} {p.operations:>11}  {p.bytes}" for p in self.passes)
        yield f"equal nodes: {self.reused} times an operation was asked for that stood already"
        yield f"shared subterms: {len(self.shared)}, saving {sum(s.uses - 1 for s in self.shared)} computations"
        yield from _shortened([f"  used {s.uses} times: {s.formula}{_in(s.layer)}" for s in self.shared])
        yield f"derivatives written in the op's output: {', '.join(self.by_output) or 'none'}"
        yield f"subexpressions inside kernels computed once: {self.repeated}"
        yield f"equal kernels: {self.steps} steps run {self.kernels} kernels"
        yield f"memory: {self.memory}"
        yield from _shortened([f"rule: {rule}" for rule in self.rules])
        yield from (f"why {reason}" for reason in self.reasons)


def _placed(applied: Applied) -> str:
    """The rewrite and, of a stabilising rule, the user's line; identities change no value."""
    told = applied.rule in _STABILISING and applied.place
    return f"{applied}  ({applied.place})" if told else str(applied)


def _reasons(applied: set[str]) -> tuple[str, ...]:
    """The stabilising rules among ``applied`` and why they are right; each is proved on its own."""
    return tuple(f"{rule.name}: {rule.assumes}" for rule in RULES if rule.name in applied)


def _shortened(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:_SHOWN]
    if len(lines) > _SHOWN:
        yield f"  and {len(lines) - _SHOWN} more"


def _in(layer: str) -> str:
    return f"   [{layer}]" if layer else ""


def _pass_line(name: str, cone: Cone) -> PassLine:
    nodes = [cone.graph.nodes[at] for at in cone.nodes]
    operations = [n for n in nodes if not n.is_leaf]
    total: Dim = sum((n.type.size * n.type.dtype.itemsize for n in operations), 0)
    return PassLine(name, len(nodes), len(operations), total)


def shared_subterms(cone: Cone) -> tuple[Shared, ...]:
    """The operations of ``cone`` that more than one other node uses, most used first."""
    users = cone.users()
    found = [
        Shared(at, f"%{at} = {formula(cone.graph, at)}", len(readers), _layer(cone.graph, at))
        for at, readers in users.items()
        if len(readers) > 1 and not cone.graph.nodes[at].is_leaf
    ]
    return tuple(sorted(found, key=lambda s: (-s.uses, s.node)))


def written_in_output(cone: Cone) -> tuple[str, ...]:
    """The elementwise ops whose derivative occurs in ``cone`` and is written in their own output."""
    found: set[str] = set()
    for at in cone.nodes:
        body = body_of(cone.graph.nodes[at])
        if body is not None:
            found |= set(written_in_output(Cone(body.graph, {str(k): k for k in body.following})))
        parent, _, position = cone.graph.nodes[at].op.rpartition(".d")
        if parent and position.isdigit() and _uses_output(parent, int(position)):
            found.add(parent)
    return tuple(sorted(found))


def _uses_output(op: str, position: int) -> bool:
    scalar = registry.lookup(op).scalar
    return scalar is not None and scalar.arity in partial(scalar, position).uses


def _layer(graph: Graph, at: int) -> str:
    origins = graph.origins(at)
    return origins[0].layer if origins else ""
