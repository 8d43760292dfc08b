"""One kernel as text: a serial Python function over rows ``lo`` to ``hi`` in the language of the runtime.

Matrix products and row loops in turn; inside a row, the inner loops that the lowering chose, with the registers and
rows of sums that their reductions need.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager

from graphc.codegen.access import Access, canonical
from graphc.codegen.collapse import Collapse
from graphc.codegen.frame import Frame, KernelText, sum_of
from graphc.codegen.products import write_product
from graphc.codegen.ranges import parts
from graphc.codegen.scalar import constant, identity_element
from graphc.codegen.sorts import write_sort
from graphc.codegen.statements import Statements
from graphc.lower.fuse import Nest
from graphc.lower.kernels import BLOCK, Addition, Inner, Kernel, Product, Rows, Sort, inner_axes, row_bytes
from graphc.lower.schedule import Schedule
from graphc.size import symbol
from graphc.types import Dim, product


def write_kernel(schedule: Schedule, kernel: Kernel) -> KernelText:
    """The text of ``kernel`` and its argument block."""
    return _KernelWriter(schedule, kernel).write()


class _KernelWriter:
    def __init__(self, schedule: Schedule, kernel: Kernel) -> None:
        self.kernel = kernel
        self.rows = len(kernel.group.rows)
        self.frame = Frame(schedule, kernel)
        self.access = Access(self.frame, kernel)
        self.collapse = Collapse(kernel, schedule.program.values)
        self.statements = Statements(self.frame, self.access, kernel)
        self.put, self.size = self.frame.put, self.frame.size

    def write(self) -> KernelText:
        for segment in self.kernel.segments:
            self.access.row_scalars = {}  # a register lives as long as the row; other segments read memory
            if isinstance(segment, Product):
                self.product(segment.nest)
            elif isinstance(segment, Addition):
                write_product(self.frame, segment.nest, self.rows, "lo", "hi", segment)
            elif isinstance(segment, Sort):
                write_sort(self.frame, segment.nest, self.rows)
            else:
                self.row_segment(segment)
        return self.frame.text()

    def product(self, nest: Nest) -> None:
        if self.kernel.place[nest.number] == "block":
            size = row_bytes(nest, self.rows)
            self.frame.keep_rows(nest.number, BLOCK // size * size // nest.loop.dtype.itemsize)
        if not nest.partial:
            write_product(self.frame, nest, self.rows, "lo", "hi")
            return
        with self.each_tile() as (first, end):
            self.start_partial(nest)
            write_product(self.frame, nest, self.rows, first, end)

    # ----------------------------------------------------------------------------------------- row loops

    def row_segment(self, segment: Rows) -> None:
        if any(n.partial for n in segment.nests):
            self.tiles_of_rows(segment)
            return
        if any(self.kernel.place[n.number] == "scratch" for n in segment.nests):
            self.name_once("tile", self.tile_at("lo"))
        self.rows_between("lo", "hi", segment, {})

    @contextmanager
    def each_tile(self) -> Generator[tuple[str, str]]:
        """Tile by tile, since partial results belong to a tile however many of them one call takes: its rows."""
        self.name_once("tile_end", self.tile_at("hi"))
        with self.frame.block(f"for tile in range({self.tile_at('lo')}, tile_end):"):
            rows, count = self.size(product(self.kernel.group.rows)), self.tile_count()
            first, end = (f"quotient({tile} * {rows}, {count})" for tile in ("tile", "(tile + 1)"))
            yield first, end

    def tiles_of_rows(self, segment: Rows) -> None:
        partials = [n for n in segment.nests if n.partial]
        with self.each_tile() as (first, end):
            totals = {n.number: self.start_partial(n) for n in partials}
            self.rows_between(first, end, segment, totals)
            for nest in partials:
                if totals[nest.number]:
                    self.put(f"{self.frame.buffer(nest.number)}[tile] = {totals[nest.number]}")

    def rows_between(self, first: str, end: str, segment: Rows, totals: Mapping[int, str]) -> None:
        if self.collapse.is_flat(segment):
            self.flat_loop(segment.inners[0], first, end)
        elif self.rows:
            with self.frame.block(f"for i in range({first}, {end}):"):
                self.inner_loops(segment, totals)
        else:
            self.inner_loops(segment, totals)

    def name_once(self, name: str, value: str) -> None:
        if name not in self.frame.names:
            self.frame.names[name] += 1
            self.put(f"{name} = {value}")

    def tile_count(self) -> str:
        return self.size(symbol(self.kernel.group.tiles[0]))

    def tile_at(self, row: str) -> str:
        """The tile that begins at ``row``: the inverse of how tiles are cut."""
        rows = self.size(product(self.kernel.group.rows))
        return f"quotient({row} * {self.tile_count()} + {rows} - 1, {rows})"

    def start_partial(self, nest: Nest) -> str:
        """A register for a partial scalar, or the tile's row of partial results set to the identity element."""
        if not nest.loop.axes:
            return self.begin(nest)
        count = product(nest.loop.axes)
        self.fill(nest, [f"tile * {self.size(count)}"], count)
        return ""

    def flat_loop(self, inner: Inner, first: str, end: str) -> None:
        self.access.loops, self.access.elements, self.access.flat = (), {}, True
        count = self.size(product(inner.sizes))
        with self.frame.block(f"for i in range({first} * {count}, {end} * {count}):"):
            self.statements.write(inner, {})
        self.access.flat = False

    # --------------------------------------------------------------------------------------- inner loops

    def inner_loops(self, segment: Rows, totals: Mapping[int, str]) -> None:
        for inner in segment.inners:
            self.access.elements = {}
            self.access.loops = self.collapse.groups(inner)
            self.clear_sums(inner)
            self.level(inner, 0, totals)

    def level(self, inner: Inner, depth: int, totals: Mapping[int, str]) -> None:
        """The loops from ``depth`` inwards, with the registers of reductions that begin here."""
        begun = [n for n in inner.nests if self.begins_at(n, depth)]
        registers = {n.number: self.begin(n) for n in begun}
        if depth == len(self.access.loops):
            self.statements.write(inner, totals)
            return
        self.access.sums = {n.number: self.start_sum(n) for n in inner.nests if self.runs_at(n, depth)}
        for loop in self.loops_at(inner, depth):
            with self.frame.block(loop):
                self.level(inner, depth + 1, {**totals, **registers})
        for nest in begun:
            self.statements.keep(nest, registers[nest.number])

    def loops_at(self, inner: Inner, depth: int) -> Iterator[str]:
        """The heads of the loops at ``depth``: one, or as many as conditions on its index cut it into."""
        group = self.access.loops[depth]
        extent = product(inner.sizes[p] for p in group)
        if len(group) > 1 or not isinstance(extent, int):
            yield f"for j{depth} in range({self.size(extent)}):"
            return
        axis = self.rows + min(group)
        for first, end in parts((canonical(n, n.loop.expr) for n in inner.nests), axis, extent):
            self.access.known[depth] = axis, (first, end)
            yield f"for j{depth} in range({f'{first}, ' if first else ''}{end}):"
        self.access.known.pop(depth, None)

    # ---------------------------------------------------------------------------------------- reductions

    def begins_at(self, nest: Nest, depth: int) -> bool:
        """Whether the loop at ``depth`` is the outermost one over which ``nest`` reduces into a register."""
        if not nest.loop.combine or nest.partial or nest.loop.scatter is not None or self.in_memory(nest):
            return False
        reduced = self.reduces(nest)
        first = reduced.index(True) if True in reduced else -1
        starts = (d for d, group in enumerate(self.access.loops) if group[0] == first)
        return next(starts, len(self.access.loops)) == depth

    def runs_at(self, nest: Nest, depth: int) -> bool:
        """Whether the loop at ``depth`` is the innermost one and walks the axis of running sums."""
        if nest.loop.running is None or depth + 1 < len(self.access.loops):
            return False
        return self.access.loops[depth] == (nest.order.index(nest.loop.running) - self.rows,)

    def start_sum(self, nest: Nest) -> str:
        """A register set to what any element can be added to without changing it: -0, for 0 + -0 is 0."""
        name = self.frame.fresh("s")
        self.put(f"{name} = {constant(-0.0 if nest.loop.dtype.is_float else 0, nest.loop.dtype)}")
        return name

    def reduces(self, nest: Nest) -> list[bool]:
        """Which inner axes of ``nest``, from the outermost, are reduced ones."""
        return [axis >= len(nest.loop.axes) for axis in inner_axes(nest, self.rows)]

    def in_memory(self, nest: Nest) -> bool:
        """Whether a reduction keeps its sums in memory because an output axis runs inside a reduced one."""
        if not nest.loop.combine or nest.loop.scatter is not None:
            return False
        reduced = self.reduces(nest)
        return True in reduced and False in reduced[reduced.index(True) :]

    def begin(self, nest: Nest) -> str:
        """A register set to the identity element."""
        name = self.frame.fresh("s")
        self.put(f"{name} = {identity_element(nest.loop.combine, nest.loop.dtype)}")
        return name

    def clear_sums(self, inner: Inner) -> None:
        """Set the sums that ``inner`` keeps in memory to the identity element: of a row, or of all of a scatter."""
        for nest in inner.nests:
            if nest.loop.scatter is not None:
                self.fill(nest, [], product(nest.loop.scatter_shape))
            elif not nest.partial and self.in_memory(nest):
                count = product(nest.loop.axes[self.rows :])
                self.fill(nest, self.access.row_start(nest, count), count)

    def fill(self, nest: Nest, base: list[str], count: Dim) -> None:
        """Set ``count`` elements behind ``base`` to what the reduction starts from."""
        start = identity_element(
            "add" if nest.loop.scatter is not None else nest.loop.combine, nest.loop.dtype
        )
        with self.frame.block(f"for j in range({self.size(count)}):"):
            self.put(f"{self.frame.buffer(nest.number)}[{sum_of([*base, 'j'])}] = {start}")


__all__ = ["KernelText", "write_kernel"]
