"""What must have run before what: values read, and loops as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphc.lower.regions import Region
from graphc.lower.values import NestProgram, Value, is_inside, path_of, sources


class Order:
    """Which nests must have run before a nest: those that it reads, and for the nests of a loop, all that any of them
    needs from outside, since a loop runs as a whole."""

    def __init__(self, program: NestProgram) -> None:
        self.program = program
        self.writers: dict[int, list[int]] = {}
        self.members: dict[Region, list[int]] = {}
        self.entering: dict[Region, set[int]] = {}
        computed = [v for v in program.values if v.loop is not None]
        for value in computed:
            if value.source >= 0:
                self.writers.setdefault(value.source, []).append(value.number)
            for region in path_of(value):
                self.members.setdefault(region, []).append(value.number)
        for value in computed:
            for before in self._read(value) if value.region is not None else ():
                for region in path_of(value):
                    if not is_inside(program.values[before], region):
                        self.entering.setdefault(region, set()).add(before)

    def before(self, value: Value) -> set[int]:
        """The nests that ``value`` waits for."""
        found = set(self._read(value))
        for region in path_of(value):
            found |= self.entering.get(region, set())
        return found | self.whole((self.program.values[k] for k in found), value)

    def whole(self, values: Iterable[Value], outside: Value) -> set[int]:
        """All nests of the loops in which one of ``values`` runs and ``outside`` does not."""
        regions = {r for value in values for r in path_of(value) if not is_inside(outside, r)}
        return {k for region in regions for k in self.members[region]}

    def _read(self, value: Value) -> Iterator[int]:
        """The nests whose results ``value`` reads, and, where a step writes a stack, what wrote it before the loop."""
        for source in sources(value):
            root = self.program.values[self.program.root(source)]
            if root.loop is not None:
                yield root.number
            elif root.kind == "stack":
                yield from self._written(root, value)
        if value.source >= 0 and is_inside(value, self.program.values[value.source].region):
            yield from self._written(self.program.values[value.source], value)

    def _written(self, stack: Value, reader: Value) -> Iterator[int]:
        """What fills ``stack`` before ``reader``: to a step of the loop, that is not what the steps leave there."""
        within = is_inside(reader, stack.region)
        writers = (self.program.values[n] for n in self.writers[stack.number])
        yield from (w.number for w in writers if not (within and is_inside(w, stack.region)))


__all__ = ["Order"]
