"""Large outputs: new arrays for the caller, in memory that an earlier caller has let go.

Fresh memory comes as pages that the system clears at the first touch, which takes longer than many kernels that write
them. So a program remembers the arrays that it gave away, and gives one away again once nobody else refers to it: no
variable, no view, no memoryview.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
MOST = 2  # arrays remembered: the last result is mostly still held while the next one is made


def _references(held: list[Array], position: int) -> int:
    return sys.getrefcount(held[position])


_ALONE = _references([np.empty(1)], 0)  # the answer for an array to which only the list refers
_COUNTS = getattr(sys, "_is_gil_enabled", lambda: True)()  # without the lock, counts are spread over threads


class Recycled:
    """Arrays of one shape and dtype.

    >>> made = Recycled((3,), np.dtype("float32"))
    >>> first = made.take()
    >>> made.take() is first
    False
    >>> address = first.ctypes.data
    >>> del first
    >>> made.take().ctypes.data == address
    True
    """

    __slots__ = ("_dtype", "_held", "_shape")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._shape, self._dtype = shape, dtype
        self._held: list[Array] = []

    def take(self) -> Array:
        """An array to which nobody refers, its elements undefined."""
        for position in range(len(self._held)):
            if _COUNTS and _references(self._held, position) == _ALONE and self._intact(self._held[position]):
                return self._held[position]
        array = np.empty(self._shape, self._dtype)
        self._held.append(array)
        del self._held[:-MOST]
        return array

    def _intact(self, array: Array) -> bool:
        """Whether its former holder left it as it was: an array can be reshaped and locked in place."""
        return array.shape == self._shape and array.dtype == self._dtype and array.flags.carray


__all__ = ["Recycled"]
