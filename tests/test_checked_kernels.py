"""Every kernel that graphc emits, run in Python with all accesses checked: see ``checked_kernels``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import test_attention
import test_program_registry
import test_windows
from checked_kernels import Checked, Here, KernelError, Memory, Pointer, many_tiles
from hypothesis import given, settings
from program_cases import agree, gradients
from random_dags import Case, dags, loss_of

import graphc as gc
from graphc.graph import Graph

# Programs are those of the tests of the registry and of windows: compiled once, then from the cache.


def hold(program: gc.Program, values: dict[str, Any], slack: float = 50.0) -> None:
    """No kernel faults, cut in one tile or in many, and what comes out is what compiled code gives."""
    values = {name: values[name] for name in program.inputs}
    kept = {name: array.copy() for name, array in {**program.params, **program.states}.items()}
    checked = Checked(program)
    found = checked(**values)
    with many_tiles():
        finely = checked(**values)
    due = program(**values)
    for name, value in due.items():
        for each in (found, finely):
            agree(each[name], value, name, slack)
    for name, array in kept.items():
        (program.params if name in program.params else program.states)[name] = array


@pytest.mark.parametrize("names", test_program_registry.BATCHES, ids=lambda names: f"{names[0]}-{names[-1]}")
def test_ops_and_their_gradients(names: list[str]) -> None:
    bundle = test_program_registry.bundle_of(names, "float64")
    for outputs in (bundle.outputs, gradients(bundle)):
        if outputs:
            hold(gc.compile(outputs), bundle.values({"N": 4}), slack=1e4)


@pytest.mark.parametrize("family", ["plain", "strided", "grouped", "ranks", "symbolic"])
def test_convolutions_and_their_gradients(family: str) -> None:
    made = test_windows.convolved(test_windows.cases(family, "float64"), "float64")
    hold(gc.compile(made.outputs), made.values(N=2, H=5, W=4, L=6), slack=1e4)


@pytest.mark.parametrize("name", ["causal", "added"])
def test_attention_and_its_gradients(name: str) -> None:
    outputs, data = test_attention.declared(name, "float64")
    hold(gc.compile(outputs), data, slack=1e4)


@pytest.mark.parametrize("reverse", [False, True])
def test_loops_and_their_gradients(reverse: bool) -> None:
    g = Graph()
    x, w = g.input("x", ("T", "N", 3), "float64"), g.param("w", (2, 3, 3), "float64", init=gc.init.Normal())

    def cell(carry: Any, x: Any) -> Any:
        h, c = carry
        h = gc.tanh(x @ w[0] + h @ w[1])
        inner, _ = gc.scan(lambda s, row: (s + gc.sin(row), None), gc.zeros_like(x[0]), h)
        return (h, c + inner), gc.softmax(h + c)

    last, ys = gc.scan(cell, (gc.zeros_like(x[0]), gc.zeros_like(x[0, 0])), x, reverse=reverse)
    loss = gc.mean(gc.square(ys)) + gc.sum(gc.sin(last[1]))
    program = gc.compile({"loss": loss, "ys": ys, "dx": gc.grad(loss, x)}, updates={w: w - gc.grad(loss, w)})
    for steps, rows in ((3, 2), (1, 5), (0, 2)):
        hold(program, {"x": np.random.default_rng(0).normal(size=(steps, rows, 3))}, slack=1e4)


def test_a_training_step() -> None:
    g = Graph("net", seed=0)
    x, t = g.input("x", ("N", 2, 8, 8)), g.input("t", ("N",), "int32")
    features = gc.max_pool2d(gc.relu(gc.conv2d(x, g.param("w", (4, 2, 3, 3)))), 2)
    logits = gc.nn.Dense(5)(gc.reshape(features, (x.shape[0], 36)))
    loss = gc.losses.softmax_cross_entropy(logits, t)
    program = gc.compile({"loss": loss, "p": gc.softmax(logits)}, updates=gc.optim.Adam(0.1)(gc.grad(loss)))
    rng = np.random.default_rng(0)
    for rows in (1, 7):
        images = rng.normal(size=(rows, 2, 8, 8)).astype("float32")
        hold(program, {"x": images, "t": np.arange(rows, dtype="int32") % 5})


@settings(max_examples=max(10, settings().max_examples // 4))
@given(dags(dtype="float64"))
def test_random_graphs(case: Case) -> None:
    loss = loss_of(case)
    gradients = gc.grad(loss, list(case.differentiable)) if case.differentiable else {}
    outputs = {**case.outputs, "loss": loss, **{f"by {x.name}": g for x, g in gradients.items()}}
    hold(gc.compile(outputs), case.inputs, slack=1e6)


# ------------------------------------------------------------------------------------- what the checks find


def altered(before: str, after: str) -> Checked:
    """A program with a product and what follows it, with one change in its text."""
    g = Graph("net")
    x, w = g.input("x", ("N", 4)), g.param("w", (4, 3))
    program = gc.compile({"y": gc.exp(x @ w)})
    assert program.source.count(before) == 1, program.source
    return Checked(program, program.source.replace(before, after))


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("for i in range(lo * 3, hi * 3):", "for i in range(lo * 3, hi * 3 + 1):", "which nobody wrote"),
        ("for i in range(lo * 3, hi * 3):", "for i in range(lo * 3 - 1, hi * 3):", "element -1 of block"),
        ("b0[i - lo * 3]", "b0[i]", "which nobody wrote"),
        ("y0[i] = ", "y0[i - lo * 3] = ", "another tile reaches"),
        ("address(x0, lo * 4), 4, 1", "address(x0, lo * 4 + 1), 4, 1", "of input"),
        ("gemm_f32(hi - lo, 3, 4,", "gemm_f32(hi - lo, 2, 4,", "which nobody wrote"),
        ("gemm_f32(hi - lo, 3, 4,", "gemm_f32(hi - lo, 3, 5,", "which has"),
    ],
)
def test_a_kernel_that_leaves_its_bounds_or_tile_is_caught(before: str, after: str, fault: str) -> None:
    checked = altered(before, after)
    with pytest.raises(KernelError, match=fault), many_tiles():
        checked(x=np.ones((40, 4), np.float32))


def test_an_element_reached_through_two_arguments_is_caught() -> None:
    here = Here("kernel")
    memory = Memory("output 3", np.zeros(4), np.ones(4, bool))
    first, second = Pointer(here, memory, 0), Pointer(here, memory, 1, start=2)
    first[1] = 5.0
    second[0] = 1.0
    with pytest.raises(
        KernelError, match="kernel reads element 2 of output 3, which another argument reaches"
    ):
        first[2]
