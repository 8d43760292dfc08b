"""The memory plan: no two temporaries alive together overlap, in plans drawn at random and in bound programs."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_dags import Case, dags, loss_of

import graphc as gc
from graphc.bench.workloads import WORKLOADS, Workload
from graphc.codegen.binding import Tables
from graphc.codegen.frame import Buffer
from graphc.codegen.module import emit
from graphc.lower.fuse import fuse
from graphc.lower.memory import ALIGNMENT, Lifetime, MemoryPlan, lower_bound, plan_memory
from graphc.lower.nests import expand
from graphc.lower.schedule import schedule
from graphc.passes import pipeline, run
from graphc.program.compile import declare


@st.composite
def lifetimes(draw: st.DrawFn) -> list[Lifetime]:
    spans = draw(
        st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 30), st.integers(0, 12)), max_size=40)
    )
    return [Lifetime(k, size, first, first + length) for k, (size, first, length) in enumerate(spans)]


def check(plan: MemoryPlan, lives: list[Lifetime]) -> None:
    assert plan.offsets.keys() == {life.number for life in lives}
    for a, b in itertools.combinations(lives, 2):
        if a.first <= b.last and b.first <= a.last:
            start_a, start_b = plan.offsets[a.number], plan.offsets[b.number]
            assert start_a + a.size <= start_b or start_b + b.size <= start_a, (a, b)
    for life in lives:
        assert plan.offsets[life.number] % ALIGNMENT == 0
        assert 0 <= plan.offsets[life.number] <= plan.peak - life.size
    assert plan.bound <= plan.peak


@given(lifetimes())
def test_temporaries_alive_together_never_overlap(lives: list[Lifetime]) -> None:
    check(plan_memory(lives), lives)


@given(lifetimes())
def test_the_lower_bound_is_the_most_that_is_alive_at_one_step(lives: list[Lifetime]) -> None:
    padded = [-(-life.size // ALIGNMENT) * ALIGNMENT for life in lives]
    steps = range(44)
    alive = [
        sum(p for p, life in zip(padded, lives, strict=True) if life.first <= s <= life.last) for s in steps
    ]
    assert lower_bound(lives) == max(alive)


def test_a_chain_needs_two_buffers() -> None:
    chain = [Lifetime(k, 640, k, k + 1) for k in range(20)]
    plan = plan_memory(chain)
    assert plan.peak == plan.bound == 1280
    assert str(plan) == "arena of 1280 bytes for 20 temporaries; lower bound 1280 bytes"


def test_nothing_needs_nothing() -> None:
    assert plan_memory([]) == MemoryPlan({}, 0, 0)


@given(dags(dtype="float64"))
def test_lifetimes_of_programs_cover_every_use(case: Case) -> None:
    """What the schedule says of lifetimes holds for what its kernels read and write; the plan follows it."""
    outputs = {**case.outputs, "loss": loss_of(case)}
    cone = run(declare(outputs, None, "eval"), pipeline("eval")).cone
    planned = schedule(*fuse(expand(cone)))
    module = emit(planned, "planned")  # nothing is compiled: addresses of kernels do not matter here
    tables = Tables(module, planned.storages, {kernel.name: 0 for kernel in module.kernels})
    temporaries = {s.number: s for s in planned.storages if s.kind == "temporary"}
    written: set[int] = set()
    for number, step in enumerate(module.steps):
        used = {a.storage for a in step.arguments if isinstance(a, Buffer)} & temporaries.keys()
        for storage in (temporaries[k] for k in used):
            assert storage.first <= number <= storage.last
            assert storage.number in written or number == storage.first
        written |= used
    env = {
        str(d): n
        for x in case.differentiable
        for d, n in zip(x.shape, case.inputs[x.name].shape, strict=True)
    }
    lives = tables.lifetimes(tables.cut(dict(env))[0])
    check(plan_memory(lives), lives)


def test_layers_in_a_row_share_memory() -> None:
    """Fifty layers need the memory of a few: the peak is what the lower bound says."""
    g = gc.Graph("deep")
    x = h = g.input("x", ("N", 64))
    for k in range(50):
        h = gc.nn.Dense(64, activation="tanh", name=f"layer{k}")(h)
    program = gc.compile({"y": h})
    plan = program.plan.at(N=256)
    assert plan.peak == plan.bound <= 3 * 256 * 64 * 4
    array = np.random.default_rng(0).uniform(-1, 1, (256, 64)).astype("float32")
    np.testing.assert_allclose(program(x=array)["y"], gc.interpret(h, x=array), rtol=2e-4, atol=2e-4)
    assert x.name in program.inputs


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=lambda w: w.name)
def test_plans_of_benchmarks_are_near_the_lower_bound(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most a tenth above what is alive at one step, which no plan can beat."""

    def lowered(outputs: Any = None, *, updates: Any = None, **_: Any) -> Tables:
        cone = run(declare(outputs or {}, updates, "train"), pipeline("train")).cone
        planned = schedule(*fuse(expand(cone)))
        module = emit(planned, "planned")
        return Tables(module, planned.storages, {kernel.name: 0 for kernel in module.kernels})

    monkeypatch.setattr(gc, "compile", lowered)
    params, inputs = workload.family.arrays()
    tables: Any = workload.family.declare(params, inputs)()
    sizes = asdict(workload.family)
    plan = tables.bind({"N": next((sizes[k] for k in ("batch", "rows", "size") if k in sizes), 1)}).plan
    assert plan.peak <= 1.1 * plan.bound
