"""Every op on its own samples, compiled: values and gradients are the interpreter's, for every layout of the inputs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import op_cases
import pytest
from program_cases import Bundle, batches, gradients, hold

import graphc as gc
from graphc.registry import lookup

OPS = [op for op in op_cases.ALL if any(sample.shapes for sample in op.samples)]
BATCHES = list(batches([op.name for op in OPS], 8))
# What has nothing to say about no rows, or draws its indices below sizes of its own.
FIXED = {"argmax", "argmin", "max", "min", "scatter_add", "take", "put_along", "slice"}


def bundle_of(names: list[str], floating: str) -> Bundle:
    bundle = Bundle(floating)
    for name in names:
        bundle.add(lookup(name))
    return bundle


def strided(array: np.ndarray) -> np.ndarray:
    """The same values, every second element of a larger array."""
    wide = np.zeros(tuple(2 * d for d in array.shape), array.dtype)
    view = wide[(*(slice(None, None, 2) for _ in array.shape), ...)]
    view[...] = array
    return view


def reversed_(array: np.ndarray) -> np.ndarray:
    """The same values in memory from last to first."""
    backwards = (*(slice(None, None, -1) for _ in array.shape), ...)
    return array[backwards].copy()[backwards]


def fortran(array: np.ndarray) -> np.ndarray:
    return np.array(array, order="F")


def unaligned(array: np.ndarray) -> np.ndarray:
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


LAYOUTS: list[Callable[[np.ndarray], np.ndarray]] = [fortran, strided, reversed_, unaligned]


@pytest.mark.parametrize("floating", ["float64", "float32"])
@pytest.mark.parametrize("names", BATCHES, ids=lambda names: f"{names[0]}-{names[-1]}")
def test_compiled_ops_agree_with_the_interpreter(names: list[str], floating: str) -> None:
    bundle = bundle_of(names, floating)
    program = gc.compile(bundle.outputs)
    values = bundle.values({"N": 4})
    hold(program, bundle.outputs, values)
    first = program(**values)
    for layout in LAYOUTS:
        others = {name: layout(value) for name, value in values.items()}
        for array in others.values():
            array.flags.writeable = False
        for name, found in program(**others).items():
            np.testing.assert_array_equal(found, first[name], err_msg=f"{layout.__name__} {name}")
    free = {name: out for name, out in bundle.outputs.items() if name.split()[0] not in FIXED}
    if len(free) == len(bundle.outputs):
        for rows in (0, 1, 7):
            hold(program, bundle.outputs, bundle.values({"N": rows}))


@pytest.mark.parametrize("floating", ["float64", "float32"])
@pytest.mark.parametrize("names", BATCHES, ids=lambda names: f"{names[0]}-{names[-1]}")
def test_compiled_gradients_agree_with_the_interpreter(names: list[str], floating: str) -> None:
    bundle = bundle_of(names, floating)
    outputs = gradients(bundle)
    if outputs:
        hold(gc.compile(outputs), outputs, bundle.values({"N": 4}), slack=10)
