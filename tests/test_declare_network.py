"""Networks declared in plain networkx."""

import networkx
import numpy as np
import pytest
import sympy

import graphc as gc
from graphc.errors import GraphError

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
