"""The same training step written by hand in NumPy, to measure against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class PlainStep:
    """Forward, backward and update of a two-layer network: relu, softmax cross-entropy, gradient descent.

    ``params`` are copied. Called with images ``(N, 64)`` and classes ``(N,)`` it updates its parameters and
    returns the loss before the update, like the compiled step.
    """

    def __init__(self, params: Mapping[str, Array], rate: float) -> None:
        self.params = {name: value.copy() for name, value in params.items()}
        self.rate = np.float32(rate)

    def __call__(self, images: Array, classes: Array) -> float:
        p, rows = self.params, np.arange(len(images))
        hidden = np.maximum(images @ p["hidden.weight"] + p["hidden.bias"], 0)
        logits = hidden @ p["out.weight"] + p["out.bias"]
        logits -= logits.max(axis=1, keepdims=True)
        scaled = np.exp(logits)
        total = scaled.sum(axis=1, keepdims=True)
        losses: Array = np.log(total[:, 0]) - logits[rows, classes]
        delta = scaled / total
        delta[rows, classes] -= 1
        delta /= np.float32(len(images))
        below = (delta @ p["out.weight"].T) * (hidden > 0)
        p["out.weight"] -= self.rate * (hidden.T @ delta)
        p["out.bias"] -= self.rate * delta.sum(axis=0)
        p["hidden.weight"] -= self.rate * (images.T @ below)
        p["hidden.bias"] -= self.rate * below.sum(axis=0)
        return float(losses.mean())


def interleaved(*steps: Callable[[], Any], rounds: int = 40, calls: int = 25) -> list[float]:
    """Median seconds of one call of each of ``steps``, which take turns of ``calls`` calls."""
    times: list[list[float]] = [[] for _ in steps]
    for _ in range(rounds):
        for step, found in zip(steps, times, strict=True):
            found.append(_turn(step, calls))
    return [median(found) for found in times]


def _turn(step: Callable[[], Any], calls: int) -> float:
    step()  # what the other steps left in the caches is not this step's doing
    began = perf_counter()
    for _ in range(calls):
        step()
    return (perf_counter() - began) / calls
