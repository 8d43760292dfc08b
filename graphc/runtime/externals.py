"""External functions: C functions that kernels call by symbol, written in the kernel language themselves.

They are compiled once a machine, when the first kernel that calls them is loaded, and are cached like
kernels.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterable
from types import MappingProxyType

#: The function in which workers live.
WORK = "graphc_work"
#: Symbol of each external function, with the module and the function where its text is.
SOURCES = MappingProxyType(
    {
        "graphc_gemm_f32": ("graphc.runtime.gemm", "gemm_f32"),
        "graphc_gemm_f64": ("graphc.runtime.gemm", "gemm_f64"),
        "graphc_admit": ("graphc.runtime.guards", "admit"),
        "graphc_run_team": ("graphc.runtime.team", "run_team"),
        WORK: ("graphc.runtime.team", "work"),
    }
)


def function(symbol: str) -> Callable[..., object]:
    """Return the Python function that an external symbol is compiled from; its parameters are all int64."""
    module, name = SOURCES[symbol]
    return getattr(importlib.import_module(module), name)


def key(symbol: str, environment: str) -> str:
    """Name of the symbol's object code in the cache; its text is part of the environment."""
    return hashlib.sha256(f"{environment}\0{symbol}".encode()).hexdigest()[:32]


def called(modules: Iterable[str]) -> list[str]:
    """Return the external functions that LLVM modules call."""
    return [symbol for symbol in SOURCES if any(f'declare void @"{symbol}"' in text for text in modules)]
