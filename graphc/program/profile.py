"""Time of each kernel beside its roofline: a program's steps run one by one, on all threads."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from graphc.codegen.binding import aligned
from graphc.codegen.frame import Buffer
from graphc.codegen.module import Module, Step
from graphc.lower.schedule import Storage
from graphc.machine import Machine
from graphc.runtime import launch
from graphc.runtime.jit import Loaded
from graphc.size import dim_evaluate

Array = np.ndarray[Any, Any]
#: The program is run for so many seconds, but at least so many times.
SECONDS, LEAST_RUNS = 0.3, 5


@dataclass(frozen=True, slots=True)
class KernelTime:
    """A kernel in one call of a program: all steps that run it, together.

    seconds: what its steps took, the sum of medians, less what an empty call takes
    flops, bytes: operations, and bytes of the buffers that it reads or writes
    floor:   seconds below which this host cannot do that: the roofline
    """

    name: str
    role: str
    layers: tuple[str, ...]
    steps: int
    seconds: float
    flops: int
    bytes: int
    floor: float

    @property
    def fraction(self) -> float:
        """How much of what the host can do the kernel does: its floor over its time, 1 at best."""
        return self.floor / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the time of a call goes; ``print`` it. ``call`` is a whole call of all steps, without the way there."""

    name: str
    sizes: Mapping[str, int]
    threads: int
    kernels: tuple[KernelTime, ...]
    call: float
    working_set: int
    machine: Machine

    @property
    def seconds(self) -> float:
        """The kernels' times together; the steps of a call run closer together than one by one."""
        return sum(k.seconds for k in self.kernels)

    @property
    def floor(self) -> float:
        """Seconds below which this host cannot run these kernels."""
        return sum(k.floor for k in self.kernels)

    @property
    def fraction(self) -> float:
        return self.floor / self.call

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        sizes = "".join(f", {name}={value}" for name, value in self.sizes.items())
        yield f"{self.name}{sizes}: {self.threads} threads, {_amount(self.working_set)}B in use"
        width = max([6, *(len(k.name) for k in self.kernels)])
        yield (
            f"{'kernel':<{width}} {'steps':>5} {'time':>8} {'share':>6} {'FLOP':>7} {'bytes':>7} "
            f"{'FLOP/s':>7} {'B/s':>7} {'roofline':>8}"
        )
        for k in self.kernels:
            rates = (k.flops / k.seconds, k.bytes / k.seconds) if k.seconds > 0 else (0.0, 0.0)
            yield (
                f"{k.name:<{width}} {k.steps:>5} {_time(k.seconds):>8} {k.seconds / self.seconds:>6.0%} "
                f"{_amount(k.flops):>7} {_amount(k.bytes):>7} {_amount(rates[0]):>7} {_amount(rates[1]):>7} "
                f"{k.fraction:>8.0%}"
            )
        yield (
            f"a call of all steps: {_time(self.call)}, of which {_time(self.floor)} is the roofline of "
            f"{self.machine.cpu} ({self.fraction:.0%})"
        )


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.1f}us" if seconds < 1e-3 else f"{seconds * 1e3:.2f}ms"


def _amount(number: float) -> str:
    """A number in three digits with a prefix: 12.3M."""
    for prefix in ("", "k", "M", "G"):
        if number < 999.5:
            return f"{number:.3g}{prefix}"
        number /= 1000
    return f"{number:.3g}T"


# ------------------------------------------------------------------------------------------------ measuring


@contextmanager
def lent(slots: Array, arrays: Mapping[int, Array]) -> Generator[None]:
    """Inside the block, kernels read and write copies of ``arrays`` (by storage) in their stead."""
    copies = {number: _copy(array) for number, array in arrays.items()}
    former = {number: int(slots[number]) for number in copies}
    for number, copy in copies.items():
        slots[number] = copy.ctypes.data
    try:
        yield
    finally:
        for number, address in former.items():
            slots[number] = address


def _copy(array: Array) -> Array:
    memory = aligned(max(1, array.nbytes))[: array.nbytes].view(array.dtype)
    memory[...] = array.ravel()
    return memory


def step_seconds(loaded: Loaded, address: int, count: int) -> tuple[Array, float]:
    """Seconds of each of ``count`` records of a table, run one by one, and of all as one call: medians."""
    addresses = [address + 8 * launch.STEP_WORDS * k for k in range(count)]
    single: list[list[float]] = []
    whole: list[float] = []
    end = perf_counter() + SECONDS
    while len(whole) < LEAST_RUNS or perf_counter() < end:
        whole.append(_seconds(loaded, address, count))
        single.append([_seconds(loaded, each, 1) for each in addresses])
    empty = min(_seconds(loaded, address, 0) for _ in range(100))
    times = np.median(np.array(single), axis=0) - empty
    return np.maximum(times, 0.0), median(whole) - empty


def _seconds(loaded: Loaded, address: int, count: int) -> float:
    began = perf_counter()
    loaded.call(address, count)
    return perf_counter() - began


def kernel_times(
    module: Module,
    storages: Sequence[Storage],
    env: Mapping[str, int],
    seconds: Sequence[float],
    machine: Machine,
    working_set: int,
) -> Iterator[KernelTime]:
    """A row for each kernel of ``module``, whose steps, with all their runs, took ``seconds`` at sizes ``env``."""
    for kernel in module.kernels:
        steps = [module.steps[number] for number in kernel.steps]
        work = [_work(step, env) for step in steps]
        floors = (
            machine.floor(flops, moved, within=working_set, dtype=_dtype(step, storages))
            for step, (flops, moved) in zip(steps, work, strict=True)
        )
        yield KernelTime(
            name=kernel.name,
            role=kernel.role,
            layers=tuple(kernel.layers),
            steps=len(steps),
            seconds=float(sum(seconds[number] for number in kernel.steps)),
            flops=sum(flops for flops, _ in work),
            bytes=sum(moved for _, moved in work),
            floor=sum(floors),
        )


def _work(step: Step, env: Mapping[str, int]) -> tuple[int, int]:
    """Operations and bytes of all runs of a step."""
    flops = step.times * (step.product_flops + step.other_flops)
    return dim_evaluate(flops, env), dim_evaluate(step.times * step.bytes, env)


def _dtype(step: Step, storages: Sequence[Storage]) -> str:
    """The wider floating type of what a step touches, which decides how many numbers a vector holds."""
    names = {storages[a.storage].dtype.short for a in step.arguments if isinstance(a, Buffer)}
    return "float64" if "f64" in names else "float32"


def working_set(storages: Sequence[Storage], env: Mapping[str, int], arena: int) -> int:
    """Bytes that a call touches: the arena, and everything that has memory of its own."""
    lasting = (s for s in storages if s.kind != "temporary")
    return arena + sum(dim_evaluate(s.size, env) * s.dtype.itemsize for s in lasting)
