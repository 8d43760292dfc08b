"""The loss of a single neuron, L = (y - sigmoid(w x + b))^2 / 2 + lambda w^2, declared in plain networkx.

Nodes carry SymPy formulas over the names of their parents. The adjoint of each node is read off the backward
graph that graphc derives; values and gradients come from the interpreter and from the compiled program.
"""

from pathlib import Path

import networkx
import sympy

import graphc as gc
from graphc.registry import lookup

VALUES = {"x": 1.5, "y": 1.0}
FORWARD = ("z", "u", "l", "r", "L")  # in topological order
DIFFERENTIATED = ("l", "r", "u", "z", "w", "b")  # in the order of the backward sweep


def declare() -> networkx.DiGraph:
    """The computational graph: inputs x, y; parameters w, b; lambda; nodes z, u, l, r, L."""
    x, y, w, b, lam, z, u, l, r = sympy.symbols("x y w b lambda z u l r")  # noqa: E741 - the formula's own names
    sigmoid = sympy.Function("sigmoid")
    dag = networkx.DiGraph(name="neuron")
    dag.add_node("x", op="input", dtype="float64")
    dag.add_node("y", op="input", dtype="float64")
    dag.add_node("w", op="param", init=0.5, dtype="float64")
    dag.add_node("b", op="param", init=-0.25, dtype="float64")
    dag.add_node("lambda", op="const", value=0.1, dtype="float64")
    formulas = {"z": w * x + b, "u": sigmoid(z), "l": (y - u) ** 2 / 2, "r": w**2, "L": l + lam * r}
    for name, formula in formulas.items():
        dag.add_node(name, expr=formula)
        dag.add_edges_from((str(symbol), name) for symbol in sorted(formula.free_symbols, key=str))
    return dag


def formula_of(node: gc.Handle, known: dict[gc.Handle, sympy.Symbol]) -> sympy.Expr:
    """What ``node`` computes, written over the ``known`` nodes."""
    if node in known:
        return known[node]
    if node.node.op == "const":
        return sympy.nsimplify(node.node.param["value"].item())
    return lookup(node.node.op).scalar.body(*(formula_of(operand, known) for operand in node.operands))


def adjoints(net, grads: dict[gc.Handle, gc.Handle]) -> dict[str, str]:
    """The formula of dL/dv for every node v, over the names of the network."""
    known = {handle: sympy.Symbol(str(name)) for name, handle in net.nodes.items()}
    return {name: str(formula_of(grads[net[name]], known)) for name in DIFFERENTIATED}


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict[str, dict]:
    """Print formulas, values and gradients, draw the graph, return all figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    net = gc.from_networkx(declare())
    grads = gc.grad(net["L"], [net[name] for name in DIFFERENTIATED])
    wanted = {name: net[name] for name in FORWARD} | {f"dL/d{n}": grads[net[n]] for n in DIFFERENTIATED}
    formulas = adjoints(net, grads)
    interpreted = {name: float(v) for name, v in gc.interpret(wanted, **VALUES).items()}
    compiled = {name: float(v) for name, v in gc.compile(wanted, name="neuron")(**VALUES).items()}
    for name in FORWARD:
        print(f"{name:6} = {interpreted[name]:.6f}")
    for name in DIFFERENTIATED:
        print(f"dL/d{name:2} = {interpreted[f'dL/d{name}']:9.6f} = {formulas[name]}")
    picture = gc.draw({"L": net["L"]}, view="both", values=VALUES)
    (output / "single_neuron.dot").write_text(picture.dot, encoding="utf-8")
    picture.save(output / "single_neuron.svg")
    return {"formulas": formulas, "interpreted": interpreted, "compiled": compiled}


if __name__ == "__main__":
    main()
