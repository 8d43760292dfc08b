"""The samples of every op as concrete cases: operands drawn, symbols bound. Shared by the tests of the
registry."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

import graphc.ops  # noqa: F401 - registers the ops
from graphc.graph.body import bind_parameter
from graphc.registry import Op, Sample, lookup, ops
from graphc.size import dim_evaluate
from graphc.types import Checks, DType, Type, as_shape

SIZES = {"N": 4, "M": 3}


@dataclass(frozen=True)
class Case:
    op: Op
    sample: Sample
    types: tuple[Type, ...]  # as declared, symbols included
    arrays: tuple[np.ndarray, ...]

    @property
    def kind(self) -> Type:
        return self.op.infer(Checks(), self.types, self.sample.params)

    @property
    def concrete(self) -> Type:
        kind = self.kind
        return Type(kind.dtype, tuple(dim_evaluate(d, SIZES) for d in kind.shape))

    def expected(self) -> np.ndarray:
        bound = {k: bind(v) for k, v in self.sample.params.items()}
        with np.errstate(all="ignore"):
            return self.op.reference(self.arrays, bound, self.concrete)


def bind(value: Any) -> Any:
    return bind_parameter(value, SIZES)


def draw(sample: Sample, shape: tuple[int, ...], dtype: DType, rng: np.random.Generator) -> np.ndarray:
    if dtype is DType.BOOL:
        return rng.random(shape) < 0.5
    if dtype.is_int:
        return rng.integers(0, max(sample.integer_below, 1) if sample.integer_below else 5, shape).astype(
            dtype.numpy
        )
    values = rng.uniform(sample.low, sample.high, shape)
    return np.asarray(values, dtype.numpy)


def cases_of(op: Op, floating: str = "float64") -> list[Case]:
    found: list[Case] = []
    for number, sample in enumerate(op.samples):
        rng = np.random.default_rng([zlib.crc32(op.name.encode()), number])
        default = "bool" if getattr(op.scalar, "takes", "") == "bool" else floating
        names = [*sample.dtypes, *[""] * len(sample.shapes)][: len(sample.shapes)]
        types = tuple(
            Type(DType.of(n or default), as_shape(s)) for n, s in zip(names, sample.shapes, strict=True)
        )
        shapes = [tuple(dim_evaluate(d, SIZES) for d in t.shape) for t in types]
        arrays = tuple(draw(sample, s, t.dtype, rng) for s, t in zip(shapes, types, strict=True))
        found.append(Case(op, sample, types, arrays))
    return found


ALL = ops()
NAMES = [op.name for op in ALL]
__all__ = ["ALL", "NAMES", "SIZES", "Case", "bind", "cases_of", "draw", "lookup"]
