"""The frame of a kernel's text: lines, locals and the argument block.

Buffers are ``x0, x1 ...`` where only read and ``y0, y1 ...`` where written, sizes are ``n0, n1 ...``, each in the order
of first use. Nothing in the text says which layer it serves, so equal kernels are equal texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from graphc.lower.kernels import Kernel
from graphc.lower.schedule import Schedule
from graphc.size import Size
from graphc.types import Dim


@dataclass(frozen=True, slots=True)
class Buffer:
    """The memory of a storage, as an argument of a kernel, from element ``start`` on."""

    storage: int
    start: Dim = 0

    @property
    def words(self) -> int:
        """How many words of an argument block it takes."""
        return 1 if self.start == 0 else 2


# What an argument block says: where memory begins, how large something is, or a number too long to stand in the text.
Argument = Buffer | Size | int


@dataclass(frozen=True, slots=True)
class KernelText:
    """The body of a kernel, what its argument block holds, in order, how many bytes that is, and how many
    subexpressions it computes once though several statements use them."""

    body: str
    arguments: tuple[Argument, ...]
    bytes: Dim = 0
    repeated: int = 0


class Frame:
    """Collects the lines of a kernel; buffers and sizes become arguments when they are first named."""

    def __init__(self, schedule: Schedule, kernel: Kernel) -> None:
        self.schedule = schedule
        self.lines: list[str] = []
        self.depth = 1
        self.arguments: dict[Argument, str] = {}
        self.extents: dict[Buffer, Dim] = {}  # bytes
        self.written = {self._place(n.number) for n in kernel.nests if n.number in schedule.storage_of}
        self.names: Counter[str] = Counter()
        self.blocks: dict[int, tuple[str, int]] = {}  # rows of products that a call keeps: name and elements
        self.repeated = 0

    def text(self) -> KernelText:
        body, moved = "\n".join([*self._header(), *self.lines]), sum(self.extents.values(), start=0)
        return KernelText(body, tuple(self.arguments), moved, self.repeated)

    def _header(self) -> Iterator[str]:
        position = 0
        for what, name in self.arguments.items():
            if not isinstance(what, Buffer):
                yield f"    {name} = size(args, {position})"
            else:
                buffer = f"{self.schedule.storages[what.storage].dtype.short}_buffer"
                yield f"    {name} = {buffer}{'_from' if what.words > 1 else ''}(args, {position})"
            position += what.words if isinstance(what, Buffer) else 1
        for number, (value, (name, count)) in enumerate(self.blocks.items(), position):
            dtype = self.schedule.program.values[value].dtype
            yield f"    {name} = {dtype.short}_block({number}, {count})"

    def put(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    @contextmanager
    def block(self, line: str) -> Generator[None]:
        """What is put inside is indented under ``line``."""
        self.put(line)
        self.depth += 1
        yield
        self.depth -= 1

    def fresh(self, prefix: str) -> str:
        """A local that no other line uses."""
        self.names[prefix] += 1
        return f"{prefix}{self.names[prefix] - 1}"

    def keep_rows(self, value: int, count: int) -> None:
        """Let a call keep its rows of ``value``, which have at most ``count`` elements, in room of its own."""
        self.blocks[value] = self.fresh("b"), count

    def buffer(self, value: int) -> str:
        """The buffer that holds ``value``."""
        if value in self.blocks:
            return self.blocks[value][0]
        place = self._place(value)
        storage = self.schedule.storages[place.storage]
        part = self.schedule.program.values[value]
        self.extents[place] = (part.size if part.source >= 0 else storage.size) * storage.dtype.itemsize
        return self._argument(place, "y" if place in self.written else "x")

    def _place(self, value: int) -> Buffer:
        return Buffer(self.schedule.storage_of[value], self.schedule.program.memory(value)[1])

    def size(self, dim: Dim) -> str:
        """``dim`` as an expression: a literal or an argument."""
        return str(dim) if isinstance(dim, int) else self._argument(dim, "n")

    def number(self, value: int) -> str:
        """``value`` as an argument: kernels that differ in it alone, as in the keys of random draws, are one."""
        return self._argument(value, "k")

    def _argument(self, what: Argument, prefix: str) -> str:
        if what not in self.arguments:
            self.arguments[what] = self.fresh(prefix)
        return self.arguments[what]

    def times(self, text: str, factor: Dim) -> str:
        """``text * factor``, shortened where either is trivial."""
        if factor == 0 or text == "0":
            return "0"
        return text if factor == 1 else f"{text} * {self.size(factor)}"


def sum_of(terms: Sequence[str]) -> str:
    """The sum of ``terms`` as an expression, without those that are 0."""
    return " + ".join(t for t in terms if t != "0").replace("+ -", "- ") or "0"


__all__ = ["Argument", "Buffer", "Frame", "KernelText", "sum_of"]
