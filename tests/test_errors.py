"""Every error of the public boundary: who says it, both values, and what to do.

One row an error. The first line is compared whole; errors about nodes also carry the user's line. Errors of structured
ops, formulas, layers and drawings have further rows beside their own tests.
"""

# ruff: noqa: E501 - texts stand whole
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy

import graphc as gc
from graphc.errors import GraphcError

G = gc.Graph("net")
X = G.input("x", ("N", 64))
T = G.input("t", ("N",), dtype="int32")
K = G.input("k", (4,), dtype="int32")
G.input("flexible", ("N", "M"))
G.input("s")
W = G.param("w", (64, 10))
S = G.state("mean", (), init=0.0)
LOSS = gc.losses.softmax_cross_entropy(X @ W, T)
OTHER = gc.Graph("other").input("x", (3,))
ROWS, LABELS = np.zeros((2, 64), "float32"), np.array([3, 9], "int32")


def programs() -> tuple[gc.Program, gc.Program, gc.Program, gc.Program]:
    h = gc.Graph("indexed")
    x, i = h.input("x", ("N", 3)), h.input("i", ("M",), "int32")
    z = h.input("z", ("2*K",))
    a, b = h.input("a", ("A",)), h.input("b", ("B",))
    small = {"taken": gc.take(x, i * 2, axis=0), "fixed": gc.take(x, np.array([3]), axis=0)}
    together = gc.concatenate([gc.reshape(a, ("A", 1)), gc.reshape(b, (a.shape[0], 1))], axis=1)
    updates = {W: W * 2, S: S + 1}
    return gc.compile({"loss": LOSS}, updates=updates), gc.compile(small), gc.compile(z), gc.compile(together)


P, Q, R, U = programs()

CASES: dict[str, list[tuple[Callable[[], Any], type[GraphcError], str]]] = {
    "data": [
        (
            lambda: X + "a",
            gc.errors.DTypeError,
            "add: 'a' is no data; give a node, a real number or an array of them",
        ),
        (
            lambda: X * 1j,
            gc.errors.DTypeError,
            "mul: 1j is no data; give a node, a real number or an array of them",
        ),
        (
            lambda: X * np.ones(3, complex),
            gc.errors.DTypeError,
            "mul: dtype dtype('complex128') is not supported; use one of bool, int32, int64, float32, float64",
        ),
        (
            lambda: G.const(None),
            gc.errors.DTypeError,
            "const: None is no data; give a node, a real number or an array of them",
        ),
        (
            lambda: G.param("he", (3,), init="he"),
            gc.errors.DTypeError,
            "param 'he': 'he' is no data; give a node, a real number or an array of them",
        ),
        (
            lambda: gc.nn.Dense(3)(3.0),
            gc.errors.GraphError,
            "Dense: 3.0 is not a node; apply the layer to a node of a graph",
        ),
    ],
    "a graph and its leaves": [
        (
            lambda: G.input("", (3,)),
            gc.errors.GraphError,
            "input '': name '' is not a non-empty text; give one",
        ),
        (lambda: G.input(3, (3,)), gc.errors.GraphError, "input 3: name 3 is not a non-empty text; give one"),
        (
            lambda: G.input("bad", (-1,)),
            gc.errors.ShapeError,
            "input 'bad': size -1 in shape (-1,) is negative; sizes are at least 0",
        ),
        (
            lambda: G.input("bad", (2.5,)),
            gc.errors.SizeError,
            "input 'bad': 2.5 is no size; give an int, a name such as 'N' or a Size",
        ),
        (
            lambda: G.input("bad", ("n!",)),
            gc.errors.SizeError,
            "input 'bad': 'n!' cannot be read as a size; write for example '2*N + 1'",
        ),
        (
            lambda: G.input("bad", dtype="float16"),
            gc.errors.DTypeError,
            "input 'bad': dtype 'float16' is not supported; use one of bool, int32, int64, float32, float64",
        ),
        (
            lambda: G.param("bad", ("N", 3)),
            gc.errors.ShapeError,
            "param 'bad': shape (N, 3) has a symbolic size; give ints",
        ),
        (lambda: G.param("bad"), gc.errors.ShapeError, "param 'bad': a shape is missing; give shape="),
        (
            lambda: G.const(np.array([1.0, np.nan])),
            gc.errors.GraphError,
            "const: constant [ 1. nan] is not finite; pass such values as an input",
        ),
        (
            lambda: G.set_update(W, W),
            gc.errors.GraphError,
            "param 'w' is a param; only a state has an attached update",
        ),
        (
            lambda: G.set_update(S, W),
            gc.errors.ShapeError,
            "state 'mean': update has shape (64, 10) and the value it replaces (); make them equal",
        ),
        (
            lambda: G["nothing"],
            gc.errors.GraphError,
            "graph 'net' has no input, parameter or state 'nothing'; it has x, t, k, flexible, s, w, mean",
        ),
        (
            lambda: G.add("sofmax", (X,), axis=1),
            gc.errors.GraphError,
            "sofmax: there is no op 'sofmax'; did you mean 'softmax'?",
        ),
        (
            lambda: G.add("relu", (OTHER,)),
            gc.errors.GraphError,
            "relu: <%0: f32[3] = input 'x'> is not a node of graph 'net'; build both in one graph",
        ),
    ],
    "operators and handles": [
        (
            lambda: X + OTHER,
            gc.errors.GraphError,
            "add: operands belong to graphs 'net' and 'other'; build them in one graph",
        ),
        (
            lambda: X + W,
            gc.errors.ShapeError,
            "add: shapes (N, 64) and (64, 10) do not broadcast (sizes that meet: sizes 64 and 10 differ; they must be equal); make the sizes equal or 1",
        ),
        (
            lambda: list(X),
            gc.errors.GraphError,
            "input 'x': a symbolic value cannot be iterated; index it, or use gc.split",
        ),
        (
            lambda: len(X),
            gc.errors.GraphError,
            "input 'x': a value with no fixed first size has no len(); use its .shape",
        ),
        (
            lambda: K + 2**40,
            gc.errors.DTypeError,
            "const: 1099511627776 does not fit int32; use a float or a smaller number",
        ),
        (
            lambda: gc.exp(3.0),
            gc.errors.GraphError,
            "exp: no operand is a node of a graph; start from g.input, g.param or g.const",
        ),
        (
            lambda: gc.where(X, X, X),
            gc.errors.DTypeError,
            "where: condition is float32; compare it to get bool",
        ),
        (
            lambda: X[5:2:0],
            gc.errors.ShapeError,
            "index: step 0 of axis 0 is no stride; give an int other than 0",
        ),
        (
            lambda: X[0, 0, 0],
            gc.errors.ShapeError,
            "index: 3 entries and 0 ellipses do not fit shape (N, 64); give at most 2 and one",
        ),
        (lambda: gc.take(X, X), gc.errors.DTypeError, "take: indices are float32; give int32 or int64"),
    ],
    "derivatives": [
        (
            lambda: gc.grad(X),
            gc.errors.DifferentiationError,
            "input 'x': a loss is a floating scalar, not f32[N,64] of shape (N, 64); reduce it with gc.sum or gc.mean, or use gc.vjp or gc.jacobian",
        ),
        (lambda: gc.grad(LOSS, []), gc.errors.DifferentiationError, "wrt is empty; name at least one node"),
        (
            lambda: gc.grad(LOSS, "w"),
            gc.errors.GraphError,
            "wrt 'w' is not a node of graph 'net'; give nodes of that graph",
        ),
        (
            lambda: gc.grad(LOSS, OTHER),
            gc.errors.GraphError,
            "wrt <%0: f32[3] = input 'x'> is not a node of graph 'net'; give nodes of that graph",
        ),
        (
            lambda: gc.grad(LOSS, T),
            gc.errors.DifferentiationError,
            "input 't': it is what is differentiated by but is int32; only float32 and float64 have derivatives",
        ),
        (
            lambda: gc.vjp(X, W, X),
            gc.errors.ShapeError,
            "broadcast_to: broadcast of (64, 10) to (N, 64): sizes 10 and 64 differ; they must be equal",
        ),
        (
            lambda: gc.jvp(X, {T: X}),
            gc.errors.DifferentiationError,
            "input 't': it is what is differentiated by but is int32; only float32 and float64 have derivatives",
        ),
        (
            lambda: gc.jacobian(LOSS, T),
            gc.errors.DifferentiationError,
            "input 't': it is what is differentiated by but is int32; only float32 and float64 have derivatives",
        ),
        (
            lambda: gc.check_gradients(LOSS, wrt=[T], x=[[0.0] * 64], t=[1]),
            gc.errors.DifferentiationError,
            "input 't': it is what is differentiated by but is int32; only float32 and float64 have derivatives",
        ),
    ],
    "compiling": [
        (
            lambda: gc.compile(),
            gc.errors.GraphError,
            "there is nothing to compile; give outputs or updates of one graph",
        ),
        (
            lambda: gc.compile({}),
            gc.errors.GraphError,
            "there is nothing to compile; give outputs or updates of one graph",
        ),
        (
            lambda: gc.compile(3),
            gc.errors.GraphError,
            "outputs 3 are no mapping; give nodes by name, such as {'y': y}, and updates by parameter",
        ),
        (
            lambda: gc.compile({"y": 3}),
            gc.errors.GraphError,
            "3 is not a node; give nodes of a graph, by name",
        ),
        (
            lambda: gc.compile([X]),
            gc.errors.GraphError,
            "outputs [<%0: f32[N,64] = input 'x'>] are no mapping; give nodes by name, such as {'y': y}, and updates by parameter",
        ),
        (
            lambda: gc.compile({"y": X, "z": OTHER}),
            gc.errors.GraphError,
            "nodes belong to 2 graphs; give outputs or updates of one graph",
        ),
        (
            lambda: gc.compile({"y": X}, updates={X: X}),
            gc.errors.GraphError,
            "input 'x': it cannot be updated; give parameters and states",
        ),
        (
            lambda: gc.compile({"y": X}, updates={W: LOSS}),
            gc.errors.ShapeError,
            "param 'w': update has shape () and the value it replaces (64, 10); make them equal",
        ),
        (
            lambda: gc.compile({"y": X}, updates={W: gc.cast(W, "float64")}),
            gc.errors.DTypeError,
            "param 'w': update is float64 and the value it replaces float32; cast it with gc.cast",
        ),
        (
            lambda: gc.compile({"y": X}, updates={W: 3.0}),
            gc.errors.GraphError,
            "3.0 is not a node; give nodes of a graph, by name",
        ),
        (
            lambda: gc.compile({"y": X}, updates={"w": W}),
            gc.errors.GraphError,
            "'w' is not a node; give nodes of a graph, by name",
        ),
        (
            lambda: gc.compile({"y": X}, mode="test"),
            gc.errors.GraphError,
            "mode 'test' is neither 'train' nor 'eval'; give one of them",
        ),
        (
            lambda: gc.compile({"y": W}, params=3),
            gc.errors.InputError,
            "params 3 are no mapping; give another program's .params or arrays by name",
        ),
        (
            lambda: gc.compile({"y": W}, params={"w": np.zeros(3, "float32")}),
            gc.errors.InputError,
            "parameter 'w': shape (3,) does not fit (64, 10); give values of f32[64,10]",
        ),
        (
            lambda: gc.compile({"y": W}, params={"w": np.zeros((64, 10), "complex128")}),
            gc.errors.InputError,
            "parameter 'w': dtype complex128 does not fit float32; give values of f32[64,10]",
        ),
        (
            lambda: gc.compile({"y": gc.take(W, np.array([3, 64]), axis=0)}),
            gc.errors.InputError,
            "take %2: index 64 is out of range for size 64; give larger inputs or other indices",
        ),
    ],
    "calls": [
        (lambda: P(), gc.errors.InputError, "input 'x': it is missing; give an array of f32[N,64]"),
        (lambda: P(x=ROWS), gc.errors.InputError, "input 't': it is missing; give an array of i32[N]"),
        (
            lambda: P(x=ROWS, t=LABELS, z=3),
            gc.errors.InputError,
            "input 'z': there is no such input; the inputs are 'x', 't'",
        ),
        (
            lambda: P(X=ROWS, t=LABELS),
            gc.errors.InputError,
            "input 'X': there is no such input; the inputs are 'x', 't'",
        ),
        (
            lambda: P(x=ROWS[0], t=LABELS),
            gc.errors.InputError,
            "input 'x': shape (64,) does not fit (N, 64): it has 1 axes, not 2; give f32[N,64]",
        ),
        (
            lambda: P(x=ROWS[:, :3], t=LABELS),
            gc.errors.InputError,
            "input 'x': shape (2, 3) does not fit (N, 64): axis 1 is 3, not 64; give f32[N,64]",
        ),
        (
            lambda: P(x=ROWS[:1], t=LABELS),
            gc.errors.InputError,
            "input 't': shape (2,) does not fit (N,): axis 0 is 2, but N is 1 by input 'x'; give i32[N]",
        ),
        (
            lambda: P(x=ROWS.astype("float64"), t=LABELS),
            gc.errors.InputError,
            "input 'x': dtype float64 does not fit float32; cast it with .astype('float32')",
        ),
        (
            lambda: P(x=ROWS.astype("complex64"), t=LABELS),
            gc.errors.InputError,
            "input 'x': dtype complex64 does not fit float32; give numbers of float32",
        ),
        (
            lambda: P(x="text", t=LABELS),
            gc.errors.InputError,
            "input 'x': dtype <U4 does not fit float32; give numbers of float32",
        ),
        (
            lambda: P(x=X, t=LABELS),
            gc.errors.InputError,
            "input 'x': a Handle is not plain data; give an array of f32[N,64]",
        ),
        (
            lambda: P(x=np.ma.masked_array(ROWS), t=LABELS),
            gc.errors.InputError,
            "input 'x': a MaskedArray is not plain data; give an array of f32[N,64]",
        ),
        (
            lambda: P(x=ROWS, t=LABELS.astype("float32")),
            gc.errors.InputError,
            "input 't': dtype float32 does not fit int32; cast it with .astype('int32')",
        ),
        (
            lambda: P(x=ROWS, t=[1, 2**40]),
            gc.errors.InputError,
            "input 't': value 1099511627776 does not fit int32; give smaller values or declare a wider dtype",
        ),
        (
            lambda: P(x=ROWS, t=np.array([0, 10], "int32")),
            gc.errors.InputError,
            "input 't': index 10 is out of range for size 10; give -10 to 9",
        ),
        (
            lambda: P(x=ROWS, t=np.array([-11, 0], "int32")),
            gc.errors.InputError,
            "input 't': index -11 is out of range for size 10; give -10 to 9",
        ),
        (
            lambda: Q(x=np.zeros((0, 3), "float32"), i=[1]),
            gc.errors.InputError,
            "take %4: index 0 is out of range for size 0; give larger inputs or other indices",
        ),
        (
            lambda: Q(x=np.zeros((3, 3), "float32"), i=[1]),
            gc.errors.InputError,
            "take %6: index 3 is out of range for size 3; give larger inputs or other indices",
        ),
        (
            lambda: R(z=np.zeros(5, "float32")),
            gc.errors.InputError,
            "input 'z': 2*K cannot be 5; give a size that solves 2*K = 5",
        ),
        (
            lambda: U(a=np.zeros(5, "float32"), b=np.zeros(4, "float32")),
            gc.errors.InputError,
            "reshape %11: element counts of (B,) and (A, 1): B is 4 and A is 5; give inputs for which they are equal",
        ),
    ],
    "parameters": [
        (
            lambda: P.params.__setitem__("w", np.zeros(3)),
            gc.errors.InputError,
            "parameter 'w': shape (3,) does not fit (64, 10); give values of f32[64,10]",
        ),
        (
            lambda: P.params.__setitem__("w", np.zeros((64, 10), "complex64")),
            gc.errors.InputError,
            "parameter 'w': dtype complex64 does not fit float32; cast it first",
        ),
        (
            lambda: P.params.__delitem__("w"),
            gc.errors.InputError,
            "parameter 'w': it cannot be removed, kernels read it; assign to it instead",
        ),
    ],
    "layers, losses, optimisers": [
        (lambda: gc.nn.Dense(0), gc.errors.GraphError, "Dense: units=0; give an integer of at least 1"),
        (lambda: gc.nn.Dense(2.5), gc.errors.GraphError, "Dense: units=2.5; give an integer of at least 1"),
        (
            lambda: gc.nn.Dense(3, activation="rleu"),
            gc.errors.GraphError,
            "there is no activation 'rleu'; did you mean 'relu'?",
        ),
        (
            lambda: gc.nn.Dense(3, name=""),
            gc.errors.GraphError,
            "Dense: name is empty; give a text or leave it out",
        ),
        (
            lambda: gc.nn.Dense(3)(G["flexible"]),
            gc.errors.ShapeError,
            "dense (Dense): input of shape (N, M) has a symbolic number of features; its last axis must be an int",
        ),
        (
            lambda: gc.nn.Sequential(3),
            gc.errors.GraphError,
            "Sequential: 3 is not a layer; give callables on handles or names of activations",
        ),
        (
            lambda: gc.losses.softmax_cross_entropy(X, G["s"]),
            gc.errors.ShapeError,
            "softmax_cross_entropy: probabilities of shape () beside a value of shape (N, 64); give shape (N, 64), or class indices of an integer dtype",
        ),
        (
            lambda: gc.optim.SGD(-1),
            gc.errors.GraphError,
            "SGD: learning_rate=-1; give a finite number of at least 0",
        ),
        (
            lambda: gc.optim.SGD("fast"),
            gc.errors.GraphError,
            "SGD: learning_rate='fast'; give a finite number of at least 0",
        ),
        (
            lambda: gc.optim.SGD(0.1)({}),
            gc.errors.GraphError,
            "SGD: {} is no {parameter: gradient}; give gc.grad(loss)",
        ),
        (
            lambda: gc.optim.SGD(0.1)({X: X}),
            gc.errors.GraphError,
            "SGD: input 'x' is no parameter; only parameters and states are updated",
        ),
        (
            lambda: gc.optim.SGD(0.1)({W: LOSS}),
            gc.errors.ShapeError,
            "param 'w': update has shape () and the value it replaces (64, 10); make them equal",
        ),
        (
            lambda: gc.optim.SGD(0.1)({W: 3}),
            gc.errors.GraphError,
            "SGD: gradient 3 of param 'w' is no node; give gc.grad(loss)",
        ),
        (lambda: gc.optim.SGD(0.1)({"w": W}), gc.errors.GraphError, "SGD: 'w' is no parameter; give handles"),
    ],
    "drawings": [
        (
            lambda: gc.draw(3),
            gc.errors.DrawError,
            "cannot draw int; give a node, several nodes, a graph, a cone or a program",
        ),
        (
            lambda: gc.draw(X, view="sideways"),
            gc.errors.DrawError,
            "view 'sideways' is unknown; use one of forward, backward, both, kernels",
        ),
        (
            lambda: gc.draw(X, view="kernels"),
            gc.errors.DrawError,
            "cannot draw the kernels of Handle; compile it first and draw the program",
        ),
        (
            lambda: gc.draw([X, OTHER]),
            gc.errors.DrawError,
            "the nodes to draw belong to 2 graphs; draw nodes of one graph",
        ),
        (
            lambda: gc.draw({}),
            gc.errors.DrawError,
            "cannot draw dict; give a node, several nodes, a graph, a cone or a program",
        ),
    ],
    "text and networks": [
        (
            lambda: gc.parse('%0: f32[3] = inptu(name="x")'),
            gc.errors.GraphError,
            "line 1: inptu: there is no op 'inptu'; did you mean 'rint'?",
        ),
        (
            lambda: gc.parse("nonsense"),
            gc.errors.GraphError,
            "line 1: 'nonsense' is not of the form '%1: f32[N] = op(%0)'; write it so",
        ),
        (
            lambda: gc.parse("%0: f32[3] = relu(%1)"),
            gc.errors.GraphError,
            "line 1: %1 is used before it is defined; define it on an earlier line",
        ),
        (
            lambda: gc.from_networkx(3),
            gc.errors.GraphError,
            "network 'graph': int is not a directed networkx graph; use a networkx.DiGraph",
        ),
        (
            lambda: gc.interpret(3),
            gc.errors.GraphError,
            "3 cannot be interpreted; give a node, nodes by name, a cone or a graph",
        ),
        (
            lambda: gc.interpret(X, mode="test", x=ROWS),
            gc.errors.InputError,
            "mode 'test' is unknown; use 'train' or 'eval'",
        ),
        (
            lambda: gc.interpret({"y": 3}),
            gc.errors.GraphError,
            "target 'y' is 3, not a node; give nodes of a graph",
        ),
        (
            lambda: gc.interpret([X, OTHER]),
            gc.errors.GraphError,
            "the targets belong to 2 graphs; give nodes of one graph",
        ),
        (
            lambda: gc.elementwise("add", lambda z: z),
            gc.errors.GraphError,
            "op 'add' is declared already; choose another name",
        ),
        (
            lambda: gc.elementwise("mine", lambda z: sympy.Symbol("q") * z),
            gc.errors.ExpressionError,
            "body of 'mine' uses unknown symbol q; use only its 1 operands",
        ),
    ],
}


ROWS_OF_CASES = [(title, *case) for title, cases in CASES.items() for case in cases]


@pytest.mark.parametrize(
    ("title", "act", "kind", "text"),
    ROWS_OF_CASES,
    ids=[f"{r[2].__name__}: {r[3][:50]}" for r in ROWS_OF_CASES],
)
def test_every_error_says_what_is_wrong_and_what_to_do(
    title: str, act: Any, kind: type[GraphcError], text: str
) -> None:
    with pytest.raises(GraphcError) as caught:
        act()
    assert type(caught.value) is kind
    assert str(caught.value).splitlines()[0] == text
    assert ";" in text, title


AT_THE_USERS_LINE = [
    lambda: X + W,
    lambda: X[5:2:0],
    lambda: G.param("other", ("N", 3)),
    lambda: gc.grad(X),
    lambda: gc.compile({"y": X}, updates={W: LOSS}),
    lambda: P(x=ROWS, t=np.array([0, 10], "int32")),
    lambda: Q(x=np.zeros((3, 3), "float32"), i=[1]),
    lambda: U(a=np.zeros(5, "float32"), b=np.zeros(4, "float32")),
]


@pytest.mark.parametrize("act", AT_THE_USERS_LINE)
def test_errors_about_nodes_carry_the_users_line(act: Any) -> None:
    with pytest.raises(GraphcError, match=r'declared at File ".*test_errors.py", line \d+'):
        act()


@pytest.mark.parametrize(
    "inputs",
    [
        {"x": ROWS},
        {"x": ROWS[0], "t": LABELS},
        {"x": ROWS[:1], "t": LABELS},
        {"x": ROWS.astype("float64"), "t": LABELS},
        {"x": ROWS, "t": LABELS, "u": 3},
        {"x": ROWS, "t": np.array([0, 10], "int32")},
        {"x": ROWS, "t": np.array([-11, 0], "int32")},
        {"x": np.zeros((3, 64), "float32"), "t": np.array([0, 1, 1000], "int32")},
    ],
)
def test_a_refused_call_changes_nothing(inputs: dict[str, Any]) -> None:
    P(x=ROWS, t=LABELS)
    before = {name: value.tobytes() for name, value in (*P.params.items(), *P.states.items())}
    with pytest.raises(GraphcError):
        P(**inputs)
    assert {name: value.tobytes() for name, value in (*P.params.items(), *P.states.items())} == before
    P(x=ROWS, t=LABELS)
    assert float(P.states["mean"]) == np.frombuffer(before["mean"], "float32")[0] + 1


def test_parameters_that_a_program_does_not_have() -> None:
    with pytest.raises(KeyError, match="'nothing'; there are w"):
        P.params["nothing"]
    with pytest.raises(KeyError, match="'nothing'; there are w"):
        P.params["nothing"] = 3
    with pytest.raises(
        gc.errors.InputError, match="parameter 'v': graph 'net' has no such parameter; give some of w"
    ):
        gc.compile({"y": W}, params={"v": np.zeros(3)})


def test_a_parameter_refuses_what_does_not_fit_and_keeps_its_values() -> None:
    before = P.params["w"].tobytes()
    for wrong in (np.zeros(3), np.zeros((64, 10), "complex64"), "text"):
        with pytest.raises(gc.errors.InputError):
            P.params["w"] = wrong
    assert P.params["w"].tobytes() == before


def test_computed_indices_out_of_range_stay_inside() -> None:
    """Nobody can check them ahead; no kernel leaves its memory, and whatever is in range is right."""
    g = gc.Graph("computed")
    x, i, m = g.input("x", (5, 300)), g.input("i", ("M",), "int32"), g.input("m", ("M",), "bool")
    k = g.param("k", (2,), "int64", init=np.array([3, 900]))
    far = i * 1000
    outputs = {
        "take": gc.take(x, far, axis=0),
        "where": gc.take(x, gc.where(m, i, 0), axis=0),
        "padded": gc.take(x, gc.pad(i, ((0, 1),), constant_values=9**9), axis=0),
        "along": gc.take_along_axis(x, gc.broadcast_to(gc.sum(far), (5, 1)), axis=1),
        "scatter": gc.scatter_add(gc.take(x, i, axis=0), far - 2000, size=4),
        "param": gc.take(x, k, axis=0),
        "hot": gc.one_hot(far, 4),
        "nested": gc.take(x, gc.take(far, gc.argmax(i, axis=0)), axis=0),
    }
    program = gc.compile(outputs)
    rows = np.arange(1500, dtype="float32").reshape(5, 300)
    found = program(x=rows, i=np.array([0, 2, -4], "int32"), m=np.array([False, True, False]))
    assert all(
        np.isin(found[name], rows).all() for name in ("take", "where", "padded", "along", "param", "nested")
    )
    np.testing.assert_array_equal(found["where"], rows[[0, 2, 0]])
    np.testing.assert_array_equal(found["param"][0], rows[3])
    np.testing.assert_array_equal(found["hot"], np.eye(4, dtype="float32")[[0]].tolist() + [[0] * 4] * 2)


def test_constant_indices_are_checked_when_the_size_is_known() -> None:
    g = gc.Graph("constant indices")
    x = g.input("x", ("N", 3))
    program = gc.compile({"y": gc.take(x, np.array([1, -2]), axis=0), "one": gc.take(x, 2, axis=0)})
    rows = np.arange(9, dtype="float32").reshape(3, 3)
    np.testing.assert_array_equal(program(x=rows)["y"], rows[[1, -2]])
    for count in (0, 1, 2):
        with pytest.raises(
            gc.errors.InputError,
            match=f"index 2 is out of range for size {count}|index 1 is out of range for size {count}",
        ):
            program(x=rows[:count])
