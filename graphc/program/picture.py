"""A program as its drawing sees it: one box a step, one edge a buffer."""

from __future__ import annotations

from graphc.codegen.module import EmittedKernel, Module, formulas_of, layers_of
from graphc.draw.kernels import BufferBox, KernelBox, KernelPlan
from graphc.lower.kernels import Kernel
from graphc.lower.schedule import Schedule, Storage
from graphc.program.stages import one_tile
from graphc.types import Dim


def kernel_plan(module: Module, schedule: Schedule, title: str) -> KernelPlan:
    """The steps of a program with the buffers that they read and write; scratch inside a kernel is left out."""
    kernel_of = {k.name: k for k in module.kernels}
    tiles = {name for step in module.steps for name in step.tiles}
    boxes = [
        _box(schedule, number, kernel, kernel_of[step.kernel], one_tile(step.bytes, tiles))
        for number, (kernel, step) in enumerate(zip(schedule.kernels, module.steps, strict=True))
    ]
    shown = {name for box in boxes for name in (*box.reads, *box.writes)}
    lasting = {_name(schedule, s): s for s in schedule.storages if s.kind != "temporary"}
    buffers = {
        name: BufferBox(name=name, kind=s.kind, type=_type(schedule, s))
        for name, s in lasting.items()
        if name in shown
    }
    return KernelPlan(title=title, kernels=tuple(boxes), buffers=buffers)


def _box(schedule: Schedule, number: int, kernel: Kernel, emitted: EmittedKernel, moved: Dim) -> KernelBox:
    reads = [schedule.storage_of[v] for v in kernel.group.reads()]
    writes = [
        schedule.storage_of[n.number] for n in kernel.nests if _lasts(schedule, kernel, n.number, number)
    ]
    program = schedule.program
    return KernelBox(
        name=emitted.name,
        role=emitted.role,
        formulas=tuple(formulas_of(program, kernel)),
        reads=_names(schedule, reads),
        writes=_names(schedule, writes),
        bytes=moved,
        layers=tuple(layers_of(program, kernel)),
    )


def _lasts(schedule: Schedule, kernel: Kernel, value: int, step: int) -> bool:
    """Whether someone outside the kernel sees the value."""
    if kernel.place[value] != "memory":
        return False
    storage = schedule.storages[schedule.storage_of[value]]
    return storage.kind != "temporary" or storage.last > step


def _names(schedule: Schedule, storages: list[int]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_name(schedule, schedule.storages[k]) for k in storages))


def _name(schedule: Schedule, storage: Storage) -> str:
    if storage.kind == "output":
        names = [n for n, v in schedule.program.outputs.items() if schedule.storage_of[v] == storage.number]
        return names[0] if names else f"m{storage.number}"
    node = schedule.program.graph.nodes[schedule.program.values[storage.value].node]
    return str(node.param["name"]) if "name" in node.param else f"m{storage.number}"


def _type(schedule: Schedule, storage: Storage) -> str:
    return str(schedule.program.graph.nodes[schedule.program.values[storage.value].node].type)
