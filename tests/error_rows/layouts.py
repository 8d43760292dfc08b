"""Shapes, joins, cuts, indices."""

# ruff: noqa: E501 - texts stand whole

import graphc as gc
from graphc.errors import DTypeError, GraphError, ShapeError

G = gc.Graph("net")
X = G.input("x", (4, 3))
S = G.input("s", ("N", 3))
T = G.input("t", (2, 3, 4))
E = G.input("e", (0, 3))
B = G.input("b", (4, 3), "bool")
I = G.input("i", (4,), "int32")  # noqa: E741 - indices
Z = G.input("z")

ROWS = [
    (
        ShapeError,
        lambda: gc.broadcast_to(X, (3,)),
        "broadcast_to: shape (4, 3) has more axes than (3,); give at least 2 @",
    ),
    (
        ShapeError,
        lambda: gc.broadcast_to(X, (4, 5)),
        "broadcast_to: broadcast of (4, 3) to (4, 5): sizes 3 and 5 differ; they must be equal @",
    ),
    (
        ShapeError,
        lambda: gc.reshape(X, (5, 2)),
        "reshape: element counts of (4, 3) and (5, 2): sizes 12 and 10 differ; they must be equal @",
    ),
    (
        ShapeError,
        lambda: gc.reshape(X, (-1, 5)),
        "reshape: 12 elements of (4, 3) do not divide into (-1, 5); give sizes whose product divides 12 @",
    ),
    (
        ShapeError,
        lambda: gc.reshape(X, (-1, -1)),
        "reshape: shape (-1, -1) has 2 sizes -1; leave at most one open @",
    ),
    (
        ShapeError,
        lambda: gc.reshape(E, (-1, 0)),
        "reshape: shape (-1, 0) has size 0, which leaves -1 open; give that size @",
    ),
    (DTypeError, lambda: gc.pad(X, 1, "a"), "pad: constant_values is 'a'; give a number @"),
    (
        ShapeError,
        lambda: gc.transpose(X, 1.5),
        "transpose: axes is 1.5; give each of 0 to 1 once, in a tuple @",
    ),
    (
        ShapeError,
        lambda: gc.split(X, None),
        "split: parts are None; give how many there are, or the positions of the cuts @",
    ),
    (GraphError, lambda: gc.concatenate(1.5), "concatenate: values are 1.5; give them in a list @"),
    (
        ShapeError,
        lambda: gc.tensordot(X, X, 1.5),
        "tensordot: axes are 1.5; give how many, or the axes of each operand as a pair @",
    ),
    (
        ShapeError,
        lambda: gc.transpose(X, (0, 0)),
        "transpose: perm (0, 0) is no order of the axes; name each of 0 to 1 once @",
    ),
    (
        ShapeError,
        lambda: gc.transpose(X, (0,)),
        "transpose: perm is (0,) for rank 2; give a tuple of 2 values @",
    ),
    (
        ShapeError,
        lambda: gc.moveaxis(X, (0, 1), 0),
        "moveaxis: source (0, 1) and destination 0 do not pair up; give as many axes in both, each once @",
    ),
    (
        ShapeError,
        lambda: gc.squeeze(X, 0),
        "squeeze: axis 0 of (4, 3) has size 4, not 1; squeeze axes of size 1 @",
    ),
    (
        ShapeError,
        lambda: gc.pad(X, ((1, 1), (1, 1), (1, 1))),
        "pad: pad_width ((1, 1), (1, 1), (1, 1)) does not fit rank 2; give a number, a pair, or 2 pairs @",
    ),
    (ShapeError, lambda: gc.pad(X, -1), "pad: padding of axis 0: size -1 is less than 0; give at least 0 @"),
    (
        ShapeError,
        lambda: gc.concatenate([X, T]),
        "concatenate: shapes (4, 3) and (2, 3, 4) differ in rank; reshape one @",
    ),
    (
        ShapeError,
        lambda: gc.concatenate([X, T[0]]),
        "concatenate: shapes (4, 3) and (3, 4) are joined along axis 0, axis 1: sizes 3 and 4 differ; they must be equal @",
    ),
    (
        DTypeError,
        lambda: G.add("concatenate", (X, B), axis=0),
        "concatenate: operands are float32 and bool; cast them to one dtype with gc.cast @",
    ),
    (
        GraphError,
        lambda: G.add("concatenate", (), axis=0),
        "concatenate: no operands are given; give at least one @",
    ),
    (GraphError, lambda: gc.concatenate([]), "concatenate: no values are given; give at least one @"),
    (
        ShapeError,
        lambda: gc.split(X, 3),
        "split: size 4 does not divide into 3 equal parts; give the positions of the cuts @",
    ),
    (
        ShapeError,
        lambda: gc.split(S, 2),
        "split: size N does not divide into 2 equal parts; give the positions of the cuts @",
    ),
    (ShapeError, lambda: gc.tril(I), "tril: shape (4,) has fewer than two axes; give a matrix @"),
    (
        ShapeError,
        lambda: G.add("phase", (X, T)),
        "phase: train is f32[4,3] and eval is f32[2,3,4]; make their types equal @",
    ),
    (
        ShapeError,
        lambda: X[0, 0, 0],
        "index: 3 entries and 0 ellipses do not fit shape (4, 3); give at most 2 and one @",
    ),
    (
        ShapeError,
        lambda: X[..., ...],
        "index: 0 entries and 2 ellipses do not fit shape (4, 3); give at most 2 and one @",
    ),
    (ShapeError, lambda: X[4], "index: index 4 is out of range for axis 0 of size 4; use -4 to 3 @"),
    (ShapeError, lambda: X[:, [0, 3]], "index: index 3 is out of range for axis 1 of size 3; use -3 to 2 @"),
    (
        ShapeError,
        lambda: E[0],
        "index: index 0 is out of range for axis 0 of size 0; an empty axis has no elements @",
    ),
    (ShapeError, lambda: X[::0], "index: step 0 of axis 0 is no stride; give an int other than 0 @"),
    (
        ShapeError,
        lambda: X[I:],
        "index: bounds of axis 0 are not sizes; give ints or sizes, or use gc.take @",
    ),
    (DTypeError, lambda: X[True], "index: a boolean is no index; use gc.where for masks @"),
    (DTypeError, lambda: X[B], "index: a boolean mask has no fixed result shape; use gc.where(mask, x, 0) @"),
    (
        DTypeError,
        lambda: X["a"],
        "index: 'a' is no index; use ints, ranges, None, Ellipsis, integer arrays or nodes @",
    ),
    (DTypeError, lambda: X[[0.5]], "index: indices are float64; give int32 or int64 @"),
    (
        ShapeError,
        lambda: G.add("slice", (X,), start=(0, 0), stop=(5, 3), step=(1, 1)),
        "slice: slice of axis 0, upper end: size 4 is less than 5; give at least 5 @",
    ),
    (
        ShapeError,
        lambda: G.add("slice", (X,), start=(0, 0), stop=(4, 3), step=(0, 1)),
        "slice: step 0 of axis 0 is no stride; give an int other than 0 @",
    ),
    (DTypeError, lambda: gc.take(X, X, 0), "take: indices are float32; give int32 or int64 @"),
    (
        ShapeError,
        lambda: gc.take_along_axis(X, I, 0),
        "take_along_axis: shapes (4, 3) and (4,) differ in rank; give indices with as many axes @",
    ),
    (DTypeError, lambda: gc.one_hot(X, 3), "one_hot: indices are float32; give int32 or int64 @"),
    (
        ShapeError,
        lambda: gc.scatter_add(T, I, 3),
        "scatter_add: axis 0 of the updates and axis 0 of the indices: sizes 2 and 4 differ; they must be equal @",
    ),
    (
        DTypeError,
        lambda: gc.scatter_add(I, T[0], 3),
        "scatter_add: indices are float32; give int32 or int64 @",
    ),
    (
        ShapeError,
        lambda: G.add("scatter_add", (T, I), axis=3, size=2, wrap=True),
        "scatter_add: axis 3 leaves no room for 1 axes of indices in (2, 3, 4); lower it @",
    ),
    (
        GraphError,
        lambda: gc.arange(3, 3),
        "arange: no operand is a node of a graph; start from g.input, g.param or g.const @",
    ),
    (ShapeError, lambda: gc.arange(G, -1), "arange: length: size -1 is less than 0; give at least 0 @"),
    (
        DTypeError,
        lambda: G.add("take", (X, X), axis=0, wrap=True),
        "take: indices are float32; give int32 or int64 @",
    ),
]
