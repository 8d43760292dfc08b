"""The memory plan: where in the arena each temporary lives, for one tuple of sizes.

Temporaries alive at the same step never overlap. Placement is best-fit over lifetimes, by decreasing size first; the
lower bound that the plan is reported against is the largest sum of sizes alive at one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

ALIGNMENT = 64  # bytes: one cache line, one AVX-512 vector


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A temporary: ``size`` bytes needed from step ``first`` to step ``last``, both included."""

    number: int
    size: int
    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """Byte offset of each temporary; ``peak`` bytes in all, against the ``bound`` that no plan can beat."""

    offsets: Mapping[int, int]
    peak: int
    bound: int

    def __str__(self) -> str:
        return (
            f"arena of {self.peak} bytes for {len(self.offsets)} temporaries; lower bound {self.bound} bytes"
        )


def plan_memory(lifetimes: Sequence[Lifetime]) -> MemoryPlan:
    """Offsets for ``lifetimes`` such that no two that are alive together overlap.

    >>> plan_memory([Lifetime(0, 100, 0, 1), Lifetime(1, 60, 1, 2), Lifetime(2, 128, 2, 3)]).peak
    192
    """
    bound, best = lower_bound(lifetimes), None
    for order in ORDERS:
        plan = _placed(sorted(lifetimes, key=order), bound)
        if best is None or plan.peak < best.peak:
            best = plan
        if best.peak == bound:
            break
    assert best is not None
    return best


#: In which order temporaries are placed; the next is tried where the one before leaves gaps.
ORDERS: tuple[Callable[[Lifetime], tuple[int, ...]], ...] = (
    lambda x: (-x.size, x.first - x.last, x.first, x.number),
    lambda x: ((x.first - x.last - 1) * x.size, -x.size, x.first, x.number),
    lambda x: (x.first - x.last, -x.size, x.first, x.number),
)


def _placed(lifetimes: Sequence[Lifetime], bound: int) -> MemoryPlan:
    """Each of ``lifetimes`` in turn at the best gap between those before it."""
    placed: list[tuple[int, Lifetime]] = []
    for item in lifetimes:
        taken = sorted((at, _padded(o.size)) for at, o in placed if o.overlaps(item))
        placed.append((_best_gap(item, taken), item))
    peak = max((at + _padded(life.size) for at, life in placed), default=0)
    return MemoryPlan({life.number: at for at, life in placed}, peak, bound)


def _best_gap(item: Lifetime, taken: Iterable[tuple[int, int]]) -> int:
    """The start of the smallest gap that holds ``item`` between what is taken, or the end of it all."""
    need, free, best = _padded(item.size), 0, None
    for start, size in taken:
        if start - free >= need and (best is None or start - free < best[0]):
            best = (start - free, free)
        free = max(free, start + size)
    return free if best is None else best[1]


def lower_bound(lifetimes: Sequence[Lifetime]) -> int:
    """The largest number of bytes alive at one step."""
    change: dict[int, int] = {}
    for life in lifetimes:
        change[life.first] = change.get(life.first, 0) + _padded(life.size)
        change[life.last + 1] = change.get(life.last + 1, 0) - _padded(life.size)
    alive = most = 0
    for step in sorted(change):
        alive += change[step]
        most = max(most, alive)
    return most


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
