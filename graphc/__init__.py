"""graphc: a symbolic computational-graph compiler for neural networks.

Networks are symbolic DAGs in networkx; derivatives come from the chain rule with SymPy; Numba runs the emitted
kernels; Graphviz draws every graph. The modules, in the order in which data flow through them; each imports only
from those above it:

    errors size types           the vocabulary: error tree, symbolic sizes, dtypes and tensor types
    disk                        what is remembered between processes
    tensors                     arrays in safetensors files                               [safetensors only here]
    threefry                    the counter-based generator of random bits, in NumPy
    loops                       the loop language in which ops say how they compute
    registry                    the op contract and the table of ops
    graph                       graphs over networkx, handles, text form, cones
    ops                         the families of ops, one declaration each
    declare                     networks declared in plain networkx, formulas as text
    binding                     arrays in: checking and sizes
    init                        first values of parameters
    check                       structure, and every type against its op's own rule
    rewrite                     the rule engine and the stabilising rules, each with its proof
    interpret                   the NumPy meaning of a graph: the oracle
    diff                        reverse, forward, higher order; gradient checking
    analysis                    lost bits, ranges, condition numbers
    passes                      simplify, fold, share, prune; the runner
    lower                       nests, fusion, kernels, schedule, memory plan
    runtime                     intrinsics, vector math, matrix products, threads, cache  [Numba and llvmlite only here]
    codegen                     kernels and modules as text, tables for the parallel entry
    machine                     what this host can do, measured and remembered
    draw                        DOT, pictures                                             [Graphviz only here]
    program                     compile() and programs
    nn losses regularisers optim  layers, losses, penalties, optimisers
    train                       fit, metrics, checkpoints, diagnostics
    bench                       measurements in fresh processes
    cli                         the command line
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from graphc import errors, ops
from graphc.check import check
from graphc.draw import draw
from graphc.errors import GraphcError
from graphc.graph import FUNCTIONS, Graph, Handle, parse
from graphc.interpret import interpret
from graphc.types import DType

if TYPE_CHECKING:
    from graphc import init, losses, nn, optim, regularisers, train
    from graphc.analysis import analyse, lost_bits
    from graphc.declare import from_networkx
    from graphc.diff.checking import check_gradients
    from graphc.diff.forward import jvp
    from graphc.diff.higher import hessian, hvp, jacobian
    from graphc.diff.reverse import grad, vjp
    from graphc.ops.elementwise import elementwise
    from graphc.program import Program, compile, load

__version__ = "0.1.0"

# Name -> module that is loaded when the name is first used.
_LAZY = {
    "lost_bits": "graphc.analysis", "analyse": "graphc.analysis",
    "from_networkx": "graphc.declare", "grad": "graphc.diff.reverse", "vjp": "graphc.diff.reverse",
    "jvp": "graphc.diff.forward", "hvp": "graphc.diff.higher", "jacobian": "graphc.diff.higher",
    "hessian": "graphc.diff.higher",
    "check_gradients": "graphc.diff.checking", "compile": "graphc.program", "Program": "graphc.program",
    "load": "graphc.program", "elementwise": "graphc.ops.elementwise",
}  # fmt: skip
_MODULES = ("init", "losses", "nn", "optim", "regularisers", "train")


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(f"graphc.{name}")
    elif name in FUNCTIONS:
        value = FUNCTIONS[name]
    else:
        return errors.unknown("gc", __dir__())(name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY, *_MODULES, *FUNCTIONS})


__all__ = [
    "DType", "Graph", "GraphcError", "Handle", "Program", "analyse", "check",
    "check_gradients", "compile", "draw",
    "elementwise", "errors", "from_networkx", "grad",
    "hessian", "hvp", "init", "interpret", "jacobian", "jvp", "load", "losses", "lost_bits", "nn", "ops", "optim",
    "parse", "regularisers", "train", "vjp",
]  # fmt: skip
