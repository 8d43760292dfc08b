"""What a program can tell about itself: every stage of its compilation, its cost, its memory plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphc.codegen.binding import Tables
from graphc.codegen.module import EmittedKernel, Module
from graphc.graph import Handle
from graphc.lower.memory import MemoryPlan
from graphc.lower.schedule import Schedule
from graphc.size import dim_evaluate, dim_symbols, substitute
from graphc.types import Dim


@dataclass(frozen=True, slots=True)
class Stages(Mapping[str, Any]):
    """Every stage by name, in order: the declared cone, the cone after each pass, nests, schedule, module.

    ``print(program.stages["simplify"])`` shows one; all are immutable values.
    """

    inputs: tuple[Handle, ...]
    by_name: Mapping[str, Any]
    applications: tuple[Any, ...] = ()
    options: Mapping[str, Any] = field(
        default_factory=dict[str, Any]
    )  # of ``gc.compile``, beside nodes and values

    def __getitem__(self, name: str) -> Any:
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def __str__(self) -> str:
        return "\n\n".join(f"== {name} ==\n{value}" for name, value in self.by_name.items())


@dataclass(frozen=True, slots=True)
class KernelCost:
    """Work of all steps that run a kernel, symbolic: operations, and bytes of the buffers that it reads or writes."""

    name: str
    steps: int
    flops: Dim
    bytes: Dim

    def at(self, **sizes: int) -> dict[str, int]:
        return {"flops": dim_evaluate(self.flops, sizes), "bytes": dim_evaluate(self.bytes, sizes)}

    def __str__(self) -> str:
        steps = f", {self.steps} steps" if self.steps > 1 else ""
        return f"{self.name}: {self.flops} floating-point operations, {self.bytes} bytes{steps}"


@dataclass(frozen=True, slots=True)
class Cost:
    """Work of one call: ``flops`` and ``bytes``, symbolic, in all and by kernel; ``at(N=32)`` gives numbers."""

    flops: Dim
    bytes: Dim
    kernels: tuple[KernelCost, ...]

    @staticmethod
    def of(module: Module) -> Cost:
        unknown = {name for s in module.steps for name in s.tiles}
        kernels = tuple(_kernel_cost(module, kernel, unknown) for kernel in module.kernels)
        return Cost(sum((k.flops for k in kernels), 0), sum((k.bytes for k in kernels), 0), kernels)

    def at(self, **sizes: int) -> dict[str, int]:
        return {"flops": dim_evaluate(self.flops, sizes), "bytes": dim_evaluate(self.bytes, sizes)}

    def __str__(self) -> str:
        total = f"{self.flops} floating-point operations, {self.bytes} bytes"
        return "\n".join([total, *(f"  {kernel}" for kernel in self.kernels)])


def _kernel_cost(module: Module, kernel: EmittedKernel, unknown: set[str]) -> KernelCost:
    steps = [module.steps[number] for number in kernel.steps]
    flops = sum((s.times * (s.product_flops + s.other_flops) for s in steps), 0)
    moved = sum((s.times * s.bytes for s in steps), 0)
    return KernelCost(kernel.name, len(steps), one_tile(flops, unknown), one_tile(moved, unknown))


def one_tile(dim: Dim, tiles: set[str]) -> Dim:
    """Partial results counted as for one tile: they are small beside the rest."""
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
