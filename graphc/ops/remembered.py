"""Formulas that SymPy found once, remembered on disk: a warm start differentiates without importing SymPy.

A record holds what follows from one body or one partial derivative: its loop expression and its text. Records are
data (JSON), read through a whitelist; they are keyed by the sources that make them and SymPy's version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from graphc import disk
from graphc.errors import ExpressionError
from graphc.loops import FUNCTIONS, Call, Const, Expr, Load, call
from graphc.types import DType

_KIND = "formulas"


@cache
def _key() -> str:
    digest = hashlib.sha256(version("sympy").encode())
    for name in ("symbolic", "elementwise", "functions", "remembered"):
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()[:32]


@cache
def _records() -> dict[str, Any]:
    body = disk.read(_KIND, _key())
    try:
        found: Any = json.loads(body) if body else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]


def recall(name: str, make: Callable[[], Any]) -> Any:
    """The record called ``name``, made and written down if it is not known."""
    records = _records()
    if name not in records:
        records[name] = make()
        disk.write(_KIND, _key(), json.dumps(records, sort_keys=True).encode())
    return records[name]


def encode(expr: Expr) -> Any:
    """A loop expression over whole operands as JSON data; the floating dtype is left open."""
    match expr:
        case Load(source):
            return ["load", source]
        case Const(value):
            return ["const", value]
        case Call(fn, args):
            return [fn, *(encode(a) for a in args)]
        case _:
            raise AssertionError(f"{expr} is no elementwise expression")


def decode(data: Any, dtype: DType) -> Expr:
    """The expression that ``encode`` wrote, over operands of ``dtype``."""
    match data:
        case ["load", int(source)]:
            return Load(source, (), dtype)
        case ["const", bool(value)]:
            return Const(value, DType.BOOL)
        case ["const", int() | float() as value]:
            return Const(float(value) if dtype.is_float else int(value), dtype)
        case [str(fn), *args] if fn in FUNCTIONS:
            return call(fn, *(decode(a, dtype) for a in args))  # pyright: ignore[reportUnknownVariableType]
        case _:
            raise ExpressionError(
                f"a remembered formula holds {data!r}, no expression; empty the folder of the cache"
            )
