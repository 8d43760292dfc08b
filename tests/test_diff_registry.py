"""The whole registry: derivatives to second order against differences, forward against reverse, batching."""

from __future__ import annotations

import itertools
from typing import Any

import diff_cases
import numpy as np
import pytest

from graphc import registry
from graphc.diff import jvp, vjp
from graphc.graph import Build, Graph, Handle
from graphc.interpret import Run, start
from graphc.registry import Application

STEP = 1e-5
TOLERANCE = 1e-6


def agree(found: Any, due: Any) -> None:
    """|a - b| <= 1e-6 max(1, |a|, |b|), elementwise."""
    scale = np.maximum(1.0, np.maximum(np.abs(found), np.abs(due)))
    np.testing.assert_array_less(np.abs(np.subtract(found, due)), TOLERANCE * scale)


def begin(graph: Graph, roots: list[int], values: dict[str, Any]) -> Run:
    """A run in which sizes that no input shows have a value too."""
    run = start(graph, roots, values)
    run.sizes = {**diff_cases.SYMBOLS, **run.sizes}
    return run


def differences(run: Run, weighted: list[tuple[int, np.ndarray]], at: int) -> np.ndarray:
    """Central differences of the weighted sum of nodes by every element of leaf ``at``."""
    base = run.values[at]
    result = np.zeros(base.shape)
    for index in np.ndindex(*base.shape):
        sides = []
        for sign in (1, -1):
            moved = base.copy()
            moved[index] += sign * STEP
            values = Run(run.graph, run.mode, run.sizes, {**run.values, at: moved}).evaluate(
                [n for n, _ in weighted]
            )
            sides.append(sum(float(np.sum(values[n] * w)) for n, w in weighted))
        result[index] = (sides[0] - sides[1]) / (2 * STEP)
    return result


def differentiable(case: diff_cases.Case) -> bool:
    op = registry.lookup(case.out.node.op)
    # Hiding the slope that differences see is what stop_gradient is for.
    return case.out.dtype.is_float and bool(case.floats) and op.vjp is not None and op.name != "stop_gradient"


@pytest.mark.parametrize("name", diff_cases.ops())
def test_derivatives_to_second_order(name: str) -> None:
    rng = np.random.default_rng(7)
    for case in diff_cases.cases(name):
        if not differentiable(case):
            continue
        graph, xs, out = case.graph, case.floats, case.out
        seed = graph.input("seed", out.shape, "float64")
        directions = [graph.input(f"v{k}", x.shape, "float64") for k, x in enumerate(xs)]
        first = vjp(out, seed, xs, stabilise=False)
        tangent = jvp(out, dict(zip(xs, directions, strict=True)), stabilise=False)
        second = vjp([first[x] for x in xs], directions, xs, stabilise=False)
        values = dict(case.values)
        for extra in (seed, *directions):
            shape = diff_cases.sizes_of(extra.shape)
            values[extra.name] = rng.uniform(0.5, 1.5, shape)
        roots = [out.id, tangent.id, *(d[x].id for d in (first, second) for x in xs)]
        run = begin(graph, roots, values)
        found = run.evaluate(roots)
        vs = [values[d.name] for d in directions]
        for x in xs:
            assert first[x].type == x.type
            agree(found[first[x].id], differences(run, [(out.id, values["seed"])], x.id))
            gradient = [(first[y].id, v) for y, v in zip(xs, vs, strict=True)]
            agree(found[second[x].id], differences(run, gradient, x.id))
        forward = np.sum(found[tangent.id] * values["seed"])
        reverse = sum(np.sum(found[first[x].id] * v) for x, v in zip(xs, vs, strict=True))
        agree(forward, reverse)


@pytest.mark.parametrize("name", diff_cases.ops())
def test_batching_rule_is_a_loop(name: str) -> None:
    for case in diff_cases.cases(name):
        for flags in itertools.product((True, False), repeat=len(case.inputs)):
            if any(flags):
                check_batch(case, flags)


def check_batch(case: diff_cases.Case, flags: tuple[bool, ...]) -> None:
    graph, rule = case.graph, registry.lookup(case.out.node.op).batch
    assert rule is not None, "every op with operands has a batching rule"
    marks = "".join("b" if f else "." for f in flags)
    operands: list[Handle] = []
    stacked: dict[str, np.ndarray] = {}
    for x, flag in zip(case.inputs, flags, strict=True):
        base = case.values[x.name]
        wide = graph.input(f"{x.name}{marks}", ("B", *x.shape) if flag else x.shape, x.dtype)
        rolled = [np.roll(base, k) if base.ndim else base for k in range(3)]
        stacked[wide.name] = np.stack(rolled) if flag else base
        operands.append(wide)
    result = rule(Build(graph), Application(tuple(operands), case.out, case.out.node.param), flags)
    run = begin(graph, [result.id], {**stacked, **case.values})
    due = [looped(case, stacked, operands, flags, k) for k in range(3)]
    np.testing.assert_allclose(run.evaluate([result.id])[result.id], np.stack(due), rtol=1e-12, atol=1e-12)


def looped(
    case: diff_cases.Case, stacked: Any, operands: list[Handle], flags: tuple[bool, ...], k: int
) -> Any:
    values = {
        x.name: stacked[wide.name][k] if flag else stacked[wide.name]
        for x, wide, flag in zip(case.inputs, operands, flags, strict=True)
    }
    return begin(case.graph, [case.out.id], values).evaluate([case.out.id])[case.out.id]
