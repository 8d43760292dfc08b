"""Holding compiled programs to the interpreter. Shared by the tests of programs."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import op_cases

import graphc as gc
from graphc.graph import Graph, Handle
from graphc.registry import Op, Sample
from graphc.size import dim_evaluate
from graphc.types import as_shape

# Relative to the largest value of the array: rounding of sums, and functions within a few units of the last place.
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


def agree(found: Any, due: Any, what: str = "", slack: float = 1.0) -> None:
    """Same dtype, shape, NaN and infinities; integers and bools equal, floats close."""
    assert found.dtype == due.dtype, what
    assert found.shape == due.shape, what
    if due.dtype.kind != "f":
        np.testing.assert_array_equal(found, due, err_msg=what)
        return
    finite = due[np.isfinite(due)]
    scale = max(1.0, float(np.abs(finite).max(initial=0)))
    tolerance = slack * TOLERANCE[due.dtype.name]
    np.testing.assert_allclose(found, due, rtol=tolerance, atol=tolerance * scale, err_msg=what)


def check(
    outputs: Mapping[str, Handle], values: Mapping[str, Any], slack: float = 1.0, **options: Any
) -> gc.Program:
    """Compile ``outputs``, call with ``values`` and compare with the interpreter."""
    program = gc.compile(outputs, **options)
    hold(program, outputs, values, slack)
    return program


def hold(
    program: gc.Program, outputs: Mapping[str, Handle], values: Mapping[str, Any], slack: float = 1.0
) -> None:
    given = {name: values[name] for name in program.inputs}
    found, due = program(**given), gc.interpret(dict(outputs), **given)
    assert list(found) == list(outputs)
    for name, value in found.items():
        agree(value, due[name], f"{name}: {outputs[name]!r}", slack)


@dataclass
class Bundle:
    """Many applications of ops in one graph, so that they are one program."""

    floating: str = "float64"
    graph: Graph = field(default_factory=lambda: Graph("bundle"))
    outputs: dict[str, Handle] = field(default_factory=dict)
    samples: dict[str, Sample] = field(default_factory=dict)

    def add(self, op: Op) -> None:
        for number, sample in enumerate(op.samples):
            self.apply(op, number, sample)

    def apply(self, op: Op, number: int, sample: Sample) -> None:
        usual = "bool" if getattr(op.scalar, "takes", "") == "bool" else self.floating
        operands: list[Handle] = []
        for k, shape in enumerate(sample.shapes):
            spec = (sample.dtypes[k] if k < len(sample.dtypes) else "") or usual
            name = f"{op.name.replace('.', '_')}_{number}_{k}"
            operands.append(self.graph.input(name, as_shape(shape), spec))
            self.samples[name] = sample
        if not operands:
            return
        params = {
            name: self.floating if value == "float32" else value for name, value in sample.params.items()
        }
        self.outputs[f"{op.name} {number}"] = self.graph.add(op.name, operands, **params)

    def values(self, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for name, sample in self.samples.items():
            kind = self.graph[name].type
            rng = np.random.default_rng([zlib.crc32(name.encode()), *sizes.values()])
            found[name] = op_cases.draw(
                sample, tuple(dim_evaluate(d, sizes) for d in kind.shape), kind.dtype, rng
            )
        return found


def gradients(bundle: Bundle) -> dict[str, Handle]:
    """The gradient of each differentiable output, weighted by position, by each of its floating inputs."""
    found: dict[str, Handle] = {}
    for name, out in bundle.outputs.items():
        leaves = [out.graph.handle(at) for at in dict.fromkeys(out.node.operands)]
        wrt = [leaf for leaf in leaves if leaf.dtype.is_float]
        if not out.dtype.is_float or not wrt:
            continue
        seed = gc.cos(out)  # another cotangent for every element
        for leaf, gradient in gc.vjp(out, gc.stop_gradient(seed), wrt).items():
            found[f"{name} by {leaf.name}"] = gradient
    return found


def batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


__all__ = ["Bundle", "agree", "batches", "check", "gradients", "hold"]
