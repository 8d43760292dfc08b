"""A compiled program: called with arrays, it runs its kernels and updates its parameters in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.binding import Binder, SizeChecks, check_indices
from graphc.codegen.binding import Bound, Tables, aligned
from graphc.codegen.module import Module
from graphc.errors import InputError
from graphc.draw import draw
from graphc.draw.kernels import KernelPlan
from graphc.graph import Cone, Constant
from graphc.lower.schedule import Schedule
from graphc.program.picture import kernel_plan
from graphc.program.stages import Cost, Plan, Report, Stages
from graphc.program.store import Parameters, Store
from graphc.runtime import jit
from graphc.size import compile_dims, dim_evaluate
from graphc.types import Dim, Type

Array = np.ndarray[Any, Any]
SMALL = 16384  # bytes up to which an output is computed aside and copied: cheaper than fetching a new address
MOST_BOUND = 32  # tuples of sizes whose tables are kept


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """An input used as indices: every element must be within ``[-size, size)``.

    Computed indices have no ``name``: kernels keep them within the size, which must not be 0 unless ``count`` is.
    """

    name: str
    size: Dim
    count: Dim
    where: str
    place: str


@dataclass(frozen=True, slots=True)
class _Output:
    name: str
    slot: int
    type: Type


class Program:
    """What ``gc.compile`` returns.

    ``program(**inputs)`` checks the arrays, runs the kernels and returns ``{name: new array}``. One call runs at a time on a
    store of parameters; other threads wait. Updates take effect together, after all outputs were computed from the values before.
    """

    def __init__(self, stages: Stages, cone: Cone, schedule: Schedule, module: Module, store: Store, checks: Sequence[IndexCheck]) -> None:
        graph = cone.graph
        self.stages = stages
        self.name = graph.name
        self._module, self._schedule, self._store, self._index_checks = module, schedule, store, tuple(checks)
        self._loaded = jit.load(module.source, f"<graphc {self.name}>")
        self._tables = Tables(module, schedule.storages, self._loaded.addresses)
        self.inputs = {h.name: h.type for h in stages.inputs}
        self._binder = Binder(self.inputs)
        self._size_checks = SizeChecks(graph, [r for r in graph.required if r.node in set(cone.nodes)])
        self._input_slots = [(s.number, _leaf_name(schedule, s.value)) for s in schedule.storages if s.kind == "input"]
        self._dims = compile_dims([d for check in self._index_checks for d in (check.size,)])
        self._outputs = self._declared_outputs(cone)
        self._shapes = compile_dims([d for o in self._outputs for d in o.type.shape])
        self.params = self._stored("param")
        self.states = self._stored("state")
        self._constants = {s.number: _constant(schedule, s.value) for s in schedule.storages if s.kind == "const"}
        self._fixed = self._fixed_addresses()
        self._bounds: dict[tuple[int, ...], _Ready] = {}
        self._arena = aligned(64)

    def _declared_outputs(self, cone: Cone) -> list[_Output]:
        program = self._schedule.program
        return [
            _Output(name, self._schedule.storage_of[number], cone.graph.nodes[cone.outputs[name]].type)
            for name, number in program.outputs.items()
        ]

    def _stored(self, kind: str) -> Parameters:
        graph = self._schedule.program.graph
        found = {}
        for handle in graph.leaves(kind):
            self._store.take(graph, handle)
            found[handle.name] = handle.type
        return Parameters(self._store, found)

    def _fixed_addresses(self) -> dict[int, int]:
        """Slots that never change: parameters, states and constants."""
        fixed = {k: array.ctypes.data for k, array in self._constants.items()}
        for storage in self._schedule.storages:
            if storage.kind in ("param", "state"):
                fixed[storage.number] = self._store.arrays[_leaf_name(self._schedule, storage.value)].ctypes.data
        return fixed

    # ------------------------------------------------------------------------------------------- calling

    def __call__(self, **inputs: Any) -> dict[str, Array]:
        """Run the program; ``inputs`` are arrays by name. Raises ``InputError`` before anything runs or changes."""
        arrays, sizes = self._binder(inputs)
        with self._store.lock:
            ready = self._bounds.get(tuple(sizes.values()))
            if ready is None:
                ready = self._bind(sizes)
            for check, size in zip(self._index_checks, ready.index_sizes, strict=True):
                if check.name:
                    _check_range(check, arrays[check.name], size)
            return self._run(ready, arrays)

    def _run(self, ready: _Ready, arrays: Mapping[str, Array]) -> dict[str, Array]:
        slots, kept = ready.bound.slots, list[Array]()
        for slot, name in self._input_slots:
            array = arrays[name]
            if not (array.flags.c_contiguous and array.flags.aligned):
                array = np.ascontiguousarray(array) if array.flags.aligned else array.copy()
                kept.append(array)
            slots[slot] = array.__array_interface__["data"][0]
        results: dict[str, Array] = {}
        owners: dict[int, Array] = {}  # one value may be asked for under several names
        for output, shape, buffer in ready.outputs:
            if buffer is None and output.slot not in owners:
                results[output.name] = owners[output.slot] = made = np.empty(shape, output.type.dtype.numpy)
                slots[output.slot] = made.__array_interface__["data"][0]
        self._loaded.call(ready.address, ready.count)
        for output, shape, buffer in ready.outputs:
            if output.name not in results:
                held = owners[output.slot].reshape(shape) if buffer is None else buffer
                results[output.name] = held.copy()
        return results

    def _bind(self, sizes: Mapping[str, int]) -> _Ready:
        """Tables for new sizes: no compilation, only arithmetic."""
        for name, value in sizes.items():
            if value < 0:
                raise InputError(f"size {name} is {value}; sizes are at least 0")
        self._size_checks(sizes)
        self._check_indexed(sizes)
        bound = self._tables.bind(sizes)
        if bound.plan.peak + 64 > self._arena.nbytes:
            self._arena = aligned(bound.plan.peak + 64)
            for other in self._bounds.values():
                other.bound.place(self._arena.ctypes.data)
        bound.place(self._arena.ctypes.data)
        for slot, address in self._fixed.items():
            bound.slots[slot] = address
        ready = _Ready(bound, bound.address, len(self._module.steps), self._output_buffers(bound, sizes), self._dims(sizes))
        while len(self._bounds) >= MOST_BOUND:
            del self._bounds[next(iter(self._bounds))]
        self._bounds[tuple(sizes.values())] = ready
        return ready

    def _check_indexed(self, sizes: Mapping[str, int]) -> None:
        for check in self._index_checks:
            if not check.name and dim_evaluate(check.size, sizes) == 0 != dim_evaluate(check.count, sizes):
                raise InputError("an index is out of range for size 0; give inputs that are not empty").located(check.where, check.place)

    def _output_buffers(self, bound: Bound, sizes: Mapping[str, int]) -> list[tuple[_Output, tuple[int, ...], Array | None]]:
        found: list[tuple[_Output, tuple[int, ...], Array | None]] = []
        small: dict[int, Array] = {}
        for output in self._outputs:
            shape = tuple(dim_evaluate(d, sizes) for d in output.type.shape)
            buffer = small[output.slot].reshape(shape) if output.slot in small else None
            if buffer is None and int(np.prod(shape)) * output.type.dtype.itemsize <= SMALL:
                small[output.slot] = buffer = np.zeros(shape, output.type.dtype.numpy)
                bound.slots[output.slot] = buffer.ctypes.data
            found.append((output, shape, buffer))
        return found

    # ------------------------------------------------------------------------------------------- looking

    @property
    def source(self) -> str:
        """The emitted module: its kernels and the parallel entry."""
        return self._module.source

    @property
    def kernels(self) -> tuple[Any, ...]:
        """The kernels of the module with their steps, layers and formulas."""
        return self._module.kernels

    @property
    def cost(self) -> Cost:
        """Floating-point operations and bytes moved, symbolic in the sizes."""
        return Cost.of(self._module)

    @property
    def plan(self) -> Plan:
        """Lifetimes of temporaries; ``plan.at(N=32)`` places them."""
        return Plan(self._schedule, self._tables)

    @property
    def compiled(self) -> int:
        """How many functions Numba compiled for this program; the others came from memory or disk."""
        return self._loaded.compiled

    def report(self) -> Report:
        """Nodes, operations and bytes before and after each pass, shared subterms, kernels, memory."""
        return Report.of(self.stages, self._module, self._schedule)

    @property
    def cone(self) -> Cone:
        """The declared graph that was compiled."""
        return self.stages["declared"]

    @property
    def kernel_plan(self) -> KernelPlan:
        """The kernels as a drawing sees them."""
        return kernel_plan(self._module, self._schedule, self.name)

    def draw(self, path: Any = None, *, view: str = "kernels", **options: Any) -> Any:
        """A drawing of the program: its kernels, or its graph by ``view="forward"`` or ``"backward"``."""
        return draw(self, path, view=view, **options)

    def __repr__(self) -> str:
        return f"<Program {self.name!r}: {len(self._module.steps)} steps, {len(self._module.kernels)} kernels>"


@dataclass(frozen=True, slots=True)
class _Ready:
    """Tables bound to sizes, ready to be called."""

    bound: Bound
    address: int
    count: int
    outputs: list[tuple[_Output, tuple[int, ...], Array | None]]
    index_sizes: tuple[int, ...]


def _check_range(check: IndexCheck, indices: Array, size: int) -> None:
    """Two passes at most: seen as unsigned numbers, negative indices are large too."""
    if indices.size == 0:
        return
    flat = indices.view(np.uint32 if indices.itemsize == 4 else np.uint64)
    if int(np.maximum.reduce(flat, axis=None)) >= size:
        check_indices(f"input {check.name!r}", indices, size, check.place)


def _leaf_name(schedule: Schedule, value: int) -> str:
    node = schedule.program.values[value].node
    return str(schedule.program.graph.nodes[node].param["name"])


def _constant(schedule: Schedule, value: int) -> Array:
    constant: Constant = schedule.program.graph.nodes[schedule.program.values[value].node].param["value"]
    memory = aligned(max(1, constant.array.nbytes))[: constant.array.nbytes].view(constant.array.dtype)
    memory[...] = constant.array.ravel()
    return memory
