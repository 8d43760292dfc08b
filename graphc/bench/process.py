"""One measurement, for a process of its own: seconds of every part of the way to the first step, and of a step."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any

from graphc.bench.workloads import WORKLOADS

# What a fresh interpreter runs: the import of graphc is measured before anything of graphc is there.
SCRIPT = """
import sys, time
start = time.perf_counter()
import graphc
seconds = time.perf_counter() - start
import json
from graphc.bench.process import measure
print(json.dumps({"import": seconds, **measure(sys.argv[1])}))
"""


def measure(name: str) -> dict[str, Any]:
    """Measure workload ``name`` here and now; only a process that has done nothing else gives starting times."""
    family = WORKLOADS[name].family
    params, inputs = family.arrays()
    drawn = perf_counter()
    compile_step = family.declare(params, inputs)
    declared = perf_counter()
    step = compile_step()
    compiled = perf_counter()
    step(**inputs)
    called = perf_counter()
    times = step_times(step, inputs)
    return {
        "declare": declared - drawn, "compile": compiled - declared, "first call": called - compiled,
        "after import": called - drawn, "functions compiled": step.compiled, "step": median(times),
        "fastest step": min(times), "compiled by a new batch size": compiled_by_new_batch(family, step),
    }  # fmt: skip


def step_times(step: Any, inputs: Any, seconds: float = 0.5) -> list[float]:
    """Seconds of single calls, as many as fit into ``seconds``."""
    times: list[float] = []
    end = perf_counter() + seconds
    while perf_counter() < end:
        began = perf_counter()
        step(**inputs)
        times.append(perf_counter() - began)
    return times


def compiled_by_new_batch(family: Any, step: Any) -> int:
    """Functions compiled when the step meets a batch size for the first time."""
    from graphc.runtime import jit

    before = jit.counters()
    step(**replace(family, batch=family.batch + 5).arrays()[1])
    return jit.counters() - before
