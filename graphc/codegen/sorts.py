"""Sorting inside kernels: calls of the runtime's ``argsort``, a row at a time."""

from __future__ import annotations

from contextlib import ExitStack

from graphc.codegen.frame import Frame, sum_of
from graphc.loops import Load
from graphc.lower.axes import Affine, affine, dims, strides
from graphc.lower.fuse import Nest


def write_sort(frame: Frame, nest: Nest, rows: int) -> None:
    """The order of the elements of each row of ``nest``, in a kernel with ``rows`` row axes."""
    loop, load, count = nest.loop, nest.loop.expr, len(dims(nest.loop))
    assert isinstance(load, Load)
    walk = affine(load, frame.schedule.program.values[load.source].shape, count)
    assert walk is not None
    out, at = Affine((*strides(loop.axes), 0), 0), dict[int, str]()
    with ExitStack() as loops:
        if rows:
            loops.enter_context(frame.block("for i in range(lo, hi):"))
            at[rows - 1] = "i"
        for depth, axis in enumerate(range(rows, len(loop.axes) - 1)):
            loops.enter_context(frame.block(f"for j{depth} in range({frame.size(loop.axes[axis])}):"))
            at[axis] = f"j{depth}"
        first, step = _address(frame, load.source, walk, at), frame.size(walk.stride[-1])
        target = _address(frame, nest.number, out, at)
        flip = -1 if loop.combine == "descending" else 0
        frame.put(
            f"argsort_{load.dtype.short}({first}, {step}, {frame.size(loop.reduce[0])}, {target}, {flip})"
        )


def _address(frame: Frame, value: int, walk: Affine, at: dict[int, str]) -> str:
    terms = [frame.times(position, walk.stride[axis]) for axis, position in at.items()]
    return f"address({frame.buffer(value)}, {sum_of([*terms, frame.size(walk.start)])})"


__all__ = ["write_sort"]
