"""The adjoint of sliding: what collects in each element from all windows that hold it.

Along an axis, element ``stride * place + dilation * inside`` collects the products of one factor at a place with the
other inside a window. Elements of one residue of the stride meet one phase of the window only, so the sum is, for each
residue, a correlation of stride 1 with that phase reversed, over the first factor with zeros around it; the residues
are interleaved. No zeros between elements are made or multiplied.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc.ops.sliding import Index, Spec
from graphc.types import Dim, Type


@dataclass(frozen=True, slots=True)
class Term:
    """A value and the letters of its axes."""

    value: Any
    word: str

    def size(self, letter: str) -> Dim:
        return self.value.shape[self.word.index(letter)]


@dataclass(frozen=True, slots=True)
class Phase:
    """Every ``step``-th element of a window from ``start`` on: ``count`` of them.

    Its element t meets place a - first - apart * t in element a of its residue.
    """

    start: int
    step: int
    count: Dim
    first: int
    apart: int

    @property
    def low(self) -> Dim:
        """How far in front of place 0 element 0 reads."""
        return self.first + self.apart * (self.count - 1)


@dataclass(frozen=True, slots=True)
class Meeting:
    """An axis of ``size`` whose element ``stride * place + dilation * inside`` collects what meets there."""

    axis: int
    place: str
    inside: str
    stride: int
    dilation: int
    size: Dim

    def exchanged(self) -> Meeting:
        return Meeting(self.axis, self.inside, self.place, self.dilation, self.stride, self.size)

    def phases(self, window: Dim) -> list[Phase | None]:
        """The phase of the window that each residue of the stride meets; None if none does."""
        common = math.gcd(self.stride, self.dilation)
        found: list[Phase | None] = [None] * self.stride
        step = self.stride // common
        for start in range(step):
            first, residue = divmod(start * self.dilation, self.stride)
            if not isinstance(window, int) or start < window:
                count = (window - start + step - 1) // step
                found[residue] = Phase(start, step, count, first, self.dilation // common)
        return found

    def count(self, residue: int) -> Dim:
        """How many elements of the axis have this residue."""
        return (self.size - residue + self.stride - 1) // self.stride


def spread_windows(b: Any, over: Term, slider: Term, x: Sequence[Index], meetings: Sequence[Meeting]) -> Any:
    """A value with the axes ``x``: the sum of all products of ``over`` at a place with ``slider`` inside a window
    that meet in an element."""
    phases = [m.phases(slider.size(m.inside)) for m in meetings]
    margins = [_margin(m, each, over.size(m.place)) for m, each in zip(meetings, phases, strict=True)]
    wide = Term(_padded(b, over, dict(zip((m.place for m in meetings), margins, strict=True))), over.word)
    spreading = _Spreading(b, wide, slider, x, meetings, [low for low, _ in margins])
    pieces = [
        spreading.piece(residues, [each[r] for each, r in zip(phases, residues, strict=True)])
        for residues in itertools.product(*(range(m.stride) for m in meetings))
    ]
    return pieces[0] if len(pieces) == 1 else spreading.woven(pieces)


def _margin(m: Meeting, phases: Sequence[Phase | None], places: Dim) -> tuple[Dim, Dim]:
    """Zeros in front and behind that are enough for all phases; the first residue reaches furthest behind."""
    lows = [p.low for p in phases if p is not None]
    known = [low for low in lows if isinstance(low, int)]
    least = max(known) if len(known) == len(lows) else lows[0] + max(p.first for p in phases if p is not None)
    return least, m.count(0) - places


def _padded(b: Any, over: Term, margins: dict[str, tuple[Dim, Dim]]) -> Any:
    each = [margins.get(letter, (0, 0)) for letter in over.word]
    low, high = tuple(a for a, _ in each), tuple(o for _, o in each)
    if all(d == 0 for d in (*low, *high)):
        return over.value
    return b("pad", over.value, low=low, high=high, value=0.0 if over.value.dtype.is_float else 0)


@dataclass(frozen=True, slots=True)
class _Spreading:
    """The factors, of which ``over`` is padded, so many elements in front, and what is made of them."""

    b: Any
    over: Term
    slider: Term
    x: Sequence[Index]
    meetings: Sequence[Meeting]
    low: Sequence[Dim]

    def piece(self, residues: Sequence[int], phases: Sequence[Phase | None]) -> Any:
        """What the elements with the given residues collect."""
        counts = [m.count(r) for m, r in zip(self.meetings, residues, strict=True)]
        known = [p for p in phases if p is not None]
        if len(known) < len(phases):
            return self.nothing(counts)
        wide, small = self.lined_up(counts, known), self.reversed(known)
        spec = Spec(
            tuple(i + self.inside(i) for i in self.over.word),
            self.slider.word,
            "".join(self.out()),
            stride=(1,) * len(known),
            dilation=self.in_order([p.apart for p in known]),
        )
        return self.b("correlate", wide, small, **spec.params())

    def out(self) -> list[str]:
        place = {m.axis: m.place for m in self.meetings}
        return [place.get(k, i) for k, i in enumerate(self.x)]

    def inside(self, letter: str) -> str:
        return next((m.inside for m in self.meetings if m.place == letter), "")

    def in_order(self, values: Sequence[int]) -> tuple[int, ...]:
        """One value for each window of ``over``, in the order of its axes."""
        places = [self.over.word.index(m.place) for m in self.meetings]
        return tuple(value for _, value in sorted(zip(places, values, strict=True)))

    def lined_up(self, counts: Sequence[Dim], phases: Sequence[Phase]) -> Any:
        """The stretch of ``over`` that the elements of a phase slide over."""
        value = self.over.value
        start: list[Dim] = [0] * value.ndim
        stop = list(value.shape)
        for m, low, count, p in zip(self.meetings, self.low, counts, phases, strict=True):
            axis = self.over.word.index(m.place)
            start[axis] = low - p.low
            stop[axis] = start[axis] + count + p.apart * (p.count - 1)
        if tuple(stop) == value.shape and all(s == 0 for s in start):
            return value
        return self.b("slice", value, start=tuple(start), stop=tuple(stop), step=(1,) * value.ndim)

    def reversed(self, phases: Sequence[Phase]) -> Any:
        """The elements of a phase, the last first."""
        value = self.slider.value
        start: list[Dim] = [0] * value.ndim
        stop, step = list(value.shape), [1] * value.ndim
        for m, p in zip(self.meetings, phases, strict=True):
            axis = self.slider.word.index(m.inside)
            if value.shape[axis] != 1:
                start[axis], stop[axis], step[axis] = p.start + p.step * (p.count - 1), -1, -p.step
        if all(s == 1 for s in step):
            return value
        return self.b("slice", value, start=tuple(start), stop=tuple(stop), step=tuple(step))

    def nothing(self, counts: Sequence[Dim]) -> Any:
        along = dict(zip((m.axis for m in self.meetings), counts, strict=True))
        shape = tuple(along[k] if k in along else self.size(i) for k, i in enumerate(self.x))
        return self.b.zeros(Type(self.over.value.dtype, shape))

    def size(self, letter: str) -> Dim:
        return (self.over if letter in self.over.word else self.slider).size(letter)

    def woven(self, pieces: Sequence[Any]) -> Any:
        steps, sizes = {m.axis: m.stride for m in self.meetings}, {m.axis: m.size for m in self.meetings}
        shape = tuple(sizes.get(k, d) for k, d in enumerate(pieces[0].shape))
        return self.b("weave", *pieces, steps=tuple(steps.get(k, 1) for k in range(len(shape))), shape=shape)


__all__ = ["Meeting", "Term", "spread_windows"]
