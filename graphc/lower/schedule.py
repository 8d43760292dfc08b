"""The schedule: kernels in order, and which memory each value lives in.

Updates are written in place: the kernel that computes the next value of a parameter runs after every other reader
of the old one and overwrites it element by element. Where no order allows that, the new value is computed aside and
copied by a last step. Temporaries take over the memory of a value that dies in the kernel that computes them, on
the same terms.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from graphc.loops import Load, Loop, identity
from graphc.lower.axes import is_identity
from graphc.lower.fuse import Group, Nest, as_nest, tiles_symbol
from graphc.lower.kernels import Kernel, arrange
from graphc.lower.order import Order
from graphc.lower.regions import Region
from graphc.lower.values import NestProgram, Value, path_of
from graphc.size import symbol
from graphc.types import Dim, DType, product

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Storage:
    """A piece of memory: a leaf's, an output's, or a temporary in the arena alive from step ``first`` to ``last``."""

    number: int
    kind: str  # input, param, state, const, output, temporary
    dtype: DType
    size: Dim  # elements
    value: int
    first: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """Kernels in execution order; ``storage_of`` maps values (and scratch rows) to storages."""

    program: NestProgram
    kernels: tuple[Kernel, ...]
    storages: tuple[Storage, ...]
    storage_of: Mapping[int, int]

    def __str__(self) -> str:
        lines: list[str] = []
        before: tuple[Region, ...] = ()
        for step, kernel in enumerate(self.kernels):
            path = path_of(kernel.nests[0].value)
            lines += [f"{'  ' * k}{region}:" for k, region in enumerate(path) if region not in before]
            members = ", ".join(f"v{n.number}:{kernel.place[n.number]}" for n in kernel.nests)
            rows = ",".join(map(str, kernel.group.rows))
            lines.append(f"{'  ' * len(path)}step {step}: rows ({rows}): {members}")
            before = path
        lines += [
            f"m{s.number}: {s.kind} {s.dtype.short}[{s.size}] for v{s.value}, steps {s.first} to {s.last}"
            for s in self.storages
        ]
        return "\n".join(lines)


def schedule(program: NestProgram, groups: Sequence[Group]) -> Schedule:
    """Order ``groups``, decide what is written in place, arrange each kernel and give every value its memory."""
    return _Scheduler(program, groups).run()


class _Scheduler:
    def __init__(self, program: NestProgram, groups: Sequence[Group]) -> None:
        self.program = program
        self.groups = list(groups)
        self.order = Order(program)
        self.group_of = {n.number: k for k, g in enumerate(groups) for n in g.nests}
        self.readers: dict[int, set[int]] = {}  # root value -> groups that read it
        for k, group in enumerate(groups):
            self.note_reads(k, group)
        self.after: dict[int, set[int]] = {k: self.dependencies(g) for k, g in enumerate(groups)}
        self.overwrites: dict[int, int] = {}  # value -> leaf or dying temporary whose memory it takes
        self.outputs = {program.root(k) for k in program.outputs.values()}

    def note_reads(self, number: int, group: Group) -> None:
        for source in group.reads():
            self.readers.setdefault(self.program.root(source), set()).add(number)

    def dependencies(self, group: Group) -> set[int]:
        before = {self.group_of[k] for n in group.nests for k in self.order.before(n.value)}
        return before - {self.group_of[group.nests[0].number]}

    def whole(self, numbers: Iterable[int], outside: Group) -> set[int]:
        """Groups ``numbers`` and, of loops in which ``outside`` does not run, all groups of the loop."""
        values = [self.groups[k].nests[0].value for k in numbers]
        return {*numbers, *(self.group_of[n] for n in self.order.whole(values, outside.nests[0].value))}

    def run(self) -> Schedule:
        for leaf, value in self.program.updates.items():
            self.place_update(leaf, value)
        order = self.in_turn(range(len(self.groups)))
        self.groups = [self.groups[k] for k in order]
        position = {k: step for step, k in enumerate(order)}
        self.group_of = {v: position[k] for v, k in self.group_of.items()}
        self.readers = {v: {position[k] for k in ks} for v, ks in self.readers.items()}
        self.reuse_dying()
        kernels = tuple(
            arrange(g, self.stored(step, g), self.overwrites) for step, g in enumerate(self.groups)
        )
        return _Memory(self.program, kernels, self.overwrites, self.readers).run()

    # ---------------------------------------------------------------------------------------- updates

    def place_update(self, leaf: int, value: int) -> None:
        if not self.in_place(leaf, value):
            self.copy_at_end(leaf, value)

    def in_place(self, leaf: int, value: int) -> bool:
        """Try to let the kernel of ``value`` overwrite ``leaf``, after all other readers of it."""
        if self.program.root(value) != value or value in self.outputs or value in self.overwrites:
            return False
        writer = self.group_of[value]
        self.groups[writer] = _behind_readers(self.groups[writer], value, leaf)
        if not self.may_overwrite(value, leaf):
            return False
        others = self.readers.get(leaf, set()) - {writer}
        if any(self.reaches(writer, other) for other in others):
            return False
        self.after[writer] |= self.whole(others, self.groups[writer])
        self.overwrites[value] = leaf
        return True

    def may_overwrite(self, value: int, old: int) -> bool:
        """Whether ``value``, computed element by element, reads ``old`` only at the element it writes."""
        group = self.groups[self.group_of[value]]
        nest = next(n for n in group.nests if n.number == value)
        if nest.loop.combine or nest.loop.scatter is not None:
            return self.untouched(group, old) and nest.product is None
        return all(self.reads_own_element(n, old) for n in group.nests) and self.no_later_reader(
            group, value, old
        )

    def untouched(self, group: Group, old: int) -> bool:
        return all(self.program.root(s) != old for n in group.nests for s in _sources(n))

    def reads_own_element(self, nest: Nest, old: int) -> bool:
        for load in nest.loop.loads():
            if self.program.root(load.source) != old:
                continue
            if (
                load.source != old
                or nest.loop.combine
                or not is_identity(load.index, nest.order)
                or len(load.index) != len(nest.order)
            ):
                return False
        return True

    def no_later_reader(self, group: Group, value: int, old: int) -> bool:
        last = max(k for k, n in enumerate(group.nests) if n.number == value or old in _sources(n))
        return group.nests[last].number == value

    def reaches(self, start: int, target: int) -> bool:
        """Whether group ``target`` depends on group ``start``."""
        stack, seen = [target], set[int]()
        while stack:
            k = stack.pop()
            if k == start:
                return True
            if k not in seen:
                seen.add(k)
                stack.extend(self.after[k])
        return False

    def copy_at_end(self, leaf: int, value: int) -> None:
        source, number = self.program.values[value], len(self.program.values)
        load = Load(value, identity(len(source.shape)), source.dtype)
        loop = Loop(axes=source.shape, expr=load, dtype=source.dtype)
        copy = Value(number, source.node, source.dtype, source.shape, "nest", loop)
        self.program = replace(self.program, values=(*self.program.values, copy))
        nest = as_nest(copy, [v.shape for v in self.program.values])
        group, k = Group((nest,), nest.row_sizes()), len(self.groups)
        self.groups.append(group)
        self.group_of[number] = k
        self.after[k] = self.dependencies(group) | self.whole(self.readers.get(leaf, set()), group)
        self.note_reads(k, group)
        self.overwrites[number] = leaf

    # ------------------------------------------------------------------------------------------ order

    def in_turn(self, members: Iterable[int], depth: int = 0) -> list[int]:
        """Groups in dependency order, those of a loop together; among the ready ones, the earliest declared first."""
        units: dict[int | Region, list[int]] = {}
        for k in members:
            path = path_of(self.groups[k].nests[0].value)
            units.setdefault(path[depth] if len(path) > depth else k, []).append(k)
        unit_of = {k: unit for unit, ks in units.items() for k in ks}
        waiting = {
            unit: {unit_of[b] for k in ks for b in self.after[k] if b in unit_of} - {unit}
            for unit, ks in units.items()
        }
        order: list[int] = []
        for unit in _topological(waiting, {u: self.declared(ks) for u, ks in units.items()}):
            order += [unit] if isinstance(unit, int) else self.in_turn(units[unit], depth + 1)
        return order

    def declared(self, groups: Iterable[int]) -> int:
        return min(self.groups[k].nests[-1].number for k in groups)

    # ------------------------------------------------------------------------------------------- memory

    def stored(self, step: int, group: Group) -> frozenset[int]:
        """The values of ``group`` that someone outside it needs."""
        updated = {self.program.root(k) for k in self.program.updates.values()}
        wanted = self.outputs | set(self.overwrites) | updated
        return frozenset(
            n.number
            for n in group.nests
            if n.number in wanted or n.value.source >= 0 or self.readers.get(n.number, set()) - {step}
        )

    def reuse_dying(self) -> None:
        """Let values take over the memory of a temporary of equal size whose last reader is their own kernel."""
        for step, group in enumerate(self.groups):
            kept = self.stored(step, group)
            taken: set[int] = set()
            for nest in group.nests:
                fixed = (
                    nest.number in self.overwrites or nest.number in self.outputs or nest.value.source >= 0
                )
                if nest.number not in kept or fixed:
                    continue
                dying = self.dying(step, nest, taken)
                if dying is not None:
                    self.overwrites[nest.number] = dying
                    taken.add(dying)

    def dying(self, step: int, nest: Nest, taken: set[int]) -> int | None:
        for source in dict.fromkeys(_sources(nest)):
            value = self.program.values[source]
            if value.kind != "nest" or source in taken or source in self.outputs or source in self.overwrites:
                continue
            if value.source >= 0 or value.region != nest.value.region:  # the next step reads it again
                continue
            last = max(self.readers.get(source, {-1})) == step and self.group_of[source] != step
            same = value.size == nest.value.size and value.dtype is nest.value.dtype
            if last and same and not nest.loop.combine and self.may_overwrite(nest.number, source):
                return source
        return None


def _topological(waiting: Mapping[T, set[T]], declared: Mapping[T, int]) -> list[T]:
    """The keys of ``waiting``, each behind those that it waits for."""
    left = {unit: set(before) for unit, before in waiting.items()}
    users: dict[T, list[T]] = {}
    for unit, before in waiting.items():
        for b in before:
            users.setdefault(b, []).append(unit)
    number = {unit: k for k, unit in enumerate(waiting)}
    units = list(waiting)
    ready = [(declared[unit], number[unit]) for unit, before in left.items() if not before]
    heapq.heapify(ready)
    order: list[T] = []
    while ready:
        unit = units[heapq.heappop(ready)[1]]
        order.append(unit)
        for user in users.get(unit, ()):
            left[user].discard(unit)
            if not left[user]:
                heapq.heappush(ready, (declared[user], number[user]))
    assert len(order) == len(waiting), "fusion made a cycle"
    return order


def _sources(nest: Nest) -> list[int]:
    return [load.source for load in nest.loop.loads()]


def _behind_readers(group: Group, value: int, old: int) -> Group:
    """``group`` with ``value`` computed after the last nest that reads ``old``, if none of those before reads it."""
    nests = group.nests
    at = next(k for k, n in enumerate(nests) if n.number == value)
    last = max((k for k, n in enumerate(nests) if old in _sources(n)), default=at)
    between = nests[at + 1 : last + 1]
    if not between or any(value in _sources(n) for n in between):
        return group
    return replace(group, nests=(*nests[:at], *between, nests[at], *nests[last + 1 :]))


class _Memory:
    """Gives values storages and temporaries their lifetimes."""

    def __init__(
        self,
        program: NestProgram,
        kernels: Sequence[Kernel],
        overwrites: Mapping[int, int],
        readers: Mapping[int, set[int]],
    ) -> None:
        self.program = program
        self.kernels = tuple(kernels)
        self.overwrites = overwrites
        self.readers = readers
        self.storages: list[Storage] = []
        self.storage_of: dict[int, int] = {}
        self.loops: dict[Region, tuple[int, int]] = {}  # the first and last step of each loop
        for step, kernel in enumerate(kernels):
            for region in path_of(kernel.nests[0].value):
                self.loops[region] = (self.loops.get(region, (step, step))[0], step)

    def run(self) -> Schedule:
        for value in self.program.values:
            if value.kind == "stack":
                self.give_stack(value)
            elif value.loop is None and value.kind != "view":
                self.give(value.number, value.kind, value.size, value.dtype)
        for step, kernel in enumerate(self.kernels):
            for nest in kernel.nests:
                self.place(step, kernel, nest)
        for value in self.program.values:
            if value.kind == "view":
                self.storage_of[value.number] = self.storage_of[self.program.root(value.number)]
        return Schedule(self.program, self.kernels, tuple(self.storages), self.storage_of)

    def give_stack(self, stack: Value) -> None:
        """The memory of a loop's stack, alive from the first carry, or the first step, to the last reader."""
        writers = (
            k for k, kernel in enumerate(self.kernels) for n in kernel.nests if n.value.source == stack.number
        )
        around = path_of(stack)[:-1]
        spans = [self.span(k, around) for k in (*writers, *self.readers.get(stack.number, ()))]
        kind = "output" if stack.number in self.roots_of_outputs() else "temporary"
        first, last = min(first for first, _ in spans), max(last for _, last in spans)
        self.give(stack.number, kind, stack.size, stack.dtype, first, last)

    def span(self, step: int, around: Sequence[Region]) -> tuple[int, int]:
        """The steps through which what ``step`` uses must live, if it lives within the loops ``around``: the step, or
        all of the loop that repeats it."""
        inner = [r for r in path_of(self.kernels[step].nests[0].value) if r not in around]
        return self.loops[inner[0]] if inner else (step, step)

    def place(self, step: int, kernel: Kernel, nest: Nest) -> None:
        number, place = nest.number, kernel.place[nest.number]
        if place in ("register", "again", "block"):
            return
        around = path_of(nest.value)
        last = max(self.span(k, around)[1] for k in {*self.readers.get(number, ()), step})
        if nest.value.source >= 0:
            self.storage_of[number] = self.storage_of[nest.value.source]
        elif number in self.overwrites:
            self.storage_of[number] = self.storage_of[self.overwrites[number]]
            self.extend(self.storage_of[number], last)
        elif number in self.roots_of_outputs():
            self.give(number, "output", nest.value.size, nest.value.dtype, step, last)
        else:
            self.give(number, "temporary", self.extent(kernel, nest, place), nest.value.dtype, step, last)

    def roots_of_outputs(self) -> set[int]:
        return {self.program.root(k) for k in self.program.outputs.values()}

    def extent(self, kernel: Kernel, nest: Nest, place: str) -> Dim:
        if place == "memory":
            return nest.value.size
        return symbol(kernel.group.tiles[0]) * product(nest.value.shape[len(kernel.group.rows) :])

    def give(self, value: int, kind: str, size: Dim, dtype: DType, first: int = 0, last: int = 0) -> None:
        self.storage_of[value] = len(self.storages)
        self.storages.append(Storage(len(self.storages), kind, dtype, size, value, first, last))

    def extend(self, storage: int, last: int) -> None:
        old = self.storages[storage]
        self.storages[storage] = replace(old, last=max(old.last, last))


__all__ = ["Schedule", "Storage", "schedule", "tiles_symbol"]
