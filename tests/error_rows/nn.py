"""Layers."""

# ruff: noqa: E501 - texts stand whole

import numpy as np

import graphc as gc
from graphc import nn
from graphc.errors import DTypeError, GraphError, ShapeError, UnknownNameError


def leaf(*shape, dtype="float32"):
    return gc.Graph().input("x", shape, dtype)


def repeated(layer):
    xs = leaf("T", "N", 3)
    gc.scan(lambda h, x: (layer(h + x), None), gc.zeros_like(xs[0]), xs)


def twice(*layers, shape=("N", 4)):
    x = leaf(*shape)
    for layer in layers:
        x = layer(x)


class Undecorated(nn.Layer):
    def __init__(self, units):
        self.units = units

    def __call__(self, x):
        return x * self.units


ROWS = [
    (
        GraphError,
        lambda: Undecorated(3),
        "Undecorated: the class is no dataclass; write @dataclass(frozen=True, slots=True, eq=False) above it, and its settings as fields",
    ),
    (
        GraphError,
        lambda: nn.Dense(3)(np.ones((2, 3))),
        "Dense: an array of shape (2, 3) is not a node; apply the layer to a node of a graph, such as g.input('x', ('N', 64))",
    ),
    (
        GraphError,
        lambda: nn.Sequential([nn.Dense(3)]),
        "Sequential: a list is not a layer; give the layers themselves, as in Sequential(*layers)",
    ),
    (GraphError, lambda: nn.Dense(0), "Dense: units=0; give an integer of at least 1"),
    (GraphError, lambda: nn.Dense(2.5), "Dense: units=2.5; give an integer of at least 1"),
    (GraphError, lambda: nn.Dense(3, name=""), "Dense: name=''; give a text or leave it out"),
    (
        GraphError,
        lambda: nn.Dense(3, activation="rleu"),
        "Dense: there is no activation 'rleu'; did you mean 'relu'?",
    ),
    (
        GraphError,
        lambda: nn.Dense(3, activation="mul"),
        "Dense: there is no activation 'mul'; use 'relu', 'tanh', 'sigmoid' or a callable",
    ),
    (
        GraphError,
        lambda: nn.Dense(3, activation=2),
        "Dense: activation=2; give a name or a callable on nodes",
    ),
    (
        GraphError,
        lambda: nn.Dense(3)(3.0),
        "Dense: 3.0 is not a node; apply the layer to a node of a graph, such as g.input('x', ('N', 64))",
    ),
    (
        ShapeError,
        lambda: nn.Dense(3)(leaf()),
        "dense (Dense): input of shape () has no such axis; its last axis must be an int @",
    ),
    (
        ShapeError,
        lambda: nn.Dense(3)(leaf("N", "F")),
        "dense (Dense): input of shape (N, F) has a symbolic number of features; its last axis must be an int @",
    ),
    (
        ShapeError,
        lambda: twice(*[nn.Dense(3, name="shared")] * 2),
        "shared (Dense): input of shape (N, 3) asks for a weight of shape (3, 3), but the layer's has shape (4, 3); reshape the input, or give it another layer @",
    ),
    (
        GraphError,
        lambda: twice(nn.Dense(2, name="shared"), nn.Dense(2, name="shared")),
        "param 'shared.weight': name 'shared.weight' is used already (nn.py:…); choose another name @",
    ),
    (
        ShapeError,
        lambda: twice(nn.Dense(2, init=np.ones((3, 3)))),
        "param 'dense.weight': init has shape (3, 3) and the declaration (4, 2); make them equal @",
    ),
    (
        GraphError,
        lambda: nn.Sequential(3),
        "Sequential: 3 is not a layer; give callables on nodes or names of activations",
    ),
    (
        GraphError,
        lambda: nn.Sequential("tan h"),
        "Sequential: there is no activation 'tan h'; did you mean 'tanh'?",
    ),
    # ------------------------------------------------------------------------------------------ settings
    (GraphError, lambda: nn.Conv2d(0, 3), "Conv2d: out_channels=0; give an integer of at least 1"),
    (
        GraphError,
        lambda: nn.Conv2d(4, (3,)),
        "Conv2d: kernel_size=(3,); give an integer of at least 1, or a tuple of 2 of them",
    ),
    (
        GraphError,
        lambda: nn.Conv1d(4, 3, 0),
        "Conv1d: stride=0; give an integer of at least 1, or a tuple of 1 of them",
    ),
    (
        GraphError,
        lambda: nn.Conv2d(4, 3, groups=3),
        "Conv2d: 4 output channels in 3 groups; give a multiple of 3",
    ),
    (
        GraphError,
        lambda: nn.Conv2d(4, 3, activation="reul"),
        "Conv2d: there is no activation 'reul'; did you mean 'relu'?",
    ),
    (
        GraphError,
        lambda: nn.ConvTranspose2d(4, 3, padding="same"),
        "ConvTranspose2d: padding='same'; give an integer of at least 0, or a tuple of 2 of them",
    ),
    (
        GraphError,
        lambda: nn.MaxPool2d(2, (1, 2, 3)),
        "MaxPool2d: stride=(1, 2, 3); give an integer of at least 1, or a tuple of 2 of them",
    ),
    (GraphError, lambda: nn.BatchNorm(momentum=2), "BatchNorm: momentum=2; give a finite number of 0 to 1"),
    (GraphError, lambda: nn.LayerNorm(eps=-1), "LayerNorm: eps=-1; give a finite number of at least 0"),
    (GraphError, lambda: nn.GroupNorm(True), "GroupNorm: groups=True; give an integer of at least 1"),
    (
        GraphError,
        lambda: nn.Embedding(5, 3, 5),
        "Embedding: padding_idx=5 of 5 vectors; give an integer of 0 to 4",
    ),
    (
        DTypeError,
        lambda: nn.Embedding(5, 3, dtype="int32"),
        "Embedding: dtype='int32'; give 'float32' or 'float64'",
    ),
    (GraphError, lambda: nn.Maxout(3, 0), "Maxout: pieces=0; give an integer of at least 1"),
    (
        GraphError,
        lambda: nn.Residual(3),
        "Residual: 3 is not a layer; give callables on nodes or names of activations",
    ),
    (
        GraphError,
        lambda: nn.Residual("relu", shortcut="rl"),
        "Residual: there is no activation 'rl'; did you mean 'relu'?",
    ),
    (
        GraphError,
        lambda: nn.Residual("relu", branch_scale=float("nan")),
        "Residual: branch_scale=nan; give a finite number",
    ),
    (
        GraphError,
        lambda: nn.Sequential(nn.Dense),
        "Sequential: Dense is a class, not a layer; make one, as in gc.nn.Dense(64)",
    ),
    (
        GraphError,
        lambda: nn.Activation("leaky_relu", alpha=2),
        "Activation: got an unexpected keyword argument 'alpha'; give the parameters of leaky_relu(x, slope)",
    ),
    # -------------------------------------------------------------------------------------------- inputs
    (
        ShapeError,
        lambda: nn.Conv2d(4, 3)(leaf("N", 3, 8)),
        "conv2d (Conv2d): input of shape (N, 3, 8) has rank 3; give (batch, channels, height, width) @",
    ),
    (
        ShapeError,
        lambda: nn.Conv2d(4, 3)(leaf("N", "C", 8, 8)),
        "conv2d (Conv2d): input of shape (N, C, 8, 8) has a symbolic number of channels; axis 1 must be an int @",
    ),
    (
        GraphError,
        lambda: nn.Conv2d(4, 3, groups=2)(leaf("N", 3, 8, 8)),
        "conv2d (Conv2d): 3 input channels in 2 groups; give a multiple of 2 @",
    ),
    (
        ShapeError,
        lambda: nn.Conv2d(4, 3, 4, padding="same")(leaf("N", 3, "H", 8)),
        'conv2d (conv2d): padding "same" of a window of 3 and stride 4 depends on the symbolic size H; give padding as numbers @',
    ),
    (
        ShapeError,
        lambda: nn.Conv2d(4, (2, 3), padding="same", name="even")(leaf("N", 3, 8, 8)),
        'even (conv2d): padding is "same" of a kernel (2, 3), which has no middle along an even axis; give an odd kernel, '
        "or pairs that say where it stands, such as padding=[(0, 1), (1, 1)] @",
    ),
    (
        UnknownNameError,
        lambda: nn.Densee(4),
        "gc.nn has no 'Densee'; did you mean 'Dense'?",
    ),
    (
        ShapeError,
        lambda: twice(nn.Conv2d(4, 9, name="wide"), shape=("N", 3, 8, 8)),
        "wide (correlate): a window of 9 elements 1 apart does not fit an axis of size 8; pad the axis or make the window smaller @",
    ),
    (
        ShapeError,
        lambda: twice(*[nn.Conv2d(4, 3, name="shared")] * 2, shape=("N", 3, 8, 8)),
        "shared (Conv2d): input of shape (N, 4, 6, 6) asks for a weight of shape (4, 4, 3, 3), but the layer's has shape (4, 3, 3, 3); reshape the input, or give it another layer @",
    ),
    (
        ShapeError,
        lambda: nn.GlobalAvgPool()(leaf("N", 3)),
        "global_avg_pool (GlobalAvgPool): input of shape (N, 3) has rank 2; give (batch, channels, width, ...) @",
    ),
    (
        ShapeError,
        lambda: nn.Flatten(4)(leaf("N", 3)),
        "flatten (Flatten): axis 4 is out of range for rank 2; use -2 to 1 @",
    ),
    (
        GraphError,
        lambda: nn.GroupNorm(4)(leaf("N", 6, 3)),
        "group_norm (GroupNorm): 6 channels in 4 groups; give a multiple of 4 @",
    ),
    (
        DTypeError,
        lambda: nn.Embedding(5, 3)(leaf("N")),
        "embedding (take): indices are float32; give int32 or int64 @",
    ),
    (
        ShapeError,
        lambda: nn.Residual(nn.Dense(1))(leaf("N", 4)),
        "residual (Residual): the branch gives shape (N, 1) and the shortcut (N, 4); make them equal, for instance by shortcut=gc.nn.Dense or gc.nn.Conv2d @",
    ),
    (
        GraphError,
        lambda: repeated(nn.BatchNorm()),
        "batch_norm (BatchNorm): running averages cannot follow in the step of a loop; use LayerNorm, or apply it outside @",
    ),
]
