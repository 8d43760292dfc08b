"""Data: which axis of each input counts examples, the order of an epoch, and batches where bound programs read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np

from graphc.errors import InputError
from graphc.program import Program
from graphc.size import Size
from graphc.types import Type

Array = np.ndarray[Any, Any]
Outputs = Mapping[str, Array]
Augment = Callable[[Array, np.random.Generator], Array]


def generator(*key: int) -> np.random.Generator:
    """The random numbers of one purpose: the same for the same key, whatever was drawn before."""
    return np.random.default_rng(key)


def batch_axes(inputs: Mapping[str, Type], batch: str | None) -> dict[str, int]:
    """The axis of each input along which examples lie: that of the symbolic size ``batch``.

    By default it is the size that most inputs have, and of several the one that stands first. Inputs without it are
    not cut. Raises ``InputError`` for a size that no input has.
    """
    axes: dict[str, dict[str, int]] = {}
    for name, kind in inputs.items():
        for axis, dim in enumerate(kind.shape):
            if isinstance(dim, Size) and str(dim) in dim.symbols:
                axes.setdefault(str(dim), {}).setdefault(name, axis)
    if batch is None:
        none: dict[str, int] = {}
        return min(axes.values(), key=lambda found: (-len(found), sum(found.values())), default=none)
    if batch not in axes:
        raise _refused(f"batch={batch!r} is no size of an input; give one of {', '.join(axes) or 'none'}")
    return axes[batch]


@dataclass(frozen=True, slots=True)
class Examples:
    """Arrays by input, as programs take them, and how many examples they hold (1 where nothing is cut)."""

    arrays: Mapping[str, Array]
    axes: Mapping[str, int]
    rows: int

    @staticmethod
    def of(program: Program, given: Mapping[str, Any], *, batch: str | None) -> Examples:
        """``given`` checked as a whole, before anything runs: names, dtypes, lengths, indices, NaN, emptiness."""
        arrays = program.check(**given)
        for name, array in arrays.items():
            refuse_nan(name, array)
        axes = batch_axes(program.inputs, batch)
        rows = next((arrays[name].shape[axis] for name, axis in axes.items()), 1)
        if rows == 0:
            raise _refused("the data set is empty; give at least one example")
        return Examples(arrays, axes, rows)

    def take(self, at: Array) -> Examples:
        """The examples at the indices ``at``."""
        cut = {n: a.take(at, self.axes[n]) if n in self.axes else a for n, a in self.arrays.items()}
        return Examples(cut, self.axes, len(at))

    def split(self, fraction: float, seed: int) -> tuple[Examples, Examples]:
        """A part to train on and ``fraction`` of the examples, drawn by ``seed``, held back."""
        held = round(self.rows * fraction)
        if not 0 < held < self.rows:
            raise _refused(
                f"validation={fraction!r} of {self.rows} examples leaves one part empty; "
                "give a fraction between 0 and 1, or arrays by name"
            )
        order = generator(seed).permutation(self.rows)
        return self.take(np.sort(order[held:])), self.take(np.sort(order[:held]))


def refuse_nan(name: str, array: Array) -> None:
    """Raise ``InputError`` naming the first NaN of an input."""
    # A sum is NaN if an element is (or if both infinities are there), and reads the array once.
    with np.errstate(all="ignore"):
        if array.dtype.kind != "f" or not np.isnan(np.add.reduce(array, axis=None)):
            return
    at = np.argwhere(np.isnan(array))
    if len(at):
        where = ", ".join(map(str, at[0]))
        raise InputError(
            f"element [{where}] is NaN, and {len(at) - 1} others are; replace or leave out such examples"
        ).located(f"input {name!r}")


def _refused(text: str) -> InputError:
    return InputError(text).located("fit")


# ------------------------------------------------------------------------------------------------ feeding


class Feed(Protocol):
    """The batches of one pass over the data, run one after another."""

    @property
    def steps(self) -> int | None:
        """Batches in a pass; None where only the pass itself will tell."""
        ...

    def run(self, epoch: int, first: int = 0) -> Iterator[tuple[int, Outputs]]:
        """Call the program on each batch from number ``first`` on: examples in it, and what came out."""
        ...


class ArrayFeed:
    """Batches of ``Examples``, copied to arrays on which calls of the program are bound: one for whole batches and one
    for the last. With a ``seed`` their order is drawn for each epoch; without, they lie as they lie."""

    def __init__(
        self,
        program: Program,
        data: Examples,
        size: int,
        *,
        seed: int | None = None,
        augment: Mapping[str, Augment] | None = None,
        augment_seed: int = 0,
    ) -> None:
        self._program, self._data, self._size = program, data, size
        self._seed, self._augment, self._augment_seed = seed, dict(augment or {}), augment_seed
        self._slots: dict[int, _Slot] = {}
        self.steps = -(-data.rows // size)

    def run(self, epoch: int, first: int = 0) -> Iterator[tuple[int, Outputs]]:
        rows, size = self._data.rows, self._size
        order = np.arange(rows) if self._seed is None else generator(self._seed, epoch).permutation(rows)
        for step in range(first, self.steps):
            at = order[step * size : (step + 1) * size]
            slot = self._slots.get(len(at)) or self._slots.setdefault(len(at), self._slot(len(at)))
            if self.steps > 1 or self._augment:
                for take, axis, buffer in slot.fills:
                    take(at, axis, buffer, "clip")  # "raise" would go through a buffer of its own
            for name, change in self._augment.items():
                random = generator(self._augment_seed, epoch, step)
                slot.buffers[name][...] = change(slot.buffers[name], random)
            yield len(at), slot.call()

    def _slot(self, count: int) -> _Slot:
        data, inputs = self._data, self._program.inputs
        part = data.take(np.arange(count))
        buffers = {name: np.array(part.arrays[name], order="C", copy=True) for name in inputs}
        fills = [(data.arrays[n].take, data.axes[n], buffers[n]) for n in inputs if n in data.axes]
        return _Slot(buffers, fills, self._program.bind(**buffers))


@dataclass(frozen=True, slots=True)
class _Slot:
    buffers: dict[str, Array]
    fills: list[tuple[Callable[..., Any], int, Array]]
    call: Callable[[], Outputs]


class StreamFeed:
    """Batches from an iterable of mappings, or from a function of the epoch that gives one."""

    steps = None

    def __init__(self, program: Program, given: Any, *, batch: str | None) -> None:
        if not callable(given) and not isinstance(given, Iterable):
            raise _refused(f"data {given!r} are no data; give arrays by name, or an iterable of such batches")
        kind = type(cast("object", given)).__name__
        first: Any = given[0] if isinstance(given, tuple | list) and given else given  # pyright: ignore[reportUnknownVariableType]
        if isinstance(first, np.ndarray):
            named = ", ".join(f"{name!r}: ..." for name in program.inputs)
            raise _refused(f"the data are a {kind} without names; give {{{named}}}")
        self._program = program
        self._given: Any = given
        self._axes = batch_axes(program.inputs, batch)

    def run(self, epoch: int, first: int = 0) -> Iterator[tuple[int, Outputs]]:
        given: Any = self._given(epoch) if callable(self._given) else self._given
        count = 0
        for count, batch in enumerate(cast("Iterable[Any]", given), start=1):
            if not isinstance(batch, Mapping):
                raise _refused(f"batch {count} is {type(batch).__name__}; give arrays by name of input")
            if count > first:
                yield self._call(cast("Mapping[str, Any]", batch))
        if not count:
            raise _refused(
                f"there are no batches in epoch {epoch}; give a list, or a function that gives new ones each epoch"
            )

    def _call(self, batch: Mapping[str, Any]) -> tuple[int, Outputs]:
        for name, value in batch.items():
            if isinstance(value, np.ndarray):
                refuse_nan(name, cast("Array", value))
        outputs = self._program(**batch)
        return next((np.shape(batch[name])[axis] for name, axis in self._axes.items()), 1), outputs


def batch_rows(data: Examples, batch_size: Any) -> int:
    """``batch_size`` as a number of rows; None is all of them. Raises ``InputError`` for what is none."""
    if batch_size is None:
        return data.rows
    if type(batch_size) is not int or batch_size < 1:
        raise _refused(
            f"batch_size={batch_size!r}; give an integer of at least 1, or None for all data at once"
        )
    if batch_size > data.rows:
        raise _refused(
            f"batch_size={batch_size} is more than the {data.rows} examples; give at most that, or None for all at once"
        )
    return batch_size


__all__ = [
    "ArrayFeed", "Augment", "Examples", "Feed", "Outputs", "StreamFeed", "batch_axes", "batch_rows", "generator",
    "refuse_nan",
]  # fmt: skip
