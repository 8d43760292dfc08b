"""Losses, regularisers, initialisers, optimisers, schedules."""

# ruff: noqa: E501 - texts stand whole

import numpy as np
import sympy

import graphc as gc
from graphc.errors import DTypeError, ExpressionError, GraphError, InputError, ShapeError

G = gc.Graph("net")
X = G.input("x", ("N", 3))
T = G.input("t", ("N",), "int32")
W = G.param("layer.weight", (2,))
B = G.param("layer.bias", (2,))
GRADS = {W: W, B: B}
L, O, R = gc.losses, gc.optim, gc.regularisers  # noqa: E741


def weight(init, shape=(3,)):
    g = gc.Graph()
    return gc.interpret(g.param("w", shape, init=init))


def far():
    g = gc.Graph()
    with g.scope("head"):
        loss = L.nll(g.input("x", ("N", 3)), g.input("t", ("N",), "int32"))
    gc.compile({"loss": loss})(x=np.ones((1, 3), "float32"), t=[-4])


def rule(formulas, **hyper):
    return O.from_sympy("Mine", formulas, **hyper)


def pruned(name, fraction=0.5):
    g = gc.Graph()
    w = g.param("w", (2,), init=[1.0, 2.0])
    O.prune(gc.compile(updates=O.Masked(O.SGD(0.1))({w: w})), name, fraction)


ROWS = [
    # losses
    (
        ShapeError,
        lambda: L.softmax_cross_entropy(X, T, weights=np.ones((2, 4))),
        "softmax_cross_entropy: weights have shape (2, 4) and the losses (N,); give one for each loss, or for each of the leading axes @",
    ),
    (
        ShapeError,
        lambda: L.mse(X, 2 * X, weights=np.ones((5, 2))),
        "mse: weights have shape (5, 2) and the losses (N, 3); give one for each loss, or for each of the leading axes @",
    ),
    (
        GraphError,
        lambda: L.softmax_cross_entropy(X, T, label_smoothing=1.5),
        "softmax_cross_entropy: label_smoothing=1.5; give a number from 0 to 1 @",
    ),
    (GraphError, lambda: L.huber(X, 2 * X, delta=0), "huber: delta=0; give a positive number @"),
    (GraphError, lambda: L.hinge(X, X, margin="1"), "hinge: margin='1'; give a positive number @"),
    (
        DTypeError,
        lambda: L.hinge(T, T),
        "hinge: scores are int32; give float32 or float64 @",
    ),
    (
        ShapeError,
        lambda: L.binary_cross_entropy_with_logits(X, T),
        "binary_cross_entropy_with_logits: targets of shape (N,) beside a value of shape (N, 3); give shape (N, 3) @",
    ),
    (
        GraphError,
        lambda: L.multi_class_hinge(X, T, form="vapnik"),
        "multi_class_hinge: form='vapnik'; use 'weston_watkins' or 'crammer_singer' @",
    ),
    (
        ShapeError,
        lambda: L.kl_divergence(gc.sum(X), 1.0),
        "kl_divergence: log-probabilities have shape (); their last axis must be the classes @",
    ),
    (
        DTypeError,
        lambda: L.mse(X, "a"),
        "mse: 'a' is no data; give a node, a real number or an array of them @",
    ),
    (
        InputError,
        far,
        "input 't' of head/nll (take_along): index -4 is out of range for size 3; give 0 to 2 @",
    ),
    (
        InputError,
        lambda: gc.interpret(L.multi_class_hinge(X, T), x=np.zeros((1, 3), "float32"), t=[-1]),
        "…(take_along): index -1 is out of range for size 3, and none counts from the end; give inputs that fit @",
    ),
    # regularisers
    (GraphError, lambda: R.l2([]), "l2: [] holds no parameters; give nodes or a graph"),
    (GraphError, lambda: R.l1([W, 3]), "l1: 3 is no floating node; give parameters"),
    (
        GraphError,
        lambda: R.l1(G, "*.wieght"),
        "l1: '*.wieght' is none of the parameters; did you mean 'layer.weight'?",
    ),
    (
        GraphError,
        lambda: R.elastic_net(W, beta=-1),
        "elastic_net: beta=-1; give a finite number of at least 0",
    ),
    # initialisers
    (
        GraphError,
        lambda: G.param("a", (2,), init="kaiming_norm"),
        "param 'a': there is no initialiser 'kaiming_norm'; did you mean 'kaiming_normal'? @",
    ),
    (
        GraphError,
        lambda: gc.init.XavierNormal(fan="avg"),
        "XavierNormal: fan='avg'; use 'in', 'out' or 'mean'",
    ),
    (
        GraphError,
        lambda: gc.init.TruncatedNormal(bound=0),
        "TruncatedNormal: bound=0; give a positive number",
    ),
    (
        ShapeError,
        lambda: weight("orthogonal"),
        "Orthogonal: shape (3,) has no columns; use a matrix or a kernel",
    ),
    (
        ShapeError,
        lambda: weight("identity"),
        "Identity: shape (3,) has no diagonal; use a matrix or a kernel",
    ),
    # optimisers
    (
        GraphError,
        lambda: O.AdamW(weight_decay=-0.1),
        "AdamW: weight_decay=-0.1; give a finite number of at least 0",
    ),
    (
        GraphError,
        lambda: O.RMSProp(momentum=1),
        "RMSProp: momentum=1; give a number from 0 to below 1",
    ),
    (
        GraphError,
        lambda: O.Adam(beta1=O.constant(1)),
        "Adam: beta1=constant(1), which starts at 1.0; give a number from 0 to below 1",
    ),
    (
        GraphError,
        lambda: O.clip_by_global_norm(GRADS, 0),
        "clip_by_global_norm: limit=0; give a positive number or a scalar node",
    ),
    (
        GraphError,
        lambda: O.clip_by_value([W], 1.0),
        "clip_by_value: [<%…: f32[2] = param 'layer.weight'>] is no {parameter: gradient}; give gc.grad(loss)",
    ),
    (GraphError, lambda: O.Groups({}), "Groups: {} has no groups; give {names: optimiser}"),
    (
        GraphError,
        lambda: O.Groups({"*.bias": O.SGD(0.1)})(GRADS),
        "Groups: layer.weight are in no group; add '*' for all others",
    ),
    (
        GraphError,
        lambda: O.Masked(O.SGD(0.1), "conv*")(GRADS),
        "Masked: 'conv*' is none of the parameters; there are layer.weight, layer.bias",
    ),
    (
        GraphError,
        lambda: pruned("v"),
        "prune: 'v' has no mask; give the program updates of Masked",
    ),
    (GraphError, lambda: pruned("w", 2), "prune: fraction=2; give a number from 0 to 1"),
    (
        GraphError,
        lambda: O.averaged(O.SGD(0.1)(GRADS), decay=1),
        "averaged: decay=1; give a number from 0 to below 1",
    ),
    (
        GraphError,
        lambda: rule({"v": "g"}),
        "Mine: {'v': 'g'} gives no p; give {..., 'p': the parameter's next value}",
    ),
    (
        GraphError,
        lambda: rule({"p": "p - g"}, g=1.0),
        "Mine: 'g' is a hyperparameter and more; choose another name",
    ),
    (
        GraphError,
        lambda: rule({"p": "p - step * g"}, step=1.0),
        "Mine: 'step' is a hyperparameter and more; choose another name",
    ),
    (
        ExpressionError,
        lambda: rule({"p": "p -"}),
        "Mine: 'p -' does not read (invalid syntax); write it as in 'w*x + b'",
    ),
    (
        GraphError,
        lambda: rule({"p": sympy.Symbol("p") - sympy.Symbol("rate")}, r=1.0),
        "Mine: 'rate' in the formula of 'p' is nothing; give it a value",
    ),
    (
        ExpressionError,
        lambda: rule({"p": "p - r * eval(g)"}, r=1.0)()(GRADS),
        "Mine: there is no function 'eval' in formulas; …",
    ),
    # schedules
    (GraphError, lambda: O.cosine(-1, steps=9), "cosine: rate=-1; give a finite number of at least 0"),
    (GraphError, lambda: O.linear(0.1, 0, steps=0), "linear: steps=0; give an integer of at least 1"),
    (
        GraphError,
        lambda: O.cosine(0.1, steps=9, warmup=9),
        "cosine: warmup=9 leaves none of steps=9; give more steps",
    ),
    (
        GraphError,
        lambda: O.piecewise({5: 0.1}),
        "piecewise: {5: 0.1} does not start at step 0; give {0: value, step: value, ...}",
    ),
    (
        GraphError,
        lambda: O.piecewise({0: 0.1, 1.5: 0.2}),
        "piecewise: start=1.5; give an integer of at least 0",
    ),
]
