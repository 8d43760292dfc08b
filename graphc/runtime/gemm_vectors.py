# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportReturnType=false, reportAssignmentType=false
"""Vectors as wide as the host's registers, for the tiles of GEMM: loads, stores, masks and counted loops.

Emitting functions take the builder first, as `graphc.runtime.intrinsics.define` hands it to them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types

from graphc.runtime import loader
from graphc.runtime.intrinsics import WORD, Word, define

_LANE = ir.IntType(32)

#: Writes instructions that return nothing: `emitter(builder, *values)`.
Emitter = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Host:
    """What the processor offers.

    Attributes:
        bits: width of a vector register.
        registers: how many of them there are.
        masks: whether a masked load costs no more than a plain one.
    """

    bits: int
    registers: int
    masks: bool


def host() -> Host:
    """The processor that runs this."""
    features = loader.host()[1].split(",")
    if "+avx512f" in features:
        return Host(bits=512, registers=32, masks=True)
    if "+avx" in features:
        return Host(bits=256, registers=16, masks=False)
    arm = llvm.get_process_triple().startswith(("aarch64", "arm64"))
    return Host(bits=128, registers=32 if arm else 16, masks=False)


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors of `lanes` elements of one float type."""

    element: ir.Type
    lanes: int

    @property
    def type(self) -> ir.Type:
        """LLVM type of one vector."""
        return ir.VectorType(self.element, self.lanes)

    @property
    def size(self) -> int:
        """Bytes of one element."""
        return 4 if isinstance(self.element, ir.FloatType) else 8

    @property
    def suffix(self) -> str:
        """The type's name in intrinsics of LLVM."""
        return f"v{self.lanes}f{8 * self.size}"

    @property
    def zero(self) -> ir.Value:
        """A vector of zeros."""
        return ir.Constant(self.type, [0.0] * self.lanes)

    def pointer(self, builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
        """Pointer to elements at an address given as an integer."""
        return builder.inttoptr(address, self.element.as_pointer())

    def splat(self, builder: ir.IRBuilder, scalar: ir.Value) -> ir.Value:
        """A vector whose elements are all `scalar`."""
        return _splat(builder, scalar, self.type)

    def masks(self, builder: ir.IRBuilder, width: ir.Value, count: int) -> list[ir.Value]:
        """For each of `count` adjacent vectors, which of its elements lie among the first `width`."""
        kind = ir.VectorType(_LANE, self.lanes)
        limit = _splat(builder, builder.trunc(width, _LANE), kind)
        firsts = range(0, count * self.lanes, self.lanes)
        indices = [ir.Constant(kind, list(range(first, first + self.lanes))) for first in firsts]
        return [builder.icmp_signed("<", index, limit) for index in indices]

    def load(self, builder: ir.IRBuilder, pointer: ir.Value, mask: ir.Value | None = None) -> ir.Value:
        """Load a vector; elements that the mask leaves out are not touched and read as zero."""
        at = builder.bitcast(pointer, self.type.as_pointer())
        if mask is None:
            return builder.load(at, align=self.size)
        kinds = [at.type, _LANE, mask.type, self.type]
        function = _function(builder, f"llvm.masked.load.{self.suffix}.p0", self.type, kinds)
        return builder.call(function, [at, _LANE(self.size), mask, self.zero])

    def store(
        self, builder: ir.IRBuilder, value: ir.Value, pointer: ir.Value, mask: ir.Value | None = None
    ) -> None:
        """Store a vector; elements that the mask leaves out are not touched."""
        at = builder.bitcast(pointer, self.type.as_pointer())
        if mask is None:
            builder.store(value, at, align=self.size)
            return
        kinds = [self.type, at.type, _LANE, mask.type]
        function = _function(builder, f"llvm.masked.store.{self.suffix}.p0", ir.VoidType(), kinds)
        builder.call(function, [value, at, _LANE(self.size), mask])

    def prefetch(
        self, builder: ir.IRBuilder, pointer: ir.Value, level: int = 3, *, write: bool = False
    ) -> None:
        """Ask for the cache line of an element that is read soon, or also written; any address will do.

        Args:
            builder: where to put the instruction.
            pointer: an element of the line.
            level: 3 for the first-level cache, 2 for the second-level one.
            write: the line is to be this processor's own.
        """
        kinds = [pointer.type, _LANE, _LANE, _LANE]
        function = _function(builder, "llvm.prefetch.p0", ir.VoidType(), kinds)
        builder.call(function, [pointer, _LANE(int(write)), _LANE(level), _LANE(1)])

    def multiply_add(self, builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a * b + c, rounded once wherever the processor can."""
        function = _function(builder, f"llvm.fmuladd.{self.suffix}", self.type, [self.type] * 3)
        return builder.call(function, [a, b, c])


def counted_loop(
    builder: ir.IRBuilder,
    count: ir.Value,
    carried: Sequence[ir.Value],
    body: Callable[..., Sequence[ir.Value]],
) -> list[ir.Value]:
    """Run `body(index, *carried)`, which returns the next carried values, `count` times; return the last."""
    before = builder.block
    with builder.if_then(builder.icmp_signed(">", count, WORD(0))):
        entered = builder.block
        inside = builder.append_basic_block("loop")
        builder.branch(inside)
        builder.position_at_end(inside)
        values = [joined(builder, (first, entered)) for first in (WORD(0), *carried)]
        results = body(*values)
        following = [builder.add(values[0], WORD(1)), *results]
        for value, result in zip(values, following, strict=True):
            value.add_incoming(result, builder.block)
        after = builder.append_basic_block("after")
        builder.cbranch(builder.icmp_signed("<", following[0], count), inside, after)
        builder.position_at_end(after)
    return [joined(builder, (old, before), (new, after)) for old, new in zip(carried, results, strict=True)]


def joined(builder: ir.IRBuilder, *incoming: tuple[ir.Value, ir.Block]) -> ir.PhiInstr:
    """The value that belongs to the block from which the current one was entered."""
    phi = builder.phi(incoming[0][0].type)
    for value, block in incoming:
        phi.add_incoming(value, block)
    return phi


def shuffled(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, lanes: Sequence[int]) -> ir.Value:
    """The chosen lanes of two vectors, those of the second counted on."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_LANE, len(lanes)), list(lanes)))


def lesser(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The lesser of two integers."""
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def outlined(name: str, count: int, emit: Callable[..., None]) -> Emitter:
    """Return the emitter of calls to a function of `count` int64 parameters, written by `emit` once a module.

    Written out where they are called, tiles and packing would compete for registers with their surroundings.
    """

    def call(builder: ir.IRBuilder, *values: ir.Value) -> None:
        builder.call(builder.module.globals.get(name) or _written(builder.module, name, count, emit), values)

    return call


def word(name: str, count: int, emit: Emitter) -> Word:
    """Make the word of the kernel language that writes a call by an emitter with `count` int64 parameters."""
    return define(name, types.void, [types.int64] * count, emit)


def _written(module: ir.Module, name: str, count: int, emit: Callable[..., None]) -> ir.Function:
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [WORD] * count), name)
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    builder = ir.IRBuilder(function.append_basic_block())
    emit(builder, *function.args)
    builder.ret_void()
    return function


def _splat(builder: ir.IRBuilder, scalar: ir.Value, kind: ir.VectorType) -> ir.Value:
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, scalar, _LANE(0))
    return builder.shuffle_vector(
        first, undefined, ir.Constant(ir.VectorType(_LANE, kind.count), [0] * kind.count)
    )


def _function(
    builder: ir.IRBuilder, name: str, result: ir.Type, parameters: Sequence[ir.Type]
) -> ir.Function:
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, parameters), name)
