"""The demo's data and network: handwritten digits, and a network of two layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

import graphc as gc
from graphc.errors import GraphcError
from graphc.graph import Handle

Array = np.ndarray[Any, Any]
BATCH = 32
RATE = 0.1


@dataclass(frozen=True, slots=True)
class Digits:
    """Images ``(N, 64)`` float32 in [0, 1] and classes ``(N,)`` int32, for training and for testing."""

    images: Array
    classes: Array
    test_images: Array
    test_classes: Array

    def batches(self, rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
        """One pass over the training images in random order; the last batch may be smaller."""
        order = rng.permutation(len(self.images))
        for start in range(0, len(order), BATCH):
            at = order[start : start + BATCH]
            yield self.images[at], self.classes[at]

    def batches_in_pass(self) -> int:
        return -(-len(self.images) // BATCH)


def load(*, seed: int) -> Digits:
    """The 1797 digits that come with scikit-learn, a fifth of them held back for the test.

    Raises ``GraphcError`` when scikit-learn is missing.
    """
    try:
        from sklearn.datasets import load_digits  # pyright: ignore  # it carries no types
    except ImportError:
        raise GraphcError(
            "the demo's images come with scikit-learn, which is not installed; pip install 'graphc[demo]' "
            "(in a clone: pip install '.[demo]')"
        ) from None
    data = cast("Any", load_digits())
    order = np.random.default_rng(seed).permutation(len(data.target))
    images, classes = (data.data[order] / 16).astype(np.float32), data.target[order].astype(np.int32)
    kept = len(order) * 4 // 5
    return Digits(images[:kept], classes[:kept], images[kept:], classes[kept:])


@dataclass(frozen=True, slots=True)
class Network:
    """The demo's nodes: ``loss`` and its gradients for training, ``logits`` for prediction."""

    loss: Handle
    logits: Handle
    grads: dict[Handle, Handle]


def declare(*, seed: int) -> Network:
    """64 pixels, 128 hidden units, 10 classes; softmax cross-entropy, the mean over the batch."""
    graph = gc.Graph("digits", seed=seed)
    images = graph.input("images", ("N", 64))
    classes = graph.input("classes", ("N",), dtype="int32")
    hidden = gc.nn.Dense(128, activation="relu", name="hidden")(images)
    logits = gc.nn.Dense(10, name="out")(hidden)
    loss = gc.losses.softmax_cross_entropy(logits, classes)
    return Network(loss, logits, gc.grad(loss))
