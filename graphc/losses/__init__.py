"""Losses: scalars to minimise. ``reduction="mean"`` is the mean over the batch, that is over all losses there are:
one an element in ``regression`` and ``binary``, one a sample in ``classes``. ``common`` is what all share."""

from typing import TYPE_CHECKING

from graphc.errors import unknown
from graphc.losses.binary import binary_cross_entropy, binary_cross_entropy_with_logits, hinge
from graphc.losses.classes import kl_divergence, multi_class_hinge, nll, softmax_cross_entropy
from graphc.losses.common import Reduction
from graphc.losses.regression import huber, mae, mse

__all__ = [
    "Reduction", "binary_cross_entropy", "binary_cross_entropy_with_logits", "hinge", "huber", "kl_divergence", "mae",
    "mse", "multi_class_hinge", "nll", "softmax_cross_entropy",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = unknown("gc.losses", __all__)
