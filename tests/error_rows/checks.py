"""Graphs and cones that were broken behind graphc's back, and passes that break them."""

from dataclasses import replace

import graphc as gc
from graphc.check import check
from graphc.errors import GraphError
from graphc.graph import Cone
from graphc.graph.node import Node
from graphc.passes import runner
from graphc.rewrite import Rewritten
from graphc.types import DType, Type


def built():
    g = gc.Graph("g")
    x, w = g.input("x", ("N", 3)), g.param("w", (3, 2))
    g.state("s", (), init=0.0, update=gc.mean(gc.tanh(x @ w + 1.5)))
    return g


def changed(which, **changes):
    g = built()
    at = next(at for at, node in enumerate(g.nodes) if node.op == which)
    g.nodes[at] = replace(g.nodes[at], **changes)
    check(g)


def cone_of(at, **changes):
    """The check of a cone, which does not compare nodes with networkx."""
    g = built()
    g.nodes[at] = replace(g.nodes[at], **changes)
    check(Cone(g, {"y": at}))


def broken(act):
    g = built()
    act(g)
    check(g)


def cone(outputs, updates=(), **options):
    g = built()
    check(Cone(g, outputs, dict(updates), **options))


def passed(breaks):
    """The cone of one output and one update through a pass that breaks it, verified."""
    g = gc.Graph()
    w = g.param("w", (3,))
    runner.run(Cone(g, {"loss": gc.sum(w).id}, {w.id: (w * 2).id}), (breaks,), verify=True)


def widen(cone):
    out = cone.graph.handle(cone.outputs["loss"])
    return Rewritten(Cone(cone.graph, {"loss": gc.cast(out, "float64").id}, cone.updates), {})


def forget(cone):
    return Rewritten(Cone(cone.graph, cone.outputs), {})


ROWS = [
    (
        GraphError,
        lambda: changed("tanh", operands=(0,)),
        "networkx and the nodes of graph 'g' disagree at (0, 5, 0); use Graph.add",
    ),
    (
        GraphError,
        lambda: broken(lambda g: g.nodes.append(Node("input", (), (("name", "z"),), Type(DType.F32)))),
        "networkx and the nodes of graph 'g' disagree at 8; use Graph.add",
    ),
    (
        GraphError,
        lambda: cone_of(0, operands=(0,)),
        "%0 (input 'x'): operand %0 does not stand before it; operands have smaller ids @",
    ),
    (
        GraphError,
        lambda: cone_of(1, operands=(0,)),
        "%1 (param 'w'): a param has 1 operands; it takes none @",
    ),
    (
        GraphError,
        lambda: changed("tanh", op="tnah"),
        "%5 (tnah %5): its op refuses it: there is no op 'tnah'; did you mean 'tanh'? @",
    ),
    (
        GraphError,
        lambda: changed("tanh", type=Type(DType.F32, (3,))),
        "%5 (tanh %5): has type f32[3], but tanh gives f32[N,2]; build it with Graph.add @",
    ),
    (
        GraphError,
        lambda: changed("param", type=Type(DType.F32, (4, 2))),
        "%2 (einsum %2): its op refuses it: index 'b': sizes 3 and 4 differ; they must be equal @",
    ),
    (
        GraphError,
        lambda: changed("param", params=(("name", "x"),)),
        "%1 (param 'x'): name 'x' is missing or used twice; each leaf has a name of its own @",
    ),
    (
        GraphError,
        lambda: changed("param", params=()),
        "%1 (param %1): name None is missing or used twice; each leaf has a name of its own @",
    ),
    (
        GraphError,
        lambda: broken(lambda g: g._named.update(w=0)),
        "name 'w' stands for another node than %0; declare leaves with the methods of Graph",
    ),
    (
        GraphError,
        lambda: changed("const", params=(("value", 3),)),
        "%3 (const %3): its op refuses it: its value is a int, not a constant; declare it with Graph.const @",
    ),
    (
        GraphError,
        lambda: broken(lambda g: g.state_updates.update({g["s"].id: g["w"].id})),
        "%7 (state 's'): update has shape (3, 2) and the value it replaces (); make them equal @",
    ),
    (
        GraphError,
        lambda: broken(lambda g: g.state_updates.update({g["x"].id: g["x"].id})),
        "%0 (input 'x'): is updated, but is neither a parameter nor a state; update one of these @",
    ),
    (GraphError, lambda: cone({"y": 99}), "output 'y' is %99, which graph 'g' has not; it has 8 nodes"),
    (
        GraphError,
        lambda: cone({}, kept=frozenset({99})),
        "the cone names %99, which graph 'g' has not; it has 8 nodes",
    ),
    (
        GraphError,
        lambda: passed(widen),
        "pass widen: output 'loss' was f32[] and became f64[]; a pass must keep types",
    ),
    (GraphError, lambda: passed(forget), "pass forget: 1 updates became 0; a pass must keep them"),
]
