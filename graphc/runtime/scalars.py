# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportAttributeAccessIssue=false, reportCallIssue=false, reportReturnType=false
"""Scalar words of the kernel language, each one LLVM instruction or a few, so that loops over them
vectorise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature as parameters_of

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import Signature, signature

from graphc.runtime.intrinsics import Word, call_llvm, declare, define

# Of the two zeros a maximum may take either, as in NumPy: without this each maximum tests the sign.
_EITHER_ZERO = ("nsz",)
# Sums and products whose order the loop may change, and nothing else: NaN and infinities stay what they are.
_ANY_ORDER = ("reassoc", "contract")


def _cast(name: str, result: types.Type) -> Word:
    def infer(x: types.Type) -> Signature | None:
        source = types.unliteral(x)
        return signature(result, source) if isinstance(source, types.Number | types.Boolean) else None

    def lower(context, builder, sig, values):
        source = sig.args[0]
        if isinstance(source, types.Float) and isinstance(result, types.Integer):
            return _saturate(builder, values[0], result)
        return context.cast(builder, values[0], source, result)

    return declare(name, infer, lower, [types.Any])


def _saturate(builder: ir.IRBuilder, x: ir.Value, result: types.Integer) -> ir.Value:
    """Truncate a float; the bare instruction would be undefined outside the integer's range."""
    name = "llvm.fptosi.sat" if result.signed else "llvm.fptoui.sat"
    kind, source = ir.IntType(result.bitwidth), "f32" if str(x.type) == "float" else "f64"
    function_type = ir.FunctionType(kind, [x.type])
    symbol = f"{name}.i{result.bitwidth}.{source}"
    known = builder.module.globals.get(symbol)
    return builder.call(known or ir.Function(builder.module, function_type, symbol), [x])


f32, f64 = _cast("f32", types.float32), _cast("f64", types.float64)
i32, i64 = _cast("i32", types.int32), _cast("i64", types.int64)
u32, u64 = _cast("u32", types.uint32), _cast("u64", types.uint64)
b1 = _cast("b1", types.boolean)


def _unary(llvm: str, builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return call_llvm(builder, llvm, x)


def _fma(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    return call_llvm(builder, "llvm.fma", a, b, c)


def _copysign(builder: ir.IRBuilder, magnitude: ir.Value, sign: ir.Value) -> ir.Value:
    return call_llvm(builder, "llvm.copysign", magnitude, sign)


def _maximum(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return call_llvm(builder, "llvm.maximum", a, b, flags=_EITHER_ZERO)


def _minimum(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return call_llvm(builder, "llvm.minimum", a, b, flags=_EITHER_ZERO)


def _difference(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """a - b of a and b as they were rounded: a flag that says nothing of sums keeps `contract` away."""
    return builder.fsub(a, b, flags=("afn",))


def _add(builder: ir.IRBuilder, total: ir.Value, x: ir.Value) -> ir.Value:
    return builder.fadd(total, x, flags=_ANY_ORDER)


def _multiply(builder: ir.IRBuilder, total: ir.Value, x: ir.Value) -> ir.Value:
    return builder.fmul(total, x, flags=_ANY_ORDER)


def _both(name: str, emit: Callable[..., ir.Value]):
    """The word for float32 and the word for float64."""
    count = len(parameters_of(emit).parameters) - 1
    return tuple(define(f"{name}_{suffix}", kind, [kind] * count, emit) for suffix, kind in _FLOATS)


_FLOATS = (("f32", types.float32), ("f64", types.float64))
rint_f32, rint_f64 = _both("rint", partial(_unary, "llvm.rint"))
floor_f32, floor_f64 = _both("floor", partial(_unary, "llvm.floor"))
ceil_f32, ceil_f64 = _both("ceil", partial(_unary, "llvm.ceil"))
trunc_f32, trunc_f64 = _both("trunc", partial(_unary, "llvm.trunc"))
sqrt_f32, sqrt_f64 = _both("sqrt", partial(_unary, "llvm.sqrt"))
abs_f32, abs_f64 = _both("abs", partial(_unary, "llvm.fabs"))
fma_f32, fma_f64 = _both("fma", _fma)
copysign_f32, copysign_f64 = _both("copysign", _copysign)
maximum_f32, maximum_f64 = _both("maximum", _maximum)
minimum_f32, minimum_f64 = _both("minimum", _minimum)
difference_f32, difference_f64 = _both("difference", _difference)
accumulate_add_f32, accumulate_add_f64 = _both("accumulate_add", _add)
accumulate_mul_f32, accumulate_mul_f64 = _both("accumulate_mul", _multiply)
accumulate_max_f32, accumulate_max_f64 = _both("accumulate_max", _maximum)
accumulate_min_f32, accumulate_min_f64 = _both("accumulate_min", _minimum)


def _infer_select(condition: types.Type, a: types.Type, b: types.Type) -> Signature | None:
    kinds = {types.unliteral(a), types.unliteral(b)}
    if len(kinds) > 1 or not isinstance(kind := kinds.pop(), types.Number | types.Boolean):
        return None
    return signature(kind, types.boolean, kind, kind)


def _select(context, builder, sig, values):
    return builder.select(*values)


select = declare("select", _infer_select, _select, [types.boolean, types.Any, types.Any])


def _larger(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.select(builder.icmp_signed(">", a, b), a, b)


def _smaller(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def _quotient(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.udiv(a, b)


def _remainder(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.urem(a, b)


def _floor_divide(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The quotient rounded down; 0 for b = 0, and the least number divided by -1 is itself, as negating wraps."""
    quotient, rest, divisor = _truncated(builder, a, b)
    down = builder.sub(quotient, builder.zext(_opposed(builder, rest, divisor), a.type))
    negated, nothing = builder.neg(a), ir.Constant(a.type, 0)
    zero = builder.icmp_signed("==", b, nothing)
    minus = builder.icmp_signed("==", b, ir.Constant(a.type, -1))
    return builder.select(minus, negated, builder.select(zero, nothing, down))


def _modulo(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    """The remainder with the sign of b; 0 for b = 0."""
    _, rest, divisor = _truncated(builder, a, b)
    return builder.select(_opposed(builder, rest, divisor), builder.add(rest, divisor), rest)


def _truncated(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Quotient, remainder and the divisor, which is 1 for 0 and -1: the processor would trap, at least for some a."""
    kind = a.type
    next_ = builder.add(b, ir.Constant(kind, 1))
    trapping = builder.icmp_unsigned("<=", next_, ir.Constant(kind, 1))
    divisor = builder.select(trapping, ir.Constant(kind, 1), b)
    quotient = builder.sdiv(a, divisor)
    return quotient, builder.sub(a, builder.mul(quotient, divisor)), divisor


def _opposed(builder: ir.IRBuilder, rest: ir.Value, divisor: ir.Value) -> ir.Value:
    """Whether a remainder is not 0 and has not the sign of its divisor."""
    nothing = ir.Constant(rest.type, 0)
    signs = builder.icmp_signed("<", builder.xor(rest, divisor), nothing)
    return builder.and_(builder.icmp_signed("!=", rest, nothing), signs)


_pair = (types.int64, types.int64)
floordiv_i64 = define("floordiv_i64", types.int64, _pair, _floor_divide)
floordiv_i32 = define("floordiv_i32", types.int32, (types.int32, types.int32), _floor_divide)
mod_i64 = define("mod_i64", types.int64, _pair, _modulo)
mod_i32 = define("mod_i32", types.int32, (types.int32, types.int32), _modulo)
maximum_i64 = define("maximum_i64", types.int64, _pair, _larger)
minimum_i64 = define("minimum_i64", types.int64, _pair, _smaller)
quotient = define("quotient", types.int64, _pair, _quotient)
remainder = define("remainder", types.int64, _pair, _remainder)


def _reinterpret(name: str, source: types.Type, result: types.Type, kind: ir.Type):
    def emit(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
        return builder.bitcast(x, kind)

    return define(name, result, [source], emit)


bits_f32 = _reinterpret("bits_f32", types.float32, types.uint32, ir.IntType(32))
bits_f64 = _reinterpret("bits_f64", types.float64, types.uint64, ir.IntType(64))
float_f32 = _reinterpret("float_f32", types.uint32, types.float32, ir.FloatType())
float_f64 = _reinterpret("float_f64", types.uint64, types.float64, ir.DoubleType())
