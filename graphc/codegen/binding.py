"""A program bound to concrete sizes: step table, argument blocks and arena that the parallel entry walks through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.codegen.frame import Argument, Buffer
from graphc.codegen.module import HEIGHT, Module, Step
from graphc.codegen.runs import Runs, run_order
from graphc.errors import CapacityError
from graphc.lower.kernels import BLOCK
from graphc.lower.memory import ALIGNMENT, Lifetime, MemoryPlan, plan_memory
from graphc.lower.schedule import Storage
from graphc.runtime import launch
from graphc.size import compile_dims
from graphc.types import Dim

Array = np.ndarray[Any, Any]

# Nanoseconds of work below which a step is not cut further: an order above what meeting at a step costs.
TILE_NS = 4000.0
MOST_TILES = 64
# What the rows of one call of a kernel with a product may amount to, so that what follows it finds them in the cache.
CALL_BYTES = 1 << 19
PRODUCT_FLOPS_PER_NS, OTHER_FLOPS_PER_NS, BYTES_PER_NS = 150.0, 12.0, 24.0


def aligned(size: int) -> Array:
    """``size`` bytes that begin at a cache line."""
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size]


def tile_count(step: Step, rows: int, product_flops: int, other_flops: int, moved: int) -> int:
    """In how many tiles a step is cut: by its work alone, never by the number of threads."""
    if rows <= 0:
        return 0
    work = max(product_flops / PRODUCT_FLOPS_PER_NS + other_flops / OTHER_FLOPS_PER_NS, moved / BYTES_PER_NS)
    least = -(-rows // (BLOCK // step.kept)) if step.kept else 1
    count = max(1, least, min(MOST_TILES, rows // step.block, int(work / TILE_NS)))
    if step.block < HEIGHT:
        return count
    even = (fewer for fewer in range(count, max(least, count // 2), -1) if rows % (fewer * HEIGHT) == 0)
    return next(even, count)


def group_size(step: Step, tiles: int, rows: int, written: int) -> int:
    """How many tiles one call takes: as many as there are, or with products, as the cache holds."""
    if not step.multiplies:
        return max(1, tiles)
    most = BLOCK // step.kept * tiles // rows if rows and step.kept else tiles
    return max(1, min(most, CALL_BYTES * tiles // max(1, written)))


@dataclass(slots=True)
class Bound:
    """Tables for one tuple of sizes. ``slots`` holds the address of every storage; ``plan`` where temporaries lie."""

    slots: Array
    arguments: Array
    steps: Array
    plan: MemoryPlan
    temporaries: Array
    offsets: Array
    tiles: tuple[int, ...]
    count: int  # of steps, those of loops as often as they run
    arena: int = 0

    @property
    def address(self) -> int:
        return self.steps.ctypes.data

    def place(self, arena: int) -> None:
        """Put the temporaries into the arena at this address."""
        if arena != self.arena:
            self.slots[self.temporaries] = self.offsets + arena
            self.arena = arena


class Tables:
    """Makes ``Bound`` tables for tuples of sizes: polynomials are compiled once, a new size only evaluates them."""

    def __init__(self, module: Module, storages: Sequence[Storage], addresses: Mapping[str, int]) -> None:
        self.module = module
        self.storages = tuple(storages)
        self.addresses = [addresses[s.kernel] for s in module.steps]
        costs: list[Dim] = [d for s in module.steps for d in (s.rows, s.product_flops, s.other_flops)]
        self.costs = compile_dims(costs)
        self.moved = compile_dims([s.bytes for s in module.steps])
        self.written = compile_dims([s.written for s in module.steps])
        self.sizes = compile_dims([s.size for s in storages])
        self.arguments = {
            loops: compile_dims(
                [d for s in module.steps if s.loops == loops for a in s.arguments for d in _dims(a)]
            )
            for loops in dict.fromkeys(s.loops for s in module.steps)
        }
        self.lengths = compile_dims([r.length for s in module.steps for r in s.loops])

    def bind(self, sizes: Mapping[str, int]) -> Bound:
        """The tables for ``sizes``; raises ``CapacityError`` where they need numbers that no index holds."""
        try:
            return self._bind(sizes)
        except OverflowError:
            raise CapacityError(
                "arrays have more elements than 64 bits count; give a smaller batch"
            ) from None

    def _bind(self, sizes: Mapping[str, int]) -> Bound:
        env, tiles, rows = self.cut(dict(sizes))
        plan = plan_memory(self.lifetimes(env))
        slots = np.frombuffer(aligned(8 * max(1, len(self.storages))), np.int64)
        temporaries = np.array(sorted(plan.offsets), np.int64)
        offsets = np.array([plan.offsets[int(k)] for k in temporaries], np.int64)
        runs = self.runs(env)
        arguments, starts = self.argument_block(slots, env, runs)
        calls = zip(self.module.steps, tiles, rows, self.written(env), strict=True)
        groups = [group_size(*each) for each in calls]
        steps = self.step_table(tiles, rows, groups, starts, run_order(self.module.steps, runs))
        count = sum(len(each) for each in starts)
        return Bound(slots, arguments, steps, plan, temporaries, offsets, tuple(tiles), count)

    def cut(self, env: dict[str, int]) -> tuple[dict[str, int], list[int], list[int]]:
        """The sizes with the tile count of each step, whose partial results later steps combine."""
        unknown = {name: MOST_TILES for s in self.module.steps for name in s.tiles} | env
        costs, moved = self.costs(unknown), self.moved(unknown)
        rows, *flops = costs[0::3], costs[1::3], costs[2::3]
        tiles = [tile_count(*each) for each in zip(self.module.steps, rows, *flops, moved, strict=True)]
        counted = zip(self.module.steps, tiles, strict=True)
        env.update((name, count) for step, count in counted for name in step.tiles)
        return env, tiles, list(rows)

    def lifetimes(self, env: Mapping[str, int]) -> list[Lifetime]:
        sizes = self.sizes(env)
        return [
            Lifetime(s.number, max(1, size) * s.dtype.itemsize, s.first, s.last)
            for s, size in zip(self.storages, sizes, strict=True)
            if s.kind == "temporary"
        ]

    def runs(self, env: Mapping[str, int]) -> list[Runs]:
        """How often each step runs, and at which times of its loops."""
        lengths = iter(self.lengths(env))
        return [Runs.of(step.loops, [next(lengths) for _ in step.loops]) for step in self.module.steps]

    def argument_block(
        self, slots: Array, env: Mapping[str, int], runs: Sequence[Runs]
    ) -> tuple[Array, list[Array]]:
        """All argument blocks behind each other, and where those of each step begin, one a run."""
        known = {s.loops: each for s, each in zip(self.module.steps, runs, strict=True)}
        values = {loops: iter(self.arguments[loops]({**env, **known[loops].times})) for loops in known}
        base = slots.ctypes.data
        blocks = [
            _block(s, base, values[s.loops], each.count)
            for s, each in zip(self.module.steps, runs, strict=True)
        ]
        flat = np.concatenate([*(block.ravel() for block in blocks), np.zeros(1, np.int64)])
        starts: list[Array] = []
        address = flat.ctypes.data
        for block in blocks:
            starts.append(address + 8 * block.shape[1] * np.arange(len(block), dtype=np.int64))
            address += 8 * block.size
        return flat, starts

    def step_table(
        self,
        tiles: Sequence[int],
        rows: Sequence[int],
        groups: Sequence[int],
        starts: Sequence[Array],
        order: Sequence[Array],
    ) -> Array:
        """One record a run of a step, in the order of ``order``: the positions of each step's runs."""
        shape = (max(1, sum(len(each) for each in order)), launch.STEP_WORDS)
        table = np.frombuffer(aligned(8 * shape[0] * shape[1]), np.int64).reshape(shape)
        for k, positions in enumerate(order):
            table[positions, launch.KERNEL], table[positions, launch.ARGS] = self.addresses[k], starts[k]
            table[positions, launch.TILES], table[positions, launch.ROWS] = tiles[k], rows[k]
            table[positions, launch.GROUP] = groups[k]
            table[positions, launch.SHARES] = int(self.module.steps[k].multiplies)
        return table


def _block(step: Step, base: int, values: Iterator[Any], count: int) -> Array:
    """The argument blocks of ``step``, one a run: what does not depend on a loop's time is the same in all."""
    words: list[Any] = []
    for argument in step.arguments:
        words += [base + 8 * argument.storage] if isinstance(argument, Buffer) else []
        words += [next(values) for _ in _dims(argument)]
    block = np.empty((count, len(words)), np.int64)
    for position, word in enumerate(words):
        block[:, position] = word
    return block


def _dims(argument: Argument) -> tuple[Dim, ...]:
    """The sizes in the words of an argument: a buffer's first word is its slot."""
    if not isinstance(argument, Buffer):
        return (argument,)
    return () if argument.words == 1 else (argument.start,)
