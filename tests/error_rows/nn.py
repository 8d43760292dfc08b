"""Layers."""

# ruff: noqa: E501 - texts stand whole

import numpy as np

import graphc as gc
from graphc.errors import GraphError, ShapeError


def leaf(*shape, dtype="float32"):
    return gc.Graph().input("x", shape, dtype)


def twice(*layers):
    g = gc.Graph()
    x = g.input("x", ("N", 4))
    for layer in layers:
        x = layer(x)


ROWS = [
    (GraphError, lambda: gc.nn.Dense(0), "Dense: units=0; give an integer of at least 1"),
    (GraphError, lambda: gc.nn.Dense(2.5), "Dense: units=2.5; give an integer of at least 1"),
    (GraphError, lambda: gc.nn.Dense(3, name=""), "Dense: name=''; give a text or leave it out"),
    (
        GraphError,
        lambda: gc.nn.Dense(3, activation="rleu"),
        "Dense: there is no activation 'rleu'; did you mean 'relu'?",
    ),
    (
        GraphError,
        lambda: gc.nn.Dense(3, activation="mul"),
        "Dense: there is no activation 'mul'; use 'relu', 'tanh', 'sigmoid' or a callable",
    ),
    (
        GraphError,
        lambda: gc.nn.Dense(3, activation=2),
        "Dense: activation=2; give a name or a callable on handles",
    ),
    (
        GraphError,
        lambda: gc.nn.Dense(3)(3.0),
        "Dense: 3.0 is not a node; apply the layer to a node of a graph",
    ),
    (
        ShapeError,
        lambda: gc.nn.Dense(3)(leaf()),
        "dense (Dense): input of shape () has no such axis; its last axis must be an int @",
    ),
    (
        ShapeError,
        lambda: gc.nn.Dense(3)(leaf("N", "F")),
        "dense (Dense): input of shape (N, F) has a symbolic number of features; its last axis must be an int @",
    ),
    (
        ShapeError,
        lambda: twice(*[gc.nn.Dense(3, name="shared")] * 2),
        "shared (Dense): input of shape (N, 3) asks for a weight of shape (3, 3), but the layer's has shape (4, 3); reshape the input, or give it another layer @",
    ),
    (
        GraphError,
        lambda: twice(gc.nn.Dense(2, name="shared"), gc.nn.Dense(2, name="shared")),
        "param 'shared.weight': name 'shared.weight' is used already (nn.py:…); choose another name @",
    ),
    (
        ShapeError,
        lambda: twice(gc.nn.Dense(2, init=np.ones((3, 3)))),
        "param 'dense.weight': init has shape (3, 3) and the declaration (4, 2); make them equal @",
    ),
    (
        GraphError,
        lambda: gc.nn.Sequential(3),
        "Sequential: 3 is not a layer; give callables on handles or names of activations",
    ),
    (GraphError, lambda: gc.nn.Sequential("tan h"), "there is no activation 'tan h'; did you mean 'tanh'?"),
]
