"""The programs that benchmarks measure: each declares one training step and gives arrays to call it with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Workload:
    """A training step: ``sizes`` of its layers, rows of a batch, and the activation between the layers."""

    name: str
    sizes: tuple[int, ...]
    batch: int
    activation: str = "relu"

    def declare(self) -> Callable[[], Any]:
        """Declare network, loss and gradients; calling the result compiles the step."""
        import graphc as gc

        graph = gc.Graph(self.name)
        value = graph.input("x", ("N", self.sizes[0]))
        classes = graph.input("t", ("N",), dtype="int32")
        for number, size in enumerate(self.sizes[1:], 1):
            last = number == len(self.sizes) - 1
            value = gc.nn.Dense(size, activation=None if last else self.activation, name=f"layer{number}")(
                value
            )
        loss = gc.losses.softmax_cross_entropy(value, classes)
        updates = gc.optim.SGD(0.01)(gc.grad(loss))
        return lambda: gc.compile({"loss": loss}, updates=updates)

    def inputs(self, batch: int | None = None) -> Mapping[str, Any]:
        """A batch of random rows, the same in every process."""
        import numpy as np

        rows, generator = batch or self.batch, np.random.default_rng(0)
        images = generator.normal(size=(rows, self.sizes[0])).astype(np.float32)
        return {"x": images, "t": generator.integers(0, self.sizes[-1], rows).astype(np.int32)}


WORKLOADS = {
    w.name: w
    for w in (
        Workload("small MLP 64-128-10", (64, 128, 10), 32),
        Workload("medium MLP 784-512-512-10", (784, 512, 512, 10), 128),
        Workload("deep MLP, 50 layers of 32", (32, *([32] * 49), 10), 16),
    )
}
