"""Functions that networks are made of: normalisation, attention, activations with parameters."""

import numpy as np

import graphc as gc
from graphc.errors import DTypeError, GraphError, ShapeError

G = gc.Graph("net")
X = G.input("x", ("N", 6))
Q = G.input("q", ("N", 3, 4))

ROWS = [
    (GraphError, lambda: gc.gelu(X, approximate="erf"), "gelu: approximate='erf'; use 'none' or 'tanh' @"),
    (GraphError, lambda: gc.maxout(X, 0), "maxout: pieces=0; give an integer of at least 1 @"),
    (
        ShapeError,
        lambda: gc.maxout(X, 4),
        "maxout: size 6 of axis -1 of shape (N, 6) is no multiple of 4 pieces; give a fixed size that is @",
    ),
    (
        ShapeError,
        lambda: gc.maxout(X, 2, axis=0),
        "maxout: size N of axis 0 of shape (N, 6) is no multiple of 2 pieces; give a fixed size that is @",
    ),
    (
        GraphError,
        lambda: gc.layer_norm(X, eps=-1),
        "layer_norm: eps=-1; give a finite number of at least 0 @",
    ),
    (
        ShapeError,
        lambda: gc.layer_norm(X, np.ones(5)),
        "layer_norm: scale has shape (5,); give shape (6,) @",
    ),
    (
        ShapeError,
        lambda: gc.batch_norm(X, shift=np.ones((1, 6))),
        "batch_norm: shift has shape (1, 6); give shape (6,) @",
    ),
    (
        GraphError,
        lambda: gc.batch_norm(X, mean=np.zeros(6)),
        "batch_norm: one of mean and variance is given; give both, or neither for those of the batch @",
    ),
    (
        ShapeError,
        lambda: gc.instance_norm(X),
        "instance_norm: operand has shape (N, 6); give (batch, channels, width, ...) @",
    ),
    (
        ShapeError,
        lambda: gc.group_norm(G.const([1.0, 2.0]), 2),
        "group_norm: operand has shape (2,); give (batch, channels, ...) @",
    ),
    (GraphError, lambda: gc.group_norm(X, 0), "group_norm: groups=0; give an integer of at least 1 @"),
    (
        ShapeError,
        lambda: gc.group_norm(X, 4),
        "group_norm: 6 channels are no multiple of 4 groups; choose another number @",
    ),
    (
        ShapeError,
        lambda: gc.attention(Q, Q, Q, block=-1),
        "attention: block is -1; give an int of at least 0, or two: of queries and of keys @",
    ),
    (
        ShapeError,
        lambda: gc.attention(Q, Q, Q, block=(4, 4, 4)),
        "attention: block is (4, 4, 4); give an int of at least 0, or two: of queries and of keys @",
    ),
    (
        ShapeError,
        lambda: gc.attention(Q, Q, G.const([1.0])),
        "attention: q (N, 3, 4), k (N, 3, 4) and v (1,): an operand lacks axes; give (..., length, features) each @",
    ),
    (
        ShapeError,
        lambda: gc.attention(Q, X, Q),
        "attention: q (N, 3, 4), k (N, 6) and v (N, 3, 4): queries and keys have 4 and 6 features; make them equal @",
    ),
    (
        ShapeError,
        lambda: gc.attention(Q, Q, Q[:, :2]),
        "attention: q (N, 3, 4), k (N, 3, 4) and v (N, 2, 4): there are 3 and 2 keys and values; make them equal @",
    ),
    (
        ShapeError,
        lambda: gc.attention(Q, Q, Q, np.ones((4, 3), bool), block=2),
        "attention: mask has shape (4, 3); its last axes must broadcast to (3, 3) @",
    ),
    (
        DTypeError,
        lambda: gc.attention(Q, Q, Q, np.ones((3, 3), int)),
        "attention: mask is int64; give bool, true where a key takes part, or floats to be added @",
    ),
]
