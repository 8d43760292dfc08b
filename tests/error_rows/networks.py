"""Networks declared in plain networkx."""

import networkx

import graphc as gc
from graphc.errors import ExpressionError, GraphError, ShapeError

INPUT = {"op": "input", "shape": (3,)}


def network(**nodes):
    """A network of these nodes and of edges from x and y, where they stand, to node "out"."""
    dag = networkx.DiGraph(name="mine")
    for name, attributes in nodes.items():
        dag.add_node(name, **attributes)
    dag.add_edges_from((name, "out") for name in ("x", "y") if "out" in nodes and name in nodes)
    return dag


def read(**attributes):
    """The network of inputs x and y and of a node "out" with these attributes that reads both."""
    return gc.from_networkx(network(x=INPUT, y=INPUT, out=attributes))


def ordered(*positions, **attributes):
    dag = network(x=INPUT, y=INPUT, out={"op": "add", **attributes})
    for parent, position in zip("xy", positions, strict=True):
        dag.edges[parent, "out"]["operand"] = position
    return gc.from_networkx(dag)


def joined(*edges, **nodes):
    dag = network(**nodes)
    dag.add_edges_from(edges)
    return gc.from_networkx(dag)


def equal_as_text():
    dag = networkx.DiGraph()
    dag.add_node("1", op="input")
    dag.add_node(1, op="const", value=1.0)
    dag.add_node("out", expr="'1' + 2")
    dag.add_edges_from([("1", "out"), (1, "out")])
    return gc.from_networkx(dag)


ROWS = [
    (
        GraphError,
        lambda: gc.from_networkx(3),
        "network 'graph': int is not a directed networkx graph; use a networkx.DiGraph @",
    ),
    (
        GraphError,
        lambda: gc.from_networkx(networkx.Graph()),
        "network 'graph': Graph is not a directed networkx graph; use a networkx.DiGraph @",
    ),
    (
        GraphError,
        lambda: joined(("x", "a"), ("a", "b"), ("b", "a"), x=INPUT, a={"op": "add"}, b={"op": "neg"}),
        "network 'mine': 2 nodes form a cycle ('a' -> 'b' -> 'a'); remove an edge, a network is acyclic @",
    ),
    (
        GraphError,
        lambda: joined(("a", "a"), a={"op": "exp"}),
        "network 'mine': node 'a' has an edge to itself; remove it, a network is acyclic @",
    ),
    (GraphError, lambda: read(), "node 'out': it has neither op= nor expr=; give one of them @"),
    (
        GraphError,
        lambda: read(op="add", expr="x"),
        "node 'out': it has both op= and expr=; give one of them @",
    ),
    (
        GraphError,
        lambda: read(op=max),
        "node 'out': op=<built-in function max> is not a text; name an op, as in op='mul' @",
    ),
    (
        GraphError,
        lambda: read(op="addd"),
        "node 'out': there is no op or function 'addd'; did you mean 'add'? @",
    ),
    (
        GraphError,
        lambda: joined(p={"op": "inputs"}),
        "node 'p': there is no op or function 'inputs'; did you mean 'input'? @",
    ),
    (
        GraphError,
        lambda: read(op="zzzzzzzz"),
        "node 'out': there is no op or function 'zzzzzzzz'; use one of 'abs', … @",
    ),
    (
        GraphError,
        lambda: read(op="where"),
        "node 'out': where takes 3 operands, not 2; correct the node's attributes or its parents @",
    ),
    (
        GraphError,
        lambda: read(op="add", axis=1),
        "node 'out': add takes no parameter 'axis'; correct the node's attributes or its parents @",
    ),
    (
        GraphError,
        lambda: read(op="matmul", axis=1),
        "node 'out': matmul(a, b) does not fit: …; correct the node's attributes or its parents @",
    ),
    (
        GraphError,
        lambda: read(op="take_along_axis", axes=object()),
        "node 'out': take_along_axis(x, indices, axis, wrap) does not fit: …; correct the node's attributes or its "
        "parents @",
    ),
    (
        ShapeError,
        lambda: read(op="einsum"),
        "out (einsum): spec <%0: f32[3] = input 'x'> is not a text; write for example 'ij,jk->ik' @",
    ),
    (
        GraphError,
        lambda: read(op="einsum", rule="ij->i"),
        "node 'out': einsum(spec, operands) does not fit: …; correct the node's attributes @",
    ),
    (GraphError, lambda: read(op="slice", start=3), "out (slice): 2 operands are given; give 1 @"),
    (
        ShapeError,
        lambda: read(op="concatenate", axis=5),
        "out (concatenate): axis 5 is out of range for rank 1; use -1 to 0 @",
    ),
    (
        GraphError,
        lambda: read(op="param", shape=()),
        "node 'out': op='param' takes no operands, but has parents 'x', 'y'; remove the edges @",
    ),
    (
        GraphError,
        lambda: joined(("x", "s"), x=INPUT, s={"op": "split", "indices_or_sections": 3}),
        "node 's': op='split' gives list, not one value; use an op with one result @",
    ),
    (
        GraphError,
        lambda: read(op="add", args="xy"),
        "node 'out': args='xy' is not a list; list the operands' names in order @",
    ),
    (
        GraphError,
        lambda: read(op="add", args=["x", "z"]),
        "node 'out': args= names 'z', no parent ('x', 'y'); add an edge from it @",
    ),
    (
        GraphError,
        lambda: read(op="add", args=["x", "x"]),
        "node 'out': args=['x', 'x'] lacks parents 'y'; name them or remove their edges @",
    ),
    (
        GraphError,
        lambda: read(op="add", args=["x", ["y"]]),
        "node 'out': args= names ['y'], no parent ('x', 'y'); add an edge from it @",
    ),
    (
        GraphError,
        lambda: ordered(0, 1, args=["x", "y"]),
        "node 'out': both args= and operand= give the order of the operands; keep one of them @",
    ),
    (
        GraphError,
        lambda: ordered(0, 0),
        "node 'out': the edges have operand= positions [0, 0]; number all of them as in [0, 1] @",
    ),
    (
        GraphError,
        lambda: ordered(0, None),
        "node 'out': the edges have operand= positions [0, None]; number all of them as in [0, 1] @",
    ),
    (GraphError, lambda: joined(p={"op": "const"}), "node 'p': op='const' lacks value=; give it @"),
    (
        GraphError,
        lambda: joined(p={"op": "param"}),
        "node 'p': op='param' has neither shape= nor init=; give one of them @",
    ),
    (
        GraphError,
        lambda: joined(p={"op": "input", "shap": (3,)}),
        "node 'p': op='input' takes no attribute 'shap'; use 'shape', 'dtype' @",
    ),
    (
        ShapeError,
        lambda: joined(p={"op": "input", "shape": (-1,)}),
        "input 'p': size -1 in shape (-1,) is negative; sizes are at least 0 @",
    ),
    (
        GraphError,
        lambda: read(expr="x + y", axis=1),
        "node 'out': a node with expr= takes no attribute 'axis'; remove it @",
    ),
    (
        ExpressionError,
        lambda: read(expr=[1]),
        "node 'out': expr= is a list; give a SymPy expression or a text @",
    ),
    (
        ExpressionError,
        lambda: equal_as_text(),
        "node 'out': parents '1', 1 have equal names as text; rename one of them @",
    ),
    (
        GraphError,
        lambda: joined(alpha=INPUT)["alpa"],
        "network 'mine' has no node 'alpa'; did you mean 'alpha'?",
    ),
    (GraphError, lambda: joined(alpha=INPUT)["z"], "network 'mine' has no node 'z'; the nodes are 'alpha'"),
]
