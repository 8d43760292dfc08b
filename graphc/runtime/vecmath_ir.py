# pyright: basic
"""Formulas over LLVM values: `Real` and `Bits` overload the operators, so that bodies read as mathematics.

Each operator writes one LLVM instruction and rounds once. Nothing branches: a loop around these instructions
becomes vector code. The values may be vectors themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from graphc.runtime import loader
from graphc.runtime.intrinsics import call_llvm

#: llvmlite declares no types, and those inferred from its text are wrong.
LLVMValue = LLVMBuilder = LLVMType = Any

# Numba gives the calling function's flags to every operation that carries none, and `contract` would merge
# products and sums whose separate rounding the formulas rely on. `afn` speaks of functions alone: it keeps
# the flags away and changes nothing.
_ROUND_ONCE = ("afn",)


def _element(kind: LLVMType) -> LLVMType:
    return kind.element if isinstance(kind, ir.VectorType) else kind


def _of(element: LLVMType, kind: LLVMType) -> LLVMType:
    """`element`, or as many of them as the vector type `kind` has."""
    return ir.VectorType(element, kind.count) if isinstance(kind, ir.VectorType) else element


def _constant(kind: LLVMType, number: float) -> LLVMValue:
    if not isinstance(kind, ir.VectorType):
        return ir.Constant(kind, number)
    return ir.Constant(kind, [ir.Constant(kind.element, number)] * kind.count)


@dataclass(frozen=True, slots=True, eq=False)
class Real:
    """A float32 or float64 value in the function that `builder` writes."""

    builder: LLVMBuilder
    value: LLVMValue

    def constant(self, number: Real | float) -> LLVMValue:
        """The LLVM value of `number`, a Python float taking this value's type."""
        return number.value if isinstance(number, Real) else _constant(self.value.type, number)

    def __add__(self, other: Real | float) -> Real:
        return Real(self.builder, self.builder.fadd(self.value, self.constant(other), flags=_ROUND_ONCE))

    def __sub__(self, other: Real | float) -> Real:
        return Real(self.builder, self.builder.fsub(self.value, self.constant(other), flags=_ROUND_ONCE))

    def __mul__(self, other: Real | float) -> Real:
        return Real(self.builder, self.builder.fmul(self.value, self.constant(other), flags=_ROUND_ONCE))

    def __truediv__(self, other: Real | float) -> Real:
        return Real(self.builder, self.builder.fdiv(self.value, self.constant(other), flags=_ROUND_ONCE))

    def __rsub__(self, other: float) -> Real:
        return Real(self.builder, self.constant(other)) - self

    def __rtruediv__(self, other: float) -> Real:
        return Real(self.builder, self.constant(other)) / self

    def __neg__(self) -> Real:
        return Real(self.builder, self.builder.fneg(self.value))

    def __gt__(self, other: Real | float) -> Condition:
        return Condition(self.builder, self.builder.fcmp_ordered(">", self.value, self.constant(other)))

    def __lt__(self, other: Real | float) -> Condition:
        return Condition(self.builder, self.builder.fcmp_ordered("<", self.value, self.constant(other)))

    def equals(self, other: Real | float) -> Condition:
        """Whether both are equal; no comparison holds where either side is NaN."""
        return Condition(self.builder, self.builder.fcmp_ordered("==", self.value, self.constant(other)))


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A truth value of the generated code; there is none in Python."""

    builder: LLVMBuilder
    value: LLVMValue

    def __and__(self, other: Condition) -> Condition:
        return Condition(self.builder, self.builder.and_(self.value, other.value))

    def __or__(self, other: Condition) -> Condition:
        return Condition(self.builder, self.builder.or_(self.value, other.value))

    def __invert__(self) -> Condition:
        return Condition(self.builder, self.builder.not_(self.value))


@dataclass(frozen=True, slots=True, eq=False)
class Bits:
    """An integer as wide as the reals it is made from, wrapping around."""

    builder: LLVMBuilder
    value: LLVMValue

    @property
    def width(self) -> int:
        """Number of bits of one integer."""
        return _element(self.value.type).width

    def constant(self, number: Bits | int) -> LLVMValue:
        """The LLVM value of `number`, a Python int taking this value's type."""
        return number.value if isinstance(number, Bits) else _constant(self.value.type, number)

    def __add__(self, other: Bits | int) -> Bits:
        return Bits(self.builder, self.builder.add(self.value, self.constant(other)))

    def __sub__(self, other: Bits | int) -> Bits:
        return Bits(self.builder, self.builder.sub(self.value, self.constant(other)))

    def __rsub__(self, other: int) -> Bits:
        return Bits(self.builder, self.constant(other)) - self

    def __mul__(self, other: Bits | int) -> Bits:
        return Bits(self.builder, self.builder.mul(self.value, self.constant(other)))

    def __and__(self, other: Bits | int) -> Bits:
        return Bits(self.builder, self.builder.and_(self.value, self.constant(other)))

    def __or__(self, other: Bits | int) -> Bits:
        return Bits(self.builder, self.builder.or_(self.value, self.constant(other)))

    def __xor__(self, other: Bits | int) -> Bits:
        return Bits(self.builder, self.builder.xor(self.value, self.constant(other)))

    def has(self, mask: int) -> Condition:
        """Whether a bit of `mask` is set."""
        return Condition(
            self.builder, self.builder.icmp_unsigned("!=", (self & mask).value, self.constant(0))
        )

    def __lshift__(self, count: Bits | int) -> Bits:
        return Bits(self.builder, self.builder.shl(self.value, self.constant(count)))

    def __rshift__(self, count: Bits | int) -> Bits:
        """Logical shift: AVX2 has no arithmetic one for 64-bit lanes."""
        return Bits(self.builder, self.builder.lshr(self.value, self.constant(count)))


def bits(x: Real) -> Bits:
    """The representation of x."""
    kind = x.value.type
    width = 32 if isinstance(_element(kind), ir.FloatType) else 64
    return Bits(x.builder, x.builder.bitcast(x.value, _of(ir.IntType(width), kind)))


def real(b: Bits) -> Real:
    """The number whose representation is b."""
    element = ir.FloatType() if b.width == 32 else ir.DoubleType()
    return Real(b.builder, b.builder.bitcast(b.value, _of(element, b.value.type)))


def like(x: Real, number: float) -> Real:
    """`number` in the type of x."""
    return Real(x.builder, x.constant(number))


def select(condition: Condition, then: Real | float, otherwise: Real) -> Real:
    """`then` where the condition holds, `otherwise` elsewhere; both are evaluated."""
    builder = otherwise.builder
    return Real(builder, builder.select(condition.value, otherwise.constant(then), otherwise.value))


def choose(condition: Condition, then: Bits | int, otherwise: Bits | int, like: Bits) -> Bits:
    """`select` for integers as wide as `like`."""
    chosen = like.builder.select(condition.value, like.constant(then), like.constant(otherwise))
    return Bits(like.builder, chosen)


def resized(b: Bits, width: int) -> Bits:
    """`b` with zeros before it, or its lowest `width` bits."""
    change = b.builder.zext if width > b.width else b.builder.trunc
    return Bits(b.builder, change(b.value, _of(ir.IntType(width), b.value.type)))


def number(b: Bits) -> Real:
    """The signed 32-bit integer b rounded to a float32."""
    return Real(b.builder, b.builder.sitofp(b.value, _of(ir.FloatType(), b.value.type)))


def widened(x: Real) -> Real:
    """x as a float64."""
    return Real(x.builder, x.builder.fpext(x.value, _of(ir.DoubleType(), x.value.type)))


def narrowed(x: Real) -> Real:
    """x rounded to a float32."""
    return Real(x.builder, x.builder.fptrunc(x.value, _of(ir.FloatType(), x.value.type)))


def entries(table: str, index: Bits) -> Real:
    """The float64 at `index` of a table that the loader finds by name, element after element."""
    builder, module = index.builder, index.builder.module
    known = module.globals.get(table)
    start = known or ir.GlobalVariable(module, ir.DoubleType(), table)
    start.global_constant = True
    if not isinstance(index.value.type, ir.VectorType):
        return Real(builder, builder.load(builder.gep(start, [index.value])))
    found = ir.Constant(_of(ir.DoubleType(), index.value.type), ir.Undefined)
    for lane in range(index.value.type.count):
        at = ir.Constant(ir.IntType(32), lane)
        place = builder.gep(start, [builder.extract_element(index.value, at)])
        found = builder.insert_element(found, builder.load(place), at)
    return Real(builder, found)


def anywhere(condition: Condition) -> LLVMValue:
    """Whether the condition holds for any element, as a truth value to branch on."""
    kind, builder = condition.value.type, condition.builder
    if not isinstance(kind, ir.VectorType):
        return condition.value
    mask = builder.bitcast(condition.value, ir.IntType(kind.count))
    return builder.icmp_unsigned("!=", mask, ir.Constant(mask.type, 0))


def fma(a: Real, b: Real | float, c: Real | float) -> Real:
    """a * b + c, rounded once."""
    return Real(a.builder, call_llvm(a.builder, "llvm.fma", a.value, a.constant(b), a.constant(c)))


def scales(x: Real) -> bool:
    """Whether this processor scales numbers like x by powers of two in one instruction."""
    return isinstance(_element(x.value.type), ir.FloatType) and loader.vector_bits() == 512


def ldexp(x: Real, n: Bits) -> Real:
    """x 2^n, rounded once, for n of as many bits as x."""
    kinds = [x.value.type, n.value.type]
    names = [str(_element(kind)).replace("float", "f32") for kind in kinds]
    lanes = f"v{kinds[0].count}" if isinstance(kinds[0], ir.VectorType) else ""
    name = "llvm.ldexp." + ".".join(f"{lanes}{each}" for each in names)
    function = cgutils.get_or_insert_function(x.builder.module, ir.FunctionType(kinds[0], kinds), name)
    return Real(x.builder, x.builder.call(function, [x.value, n.value]))


def sqrt(x: Real) -> Real:
    """Square root, rounded once."""
    return Real(x.builder, call_llvm(x.builder, "llvm.sqrt", x.value))


def rint(x: Real) -> Real:
    """The nearest integer, of two the even one."""
    return Real(x.builder, call_llvm(x.builder, "llvm.rint", x.value))


def magnitude(x: Real) -> Real:
    """The absolute value."""
    return Real(x.builder, call_llvm(x.builder, "llvm.fabs", x.value))


def copysign(x: Real, sign: Real) -> Real:
    """|x| with the sign of `sign`."""
    return Real(x.builder, call_llvm(x.builder, "llvm.copysign", x.value, sign.value))


def at_most(x: Real, top: float) -> Real:
    """The lesser of x and `top`; NaN stays NaN."""
    return select(x > top, top, x)


def at_least(x: Real, bottom: float) -> Real:
    """The greater of x and `bottom`; NaN stays NaN."""
    return select(x < bottom, bottom, x)


def polynomial(x: Real, coefficients: Sequence[float]) -> Real:
    """The polynomial in x with the given coefficients, constant term first.

    The constant comes last and so gives the only rounding that counts. What it is added to is summed as even
    and odd part, since one long chain of Horner's is bound by the latency of `fma`, in vector loops too.
    """
    constant, *rest = coefficients
    square = x * x
    tail = fma(_horner(square, rest[1::2]), x, _horner(square, rest[::2]))
    return fma(tail, x, constant)


def _horner(x: Real, coefficients: Sequence[float]) -> Real:
    *lower, highest = coefficients
    start = Real(x.builder, x.constant(highest))
    return reduce(lambda value, coefficient: fma(value, x, coefficient), reversed(lower), start)
