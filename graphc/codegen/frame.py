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
    """The memory of a storage, as an argument of a kernel."""

    storage: int


Argument = (
    Buffer | Size
)  # what one word of an argument block says: where memory begins, or how large something is


@dataclass(frozen=True, slots=True)
class KernelText:
    """The body of a kernel, what its argument block holds, in order, and how many subexpressions it computes once
    though several statements use them."""

    body: str
    arguments: tuple[Argument, ...]
    repeated: int = 0


class Frame:
    """Collects the lines of a kernel; buffers and sizes become arguments when they are first named."""

    def __init__(self, schedule: Schedule, kernel: Kernel) -> None:
        self.schedule = schedule
        self.lines: list[str] = []
        self.depth = 1
        self.arguments: dict[Argument, str] = {}
        self.written = {
            schedule.storage_of[n.number] for n in kernel.nests if n.number in schedule.storage_of
        }
        self.names: Counter[str] = Counter()
        self.repeated = 0

    def text(self) -> KernelText:
        return KernelText("\n".join([*self._header(), *self.lines]), tuple(self.arguments), self.repeated)

    def _header(self) -> Iterator[str]:
        for position, (what, name) in enumerate(self.arguments.items()):
            if isinstance(what, Buffer):
                yield f"    {name} = {self.schedule.storages[what.storage].dtype.short}_buffer(args, {position})"
            else:
                yield f"    {name} = size(args, {position})"

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

    def buffer(self, value: int) -> str:
        """The buffer that holds ``value``."""
        storage = self.schedule.storage_of[value]
        return self._argument(Buffer(storage), "y" if storage in self.written else "x")

    def size(self, dim: Dim) -> str:
        """``dim`` as an expression: a literal or an argument."""
        return str(dim) if isinstance(dim, int) else self._argument(dim, "n")

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
    return " + ".join(t for t in terms if t != "0") or "0"


__all__ = ["Argument", "Buffer", "Frame", "KernelText", "sum_of"]
