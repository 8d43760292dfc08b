"""Recurrent layers and attention with projections."""

import numpy as np

import graphc as gc
from graphc.errors import DTypeError, GraphError, ShapeError

G = gc.Graph("sequences")
X = G.input("x", ("N", 5, 6))
COLUMN, FLOATS = G.input("column", ("N", 1), "int32"), G.input("floats", ("N",))
LSTM = gc.nn.LSTM(4, layers=2, name="lstm")
GRU = gc.nn.GRU(4, name="gru")
ATTEND = gc.nn.MultiHeadAttention(4, name="attend")


def leaf(*shape, dtype="float32"):
    return gc.Graph().input("x", shape, dtype)


ROWS = [
    (GraphError, lambda: gc.nn.GRU(0), "GRU: hidden=0; give an integer of at least 1"),
    (GraphError, lambda: gc.nn.LSTM(4, layers=True), "LSTM: layers=True; give an integer of at least 1"),
    (
        GraphError,
        lambda: gc.nn.RNN(4, "tanhh"),
        "RNN: there is no activation 'tanhh'; did you mean 'tanh'?",
    ),
    (ShapeError, lambda: GRU(leaf("N", 6)), "gru (GRU): input of shape (N, 6); give (N, T, features) @"),
    (
        ShapeError,
        lambda: gc.nn.GRU(4, time_major=True)(leaf(6)),
        "gru (GRU): input of shape (6,); give (T, N, features) @",
    ),
    (
        ShapeError,
        lambda: GRU(leaf("N", "T", "F")),
        "gru (GRU): input of shape (N, T, F) has a symbolic number of features; its last axis must be an int @",
    ),
    (
        GraphError,
        lambda: LSTM(X, X),
        "lstm (LSTM): state=<%…: f32[N,5,6] = input 'x'>; give a pair (h, c), as run returns @",
    ),
    (
        ShapeError,
        lambda: LSTM(X, (X, X)),
        "lstm (LSTM): state of shape (N, 5, 6); give (2, N, 4) @",
    ),
    (ShapeError, lambda: GRU(X, np.zeros((1, 4))), "gru (GRU): state of shape (1, 4); give (1, N, 4) @"),
    (
        DTypeError,
        lambda: GRU(X, np.zeros((1, 1, 4))),
        "gru (GRU): state is float64; give float32, as the input and the weights @",
    ),
    (
        ShapeError,
        lambda: GRU(X, lengths=COLUMN),
        "gru (GRU): lengths of shape (N, 1); give shape (N,) @",
    ),
    (
        DTypeError,
        lambda: GRU(X, lengths=FLOATS),
        "gru (GRU): lengths are float32; give int32 or int64 @",
    ),
    (
        ShapeError,
        lambda: GRU(X, mask=np.ones((3, 4), bool)),
        "gru (GRU): mask of shape (3, 4); give shape (N, 5) @",
    ),
    (
        DTypeError,
        lambda: ATTEND(leaf("N", 5, 8), key_mask=np.ones((1, 5))),
        "attend (MultiHeadAttention): mask is float64; give bool, true where a step takes part @",
    ),
    (
        GraphError,
        lambda: gc.nn.MultiHeadAttention(0),
        "MultiHeadAttention: heads=0; give an integer of at least 1",
    ),
    (
        GraphError,
        lambda: gc.nn.MultiHeadAttention(2, 0),
        "MultiHeadAttention: key_dim=0; give an integer of at least 1",
    ),
    (
        GraphError,
        lambda: ATTEND(X),
        "attend (MultiHeadAttention): 6 features do not divide into 4 heads; give key_dim @",
    ),
    (
        ShapeError,
        lambda: ATTEND(X, X[:, 0]),
        "attend (MultiHeadAttention): key of shape (N, 6); give (N, length, features), features an int @",
    ),
    (
        ShapeError,
        lambda: gc.nn.sinusoidal_positions(leaf("N", "T", "F")),
        "sinusoidal_positions: input of shape (N, T, F); give (..., length, features), features an int @",
    ),
]
