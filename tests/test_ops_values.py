"""Values at the edges: NaN and infinities, ties, nothing, zeros, many operands, symbolic bounds at the
call."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from loop_oracle import run_loops

import graphc.ops  # noqa: F401 - registers the functions
from graphc.diff import grad
from graphc.errors import InputError
from graphc.graph import FUNCTIONS, Graph, Handle
from graphc.interpret import interpret
from graphc.registry import lookup

gc = SimpleNamespace(**FUNCTIONS)
INF, NAN = np.inf, np.nan


def both(handle: Handle, **arrays: Any) -> np.ndarray:
    """The value by the reference, after comparing it with the loops' of the last node."""
    operands = interpret(list(handle.operands), **arrays)
    sizes = {
        n: len(arrays["x"]) for d in handle.graph["x"].shape if not isinstance(d, int) for n in d.symbols
    }
    op = lookup(handle.node.op)
    loops = op.loops([o.type for o in handle.operands], handle.type, handle.node.param)
    value = interpret(handle, **arrays)
    np.testing.assert_allclose(run_loops(loops, operands, sizes), value, rtol=1e-13)
    return value


def of(shape: Any = ("N",), dtype: str = "float64") -> Handle:
    return Graph().input("x", shape, dtype)


@pytest.mark.parametrize(
    "name", ["sum", "mean", "max", "min", "prod", "norm", "logsumexp", "softmax", "log_softmax"]
)
def test_nan_propagates(name: str) -> None:
    assert np.isnan(both(getattr(gc, name)(of()), x=[1.0, NAN, 3.0])).all()
    assert np.isnan(both(getattr(gc, name)(of()), x=[NAN, 1.0])).all()


def test_logsumexp_of_infinities_and_large_values() -> None:
    for row, due in [
        ([-INF, -INF], -INF),
        ([INF, 1.0], INF),
        ([INF, -INF], INF),
        ([-INF, 2.0], 2.0),
        ([], -INF),
    ]:
        assert both(gc.logsumexp(of()), x=row) == due
    assert both(gc.logsumexp(of()), x=[1000.0, 1000.0]) == 1000 + np.log(2)
    assert both(gc.logsumexp(of()), x=[-1e300, -1e300]) == -1e300


def test_softmax_of_large_values() -> None:
    np.testing.assert_array_equal(both(gc.softmax(of()), x=[1e4, -1e4, 1e4]), [0.5, 0, 0.5])
    np.testing.assert_array_equal(both(gc.softmax(of()), x=[-INF, 0.0]), [0, 1])
    found = both(gc.log_softmax(of()), x=[1e8, 1e8 - 1])
    np.testing.assert_allclose(found, [-np.log1p(np.exp(-1)), -1 - np.log1p(np.exp(-1))], rtol=1e-14)


def test_nothing() -> None:
    assert both(gc.sum(of()), x=[]) == 0
    assert both(gc.prod(of()), x=[]) == 1
    assert both(gc.norm(of()), x=[]) == 0
    assert np.isnan(both(gc.mean(of()), x=[]))
    assert np.isnan(interpret(gc.var(of()), x=[]))
    assert np.isnan(interpret(gc.var(of((1,)), ddof=1), x=[2.0]))
    assert not interpret(gc.any(of()), x=[])
    assert interpret(gc.all(of()), x=[])
    for name in ("max", "min", "argmax", "argmin"):
        with pytest.raises(InputError, match=r"N is 0 and 1 is 1; .* the first is at least"):
            interpret(getattr(gc, name)(of()), x=[])


def test_positions_of_extrema() -> None:
    assert both(gc.argmax(of(("N",)), 0), x=[1.0, 3.0, 3.0]) == 1
    assert both(gc.argmin(of(("N",)), 0), x=[1.0, -0.0, 0.0]) == 1
    assert both(gc.argmin(of(("N",)), 0), x=[1.0, NAN, -3.0]) == 1
    low = np.iinfo(np.int32).min
    assert both(gc.argmin(of(("N",), "int32"), 0), x=np.array([5, low, low + 1], np.int32)) == 1


def slope(build: Any, x: Any, nest: Any = None) -> np.ndarray:
    node = of((len(x),))
    gradient = grad(build(node), node)
    return interpret(gradient if nest is None else grad(nest(gradient), node), x=np.array(x))


def test_gradients_at_kinks() -> None:
    np.testing.assert_array_equal(slope(gc.max, [1.0, 3.0, 3.0, 2.0]), [0, 0.5, 0.5, 0])
    np.testing.assert_array_equal(slope(gc.min, [1.0, 1.0, 1.0, 1.0]), [0.25] * 4)
    np.testing.assert_array_equal(slope(gc.norm, [0.0, 0.0]), [0, 0])
    np.testing.assert_array_equal(slope(gc.norm, [3.0, 4.0]), [0.6, 0.8])
    np.testing.assert_array_equal(slope(gc.std, [2.0, 2.0]), [0, 0])


def test_derivatives_of_products_with_zeros() -> None:
    np.testing.assert_array_equal(slope(gc.prod, [2.0, 3.0, 4.0]), [12, 8, 6])
    np.testing.assert_array_equal(slope(gc.prod, [0.0, 3.0, 4.0]), [12, 0, 0])
    np.testing.assert_array_equal(slope(gc.prod, [0.0, 0.0, 4.0]), [0, 0, 0])
    weights = np.array([1.0, 10.0, 100.0])  # Hessian of xyz times these
    due = [[4 * 10 + 3 * 100, 4, 3], [4 * 10, 4, 0], [0, 0, 0]]
    for x, row in zip([[0.0, 3.0, 4.0], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0]], due, strict=True):
        np.testing.assert_array_equal(slope(gc.prod, x, lambda g: gc.sum(g * weights)), row)


def test_third_derivative_of_a_product_at_zero() -> None:
    x = of((3,))
    first = grad(gc.prod(x), x)
    second = grad(first[0], x)
    np.testing.assert_array_equal(interpret(grad(second[1], x), x=np.zeros(3)), [0, 0, 1])


def test_strided_slices_transpose_exactly() -> None:
    for key in (slice(None, None, 2), slice(4, 0, -2), slice(1, None), slice(None, None, -1), slice(1, 1, 2)):
        due = np.zeros(5)
        due[key] = 1
        np.testing.assert_array_equal(slope(lambda x, key=key: gc.sum(x[key]), np.ones(5)), due)
    x = of()
    gradient = grad(gc.sum(gc.square(x[::2])), x)
    np.testing.assert_array_equal(interpret(gradient, x=[1.0, 2, 3]), [2, 0, 6])
    np.testing.assert_array_equal(interpret(grad(gc.sum(gradient), x), x=[1.0, 2, 3]), [2, 0, 2])
    assert interpret(grad(gc.sum(gradient), x), x=[]).shape == (0,)


def test_repeated_indices_add_their_gradients() -> None:
    np.testing.assert_array_equal(
        slope(lambda x: gc.sum(x[np.array([0, 0, -1])]), [1.0, 2.0, 3.0]), [2, 0, 1]
    )
    found = slope(lambda x: gc.sum(gc.take_along_axis(x, x.graph.const([1, 1]), 0)), [1.0, 2.0])
    np.testing.assert_array_equal(found, [0, 2])


def test_indices_out_of_range_raise() -> None:
    x = of((3,))
    for bad in (3, -4):
        i = x.graph.const([0, bad])
        for node in (gc.take(x, i), gc.take_along_axis(x, i), gc.scatter_add(x[:2], i, 3)):
            with pytest.raises(InputError):
                interpret(node, x=np.ones(3))


def test_many_operands_nest_little() -> None:
    x = of((1,))
    joined = gc.concatenate([x + float(k) for k in range(3000)])
    loop = lookup("concatenate").loops([o.type for o in joined.operands], joined.type, joined.node.param)[0]
    depth, expr = 0, loop.expr
    while hasattr(expr, "args"):
        depth, expr = depth + 1, expr.args[1]
    assert depth <= 12
    np.testing.assert_array_equal(both(joined, x=[0.5]), np.arange(3000) + 0.5)


def test_bounds_with_symbolic_sizes_are_checked_at_the_call() -> None:
    x = of(("N",))
    for node, short, enough in (
        (x[2:], 1, 2),
        (x[:3], 2, 3),
        (x[-2:], 1, 2),
        (x[4], 4, 5),
        (x[-1], 0, 1),
        (x[2::-1], 2, 3),
    ):
        with pytest.raises(InputError, match="at least"):
            interpret(node, x=np.ones(short))
        interpret(node, x=np.ones(enough))
    with pytest.raises(InputError, match="element counts"):
        interpret(gc.reshape(x, (-1, 2)), x=np.ones(3))


def test_plain_index_maps_stay_plain() -> None:
    """Strides are seen where a reshape only inserts or drops axes of size 1, or keeps leading ones."""
    x = of(("N", 1, 6))
    for shape, due in (
        ((1, "N", 6), [(1,), None, (2,)]),
        (("N", 2, 3), [(0,), None, (1, 2)]),
        (("N", 6, 1), [(0,), None, (1,)]),
    ):
        node = gc.reshape(x, shape)
        load = next(lookup("reshape").loops([x.type], node.type, node.node.param)[0].loads())
        found = [_axes(e) for e in load.index]
        assert [f for f, d in zip(found, due, strict=True) if d is not None] == [
            set(d) for d in due if d is not None
        ]


def _axes(expr: Any) -> set[int]:
    if hasattr(expr, "number"):
        return {expr.number}
    return set().union(*(_axes(a) for a in getattr(expr, "args", ())))
