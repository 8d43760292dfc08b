"""Derivatives, their check against differences, and rewriting rules that are wrong."""

# ruff: noqa: E501 - texts stand whole

from dataclasses import replace
from unittest.mock import patch

import numpy as np

import graphc as gc
from graphc import registry
from graphc.errors import DifferentiationError, ExpressionError, GraphError, InputError, ShapeError
from graphc.ops.elementwise import Scalar, make_op
from graphc.rewrite import RULES
from graphc.rewrite.pattern import Var
from graphc.rewrite.proof import prove
from graphc.rewrite.rules import exp, log

G = gc.Graph("net")
X = G.input("x", ("N", 3))
N = G.input("n", (3,), "int32")
V = G.input("v", (3,))
W = G.param("w", (3,))
LOSS = gc.mean(X * W)
OTHER = gc.Graph("other").input("y", (3,))
SOFTPLUS = next(rule for rule in RULES if rule.name == "softplus")


def with_op(op, act):
    """What ``act`` makes of an application of ``op``, known meanwhile, and of its operand."""
    with patch.dict(registry._OPS, {op.name: op}):
        x = gc.Graph().input("x", (2,))
        act(x.graph.add(op.name, (x,)), x)


def underivable(act):
    with_op(replace(registry.lookup("exp"), name="opaque", vjp=None, jvp=None, batch=None), act)


def unbatched():
    x = gc.Graph().input("x", (2,))
    with patch.dict(registry._OPS, {"mul": replace(registry.lookup("mul"), batch=None)}):
        gc.jacobian(x * x, x)


def wrong_partial():
    tripled = Scalar(name="wrong_cube", arity=1, body=lambda x: x**3, partials=(lambda x: 4 * x**2,))
    with_op(make_op(tripled), lambda y, x: gc.check_gradients(gc.sum(y), x=[0.5, 2]))


def unknown(graph):
    x = graph.input("x", (3,), "float64")
    return gc.log(1 + gc.exp(gc.min(x, 0)))


ROWS = [
    (DifferentiationError, lambda: gc.grad(3.0), "loss 3.0 is not a node; give a floating scalar of a graph"),
    (
        DifferentiationError,
        lambda: gc.grad(X),
        "input 'x': a loss is a floating scalar, not f32[N,3] of shape (N, 3); reduce it with gc.sum or gc.mean, or use gc.vjp or gc.jacobian @",
    ),
    (
        DifferentiationError,
        lambda: gc.grad(gc.sum(N)),
        "sum %…: a loss is a floating scalar, not i64[] of shape (); cast it with gc.cast @",
    ),
    (
        DifferentiationError,
        lambda: gc.grad(gc.sum(X)),
        "sum %…: it depends on no floating parameter; say by what to differentiate with wrt=[...] @",
    ),
    (DifferentiationError, lambda: gc.grad(LOSS, []), "wrt: no node is given; name at least one"),
    (GraphError, lambda: gc.grad(LOSS, "w"), "wrt: 'w' is not a node of graph 'net'; give nodes of it"),
    (
        GraphError,
        lambda: gc.grad(LOSS, OTHER),
        "wrt: <%0: f32[3] = input 'y'> is not a node of graph 'net'; give nodes of it",
    ),
    (
        DifferentiationError,
        lambda: gc.grad(LOSS, N),
        "input 'n': it is what is differentiated by but is int32; only float32 and float64 have derivatives @",
    ),
    (
        DifferentiationError,
        lambda: underivable(lambda y, x: gc.grad(gc.sum(y), x)),
        "opaque %…: opaque has no derivative; put gc.stop_gradient in front of it @",
    ),
    (
        DifferentiationError,
        lambda: underivable(lambda y, x: gc.jvp(y, {x: x})),
        "opaque %…: opaque has no derivative; put gc.stop_gradient in front of it @",
    ),
    (
        DifferentiationError,
        lambda: unbatched(),
        "mul %…: mul has no batching rule; build the Jacobian from gc.vjp or gc.jvp @",
    ),
    (
        ShapeError,
        lambda: gc.vjp(X, np.ones((2, 5), "float32"), X),
        "broadcast_to: broadcast of (2, 5) to (N, 3): sizes 5 and 3 differ; they must be equal @",
    ),
    (
        DifferentiationError,
        lambda: gc.vjp([X, LOSS], [1.0], X),
        "2 nodes and 1 cotangents are given; give one cotangent for each node",
    ),
    (
        GraphError,
        lambda: gc.vjp(LOSS, OTHER, X),
        "cotangent <%0: f32[3] = input 'y'> is not a node of graph 'net'; build both in one graph",
    ),
    (GraphError, lambda: gc.vjp(3.0, 1.0, X), "3.0 is not a node of a graph; give nodes"),
    (GraphError, lambda: gc.jvp(3.0, {X: X}), "outputs 3.0 are not nodes; give nodes of a graph"),
    (GraphError, lambda: gc.jvp([], {X: X}), "outputs [] are not nodes; give nodes of a graph"),
    (
        DifferentiationError,
        lambda: gc.jvp(N, {X: X}),
        "input 'n': it is differentiated but is int32; only float32 and float64 have derivatives @",
    ),
    (DifferentiationError, lambda: gc.jvp(X, {}), "tangents: no node is given; name at least one"),
    (GraphError, lambda: gc.jacobian(3.0, X), "3.0 is not a node of a graph; give nodes"),
    (
        DifferentiationError,
        lambda: gc.hvp(LOSS, [X], []),
        "1 nodes and 0 vectors are given; give one vector for each node",
    ),
    (
        DifferentiationError,
        lambda: gc.hvp(LOSS, [X, W], 1.0),
        "2 nodes and 1 vectors are given; give one vector for each node",
    ),
    (
        GraphError,
        lambda: gc.hvp(LOSS, X, OTHER),
        "vector <%0: f32[3] = input 'y'> is not a node of graph 'net'; build both in one graph",
    ),
    (
        DifferentiationError,
        lambda: gc.check_gradients(gc.sum(gc.cast(N, "float32")), n=[1, 2, 3]),
        "sum %…: it depends on no floating input or parameter; there is nothing to check @",
    ),
    (
        DifferentiationError,
        lambda: gc.check_gradients(gc.sum(gc.sqrt(V)), v=[0.0, 1.0, 1.0]),
        "sum %…: 3 derivatives by v DISAGREE within 1e-06; the worst:… @",
    ),
    (
        InputError,
        lambda: gc.check_gradients(LOSS, x=[[1, 2, 3]], y=1),
        "input 'y': there is no such input; the inputs are 'x', 'w'",
    ),
    (
        DifferentiationError,
        lambda: wrong_partial(),
        "sum %…: 2 derivatives by x DISAGREE within 1e-06; the worst:… @",
    ),
    (
        ExpressionError,
        lambda: prove(replace(SOFTPLUS, right=-SOFTPLUS.right), [replace(SOFTPLUS, right=-SOFTPLUS.right)]),
        "rule 'softplus': the two sides differ by 2.0; the rule is wrong",
    ),
    (
        ExpressionError,
        lambda: prove(
            replace(SOFTPLUS, left=log(log(exp(Var("X"))))), [replace(SOFTPLUS, left=log(log(exp(Var("X")))))]
        ),
        "rule 'softplus' does not fire on its example; correct the pattern or the example",
    ),
    (
        ExpressionError,
        lambda: prove(replace(SOFTPLUS, example=unknown), [SOFTPLUS]),
        "op 'min' has no meaning over symbols; add one beside the others",
    ),
]
