"""Every error text of the structured ops: what is wrong with both values, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import graphc.ops  # noqa: F401 - registers the functions
from graphc.errors import DTypeError, GraphcError, GraphError, ShapeError
from graphc.graph import FUNCTIONS, Graph

gc = SimpleNamespace(**FUNCTIONS)
G = Graph()
X = G.input("x", (4, 3))
S = G.input("s", ("N", 3))
T = G.input("t", (2, 3, 4))
E = G.input("e", (0, 3))
B = G.input("b", (4, 3), "bool")
I = G.input("i", (4,), "int32")  # noqa: E741 - indices
Z = G.input("z")

CASES: list[tuple[Callable[[], Any], type[GraphcError], str]] = [
    (lambda: gc.sum(X, 2), ShapeError, "sum: axis 2 is out of range for rank 2; use -2 to 1"),
    (lambda: gc.sum(X, (0, -2)), ShapeError, "sum: axes (0, -2) name one axis twice; name each axis once"),
    (lambda: gc.sum(X, 0.5), ShapeError, "sum: axis 0.5 is not an integer; give an int between -2 and 1"),
    (
        lambda: gc.sum(np.ones(3)),
        GraphError,
        "sum: no operand is a node of a graph; start from g.input, g.param or g.const",
    ),
    (
        lambda: gc.max(E, 0),
        ShapeError,
        "max: axis 0 has size 0, and nothing has no extremum; reduce over axes that are not empty",
    ),
    (
        lambda: gc.argmin(E, 0),
        ShapeError,
        "argmin: axis 0 has size 0, and nothing has no extremum; reduce over axes that are not empty",
    ),
    (lambda: gc.max(B), DTypeError, "max: bool has no extrema here; use gc.any or gc.all"),
    (lambda: gc.argmax(B, 0), DTypeError, "argmax: bool has no extrema here; cast it with gc.cast"),
    (
        lambda: G.add("mean", (I,), axes=(0,), keepdims=False),
        DTypeError,
        "mean: the mean or norm takes float32 or float64, not int32; cast it first with gc.cast",
    ),
    (
        lambda: G.add("any", (X,), axes=(0,), keepdims=False),
        DTypeError,
        "any: operand is float32; compare it to get bool",
    ),
    (
        lambda: G.add("sum", (X,), axes=(1, 0), keepdims=False),
        ShapeError,
        "sum: axes (1, 0) of a node must be a tuple, ascending and counted from 0; give (0, 1)",
    ),
    (lambda: G.add("sum", (X,), axes=(0,)), GraphError, "sum: parameters are (axes); give (axes, keepdims)"),
    (
        lambda: G.add("sum", (X, X), axes=(0,), keepdims=False),
        GraphError,
        "sum: 2 operands are given; give 1",
    ),
    (
        lambda: G.add("softmax", (X,), axis=-1),
        ShapeError,
        "softmax: axis -1 of a node must be counted from 0; give 1",
    ),
    (lambda: gc.softmax(X, 5), ShapeError, "softmax: axis 5 is out of range for rank 2; use -2 to 1"),
    (
        lambda: gc.matmul(X, X),
        ShapeError,
        "matmul: shapes (4, 3) and (4, 3) do not fit: inner sizes 3 and 4 differ; make them equal or "
        "transpose one",
    ),
    (
        lambda: X @ Z,
        ShapeError,
        "matmul: shapes (4, 3) and (): a value without axes has no matrix product; use *",
    ),
    (
        lambda: gc.einsum("ij,jk->ik", X),
        ShapeError,
        "einsum: spec 'ij,jk->ik' is for 2 operands and 1 are given; give one index text an operand",
    ),
    (
        lambda: gc.einsum("ijk->i", X),
        ShapeError,
        "einsum: operand 0 has shape (4, 3) and 3 letters in 'ijk->i'; give one letter an axis",
    ),
    (
        lambda: gc.einsum("ij->k", X),
        ShapeError,
        "einsum: result 'k' of spec 'ij->k' repeats or invents a letter; use letters of the operands "
        "once each",
    ),
    (
        lambda: gc.einsum("i1->i", X),
        ShapeError,
        "einsum: spec 'i1->i' holds a character that is not a letter; write for example 'ij,jk->ik'",
    ),
    (
        lambda: gc.einsum("i...->i", X),
        ShapeError,
        "einsum: spec 'i...->i' has an ellipsis that its result 'i' lacks; write ... there too",
    ),
    (
        lambda: gc.einsum("ij,ik->jk", X, T[0]),
        ShapeError,
        "einsum: index 'a': sizes 4 and 3 differ; they must be equal",
    ),
    (
        lambda: gc.einsum("ii->i", X),
        ShapeError,
        "einsum: an index that stands twice: sizes 4 and 3 differ; they must be equal",
    ),
    (
        lambda: G.add("einsum", (X, X), spec="aa,ab->b"),
        ShapeError,
        "einsum: spec 'aa,ab->b' is not of the form 'ab,bc->ac' with no letter twice in one operand; "
        "write it so",
    ),
    (
        lambda: G.add("einsum", (X,), spec="abc->a"),
        ShapeError,
        "einsum: operand 0 has rank 2 and its index 'abc' 3 letters; make them equal",
    ),
    (
        lambda: G.add("einsum", (X,), spec="ab,bc->ac"),
        ShapeError,
        "einsum: spec 'ab,bc->ac' is for 2 operands and 1 are given; give one or two",
    ),
    (
        lambda: G.add("einsum", (X, I), spec="ab,a->b"),
        DTypeError,
        "einsum: operands are float32 and int32; cast them to one number dtype with gc.cast",
    ),
    (
        lambda: gc.tensordot(X, T, 3),
        ShapeError,
        "tensordot: axes=3 is out of range for ranks 2 and 3; give 0 to 2",
    ),
    (
        lambda: gc.tensordot(X, T, ((0, 1), (0,))),
        ShapeError,
        "tensordot: axes (0, 1) and (0,) differ in number; give pairs",
    ),
    (
        lambda: gc.tensordot(X, T, (0, 0)),
        ShapeError,
        "tensordot: axis 0 of (4, 3) and axis 0 of (2, 3, 4) are summed together and their sizes "
        "differ; choose axes of equal size",
    ),
    (
        lambda: gc.broadcast_to(X, (3,)),
        ShapeError,
        "broadcast_to: shape (4, 3) has more axes than (3,); give at least 2",
    ),
    (
        lambda: gc.broadcast_to(X, (4, 5)),
        ShapeError,
        "broadcast_to: broadcast of (4, 3) to (4, 5): sizes 3 and 5 differ; they must be equal",
    ),
    (
        lambda: gc.reshape(X, (5, 2)),
        ShapeError,
        "reshape: element counts of (4, 3) and (5, 2): sizes 12 and 10 differ; they must be equal",
    ),
    (
        lambda: gc.reshape(X, (-1, 5)),
        ShapeError,
        "reshape: 12 elements of (4, 3) do not divide into (-1, 5); give sizes whose product divides 12",
    ),
    (
        lambda: gc.reshape(X, (-1, -1)),
        ShapeError,
        "reshape: shape (-1, -1) has 2 sizes -1; leave at most one open",
    ),
    (
        lambda: gc.reshape(E, (-1, 0)),
        ShapeError,
        "reshape: shape (-1, 0) has size 0, which leaves -1 open; give that size",
    ),
    (
        lambda: gc.transpose(X, (0, 0)),
        ShapeError,
        "transpose: perm (0, 0) is no order of the axes; name each of 0 to 1 once",
    ),
    (
        lambda: gc.transpose(X, (0,)),
        ShapeError,
        "transpose: perm is (0,) for rank 2; give a tuple of 2 values",
    ),
    (
        lambda: gc.moveaxis(X, (0, 1), 0),
        ShapeError,
        "moveaxis: source (0, 1) and destination 0 do not pair up; give as many axes in both, each once",
    ),
    (
        lambda: gc.squeeze(X, 0),
        ShapeError,
        "squeeze: axis 0 of (4, 3) has size 4, not 1; squeeze axes of size 1",
    ),
    (
        lambda: gc.pad(X, ((1, 1), (1, 1), (1, 1))),
        ShapeError,
        "pad: pad_width ((1, 1), (1, 1), (1, 1)) does not fit rank 2; give a number, a pair, or 2 pairs",
    ),
    (lambda: gc.pad(X, -1), ShapeError, "pad: padding of axis 0: size -1 is less than 0; give at least 0"),
    (
        lambda: gc.concatenate([X, T]),
        ShapeError,
        "concatenate: shapes (4, 3) and (2, 3, 4) differ in rank; reshape one",
    ),
    (
        lambda: gc.concatenate([X, T[0]]),
        ShapeError,
        "concatenate: shapes (4, 3) and (3, 4) are joined along axis 0, axis 1: sizes 3 and 4 differ; "
        "they must be equal",
    ),
    (
        lambda: G.add("concatenate", (X, B), axis=0),
        DTypeError,
        "concatenate: operands are float32 and bool; cast them to one dtype with gc.cast",
    ),
    (
        lambda: G.add("concatenate", (), axis=0),
        GraphError,
        "concatenate: no operands are given; give at least one",
    ),
    (lambda: gc.concatenate([]), GraphError, "concatenate: no values are given; give at least one"),
    (
        lambda: gc.split(X, 3),
        ShapeError,
        "split: size 4 does not divide into 3 equal parts; give the positions of the cuts",
    ),
    (
        lambda: gc.split(S, 2),
        ShapeError,
        "split: size N does not divide into 2 equal parts; give the positions of the cuts",
    ),
    (lambda: gc.tril(I), ShapeError, "tril: shape (4,) has fewer than two axes; give a matrix"),
    (
        lambda: G.add("phase", (X, T)),
        ShapeError,
        "phase: train is f32[4,3] and eval is f32[2,3,4]; make their types equal",
    ),
    (
        lambda: X[0, 0, 0],
        ShapeError,
        "index: 3 entries and 0 ellipses do not fit shape (4, 3); give at most 2 and one",
    ),
    (
        lambda: X[..., ...],
        ShapeError,
        "index: 0 entries and 2 ellipses do not fit shape (4, 3); give at most 2 and one",
    ),
    (lambda: X[4], ShapeError, "index: index 4 is out of range for axis 0 of size 4; use -4 to 3"),
    (lambda: X[:, [0, 3]], ShapeError, "index: index 3 is out of range for axis 1 of size 3; use -3 to 2"),
    (
        lambda: E[0],
        ShapeError,
        "index: index 0 is out of range for axis 0 of size 0; an empty axis has no elements",
    ),
    (lambda: X[::0], ShapeError, "index: step 0 of axis 0 is no stride; give an int other than 0"),
    (lambda: X[I:], ShapeError, "index: bounds of axis 0 are not sizes; give ints or sizes, or use gc.take"),
    (lambda: X[True], DTypeError, "index: a boolean is no index; use gc.where for masks"),
    (lambda: X[B], DTypeError, "index: a boolean mask has no fixed result shape; use gc.where(mask, x, 0)"),
    (
        lambda: X["a"],
        DTypeError,
        "index: 'a' is no index; use ints, ranges, None, Ellipsis, integer arrays or nodes",
    ),
    (lambda: X[[0.5]], DTypeError, "index: indices are float64; give int32 or int64"),
    (
        lambda: G.add("slice", (X,), start=(0, 0), stop=(5, 3), step=(1, 1)),
        ShapeError,
        "slice: slice of axis 0, upper end: size 4 is less than 5; give at least 5",
    ),
    (
        lambda: G.add("slice", (X,), start=(0, 0), stop=(4, 3), step=(0, 1)),
        ShapeError,
        "slice: step 0 of axis 0 is no stride; give an int other than 0",
    ),
    (lambda: gc.take(X, X, 0), DTypeError, "take: indices are float32; give int32 or int64"),
    (
        lambda: gc.take_along_axis(X, I, 0),
        ShapeError,
        "take_along_axis: shapes (4, 3) and (4,) differ in rank; give indices with as many axes",
    ),
    (lambda: gc.one_hot(X, 3), DTypeError, "one_hot: indices are float32; give int32 or int64"),
    (
        lambda: gc.scatter_add(T, I, 3),
        ShapeError,
        "scatter_add: axis 0 of the updates and axis 0 of the indices: sizes 2 and 4 differ; they must "
        "be equal",
    ),
    (lambda: gc.scatter_add(I, T[0], 3), DTypeError, "scatter_add: indices are float32; give int32 or int64"),
    (
        lambda: G.add("scatter_add", (T, I), axis=3, size=2),
        ShapeError,
        "scatter_add: axis 3 leaves no room for 1 axes of indices in (2, 3, 4); lower it",
    ),
    (
        lambda: gc.arange(3, 3),
        GraphError,
        "arange: no operand is a node of a graph; start from g.input, g.param or g.const",
    ),
    (lambda: gc.arange(G, -1), ShapeError, "arange: length: size -1 is less than 0; give at least 0"),
]


@pytest.mark.parametrize(("call", "kind", "text"), CASES, ids=[text[:50] for _, _, text in CASES])
def test_error_texts(call: Callable[[], Any], kind: type[GraphcError], text: str) -> None:
    with pytest.raises(kind) as raised:
        call()
    first, _, place = str(raised.value).partition("\n")
    assert first == text
    assert "test_ops_errors.py" in place
    assert "; " in first or "use *" in first


def test_errors_name_the_layer() -> None:
    with pytest.raises(ShapeError, match=r"hidden \(matmul\): shapes"), G.scope("hidden"):
        gc.matmul(X, X)
    with pytest.raises(ShapeError, match=r"hidden \(sum\): axis 9"), G.scope("hidden"):
        gc.sum(X, 9)
