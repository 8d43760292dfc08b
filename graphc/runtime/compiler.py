# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportArgumentType=false, reportAttributeAccessIssue=false
"""From a Python function to object code. Loaded only when something is not in the cache.

Numba reads the function, infers its types and lowers it to LLVM IR; from there the text is optimised once
and emitted here. Numba's own way from IR to code optimises twice, loads the result at once under a lock,
and before the first function imports every implementation it has for arrays, strings and containers (0.25
s), none of which the kernel language has.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import signature

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, compiler, fastmathpass, funcdesc, registry, types
from numba.core.codegen import CodeLibrary, CPUCodeLibrary, JITCPUCodegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass
from numba.core.cpu import CPUContext
from numba.core.lowering import Lower
from numba.core.typed_passes import NoPythonBackend, NopythonTypeInference, PreLowerStripPhis
from numba.core.typing import templates
from numba.core.typing.context import BaseContext
from numba.core.untyped_passes import FixupArgs, ReconstructSSA, TranslateByteCode

from graphc.errors import CompileError
from graphc.runtime import externals, vecmath_calls
from graphc.runtime.intrinsics import call_symbol
from graphc.runtime.loader import Object, target_machine

#: `contract` alone: a product and a sum may fuse; nothing else about floats is loosened.
_OPTIONS = {"nopython": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
#: Called where an exception would leave a kernel; optimisation removes the calls that cannot happen.
_RAISED = "graphc_raised"


class _Library(CPUCodeLibrary):
    """Keeps the modules of a function and of what it calls, as they were lowered, as text: a module of LLVM's own
    would be asked for, and so wait for LLVM, which compiles another function meanwhile."""

    def __init__(self, codegen, name) -> None:
        CodeLibrary.__init__(self, codegen, name)
        self.modules: list[ir.Module] = []

    def add_ir_module(self, ir_module) -> None:
        self.modules.append(ir_module)

    def add_linking_library(self, library) -> None:
        self.modules.extend(library.modules)


@cache
def _triple() -> str:
    return llvm.get_process_triple()


class _Codegen(JITCPUCodegen):
    _library_class = _Library

    def _create_empty_module(self, name):
        """As Numba's, without a question to LLVM for each."""
        module = ir.Module(cgutils.normalize_ir_text(name))
        module.triple = _triple()
        if self._data_layout:
            module.data_layout = self._data_layout
        return module


class _Context(CPUContext):
    """The implementations that kernels can reach: numbers, ranges, and the words of the language."""

    def init(self) -> None:
        super().init()
        self._internal_codegen = _Codegen("graphc")

    def load_additional_registries(self) -> None:
        from numba.cpython import builtins, mathimpl, numbers, rangeobj  # noqa: F401

        self.install_registry(mathimpl.registry)  # float `//` and `%` use its floor

    def get_abi_sizeof(self, ty) -> int:
        """Sizes are for debuggers, and nothing is written for those. LLVM, which knows them, would be waited for while
        it compiles another function."""
        return 0

    def post_lowering(self, mod, library) -> None:
        fastmathpass.rewrite_module(mod, self.fastmath)  # without the run-time for reference counts


class _Typing(BaseContext):
    """The functions that kernels can name. Attributes and methods are left out: they would load all of
    Numba."""

    def refresh(self) -> None:
        self.install_registry(_functions())


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(LoweringPass):
    """Numba's lowering to LLVM's language, without its counts of what LLVM did, for which it waits."""

    _name = "kernel_lowering"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state) -> bool:
        context, flags = state.targetctx, state.flags
        described = funcdesc.PythonFunctionDescriptor.from_specialized_function(
            state.func_ir, state.typemap, state.return_type, state.calltypes, mangler=context.mangler,
            inline=flags.forceinline, noalias=flags.noalias, abi_tags=[flags.get_mangle_string()],
        )  # fmt: skip
        with context.push_code_library(state.library):
            lower = Lower(context, state.library, described, state.func_ir, metadata=state.metadata)
            lower.lower()
        state["cr"] = compiler._LowerResult(described, lower.call_helper, cfunc=None, env=lower.env)
        return True


class _Pipeline(compiler.CompilerBase):
    """Numba's passes less those for closures, literals, arrays and Python objects, and less those that look again for
    where variables die: numbers need no release."""

    def define_pipelines(self):
        passes = PassManager("kernel")
        for each in _PASSES:
            passes.add_pass(each, each.__name__)
        passes.finalize()
        return [passes]


_PASSES = (
    TranslateByteCode,
    FixupArgs,
    ReconstructSSA,
    NopythonTypeInference,
    PreLowerStripPhis,
    _Lowering,
    NoPythonBackend,
)


@cache
def _functions() -> templates.Registry:
    chosen = templates.Registry()
    chosen.functions = templates.builtin_registry.functions
    chosen.globals = templates.builtin_registry.globals
    return chosen


@cache
def _context() -> _Context:
    return _Context(_Typing())


def lower(function: Callable[..., object], symbol: str) -> list[str]:
    """Return the LLVM modules that define a Python function as the C function `symbol`.

    Args:
        function: all its parameters are int64, and it returns nothing.
        symbol: unique within the process.

    Raises:
        numba.core.errors.NumbaError: the function is not in the language.
    """
    function.__name__ = function.__qualname__ = symbol
    arguments = (types.int64,) * len(signature(function).parameters)
    flags = compiler.Flags()
    registry.cpu_target.options.parse_as_flags(flags, _OPTIONS)
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_compile = True
    flags.nrt = False
    with global_compiler_lock:
        context = _context()
        context.refresh()
        library = context.codegen().create_library(symbol)
        typing = context.typing_context
        result = compiler.compile_extra(
            typing, context, function, arguments, types.void, flags, {}, library, _Pipeline
        )
        library.add_ir_module(_c_function(context, result.fndesc, symbol))
        return [str(module) for module in library.modules]


def _c_function(context: _Context, native, symbol: str) -> ir.Module:
    """A C function around one in Numba's convention. If it may raise, a call stays that `emit` sees."""
    module = context.create_module(symbol)
    convention = context.call_conv
    callee = ir.Function(
        module, convention.get_function_type(native.restype, native.argtypes), native.llvm_func_name
    )
    words = [ir.IntType(64)] * len(native.argtypes)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), words), symbol)
    builder = ir.IRBuilder(function.append_basic_block())
    status, _ = convention.call_function(builder, callee, native.restype, native.argtypes, function.args)
    with builder.if_then(status.is_error, likely=False):
        call_symbol(builder, _RAISED, ir.VoidType(), [])
    builder.ret_void()
    return module


def emit(modules: list[str], symbol: str) -> Object:
    """Link LLVM modules, optimise them once and emit the object code of the C function `symbol`.

    Raises:
        CompileError: the function may raise, which nothing could catch.
    """
    first, *others = vecmath_calls.with_variants(modules)
    module = llvm.parse_assembly(first)
    for text in others:
        module.link_in(llvm.parse_assembly(text))
    _hide(module, symbol)
    machine = target_machine()
    options = llvm.create_pipeline_tuning_options(speed_level=1 if symbol in externals.VECTORS else 3)
    # A short inner loop unrolled before the vectoriser sees it becomes scalar code, and its rows are scattered to.
    options.loop_unrolling = False
    options.loop_vectorization = True
    options.slp_vectorization = False
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    declared = (each.name for each in (*module.functions, *module.global_variables) if each.is_declaration)
    needs = sorted({externals.owner(name) for name in declared})
    if _RAISED in needs:
        raise CompileError("the function may raise, and a kernel has nobody to catch it")
    return Object(
        symbol, tuple(each for each in needs if not each.startswith("llvm.")), machine.emit_object(module)
    )


def _hide(module: llvm.ModuleRef, symbol: str) -> None:
    """Leave one function and its variants visible, so that the others are inlined and dropped."""
    for each in (*module.functions, *module.global_variables):
        if (
            not each.is_declaration
            and externals.owner(each.name) != symbol
            and not each.name.startswith("llvm.")
        ):
            each.linkage = llvm.Linkage.internal
