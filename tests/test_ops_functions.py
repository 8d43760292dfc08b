"""User functions against NumPy's of the same name, with symbolic first sizes wherever they may stand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import graphc.ops  # noqa: F401 - registers the functions
from graphc.graph import FUNCTIONS, Graph, Handle
from graphc.interpret import interpret

gc = SimpleNamespace(**FUNCTIONS)
RNG = np.random.default_rng(7)
X = RNG.normal(size=(4, 3, 5))
M = RNG.normal(size=(4, 3))
V = RNG.normal(size=5)
I = RNG.integers(-4, 4, size=(2, 3))  # noqa: E741 - indices
L = np.array([2, 0, -1, 1])
B = X > 0
K = RNG.integers(-9, 9, size=(4, 3)).astype(np.int32)


def declared(graph: Graph, arrays: dict[str, np.ndarray], symbolic: bool) -> dict[str, Handle]:
    """Inputs for arrays; with ``symbolic``, sizes are named by their value, so that equal ones meet."""
    return {
        name: graph.input(name, [f"n{d}" if symbolic and d > 1 else d for d in a.shape], a.dtype)
        for name, a in arrays.items()
    }


def agree(ours: Any, numpys: Any, symbolic: bool, **arrays: np.ndarray) -> None:
    found = ours(*declared(Graph(), arrays, symbolic).values())
    due = numpys(*arrays.values())
    pairs = zip(found, due, strict=True) if isinstance(found, list) else [(found, due)]
    for handle, array in pairs:
        value = interpret(handle, **{k: v for k, v in arrays.items() if k in handle.graph.named})
        np.testing.assert_allclose(value, array, rtol=1e-12, atol=1e-12)
        assert value.shape == np.shape(array)
        assert symbolic or handle.shape == np.shape(array)
        assert value.dtype == handle.dtype.numpy


def lse(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def soft(x: Any, axis: int = -1) -> Any:
    return np.exp(x) / np.exp(x).sum(axis=axis, keepdims=True)


AXES: list[dict[str, Any]] = [
    {},
    {"axis": 0},
    {"axis": -1},
    {"axis": (0, -1)},
    {"axis": (2, 0), "keepdims": True},
    {"keepdims": True},
    {"axis": ()},
]
REDUCTIONS = [
    ("sum", np.sum, X),
    ("mean", np.mean, X),
    ("max", np.max, X),
    ("min", np.min, X),
    ("prod", np.prod, X),
    ("logsumexp", lse, X),
    ("var", np.var, X),
    ("std", np.std, X),
    ("any", np.any, B),
    ("all", np.all, B),
]


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("options", AXES, ids=str)
@pytest.mark.parametrize(("name", "numpys", "array"), REDUCTIONS, ids=[r[0] for r in REDUCTIONS])
def test_reductions(name: str, numpys: Any, array: Any, options: Any, symbolic: bool) -> None:
    agree(lambda x: getattr(gc, name)(x, **options), lambda x: numpys(x, **options), symbolic, x=array)


CASES: dict[str, tuple[Any, Any, dict[str, np.ndarray]]] = {
    "sum of ints": (lambda k: gc.sum(k, 0), lambda k: np.sum(k, 0, dtype=np.int64), {"k": K}),
    "sum of bools": (gc.sum, np.sum, {"x": B}),
    "mean of ints": (lambda k: gc.mean(k, 0), lambda k: np.mean(k, 0, dtype=np.float32), {"k": K}),
    "max of ints": (lambda k: gc.max(k, 1), lambda k: np.max(k, 1), {"k": K}),
    "any of ints": (lambda k: gc.any(k, 1), lambda k: np.any(k, 1), {"k": K}),
    "var ddof": (lambda x: gc.var(x, 1, ddof=1), lambda x: np.var(x, 1, ddof=1), {"x": X}),
    "std ddof": (lambda x: gc.std(x, 1, ddof=1), lambda x: np.std(x, 1, ddof=1), {"x": X}),
    "norm": (
        lambda x: gc.norm(x, -1, keepdims=True),
        lambda x: np.linalg.norm(x, axis=-1, keepdims=True),
        {"x": X},
    ),
    "argmax": (lambda x: gc.argmax(x, 1), lambda x: np.argmax(x, 1), {"x": X}),
    "argmin": (
        lambda x: gc.argmin(x, -1, keepdims=True),
        lambda x: np.argmin(x, -1, keepdims=True),
        {"x": X},
    ),
    "argmax of all": (gc.argmax, np.argmax, {"x": X}),
    "argmin of all": (
        lambda x: gc.argmin(x, keepdims=True),
        lambda x: np.argmin(x, keepdims=True),
        {"x": X},
    ),
    "softmax": (gc.softmax, soft, {"x": X}),
    "softmax 0": (lambda x: gc.softmax(x, 0), lambda x: soft(x, 0), {"x": X}),
    "log_softmax": (lambda x: gc.log_softmax(x, 1), lambda x: np.log(soft(x, 1)), {"x": X}),
    "matmul": (lambda a, b: a @ b, np.matmul, {"a": M, "b": M.T}),
    "matmul vector left": (lambda a, b: a @ b, np.matmul, {"a": L * 1.0, "b": M}),
    "matmul vector right": (lambda a, b: a @ b, np.matmul, {"a": X, "b": V}),
    "matmul vectors": (lambda a, b: a @ b, np.matmul, {"a": V, "b": V}),
    "matmul batch": (lambda a, b: a @ b, np.matmul, {"a": X, "b": X.transpose(0, 2, 1).copy()}),
    "matmul batch with matrix": (lambda a, b: a @ b, np.matmul, {"a": X, "b": X[0].T.copy()}),
    "matmul batch of one": (lambda a, b: a @ b, np.matmul, {"a": X[:1], "b": X.transpose(0, 2, 1).copy()}),
    "matmul two batches": (lambda a, b: a @ b, np.matmul, {"a": X[:, None], "b": X.transpose(0, 2, 1)[None]}),
    "matmul of ints": (lambda a, b: a @ b, np.matmul, {"a": K, "b": K.T.copy()}),
    "dot": (gc.dot, np.dot, {"a": X, "b": X.transpose(1, 2, 0).copy()}),
    "dot vectors": (gc.dot, np.dot, {"a": V, "b": V}),
    "dot scalar": (gc.dot, np.dot, {"a": np.array(2.0), "b": V}),
    "outer": (gc.outer, np.outer, {"a": M, "b": V}),
    "tensordot 1": (lambda a, b: gc.tensordot(a, b, 1), lambda a, b: np.tensordot(a, b, 1), {"a": X, "b": V}),
    "tensordot 0": (lambda a, b: gc.tensordot(a, b, 0), lambda a, b: np.tensordot(a, b, 0), {"a": M, "b": V}),
    "tensordot pairs": (
        lambda a, b: gc.tensordot(a, b, ((0, -2), (0, 1))),
        lambda a, b: np.tensordot(a, b, ((0, -2), (0, 1))),
        {"a": X, "b": M},
    ),
    "transpose": (gc.transpose, np.transpose, {"x": X}),
    "T": (lambda x: x.T, np.transpose, {"x": M}),
    "transpose axes": (
        lambda x: gc.transpose(x, (1, -1, 0)),
        lambda x: np.transpose(x, (1, -1, 0)),
        {"x": X},
    ),
    "swapaxes": (lambda x: gc.swapaxes(x, 0, -1), lambda x: np.swapaxes(x, 0, -1), {"x": X}),
    "moveaxis": (lambda x: gc.moveaxis(x, 0, -1), lambda x: np.moveaxis(x, 0, -1), {"x": X}),
    "moveaxis two": (
        lambda x: gc.moveaxis(x, (0, 2), (1, 0)),
        lambda x: np.moveaxis(x, (0, 2), (1, 0)),
        {"x": X},
    ),
    "ravel": (gc.ravel, np.ravel, {"x": X}),
    "squeeze": (lambda x: gc.squeeze(gc.expand_dims(x, (0, 2))), lambda x: x, {"x": M}),
    "squeeze axis": (lambda x: gc.squeeze(gc.expand_dims(x, -1), -1), lambda x: x, {"x": M}),
    "expand_dims": (lambda x: gc.expand_dims(x, (0, -1)), lambda x: np.expand_dims(x, (0, -1)), {"x": M}),
    "flip": (gc.flip, np.flip, {"x": X}),
    "flip axis": (lambda x: gc.flip(x, (0, -1)), lambda x: np.flip(x, (0, -1)), {"x": X}),
    "pad": (lambda x: gc.pad(x, 2), lambda x: np.pad(x, 2), {"x": M}),
    "pad pair": (
        lambda x: gc.pad(x, (1, 2), constant_values=3),
        lambda x: np.pad(x, (1, 2), constant_values=3),
        {"x": M},
    ),
    "pad pairs": (
        lambda x: gc.pad(x, ((0, 1), (2, 0))),
        lambda x: np.pad(x, ((0, 1), (2, 0))),
        {"x": M},
    ),
    "concatenate": (
        lambda a, b: gc.concatenate([a, b, a], axis=-1),
        lambda a, b: np.concatenate([a, b, a], -1),
        {"a": M, "b": K},
    ),
    "stack": (
        lambda a, b: gc.stack([a, b], axis=1),
        lambda a, b: np.stack([a, b], 1),
        {"a": M, "b": M + 1},
    ),
    "stack last": (lambda a: gc.stack([a, a], axis=-1), lambda a: np.stack([a, a], -1), {"a": M}),
    "full_like": (lambda x: gc.full_like(x, 2), lambda x: np.full_like(x, 2), {"x": M}),
    "zeros_like": (lambda x: gc.zeros_like(x) + x, lambda x: x, {"x": M}),
    "ones_like int": (
        lambda x: gc.ones_like(x, "int32"),
        lambda x: np.ones_like(x, dtype=np.int32),
        {"x": M},
    ),
    "tril": (lambda x: gc.tril(x, 1), lambda x: np.tril(x, 1), {"x": X}),
    "triu": (lambda x: gc.triu(x, -1), lambda x: np.triu(x, -1), {"x": X}),
    "take": (lambda x, i: gc.take(x, i, 0), lambda x, i: np.take(x, i, 0), {"x": X, "i": I}),
    "take flat": (gc.take, np.take, {"x": X, "i": I}),
    "take_along": (
        lambda x, i: gc.take_along_axis(x, i[:, None], 1),
        lambda x, i: np.take_along_axis(x, i[:, None], 1),
        {"x": M, "i": L},
    ),
    "take_along spread": (
        lambda x, i: gc.take_along_axis(x, gc.reshape(i, (-1, 1, 1)), 1),
        lambda x, i: np.take_along_axis(x, i[:, None, None], 1),
        {"x": X, "i": L},
    ),
    "one_hot": (lambda i: gc.one_hot(abs(i), 4), lambda i: np.eye(4)[abs(i)], {"i": I}),
    "arange": (lambda x: gc.arange(x, x.shape[0]), lambda x: np.arange(4), {"x": M}),
    "extent": (lambda x: gc.extent(x, (0, 2)), lambda x: np.asarray(20), {"x": X}),
    "scatter_add": (
        lambda x, i: gc.scatter_add(x, i, 4),
        lambda x, i: np.array([x[i % 4 == k].sum(0) for k in range(4)]),
        {"x": M, "i": L},
    ),
    "phase": (lambda x: gc.phase(x * 2, 1.0), lambda x: np.ones_like(x), {"x": M}),
}


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_functions(name: str, symbolic: bool) -> None:
    ours, numpys, arrays = CASES[name]
    agree(ours, numpys, symbolic, **arrays)


def test_reshape_and_split_forms() -> None:
    agree(lambda x: gc.reshape(x, (-1, 5)), lambda x: x.reshape(-1, 5), False, x=X)
    agree(lambda x: x.reshape(2, -1, 3), lambda x: x.reshape(2, -1, 3), False, x=X)
    agree(lambda x: gc.reshape(x, 60), lambda x: x.reshape(60), False, x=X)
    agree(lambda x: gc.reshape(x, ("n4", -1)), lambda x: x.reshape(4, -1), True, x=X)
    agree(lambda x: gc.reshape(x, (-1, 6)), lambda x: x.reshape(-1, 6), True, x=X)
    agree(lambda x: gc.split(x, 2), lambda x: np.split(x, 2), False, x=X)
    agree(lambda x: gc.split(x, [1, 3], axis=-1), lambda x: np.split(x, [1, 3], axis=-1), False, x=X)
    agree(lambda x: gc.split(x, [1], axis=1), lambda x: np.split(x, [1], axis=1), True, x=X)
    assert interpret(gc.broadcast_to(Graph().const(V), (2, 5))).shape == (2, 5)


SPECS = {
    "ij,jk->ik": (M, M.T),
    "ij,jk": (M, M.T),
    "ij,ij->": (M, M),
    "ij->ji": (M,),
    "ij->": (M,),
    "ij": (M,),
    "ji": (M,),
    "ii": (M @ M.T,),
    "ii->i": (M @ M.T,),
    "aab->ba": (RNG.normal(size=(3, 3, 2)),),
    "ii,ij->j": (M @ M.T, M),
    "ab,cd->": (M, M),
    "i,ijk,k->j": (L * 1.0, X, V),
    "ij,kj,kl,lm->im": (M, M, M @ M.T, M),
    "...i,i->...": (X, V),
    "i...,i...->...": (X, X),
    "...ij,...jk->...ik": (X, X.transpose(0, 2, 1)[:1]),
    "...->...": (X,),
    "...ij": (X,),
    ",i->i": (np.array(2.0), V),
    "i,i,i": (V, V, V),
    "ij , jk -> ik": (K, K.T),
}


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("spec", SPECS)
def test_einsum(spec: str, symbolic: bool) -> None:
    arrays = {f"x{k}": a for k, a in enumerate(SPECS[spec])}
    agree(lambda *xs: gc.einsum(spec, *xs), lambda *xs: np.einsum(spec, *xs), symbolic, **arrays)


def test_equal_contractions_are_one_node() -> None:
    g = Graph()
    x, w = g.input("x", ("N", 3)), g.input("w", (3, 4))
    assert gc.einsum("ij,jk->ik", x, w) is (x @ w) is gc.einsum("pq,qr->pr", x, w) is gc.dot(x, w)
    assert (x @ w).node.param["spec"] == "ab,bc->ac"
    chain = gc.einsum("ij,jk,k->i", x, w, g.input("v", (4,)))  # cheaper from the right
    assert [o.ndim for o in chain.operands] == [2, 1]


KEYS: list[Any] = [
    0,
    -1,
    (1, 2),
    (slice(None), -2),
    (Ellipsis, 0),
    (0, Ellipsis, 1),
    None,
    (None, 1, None),
    slice(1, None),
    slice(None, -1),
    slice(None, None, -1),
    slice(None, None, 2),
    slice(3, 0, -2),
    (slice(None), slice(1, 3), slice(None, None, -2)),
    slice(-3, -1),
    (),
    Ellipsis,
    (slice(None), None, slice(None), 0),
    I,
    (slice(None), L),
    (I, slice(None), 1),
    (L, slice(None), L),
    (L, L[:, None] % 3),
    (0, slice(None), L),
    (Ellipsis, [0, 2, 2]),
    (L, None, 0),
    np.int64(2),
    (slice(0, 2), L[:2], L[:2]),
    [1, -1],
    (0, L, 1),
    np.zeros((0,), int),
]


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_indexing_like_numpy(key: Any, symbolic: bool) -> None:
    agree(lambda x: x[key], lambda x: x[key], symbolic, x=X)


def test_known_ranges_are_cut_as_in_numpy() -> None:
    for key in (
        slice(2, 99),
        slice(5, 2),
        slice(-99, 2),
        slice(9, 9),
        slice(1, 3, -1),
        slice(None, None, -7),
    ):
        agree(lambda x, key=key: x[key], lambda x, key=key: x[key], False, x=X)


def test_indexing_by_nodes() -> None:
    agree(lambda x, i: x[i], lambda x, i: x[i], True, x=X, i=I)
    agree(lambda x, i: x[:, i], lambda x, i: x[:, i], True, x=X, i=L)
    agree(lambda x, i: x[gc.arange(x, x.shape[0]), i], lambda x, i: x[np.arange(4), i], True, x=M, i=L)
    agree(lambda x, i: x[i, i], lambda x, i: x[i, i], True, x=M, i=L % 3)


def test_pair_of_indices_does_not_hide_one_out_of_range() -> None:
    g = Graph()
    x, i = g.input("x", (4, 3)), g.input("i", (2,), "int64")
    with pytest.raises(ValueError, match="out of"):
        interpret(x[i, i], x=np.ones((4, 3), np.float32), i=[0, 3])


def test_sizes_in_keys() -> None:
    g = Graph()
    x = g.input("x", ("N", 2))
    n = x.shape[0]
    value = np.arange(10.0, dtype=np.float32).reshape(5, 2)
    np.testing.assert_array_equal(interpret(x[n - 1], x=value), value[-1])
    np.testing.assert_array_equal(interpret(x[n // 2 :], x=value), value[2:])
    assert str(x[1:-1].type) == "f32[N - 2,2]"
    with pytest.raises(
        ValueError, match="N is 5 and 7 is 7; give inputs for which the first is at least the second"
    ):
        interpret(x[:7], x=value)
