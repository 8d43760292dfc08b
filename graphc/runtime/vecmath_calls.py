# pyright: basic
"""Functions that branch, as C functions of numbers and of vectors of numbers, which loops call.

Written out in a loop, a branch would keep it from becoming vector code. So what branches, around work that few
arguments need, is an external function, compiled once a machine; `graphc_sin_f64_v8` is the variant for eight of
`graphc_sin_f64`. LLVM's loop vectoriser finds variants by an attribute of the declaration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from llvmlite import ir

from graphc.runtime import externals, loader
from graphc.runtime import vecmath_circular as circular
from graphc.runtime.vecmath_ir import Condition, Real, anywhere, select
from graphc.runtime.vecmath_power import Power
from graphc.runtime.vecmath_tables import FLOAT32, FLOAT64, Precision

_DECLARED = re.compile(r'^declare (?P<kind>float|double) @"(?P<symbol>graphc_\w+)"\((?P<given>[^)]*)\)', re.M)


class Branching(Protocol):
    """A function that is `near`, but `far` where `rare` holds; each takes arguments and their precision."""

    def near(self, *given: Any, **_: Any) -> Real: ...
    def rare(self, *given: Any, **_: Any) -> Condition: ...
    def far(self, *given: Any, **_: Any) -> Real: ...


FUNCTIONS: Mapping[str, tuple[Branching, int]] = MappingProxyType(
    {"sin": (circular.sin, 1), "cos": (circular.cos, 1), "tan": (circular.tan, 1), "pow": (Power(), 2)}
)


def module(symbol: str) -> str:
    """The LLVM module that defines the function `symbol` and its vector variants."""
    _, name, suffix = symbol.split("_")
    element, precision = (ir.FloatType(), FLOAT32) if suffix == "f32" else (ir.DoubleType(), FLOAT64)
    made = ir.Module(symbol)
    _define(made, symbol, element, *FUNCTIONS[name], precision)
    for lanes in _lanes(str(element)):
        _define(made, f"{symbol}_v{lanes}", ir.VectorType(element, lanes), *FUNCTIONS[name], precision)
    return str(made)


def _lanes(kind: str) -> Iterator[int]:
    """How many elements variants are for: those of a register, and of halves of it for what is left over."""
    lanes = loader.vector_bits() // (32 if kind == "float" else 64)
    return (lanes >> k for k in range(3) if lanes >> k > 1)


def _define(
    made: ir.Module, symbol: str, kind: ir.Type, function: Branching, count: int, precision: Precision
) -> None:
    defined = ir.Function(made, ir.FunctionType(kind, [kind] * count), symbol)
    builder = ir.IRBuilder(defined.append_basic_block())
    given = (*(Real(builder, argument) for argument in defined.args), precision)
    near, rare = function.near(*given), function.rare(*given)
    before = builder.block
    with builder.if_then(anywhere(rare), likely=False):
        far = select(rare, function.far(*given), near)
        inside = builder.block
    y = builder.phi(kind)
    y.add_incoming(near.value, before)
    y.add_incoming(far.value, inside)
    builder.ret(y)


def with_variants(modules: Sequence[str]) -> list[str]:
    """LLVM modules in which the functions defined here are declared together with their vector variants."""
    known = {m["symbol"]: m for text in modules for m in _DECLARED.finditer(text)}
    known = {symbol: m for symbol, m in known.items() if symbol in externals.WRITTEN}
    if not known:
        return list(modules)
    told = [_DECLARED.sub(lambda m: m[0] + _attributes(m) * (m["symbol"] in known), text) for text in modules]
    return [*told, _declarations(list(known.values()))]


def _attributes(declared: re.Match[str]) -> str:
    symbol, count = declared["symbol"], declared["given"].count("%")
    named = (
        f"_ZGV_LLVM_N{lanes}{'v' * count}_{symbol}({symbol}_v{lanes})" for lanes in _lanes(declared["kind"])
    )
    return f' nounwind willreturn memory(none) "vector-function-abi-variant"="{",".join(named)}"'


def _declarations(known: Sequence[re.Match[str]]) -> str:
    """The variants themselves, in a list that keeps them until loops have become vector code."""
    lines, names = list[str](), list[str]()
    for each in known:
        for lanes in _lanes(each["kind"]):
            vector, name = f"<{lanes} x {each['kind']}>", f"@{each['symbol']}_v{lanes}"
            lines.append(f"declare {vector} {name}({', '.join([vector] * each['given'].count('%'))})")
            names.append(f"ptr {name}")
    kept = f"[{len(names)} x ptr] [{', '.join(names)}]"
    return "\n".join([*lines, f'@llvm.compiler.used = appending global {kept}, section "llvm.metadata"'])
