"""Arrays in: what a caller hands over is checked against the declaration and gives the symbolic sizes their
values.

Programs and the interpreter share this code, so that they accept and refuse the same calls with the same
words.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import InputError, SizeError
from graphc.graph import Graph, Handle, Required
from graphc.size import Size, bind_sizes, compile_dims, dim_symbols, symbol
from graphc.types import Dim, DType, Type, shape_text

Array = np.ndarray[Any, Any]


def bind(declared: Mapping[str, Type], given: Mapping[str, Any]) -> tuple[dict[str, Array], dict[str, int]]:
    """The ``given`` values as arrays of the ``declared`` types, and the values of the symbolic sizes.

    Arrays of the declared dtype are taken as they are, whatever their strides. Raises ``InputError`` for
    missing and unknown names, for shapes that do not fit and for values that would lose something in the
    declared dtype.

    >>> arrays, sizes = bind({"x": Type(DType.F32, (symbol("N"), 2))}, {"x": [[1, 2], [3, 4], [5, 6]]})
    >>> arrays["x"].dtype, sizes
    (dtype('float32'), {'N': 3})
    """
    return Binder(declared)(given)


@dataclass(frozen=True, slots=True)
class _Slot:
    """One declared value, its axes sorted for checking: a number, a bare symbol, or any other size."""

    name: str
    type: Type
    dtype: np.dtype[Any]
    rank: int
    literal: tuple[tuple[int, int], ...]
    direct: tuple[tuple[int, str], ...]
    other: tuple[tuple[int, Dim], ...]

    @staticmethod
    def of(name: str, kind: Type) -> _Slot:
        direct = [
            (k, str(d)) for k, d in enumerate(kind.shape) if isinstance(d, Size) and str(d) in d.symbols
        ]
        literal = [(k, d) for k, d in enumerate(kind.shape) if isinstance(d, int)]
        taken = {k for k, _ in direct} | {k for k, _ in literal}
        other = [(k, d) for k, d in enumerate(kind.shape) if k not in taken]
        return _Slot(name, kind, kind.dtype.numpy, kind.rank, tuple(literal), tuple(direct), tuple(other))

    def accept(self, value: Any) -> Array:
        """``value`` as an array of the declared dtype and rank whose literal sizes fit."""
        if type(value) is not np.ndarray or value.dtype != self.dtype:
            value = self._converted(value)
        shape = value.shape
        if len(shape) != self.rank:
            raise self.misfit(shape, f"it has {len(shape)} axes, not {self.rank}")
        for axis, size in self.literal:
            if shape[axis] != size:
                raise self.misfit(shape, f"axis {axis} is {shape[axis]}, not {size}")
        return value

    def misfit(self, shape: tuple[int, ...], why: str) -> InputError:
        return self.error(
            f"shape {shape_text(shape)} does not fit {shape_text(self.type.shape)}: {why}; give {self.type}"
        )

    def error(self, text: str) -> InputError:
        return InputError(text).located(f"input {self.name!r}")

    def _converted(self, value: Any) -> Array:
        if isinstance(value, Handle) or np.ma.isMaskedArray(value):
            raise self.error(f"a {type(value).__name__} is not plain data; give an array of {self.type}")
        try:
            array = np.asarray(value)
        except (ValueError, TypeError, RuntimeError) as error:
            raise self.error(
                f"a {type(value).__name__} does not make an array ({error}); give {self.type}"
            ) from None
        weak = not hasattr(value, "dtype") or isinstance(value, np.generic)
        if not _converts(array.dtype, self.type.dtype, weak=weak) and not (weak and array.size == 0):
            todo = (
                f"cast it with .astype({self.dtype.name!r})"
                if array.dtype.kind in "iuf"
                else f"give numbers of {self.type.dtype}"
            )
            raise self.error(f"dtype {array.dtype} does not fit {self.type.dtype}; {todo}")
        return self._fitted(array)

    def _fitted(self, array: Array) -> Array:
        """``array`` in the declared dtype; raises where a value has no counterpart there."""
        with np.errstate(all="ignore"):
            result = array.astype(self.dtype)
        lost = (
            result != array
            if self.type.dtype.is_int
            else np.isinf(result) & np.isfinite(array)
            if array.dtype.kind == "f"
            else False
        )
        if np.any(lost):
            wrong = array[lost].flat[0]
            raise self.error(
                f"value {wrong} does not fit {self.type.dtype}; give smaller values or declare a wider dtype"
            )
        return result


def _converts(source: np.dtype[Any], target: DType, *, weak: bool) -> bool:
    """Whether ``source`` may become ``target``: a kind as wide; only ``weak`` floats are narrowed."""
    if source.kind == "b":
        return True
    if source.kind in "iu":
        return target is not DType.BOOL
    return (
        source.kind == "f" and target.is_float and (weak or bool(np.can_cast(source, target.numpy, "safe")))
    )


class Binder:
    """``bind`` for one declaration, prepared once: what a program calls each time.

    >>> binder = Binder({"x": Type(DType.F32, (symbol("N"),))})
    >>> binder({"x": np.ones(3, np.float32)})[1]
    {'N': 3}
    """

    __slots__ = ("_derived", "_slots")

    def __init__(self, declared: Mapping[str, Type]) -> None:
        self._slots = tuple(_Slot.of(name, kind) for name, kind in declared.items())
        self._derived = tuple((slot, axis, dim) for slot in self._slots for axis, dim in slot.other)

    def __call__(self, given: Mapping[str, Any]) -> tuple[dict[str, Array], dict[str, int]]:
        if len(given) != len(self._slots) or any(slot.name not in given for slot in self._slots):
            raise self._misnamed(given)
        arrays = {slot.name: slot.accept(given[slot.name]) for slot in self._slots}
        sizes: dict[str, int] = {}
        for slot in self._slots:
            shape = arrays[slot.name].shape
            for axis, name in slot.direct:
                if sizes.setdefault(name, shape[axis]) != shape[axis]:
                    raise slot.misfit(
                        shape,
                        f"axis {axis} is {shape[axis]}, but {name} is {sizes[name]} by {self._giver(name)}",
                    )
        return arrays, self._solve(arrays, sizes) if self._derived else sizes

    def _giver(self, name: str) -> str:
        return next(f"input {slot.name!r}" for slot in self._slots if any(n == name for _, n in slot.direct))

    def _solve(self, arrays: Mapping[str, Array], sizes: dict[str, int]) -> dict[str, int]:
        """``sizes`` with those found from dims such as 2*N + 1, every one of which ``bind_sizes`` checks."""
        actual = [arrays[slot.name].shape[axis] for slot, axis, _ in self._derived]
        known: list[tuple[Dim, int]] = [(symbol(name), value) for name, value in sizes.items()]
        try:
            found = bind_sizes(
                [*known, *((dim, size) for (_, _, dim), size in zip(self._derived, actual, strict=True))]
            )
        except SizeError as error:
            names = " and ".join(dict.fromkeys(repr(slot.name) for slot, _, _ in self._derived))
            raise InputError(str(error)).located(f"input {names}") from None
        for slot, _, dim in self._derived:
            unknown = [name for name in dim_symbols(dim) if name not in found]
            if unknown:
                raise slot.error(
                    f"{dim} does not decide {unknown[0]}; give an input with an axis of size {unknown[0]}"
                )
        return found

    def _misnamed(self, given: Mapping[str, Any]) -> InputError:
        declared = {slot.name: slot for slot in self._slots}
        for name in given:
            if name not in declared:
                return unknown_name(name, declared)
        slot = next(slot for slot in self._slots if slot.name not in given)
        return slot.error(f"it is missing; give an array of {slot.type}")


def unknown_name(name: Any, known: Iterable[str]) -> InputError:
    """The error for a name that is not declared: the nearest one, or all."""
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = (
        f"did you mean {near[0]!r}?"
        if near
        else f"the inputs are {', '.join(map(repr, names))}"
        if names
        else "there are no inputs"
    )
    return InputError(f"there is no such input; {hint}").located(f"input {name!r}")


_RELATION = {False: "they are equal", True: "the first is at least the second"}


class SizeChecks:
    """The equations between sizes that nodes of a graph require, prepared once and checked at each call."""

    __slots__ = ("_evaluate", "_graph", "_required")

    def __init__(self, graph: Graph, required: Iterable[Required]) -> None:
        self._graph = graph
        self._required = tuple(required)
        self._evaluate = compile_dims(
            [d for r in self._required for d in (r.equation.left, r.equation.right)]
        )

    def __call__(self, sizes: Mapping[str, int]) -> None:
        """Raise ``InputError`` naming the first node whose equation ``sizes`` do not satisfy."""
        if not self._required:
            return
        values = self._evaluate(sizes)
        for required, left, right in zip(self._required, values[::2], values[1::2], strict=True):
            if not required.equation.holds(left, right):
                raise self._broken(required, left, right)

    def _broken(self, required: Required, left: int, right: int) -> InputError:
        node, equation = self._graph.handle(required.node), required.equation
        both = f"{equation.left} is {left} and {equation.right} is {right}"
        return InputError(
            f"{equation.what}: {both}; give inputs for which {_RELATION[equation.at_least]}"
        ).located(node.label, node.place)


def check_indices(what: str, indices: Array, size: int, place: str = "", *, least: int | None = None) -> None:
    """Raise ``InputError`` when an element of ``indices`` is outside ``[least, size)``, by default from ``-size``."""
    if not indices.size:
        return
    low, high = int(indices.min()), int(indices.max())
    least = -size if least is None else least
    if low < least or high >= size:
        wrong = low if low < least else high
        raise InputError(
            f"index {wrong} is out of range for size {size}; give {least} to {size - 1}"
        ).located(what, place)


__all__ = ["Array", "Binder", "SizeChecks", "bind", "check_indices", "unknown_name"]
