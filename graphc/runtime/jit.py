"""Compile and load emitted modules.

loaded = jit.load(source, file)
loaded.addresses["forward_hidden"]     # C function void(int64, int64, int64)
loaded.call(steps_address, count)      # runs the module's @entry
"""

from __future__ import annotations

import ctypes
import linecache
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from graphc.errors import CompileError
from graphc.runtime import loader, threads, units

_RUN = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
_lock = threading.RLock()
_addresses: dict[str, int] = {}
_compilations = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """An emitted module in memory, for the life of the process.

    Attributes:
        addresses: address of each function, by name.
        compiled: how many of them Numba had to compile now.
        cached: how many were in memory or on disk.
    """

    addresses: Mapping[str, int]
    compiled: int
    cached: int
    _run: Callable[[int, int, int], None] | None

    def call(self, steps: int, count: int) -> None:
        """Run `count` steps of the table at address `steps`; the interpreter is free meanwhile.

        A table serves one call at a time; several threads may call with tables of their own.

        Raises:
            CompileError: the module has no `@entry`.
        """
        if self._run is None:
            raise CompileError("the module has no @entry; append launch.ENTRY to it")
        self._run(steps, count, threads.count())


def counters() -> int:
    """Number of functions that Numba has compiled in this process."""
    return _compilations


def load(source: str, file: str | None = None) -> Loaded:
    """Compile what is new in an emitted module and load all of it.

    Args:
        source: text of the module, in the language of `graphc.runtime.language`.
        file: where the text lies, for messages and debuggers; it need not exist.

    Raises:
        CompileError: the text is not in the language, or its object code does not load.
    """
    name = file or "<kernels>"
    functions = units.split(source, name)
    with _lock:
        before = _compilations
        addresses = {unit.name: _address(unit, source, name) for unit in functions}
    compiled = _compilations - before
    entries = [unit.name for unit in functions if unit.parallel]
    run = _RUN(addresses[entries[0]]) if entries else None
    return Loaded(MappingProxyType(addresses), compiled, len(functions) - compiled, run)


def _address(unit: units.Unit, source: str, file: str) -> int:
    key = unit.key("")
    if key not in _addresses:
        _addresses[key] = loader.link(_compile(unit, key, source, file))
    return _addresses[key]


def _compile(unit: units.Unit, key: str, source: str, file: str) -> loader.Object:
    global _compilations
    from graphc.runtime import compiler

    function = _execute(source, file)[unit.name]
    _compilations += 1
    try:
        return compiler.compile_function(function, symbol=f"graphc_{key}", parallel=unit.parallel)
    except Exception as error:
        first = str(error).strip().partition("\n")[0]
        raise CompileError(f"{unit.name}: {first}; the kernel's text is in {file}") from error


def _execute(source: str, file: str) -> dict[str, Any]:
    """Run the module's text, with its lines where tracebacks and Numba look for them."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": "graphc_kernels", "__file__": file}
    exec(compile(source, file, "exec"), namespace)
    return namespace
