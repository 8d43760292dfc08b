# pyright: basic
"""Formulas over LLVM values: `Real` and `Bits` overload the operators, so that bodies read as mathematics.

Each operator writes one LLVM instruction and rounds once. Nothing branches: a loop around these instructions
becomes vector code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from llvmlite import ir

from graphc.runtime.intrinsics import call_llvm

#: llvmlite declares no types, and those inferred from its text are wrong.
LLVMValue = LLVMBuilder = Any

# Numba gives the calling function's flags to every operation that carries none, and `contract` would merge
# products and sums whose separate rounding the formulas rely on. `afn` speaks of functions alone: it keeps
# the flags away and changes nothing.
_ROUND_ONCE = ("afn",)


@dataclass(frozen=True, slots=True, eq=False)
class Real:
    """A float32 or float64 value in the function that `builder` writes."""

    builder: LLVMBuilder
    value: LLVMValue

    def constant(self, number: Real | float) -> LLVMValue:
        """The LLVM value of `number`, a Python float taking this value's type."""
        return number.value if isinstance(number, Real) else ir.Constant(self.value.type, number)

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
        return Condition(self.builder.fcmp_ordered(">", self.value, self.constant(other)))

    def __lt__(self, other: Real | float) -> Condition:
        return Condition(self.builder.fcmp_ordered("<", self.value, self.constant(other)))

    def equals(self, other: Real | float) -> Condition:
        """Whether both are equal; no comparison holds where either side is NaN."""
        return Condition(self.builder.fcmp_ordered("==", self.value, self.constant(other)))


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """A truth value of the generated code; there is none in Python."""

    value: LLVMValue


@dataclass(frozen=True, slots=True, eq=False)
class Bits:
    """An integer as wide as the reals it is made from, wrapping around."""

    builder: LLVMBuilder
    value: LLVMValue

    def constant(self, number: Bits | int) -> LLVMValue:
        """The LLVM value of `number`, a Python int taking this value's type."""
        return number.value if isinstance(number, Bits) else ir.Constant(self.value.type, number)

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
        return Condition(self.builder.icmp_unsigned("!=", (self & mask).value, self.constant(0)))

    def __lshift__(self, count: Bits | int) -> Bits:
        return Bits(self.builder, self.builder.shl(self.value, self.constant(count)))

    def __rshift__(self, count: Bits | int) -> Bits:
        """Logical shift: AVX2 has no arithmetic one for 64-bit lanes."""
        return Bits(self.builder, self.builder.lshr(self.value, self.constant(count)))


def bits(x: Real) -> Bits:
    """The representation of x."""
    width = 32 if isinstance(x.value.type, ir.FloatType) else 64
    return Bits(x.builder, x.builder.bitcast(x.value, ir.IntType(width)))


def real(b: Bits) -> Real:
    """The number whose representation is b."""
    kind = ir.FloatType() if b.value.type.width == 32 else ir.DoubleType()
    return Real(b.builder, b.builder.bitcast(b.value, kind))


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
    change = b.builder.zext if width > b.value.type.width else b.builder.trunc
    return Bits(b.builder, change(b.value, ir.IntType(width)))


def number(b: Bits) -> Real:
    """The signed 32-bit integer b rounded to a float32."""
    return Real(b.builder, b.builder.sitofp(b.value, ir.FloatType()))


def widened(x: Real) -> Real:
    """x as a float64."""
    return Real(x.builder, x.builder.fpext(x.value, ir.DoubleType()))


def narrowed(x: Real) -> Real:
    """x rounded to a float32."""
    return Real(x.builder, x.builder.fptrunc(x.value, ir.FloatType()))


def fma(a: Real, b: Real | float, c: Real | float) -> Real:
    """a * b + c, rounded once."""
    return Real(a.builder, call_llvm(a.builder, "llvm.fma", a.value, a.constant(b), a.constant(c)))


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
