"""Training: data, metrics, callbacks, checkpoints."""

# ruff: noqa: E501 - texts stand whole

import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
from safetensors.numpy import save_file

import graphc as gc
from graphc.errors import (
    CheckpointError,
    DTypeError,
    GraphcError,
    GraphError,
    InputError,
    MissingError,
    ShapeError,
)

G = gc.Graph("line")
X, T = G.input("x", ("N", 2)), G.input("t", ("N",))
CLASS = G.input("class", ("N",), "int32")
W = G.param("w", (2,))
LOSS = gc.losses.mse(X @ W, T)
DATA = {"x": np.ones((6, 2), np.float32), "t": np.ones(6, np.float32)}
SGD = gc.optim.SGD(0.1)


def fit(data=None, **options):
    return gc.train.fit(LOSS, DATA if data is None else data, **{"optimiser": SGD, "epochs": 1, **options})


def with_nan():
    x = np.ones((6, 2), np.float32)
    x[4, 1] = x[5, 0] = np.nan
    return fit({**DATA, "x": x})


def load(arrays, metadata=None, *, resume=False, **options):
    """A file with these arrays, taken as a checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c"
        save_file(arrays, path, metadata)
        if resume:
            return fit(resume=path)
        return gc.train.load(path, gc.compile({"y": X @ W, "t": T}), **options)


def torn():
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c"
        path.write_bytes(b"no tensors")
        return gc.train.read(path)


def resumed_otherwise():
    with tempfile.TemporaryDirectory() as folder:
        path = fit(batch_size=2).save(Path(folder) / "c")
        return fit(batch_size=3, resume=path)


def plotted_without_matplotlib():
    with patch.dict(sys.modules, {"matplotlib.figure": None}):
        return gc.train.plots.histograms({"w": np.ones(3)})


def augmented_without_scipy():
    with patch.dict(sys.modules, {"scipy.ndimage": None}):
        return gc.train.Augmentation(rotate=5.0)(np.ones((1, 1, 4, 4)), np.random.default_rng(0))


def autoencoded(shape):
    h = gc.Graph().input("h", shape)
    return gc.train.pretrain(h, [gc.tanh], {"h": []}, optimiser=SGD, epochs=1)


ONES = np.ones(2, np.float32)
ROWS = [
    (InputError, lambda: fit(epochs=-1), "fit: epochs=-1; give an integer of at least 0"),
    (InputError, lambda: fit(optimiser=0.1), "fit: optimiser=0.1 makes no updates; give one of gc.optim, or {parameter: next value}"),
    (InputError, lambda: fit(optimiser=gc.optim.Adam), "fit: optimiser=Adam is a class; make one, as in gc.optim.Adam(0.001)"),
    (InputError, lambda: fit(metrics=["accuracy"]), "fit: metrics=['accuracy'] has no names; give {'name': ...}, such as {'accuracy': gc.train.accuracy(logits, classes)} for metrics"),
    (InputError, lambda: fit(callbacks=print), "fit: callbacks=<built-in function print>; give a list of them"),
    (InputError, lambda: fit(callbacks=[gc.train.EarlyStopping]), "fit: callback EarlyStopping is a class; make one, EarlyStopping(...)"),
    (InputError, lambda: fit((ONES, ONES), batch_size=2), "fit: the data are a tuple without names; give {'x': ..., 't': ...}"),
    (InputError, lambda: fit(validation=(ONES, ONES)), "fit: the data are a tuple without names; give {'x': ..., 't': ...}"),
    (MissingError, lambda: fit().history["accuracy"], "history: there is no 'accuracy'; there are loss, sgd.learning_rate"),
    (InputError, lambda: fit(metrics={"loss": T}), "fit: the name 'loss' is kept for what fit finds itself; choose another"),
    (InputError, lambda: fit(batch_size=0), "fit: batch_size=0; give an integer of at least 1, or None for all data at once"),
    (InputError, lambda: fit(batch_size=7), "fit: batch_size=7 is more than the 6 examples; give at most that, or None for all at once"),
    (InputError, lambda: fit(batch="M"), "fit: batch='M' is no size of an input; give one of N"),
    (InputError, lambda: fit({"x": np.ones((0, 2), np.float32), "t": np.ones(0, np.float32)}), "fit: the data set is empty; give at least one example"),
    (InputError, with_nan, "input 'x': element [4, 1] is NaN, and 1 others are; replace or leave out such examples"),
    (InputError, lambda: fit(validation=1.5), "fit: validation=1.5 of 6 examples leaves one part empty; give a fraction between 0 and 1, or arrays by name"),
    (InputError, lambda: fit([DATA], validation=0.5), "fit: validation=0.5 of a stream; give data for it, or arrays by name to cut it from"),
    (InputError, lambda: fit([DATA], batch_size=2), "fit: batch_size= and augment= are for arrays by name; let the iterable give batches as they are to be"),
    (InputError, lambda: fit(3), "fit: data 3 are no data; give arrays by name, or an iterable of such batches"),
    (InputError, lambda: fit([DATA, ONES]), "fit: batch 2 is ndarray; give arrays by name of input"),
    (InputError, lambda: fit(iter([DATA]), epochs=2), "fit: there are no batches in epoch 1; give a list, or a function that gives new ones each epoch"),
    (GraphError, lambda: fit(metrics={"half": 0.5}), "metric 'half': 0.5 is no metric; give a node, or one such as gc.train.accuracy(...)"),
    (ShapeError, lambda: gc.train.accuracy(X, T), "accuracy: targets are f32[N]; give shape (N, 2) or class indices of one axis less @"),
    (ShapeError, lambda: gc.train.mse(X, T), "mse: targets are f32[N]; give shape (N, 2) @"),
    (InputError, lambda: fit(callbacks=[3]), "fit: callback 3 has none of on_start, on_step, on_epoch_end, on_end and is no function; give it one"),
    (InputError, lambda: fit(callbacks=[gc.train.EarlyStopping()]), "EarlyStopping: the history has no 'val_loss'; monitor one of loss, or give validation= to fit"),
    (InputError, lambda: gc.train.EarlyStopping(patience=0), "EarlyStopping: patience=0, min_delta=0.0, mode='min'; give at least 1, at least 0, 'min' or 'max'"),
    (InputError, lambda: gc.train.Checkpoint("c", every=0), "Checkpoint: every=0; give an integer of at least 1"),
    (InputError, lambda: fit(callbacks=[gc.train.Checkpoint(".")]), "Checkpoint: '.' is a folder; give the path of a file in it"),
    (InputError, lambda: fit(callbacks=[gc.train.Checkpoint("no such folder/{epoch}")]), "Checkpoint: there is no folder 'no such folder'; make it first"),
    (CheckpointError, lambda: gc.train.read("."), "checkpoint '.': it is a folder; give the path of a file in it"),
    (DTypeError, lambda: gc.train.accuracy(X, CLASS, mask=T), "accuracy: mask is float32; give bool, true for what counts @"),
    (ShapeError, lambda: gc.train.accuracy(X, CLASS, mask=X > 0), "accuracy: mask is b1[N,2]; give shape (N,) @"),
    (InputError, lambda: fit(callbacks=[gc.train.LearningRate(float, state="rate")]), "LearningRate: there is no state 'rate'; there are sgd.learning_rate"),
    (CheckpointError, torn, "checkpoint '…': it is no whole safetensors file (…); give one that gc.train.save wrote"),
    (CheckpointError, lambda: load({"w": ONES}, {"graphc": "[]"}), "checkpoint '…': its metadata are '[]', which this version does not read; give one that gc.train.save wrote"),
    (CheckpointError, lambda: load({"v": ONES}), "checkpoint '…': it holds no parameter 'w'; give a checkpoint of this network"),
    (CheckpointError, lambda: load({"w": np.ones(3)}), "checkpoint '…': its parameter 'w' is float64[3], the program's float32[2]; give a checkpoint of this network"),
    (CheckpointError, lambda: load({"w": ONES, "v": ONES}), "checkpoint '…': it holds parameter 'v', which the program does not have; give a checkpoint of this network"),
    (CheckpointError, lambda: load({"w": ONES}, resume=True), "checkpoint '…': it does not say where training stood; give one that a training wrote"),
    (CheckpointError, resumed_otherwise, "checkpoint '…': it was written with batch_size=2, and this is 3; make them equal"),
    (GraphcError, plotted_without_matplotlib, "plots: plots are drawn by matplotlib, which is not installed; pip install 'graphc[plot]'"),
    (GraphcError, lambda: gc.train.plots.history({}), "plots: the history has no epochs; train for one at least"),
    (GraphError, lambda: gc.train.watch(gc.sum(W)), "watch: no layer with parameters is found in the loss; give layers={name: node} @"),
    (InputError, lambda: gc.train.landscape(fit(), DATA, points=1), "landscape: radius=1.0, points=1; give a positive number, and at least 2"),
    (InputError, lambda: gc.train.dense_sparse_dense(LOSS, DATA, optimiser=SGD, epochs=(1, 1, 1), sparsity=1.0), "dense_sparse_dense: sparsity=1.0; give a number from 0 to below 1"),
    (ShapeError, lambda: autoencoded(("N", "F")), "pretrain: input of shape (N, F) has no fixed last axis; give a decoder @"),
    (InputError, lambda: gc.train.Augmentation(crop=(0.5, 2.0)), "Augmentation: crop=(0.5, 2.0); give (smallest, largest), positive, at most 1"),
    (InputError, lambda: gc.train.Augmentation()(np.ones((4, 4)), np.random.default_rng(0)), "Augmentation: images are float64 of shape (4, 4); give floating ones (N, channels, height, width)"),
    (GraphcError, augmented_without_scipy, "Augmentation: images are interpolated by SciPy, which is not installed; pip install 'graphc[augment]'"),
]  # fmt: skip
