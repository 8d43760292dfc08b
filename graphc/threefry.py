"""Threefry-2x32-20, the counter-based generator behind every random draw, in NumPy.

A draw is a function of a key and a counter, so an element's bits depend on neither the order in which elements are
made nor how many threads make them. Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

#: Bits by which the second word is rotated in the rounds of one group of four, and of the next.
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
#: What makes the third word of a key from the first two.
PARITY = 0x1BD11BDA
GROUPS = 5  # of four rounds each

Bits = np.ndarray[Any, Any]


def threefry(key: Any, counter: Any) -> Bits:
    """The 64 bits of ``counter`` under ``key``, both int64 and broadcast; the low word of each is its first word.

    >>> threefry(np.int64(0), np.int64(0)).astype(np.uint64).item() == 0x99BA4EFE_6B200159
    True
    """
    with np.errstate(over="ignore"):
        low, high = _rounds(_words(key), _words(counter))
    return (high.astype(np.uint64) << np.uint64(32) | low.astype(np.uint64)).view(np.int64)


def _rounds(key: tuple[Bits, Bits], counter: tuple[Bits, Bits]) -> tuple[Bits, Bits]:
    words = (*key, key[0] ^ key[1] ^ np.uint32(PARITY))
    a, b = counter[0] + words[0], counter[1] + words[1]
    for group in range(GROUPS):
        for distance in ROTATIONS[group % 2]:
            a = a + b
            b = _rotated(b, distance) ^ a
        a = a + words[(group + 1) % 3]
        b = b + words[(group + 2) % 3] + np.uint32(group + 1)
    return a, b


def shift_right(bits: Any, count: Any) -> Bits:
    """int64 ``bits`` moved down by ``count``, with zeros from above.

    >>> shift_right(np.int64(-1), np.int64(60)).item()
    15
    """
    moved: Bits = np.asarray(bits).view(np.uint64) >> np.asarray(count).view(np.uint64)
    return np.asarray(moved).view(np.int64)


def stream_key(seed: int, stream: str) -> int:
    """The key of a named stream of draws, as an int64: the same in every process and on every machine.

    >>> stream_key(0, "dropout") == stream_key(0, "dropout") != stream_key(1, "dropout")
    True
    """
    digest = hashlib.blake2b(f"{seed}/{stream}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def _words(value: Any) -> tuple[Bits, Bits]:
    """The low and the high 32 bits."""
    bits = np.asarray(value, np.int64).view(np.uint64)
    return bits.astype(np.uint32), (bits >> np.uint64(32)).astype(np.uint32)


def _rotated(word: Bits, distance: int) -> Bits:
    return word << np.uint32(distance) | word >> np.uint32(32 - distance)


__all__ = ["GROUPS", "PARITY", "ROTATIONS", "shift_right", "stream_key", "threefry"]
