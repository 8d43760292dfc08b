"""Calls bound to arrays: the same results as by name, on memory that stays."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc
from graphc.errors import InputError


def step() -> gc.Program:
    g = gc.Graph("net", seed=0)
    x, t = g.input("x", ("N", 4)), g.input("t", ("N",), dtype="int32")
    logits = gc.nn.Dense(3, name="out")(x)
    loss = gc.losses.softmax_cross_entropy(logits, t)
    return gc.compile({"loss": loss, "logits": logits}, updates=gc.optim.SGD(0.1)(gc.grad(loss)))


def batch(seed: int, rows: int = 5) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.normal(size=(rows, 4)).astype(np.float32), draw.integers(0, 3, rows).astype(np.int32)


@pytest.mark.parametrize("rows", [1, 5, 3000])
def test_bound_calls_do_what_calls_by_name_do(rows: int) -> None:
    named, other = step(), step()
    x, t = batch(0, rows)
    bound = other.bind(x=x, t=t)
    for k in range(4):
        x[:], t[:] = batch(k, rows)
        expected, found = named(x=x, t=t), bound()
        for name, value in expected.items():
            assert np.array_equal(found[name], value)
    assert np.array_equal(named.params["out.weight"], other.params["out.weight"])


def test_the_same_arrays_come_back() -> None:
    x, t = batch(0)
    bound = step().bind(x=x, t=t)
    first = bound()
    assert all(bound()[name] is array for name, array in first.items())


def test_other_sizes_in_between_move_temporaries_and_nothing_else() -> None:
    program, other = step(), step()
    x, t = batch(0)
    bound = program.bind(x=x, t=t)
    for k, rows in enumerate([7, 4000, 1, 20_000]):
        large = dict(zip("xt", batch(k, rows), strict=True))
        assert np.array_equal(program(**large)["loss"], other(**large)["loss"])
        assert np.array_equal(bound()["loss"], other(x=x, t=t)["loss"])


def test_an_index_out_of_range_is_refused_and_nothing_changes() -> None:
    program = step()
    x, t = batch(0)
    bound = program.bind(x=x, t=t)
    bound()
    before = program.params["out.weight"].copy()
    for wrong in (3, -1):
        t[2] = wrong
        with pytest.raises(InputError, match=f"index {wrong} is out of range for size 3"):
            bound()
        assert np.array_equal(program.params["out.weight"], before)
    t[2] = 2
    bound()


@pytest.mark.parametrize(
    "given", [lambda x: x[::2], lambda x: x.astype(np.float32)[:, ::-1], lambda x: x.tolist()]
)
def test_arrays_that_must_be_copied_are_refused(given) -> None:
    x, t = batch(0, 10)
    program = step()
    other = given(x)
    with pytest.raises(InputError, match="bind reads arrays where they lie, and input 'x' must be copied"):
        program.bind(x=other, t=t[: len(other)])


def test_a_view_of_a_parameter_that_is_updated_is_refused() -> None:
    g = gc.Graph("own")
    w = g.param("w", (4,), init=[1.0, 2.0, 3.0, 4.0])
    x = g.input("x", (4,))
    program = gc.compile({"y": x * w}, updates={w: w + x})
    with pytest.raises(InputError, match="input 'x' must be copied"):
        program.bind(x=program.params["w"])
