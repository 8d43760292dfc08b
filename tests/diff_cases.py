"""Every op of the registry on its own samples, as small graphs over float64 inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc.ops  # noqa: F401 - registers the ops
from graphc import registry
from graphc.graph import Graph, Handle
from graphc.registry import Op, Sample
from graphc.size import dim_evaluate, dim_symbols
from graphc.types import DType, as_shape

SYMBOLS = {"N": 2, "M": 3, "K": 2}


@dataclass(frozen=True, slots=True)
class Case:
    """One op applied to inputs ``x0, x1 ...`` in a graph of its own, with values for them."""

    out: Handle
    inputs: tuple[Handle, ...]
    values: dict[str, np.ndarray[Any, Any]]

    @property
    def graph(self) -> Graph:
        return self.out.graph

    @property
    def floats(self) -> list[Handle]:
        return [x for x in self.inputs if x.dtype is DType.F64]


def ops() -> list[str]:
    """The names of all declared ops, without derivatives made on demand."""
    return [op.name for op in registry.ops() if ".d" not in op.name and op.samples]


def cases(name: str) -> Iterator[Case]:
    op = registry.lookup(name)
    for number, sample in enumerate(op.samples):
        yield case(op, sample, np.random.default_rng(number))


def case(op: Op, sample: Sample, rng: np.random.Generator) -> Case:
    graph = Graph(op.name)
    inputs, values = [], {}
    usual = "bool" if op.scalar is not None and op.scalar.takes == "bool" else "float64"
    for k, shape in enumerate(sample.shapes):
        spec = (sample.dtypes[k] if k < len(sample.dtypes) else "") or usual
        x = graph.input(f"x{k}", as_shape(shape), spec)
        inputs.append(x)
        values[x.name] = draw(rng, sample, sizes_of(x.shape), x.dtype)
    params = {name: "float64" if value == "float32" else value for name, value in sample.params.items()}
    return Case(graph.add(op.name, inputs, **params), tuple(inputs), values)


def sizes_of(shape: Any) -> tuple[int, ...]:
    return tuple(dim_evaluate(d, {name: SYMBOLS.get(name, 3) for name in dim_symbols(d)}) for d in shape)


def draw(
    rng: np.random.Generator, sample: Sample, shape: tuple[int, ...], dtype: DType
) -> np.ndarray[Any, Any]:
    if dtype is DType.BOOL:
        return rng.random(shape) < 0.5
    if dtype.is_int:
        return rng.integers(0, max(1, sample.integer_below), shape).astype(dtype.numpy)
    return rng.uniform(sample.low, sample.high, shape)
