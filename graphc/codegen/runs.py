"""Loops at bind time: how often each step of a program runs, at which times, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.codegen.module import Step
from graphc.lower.regions import Region

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Runs:
    """All runs of one step: how many, and the time of each loop in each of them."""

    count: int
    lengths: tuple[int, ...]
    times: Mapping[str, Any]

    @staticmethod
    def of(loops: Sequence[Region], lengths: Sequence[int]) -> Runs:
        """The runs of a step in ``loops`` of the given lengths, the innermost counting fastest."""
        count = int(np.prod(lengths, dtype=np.int64))
        grid = np.indices(tuple(lengths), dtype=np.int64).reshape(len(lengths), count)
        times = {
            str(loop.time): (length - 1 - axis if loop.reverse else axis)
            for loop, length, axis in zip(loops, lengths, grid, strict=True)
        }
        return Runs(count, tuple(lengths), times)


def run_order(steps: Sequence[Step], runs: Sequence[Runs]) -> list[Array]:
    """For each step, where in the whole sequence each of its runs comes.

    >>> from graphc.size import symbol
    >>> from types import SimpleNamespace as Of
    >>> loop = Region(symbol("t"), 3, False)
    >>> steps = [Of(loops=()), Of(loops=(loop,)), Of(loops=(loop,)), Of(loops=())]
    >>> [p.tolist() for p in run_order(steps, [Runs.of(s.loops, [3] * len(s.loops)) for s in steps])]
    [[0], [1, 3, 5], [2, 4, 6], [7]]
    """
    found: list[Array] = [np.zeros(0, np.int64)] * len(steps)
    _place(steps, runs, range(len(steps)), 0, np.zeros(1, np.int64), found)
    return found


def _place(
    steps: Sequence[Step],
    runs: Sequence[Runs],
    members: Sequence[int],
    depth: int,
    begin: Array,
    found: list[Array],
) -> int:
    """Place ``members``, which share ``depth`` loops whose runs begin at ``begin``; gives the length of one run."""
    length = 0
    at = 0
    while at < len(members):
        k = members[at]
        if len(steps[k].loops) == depth:
            found[k] = begin + length
            length, at = length + 1, at + 1
            continue
        loop = steps[k].loops[depth]
        inner = [m for m in members[at:] if len(steps[m].loops) > depth and steps[m].loops[depth] == loop]
        once = _length(steps, runs, inner, depth + 1)
        count = runs[k].lengths[depth]
        starts = (begin + length)[:, None] + once * np.arange(count, dtype=np.int64)
        _place(steps, runs, inner, depth + 1, starts.ravel(), found)
        length, at = length + once * count, at + len(inner)
    return length


def _length(steps: Sequence[Step], runs: Sequence[Runs], members: Sequence[int], depth: int) -> int:
    """How many runs of steps one run of the loops around ``members`` is."""
    return sum(int(np.prod(runs[m].lengths[depth:], dtype=np.int64)) for m in members)


__all__ = ["Runs", "run_order"]
