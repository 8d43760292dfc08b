"""External functions: C functions that kernels call by symbol.

Most are written in the kernel language themselves, some in LLVM's. They are compiled once a machine, when the first
kernel that calls them is loaded, and are cached like kernels.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable, Iterable
from types import MappingProxyType

#: The function in which workers live.
WORK = "graphc_work"
ELEMENTS = ("f32", "f64", "i32", "i64", "b1")
#: Symbol of each function in the kernel language, with the module and the function where its text is.
SOURCES = MappingProxyType(
    {
        "graphc_gemm_f32": ("graphc.runtime.gemm", "gemm_f32"),
        "graphc_gemm_f64": ("graphc.runtime.gemm", "gemm_f64"),
        **{f"graphc_argsort_{kind}": ("graphc.runtime.sorting", f"argsort_{kind}") for kind in ELEMENTS},
        "graphc_admit": ("graphc.runtime.guards", "admit"),
        "graphc_run_team": ("graphc.runtime.team", "run_team"),
        WORK: ("graphc.runtime.team", "work"),
    }
)

#: Symbols of those that `vecmath_calls` writes in LLVM's language, which have vector variants.
WRITTEN = frozenset(
    f"graphc_{name}_{kind}" for name in ("sin", "cos", "tan", "pow") for kind in ("f32", "f64")
)
#: Those whose inner loops are vectors and counts as written: there is nothing left for LLVM's costlier passes to find.
VECTORS = frozenset({"graphc_gemm_f32", "graphc_gemm_f64"})
SYMBOLS = SOURCES.keys() | WRITTEN


def owner(symbol: str) -> str:
    """The external function to which a symbol belongs: `graphc_sin_f32` for `graphc_sin_f32_v8`."""
    name = re.sub(r"_v\d+$", "", symbol)
    return name if name in WRITTEN else symbol


def function(symbol: str) -> Callable[..., object]:
    """Return the Python function that an external symbol is compiled from; its parameters are all int64."""
    module, name = SOURCES[symbol]
    return getattr(importlib.import_module(module), name)


def key(symbol: str, environment: str) -> str:
    """Name of the symbol's object code in the cache; its text is part of the environment."""
    return hashlib.sha256(f"{environment}\0{symbol}".encode()).hexdigest()[:32]


def called(modules: Iterable[str]) -> list[str]:
    """Return the external functions that LLVM modules call."""
    found = {name for text in modules for name in re.findall(r'^declare \S+ @"(\w+)"', text, re.MULTILINE)}
    return sorted(found & SYMBOLS)
