# pyright: basic
"""From a Python function to object code, by Numba. Loaded only when something is not in the cache."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature

from numba.core import compiler, registry, types
from numba.core.compiler_lock import global_compiler_lock

from graphc.runtime.loader import Object

#: `contract` alone: a product and a sum may fuse; nothing else about floats is loosened.
_OPTIONS = {
    "nopython": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract"},
    "boundscheck": False,
}


def compile_function(function: Callable[..., object], *, symbol: str, parallel: bool = False) -> Object:
    """Compile a function of int64 parameters that returns nothing, as a C function.

    Args:
        function: the Python function; not called.
        symbol: unique stem of the symbol under which the object code defines it.
        parallel: whether `prange` opens a parallel region.

    Raises:
        numba.core.errors.NumbaError: the function is not in the language.
    """
    function.__name__ = function.__qualname__ = symbol
    arguments = (types.int64,) * len(signature(function).parameters)
    target = registry.cpu_target
    flags = compiler.Flags()
    target.options.parse_as_flags(flags, {**_OPTIONS, "parallel": parallel})
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = False
    with global_compiler_lock:
        library = target.target_context.codegen().create_library(symbol)
        library.enable_object_caching()
        result = compiler.compile_extra(
            target.typing_context,
            target.target_context,
            function,
            arguments,
            types.void,
            flags,
            {},
            library=library,
        )
        _, _, (code, _) = library.serialize_using_object_code()
    name = result.fndesc.llvm_cfunc_wrapper_name
    needs = sorted(each.name for each in library._final_module.functions if each.is_declaration)
    return Object(name, tuple(each for each in needs if not each.startswith("llvm.")), code)
