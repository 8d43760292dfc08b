"""Large outputs: memory is given away again only when nobody refers to it."""

from __future__ import annotations

import numpy as np
import pytest

import graphc as gc

ROWS = 8192  # of float32: well above what is copied


@pytest.fixture(scope="module")
def program() -> gc.Program:
    g = gc.Graph("recycle")
    x = g.input("x", ("N",))
    return gc.compile({"y": x * 2})


def called(program: gc.Program, value: float) -> np.ndarray:
    return program(x=np.full(ROWS, value, np.float32))["y"]


def test_results_that_are_held_stay_as_they_were(program: gc.Program) -> None:
    held = [called(program, k) for k in range(6)]
    assert [float(each[0]) for each in held] == [0, 2, 4, 6, 8, 10]
    assert len({each.ctypes.data for each in held}) == 6


@pytest.mark.parametrize(
    "keep",
    [
        lambda y: y[:1],
        lambda y: memoryview(y),
        lambda y: y.reshape(2, -1).T,
        lambda y: {"deep": [y]},
        lambda y: iter(y),
    ],
    ids=["slice", "memoryview", "transposed view", "container", "iterator"],
)
def test_whatever_refers_to_a_result_holds_it(program: gc.Program, keep) -> None:
    result = called(program, 7.0)
    address, holder = result.ctypes.data, keep(result)
    del result
    later = [called(program, k) for k in range(4)]
    assert address not in {each.ctypes.data for each in later}
    del holder


def test_memory_that_was_let_go_is_used_again(program: gc.Program) -> None:
    addresses = {called(program, k).ctypes.data for k in range(20)}
    assert len(addresses) <= 2


def test_a_result_changed_in_place_is_not_given_away_again(program: gc.Program) -> None:
    result = called(program, 1.0)
    result.setflags(write=False)
    del result
    for k in range(4):
        again = called(program, k)
        assert again.shape == (ROWS,)
        assert again.flags.writeable
        assert np.all(again == 2 * k)
