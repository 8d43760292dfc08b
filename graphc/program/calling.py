"""One call of a program: the addresses of arrays go into slots, results come out as new arrays."""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from graphc.binding import check_indices
from graphc.codegen.binding import Bound
from graphc.errors import InputError
from graphc.program.recycle import Recycled
from graphc.size import dim_evaluate
from graphc.types import Dim, Type

Array = np.ndarray[Any, Any]
SMALL = 16384  # bytes up to which an output is computed aside and copied: cheaper than a new array's address

# An array's data pointer is the first member behind the object header in NumPy's ABI, and reading it there costs a
# tenth of asking through ``array.ctypes``.
_HEADER = object.__basicsize__
_word = ctypes.c_ssize_t.from_address


def address_of(array: Array) -> int:
    """The address of the first element of ``array``.

    >>> x = np.zeros(3)
    >>> address_of(x) == x.ctypes.data
    True
    """
    return _word(id(array) + _HEADER).value


@dataclass(frozen=True, slots=True)
class IndexCheck:
    """An input used as indices: every element must be within ``[-size, size)``, or without ``wrap`` ``[0, size)``.

    Without a ``name`` it is a constant, from ``low`` to ``high``, or computed (0 to 0): kernels keep computed indices
    within the size, which must not be 0 unless ``count`` is.
    """

    name: str
    size: Dim
    count: Dim
    where: str
    place: str
    low: int = 0
    high: int = 0
    wrap: bool = True

    def fits(self, size: int) -> bool:
        return self.least(size) <= self.low and self.high < size

    def least(self, size: int) -> int:
        return -size if self.wrap else 0

    def require(self, size: int) -> None:
        """Raise ``InputError`` when a constant or computed index is out of range."""
        if not self.fits(size):
            wrong = self.high if self.high >= size else self.low
            raise InputError(
                f"index {wrong} is out of range for size {size}; give larger inputs or other indices"
            ).located(self.where, self.place)

    def __call__(self, indices: Array, size: int) -> None:
        """Raise ``InputError`` for the first index out of range. Seen as unsigned, negative ones are large too."""
        if indices.size == 0:
            return
        flat = indices.view(np.uint32 if indices.itemsize == 4 else np.uint64)
        if int(np.maximum.reduce(flat, axis=None)) >= size:
            reader = f" of {self.where}" if self.where.endswith(")") else ""  # a layer, and its op
            least = self.least(size)
            check_indices(f"input {self.name!r}{reader}", indices, size, self.place, least=least)


@dataclass(frozen=True, slots=True)
class Output:
    """A declared output: its storage's slot and its type."""

    name: str
    slot: int
    type: Type


def output_buffers(
    outputs: Sequence[Output], bound: Bound, sizes: Mapping[str, int]
) -> tuple[tuple[Output, Recycled | Array], ...]:
    """Where each output comes from: a buffer if it is small, else arrays of its own."""
    found: list[tuple[Output, Recycled | Array]] = []
    for output in outputs:
        shape, dtype = tuple(dim_evaluate(d, sizes) for d in output.type.shape), output.type.dtype.numpy
        if int(np.prod(shape)) * dtype.itemsize > SMALL:
            found.append((output, Recycled(shape, dtype)))
            continue
        buffer = np.zeros(shape, dtype)
        bound.slots[output.slot] = address_of(buffer)
        found.append((output, buffer))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Taken:
    """What an input must be to be taken without a closer look, and the slot it goes to (-1: nobody reads it)."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    slot: int


class Guards:
    """The block in which compiled code finds the arrays of a call, and the checks of those that are indices."""

    __slots__ = ("_pack", "_unread", "address", "refused")

    def __init__(
        self, bound: Bound, inputs: Sequence[Taken], checks: Sequence[tuple[int, IndexCheck, int]]
    ) -> None:
        count = len(inputs)
        # Inputs that no kernel reads may be indices all the same: each has a place of its own.
        self._unread = (ctypes.c_int64 * max(1, count))()
        own, shared = ctypes.addressof(self._unread), bound.slots.ctypes.data
        slots = [own + 8 * k if known.slot < 0 else shared + 8 * known.slot for k, known in enumerate(inputs)]
        looked = [
            (
                slots[position],
                math.prod(inputs[position].shape),
                check.least(size),
                size,
                inputs[position].dtype.itemsize,
            )
            for position, check, size in checks
        ]
        words = [
            0,
            count,
            len(checks),
            *([0] * count),
            *([_HEADER] * count),
            *slots,
            *(w for r in looked for w in r),
        ]
        block = (ctypes.c_int64 * len(words))(*words)
        self.address = ctypes.addressof(block)
        self.refused = ctypes.c_int64.from_buffer(block)  # which keeps the block
        self._pack = partial(struct.Struct(f"{count}q").pack_into, block, 24)

    def point(self, arrays: Sequence[Array]) -> None:
        """Tell compiled code of the arrays, which must be held until the call is done."""
        self._pack(*map(id, arrays))


@dataclass(frozen=True, slots=True)
class Ready:
    """Tables bound to sizes, ready to be called again with arrays of the same shapes."""

    bound: Bound
    address: int
    steps: int
    inputs: tuple[Taken, ...]
    outputs: tuple[tuple[Output, Recycled | Array], ...]
    checks: tuple[tuple[int, IndexCheck, int], ...]  # position of the input, check, size
    guards: Guards

    def take(self, given: Mapping[str, Any]) -> list[Array] | None:
        """The arrays in order, if each is exactly what the last call had but for its values; else None."""
        if len(given) != len(self.inputs):
            return None
        found: list[Array] = []
        for known in self.inputs:
            value = given.get(known.name)
            if (
                type(value) is not np.ndarray
                or (value.dtype is not known.dtype and value.dtype != known.dtype)
                or value.shape != known.shape
                or not value.flags.carray
            ):
                return None
            found.append(value)
        return found

    def check(self, arrays: Sequence[Array]) -> None:
        for position, check, size in self.checks:
            check(arrays[position], size)

    def results(self) -> dict[str, Array]:
        """Arrays for large outputs, in place to be written; small ones are copied by ``finish``."""
        made: dict[str, Array] = {}
        for output, source in self.outputs:
            if isinstance(source, Recycled):
                made[output.name] = array = source.take()
                self.bound.slots[output.slot] = address_of(array)
        return made

    def finish(self, made: dict[str, Array]) -> dict[str, Array]:
        return {o.name: made[o.name] if isinstance(s, Recycled) else s.copy() for o, s in self.outputs}


class BoundCall:
    """A call of a program on arrays that stay where they are; ``Program.bind`` makes it."""

    __slots__ = ("_arrays", "_bound", "_lock", "_program", "_ready", "_run", "outputs")

    def __init__(
        self, program: Owner, ready: Ready, arrays: Sequence[Array], lock: Any, run: Callable[[], None]
    ) -> None:
        self._program, self._ready, self._arrays, self._lock, self._run = program, ready, arrays, lock, run
        self._bound = ready.bound
        ready.guards.point(arrays)
        large = ready.results()
        self.outputs = {o.name: large[o.name] if isinstance(s, Recycled) else s for o, s in ready.outputs}

    def __call__(self) -> dict[str, Array]:
        """Run once; the arrays that come back are ``outputs``. Raises ``InputError`` for indices out of range."""
        with self._lock:
            if self._bound.arena != self._program.arena_address:
                self._bound.place(self._program.arena_address)
            self._run()
            if self._ready.checks and self._ready.guards.refused.value:
                self._ready.check(self._arrays)
        return self.outputs


class Owner(Protocol):
    """What a bound call needs of its program: where its temporaries lie now."""

    arena_address: int


def plain(array: Array) -> Array:
    """``array`` itself where kernels can read it as it lies, else a copy in order; never written to."""
    return (
        array if array.flags.c_contiguous and array.flags.aligned else np.array(array, order="C", copy=True)
    )
