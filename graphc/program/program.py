"""A compiled program: called with arrays, it runs its kernels and updates its parameters in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from graphc import machine
from graphc.binding import Binder, SizeChecks
from graphc.codegen.binding import Bound, Tables, aligned
from graphc.codegen.module import Module
from graphc.codegen.runs import run_order
from graphc.draw import Drawing, draw
from graphc.draw.kernels import KernelPlan
from graphc.errors import CapacityError, InputError
from graphc.graph import Cone
from graphc.lower.schedule import Schedule
from graphc.program.calling import (
    BoundCall,
    Guards,
    IndexCheck,
    Output,
    Ready,
    Taken,
    address_of,
    output_buffers,
    plain,
)
from graphc.program.capacity import require
from graphc.program.debugging import Debugger
from graphc.program.diagnosis import Diagnosis
from graphc.program.lowered import Lowered
from graphc.program.picture import kernel_plan
from graphc.program.profile import Profile, kernel_times, lent, step_seconds, working_set
from graphc.program.report import Report
from graphc.program.saved import save
from graphc.program.stages import Cost, Plan, Stages
from graphc.program.store import Parameters, Store, aligned_copy, constant_of
from graphc.runtime import jit, threads
from graphc.size import dim_evaluate
from graphc.tensors import PathLike
from graphc.types import Type

Array = np.ndarray[Any, Any]
MOST_BOUND = 32  # tuples of sizes whose tables are kept


class Program:
    """What ``gc.compile`` returns.

    ``program(**inputs)`` checks the arrays, runs the kernels and returns ``{name: new array}``. One call runs at a
    time on a store of parameters; other threads wait. Updates take effect together, after all outputs were computed
    from the values before.

    inputs:          the types of the inputs by name
    params, states:  arrays by name, which kernels read and write: assign to them, or save them, at any time
    stages, source:  the graph after each pass, and the emitted kernels as text
    cost, plan:      operations and memory over symbolic sizes; ``.at(N=32)`` gives numbers
    report():        what was shared, rewritten and planned
    profile():       time of each kernel beside what this host can do
    debug():         where values stop being finite
    draw():          a picture of the kernels
    save():          a file from which ``gc.load`` makes the same program
    """

    def __init__(
        self,
        stages: Stages,
        cone: Cone,
        schedule: Schedule,
        module: Module,
        store: Store,
        checks: Sequence[IndexCheck],
    ) -> None:
        graph = cone.graph
        self.stages = stages
        self.name = graph.name
        self._module, self._schedule, self._store, self._index_checks = module, schedule, store, tuple(checks)
        self._cone, self._debugger = cone, None
        self._loaded = jit.load(module.source, f"<graphc {ascii(self.name)[1:-1]}>")
        self._tables = Tables(module, schedule.storages, self._loaded.addresses)
        self.inputs = {h.name: h.type for h in stages.inputs}
        self._binder = Binder(self.inputs)
        chosen: Cone = stages[
            "resolve_phase"
        ]  # whose nodes carry the equations, also those that later passes drop
        asked = set(chosen.nodes)
        self._size_checks = SizeChecks(chosen.graph, [r for r in chosen.graph.required if r.node in asked])
        self._input_slots = {
            _leaf_name(schedule, s.value): s.number for s in schedule.storages if s.kind == "input"
        }
        self._outputs = self._declared_outputs(cone)
        self.params = self._stored("param")
        self.states = self._stored("state")
        self._constants = {
            s.number: aligned_copy(constant_of(schedule, s)) for s in schedule.storages if s.kind == "const"
        }
        self._fixed = self._fixed_addresses()
        self._updated = [self._store.arrays[_leaf_name(schedule, k)] for k in schedule.program.updates]
        starts = [(address_of(array), array.nbytes) for array in self._updated]
        self._span = (
            min((at for at, _ in starts), default=0),
            max((at + size for at, size in starts), default=0),
        )
        self._bounds: dict[tuple[int, ...], Ready] = {}
        self._last: Ready | None = None
        self._arena = aligned(64)
        self.arena_address = self._arena.ctypes.data

    def _declared_outputs(self, cone: Cone) -> list[Output]:
        program = self._schedule.program
        return [
            Output(name, self._schedule.storage_of[number], cone.graph.nodes[cone.outputs[name]].type)
            for name, number in program.outputs.items()
        ]

    def _stored(self, kind: str) -> Parameters:
        graph = self._schedule.program.graph
        found: dict[str, Type] = {}
        for handle in graph.leaves(kind):
            self._store.take(graph, handle)
            found[handle.name] = handle.type
        return Parameters(self._store, found, kind)

    def _fixed_addresses(self) -> dict[int, int]:
        """Slots that never change: parameters, states and constants."""
        fixed = {k: array.ctypes.data for k, array in self._constants.items()}
        return fixed | {k: array.ctypes.data for k, array in self._stored_arrays().items()}

    # ------------------------------------------------------------------------------------------- calling

    def __call__(self, /, *unnamed: Any, **inputs: Any) -> dict[str, Array]:
        """Run the program; ``inputs`` are arrays by name. Raises ``InputError`` before anything runs or changes."""
        if unnamed:
            wanted = ", ".join(f"{name}=..." for name in self.inputs)
            raise InputError(f"{self.name!r} takes its inputs by name; call it with {wanted or 'nothing'}")
        with self._store.lock:
            ready = self._last
            arrays = None if ready is None else ready.take(inputs)
            if ready is None or arrays is None:
                ready, arrays = self._prepare(inputs)
            self._last = (
                ready  # also when a check fails: tables that nobody else holds would keep an old arena
            )
            arrays = self._apart(arrays)  # held until the kernels have run
            ready.guards.point(arrays)
            made = ready.results()
            self._loaded.call(ready.address, ready.steps, ready.guards.address)
            if ready.guards.refused.value:
                ready.check(arrays)  # raises, with what compiled code has no words for
                raise AssertionError("compiled code refused indices that Python admits")
            return ready.finish(made)

    def check(self, /, **inputs: Any) -> dict[str, Array]:
        """``inputs`` as a call takes them: names, dtypes, shapes and indices are checked as it checks them, and nothing
        runs. Raises what it would raise."""
        arrays, sizes = self._binder(inputs)
        self._size_checks(sizes)
        for check in self._index_checks:
            if check.name:
                check(arrays[check.name], dim_evaluate(check.size, sizes))
        return arrays

    def bind(self, /, **inputs: Array) -> BoundCall:
        """A call without arguments on these very arrays, to be filled anew before each call: all checks but those of
        values are done here, once. It returns the same arrays each time, which the next call writes anew.

        Raises ``InputError`` for arrays that kernels cannot read where they lie: another dtype, strided, or views of
        parameters that the program updates.

        >>> import graphc as gc
        >>> x = gc.Graph().input("x", ("N",))
        >>> rows = np.ones(3, np.float32)
        >>> double = gc.compile({"y": x * 2}).bind(x=rows)
        >>> rows[:] = 5
        >>> double()["y"].tolist()
        [10.0, 10.0, 10.0]
        """
        with self._store.lock:
            arrays, sizes = self._binder(inputs)
            for name, array in arrays.items():
                if (
                    array is not inputs[name]
                    or plain(array) is not array
                    or self._apart([array])[0] is not array
                ):
                    kind = self.inputs[name]
                    raise InputError(
                        f"bind reads arrays where they lie, and input {name!r} must be copied for that; give a "
                        f"contiguous {kind.dtype} array of its own"
                    ).located(self.name)
            ready = self._tables_for(sizes)
            serial = max(ready.bound.tiles, default=0) <= 1
            run = self._loaded.prepared(ready.address, ready.steps, ready.guards.address, serial=serial)
            ordered = [arrays[known.name] for known in ready.inputs]
            return BoundCall(self, ready, ordered, self._store.lock, run)

    def _apart(self, arrays: list[Array]) -> list[Array]:
        """``arrays``, those copied that are views of parameters which this call updates in place."""
        for array in arrays:
            if array.base is not None and self._near(array):
                return self._copied(arrays)
        return arrays

    def _copied(self, arrays: list[Array]) -> list[Array]:
        shared = (any(np.may_share_memory(array, each) for each in self._updated) for array in arrays)
        return [array.copy() if copy else array for array, copy in zip(arrays, shared, strict=True)]

    def _near(self, array: Array) -> bool:
        """Whether ``array`` lies where updated parameters may be: a look that costs less than asking each."""
        low, high = self._span
        return low - array.nbytes < address_of(array) < high

    def _prepare(self, inputs: Mapping[str, Any]) -> tuple[Ready, list[Array]]:
        """Check and convert arrays of new shapes, and bind the sizes that they give."""
        arrays, sizes = self._binder(inputs)
        ready = self._bounds.get(tuple(sizes.values())) or self._bind(sizes)
        return ready, [plain(arrays[known.name]) for known in ready.inputs]

    def _bind(self, sizes: Mapping[str, int]) -> Ready:
        """Tables for new sizes, remembered."""
        ready = self._tables_for(sizes)
        while len(self._bounds) >= MOST_BOUND:
            del self._bounds[next(iter(self._bounds))]
        self._bounds[tuple(sizes.values())] = ready
        return ready

    def _tables_for(self, sizes: Mapping[str, int]) -> Ready:
        """No compilation, only arithmetic."""
        self._size_checks(sizes)
        self._check_indexed(sizes)
        bound = self._bound_tables(sizes)
        if bound.plan.peak + 64 > self._arena.nbytes:
            self._arena = aligned(bound.plan.peak + 64)
            self.arena_address = self._arena.ctypes.data
            for other in self._bounds.values():
                other.bound.place(self.arena_address)
        bound.place(self.arena_address)
        for slot, address in self._fixed.items():
            bound.slots[slot] = address
        taken = tuple(self._taken(name, kind, sizes) for name, kind in self.inputs.items())
        outputs, checks = output_buffers(self._outputs, bound, sizes), self._checks(sizes)
        guards = Guards(bound, taken, checks)
        return Ready(bound, bound.address, bound.count, taken, outputs, checks, guards)

    def _bound_tables(self, sizes: Mapping[str, int]) -> Bound:
        """Raise ``CapacityError`` for sizes at which temporaries and outputs are more than this machine has."""
        try:
            bound = self._tables.bind(sizes)
            outputs = (dim_evaluate(o.type.size, sizes) * o.type.dtype.itemsize for o in self._outputs)
            require(bound.plan.peak + sum(outputs), "temporaries and outputs")
        except CapacityError as error:
            where = ", ".join(f"{name}={size}" for name, size in sizes.items())
            raise error.located(f"{self.name} with {where}" if where else self.name) from None
        return bound

    def _check_indexed(self, sizes: Mapping[str, int]) -> None:
        for check in self._index_checks:
            if not check.name and dim_evaluate(check.count, sizes):
                check.require(dim_evaluate(check.size, sizes))

    def _taken(self, name: str, kind: Type, sizes: Mapping[str, int]) -> Taken:
        shape = tuple(dim_evaluate(d, sizes) for d in kind.shape)
        return Taken(name, kind.dtype.numpy, shape, self._input_slots.get(name, -1))

    def _checks(self, sizes: Mapping[str, int]) -> tuple[tuple[int, IndexCheck, int], ...]:
        names = list(self.inputs)
        named = [c for c in self._index_checks if c.name]
        return tuple((names.index(c.name), c, dim_evaluate(c.size, sizes)) for c in named)

    def profile(self, /, **inputs: Any) -> Profile:
        """Time of each kernel beside its roofline, measured on ``inputs``; ``print`` it.

        Steps run one by one, on all threads, for some tenths of a second. Kernels work on copies of parameters and
        states, so nothing changes. What the host can do is measured when it is first asked for. Raises as a call does.

        >>> import graphc as gc
        >>> g = gc.Graph("square")
        >>> x = g.input("x", ("N",))
        >>> profile = gc.compile({"y": gc.sum(x * x)}).profile(x=np.ones(1000, np.float32))
        >>> profile.kernels[0].flops
        2000
        """
        host = machine.this()
        with self._store.lock:
            ready, arrays = self._prepare(inputs)
            ready.check(arrays)
            for known, array in zip(ready.inputs, arrays, strict=True):
                if known.slot >= 0:
                    ready.bound.slots[known.slot] = address_of(array)
            made = ready.results()
            with lent(ready.bound.slots, self._stored_arrays()):
                seconds, call = step_seconds(self._loaded, ready.address, ready.steps)
            ready.finish(made)
        sizes = self._binder(inputs)[1]
        env, _, _ = self._tables.cut(dict(sizes))
        runs = run_order(self._module.steps, self._tables.runs(env))
        by_step = [float(seconds[positions].sum()) for positions in runs]
        storages = self._schedule.storages
        used = working_set(storages, env, ready.bound.plan.peak)
        rows = kernel_times(self._module, storages, env, by_step, host, used)
        return Profile(self.name, sizes, threads.count(), tuple(rows), call, used, host)

    def debug(self, /, **inputs: Any) -> Diagnosis:
        """Which value stops being finite first in a call with ``inputs``; ``print`` it. Nothing changes.

        A second program, compiled on first use, finds the extrema of every value, also of updates and in each step of
        loops. Values without effect, such as what ``gc.where`` did not choose, are passed over. Raises as a call does.

        >>> import graphc as gc
        >>> x = gc.Graph("likelihood").input("p", ("N",))
        >>> found = gc.compile({"h": -gc.mean(gc.log(x))}).debug(p=[0.5, 0.5, 0.0])
        >>> print(found.first.value, "reads", found.first.operands[0])
        %1 = log(p): f32[N], from -inf to -0.693147 reads p: f32[N], from 0 to 0.5
        """
        if self._debugger is None:
            self._debugger = Debugger(self.name, self._cone, self._beside)
        return self._debugger(inputs, self._binder(inputs)[1])

    def _beside(self, cone: Cone, made: Lowered) -> Program:
        """A program with the inputs and on the store of this one."""
        return Program(self.stages, cone, made.schedule, made.module, self._store, made.checks)

    def _stored_arrays(self) -> dict[int, Array]:
        """The arrays of parameters and states by storage."""
        stored = (s for s in self._schedule.storages if s.kind in ("param", "state"))
        return {s.number: self._store.arrays[_leaf_name(self._schedule, s.value)] for s in stored}

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
        """What each pass did, what is shared, which kernels run, and the memory plan of the last call."""
        plan = None if self._last is None else self._last.bound.plan
        return Report.of(self.stages, self._module, self._schedule, plan)

    @property
    def cone(self) -> Cone:
        """The declared graph that was compiled."""
        return self.stages["declared"]

    @property
    def kernel_plan(self) -> KernelPlan:
        """The kernels as a drawing sees them."""
        return kernel_plan(self._module, self._schedule, self.name)

    def draw(
        self,
        path: Any = None,
        *,
        view: Literal["forward", "backward", "both", "kernels"] = "kernels",
        **options: Any,
    ) -> Drawing:
        """A drawing of the program: its kernels, or its graph by ``view="forward"`` or ``"backward"``."""
        return draw(self, path, view=view, **options)

    def save(self, path: PathLike) -> Path:
        """Write the program, its parameters and states into a safetensors file, whole or not at all, and give its path.

        ``gc.load`` makes the same program of it. Raises ``CheckpointError`` for constants too large for text.
        """
        with self._store.lock:
            return save(self.stages, self.params, self.states, path)

    def __repr__(self) -> str:
        return (
            f"<Program {self.name!r}: {len(self._module.steps)} steps, {len(self._module.kernels)} kernels>"
        )


def _leaf_name(schedule: Schedule, value: int) -> str:
    node = schedule.program.values[value].node
    return str(schedule.program.graph.nodes[node].param["name"])
