"""Matrix products inside kernels: calls of the runtime's ``gemm``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from graphc.codegen.frame import Frame, sum_of
from graphc.lower.axes import Contraction, strides
from graphc.lower.fuse import Nest
from graphc.types import Dim


def write_product(frame: Frame, nest: Nest, rows: int) -> None:
    """The product that ``nest`` is, over the rows ``lo`` to ``hi`` of a kernel with ``rows`` row axes."""
    p = nest.product
    assert p is not None
    if p.batch:
        _batched(frame, nest, p, rows)
    elif rows:
        inner = p.size(p.m[rows:])
        count = "hi - lo" if inner == 1 else frame.times("(hi - lo)", inner)
        _gemm(frame, nest, p, count, {p.m[rows - 1]: "lo"})
    else:
        _gemm(frame, nest, p, frame.size(p.size(p.m)), {})


def _batched(frame: Frame, nest: Nest, p: Contraction, rows: int) -> None:
    """One product for each element of the batch, of which the first axes may be the kernel's rows."""
    inner = {axis: f"j{depth}" for depth, axis in enumerate(p.batch[rows:])}
    with ExitStack() as loops:
        if rows:
            loops.enter_context(frame.block("for i in range(lo, hi):"))
        for axis, name in inner.items():
            loops.enter_context(frame.block(f"for {name} in range({frame.size(p.sizes[axis])}):"))
        row = {p.batch[rows - 1]: "i"} if rows else {}
        _gemm(frame, nest, p, frame.size(p.size(p.m)), row | inner)


def _gemm(frame: Frame, nest: Nest, p: Contraction, m: str, at: Mapping[int, str]) -> None:
    """The product of ``m`` rows that begins where each axis of ``at`` has the given value."""
    out = (*strides(nest.loop.axes), *([0] * len(nest.loop.reduce)))
    operands = ((p.left, p.left_stride), (p.right, p.right_stride), (nest.number, out))
    left, right, result = (_start(frame, value, stride, at) for value, stride in operands)
    row_left, row_right = _step(frame, p.left_stride, p.m), _step(frame, p.right_stride, p.k)
    column_left, column_right = _step(frame, p.left_stride, p.k), _step(frame, p.right_stride, p.n)
    n, k = frame.size(p.size(p.n)), frame.size(p.size(p.k))
    frame.put(
        f"gemm_{p.dtype.short}({m}, {n}, {k}, {left}, {row_left}, {column_left}, "
        f"{right}, {row_right}, {column_right}, {result}, {n})"
    )


def _start(frame: Frame, value: int, stride: Sequence[Dim], at: Mapping[int, str]) -> str:
    offset = sum_of([frame.times(position, stride[axis]) for axis, position in at.items()])
    return f"address({frame.buffer(value)}, {offset})"


def _step(frame: Frame, stride: Sequence[Dim], axes: tuple[int, ...]) -> str:
    return frame.size(stride[axes[-1]]) if axes else "1"


__all__ = ["write_product"]
