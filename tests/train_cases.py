"""Small networks and data that the tests of training share."""

import numpy as np

import graphc as gc

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4)).astype(np.float32)
T = (X @ np.float32([[1, 0, -1], [0, 1, 0], [2, 0, 0], [0, 0, 1]])).argmax(axis=1).astype(np.int32)
DATA = {"x": X, "t": T}


class Classifier:
    """4 inputs, 8 hidden units, 3 classes."""

    def __init__(self, seed=0):
        self.graph = gc.Graph("classifier", seed=seed)
        self.x, self.t = self.graph.input("x", ("N", 4)), self.graph.input("t", ("N",), "int32")
        self.hidden = gc.nn.Dense(8, activation="relu", name="hidden")(self.x)
        self.logits = gc.nn.Dense(3, name="out")(self.hidden)
        self.loss = gc.losses.softmax_cross_entropy(self.logits, self.t)
        self.accuracy = gc.train.accuracy(self.logits, self.t)
        self.adam = gc.optim.Adam(0.01)

    def fit(self, data=None, **options):
        options = {"optimiser": self.adam, "epochs": 2, "batch_size": 16, **options}
        return gc.train.fit(self.loss, DATA if data is None else data, **options)


def stored(run):
    """The bytes of all parameters and states."""
    return {name: array.tobytes() for name, array in {**run.params, **run.states}.items()}
