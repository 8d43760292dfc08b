"""Convolution and pooling."""

# ruff: noqa: E501 - texts stand whole

import graphc as gc
from graphc.errors import DTypeError, ShapeError

G = gc.Graph("net")
X = G.input("x", ("N", 2, 5, 6))
W = G.input("w", (4, 2, 3, 3))
H = G.input("h", ("N", 2, "H", 6))
B = G.input("b", (1, 2, 5, 6), "bool")
C = G.input("c", (3, 2, 2))
D = G.input("d", (3, 2, 2), "float64")

ROWS = [
    (
        ShapeError,
        lambda: gc.conv2d(X, C),
        "conv2d: weight has shape (3, 2, 2); give 4 axes, of which the last 2 are spatial @",
    ),
    (
        ShapeError,
        lambda: gc.conv2d(C, W),
        "conv2d: input has shape (3, 2, 2); give 4 axes, of which the last 2 are spatial @",
    ),
    (DTypeError, lambda: gc.conv2d(B, B), "conv2d: operands are bool; cast them with gc.cast @"),
    (
        ShapeError,
        lambda: gc.conv2d(X, W, stride=0),
        "conv2d: stride is 0; give an int of at least 1, or 2 of them @",
    ),
    (
        ShapeError,
        lambda: gc.conv2d(X, W, dilation=(1, 1, 1)),
        "conv2d: dilation is (1, 1, 1); give an int of at least 1, or 2 of them @",
    ),
    (
        ShapeError,
        lambda: gc.conv2d(X, W, padding=-1),
        'conv2d: padding is -1; give "same", "valid", an int of at least 0, or for each of 2 axes an int or a pair @',
    ),
    (
        ShapeError,
        lambda: gc.conv2d(X, W, padding="full"),
        'conv2d: padding is \'full\'; give "same", "valid", an int of at least 0, or for each of 2 axes an int or a pair @',
    ),
    (
        ShapeError,
        lambda: gc.conv2d(H, W, padding="same", stride=4),
        'conv2d: padding "same" of a window of 3 and stride 4 depends on the symbolic size H; give padding as numbers @',
    ),
    (ShapeError, lambda: gc.conv2d(X, W, groups=0), "conv2d: groups is 0; give an int of at least 1 @"),
    (
        ShapeError,
        lambda: gc.conv2d(X, W, groups=3),
        "conv2d: weight gives 4 channels in 3 groups; give a multiple of 3 @",
    ),
    (
        ShapeError,
        lambda: gc.conv2d(X, W, groups=2),
        "conv2d: channels of the input, and weights of 2 in 2 groups: sizes 2 and 4 differ; they must be equal @",
    ),
    (
        ShapeError,
        lambda: gc.conv2d(X, W, dilation=3),
        "correlate: a window of 3 elements 3 apart does not fit an axis of size 5; pad the axis or make the window smaller @",
    ),
    (
        ShapeError,
        lambda: gc.conv2d(X, W, C),
        "conv2d: bias has shape (3, 2, 2); give one value an output channel @",
    ),
    (
        ShapeError,
        lambda: gc.conv2d(X, W, gc.sum(C, (1, 2))),
        "add: shapes (N, 4, 3, 4) and (3, 1, 1) do not broadcast (sizes that meet: sizes 4 and 3 differ; they must be equal); make the sizes equal or 1 @",
    ),
    (
        ShapeError,
        lambda: gc.conv_transpose2d(X, W),
        "conv_transpose2d: channels of the input and of the weight: sizes 2 and 4 differ; they must be equal @",
    ),
    (
        ShapeError,
        lambda: gc.conv_transpose2d(X, W, groups=-1),
        "conv_transpose2d: groups is -1; give an int of at least 1 @",
    ),
    (
        ShapeError,
        lambda: gc.max_pool2d(gc.sum(C, (1, 2)), 2),
        "max_pool2d: input has shape (3,); give channels and 2 spatial axes at least @",
    ),
    (
        ShapeError,
        lambda: gc.max_pool2d(X, 0),
        "max_pool2d: window is 0; give an int of at least 1, or 2 of them @",
    ),
    (
        ShapeError,
        lambda: gc.max_pool2d(X, 7),
        "max_pool: a window of 7 elements does not fit an axis of size 5; pad the axis or make the window smaller @",
    ),
    (
        ShapeError,
        lambda: gc.max_pool2d(X, 2, padding=2),
        "max_pool2d: padding (2, 2) of a window of 2 makes windows of padding alone; give less @",
    ),
    (DTypeError, lambda: gc.max_pool2d(B, 2), "max_pool2d: bool has no extrema here; cast it with gc.cast @"),
    (
        DTypeError,
        lambda: G.add("correlate", (C, D), spec="a[bc]d,ecd->abe", stride=(1,), dilation=(1,)),
        "correlate: operands are float32 and float64; cast them to one number dtype with gc.cast @",
    ),
    (
        ShapeError,
        lambda: G.add("correlate", (C, C), spec="abc->ab", stride=(), dilation=()),
        "correlate: spec 'abc->ab' with stride () and dilation () is not of the form 'ab[ce],dbe->adc' with one step of at least 1 for each window; write it so @",
    ),
    (
        ShapeError,
        lambda: G.add("correlate", (X, C), spec="abc,abc->a", stride=(), dilation=()),
        "correlate: shapes (N, 2, 5, 6) and (3, 2, 2) do not have the 3 and 3 axes of the spec; make them equal @",
    ),
    (
        ShapeError,
        lambda: G.add("max_pool", (C,), window=(2, 2), stride=(2,)),
        "max_pool: window (2, 2) and stride (2,) for rank 3; give one int of at least 1 for each of the last axes in both @",
    ),
    (
        DTypeError,
        lambda: G.add("max_pool", (B,), window=(2, 2), stride=(2, 2)),
        "max_pool: bool has no extrema here; cast it with gc.cast @",
    ),
    (
        ShapeError,
        lambda: G.add("argmax_pool", (C, D), window=(2, 2), stride=(2, 2)),
        "argmax_pool: maxima are f64[3,2,2]; give f32[3,1,1] @",
    ),
    (
        ShapeError,
        lambda: G.add("weave", (C, D), steps=(2, 1, 1), shape=(6, 2, 2)),
        "weave: operands are f32[3,2,2] and f64[3,2,2]; give pieces of (6, 2, 2) @",
    ),
]
