"""A node of the graph, its identity, and where the user declared it."""

from __future__ import annotations

import os
import struct
import sys
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from graphc.errors import GraphError
from graphc.size import Size
from graphc.types import DType, Type

_ROOT = Path(__file__).resolve().parent.parent
PACKAGE = f"{_ROOT}{os.sep}"
COMMANDS = f"{_ROOT / 'cli'}{os.sep}"
LEAVES = frozenset({"input", "param", "state", "const"})


@dataclass(frozen=True)
class Constant:
    """The value of a ``const`` node: immutable bytes with dtype and shape, so that equal constants are one node."""

    data: bytes
    dtype: DType
    shape: tuple[int, ...]

    @staticmethod
    def of(value: Any, dtype: DType) -> Constant:
        array = np.asarray(value, dtype=dtype.numpy)
        return Constant(array.tobytes(), dtype, array.shape)

    @cached_property
    def array(self) -> np.ndarray[Any, Any]:
        """The value, read-only."""
        return np.frombuffer(self.data, self.dtype.numpy).reshape(self.shape)

    def item(self) -> bool | int | float:
        """The value of a constant with one element, as a Python scalar."""
        return self.array.reshape(()).item()

    def is_filled_with(self, value: float) -> bool:
        """Whether every element equals ``value`` (0.0 and -0.0 told apart); false when empty."""
        return self.array.size > 0 and bool(np.all(self.array == value)) and self._signs_match(value)

    def _signs_match(self, value: float) -> bool:
        return not self.dtype.is_float or bool(np.all(np.signbit(self.array) == np.signbit(value)))


class Parameter(ABC):
    """A parameter of a kind of its own: immutable, equal and hashed by its text form."""

    @property
    @abstractmethod
    def literal(self) -> str:
        """The text form: a call of a maker that ``parse`` knows."""

    @abstractmethod
    def bound(self, sizes: Mapping[str, int]) -> Any:
        """The parameter with symbolic sizes replaced by their values."""


@dataclass(frozen=True, slots=True)
class Node:
    """Op, operand ids in order (one operand may stand twice), static parameters sorted by name, and the type."""

    op: str
    operands: tuple[int, ...]
    params: tuple[tuple[str, Any], ...]
    type: Type

    @property
    def param(self) -> Mapping[str, Any]:
        return MappingProxyType(dict(self.params))

    @property
    def is_leaf(self) -> bool:
        return self.op in LEAVES

    @property
    def is_const(self) -> bool:
        return self.op == "const"


def key_of(op: str, operands: tuple[int, ...], params: tuple[tuple[str, Any], ...], dtype: DType) -> Hashable:
    """What makes two nodes one: op, operands, dtype, parameters by type and bits (0.0 is not -0.0, 1 is not True)."""
    return (op, operands, dtype, tuple((name, _bits(value)) for name, value in params))


def _bits(value: Any) -> Hashable:
    match value:
        case bool():
            return ("bool", value)
        case float():
            return ("float", struct.pack("<d", value))
        case tuple():
            return ("tuple", *(_bits(v) for v in value))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case int() | str() | Size() | Constant() | None | DType() | Parameter():
            return (type(value).__name__, value)
        case _:
            raise GraphError(
                f"a parameter is of type {type(value).__name__}; give numbers, texts, sizes, dtypes or tuples of them"
            )


@dataclass(frozen=True, slots=True)
class Origin:
    """One place where the user declared a node: its layer, its part in the program and the line."""

    layer: str = ""
    role: str = "forward"  # forward, backward or update
    file: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        return f'File "{self.file}", line {self.line}' if self.file else ""

    @property
    def short(self) -> str:
        """File name and line, without the folder: the same on every machine."""
        return f"{Path(self.file).name}:{self.line}" if self.file else ""


def _inside(file: str) -> bool:
    return file.startswith(PACKAGE) and not file.startswith(COMMANDS)


def user_line() -> tuple[str, int]:
    """File and line of the innermost caller outside graphc, or in its demo, which uses it as others do."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and _inside(frame.f_code.co_filename):
        frame = frame.f_back
    return ("", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)
