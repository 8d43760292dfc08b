"""The workloads that are measured: families in several sizes."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.bench.families import Adam, Chain, Family, LayerNorm, Neuron, Perceptrons


@dataclass(frozen=True, slots=True)
class Workload:
    """A row of the table.

    tolerance: the relative error at which results of the first steps still agree with those of graphc
    other:     one of the other shapes: odd sizes, small batches, float64
    """

    name: str
    family: Family
    tolerance: float = 1e-4
    other: bool = False


def _perceptrons(name: str, sizes: tuple[int, ...], batch: int, activation: str = "relu") -> Workload:
    return Workload(name, Perceptrons(sizes=sizes, batch=batch, activation=activation))


WORKLOADS = {
    w.name: w
    for w in (
        _perceptrons("MLP 64-128-10, batch 32", (64, 128, 10), 32),
        _perceptrons("MLP 784-512-512-10, batch 128", (784, 512, 512, 10), 128),
        _perceptrons("MLP 256 x5 tanh, batch 256", (256, 256, 256, 256, 256, 10), 256, activation="tanh"),
        _perceptrons("MLP 50 layers of 32, batch 16", (32, *[32] * 49, 10), 16),
        Workload("single neuron", Neuron()),
        Workload("elementwise chain, 4 M", Chain(size=1 << 22)),
        Workload("layer norm 4096 x 512", LayerNorm(rows=4096, columns=512)),
        Workload("Adam, 10 M parameters", Adam(size=10_000_000)),
    )
}
