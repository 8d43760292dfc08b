"""Running sums, sort, argsort and top_k: programs against NumPy, at the ends of the number ranges, and derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.runtime import threads

SHAPES = [(5, 7), (1, 3), (1, 9), (64, 33), (0, 3), (3, 300), (40, 1000)]


@pytest.fixture(scope="module")
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# ------------------------------------------------------------------------------------------ running sums

CASES = [(a, r, e) for a in (0, 1, None) for r in (False, True) for e in (False, True)]


@pytest.fixture(scope="module")
def sums() -> gc.Program:
    g = gc.Graph("sums")
    x = g.input("x", ("N", "M"))
    outputs = {f"{a} {r} {e}": gc.cumsum(x, a, reverse=r, exclusive=e) for a, r, e in CASES}
    outputs["fused"] = gc.cumsum(gc.exp(x), 1) * 2 + x
    outputs["both"] = gc.sum(gc.cumsum(gc.cumsum(x, 0), 1), axis=1)
    outputs["count"] = gc.cumsum(x > 0, 1)
    return gc.compile(outputs, verify=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_running_sums_are_numpys_to_the_bit(sums: gc.Program, rng: np.random.Generator, shape) -> None:
    x = rng.normal(size=shape).astype(np.float32)
    found = sums(x=x)
    for axis, reverse, exclusive in CASES:
        given = x.ravel() if axis is None else x
        along = axis or 0
        given = np.flip(given, along) if reverse else given
        expected = np.cumsum(given, along, dtype=np.float32)
        if exclusive:
            expected = np.roll(expected, 1, along)
            expected[(*[slice(None)] * along, slice(0, 1))] = 0
        expected = np.flip(expected, along) if reverse else expected
        np.testing.assert_array_equal(found[f"{axis} {reverse} {exclusive}"], expected)
    np.testing.assert_allclose(found["fused"], np.cumsum(np.exp(x), 1) * 2 + x, rtol=1e-4)
    np.testing.assert_allclose(found["both"], x.cumsum(0).cumsum(1).sum(1), rtol=1e-3, atol=1e-2)
    np.testing.assert_array_equal(found["count"], np.cumsum(x > 0, 1))


def test_running_sums_keep_what_is_not_finite_and_the_sign_of_zero(sums: gc.Program) -> None:
    x = np.array([[-0.0, -0.0, 1, np.inf, 2, -np.inf, 3], [np.nan, 1, 2, 3, 4, 5, 6]], np.float32)
    found = sums(x=x)["1 False False"]
    with np.errstate(invalid="ignore"):
        expected = np.cumsum(x, 1)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found[0, :2]), [True, True])


def test_a_running_sum_that_a_loop_and_a_state_keep() -> None:
    g = gc.Graph("kept")
    s = g.state("s", (4, 3), init=np.ones((4, 3), np.float32))
    x = g.input("x", ("T", 3))
    last, _ = gc.scan(lambda h, x: (gc.cumsum(h + x, 0), None), gc.zeros_like(x[0]), x)
    program = gc.compile({"last": last}, updates={s: gc.cumsum(s, 0)})
    out = program(x=[[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(out["last"], np.cumsum([5, 8, 12]))
    np.testing.assert_array_equal(program.states["s"], np.cumsum(np.ones((4, 3)), 0))


def test_running_sums_between_windows() -> None:
    g = gc.Graph("images", seed=0)
    x, w = g.input("x", ("N", 3, 8, 8)), g.param("w", (4, 3, 3, 3))
    y = gc.max_pool2d(gc.cumsum(gc.relu(gc.conv2d(x, w)), 2), 2)
    loss = gc.sum(y * y)
    outputs = {"y": y, "dw": gc.grad(loss, w), "order": gc.argsort(gc.conv2d(x, w), 3)}
    given = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)
    found, expected = gc.compile(outputs, verify=True)(x=given), gc.interpret(outputs, x=given)
    for name in outputs:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-3, atol=1e-3)


# ----------------------------------------------------------------------------------------------- sorting


@pytest.fixture(scope="module")
def orders() -> gc.Program:
    g = gc.Graph("orders")
    x = g.input("x", ("N", "M"))
    kinds = {
        "float32": x,
        "float64": gc.cast(x, "float64"),
        "int32": gc.cast(gc.floor(x * 4), "int32"),
        "int64": gc.cast(gc.floor(x * 4), "int64"),
        "bool": x > 0,
    }
    outputs = {
        f"{name} {axis} {down}": gc.argsort(value, axis, descending=down)
        for name, value in kinds.items()
        for axis in (0, 1)
        for down in (False, True)
    }
    outputs |= kinds
    outputs |= {"sorted": gc.sort(x), "flat": gc.sort(x, None, descending=True)}
    outputs["values"], outputs["indices"] = gc.top_k(x, 3)
    outputs["least"], _ = gc.top_k(gc.exp(x), 2, largest=False)
    return gc.compile(outputs, verify=True)


@pytest.mark.parametrize("shape", [s for s in SHAPES if s != (0, 3)] + [(0, 3)])
def test_orders_are_stable_and_numpys(orders: gc.Program, rng: np.random.Generator, shape) -> None:
    x = rng.normal(size=shape).astype(np.float32).round(1)
    x.flat[:4] = [np.nan, -0.0, 0.0, np.inf][: x.size]
    x.flat[5:8] = [-np.inf, np.nan, 0.0][: max(0, x.size - 5)]
    found = orders(x=x)
    for name in ("float32", "float64", "int32", "int64", "bool"):
        for axis in (0, 1):
            ascending = np.argsort(found[name], axis, kind="stable")
            np.testing.assert_array_equal(found[f"{name} {axis} False"], ascending, err_msg=name)
            turned = np.argsort(np.flip(found[name], axis), axis, kind="stable")
            descending = shape[axis] - 1 - np.flip(turned, axis)
            np.testing.assert_array_equal(found[f"{name} {axis} True"], descending, err_msg=name)
    np.testing.assert_array_equal(found["sorted"], np.sort(x, 1))
    np.testing.assert_array_equal(found["flat"], np.sort(x, None)[::-1])
    np.testing.assert_array_equal(found["values"], np.sort(x, 1)[:, ::-1][:, :3])
    np.testing.assert_array_equal(np.take_along_axis(x, found["indices"], 1), found["values"])
    np.testing.assert_allclose(found["least"], np.sort(np.exp(x), 1)[:, :2], rtol=1e-6)


def test_any_number_of_threads_gives_the_same_order(orders: gc.Program, rng: np.random.Generator) -> None:
    x, seen = rng.normal(size=(60, 700)).astype(np.float32).round(1), []
    for count in (1, 2):
        with threads.limit(count):
            seen.append({name: value.tobytes() for name, value in orders(x=x).items()})
    assert seen[0] == seen[1]


def test_extreme_integers_are_in_order() -> None:
    g = gc.Graph("ends")
    outputs = {}
    for dtype in ("int32", "int64"):
        outputs[dtype] = gc.sort(g.input(f"x_{dtype}", ("N",), dtype))
    program = gc.compile(outputs)
    for count in (6, 600):
        given = {}
        for dtype in ("int32", "int64"):
            ends = np.iinfo(dtype)
            given[f"x_{dtype}"] = np.tile(
                np.array([0, ends.max, -1, ends.min, 1, ends.max - 1], dtype), count // 6
            )
        found = program(**given)
        for dtype in outputs:
            np.testing.assert_array_equal(found[dtype], np.sort(given[f"x_{dtype}"]))


def test_gradients_go_back_to_where_elements_came_from() -> None:
    g = gc.Graph("back")
    x = g.input("x", (4, 6), "float64")
    weights = g.const(np.arange(24.0).reshape(4, 6))
    given = np.random.default_rng(3).permutation(24).reshape(4, 6) / 7.0
    assert gc.check_gradients(gc.sum(gc.sort(x, 0) ** 2 * weights), x=given).ok
    assert gc.check_gradients(gc.sum(gc.top_k(x, 2)[0] ** 3), x=given).ok
    assert gc.check_gradients(
        gc.sum(gc.cumsum(x, 1, reverse=True, exclusive=True) ** 2 * weights), x=given
    ).ok
    jacobian = gc.interpret(gc.jacobian(gc.sort(x[0]), x), x=given)
    np.testing.assert_array_equal(jacobian[:, 0, :].argmax(1), np.argsort(given[0]))
