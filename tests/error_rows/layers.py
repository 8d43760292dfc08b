"""Losses and optimisers."""

# ruff: noqa: E501 - texts stand whole

import graphc as gc
from graphc.errors import DTypeError, GraphError, ShapeError

G = gc.Graph("net")
X = G.input("x", ("N", 3))
W = G.param("w", (2,))
LABELS = G.input("labels", ("N",), "int32")


ROWS = [
    (
        ShapeError,
        lambda: gc.losses.softmax_cross_entropy(G.const(1.0), LABELS),
        "softmax_cross_entropy: logits have shape (); their last axis must be the classes @",
    ),
    (
        ShapeError,
        lambda: gc.losses.softmax_cross_entropy(X, G.input("j", ("N", 3), "int32")),
        "softmax_cross_entropy: class indices of shape (N, 3) beside a value of shape (N, 3); give shape (N,) @",
    ),
    (
        ShapeError,
        lambda: gc.losses.softmax_cross_entropy(X, LABELS[:, None] * 1.0),
        "softmax_cross_entropy: probabilities of shape (N, 1) beside a value of shape (N, 3); give shape (N, 3), or class indices of an integer dtype @",
    ),
    (
        DTypeError,
        lambda: gc.losses.softmax_cross_entropy(X, X > 0),
        "softmax_cross_entropy: targets are bool; give class indices (int) or probabilities (float) @",
    ),
    (
        GraphError,
        lambda: gc.losses.softmax_cross_entropy(X, LABELS, reduction="avg"),
        "softmax_cross_entropy: reduction='avg'; use 'mean', 'sum' or 'none' @",
    ),
    (
        ShapeError,
        lambda: gc.losses.mse(X, X[:, :1]),
        "mse: target of shape (N, 1) beside a value of shape (N, 3); give shape (N, 3) @",
    ),
    (
        GraphError,
        lambda: gc.losses.mse(1.0, 2.0),
        "mse: no operand is a node of a graph; start from g.input, g.param or g.const @",
    ),
    (GraphError, lambda: gc.optim.SGD(-1), "SGD: learning_rate=-1; give a finite number of at least 0"),
    (
        GraphError,
        lambda: gc.optim.SGD("fast"),
        "SGD: learning_rate='fast'; give a finite number of at least 0",
    ),
    (
        GraphError,
        lambda: gc.optim.Adam(beta2=1.0),
        "Adam: beta2=1.0; give a number from 0 to below 1",
    ),
    (
        GraphError,
        lambda: gc.optim.Momentum(0.1, momentum=-0.5),
        "Momentum: momentum=-0.5; give a number from 0 to below 1",
    ),
    (GraphError, lambda: gc.optim.SGD(0.1)({}), "SGD: {} is no {parameter: gradient}; give gc.grad(loss)"),
    (
        GraphError,
        lambda: gc.optim.SGD(0.1)(W),
        "SGD: <%1: f32[2] = param 'w'> is no {parameter: gradient}; give gc.grad(loss)",
    ),
    (
        GraphError,
        lambda: gc.optim.SGD(0.1)({X: X}),
        "SGD: input 'x' is no parameter; only parameters and states are updated @",
    ),
    (GraphError, lambda: gc.optim.SGD(0.1)({"w": W}), "SGD: 'w' is no parameter; give handles"),
    (
        GraphError,
        lambda: gc.optim.SGD(0.1)({W: 3}),
        "SGD: gradient 3 of param 'w' is no node; give gc.grad(loss) @",
    ),
    (
        ShapeError,
        lambda: gc.optim.SGD(0.1)({W: gc.sum(W)}),
        "param 'w': update has shape () and the value it replaces (2,); make them equal @",
    ),
    (
        DTypeError,
        lambda: gc.optim.SGD(0.1)({W: gc.cast(W, "float64")}),
        "param 'w': update is float64 and the value it replaces float32; cast it with gc.cast @",
    ),
    (
        GraphError,
        lambda: gc.optim.SGD(0.1)({W: W, (v := gc.Graph("other").param("v", (2,))): v}),
        "SGD: operands belong to graphs 'net' and 'other'; build them in one graph @",
    ),
]
