# pyright: basic
"""From object code to addresses, by llvmlite alone: a warm start does not import Numba."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import llvmlite.binding as llvm

from graphc.errors import CompileError
from graphc.runtime import threads, turns


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


def link(units: Mapping[str, Object]) -> dict[str, int]:
    """Load object code for the life of the process and return the addresses of its functions.

    Args:
        units: object code by any name; the result has the same names.

    Raises:
        CompileError: a symbol that it needs is nowhere in the process; LLVM itself would end the process.
    """
    engine = _engine()
    for name in sorted({name for unit in units.values() for name in unit.needs}):
        _resolve(name)
    for unit in units.values():
        engine.add_object_file(llvm.ObjectFileRef.from_data(unit.code))
    engine.finalize_object()
    return {name: engine.get_function_address(unit.symbol) for name, unit in units.items()}


def publish(symbol: str, address: int) -> None:
    """Make a C function known to object code loaded from now on."""
    llvm.add_symbol(symbol, address)


def _resolve(symbol: str) -> None:
    """See to it that LLVM finds a symbol, of this runtime or of the process."""
    if symbol in _OURS:
        publish(symbol, _OURS[symbol]())
    elif llvm.address_of_symbol(symbol) is None:
        todo = "clear the cache with graphc cache --clear"
        raise CompileError(f"a kernel calls {symbol}, which is not in this process; {todo}")


#: Addresses that belong to this runtime.
_OURS: dict[str, Callable[[], int]] = {
    "graphc_team": threads.memory,
    turns.SYMBOL: turns.table,
    "graphc_yield": threads.yield_address,
    "graphc_sleep": threads.sleep_address,
    "graphc_wake": threads.wake_address,
}


@cache
def _engine() -> llvm.ExecutionEngine:
    """The one engine. It owns all loaded code and is never freed, since workers outlive the interpreter."""
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target_machine())
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))
    # Of the process LLVM sees what the interpreter is linked with; elsewhere that holds C's functions.
    with contextlib.suppress(RuntimeError):
        llvm.load_library_permanently("ucrtbase.dll" if sys.platform == "win32" else "libm.so.6")
    return engine


def target_machine() -> llvm.TargetMachine:
    """A target machine for this very processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    cpu, features = host()
    model = "static" if target.name.startswith("x86") else "default"
    return target.create_target_machine(
        cpu=cpu, features=features, opt=3, reloc=model, codemodel="jitdefault", jit=True
    )


@cache
def host() -> tuple[str, str]:
    """Name and features of this processor, as LLVM knows them; asked once, since LLVM may be busy."""
    try:
        features = llvm.get_host_cpu_features()
        # For some processors LLVM cuts vectors of 512 bits in two, to spare their clock. What is written here pays
        # for the whole width: products gain up to 1.8 times, and functions 1.2 to 1.8 times.
        whole = ",-prefer-256-bit" if features.get("avx512f") else ""
        return llvm.get_host_cpu_name(), features.flatten() + whole
    except RuntimeError:  # LLVM cannot tell the features on every platform
        return llvm.get_host_cpu_name(), ""


def vector_bits() -> int:
    """Width of this processor's vector registers."""
    features = host()[1].split(",")
    return 512 if "+avx512f" in features else 256 if "+avx" in features else 128
