# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false
"""How the words of the kernel language are declared: a name, types, and a few LLVM instructions.

An `@njit` helper called from a kernel costs Numba's whole front end again (50 ms), and an `@intrinsic`
refreshes all of Numba's registries (0.25 s at first, then 0.3 ms a use). A word is a template and a
lowering in the builtin registry, a few microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import AbstractTemplate, Signature, infer_global, signature
from numba.extending import lower_builtin

WORD = ir.IntType(64)
Word = Callable[..., Any]


def define(
    name: str,
    result: types.Type,
    parameters: Sequence[types.Type],
    emit: Callable[..., ir.Value | None],
) -> Word:
    """Make the word `name` of the kernel language, a function of fixed types.

    Args:
        name: as it stands in kernels and in messages.
        result: its Numba type; `types.void` for a word that is a statement.
        parameters: Numba types; arguments of other numeric types are cast to them.
        emit: `emit(builder, *values)` writes the instructions and returns the LLVM value (None if void).
    """
    fixed = signature(result, *parameters)

    def infer(*_: types.Type) -> Signature:
        return fixed

    def lower(context, builder, _, values):
        value = emit(builder, *values)
        return context.get_dummy_value() if result is types.void else value

    return declare(name, infer, lower, parameters)


def declare(
    name: str,
    infer: Callable[..., Signature | None],
    lower: Callable[..., ir.Value],
    parameters: Sequence[types.Type | type[types.Type]],
) -> Word:
    """Make the word `name`, whose types depend on its arguments.

    Args:
        name: as it stands in kernels and in messages.
        infer: `infer(*types)` returns the signature, or None if the word does not take them; integer
            literals arrive as literal types.
        lower: `lower(context, builder, signature, values)` in Numba's convention.
        parameters: Numba types or classes of types that `lower` covers.
    """

    def word(*_: object) -> object:
        raise NotImplementedError(f"{name} is a word of compiled kernels")

    word.__name__ = word.__qualname__ = name

    class Template(AbstractTemplate):
        key = word
        prefer_literal = True

        def generic(self, args, kws):
            return infer(*args) if len(args) == len(parameters) and not kws else None

    infer_global(word, types.Function(Template))
    lower_builtin(word, *parameters)(lower)
    return word


def stack_room(builder: ir.IRBuilder, size: int) -> ir.Value:
    """Pointer to `size` bytes of the function's own, at a cache line; not by Numba's helper, which clears them."""
    with builder.goto_entry_block():
        place = builder.alloca(ir.ArrayType(ir.IntType(8), size))
    place.align = 64
    return place


def call_symbol(builder: ir.IRBuilder, symbol: str, result: ir.Type, values: Sequence[ir.Value]) -> ir.Value:
    """Call a C function that the loader resolves by name."""
    kind = ir.FunctionType(result, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, symbol), values)


def call_llvm(builder: ir.IRBuilder, name: str, *values: ir.Value, flags: Sequence[str] = ()) -> ir.Value:
    """Call an intrinsic of LLVM that is overloaded on its operands' one type, such as `llvm.fma`.

    `contract` is always set: flags left out would be taken from the calling function.
    """
    kind = values[0].type
    element, lanes = (kind.element, f"v{kind.count}") if isinstance(kind, ir.VectorType) else (kind, "")
    suffix = lanes + {"float": "f32", "double": "f64"}.get(str(element), str(element))
    function_type = ir.FunctionType(kind, [value.type for value in values])
    function = cgutils.get_or_insert_function(builder.module, function_type, f"{name}.{suffix}")
    return builder.call(function, values, fastmath=("contract", *flags))
