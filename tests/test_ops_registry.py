"""Every op and every sample: the loops mean what the reference says, and the inferred type is theirs."""

from __future__ import annotations

import numpy as np
import pytest
from loop_oracle import run_loops
from op_cases import NAMES, SIZES, cases_of

from graphc.registry import lookup

LOOPS = [name for name in NAMES if lookup(name).loops]  # the others repeat a body of such ops


@pytest.mark.parametrize("name", LOOPS)
def test_loops_agree_with_the_reference(name: str) -> None:
    for case in cases_of(lookup(name)):
        loops = case.op.loops(case.types, case.kind, case.sample.params)
        found = run_loops(loops, case.arrays, SIZES)
        expected = case.expected()
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13, err_msg=str(case.sample))
        assert found.dtype == expected.dtype == case.kind.dtype.numpy
        assert found.shape == np.shape(expected) == case.concrete.shape
        assert loops[-1].shape == case.kind.shape


@pytest.mark.parametrize("name", NAMES)
def test_samples_label_and_doc_stand(name: str) -> None:
    op = lookup(name)
    assert op.samples
    assert op.doc.endswith(".")
    for sample in op.samples:
        texts = [f"%{k}" for k in range(len(sample.shapes))]
        assert op.label(texts, sample.params)
        assert op.latex is None or op.latex(texts, sample.params)


@pytest.mark.parametrize("name", LOOPS)
def test_float32_stays_float32(name: str) -> None:
    for case in cases_of(lookup(name), "float32"):
        expected = case.expected()
        assert expected.dtype == case.kind.dtype.numpy, case.sample
        loops = case.op.loops(case.types, case.kind, case.sample.params)
        assert run_loops(loops, case.arrays, SIZES).dtype == expected.dtype
