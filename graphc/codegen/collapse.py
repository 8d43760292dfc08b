"""Which loops of a kernel are one loop: axes that every access walks like one stretch of memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphc.loops import Expr, Load, at_index
from graphc.lower.axes import affine, collapses, dims
from graphc.lower.fuse import Nest, uses_rows
from graphc.lower.kernels import Inner, Kernel, Rows
from graphc.lower.values import Value
from graphc.types import Shape


class Collapse:
    """Groups the axes of a kernel's inner loops; ``values`` gives the shape of what a load reads."""

    def __init__(self, kernel: Kernel, values: Sequence[Value]) -> None:
        self.kernel = kernel
        self.values = values
        self.rows = len(kernel.group.rows)
        self.nests = {n.number: n for n in kernel.nests}

    def is_flat(self, segment: Rows) -> bool:
        """Whether rows and inner axes are one stretch of memory to every access: one long loop, not many short ones."""
        if not self.rows or len(segment.inners) != 1 or not segment.inners[0].sizes:
            return False
        (inner,) = segment.inners
        if any(self._keeps_rows(n) for n in inner.nests):
            return False
        return len(self.groups(inner)) == 1 and all(self._joins(n, -1, 0) for n in inner.nests)

    def _keeps_rows(self, nest: Nest) -> bool:
        """Whether something happens once a row."""
        scratch = self.kernel.place[nest.number] == "scratch"
        once = bool(nest.loop.combine) or nest.loop.scatter is not None
        return once or nest.loop.running is not None or scratch

    def groups(self, inner: Inner) -> tuple[tuple[int, ...], ...]:
        """Inner positions grouped so that every access walks each group like one axis."""
        found: list[tuple[int, ...]] = []
        for position in range(len(inner.sizes)):
            if found and all(self._joins(n, found[-1][-1], position) for n in inner.nests):
                found[-1] = (*found[-1], position)
            else:
                found.append((position,))
        return tuple(found)

    def _joins(self, nest: Nest, a: int, b: int) -> bool:
        """Whether ``nest`` walks its inner positions ``a`` and ``b`` like one axis."""
        first, second = nest.order[self.rows + a], nest.order[self.rows + b]
        outputs = len(nest.loop.axes)
        if (first < outputs) != (second < outputs) or nest.loop.scatter is not None:
            return False
        if nest.loop.running in (first, second):
            return False
        if first < outputs and second != first + 1:
            return False
        sizes = dims(nest.loop)
        loads = all(self._load_joins(load, sizes, first, second) for load in self._loads(nest))
        return loads and not uses_rows(nest.loop, (first, second))

    def _load_joins(self, load: Load, sizes: Shape, first: int, second: int) -> bool:
        walk = affine(load, self.values[load.source].shape, len(sizes))
        return walk is not None and collapses(walk.stride, (first, second), sizes)

    def _loads(self, nest: Nest) -> Iterator[Load]:
        """The loads of a nest, those of values computed again included."""
        for load in nest.loop.loads():
            yield load
            if self.kernel.place.get(load.source) == "again":
                yield from (_moved(inner, load.index) for inner in self.nests[load.source].loop.loads())


def _moved(load: Load, index: Sequence[Expr]) -> Load:
    """``load`` with axis k read at ``index[k]``."""
    return Load(load.source, tuple(at_index(i, index) for i in load.index), load.dtype)


__all__ = ["Collapse"]
