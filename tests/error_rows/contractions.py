"""Reductions, products and other contractions."""

# ruff: noqa: E501 - texts stand whole

import numpy as np

import graphc as gc
from graphc.errors import DTypeError, GraphError, ShapeError

G = gc.Graph("net")
X = G.input("x", (4, 3))
S = G.input("s", ("N", 3))
T = G.input("t", (2, 3, 4))
E = G.input("e", (0, 3))
B = G.input("b", (4, 3), "bool")
I = G.input("i", (4,), "int32")  # noqa: E741 - indices
Z = G.input("z")


def wide(rank):
    return gc.reshape(Z, (1,) * rank)


def scoped():
    with G.scope("hidden"):
        gc.matmul(X, X)


ROWS = [
    (
        ShapeError,
        lambda: G.add("sum", (X,), axes=(1, 0), keepdims=False),
        "sum: axes (1, 0) of a node must be a tuple, ascending and counted from 0; give (0, 1) @",
    ),
    (
        GraphError,
        lambda: G.add("sum", (X,), axes=(0,)),
        "sum: parameters are (axes); give (axes, keepdims) @",
    ),
    (
        GraphError,
        lambda: G.add("sum", (X, X), axes=(0,), keepdims=False),
        "sum: 2 operands are given; give 1 @",
    ),
    (ShapeError, lambda: gc.sum(X, 2), "sum: axis 2 is out of range for rank 2; use -2 to 1 @"),
    (ShapeError, lambda: gc.sum(X, (0, -2)), "sum: axes (0, -2) name one axis twice; name each axis once @"),
    (ShapeError, lambda: gc.sum(X, 0.5), "sum: axis 0.5 is not an integer; give an int between -2 and 1 @"),
    (
        GraphError,
        lambda: gc.sum(np.ones(3)),
        "sum: no operand is a node of a graph; start from g.input, g.param or g.const @",
    ),
    (
        ShapeError,
        lambda: gc.max(E, 0),
        "max: axis 0 has size 0, and nothing has no extremum; reduce over axes that are not empty @",
    ),
    (
        ShapeError,
        lambda: gc.argmin(E, 0),
        "argmin: axis 0 has size 0, and nothing has no extremum; reduce over axes that are not empty @",
    ),
    (DTypeError, lambda: gc.max(B), "max: bool has no extrema here; use gc.any or gc.all @"),
    (DTypeError, lambda: gc.argmax(B, 0), "argmax: bool has no extrema here; cast it with gc.cast @"),
    (
        DTypeError,
        lambda: G.add("mean", (I,), axes=(0,), keepdims=False),
        "mean: the mean or norm takes float32 or float64, not int32; cast it first with gc.cast @",
    ),
    (
        DTypeError,
        lambda: G.add("any", (X,), axes=(0,), keepdims=False),
        "any: operand is float32; compare it to get bool @",
    ),
    (
        ShapeError,
        lambda: G.add("softmax", (X,), axis=-1),
        "softmax: axis -1 of a node must be counted from 0; give 1 @",
    ),
    (ShapeError, lambda: gc.softmax(X, 5), "softmax: axis 5 is out of range for rank 2; use -2 to 1 @"),
    (
        ShapeError,
        lambda: gc.matmul(X, X),
        "matmul: shapes (4, 3) and (4, 3) do not fit: inner sizes 3 and 4 differ; make them equal or transpose one @",
    ),
    (
        ShapeError,
        lambda: X @ Z,
        "matmul: shapes (4, 3) and (): a value without axes has no matrix product; use * @",
    ),
    (
        ShapeError,
        lambda: gc.einsum("ij,jk->ik", X),
        "einsum: spec 'ij,jk->ik' is for 2 operands and 1 are given; give one index text an operand @",
    ),
    (
        ShapeError,
        lambda: gc.einsum("ijk->i", X),
        "einsum: operand 0 has shape (4, 3) and 3 letters in 'ijk->i'; give one letter an axis @",
    ),
    (
        ShapeError,
        lambda: gc.einsum("ij->k", X),
        "einsum: result 'k' of spec 'ij->k' repeats or invents a letter; use letters of the operands once each @",
    ),
    (
        ShapeError,
        lambda: gc.einsum("i1->i", X),
        "einsum: spec 'i1->i' holds a character that is not a letter; write for example 'ij,jk->ik' @",
    ),
    (
        ShapeError,
        lambda: gc.einsum("i...->i", X),
        "einsum: spec 'i...->i' has an ellipsis that its result 'i' lacks; write ... there too @",
    ),
    (
        ShapeError,
        lambda: gc.einsum("ij,ik->jk", X, T[0]),
        "einsum: index 'a': sizes 4 and 3 differ; they must be equal @",
    ),
    (
        ShapeError,
        lambda: gc.einsum("ii->i", X),
        "einsum: an index that stands twice: sizes 4 and 3 differ; they must be equal @",
    ),
    (
        ShapeError,
        lambda: G.add("einsum", (X, X), spec="aa,ab->b"),
        "einsum: spec 'aa,ab->b' is not of the form 'ab,bc->ac' with no letter twice in one operand; write it so @",
    ),
    (
        ShapeError,
        lambda: G.add("einsum", (X,), spec="abc->a"),
        "einsum: operand 0 has rank 2 and its index 'abc' 3 letters; make them equal @",
    ),
    (
        ShapeError,
        lambda: G.add("einsum", (X,), spec="ab,bc->ac"),
        "einsum: spec 'ab,bc->ac' is for 2 operands and 1 are given; give one or two @",
    ),
    (
        DTypeError,
        lambda: G.add("einsum", (X, I), spec="ab,a->b"),
        "einsum: operands are float32 and int32; cast them to one number dtype with gc.cast @",
    ),
    (
        ShapeError,
        lambda: gc.tensordot(X, T, 3),
        "tensordot: axes=3 is out of range for ranks 2 and 3; give 0 to 2 @",
    ),
    (
        ShapeError,
        lambda: gc.tensordot(X, T, ((0, 1), (0,))),
        "tensordot: axes (0, 1) and (0,) differ in number; give pairs @",
    ),
    (
        ShapeError,
        lambda: gc.tensordot(X, T, (0, 0)),
        "tensordot: axis 0 of (4, 3) and axis 0 of (2, 3, 4) are summed together and their sizes differ; choose axes of equal size @",
    ),
    (
        ShapeError,
        lambda: gc.einsum(X, X),
        "einsum: spec <%0: f32[4,3] = input 'x'> is not a text; write for example 'ij,jk->ik' @",
    ),
    (
        GraphError,
        lambda: gc.einsum("ij->i", 3.0),
        "einsum: no operand is a node of a graph; start from g.input, g.param or g.const @",
    ),
    (
        ShapeError,
        lambda: gc.tensordot(wide(30), wide(30), 0),
        "tensordot: a contraction has more than 52 indices; contract fewer axes at once @",
    ),
    (
        ShapeError,
        lambda: scoped(),
        "hidden (matmul): shapes (4, 3) and (4, 3) do not fit: inner sizes 3 and 4 differ; make them equal or transpose one @",
    ),
]
