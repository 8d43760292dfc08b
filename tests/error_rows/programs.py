"""What is compiled and what is interpreted."""

# ruff: noqa: E501 - texts stand whole

import json
import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import sympy
from safetensors.numpy import save_file

import graphc as gc
from graphc import registry
from graphc.errors import CheckpointError, ExpressionError, GraphError, InputError, ShapeError, SizeError
from graphc.graph import FUNCTIONS
from graphc.ops.elementwise import Scalar, make_op

G = gc.Graph("net")
X = G.input("x", ("N", 64))
T = G.input("t", ("N",), dtype="int32")
W = G.param("w", (64, 10))
LOSS = gc.losses.softmax_cross_entropy(X @ W, T)
OTHER = gc.Graph("other").input("x", (3,))
IMAGES = np.zeros((2, 64), "float32")


def leaf(*shape, dtype="float32", name="x"):
    return gc.Graph("leaf").input(name, shape, dtype)


def shrunk():
    """A value whose size is negative at this call."""
    x = leaf("N")
    gc.interpret(gc.broadcast_to(x.graph.const(1.0), (x.shape[0] - 5,)), x=[1, 2, 3])


def misinformed():
    """An op whose reference gives another dtype than its rule."""
    scalar = Scalar(name="wrong", arity=1, body=lambda x: x)
    op = make_op(scalar, reference=lambda operands, params, kind: operands[0].astype("float64"))
    with patch.dict(registry._OPS, {"wrong": op}):
        x = leaf()
        gc.interpret(x.graph.add("wrong", (x,)), x=1)


def body(formula):
    """A program of an op from this body."""
    with patch.dict(registry._OPS), patch.dict(FUNCTIONS):
        gc.compile(gc.elementwise("mine", formula)(leaf(3)))


def loaded(**said):
    """A program read from a file that says this of it."""
    program = {
        "graph": str(LINE),
        "outputs": {"y": 1},
        "updates": [],
        "mode": "eval",
        "stabilise": True,
        "name": "line",
        "graph_name": "line",
    }
    text = json.dumps({"format": 1, "position": {}, "states": [], "program": {**program, **said}})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "line"
        save_file({"w": np.ones(3, "float32")}, path, {"graphc": text})
        return gc.load(path)


LINE = gc.Graph("line")
LINE.param("w", (3,))
LINE.add("exp", (LINE.handle(0),))


def too_long():
    with patch("graphc.program.saved.LIMIT", 10):
        gc.compile({"y": LINE.handle(1)}).save("nowhere")


ROWS = [
    (
        CheckpointError,
        lambda: loaded(mode=3),
        "checkpoint '…': it holds no program; give a file that Program.save wrote",
    ),
    (
        CheckpointError,
        lambda: loaded(outputs={"y": 2}),
        "checkpoint '…': its program does not read (2 is no node); save it anew",
    ),
    (
        CheckpointError,
        lambda: loaded(graph="%0: f32[3] = nonsense()"),
        "checkpoint '…': its program does not read (…); save it anew",
    ),
    (
        CheckpointError,
        too_long,
        "program 'line': its graph is 49 characters as text, of which 10 are read again; make large constants parameters or inputs",
    ),
    (GraphError, lambda: gc.compile(), "there is nothing to compile; give outputs or updates of one graph"),
    (
        GraphError,
        lambda: gc.compile(3),
        "outputs 3 are no mapping; give nodes by name, such as {'y': y}, and updates by parameter",
    ),
    (GraphError, lambda: gc.compile({"y": 3}), "output 'y' is 3, not a node; give nodes of a graph"),
    (
        GraphError,
        lambda: gc.compile([X]),
        "outputs [<%0: f32[N,64] = input 'x'>] are no mapping; give nodes by name, such as {'y': y}, and updates by parameter",
    ),
    (
        GraphError,
        lambda: gc.compile({"y": X}, updates=[W]),
        "updates [<%2: f32[64,10] = param 'w'>] are no mapping; give nodes by name, such as {'y': y}, and updates by parameter",
    ),
    (
        GraphError,
        lambda: gc.compile(updates=gc.grad(gc.sum(X @ W))),
        "updates: gradients are no next values; give those of an optimiser, as in gc.optim.SGD(0.1)(gc.grad(loss))",
    ),
    (
        GraphError,
        lambda: gc.compile(updates=gc.optim.SGD(0.5)),
        "updates: SGD(weight_decay=None, learning_rate=0.5) are no next values; give those of an optimiser, as in gc.optim.SGD(0.1)(gc.grad(loss))",
    ),
    (
        GraphError,
        lambda: gc.compile({"y": X, "z": OTHER}),
        "nodes belong to 2 graphs; give outputs or updates of one graph",
    ),
    (
        GraphError,
        lambda: gc.compile({"y": X}, updates={X: X}),
        "input 'x': it cannot be updated; give parameters and states @",
    ),
    (
        ShapeError,
        lambda: gc.compile({"y": X}, updates={W: LOSS}),
        "param 'w': update has shape () and the value it replaces (64, 10); make them equal @",
    ),
    (
        GraphError,
        lambda: gc.compile({"y": X}, updates={W: 3.0}),
        "the update of param 'w' is 3.0, not a node; give nodes of a graph",
    ),
    (
        GraphError,
        lambda: gc.compile({"y": X}, updates={"w": W}),
        "what is updated is 'w', not a node; give nodes of a graph",
    ),
    (
        GraphError,
        lambda: gc.compile({"y": X}, mode="test"),
        "mode 'test' is neither 'train' nor 'eval'; give one of them",
    ),
    (
        SizeError,
        lambda: gc.compile(leaf("__tiles1", 3) * 2),
        "input 'x': size '__tiles1' has a name kept for kernels; choose one without '__tiles' @",
    ),
    (
        InputError,
        lambda: gc.compile({"y": W}, params=3),
        "params 3 are no mapping; give another program's .params or arrays by name",
    ),
    (
        InputError,
        lambda: gc.compile({"y": W}, params={"v": np.zeros(3)}),
        "parameter 'v': graph 'net' has no such parameter; give some of w",
    ),
    (
        InputError,
        lambda: gc.compile({"y": W}, params={"w": np.zeros(3, "float32")}),
        "parameter 'w': shape (3,) does not fit (64, 10); give values of f32[64,10]",
    ),
    (
        InputError,
        lambda: gc.compile({"y": W}, params={"w": np.zeros((64, 10), "complex128")}),
        "parameter 'w': dtype complex128 does not fit float32; give values of f32[64,10]",
    ),
    (
        InputError,
        lambda: gc.compile({"y": gc.take(W, np.array([3, 64]), axis=0)}),
        "take %…: index 64 is out of range for size 64; give larger inputs or other indices @",
    ),
    (
        GraphError,
        lambda: gc.interpret(3),
        "3 cannot be interpreted; give a node, nodes by name, a cone or a graph",
    ),
    (
        InputError,
        lambda: gc.interpret(X, mode="test", x=IMAGES),
        "mode 'test' is unknown; use 'train' or 'eval'",
    ),
    (GraphError, lambda: gc.interpret({"y": 3}), "target 'y' is 3, not a node; give nodes of a graph"),
    (GraphError, lambda: gc.interpret([X, 3]), "target '1' is 3, not a node; give nodes of a graph"),
    (GraphError, lambda: gc.interpret([]), "there is nothing to interpret; give nodes of one graph"),
    (GraphError, lambda: gc.interpret([X, OTHER]), "the targets belong to 2 graphs; give nodes of one graph"),
    (
        GraphError,
        lambda: gc.interpret(X, params={OTHER: 1}),
        "<%0: f32[3] = input 'x'> is not an input, parameter or state of graph 'net'; give one of its leaves",
    ),
    (
        SizeError,
        lambda: gc.interpret(gc.broadcast_to(gc.Graph().const(1.0), ("K",))),
        "broadcast_to %…: size K has no value; give an input with an axis of that size @",
    ),
    (
        InputError,
        lambda: gc.interpret(gc.take(leaf(3), 5, axis=0), x=[1, 2, 3]),
        "take %…: index 5 is out of bounds …; give inputs that fit @",
    ),
    (
        InputError,
        lambda: gc.interpret(leaf("N")[:7], x=[1, 2, 3]),
        "slice %…: slice of axis 0, upper end: N is 3 and 7 is 7; give inputs for which the first is at least the second @",
    ),
    (
        InputError,
        lambda: shrunk(),
        "broadcast_to %…: its shape (N - 5,) would be (-2,); sizes are at least 0, give larger inputs @",
    ),
    (
        GraphError,
        lambda: misinformed(),
        "wrong %…: the reference of wrong gives float64[] where f32[] is inferred; mend the op @",
    ),
    (ExpressionError, lambda: body(lambda z: sympy.gamma(z)), "function gamma has no kernel; use one of …"),
    (
        ExpressionError,
        lambda: body(lambda z: sympy.nan),
        "constant nan is not finite; pass such values as an operand",
    ),
    (
        ExpressionError,
        lambda: body(lambda z: z - z + sympy.oo),
        "constant oo is not finite; pass such values as an operand",
    ),
    (
        ExpressionError,
        lambda: body(lambda z: sympy.Piecewise((z, z > 0))),
        "Piecewise((x, x > 0)) has no branch for every input; end it with (value, True)",
    ),
]
