# pyright: basic
"""How the words of the kernel language are declared: a name, types, and a few LLVM instructions.

An `@njit` helper called from a kernel costs Numba's whole front end again, 50 ms; an intrinsic costs under a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import Parameter, Signature, signature

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

WORD = ir.IntType(64)


def define(
    name: str, result: types.Type, parameters: Sequence[types.Type], emit: Callable[..., ir.Value | None]
):
    """Make the word `name` of the kernel language, a function of fixed types.

    Args:
        name: as it stands in kernels and in messages.
        result: its Numba type; `types.void` for a word that is a statement.
        parameters: Numba types; arguments of other numeric types are cast to them.
        emit: `emit(builder, *values)` writes the instructions and returns the LLVM value (None if void).
    """
    names = list(signature(emit).parameters)[1:]

    def definition(typingctx, *_):
        def codegen(context, builder, _, values):
            value = emit(builder, *values)
            return context.get_dummy_value() if result is types.void else value

        return result(*parameters), codegen

    definition.__name__ = definition.__qualname__ = name
    # Numba binds arguments by the signature it inspects.
    kinds = [Parameter(each, Parameter.POSITIONAL_OR_KEYWORD) for each in ["typingctx", *names]]
    definition.__signature__ = Signature(kinds)  # pyright: ignore[reportFunctionMemberAccess]
    return intrinsic(definition)


def external(symbol: str, count: int):
    """Make a word that calls the C function `symbol` of `count` int64 parameters, which returns nothing."""
    names = [f"a{index}" for index in range(count)]

    def emit(builder: ir.IRBuilder, *values: ir.Value) -> None:
        call_symbol(builder, symbol, ir.VoidType(), values)

    kinds = [Parameter(each, Parameter.POSITIONAL_OR_KEYWORD) for each in ["builder", *names]]
    emit.__signature__ = Signature(kinds)  # pyright: ignore[reportFunctionMemberAccess]
    return define(symbol, types.void, [types.int64] * count, emit)


def call_symbol(builder: ir.IRBuilder, symbol: str, result: ir.Type, values: Sequence[ir.Value]) -> ir.Value:
    """Call a C function that the loader resolves by name."""
    kind = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, symbol), values)


def call_llvm(builder: ir.IRBuilder, name: str, *values: ir.Value, flags: Sequence[str] = ()) -> ir.Value:
    """Call an intrinsic of LLVM that is overloaded on its operands' one type, such as `llvm.fma`.

    `contract` is always set: flags left out would be taken from the calling function.
    """
    kind = values[0].type
    suffix = {"float": "f32", "double": "f64"}.get(str(kind), str(kind))
    function_type = ir.FunctionType(kind, [value.type for value in values])
    function = cgutils.get_or_insert_function(builder.module, function_type, f"{name}.{suffix}")
    return builder.call(function, values, fastmath=("contract", *flags))
