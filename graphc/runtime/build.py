"""From units to object code: the steps of a compilation, with what can go wrong told by kernel and file."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from graphc.errors import CompileError
from graphc.runtime import compiler, externals, outline, steps
from graphc.runtime.loader import Object
from graphc.runtime.units import Unit


def build(wanted: Mapping[str, Unit], source: str, file: str) -> dict[str, Object]:
    """Compile units of an emitted module.

    Args:
        wanted: the units by their keys.
        source: text of the module.
        file: its name.

    Raises:
        CompileError: a function is not in the language.
    """
    namespace = _execute(ast.parse(source, file), source, file)
    with ThreadPoolExecutor(1) as pool:  # while LLVM makes code of one function, Numba reads the next
        pending = {key: _start(unit, key, namespace, source, file, pool) for key, unit in wanted.items()}
        return {key: _finish(wanted[key], future, file) for key, future in pending.items()}


def external(symbol: str) -> Object:
    """Compile the external function `symbol`."""
    return compiler.emit(compiler.lower(externals.function(symbol), symbol), symbol)


def _execute(tree: ast.Module, source: str, file: str) -> dict[str, Any]:
    """Run the module, with its lines where tracebacks and Numba look for them."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": "graphc_kernels", "__file__": file}
    exec(compile(tree, file, "exec"), namespace)
    return namespace


def _start(
    unit: Unit, key: str, namespace: dict[str, Any], source: str, file: str, pool: ThreadPoolExecutor
) -> Future[Object]:
    symbol = f"graphc_{key}"
    try:
        if unit.parallel:
            modules = _lower_entry(unit, symbol, namespace, source, file)
        else:
            modules = compiler.lower(namespace[unit.name], symbol)
    except Exception as error:
        raise _explained(unit, error, file) from error
    return pool.submit(compiler.emit, modules, symbol)


def _lower_entry(unit: Unit, symbol: str, namespace: dict[str, Any], source: str, file: str) -> list[str]:
    functions = [each for each in ast.parse(source, file).body if isinstance(each, ast.FunctionDef)]
    parts = outline.outline(next(each for each in functions if each.name == unit.name))
    scope = {"parallel_for": steps.parallel_for, **namespace}  # the one word that no emitted text names
    exec(compile(ast.Module(list(parts), []), file, "exec"), scope)
    outer: Callable[..., object] = scope[unit.name]
    return compiler.lower(outer, symbol) + compiler.lower(scope[outline.MEMBER], outline.MEMBER)


def _finish(unit: Unit, future: Future[Object], file: str) -> Object:
    try:
        return future.result()
    except Exception as error:
        raise _explained(unit, error, file) from error


def _explained(unit: Unit, error: Exception, file: str) -> CompileError:
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Failed in")]
    reason = lines[0].strip() if lines else type(error).__name__
    return CompileError(f"{unit.name}: {reason}; the kernel's text is in {file}")
