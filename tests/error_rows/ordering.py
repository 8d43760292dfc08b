"""Sorting and running sums."""

import graphc as gc
from graphc.errors import ShapeError

X = gc.Graph("net").input("x", ("N", 3))

ROWS = [
    (
        ShapeError,
        lambda: gc.top_k(X, 4),
        "top_k: k is 4 along an axis of size 3; give an integer from 0 to that @",
    ),
    (ShapeError, lambda: gc.cumsum(X, 2), "cumsum: axis 2 is out of range for rank 2; use -2 to 1 @"),
    (ShapeError, lambda: gc.sort(X, 2), "sort: axis 2 is out of range for rank 2; use -2 to 1 @"),
]
