"""Matrix products inside kernels: calls of the runtime's ``gemm``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack

from graphc.codegen.frame import Frame, sum_of
from graphc.codegen.scalar import constant
from graphc.loops import Const, Load
from graphc.lower.axes import Affine, Contraction, strides
from graphc.lower.fuse import Nest
from graphc.lower.kernels import Addition
from graphc.types import product


def write_product(
    frame: Frame, nest: Nest, rows: int, first: str, end: str, addition: Addition | None = None
) -> None:
    """The product that ``nest`` is, over the rows ``first`` to ``end`` of a kernel with ``rows`` row axes, and the
    ``addition`` that is made of it."""
    p = nest.product
    assert p is not None
    walked = p.rows[:rows]
    at: dict[int, str] = {}
    count = frame.size(p.size((*p.runs, *p.m)))
    with ExitStack() as loops:
        if walked and walked[0] in p.m:
            left = p.size(p.m[rows:])
            count = f"{end} - {first}" if left == 1 else frame.times(f"({end} - {first})", left)
            at[walked[-1]] = first
        elif walked:
            loops.enter_context(frame.block(f"for i in range({first}, {end}):"))
            at[walked[-1]] = "i"
        for depth, axis in enumerate(a for a in p.outer if a not in walked):
            at[axis] = _enter(frame, loops, depth, p, axis)
        sums = [a for a in p.sums if a not in walked]
        if sums and not nest.partial:  # partial sums begin as zeros
            _gemm(frame, nest, p, count, at, walked, empty=True)
        for depth, axis in enumerate(sums, len(at)):
            at[axis] = _enter(frame, loops, depth, p, axis)
        _gemm(frame, nest, p, count, at, walked, addition)


def _enter(frame: Frame, loops: ExitStack, depth: int, p: Contraction, axis: int) -> str:
    """Open a loop over ``axis``; the name of its variable."""
    loops.enter_context(frame.block(f"for j{depth} in range({frame.size(p.sizes[axis])}):"))
    return f"j{depth}"


def _gemm(
    frame: Frame,
    nest: Nest,
    p: Contraction,
    m: str,
    at: Mapping[int, str],
    walked: tuple[int, ...],
    addition: Addition | None = None,
    *,
    empty: bool = False,
) -> None:
    """The product of ``m`` rows that begins where each axis of ``at`` has the given value, the kernel's rows ``walked``
    among them; ``empty`` sets zeros."""
    out = Affine((*strides(nest.loop.axes), *([0] * len(nest.loop.reduce))), 0)
    head = [frame.times("tile", product(nest.loop.axes))] if nest.partial else []
    left, right = _start(frame, p.left, p.walk_left, at), _start(frame, p.right, p.walk_right, at)
    if nest.number in frame.blocks and walked:  # rows count from the call's first
        at = {**at, walked[-1]: "0" if at[walked[-1]] == "lo" else f"({at[walked[-1]]} - lo)"}
    result = _start(frame, nest.number if addition is None else addition.total.number, out, at, head)
    row_left, row_right = _step(frame, p.walk_left, p.m), _step(frame, p.walk_right, p.k)
    column_left, column_right = _step(frame, p.walk_left, p.k), _step(frame, p.walk_right, p.n)
    n, k = frame.size(p.size(p.n)), "0" if empty else frame.size(p.size(p.k))
    row_out = frame.size(out.stride[p.m[-1]]) if p.m else n
    windows = "" if empty or not (p.windows or p.runs) else "windows_"
    more = f", {_groups(frame, p, p.windows, '1')}, {_groups(frame, p, p.runs, m, p.m)}" if windows else ""
    if addition is not None:
        match addition.factor:
            case Load(source):
                number = f"{frame.buffer(source)}[0]"
            case Const(value):
                number = constant(value, p.dtype)
            case None:
                number = constant(1.0, p.dtype)
        windows, more = "scaled_", f", {'-' if addition.negative else ''}{number}"
    name = "gemm_accumulate_" if p.sums and not empty else "gemm_"
    frame.put(
        f"{name}{windows}{p.dtype.short}({m}, {n}, {k}, {left}, {row_left}, {column_left}, "
        f"{right}, {row_right}, {column_right}, {result}, {row_out}{more})"
    )


def _groups(
    frame: Frame, p: Contraction, axes: tuple[int, ...], none: str, inside: tuple[int, ...] | None = None
) -> str:
    """How many stretches there are, or how long a run is, and how far apart in the left operand they begin."""
    if not axes:
        return f"{none}, 0"
    return f"{frame.size(p.size(axes if inside is None else inside))}, {_step(frame, p.walk_left, axes)}"


def _start(
    frame: Frame, value: int, walk: Affine, at: Mapping[int, str], head: list[str] | None = None
) -> str:
    terms = [frame.times(position, walk.stride[axis]) for axis, position in at.items()]
    offset = sum_of([*(head or []), *terms, frame.size(walk.start)])
    return f"address({frame.buffer(value)}, {offset})"


def _step(frame: Frame, walk: Affine, axes: tuple[int, ...]) -> str:
    return frame.size(walk.stride[axes[-1]]) if axes else "1"


__all__ = ["write_product"]
