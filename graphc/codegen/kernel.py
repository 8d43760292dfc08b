"""One kernel as text: a serial Python function over rows ``lo`` to ``hi`` in the language of the runtime.

Straight-line code in single-assignment form: one statement a nest, in graph order, inside the loops that the
lowering chose. Buffers are ``x0, x1 ...`` where only read and ``y0, y1 ...`` where written, sizes are ``n0, n1 ...``; nothing
in the text says which layer it serves, so equal kernels are equal texts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from graphc.codegen.scalar import Writer, accumulate, identity_element
from graphc.loops import Axis, Call, Const, Expr, Extent, Load, rebuild, walk
from graphc.lower.axes import Contraction, affine, collapses, dims, strides
from graphc.lower.fuse import Nest, uses_rows
from graphc.lower.kernels import Inner, Kernel, Product, Rows, in_step, inner_axes, is_row_scalar
from graphc.lower.schedule import Schedule
from graphc.size import Size, symbol
from graphc.types import Dim, DType, Shape, product


@dataclass(frozen=True, slots=True)
class KernelText:
    """The body of a kernel and what its argument block holds: storage numbers and sizes, in order."""

    body: str
    arguments: tuple[tuple[str, int | Dim], ...]  # ("buffer", storage) or ("size", dim)


def write_kernel(schedule: Schedule, kernel: Kernel) -> KernelText:
    """The text of ``kernel`` and its argument block."""
    return _KernelWriter(schedule, kernel).write()


class _KernelWriter:
    def __init__(self, schedule: Schedule, kernel: Kernel) -> None:
        self.schedule = schedule
        self.kernel = kernel
        self.values = schedule.program.values
        self.rows = len(kernel.group.rows)
        self.nests = {n.number: n for n in kernel.nests}
        self.lines: list[str] = []
        self.depth = 1
        self.arguments: dict[tuple[str, int | Dim], str] = {}
        self.written = {schedule.storage_of[n.number] for n in kernel.nests if n.number in schedule.storage_of}
        self.names: Counter[str] = Counter()
        self.row_scalars: dict[int, str] = {}
        self.elements: dict[int, str] = {}
        self.nest: Nest | None = None  # whose expression is being written
        self.loops: tuple[tuple[int, ...], ...] = ()  # collapsed groups of inner positions
        self.flat = False  # whether ``i`` walks rows and inner axes alike
        self.writer = Writer(self.load, self.axis, lambda e: self.size(e.dim))

    # ------------------------------------------------------------------------------------------- the frame

    def write(self) -> KernelText:
        for segment in self.kernel.segments:
            self.row_scalars = {}  # a register lives as long as the row; other segments read memory
            if isinstance(segment, Product):
                self.product(segment.nest)
            else:
                self.row_segment(segment)
        return KernelText("\n".join([*self.header(), *self.lines]), tuple(self.arguments))

    def header(self) -> Iterator[str]:
        for position, ((kind, what), name) in enumerate(self.arguments.items()):
            if kind == "buffer":
                dtype = self.schedule.storages[int(what)].dtype.short  # pyright: ignore[reportArgumentType]
                yield f"    {name} = {dtype}_buffer(args, {position})"
            else:
                yield f"    {name} = size(args, {position})"

    def put(self, line: str) -> None:
        self.lines.append("    " * self.depth + line)

    @contextmanager
    def block(self, line: str) -> Iterator[None]:
        self.put(line)
        self.depth += 1
        yield
        self.depth -= 1

    def fresh(self, prefix: str) -> str:
        self.names[prefix] += 1
        return f"{prefix}{self.names[prefix] - 1}"

    def buffer(self, value: int) -> str:
        storage = self.schedule.storage_of[value]
        key = ("buffer", storage)
        if key not in self.arguments:
            self.arguments[key] = self.fresh("y" if storage in self.written else "x")
        return self.arguments[key]

    def size(self, dim: Dim) -> str:
        if isinstance(dim, int):
            return str(dim)
        key = ("size", dim)
        if key not in self.arguments:
            self.arguments[key] = self.fresh("n")
        return self.arguments[key]

    # ----------------------------------------------------------------------------------------- row loops

    def row_segment(self, segment: Rows) -> None:
        partials = [n for n in segment.nests if n.partial]
        if partials or any(self.kernel.place[n.number] == "scratch" for n in segment.nests):
            self.tile_index()
        totals = {n.number: self.start_partial(n) for n in partials}
        if self.is_flat(segment):
            self.flat_loop(segment.inners[0])
        elif self.rows:
            with self.block("for i in range(lo, hi):"):
                self.inner_loops(segment, totals)
        else:
            self.inner_loops(segment, totals)
        for nest in partials:
            if totals[nest.number]:
                self.put(f"{self.buffer(nest.number)}[tile] = {totals[nest.number]}")

    def is_flat(self, segment: Rows) -> bool:
        """Whether rows and inner axes are one stretch of memory to every access: one long loop instead of many short ones."""
        if not self.rows or len(segment.inners) != 1 or not segment.inners[0].sizes:
            return False
        (inner,) = segment.inners
        if any(n.loop.combine or n.loop.scatter is not None or self.kernel.place[n.number] == "scratch" for n in inner.nests):
            return False
        return len(self.collapsed(inner)) == 1 and all(self.joins(n, -1, 0) for n in inner.nests)

    def flat_loop(self, inner: Inner) -> None:
        self.loops, self.elements, self.flat = (), {}, True
        count = self.size(product(inner.sizes))
        with self.block(f"for i in range(lo * {count}, hi * {count}):"):
            self.statements(inner, {})
        self.flat = False

    def tile_index(self) -> None:
        if "tile" not in self.names:
            self.names["tile"] += 1
            count, rows = self.size(symbol(self.kernel.group.tiles[0])), self.size(product(self.kernel.group.rows))
            self.put(f"tile = quotient(lo * {count} + {rows} - 1, {rows})")

    def start_partial(self, nest: Nest) -> str:
        """A register for a partial scalar, or the tile's row of partial results set to the identity element."""
        start = identity_element(nest.loop.combine, nest.loop.dtype)
        if not nest.loop.axes:
            name = self.fresh("s")
            self.put(f"{name} = {start}")
            return name
        count = self.size(product(nest.loop.axes))
        with self.block(f"for j in range({count}):"):
            self.put(f"{self.buffer(nest.number)}[{self.sum_of(['tile * ' + count, 'j'])}] = {start}")
        return ""

    def inner_loops(self, segment: Rows, totals: Mapping[int, str]) -> None:
        for inner in segment.inners:
            self.elements = {}
            self.inner_loop(inner, totals)

    def inner_loop(self, inner: Inner, totals: Mapping[int, str]) -> None:
        self.loops = self.collapsed(inner)
        for nest in inner.nests:
            if nest.loop.scatter is not None:
                self.clear(nest.number, product(nest.loop.scatter_shape))
            elif not nest.partial and self.in_memory(nest):
                self.clear_sums(nest)
        self.level(inner, 0, totals)

    def level(self, inner: Inner, depth: int, totals: Mapping[int, str]) -> None:
        """The loops from ``depth`` inwards, with the registers of reductions that begin here."""
        begun = [n for n in inner.nests if self.begins_at(n, depth)]
        registers = {n.number: self.begin(n) for n in begun}
        if depth == len(self.loops):
            self.statements(inner, totals)
            return
        extent = product(inner.sizes[p] for p in self.loops[depth])
        with self.block(f"for j{depth} in range({self.size(extent)}):"):
            self.level(inner, depth + 1, {**totals, **registers})
        for nest in begun:
            self.finish(nest, registers[nest.number])

    def begins_at(self, nest: Nest, depth: int) -> bool:
        if not nest.loop.combine or nest.partial or nest.loop.scatter is not None or self.in_memory(nest):
            return False
        reduced = [k for k, axis in enumerate(inner_axes(nest, self.rows)) if axis >= len(nest.loop.axes)]
        first = next((d for d, group in enumerate(self.loops) if group[0] == reduced[0]), len(self.loops)) if reduced else len(self.loops)
        return first == depth

    def in_memory(self, nest: Nest) -> bool:
        """Whether a reduction keeps its sums in memory because an output axis runs inside a reduced one."""
        kinds = [axis >= len(nest.loop.axes) for axis in inner_axes(nest, self.rows)]
        return bool(nest.loop.combine) and nest.loop.scatter is None and True in kinds and False in kinds[kinds.index(True) :]

    def begin(self, nest: Nest) -> str:
        name = self.fresh("s")
        if nest.loop.combine == "argmax":
            self.put(f"{name} = {identity_element('maximum', nest.loop.expr.dtype)}")
            self.put(f"{name}_at = i64(0)")
        else:
            self.put(f"{name} = {identity_element(nest.loop.combine, nest.loop.dtype)}")
        return name

    def finish(self, nest: Nest, register: str) -> None:
        result = f"{register}_at" if nest.loop.combine == "argmax" else register
        if is_row_scalar(nest, self.rows):
            self.row_scalars[nest.number] = result
        self.store(nest, result)

    def clear(self, value: int, count: Dim) -> None:
        dtype = self.values[value].dtype
        with self.block(f"for j in range({self.size(count)}):"):
            self.put(f"{self.buffer(value)}[j] = {identity_element('add', dtype)}")

    def clear_sums(self, nest: Nest) -> None:
        """Set one row of sums to the identity element."""
        count = product(nest.loop.axes[self.rows :])
        start = identity_element(nest.loop.combine, nest.loop.dtype)
        base = self.base_of(nest, count)
        with self.block(f"for j in range({self.size(count)}):"):
            self.put(f"{self.buffer(nest.number)}[{self.sum_of([*base, 'j'])}] = {start}")

    def base_of(self, nest: Nest, row: Dim) -> list[str]:
        if self.kernel.place[nest.number] == "scratch":
            return [self.times("tile", row)]
        return [self.times("i", row)] if self.rows else []

    # ---------------------------------------------------------------------------------------- statements

    def statements(self, inner: Inner, totals: Mapping[int, str]) -> None:
        canonical = {n.number: self.canonical(n) for n in inner.nests}
        repeated = _repeated(canonical.values())
        self.writer.named = named = dict[Expr, str]()
        for nest in inner.nests:
            self.nest = nest
            expr = canonical[nest.number]
            self.name_parts(expr, repeated, named)
            self.statement(nest, self.writer(expr), totals)
        self.writer.named = {}
        self.nest = None

    def canonical(self, nest: Nest) -> Expr:
        """The nest's expression with iteration axes numbered by position in the loops."""
        position = {axis: k for k, axis in enumerate(nest.order)}
        return rebuild(nest.loop.expr, lambda e: Axis(position[e.number]) if isinstance(e, Axis) else None)

    def name_parts(self, expr: Expr, repeated: frozenset[Expr], named: dict[Expr, str]) -> None:
        """Give locals to loads and repeated subexpressions, innermost first, but not to what a guard protects."""
        if expr in named or isinstance(expr, (Axis, Const, Extent)):
            return
        if isinstance(expr, Call):
            for part in expr.args if expr.fn != "guard" else ():
                self.name_parts(part, repeated, named)
            if expr in repeated:
                self.name(expr, "v", named)
        elif self.local(expr) is None and self.kernel.place.get(expr.source) != "again":
            self.name(expr, "a", named)

    def name(self, expr: Expr, prefix: str, named: dict[Expr, str]) -> None:
        text, name = self.writer(expr), self.fresh(prefix)
        self.put(f"{name} = {text}")
        named[expr] = name

    def statement(self, nest: Nest, text: str, totals: Mapping[int, str]) -> None:
        loop = nest.loop
        if loop.scatter is not None:
            self.scatter(nest, text)
        elif loop.combine == "argmax":
            self.argmax_step(nest, text, totals[nest.number])
        elif not loop.combine:
            self.element(nest, text)
        elif totals.get(nest.number):
            self.put(f"{totals[nest.number]} = {accumulate(loop.combine, totals[nest.number], text, loop.dtype)}")
        else:
            place = f"{self.buffer(nest.number)}[{self.store_offset(nest)}]"
            self.put(f"{place} = {accumulate(loop.combine, place, text, loop.dtype)}")

    def element(self, nest: Nest, text: str) -> None:
        name = self.fresh("v")
        self.put(f"{name} = {text}")
        self.elements[nest.number] = name
        if is_row_scalar(nest, self.rows):
            self.row_scalars[nest.number] = name
        self.store(nest, name)

    def store(self, nest: Nest, text: str) -> None:
        if self.kernel.place[nest.number] in ("memory", "scratch"):
            self.put(f"{self.buffer(nest.number)}[{self.store_offset(nest)}] = {text}")

    def argmax_step(self, nest: Nest, text: str, best: str) -> None:
        axis = f"j{len(self.loops) - 1}" if self.loops else "0"
        self.put(f"{best}_new = {text}")
        self.put(f"{best}_won = ({best}_new > {best}) | (({best}_new != {best}_new) & ({best} == {best}))")
        self.put(f"{best}_at = select({best}_won, {axis}, {best}_at)")
        self.put(f"{best} = select({best}_won, {best}_new, {best})")

    def scatter(self, nest: Nest, text: str) -> None:
        assert nest.loop.scatter is not None
        terms = [
            self.times(self.writer.index(self.canonical_index(nest, index)), step)
            for index, step in zip(nest.loop.scatter, strides(nest.loop.scatter_shape), strict=True)
            if step != 0
        ]
        place = f"{self.buffer(nest.number)}[{self.sum_of(terms)}]"
        self.put(f"{place} = {accumulate('add', place, text, nest.loop.dtype)}" if not nest.loop.dtype.is_float else f"{place} = {place} + {text}")

    def canonical_index(self, nest: Nest, index: Expr) -> Expr:
        position = {axis: k for k, axis in enumerate(nest.order)}
        return rebuild(index, lambda e: Axis(position[e.number]) if isinstance(e, Axis) else None)

    # ---------------------------------------------------------------------------------------------- reads

    def local(self, load: Load) -> str | None:
        """The register that holds what ``load`` reads, if one does."""
        producer = self.nests.get(load.source)
        if producer is None:
            return None
        if load.source in self.row_scalars and len(load.index) == self.rows:
            return self.row_scalars[load.source]
        if load.source in self.elements and self.nest is not None and load.index == tuple(Axis(k) for k in range(len(load.index))):
            return self.elements[load.source]
        return None

    def load(self, load: Load) -> str:
        known = self.local(load)
        if known is not None:
            return known
        if self.kernel.place.get(load.source) == "again":
            nest = self.nests[load.source]
            return self.writer(rebuild(nest.loop.expr, lambda e: load.index[e.number] if isinstance(e, Axis) else None))
        return f"{self.buffer(load.source)}[{self.offset(load)}]"

    def offset(self, load: Load) -> str:
        """The linear index of ``load``, its index being over canonical axes."""
        if self.kernel.place.get(load.source) == "scratch":
            row = self.values[load.source].shape[self.rows :]
            inside = self.walked(Load(load.source, load.index[self.rows :], load.dtype), row)
            return self.sum_of([self.times("tile", product(row)), inside])
        return self.walked(load, self.values[load.source].shape)

    def walked(self, load: Load, shape: Shape) -> str:
        """The linear index of ``load`` into memory of ``shape``."""
        assert self.nest is not None
        stride = affine(load, shape, len(self.nest.order))
        if stride is not None:
            return self.linear(stride)
        return self.sum_of([self.times(self.writer.index(i), s) for i, s in zip(load.index, strides(shape), strict=True)])

    def linear(self, stride: Sequence[Dim]) -> str:
        """An affine offset over the loop variables."""
        if self.flat:
            return self.sum_of([self.times("i", stride[-1])])
        terms = [self.times("i", stride[self.rows - 1])] if self.rows else []
        terms += [self.times(f"j{d}", stride[self.rows + group[-1]]) for d, group in enumerate(self.loops)]
        return self.sum_of(terms)

    def store_offset(self, nest: Nest) -> str:
        """Where the nest's current element goes: affine in the loop variables by construction."""
        shape = nest.loop.axes
        skip = self.rows if self.kernel.place[nest.number] == "scratch" else 0
        steps = dict(zip(range(skip, len(shape)), strides(shape[skip:]), strict=True))
        stride = [steps.get(axis, 0) if axis < len(shape) else 0 for axis in nest.order]
        head = [self.times("tile", product(shape if nest.partial else shape[skip:]))] if nest.partial or skip else []
        return self.sum_of([*head, self.linear(stride)])

    def axis(self, position: int) -> str:
        """The value of a canonical axis."""
        if position < self.rows:
            return "i"
        group = next(d for d, g in enumerate(self.loops) if position - self.rows in g)
        return f"j{group}"

    def times(self, text: str, factor: Dim) -> str:
        if factor == 0 or text == "0":
            return "0"
        return text if factor == 1 else f"{text} * {self.size(factor)}"

    @staticmethod
    def sum_of(terms: Sequence[str]) -> str:
        return " + ".join(t for t in terms if t != "0") or "0"

    # ------------------------------------------------------------------------------------ collapsing loops

    def collapsed(self, inner: Inner) -> tuple[tuple[int, ...], ...]:
        """Inner positions grouped so that every access walks each group like one axis."""
        groups: list[tuple[int, ...]] = []
        for position in range(len(inner.sizes)):
            if groups and all(self.joins(n, groups[-1][-1], position) for n in inner.nests):
                groups[-1] = (*groups[-1], position)
            else:
                groups.append((position,))
        return tuple(groups)

    def joins(self, nest: Nest, a: int, b: int) -> bool:
        first, second = nest.order[self.rows + a], nest.order[self.rows + b]
        outputs = len(nest.loop.axes)
        if (first < outputs) != (second < outputs) or nest.loop.scatter is not None or nest.loop.combine == "argmax":
            return False
        sizes = dims(nest.loop)
        if first < outputs and second != first + 1:
            return False
        return all(self.load_joins(load, sizes, first, second) for load in self.all_loads(nest)) and not uses_rows(nest.loop, (first, second))

    def load_joins(self, load: Load, sizes: Shape, first: int, second: int) -> bool:
        stride = affine(load, self.values[load.source].shape, len(sizes))
        return stride is not None and collapses(stride, (first, second), sizes)

    def all_loads(self, nest: Nest) -> Iterator[Load]:
        """The loads of a nest, those of values computed again included."""
        for load in nest.loop.loads():
            yield load
            if self.kernel.place.get(load.source) == "again":
                again = self.nests[load.source].loop
                for inner in again.loads():
                    yield rebuild(inner, lambda e, at=load: at.index[e.number] if isinstance(e, Axis) else None)  # pyright: ignore[reportReturnType]

    # ----------------------------------------------------------------------------------- matrix products

    def product(self, nest: Nest) -> None:
        found = nest.product
        assert found is not None
        if found.batch:
            self.batched(nest, found)
        elif self.rows:
            inner = found.size(found.m[self.rows :])
            count = "hi - lo" if inner == 1 else self.times("(hi - lo)", inner)
            self.gemm(nest, found, count, {found.m[self.rows - 1]: "lo"})
        else:
            self.gemm(nest, found, self.size(found.size(found.m)), {})

    def batched(self, nest: Nest, p: Contraction) -> None:
        """One product for each element of the batch, of which the first axes may be the kernel's rows."""
        inner = {axis: f"j{depth}" for depth, axis in enumerate(p.batch[self.rows :])}
        with ExitStack() as loops:
            if self.rows:
                loops.enter_context(self.block("for i in range(lo, hi):"))
            for axis, name in inner.items():
                loops.enter_context(self.block(f"for {name} in range({self.size(p.sizes[axis])}):"))
            row = {p.batch[self.rows - 1]: "i"} if self.rows else {}
            self.gemm(nest, p, self.size(p.size(p.m)), row | inner)

    def gemm(self, nest: Nest, p: Contraction, m: str, at: Mapping[int, str]) -> None:
        """The product of ``m`` rows that begins where each axis of ``at`` has the given value."""
        left, right, out = p.left_stride, p.right_stride, self.out_stride(nest)
        starts = [self.start(v, s, at) for v, s in ((p.left, left), (p.right, right), (nest.number, out))]
        row_left, row_right = self.step(left, p.m), self.step(right, p.k)
        column_left, column_right = self.step(left, p.k), self.step(right, p.n)
        n, k, row_out = self.size(p.size(p.n)), self.size(p.size(p.k)), self.size(p.size(p.n))
        self.put(
            f"gemm_{p.dtype.short}({m}, {n}, {k}, {starts[0]}, {row_left}, {column_left}, "
            f"{starts[1]}, {row_right}, {column_right}, {starts[2]}, {row_out})"
        )

    def out_stride(self, nest: Nest) -> tuple[Dim, ...]:
        return (*strides(nest.loop.axes), *([0] * len(nest.loop.reduce)))

    def start(self, value: int, stride: Sequence[Dim], at: Mapping[int, str]) -> str:
        offset = self.sum_of([self.times(position, stride[axis]) for axis, position in at.items()])
        return f"address({self.buffer(value)}, {offset})"

    def step(self, stride: Sequence[Dim], axes: tuple[int, ...]) -> str:
        return self.size(stride[axes[-1]]) if axes else "1"


def _repeated(exprs: Sequence[Expr] | object) -> frozenset[Expr]:
    """Calls that occur more than once among ``exprs``."""
    counts: Counter[Expr] = Counter(e for expr in exprs for e in walk(expr) if isinstance(e, Call))  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType, reportUnknownArgumentType]
    return frozenset(e for e, count in counts.items() if count > 1)


__all__ = ["DType", "KernelText", "Size", "in_step", "write_kernel"]
