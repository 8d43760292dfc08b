"""From units to object code: the steps of a compilation, with what can go wrong told by kernel and file."""

from __future__ import annotations

import ast
import gc
import linecache
import sys
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from graphc.errors import CompileError
from graphc.runtime import compiler, externals, outline, steps, vecmath_calls
from graphc.runtime.loader import Object
from graphc.runtime.units import Unit

#: A function's name, and its object code in the making.
_Pending = tuple[str, Future[Object]]


def build(
    wanted: Mapping[str, Unit], source: str, file: str, available: Callable[[str], bool]
) -> dict[str, Object]:
    """Compile units of an emitted module, and the external functions that they call.

    While LLVM makes code of one function, Numba reads the next.

    Args:
        wanted: the units by their keys.
        source: text of the module.
        file: its name.
        available: whether an external function, by its symbol, need not be compiled.

    Returns:
        object code by the units' keys and the external functions' symbols.

    Raises:
        CompileError: a function is not in the language.
    """
    namespace = _execute(ast.parse(source, file), source, file)
    symbols = [externals.WORK] if any(unit.parallel for unit in wanted.values()) else []
    pending: dict[str, _Pending] = {}
    with _frequent_switches(), _collected_by_function(), ThreadPoolExecutor(1) as pool:
        for key, unit in sorted(wanted.items(), key=_turn):
            with _explained(unit.name, file):
                modules = _lower(unit, f"graphc_{key}", namespace, source, file)
            pending[key] = unit.name, pool.submit(compiler.emit, modules, f"graphc_{key}")
            gc.collect(0)
            symbols += externals.called(modules)
            while symbols:
                symbol = symbols.pop()
                if symbol not in pending and not available(symbol):
                    modules = _external(symbol)
                    pending[symbol] = symbol, pool.submit(compiler.emit, modules, symbol)
                    symbols += externals.called(modules)
        return {name: _result(*each, file) for name, each in pending.items()}


def _turn(wanted: tuple[str, Unit]) -> tuple[bool, int]:
    """When a unit is read: those that call the product first, the shortest of them, since nothing takes LLVM as long as
    the product; then the longest, so that little is left for LLVM once all are read."""
    text = wanted[1].text
    return (False, len(text)) if "gemm_" in text else (True, -len(text))


@contextmanager
def _frequent_switches() -> Generator[None]:
    """Give the thread that serves LLVM the interpreter when it asks, not 5 ms later, fifty times a kernel."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def _collected_by_function() -> Generator[None]:
    """Free the cycles that a function leaves behind once it is read, and not each time that so many objects were made:
    nothing dies while a function is read, and looking for it takes a tenth of the time."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def external(symbol: str) -> dict[str, Object]:
    """Compile one external function; return it by its symbol."""
    return {symbol: compiler.emit(_external(symbol), symbol)}


def _external(symbol: str) -> list[str]:
    if symbol in externals.WRITTEN:
        return [vecmath_calls.module(symbol)]
    return compiler.lower(externals.function(symbol), symbol)


def _execute(tree: ast.Module, source: str, file: str) -> dict[str, Any]:
    """Run the module, with its lines where tracebacks and Numba look for them."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": "graphc_kernels", "__file__": file}
    exec(compile(tree, file, "exec"), namespace)
    return namespace


def _lower(unit: Unit, symbol: str, namespace: dict[str, Any], source: str, file: str) -> list[str]:
    if unit.parallel:
        return _lower_entry(unit, symbol, namespace, source, file)
    return compiler.lower(namespace[unit.name], symbol)


def _lower_entry(unit: Unit, symbol: str, namespace: dict[str, Any], source: str, file: str) -> list[str]:
    functions = [each for each in ast.parse(source, file).body if isinstance(each, ast.FunctionDef)]
    parts = outline.outline(next(each for each in functions if each.name == unit.name))
    scope = {"parallel_for": steps.parallel_for, **namespace}  # the one word that no emitted text names
    exec(compile(ast.Module(list(parts), []), file, "exec"), scope)
    outer: Callable[..., object] = scope[unit.name]
    return compiler.lower(outer, symbol) + compiler.lower(scope[outline.MEMBER], outline.MEMBER)


def _result(name: str, future: Future[Object], file: str) -> Object:
    with _explained(name, file):
        return future.result()


@contextmanager
def _explained(name: str, file: str) -> Generator[None]:
    """Tell an error of Numba's or LLVM's by the function that it concerns."""
    try:
        yield
    except Exception as error:
        lines = [
            line for line in str(error).splitlines() if line.strip() and not line.startswith("Failed in")
        ]
        reason = lines[0].strip() if lines else type(error).__name__
        raise CompileError(f"{name}: {reason}; the kernel's text is in {file}") from error
