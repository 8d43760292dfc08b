"""Random draws, dropout and noise."""

import graphc as gc
from graphc.errors import DTypeError, GraphError, ShapeError

G = gc.Graph("net")
X = G.input("x", ("N", 3))
K = G.input("k", (), "int32")
L = G.input("l", (), "int64")
GIVEN = {"shape": (3,), "seed": 0, "stream": "here:0"}


def taken():
    g = gc.Graph("taken")
    g.input("random.step", (2,))
    return g.uniform((3,))


ROWS = [
    (
        GraphError,
        lambda: G.uniform((3,), low="a"),
        "uniform: low and high are 'a' and 1.0; give numbers or nodes @",
    ),
    (GraphError, lambda: G.normal((3,), std=-1), "normal: std is -1; give a number of at least 0 @"),
    (GraphError, lambda: G.bernoulli(2, (3,)), "bernoulli: p is 2; give a probability between 0 and 1 @"),
    (
        ShapeError,
        lambda: G.uniform((3, -1)),
        "uniform: size -1 in shape (3, -1) is negative; sizes are at least 0 @",
    ),
    (
        GraphError,
        taken,
        "random: 'random.step' is the input f32[2], where random draws count steps; give it another name @",
    ),
    (
        DTypeError,
        lambda: G.uniform((3,), dtype="int32"),
        "uniform: dtype int32 is not floating; give float32 or float64 @",
    ),
    (
        DTypeError,
        lambda: G.add("uniform", (K,), dtype="float32", **GIVEN),
        "uniform: the position is int32; give int64 @",
    ),
    (DTypeError, lambda: G.add("fold_in", (L, K)), "fold_in: the operands are int64 and int32; give int64 @"),
    (
        GraphError,
        lambda: gc.dropout(X, 1),
        "dropout: rate is 1; give a probability of at least 0 and below 1 @",
    ),
    (
        GraphError,
        lambda: gc.nn.Dropout(-0.5),
        "Dropout: rate is -0.5; give a probability of at least 0 and below 1",
    ),
    (GraphError, lambda: gc.nn.GaussianNoise(-1), "GaussianNoise: std is -1; give a number of at least 0"),
    (
        GraphError,
        lambda: gc.nn.Dropout(0.5)(3),
        "Dropout: 3 is not a node; apply the layer to a node of a graph, such as g.input('x', ('N', 64))",
    ),
]
