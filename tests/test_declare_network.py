"""Networks declared in plain networkx."""

import networkx
import numpy as np
import pytest
import sympy

import graphc as gc
from graphc.errors import ExpressionError, GraphError, ShapeError

W, B, LAMBDA, X, Y = 0.5, -0.25, 0.1, 1.5, 1.0


def neuron(*, text: bool = False, sigmoid: str = "1/(1 + exp(-z))") -> networkx.DiGraph:
    """S6: L = (y - sigmoid(w x + b))^2 / 2 + lambda w^2."""
    dag = networkx.DiGraph(name="neuron")
    dag.add_nodes_from(["x", "y"], op="input", dtype="float64")
    dag.add_node("w", op="param", init=W, dtype="float64")
    dag.add_node("b", op="param", init=B, dtype="float64")
    dag.add_node("lambda", op="const", value=LAMBDA, dtype="float64")
    formulas = {"z": "w*x + b", "u": sigmoid, "l": "(y - u)**2/2", "r": "w**2", "L": "l + 'lambda'*r"}
    parents = {"z": "w x b", "u": "z", "l": "y u", "r": "w", "L": "l lambda r"}
    symbols = {name: sympy.Symbol(name) for name in (*dag, *formulas)}
    for name, formula in formulas.items():
        readable = sympy.sympify(formula.replace("'lambda'", "lam"), {**symbols, "lam": symbols["lambda"]})
        dag.add_node(name, expr=formula if text else readable)
        dag.add_edges_from((parent, name) for parent in parents[name].split())
    return dag


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("sigmoid", ["1/(1 + exp(-z))", "sigmoid(z)"])
def test_single_neuron_values_and_gradients(text, sigmoid):
    if sigmoid == "sigmoid(z)" and not text:
        sigmoid = "Function('sigmoid')(z)"
    net = gc.from_networkx(neuron(text=text, sigmoid=sigmoid))
    assert net.graph.name == "neuron"
    assert list(net.outputs) == ["L"]
    grads = gc.grad(net["L"], [net["w"], net["b"]])
    wanted = {name: net[name] for name in "zulrL"} | {"dw": grads[net["w"]], "db": grads[net["b"]]}
    found = gc.interpret(wanted, x=X, y=Y)
    z = W * X + B
    u = 1 / (1 + np.exp(-z))
    expected = {
        "z": z, "u": u, "l": (Y - u) ** 2 / 2, "r": W**2, "L": (Y - u) ** 2 / 2 + LAMBDA * W**2,
        "dw": (u - Y) * u * (1 - u) * X + 2 * LAMBDA * W, "db": (u - Y) * u * (1 - u),
    }  # fmt: skip
    assert {name: float(v) for name, v in found.items()} == pytest.approx(expected, rel=1e-12)


def test_each_networkx_node_names_the_operations_made_from_it():
    net = gc.from_networkx(neuron())
    layers = {o.layer for at in range(len(net.graph)) for o in net.graph.origins(at)}
    assert {"z", "u", "l", "r", "L"} <= layers
    assert net["z"].label == "z (add)"
    assert [n.op for n in net.graph.nodes].count("square") == 2


def simple(**attributes) -> networkx.DiGraph:
    dag = networkx.DiGraph()
    dag.add_node("x", op="input", shape=("N", 3))
    dag.add_node("y", op="input", shape=("N", 3))
    dag.add_node("out", **attributes)
    dag.add_edges_from([("x", "out"), ("y", "out")])
    return dag


def values(dag, name="out"):
    x, y = np.arange(6, dtype="float32").reshape(2, 3), np.full((2, 3), 2, "float32")
    given = {k: v for k, v in {"x": x, "y": y}.items() if k in dag}
    return np.asarray(gc.interpret(gc.from_networkx(dag)[name], **given)).tolist()


def test_operands_in_order_of_edges_args_or_positions():
    difference = [[-2, -1, 0], [1, 2, 3]]
    negated = [[2, 1, 0], [-1, -2, -3]]
    assert values(simple(op="sub")) == difference
    assert values(simple(op="sub", args=["y", "x"])) == negated
    dag = simple(op="sub")
    dag.edges["x", "out"]["operand"], dag.edges["y", "out"]["operand"] = 1, 0
    assert values(dag) == negated


def test_one_parent_twice():
    dag = simple(op="mul", args=["x", "x"])
    dag.remove_edge("y", "out")
    assert values(dag) == [[0, 1, 4], [9, 16, 25]]
    dag = networkx.MultiDiGraph(dag)
    del dag.nodes["out"]["args"]
    dag.add_edge("x", "out")
    assert values(dag) == [[0, 1, 4], [9, 16, 25]]


def test_multigraph_keys_that_are_positions():
    dag = networkx.MultiDiGraph()
    dag.add_node("x", op="input", shape=("N", 3))
    dag.add_node("y", op="input", shape=("N", 3))
    dag.add_node("out", op="sub")
    dag.add_edge("x", "out", key=1)
    dag.add_edge("y", "out", key=0)
    assert values(dag) == [[2, 1, 0], [-1, -2, -3]]


def test_parameters_of_ops_and_functions():
    assert values(simple(op="concatenate", axis=1))[0] == [0, 1, 2, 2, 2, 2]
    assert values(simple(op="einsum", spec="ab,ab->a")) == [6, 24]
    dag = simple(op="sum", axis=-1, keepdims=True)
    dag.remove_edge("y", "out")
    assert values(dag) == [[3], [12]]
    del dag.nodes["out"]["axis"]
    dag.nodes["out"]["axes"] = [1]  # the op's own parameter instead of the function's
    assert values(dag) == [[3], [12]]


def test_user_defined_elementwise_ops_by_name():
    gc.elementwise("test_network_product", lambda a, b: a * b)
    assert values(simple(op="test_network_product")) == [[0, 2, 4], [6, 8, 10]]
    with pytest.raises(GraphError, match="test_network_product takes no parameter 'axis'"):
        gc.from_networkx(simple(op="test_network_product", axis=1))


def test_layers_and_parameter_names():
    dag = networkx.DiGraph()
    dag.add_node("x", op="input", shape=("N", 2))
    dag.add_node("w", op="param", shape=(2, 4), layer="hidden")
    dag.add_node("h", op="matmul", layer="hidden")
    dag.add_edges_from([("x", "h"), ("w", "h")])
    net = gc.from_networkx(dag, "mine", seed=3)
    assert (net.graph.name, net.graph.seed, net["w"].name) == ("mine", 3, "hidden.w")
    assert net["h"].label == "hidden/h (einsum)"


@pytest.mark.parametrize(
    "name", [7, ("a", 1), frozenset({2}), '"; import os', "a\nb", "<b>&", "x" * 5000, "λ", "__class__"]
)
def test_any_hashable_may_name_a_node(name):
    dag = networkx.DiGraph()
    dag.add_node(name, op="input", shape=(2,))
    dag.add_node("out", expr=sympy.exp(sympy.Symbol(str(name))))
    dag.add_edge(name, "out")
    net = gc.from_networkx(dag)
    assert net["out"].operands == (net[name],)
    text = str(net.graph)
    assert gc.parse(text) == net.graph


def test_constants_and_formulas_of_numbers_alone():
    dag = networkx.DiGraph()
    dag.add_node("two", op="const", value=np.array([2.0, 3.0]))
    dag.add_node("half", expr="1/2")
    dag.add_node("seven", expr=7)
    dag.add_node("out", expr="two * half + seven")
    dag.add_edges_from((n, "out") for n in ("two", "half", "seven"))
    assert values(dag) == [8.0, 8.5]


def test_a_long_chain_is_read_without_recursion():
    dag = networkx.DiGraph()
    dag.add_node(0, op="input")
    for k in range(1, 3000):
        dag.add_node(k, op="tanh")
        dag.add_edge(k - 1, k)
    assert len(gc.from_networkx(dag).graph) == 3000


# --------------------------------------------------------------------------------------------------- errors


def cyclic():
    dag = simple(op="add")
    dag.add_node("back", op="neg")
    dag.add_edges_from([("out", "back"), ("back", "y")])
    return dag


def with_self_loop():
    dag = simple(op="add")
    dag.add_edge("out", "out")
    return dag


def with_positions(*positions):
    dag = simple(op="add")
    for parent, position in zip(("x", "y"), positions, strict=True):
        dag.edges[parent, "out"]["operand"] = position
    return dag


def leaf(op, **attributes):
    dag = networkx.DiGraph()
    dag.add_node("p", op=op, **attributes)
    return dag


def equal_as_text():
    dag = networkx.DiGraph()
    dag.add_node("1", op="input")
    dag.add_node(1, op="const", value=1.0)
    dag.add_node("out", expr="'1' + 2")
    dag.add_edges_from([("1", "out"), (1, "out")])
    return dag


ERRORS = {
    "undirected": (lambda: networkx.Graph(), GraphError, "Graph is not a directed networkx graph"),
    "no graph": (lambda: {"x": 1}, GraphError, "dict is not a directed networkx graph"),
    "cycle": (cyclic, GraphError, "3 nodes form a cycle ('"),
    "self-loop": (with_self_loop, GraphError, "node 'out' has an edge to itself"),
    "neither": (lambda: simple(), GraphError, "node 'out': it has neither op= nor expr=; give one of them"),
    "both": (lambda: simple(op="add", expr="x"), GraphError, "node 'out': it has both op= and expr="),
    "unknown op": (
        lambda: simple(op="addd"),
        GraphError,
        "node 'out': there is no op or function 'addd'; did you mean 'add'?",
    ),
    "unknown leaf": (lambda: simple(op="inputs"), GraphError, "did you mean 'input'?"),
    "op of another kind": (lambda: simple(op=max), GraphError, "is not a text; name an op"),
    "too few parents": (lambda: simple(op="where"), GraphError, "where takes 3 operands, not 2"),
    "strange parameter": (lambda: simple(op="add", axis=1), GraphError, "add takes no parameter 'axis'"),
    "strange option": (
        lambda: simple(op="matmul", axis=1),
        GraphError,
        "matmul(a, b) does not fit: got an unexpected keyword argument 'axis'",
    ),
    "broken parameter": (
        lambda: simple(op="take_along_axis", axes=object()),
        GraphError,
        "node 'out': take_along_axis(",
    ),
    "unknown symbol": (
        lambda: simple(expr="x + z"),
        ExpressionError,
        "node 'out': symbol 'z' is not a parent ('x', 'y'); add an edge from it",
    ),
    "unknown SymPy symbol": (
        lambda: simple(expr=sympy.Symbol("z")),
        ExpressionError,
        "node 'out': symbol 'z' is not a parent",
    ),
    "expr and parameter": (
        lambda: simple(expr="x + y", axis=1),
        GraphError,
        "node 'out': a node with expr= takes no attribute 'axis'",
    ),
    "expr of another kind": (lambda: simple(expr=[1]), ExpressionError, "node 'out': expr= is a list"),
    "args": (
        lambda: simple(op="add", args=["x", "z"]),
        GraphError,
        "node 'out': args= names 'z', no parent ('x', 'y'); add an edge from it",
    ),
    "args lack": (lambda: simple(op="add", args=["x", "x"]), GraphError, "lacks parents 'y'"),
    "args unhashable": (
        lambda: simple(op="add", args=["x", ["y"]]),
        GraphError,
        "args= names ['y'], no parent",
    ),
    "args as text": (lambda: simple(op="add", args="xy"), GraphError, "args='xy' is not a list"),
    "positions": (
        lambda: with_positions(0, 0),
        GraphError,
        "node 'out': the edges have operand= positions [0, 0]; number all of them as in [0, 1]",
    ),
    "half positions": (lambda: with_positions(0, None), GraphError, "positions [0, None]"),
    "text positions": (lambda: with_positions("0", "1"), GraphError, "positions ['0', '1']"),
    "const": (lambda: leaf("const"), GraphError, "node 'p': op='const' lacks value=; give it"),
    "param": (lambda: leaf("param"), GraphError, "node 'p': op='param' has neither shape= nor init="),
    "leaf attribute": (
        lambda: leaf("input", shap=(3,)),
        GraphError,
        "op='input' takes no attribute 'shap'; use 'shape', 'dtype'",
    ),
    "leaf parents": (
        lambda: simple(op="param", shape=()),
        GraphError,
        "op='param' takes no operands, but has parents 'x', 'y'",
    ),
    "equal names": (equal_as_text, ExpressionError, "parents '1', 1 have equal names as text"),
    "shapes": (
        lambda: simple(op="concatenate", axis=5),
        ShapeError,
        "out (concatenate): axis 5 is out of range",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_name_the_node_and_both_values(case):
    make, kind, text = ERRORS[case]
    dag = make()
    with pytest.raises(kind) as error:
        gc.from_networkx(dag)
    assert text in str(error.value)
    assert "test_declare_network.py" in str(error.value)


def test_both_orders_are_one_too_many():
    dag = with_positions(0, 1)
    dag.nodes["out"]["args"] = ["x", "y"]
    with pytest.raises(GraphError, match="both args= and operand= give the order"):
        gc.from_networkx(dag)


def test_unknown_node_of_the_result():
    net = gc.from_networkx(neuron())
    with pytest.raises(GraphError, match=r"no node .zz.; did you mean .z.\?"):
        net["zz"]
