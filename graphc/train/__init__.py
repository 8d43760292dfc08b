"""Training: ``fit`` over arrays or batches, metrics of the whole set, callbacks, checkpoints, diagnostics."""

from typing import TYPE_CHECKING

from graphc.errors import unknown
from graphc.train import plots
from graphc.train.augment import Augmentation
from graphc.train.callbacks import Checkpoint, EarlyStopping, LearningRate
from graphc.train.checkpoint import load, read, save
from graphc.train.diagnostics import Landscape, Watch, landscape, watch
from graphc.train.fit import fit
from graphc.train.history import History
from graphc.train.metrics import Metric, accuracy, confusion_matrix, mae, mse, r2
from graphc.train.pretrain import Pretrained, pretrain
from graphc.train.sparse import DenseSparseDense, dense_sparse_dense
from graphc.train.training import Training

__all__ = [
    "Augmentation", "Checkpoint", "DenseSparseDense", "EarlyStopping", "History", "Landscape", "LearningRate",
    "Metric", "Pretrained", "Training", "Watch", "accuracy", "confusion_matrix", "dense_sparse_dense", "fit",
    "landscape", "load", "mae", "mse", "plots", "pretrain", "r2", "read", "save", "watch",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = unknown("gc.train", __all__)
