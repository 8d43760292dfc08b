# pyright: basic
"""From object code to addresses, by llvmlite alone: a warm start does not import Numba."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from graphc.errors import CompileError


@dataclass(frozen=True, slots=True)
class Object:
    """Object code of one unit.

    Attributes:
        symbol: the C function that it defines.
        needs: symbols that it leaves to the loader.
        code: the object file.
    """

    symbol: str
    needs: tuple[str, ...]
    code: bytes


_lock = threading.Lock()


def link(unit: Object) -> int:
    """Load object code for the life of the process and return the address of its function.

    Raises:
        CompileError: a symbol that it needs is nowhere in the process; LLVM itself would end the process.
    """
    missing = [name for name in unit.needs if llvm.address_of_symbol(name) is None]
    if missing:
        raise CompileError(f"{unit.symbol}: this process lacks the functions {missing}; report it as a bug")
    with _lock:
        engine = _engine()
        engine.add_object_file(llvm.ObjectFileRef.from_data(unit.code))
        engine.finalize_object()
        return engine.get_function_address(unit.symbol)


@cache
def _engine() -> llvm.ExecutionEngine:
    """The one engine, which owns all loaded code and lives as long as the process."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(jit=True)
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
