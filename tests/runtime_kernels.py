"""Helpers for the tests of the runtime: kernels called with arrays, and tables of steps."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np

from graphc.runtime import jit, launch

HEAD = "from graphc.runtime.language import *\n"
KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


class Block:
    """An argument block: arrays by slots of their own, ints as sizes, floats as scalars."""

    def __init__(self, *entries: np.ndarray | int | float) -> None:
        self.arrays = [each for each in entries if isinstance(each, np.ndarray)]
        self.slots = np.array([each.ctypes.data for each in self.arrays] or [0], np.int64)
        self.words = np.array([self._word(each) for each in entries], np.int64)
        self.address = self.words.ctypes.data

    def _word(self, entry: np.ndarray | int | float) -> int:
        if isinstance(entry, np.ndarray):
            index = next(i for i, each in enumerate(self.arrays) if each is entry)
            return self.slots.ctypes.data + 8 * index
        return int(np.float64(entry).view(np.int64)) if isinstance(entry, float) else entry


def run(address: int, rows: int, *entries: np.ndarray | int | float) -> None:
    """Call a kernel for all its rows at once."""
    block = Block(*entries)
    KERNEL(address)(0, rows, block.address)


def steps(records: Sequence[tuple[int, int, int, Block]]) -> np.ndarray:
    """A table of steps (kernel, tiles, rows, block) that begins at a cache line."""
    line = 8 * launch.STEP_WORDS
    raw = np.zeros(line * (len(records) + 1), np.uint8)
    start = -raw.ctypes.data % line
    table = raw[start : start + line * len(records)].view(np.int64).reshape(-1, launch.STEP_WORDS)
    for row, (kernel, tiles, rows, block) in zip(table, records, strict=True):
        row[[launch.KERNEL, launch.TILES, launch.ROWS, launch.ARGS]] = kernel, tiles, rows, block.address
        row[launch.GROUP] = 1
    return table


def call(loaded: jit.Loaded, table: np.ndarray) -> None:
    """Run all steps of a table."""
    loaded.call(table.ctypes.data, len(table))
