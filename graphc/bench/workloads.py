"""The workloads that are measured: families in several sizes."""

from __future__ import annotations

from dataclasses import dataclass

from graphc.bench.families import (
    Adam,
    Attention,
    Chain,
    LayerNorm,
    LeNet,
    Neuron,
    Perceptrons,
    Recurrent,
    Residual,
)
from graphc.bench.family import Family

#: Relative error of float64, where sums differ in their order alone.
_DOUBLE = 1e-10


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


def _perceptrons(
    name: str,
    sizes: tuple[int, ...],
    batch: int,
    *,
    activation: str = "relu",
    dtype: str = "float32",
    other: bool = False,
) -> Workload:
    family = Perceptrons(sizes=sizes, batch=batch, activation=activation, dtype=dtype)
    return Workload(name, family, _DOUBLE if dtype == "float64" else 1e-4, other)


_TABLE = (
    _perceptrons("MLP 64-128-10, batch 32", (64, 128, 10), 32),
    _perceptrons("MLP 784-512-512-10, batch 128", (784, 512, 512, 10), 128),
    _perceptrons("MLP 256 x5 tanh, batch 256", (256, 256, 256, 256, 256, 10), 256, activation="tanh"),
    _perceptrons("MLP 50 layers of 32, batch 16", (32, *[32] * 49, 10), 16),
    Workload("single neuron", Neuron()),
    Workload("elementwise chain, 4 M", Chain(size=1 << 22)),
    Workload("layer norm 4096 x 512", LayerNorm(rows=4096, columns=512)),
    Workload("Adam, 10 M parameters", Adam(size=10_000_000)),
    Workload("LeNet, batch 64", LeNet(batch=64)),
    Workload("residual 3 x 32 x 16 x 16, batch 32", Residual(blocks=3, channels=32, side=16, batch=32)),
    Workload("LSTM T=32, 128, batch 32", Recurrent(cell="lstm", length=32, width=128, hidden=128, batch=32)),
    Workload("GRU T=32, 128, batch 32", Recurrent(cell="gru", length=32, width=128, hidden=128, batch=32)),
    Workload("attention 8 x 64 x 128, 4 heads", Attention(batch=8, length=64, width=128, heads=4)),
)
_OTHER = (
    _perceptrons("MLP 64-128-10, batch 1", (64, 128, 10), 1, other=True),
    _perceptrons("MLP 784-512-512-10, batch 7", (784, 512, 512, 10), 7, other=True),
    _perceptrons("MLP 61-127-53-11, batch 31", (61, 127, 53, 11), 31, other=True),
    _perceptrons("MLP 784-512-512-10 float64", (784, 512, 512, 10), 128, dtype="float64", other=True),
    _perceptrons(
        "MLP 256 x5 tanh float64", (256,) * 5 + (10,), 256, activation="tanh", dtype="float64", other=True
    ),
    Workload("elementwise chain, 99991", Chain(size=99_991), other=True),
    Workload("elementwise chain, 1 M float64", Chain(size=1 << 20, dtype="float64"), _DOUBLE, other=True),
    Workload("layer norm 1000 x 331", LayerNorm(rows=1000, columns=331), other=True),
    Workload("Adam, 10007 parameters", Adam(size=10_007), other=True),
    Workload("LeNet, batch 7", LeNet(batch=7), other=True),
    Workload(
        "residual 2 x 17 x 11 x 11, batch 5", Residual(blocks=2, channels=17, side=11, batch=5), other=True
    ),
    Workload(
        "LSTM T=13, 37 to 61, batch 7",
        Recurrent(cell="lstm", length=13, width=37, hidden=61, batch=7),
        other=True,
    ),
    Workload("attention 3 x 37 x 60, 3 heads", Attention(batch=3, length=37, width=60, heads=3), other=True),
)
WORKLOADS = {workload.name: workload for workload in (*_TABLE, *_OTHER)}
