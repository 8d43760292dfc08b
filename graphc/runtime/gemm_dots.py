# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportReturnType=false, reportAssignmentType=false
"""One element of a matrix-vector product, as a dot product over contiguous rows."""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils

from graphc.runtime.gemm_vectors import Emitter, Vectors, counted_loop, outlined
from graphc.runtime.intrinsics import WORD

# Sums side by side, enough to hide the latency of an addition.
_CHAINS = 4


def dot(vectors: Vectors) -> Emitter:
    """Return the emitter `(k, a, b, c, accumulate)`: store at c, or add to it, the dot product of k elements.

    Both operands are contiguous. The order of the additions depends on k alone.
    """

    def emit(builder, k, a, b, c, accumulate):
        a, b, c = (vectors.pointer(builder, each) for each in (a, b, c))
        blocks = builder.and_(k, WORD(-_CHAINS * vectors.lanes))
        whole = builder.and_(k, WORD(-vectors.lanes))
        sums = _sums(builder, vectors, WORD(0), blocks, a, b, [vectors.zero] * _CHAINS)
        (total,) = _sums(builder, vectors, blocks, whole, a, b, [_added(builder, sums)])
        (mask,) = vectors.masks(builder, builder.sub(k, whole), 1)
        (total,) = _products(builder, vectors, whole, a, b, [total], mask)
        builder.store(builder.fadd(_initial(builder, c, accumulate), _reduced(builder, vectors, total)), c)

    return outlined("dot", 5, emit)


def _sums(builder, vectors: Vectors, first, end, a, b, sums: list[ir.Value]) -> list[ir.Value]:
    """Go on with as many sums as given, from element `first` up to `end`."""
    step = len(sums) * vectors.lanes

    def body(index, *sums):
        start = builder.add(first, builder.mul(index, WORD(step)))
        return _products(builder, vectors, start, a, b, sums, None)

    return counted_loop(builder, builder.udiv(builder.sub(end, first), WORD(step)), sums, body)


def _products(builder, vectors: Vectors, start, a, b, sums, mask) -> list[ir.Value]:
    offsets = [builder.add(start, WORD(j * vectors.lanes)) for j in range(len(sums))]
    left = [vectors.load(builder, builder.gep(a, [offset]), mask) for offset in offsets]
    right = [vectors.load(builder, builder.gep(b, [offset]), mask) for offset in offsets]
    return [vectors.multiply_add(builder, x, y, s) for x, y, s in zip(left, right, sums, strict=True)]


def _added(builder: ir.IRBuilder, sums: list[ir.Value]) -> ir.Value:
    """The sum of vectors, pair by pair."""
    while len(sums) > 1:
        sums = [builder.fadd(x, y) for x, y in zip(sums[::2], sums[1::2], strict=True)]
    return sums[0]


def _reduced(builder, vectors: Vectors, total: ir.Value) -> ir.Value:
    """The sum of a vector's elements, in the order that the processor does best."""
    kind = ir.FunctionType(vectors.element, [vectors.element, vectors.type])
    name = f"llvm.vector.reduce.fadd.{vectors.suffix}"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [ir.Constant(vectors.element, -0.0), total], fastmath=("reassoc",))


def _initial(builder, c, accumulate) -> ir.Value:
    adds = builder.icmp_signed("!=", accumulate, WORD(0))
    before = builder.load(c)
    return builder.select(adds, before, ir.Constant(before.type, 0.0))
