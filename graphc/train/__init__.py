"""Training: ``fit`` over arrays or batches, metrics of the whole set, callbacks, checkpoints, diagnostics."""

from graphc.train import plots
from graphc.train.callbacks import Checkpoint, EarlyStopping, LearningRate
from graphc.train.checkpoint import load, read, save
from graphc.train.fit import fit
from graphc.train.history import History
from graphc.train.metrics import Metric, accuracy, confusion_matrix, mae, mse, r2
from graphc.train.training import Training

__all__ = [
    "Checkpoint", "EarlyStopping", "History", "LearningRate", "Metric", "Training", "accuracy", "confusion_matrix",
    "fit", "load", "mae", "mse", "plots", "r2", "read", "save",
]  # fmt: skip
