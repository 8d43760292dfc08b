"""Where a kernel finds what it reads and puts what it writes: registers, scratch rows, offsets into buffers."""

from __future__ import annotations

from collections.abc import Sequence

from graphc.codegen.frame import Frame, sum_of
from graphc.codegen.ranges import Range, within
from graphc.codegen.scalar import Writer
from graphc.loops import Axis, Expr, Load, at_index
from graphc.lower.axes import affine, linear, strides
from graphc.lower.fuse import Nest
from graphc.lower.kernels import Kernel
from graphc.types import Dim, Shape, product


class Access:
    """Reads and writes under the loops that are open.

    Expressions are over *canonical* axes: iteration axes numbered by their position in the loops, rows first.
    """

    def __init__(self, frame: Frame, kernel: Kernel) -> None:
        self.frame = frame
        self.place = kernel.place
        self.values = frame.schedule.program.values
        self.rows = len(kernel.group.rows)
        self.nests = {n.number: n for n in kernel.nests}
        self.row_scalars: dict[int, str] = {}  # registers that hold one element a row
        self.elements: dict[int, str] = {}  # registers of the innermost iteration
        self.sums: dict[int, str] = {}  # registers of running sums along the innermost loop
        self.nest: Nest | None = None  # whose expression is being written
        self.loops: tuple[tuple[int, ...], ...] = ()  # collapsed groups of inner positions
        self.known: dict[
            int, tuple[int, Range]
        ] = {}  # by depth of an open loop, the axis and the part it walks
        self.flat = False  # whether ``i`` walks rows and inner axes alike
        self.writer = Writer(self._load, self._axis, lambda e: frame.size(e.dim), frame.number, self._counter)

    # ---------------------------------------------------------------------------------------------- reads

    def register(self, load: Load) -> str | None:
        """The register that holds what ``load`` reads, if one does."""
        if load.source not in self.nests:
            return None
        if load.source in self.row_scalars and len(load.index) == self.rows:
            return self.row_scalars[load.source]
        here = tuple(Axis(k) for k in range(len(load.index)))
        if load.source in self.elements and self.nest is not None and load.index == here:
            return self.elements[load.source]
        return None

    def _load(self, load: Load) -> str:
        known = self.register(load)
        if known is not None:
            return known
        if self.place.get(load.source) == "again":
            return self.writer(self.within(at_index(self.nests[load.source].loop.expr, load.index)))
        return f"{self.frame.buffer(load.source)}[{self._offset(load)}]"

    def within(self, expr: Expr) -> Expr:
        """``expr`` over canonical axes, without the conditions that hold in the open loops."""
        return within(expr, tuple(self.known.values()))

    def _offset(self, load: Load) -> str:
        """The linear index of ``load``."""
        shape = self.values[load.source].shape
        if self.place.get(load.source) == "block":
            before = self.frame.times("-lo", product(shape[self.rows :]))
            return sum_of([self._walked(load, shape), before])
        if self.place.get(load.source) != "scratch":
            return self._walked(load, shape)
        row = shape[self.rows :]
        inside = self._walked(Load(load.source, load.index[self.rows :], load.dtype), row)
        return sum_of([self.frame.times("tile", product(row)), inside])

    def _walked(self, load: Load, shape: Shape) -> str:
        """The linear index of ``load`` into memory of ``shape``."""
        assert self.nest is not None
        walk = affine(load, shape, len(self.nest.order))
        if walk is not None:
            return sum_of([self._linear(walk.stride), self.frame.size(walk.start)])
        steps = zip(load.index, strides(shape), strict=True)
        return sum_of([self.frame.times(self.writer.index(i), step) for i, step in steps])

    def _counter(self, expr: Expr) -> str:
        """The number of an element that is drawn; axes that it steps through as through one may be one loop."""
        found = linear(expr)
        if found is None:
            return self.writer(expr)
        factors, start = found
        assert self.nest is not None
        stride = [factors.get(position, 0) for position in range(len(self.nest.order))]
        return sum_of([self._linear(stride), self.frame.size(start)])

    def _axis(self, position: int) -> str:
        """The value of a canonical axis."""
        if position < self.rows:
            return "i"
        depth = next(d for d, group in enumerate(self.loops) if position - self.rows in group)
        return f"j{depth}"

    # --------------------------------------------------------------------------------------------- writes

    def target(self, nest: Nest) -> str:
        """The element of memory to which the nest's current element goes."""
        return f"{self.frame.buffer(nest.number)}[{self._store_offset(nest)}]"

    def _store_offset(self, nest: Nest) -> str:
        """Affine in the loop variables by construction."""
        shape = nest.loop.axes
        skip = self.rows if self.place[nest.number] == "scratch" else 0
        steps = dict(zip(range(skip, len(shape)), strides(shape[skip:]), strict=True))
        stride = [steps.get(axis, 0) if axis < len(shape) else 0 for axis in nest.order]
        head = [self.frame.times("tile", product(shape[skip:]))] if nest.partial or skip else []
        return sum_of([*head, self._linear(stride)])

    def before(self, nest: Nest) -> tuple[str, str]:
        """The index along the axis of running sums, and the element before the current one along it."""
        axis = nest.loop.running
        assert axis is not None
        step = self.frame.times("1", strides(nest.loop.axes)[axis])
        place = f"{self._store_offset(nest)} - {step.removeprefix('1 * ')}"
        return self._axis(nest.order.index(axis)), f"{self.frame.buffer(nest.number)}[{place}]"

    def scattered(self, nest: Nest) -> str:
        """The element of memory to which a scattering nest adds."""
        assert nest.loop.scatter is not None
        terms = [
            self.frame.times(self.writer.index(canonical(nest, index)), step)
            for index, step in zip(nest.loop.scatter, strides(nest.loop.scatter_shape), strict=True)
            if step != 0
        ]
        return f"{self.frame.buffer(nest.number)}[{sum_of(terms)}]"

    def row_start(self, nest: Nest, row: Dim) -> list[str]:
        """Where the current row of a nest begins, whose rows have ``row`` elements."""
        if self.place[nest.number] == "scratch":
            return [self.frame.times("tile", row)]
        return [self.frame.times("i", row)] if self.rows else []

    def _linear(self, stride: Sequence[Dim]) -> str:
        """An affine offset over the loop variables."""
        times = self.frame.times
        if self.flat:
            return sum_of([times("i", stride[-1])])
        terms = [times("i", stride[self.rows - 1])] if self.rows else []
        terms += [times(f"j{d}", stride[self.rows + group[-1]]) for d, group in enumerate(self.loops)]
        return sum_of(terms)


def canonical(nest: Nest, expr: Expr) -> Expr:
    """``expr`` of ``nest`` with iteration axes numbered by position in the loops."""
    return at_index(expr, {axis: Axis(k) for k, axis in enumerate(nest.order)})


__all__ = ["Access", "canonical"]
