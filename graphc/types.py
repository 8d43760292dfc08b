"""The vocabulary of values: dtypes and their promotion, tensor types, broadcasting, equations between sizes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any, cast

import numpy as np

from graphc.errors import DTypeError, ShapeError
from graphc.size import Dim, as_dim, definitely_equal, definitely_unequal, known_nonnegative


class DType(Enum):
    """An element type; the order of declaration is the order of promotion.

    >>> DType.of("float32") is DType.of(np.float32) is DType.F32
    True
    """

    BOOL = ("bool", "b1")
    I32 = ("int32", "i32")
    I64 = ("int64", "i64")
    F32 = ("float32", "f32")
    F64 = ("float64", "f64")

    def __init__(self, long: str, short: str) -> None:
        self.long = long
        self.short = short

    @cached_property
    def numpy(self) -> np.dtype[Any]:
        return np.dtype(self.long)

    @property
    def itemsize(self) -> int:
        return self.numpy.itemsize

    @property
    def is_float(self) -> bool:
        return self in (DType.F32, DType.F64)

    @property
    def is_int(self) -> bool:
        return self in (DType.I32, DType.I64)

    @property
    def rank(self) -> int:
        return _ORDER[self]

    @staticmethod
    def of(spec: Any) -> DType:
        """The dtype that ``spec`` (a DType, its long or short name, a NumPy dtype or scalar type) stands for.

        Raises ``DTypeError`` for any other.
        """
        if isinstance(spec, DType):
            return spec
        found = _BY_NAME.get(spec) if isinstance(spec, str) else _from_numpy(spec)
        if found is None:
            raise DTypeError(
                f"dtype {_shown(spec)} is not supported; use one of {', '.join(d.long for d in DType)}"
            )
        return found

    def __repr__(self) -> str:
        return self.long

    __str__ = __repr__


_ORDER = {dtype: position for position, dtype in enumerate(DType)}
_BY_NAME = {name: dtype for dtype in DType for name in (dtype.long, dtype.short)}


def _shown(spec: Any) -> str:
    return repr(spec) if isinstance(spec, str) else str(getattr(spec, "__name__", spec))


def _from_numpy(spec: Any) -> DType | None:
    try:
        return _BY_NAME.get(np.dtype(spec).name)
    except (TypeError, ValueError):
        return None


def promote(dtypes: Iterable[DType]) -> DType:
    """The dtype in which values of ``dtypes`` meet: the latest in bool, int32, int64, float32, float64.

    An integer with float32 gives float32: nothing is silently widened.

    >>> promote([DType.I64, DType.F32])
    float32
    """
    return max(dtypes, key=_ORDER.__getitem__)


def weak(value: Any, dtype: DType | None) -> DType:
    """The dtype of Python scalar ``value`` beside operands of ``dtype``: a scalar is weak and follows them.

    >>> weak(0.5, DType.F32), weak(2, DType.F64), weak(0.5, DType.I32), weak(True, None)
    (float32, float64, float32, bool)
    """
    own = DType.BOOL if isinstance(value, bool) else DType.I64 if isinstance(value, int) else DType.F32
    if dtype is None:
        return own
    if _KIND[own] <= _KIND[dtype]:
        return dtype
    return own if own is not DType.I64 else DType.I32


_KIND = {DType.BOOL: 0, DType.I32: 1, DType.I64: 1, DType.F32: 2, DType.F64: 2}

Shape = tuple[Dim, ...]


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a value: its dtype and its shape of ints and symbolic sizes.

    >>> print(Type(DType.F32, (as_dim("N"), 128)))
    f32[N,128]
    """

    dtype: DType
    shape: Shape = ()

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Dim:
        return product(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype.short}[{','.join(str(d) for d in self.shape)}]"


def product(dims: Iterable[Dim]) -> Dim:
    """The product of sizes; 1 for none."""
    return math.prod(dims, start=1)


@dataclass(frozen=True, slots=True)
class Equation:
    """Two sizes that a call must find equal, or ``left`` at least ``right``: their forms do not decide it."""

    left: Dim
    right: Dim
    what: str
    at_least: bool = False

    def holds(self, left: int, right: int) -> bool:
        """Whether it is true of the values of both sides."""
        return left >= right if self.at_least else left == right


@dataclass(slots=True)
class Checks:
    """Collects, while a type is inferred, the equations that only a call can decide."""

    equations: list[Equation] = field(default_factory=list[Equation])

    def equal(self, left: Dim, right: Dim, what: str) -> Dim:
        """Require ``left == right``; raise ``ShapeError`` when that is known to be false."""
        if definitely_equal(left, right):
            return left
        if definitely_unequal(left, right):
            raise ShapeError(f"{what}: sizes {left} and {right} differ; they must be equal")
        self.equations.append(Equation(left, right, what))
        return left if isinstance(left, int) else right

    def at_least(self, size: Dim, least: Dim, what: str) -> None:
        """Require ``size >= least``; raise ``ShapeError`` when that is known to be false."""
        spare = size - least
        if isinstance(spare, int) and spare < 0:
            raise ShapeError(f"{what}: size {size} is less than {least}; give at least {least}")
        if not known_nonnegative(spare):
            self.equations.append(Equation(size, least, what, at_least=True))

    def broadcast(self, shapes: Sequence[Shape]) -> Shape:
        """The shape that ``shapes`` broadcast to by NumPy's rule; a symbol meets only itself or literal 1.

        Raises ``ShapeError`` with both shapes.
        """
        rank = max((len(s) for s in shapes), default=0)
        padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
        try:
            return tuple(self._meet(dims) for dims in zip(*padded, strict=True))
        except ShapeError as error:
            listed = " and ".join(shape_text(s) for s in shapes)
            raise ShapeError(
                f"shapes {listed} do not broadcast ({error}); make the sizes equal or 1"
            ) from None

    def _meet(self, dims: Sequence[Dim]) -> Dim:
        wide = [d for d in dims if d != 1]
        result: Dim = wide[0] if wide else 1
        for dim in wide[1:]:
            result = self.equal(result, dim, "sizes that meet")
        return result


def shape_text(shape: Sequence[Dim]) -> str:
    """A shape as Python would print it: ``(N, 64)``, ``(3,)``.

    >>> shape_text((as_dim("N"), 64)), shape_text((3,))
    ('(N, 64)', '(3,)')
    """
    inner = ", ".join(str(d) for d in shape)
    return f"({inner},)" if len(shape) == 1 else f"({inner})"


MOST = 2**63 - 1  # elements of an array: what an index can count


def as_shape(spec: Any) -> Shape:
    """A declared shape: a tuple or list (or one) of ints, names and sizes.

    >>> as_shape(("N", 3)) == (as_dim("N"), 3)
    True
    """
    dims = cast("Sequence[Any]", spec) if isinstance(spec, (tuple, list)) else (spec,)
    shape = tuple(as_dim(d) for d in dims)
    for dim in shape:
        if isinstance(dim, int) and dim < 0:
            raise ShapeError(f"size {dim} in shape {shape_text(shape)} is negative; sizes are at least 0")
    count = product(d for d in shape if isinstance(d, int) and d)
    if isinstance(count, int) and count > MOST:
        raise ShapeError("its shape has more elements than 64 bits count; declare smaller sizes")
    return shape


def normalise_axis(axis: int, rank: int) -> int:
    """``axis`` counted from 0; raises ``ShapeError`` when it is outside ``[-rank, rank)``."""
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ShapeError(f"axis {axis!r} is not an integer; give an int between {-rank} and {rank - 1}")
    if not -rank <= axis < rank:
        raise ShapeError(f"axis {axis} is out of range for rank {rank}; use {-rank} to {rank - 1}")
    return int(axis) % rank


def normalise_axes(axis: Any, rank: int) -> tuple[int, ...]:
    """The axes that ``axis`` (None for all, an int, a tuple) names, sorted; raises ``ShapeError`` on repeats."""
    if axis is None:
        return tuple(range(rank))
    given = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    axes = tuple(sorted(normalise_axis(a, rank) for a in given))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if len(set(axes)) != len(axes):
        raise ShapeError(f"axes {given} name one axis twice; name each axis once")
    return axes


def require_float(dtype: DType, op: str) -> None:
    if not dtype.is_float:
        raise DTypeError(f"{op} takes float32 or float64, not {dtype}; cast it first with gc.cast")


__all__ = [
    "Checks", "DType", "Dim", "Equation", "Shape", "Type", "as_dim", "as_shape", "definitely_equal",
    "known_nonnegative", "normalise_axes", "normalise_axis", "product", "promote", "require_float", "shape_text",
    "weak",
]  # fmt: skip
