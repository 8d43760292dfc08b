# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportAttributeAccessIssue=false, reportOptionalCall=false, reportPrivateImportUsage=false, reportReturnType=false
"""Typed pointers of kernels: `p[i]` and `p[i] = v` as bare loads and stores.

An array argument of Numba costs a descriptor of seven words, and its signed index a wrap-around test that
turns vector loads into gathers. A `Buffer` is one address. Its type carries the position `scope` of the
buffer in the argument block; every access is tagged with it, so that LLVM knows that buffers of different
scopes never overlap and vectorises a loop over many of them without testing addresses at run time.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models, register_default
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

_WORD = ir.IntType(64)
_BYTE = ir.IntType(8)


class Buffer(types.Type):
    """Type of a pointer to elements of `dtype`, the `scope`-th entry of the argument block."""

    def __init__(self, dtype: types.Type, scope: int) -> None:
        self.dtype, self.scope = dtype, scope
        super().__init__(name=f"Buffer({dtype}, {scope})")


@register_default(Buffer)
class _BufferModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type) -> None:
        super().__init__(dmm, fe_type, element_type(fe_type.dtype).as_pointer())


def element_type(dtype: types.Type) -> ir.Type:
    """LLVM type of one stored element; a boolean is stored as one byte."""
    if isinstance(dtype, types.Float):
        return ir.FloatType() if dtype.bitwidth == 32 else ir.DoubleType()
    return _BYTE if dtype is types.boolean else ir.IntType(dtype.bitwidth)


def load_argument(builder: ir.IRBuilder, args: ir.Value, index: ir.Value) -> ir.Value:
    """Entry `index` of the argument block, which nobody writes while a kernel runs."""
    entry = builder.gep(builder.inttoptr(args, _WORD.as_pointer()), [index])
    return _invariant(builder, builder.load(entry, align=8))


def load_buffer(builder: ir.IRBuilder, args: ir.Value, index: ir.Value, dtype: types.Type) -> ir.Value:
    """Address held by the slot to which entry `index` of the argument block points."""
    slot = builder.inttoptr(load_argument(builder, args, index), _WORD.as_pointer())
    data = _invariant(builder, builder.load(slot, align=8))
    return builder.inttoptr(data, element_type(dtype).as_pointer())


def _invariant(builder: ir.IRBuilder, load: ir.Value) -> ir.Value:
    load.set_metadata("invariant.load", builder.module.add_metadata([]))
    return load


def _tag(builder: ir.IRBuilder, access: ir.Instruction, buffer: Buffer) -> ir.Instruction:
    """Put an access into the alias scope of its buffer.

    One of the two accesses that LLVM compares must name the other's scope, so it suffices that each
    disclaims the scopes below its own: the lists need no count of all buffers.
    """
    module = builder.module
    domain = module.add_metadata([_string(module, "graphc")])
    scopes = [module.add_metadata([_string(module, f"buffer {k}"), domain]) for k in range(buffer.scope + 1)]
    access.set_metadata("alias.scope", module.add_metadata(scopes[-1:]))
    if buffer.scope:
        access.set_metadata("noalias", module.add_metadata(scopes[:-1]))
    return access


def _string(module: ir.Module, text: str) -> ir.MetaDataString:
    return ir.MetaDataString(module, text)


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args, kws):
        pointer, index = args
        if isinstance(pointer, Buffer) and isinstance(index, types.Integer):
            return signature(pointer.dtype, pointer, types.int64)
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args, kws):
        pointer, index, _ = args
        if isinstance(pointer, Buffer) and isinstance(index, types.Integer):
            return signature(types.none, pointer, types.int64, pointer.dtype)
        return None


@lower_builtin(operator.getitem, Buffer, types.int64)
def _load(context, builder, sig, args):
    buffer, element = sig.args[0], builder.gep(args[0], [args[1]], inbounds=True)
    value = _tag(builder, builder.load(element, align=_alignment(buffer)), buffer)
    if buffer.dtype is types.boolean:
        return builder.icmp_unsigned("!=", value, _BYTE(0))
    return value


@lower_builtin(operator.setitem, Buffer, types.int64, types.Any)
def _store(context, builder, sig, args):
    buffer, element = sig.args[0], builder.gep(args[0], [args[1]], inbounds=True)
    value = builder.zext(args[2], _BYTE) if buffer.dtype is types.boolean else args[2]
    _tag(builder, builder.store(value, element, align=_alignment(buffer)), buffer)
    return context.get_dummy_value()


def _alignment(buffer: Buffer) -> int:
    return 1 if buffer.dtype is types.boolean else buffer.dtype.bitwidth // 8
