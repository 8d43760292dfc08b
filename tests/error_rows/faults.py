"""Sizes beyond what machines count."""

import numpy as np

import graphc as gc
from graphc.errors import CapacityError, ShapeError


def powers():
    """An output of N^7 elements."""
    x = gc.Graph("large").input("x", ("N",))
    n = x.shape[0]
    gc.compile({"y": gc.broadcast_to(gc.sum(x), (n**7,))})(x=np.zeros(1000, "float32"))


ROWS = [
    (
        ShapeError,
        lambda: gc.Graph().input("x", (2**40, "N", 2**40)),
        "input 'x': its shape has more elements than 64 bits count; declare smaller sizes @",
    ),
    (
        ShapeError,
        lambda: gc.triu(gc.Graph().input("x", (3, 3)), 0.5),
        "triu: diagonal 0.5 is no integer; give an int @",
    ),
    (
        CapacityError,
        powers,
        "large with N=1000: arrays have more elements than 64 bits count; give a smaller batch",
    ),
]
