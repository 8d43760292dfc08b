# pyright: basic
"""What a call does before its first step, in the kernel language: takes the arrays in, and looks at their indices.

A block of guards, int64: the result (0, or one more than the number of the first check that failed), how many arrays
and how many checks there are; then, one group after another, the address of each array object, how many bytes behind
it stands the address of its data, and the address of the slot where that goes; then five words for each check: the
address of a slot, how many indices lie there, from what on and below what they must be, and bytes of one.
Python does the same with some microseconds an array, more than all kernels of a small network take.
"""

from __future__ import annotations

from graphc.runtime.language import i32_buffer, i64_buffer, size
from graphc.runtime.steps import atomic_load, store

#: Words before the first array, for each array, and for each check.
HEAD, ARRAY, CHECK = 3, 3, 5


def admit(guards):
    """Fill the slots of the arrays, then check the indices; tell the result in the block's first word."""
    if guards != 0:
        arrays, checks = size(guards, 1), size(guards, 2)
        for k in range(arrays):
            data = atomic_load(size(guards, 3 + k) + size(guards, 3 + arrays + k))
            store(size(guards, 3 + 2 * arrays + k), data)
        refused = 0
        for k in range(checks):
            check = guards + 8 * (3 + 3 * arrays + 5 * k)
            count, least, bound = size(check, 1), size(check, 2), size(check, 3)
            outside = 0
            if size(check, 4) == 4:
                x = i32_buffer(check, 0)
                for i in range(count):
                    outside |= (x[i] < least) | (x[i] >= bound)
            else:
                y = i64_buffer(check, 0)
                for i in range(count):
                    outside |= (y[i] < least) | (y[i] >= bound)
            if outside and not refused:
                refused = k + 1
        store(guards, refused)
