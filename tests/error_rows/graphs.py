"""Graphs: leaves, constants, operators of nodes, the networkx view, and the text form."""

# ruff: noqa: E501 - texts stand whole

import math

import numpy as np
import sympy

import graphc as gc
from graphc.errors import DTypeError, ExpressionError, GraphError, ShapeError, UnknownNameError

G = gc.Graph("net")
X = G.input("x", ("N", 64))
T = G.input("t", ("N",), dtype="int32")
K = G.input("k", (4,), dtype="int32")
W = G.param("w", (64, 10))
S = G.state("mean", (), init=0.0)
OTHER = gc.Graph("other").input("x", (3,))
FORM = '%0: f32[3] = input(name="x")\n'


def twice():
    g = gc.Graph()
    g.input("x")
    g.param("x", (3,))


ROWS = [
    (DTypeError, lambda: X + "a", "add: 'a' is no data; give a node, a real number or an array of them @"),
    (DTypeError, lambda: X * 1j, "mul: 1j is no data; give a node, a real number or an array of them @"),
    (
        DTypeError,
        lambda: X * np.ones(3, complex),
        "mul: dtype complex128 is not supported; use one of bool, int32, int64, float32, float64 @",
    ),
    (
        DTypeError,
        lambda: G.const(None),
        "const: None is no data; give a node, a real number or an array of them @",
    ),
    (
        DTypeError,
        lambda: G.const(np.array(["a"])),
        "const: an array of <U1 is no data; give a node, a real number or an array of them @",
    ),
    (
        DTypeError,
        lambda: G.const([[1, 2], [3]]),
        "const: [[1, 2], [3]] is no data; give a node, a real number or an array of them @",
    ),
    (
        GraphError,
        lambda: G.const(np.array([1.0, np.nan])),
        "const: constant [ 1. nan] is not finite; pass such values as an input @",
    ),
    (GraphError, lambda: X + np.inf, "add: constant inf is not finite; pass such values as an input @"),
    (
        DTypeError,
        lambda: K + 2**40,
        "const: 1099511627776 does not fit int32; use a float or a smaller number @",
    ),
    (GraphError, lambda: G.input("", (3,)), "input '': name '' is not a non-empty text; give one @"),
    (GraphError, lambda: G.input(3, (3,)), "input 3: name 3 is not a non-empty text; give one @"),
    (GraphError, lambda: twice(), "param 'x': name 'x' is used already (graphs.py:…); choose another name @"),
    (
        DTypeError,
        lambda: G.input("bad", dtype="float16"),
        "input 'bad': dtype 'float16' is not supported; use one of bool, int32, int64, float32, float64 @",
    ),
    (
        ShapeError,
        lambda: G.param("bad", ("N", 3)),
        "param 'bad': shape (N, 3) has a symbolic size; give ints @",
    ),
    (
        GraphError,
        lambda: G.param("bad", (3,), init=K),
        "param 'bad': init=<…> is a node; give an array or an initialiser, or read the node itself where a weight is "
        "shared @",
    ),
    (ShapeError, lambda: G.param("bad"), "param 'bad': a shape is missing; give shape= @"),
    (
        DTypeError,
        lambda: G.param("bad", (3,), init={"he": 1}),
        "param 'bad': {'he': 1} is no data; give a node, a real number or an array of them @",
    ),
    (
        ShapeError,
        lambda: G.param("bad", (3,), init=[1.0, 2.0]),
        "param 'bad': init has shape (2,) and the declaration (3,); make them equal @",
    ),
    (
        GraphError,
        lambda: gc.interpret(gc.Graph().param("w", (3,), init=np.zeros)),
        "param 'w': its initialiser <built-in function zeros> fails: …; give one of gc.init, an array, or a function of (generator, shape, dtype) @",
    ),
    (
        ShapeError,
        lambda: gc.interpret(gc.Graph().param("w", (2,), init=lambda generator, shape, dtype: np.zeros(3))),
        "param 'w': its initialiser gives shape (3,), not (2,); return the shape it is called with @",
    ),
    (
        GraphError,
        lambda: G.set_update(W, W),
        "param 'w': it is a param, not a state; update it with updates= of gc.compile @",
    ),
    (
        ShapeError,
        lambda: G.set_update(S, W),
        "state 'mean': update has shape (64, 10) and the value it replaces (); make them equal @",
    ),
    (
        GraphError,
        lambda: G.set_update(S, OTHER),
        "set_update: <%0: f32[3] = input 'x'> is not a node of graph 'net'; build both in one graph @",
    ),
    (
        GraphError,
        lambda: G["nothing"],
        "graph 'net' has no input, parameter or state 'nothing'; it has x, t, k, w, mean",
    ),
    (
        GraphError,
        lambda: gc.Graph()["nothing"],
        "graph 'graph' has no input, parameter or state 'nothing'; it has none",
    ),
    (
        GraphError,
        lambda: G.add("sofmax", (X,), axis=1),
        "sofmax: there is no op 'sofmax'; did you mean 'softmax'? @",
    ),
    (
        GraphError,
        lambda: G.add("zzzzzz", (X,)),
        "zzzzzz: there is no op 'zzzzzz'; gc.ops() lists the known ones @",
    ),
    (
        GraphError,
        lambda: G.add("relu", (OTHER,)),
        "relu: <%0: f32[3] = input 'x'> is not a node of graph 'net'; build both in one graph @",
    ),
    (
        GraphError,
        lambda: G.add("relu", (X,), slope=object()),
        "relu: a parameter is of type object; give numbers, texts, sizes, dtypes or tuples of them @",
    ),
    (GraphError, lambda: G.add("relu", (X, X)), "relu: 2 operands are given; give 1 @"),
    (
        DTypeError,
        lambda: G.add("add", (X, T)),
        "add: operands are float32 and int32; cast them to one dtype with gc.cast @",
    ),
    (
        DTypeError,
        lambda: G.add("sin", (T,)),
        "sin: operands are int32, not float32 or float64; cast them with gc.cast @",
    ),
    (
        GraphError,
        lambda: gc.elementwise("add", lambda z: z),
        "op 'add' is declared already; choose another name",
    ),
    (
        ExpressionError,
        lambda: gc.elementwise("mine", lambda z: sympy.Symbol("q") * z),
        "body of 'mine' uses unknown symbol q; use only its 1 operands",
    ),
    (
        ExpressionError,
        lambda: gc.elementwise("mine", lambda z: math.tanh(z)),
        "body of 'mine' gives no SymPy formula: …; use functions of sympy (not of graphc, numpy or math), and sympy.Piecewise for a choice",
    ),
    (
        ExpressionError,
        lambda: gc.elementwise("mine", lambda z: np.tanh(z)),
        "body of 'mine' gives no SymPy formula: …; use functions of sympy (not of graphc, numpy or math), and sympy.Piecewise for a choice",
    ),
    (
        ExpressionError,
        lambda: gc.elementwise("mine", lambda z: z * gc.sigmoid(z)),
        "body of 'mine' gives no SymPy formula: …; use functions of sympy (not of graphc, numpy or math), and sympy.Piecewise for a choice",
    ),
    (
        ExpressionError,
        lambda: gc.elementwise("mine", lambda z: z if z > 0 else 0),
        "body of 'mine' gives no SymPy formula: …; use functions of sympy (not of graphc, numpy or math), and sympy.Piecewise for a choice",
    ),
    (
        ExpressionError,
        lambda: gc.elementwise("mine", lambda z: sympy.tanhh(z)),
        "body of 'mine' gives no SymPy formula: …; use functions of sympy (not of graphc, numpy or math), and sympy.Piecewise for a choice",
    ),
    (UnknownNameError, lambda: gc.sigmoidd, "gc has no 'sigmoidd'; did you mean 'sigmoid'?"),
    (TypeError, lambda: gc.exp(X, X), "exp() takes 1 operand, not 2"),
    (TypeError, lambda: gc.add(X), "add() takes 2 operands, not 1"),
    (
        GraphError,
        lambda: X + OTHER,
        "add: operands belong to graphs 'net' and 'other'; build them in one graph @",
    ),
    (
        ShapeError,
        lambda: X + W,
        "add: shapes (N, 64) and (64, 10) do not broadcast (sizes that meet: sizes 64 and 10 differ; they must be equal); make the sizes equal or 1 @",
    ),
    (
        GraphError,
        lambda: gc.exp(3.0),
        "exp: no operand is a node of a graph; start from g.input, g.param or g.const",
    ),
    (DTypeError, lambda: gc.where(X, X, X), "where: condition is float32; compare it to get bool @"),
    (
        GraphError,
        lambda: bool(X),
        "input 'x': a symbolic value is neither true nor false while the graph is built; use gc.where(condition, a, b) @",
    ),
    (
        GraphError,
        lambda: list(X),
        "input 'x': a symbolic value cannot be iterated; index it, or use gc.split @",
    ),
    (
        GraphError,
        lambda: len(X),
        "input 'x': a value with no fixed first size has no len(); use its .shape @",
    ),
    (
        GraphError,
        lambda: np.cbrt(X),
        "input 'x': np.cbrt does not apply to a node in this form; use a function of graphc, or gc.interpret for a value @",
    ),
    (
        GraphError,
        lambda: np.add.outer(np.ones(3), X),
        "input 'x': np.add does not apply to a node in this form; use a function of graphc, or gc.interpret for a value @",
    ),
    (
        GraphError,
        lambda: G.nx.nodes[0].update(op="exp"),
        "a graph is append-only; build nodes with graphc's functions instead of writing attributes",
    ),
    (
        GraphError,
        lambda: gc.parse("#" * 10_000_001),
        "graph text has 10000001 characters, and 10000000 are read; give a smaller graph",
    ),
    (
        GraphError,
        lambda: gc.parse('%0: f32[3] = sofmax(name="x")'),
        "line 1: sofmax: there is no op 'sofmax'; did you mean 'softmax'? @",
    ),
    (
        GraphError,
        lambda: gc.parse("nonsense"),
        "line 1: 'nonsense' is not of the form '%1: f32[N] = op(%0)'; write it so",
    ),
    (
        GraphError,
        lambda: gc.parse("%0: f32[3] = relu(%1)"),
        "line 1: %1 is used before it is defined; define it on an earlier line",
    ),
    (
        GraphError,
        lambda: gc.parse("%0: f32[] = exp(3)"),
        "line 1: an operand is not a node; write operands such as %0, and parameters by name",
    ),
    (
        GraphError,
        lambda: gc.parse("%0: f32[] = exp(3"),
        "line 1: '%0: f32[] = exp(3' is not of the form '%1: f32[N] = op(%0)'; write it so",
    ),
    (
        GraphError,
        lambda: gc.parse("%0: f32[] = exp())((3)"),
        "line 1: '%0: f32[] = exp())((3)' does not read (SyntaxError); see the text form in the docs",
    ),
    (
        GraphError,
        lambda: gc.parse(FORM + '%1: f32[] = sum(%0, axes=open("f"))'),
        "line 2: \"open('f')\" is no parameter; write numbers, texts, tuples or dim, dtype, float, constant, body(...)",
    ),
    (
        GraphError,
        lambda: gc.parse(FORM + "%1: f32[4] = exp(%0)"),
        "line 2: %1 is declared f32[4], but exp gives f32[3]; correct the line",
    ),
    (
        GraphError,
        lambda: gc.parse(FORM + "%1: f32[3] = exp(%0).real"),
        "line 2: '%1: f32[3] = exp(%0).real' is not of the form '%1: f32[N] = op(%0)'; write it so",
    ),
    (
        GraphError,
        lambda: gc.parse(FORM + "%1: f32[3] = exp(%0).copy()"),
        "line 2: 'f(%0).copy()' is not one call; write a node as op(%0)",
    ),
    (
        GraphError,
        lambda: gc.parse("%0: f32[3] = input()"),
        "line 1: '%0: f32[3] = input()' does not read (KeyError); see the text form in the docs",
    ),
]
