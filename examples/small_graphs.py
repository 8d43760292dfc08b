"""Six small computational graphs: values and gradients, interpreted and compiled, each graph drawn.

A product; a neuron of one input, and one of four, whose sum is 2.2 and whose answer is 0.90; a layer
H = max(0, W X + b); a regularised linear function that uses w twice, so that its gradients add; and f = (x + y) z at
(-2, 5, -4), where f = -12, df/dq = df/dx = df/dy = -4 and df/dz = 3.
"""

from pathlib import Path

import numpy as np

import graphc as gc

Case = tuple[gc.Handle, list[gc.Handle], dict[str, object]]


def product() -> Case:
    """z = x y."""
    g = gc.Graph("product")
    x, y = g.input("x"), g.input("y")
    return x * y, [x, y], {"x": 3.0, "y": -2.0}


def neuron() -> Case:
    """y = sigmoid(w x + b)."""
    g = gc.Graph("neuron")
    x, w, b = g.input("x"), g.input("w"), g.input("b")
    return gc.sigmoid(w * x + b), [w, b], {"x": 2.0, "w": 0.5, "b": -1.0}


def neuron_of_four() -> Case:
    """y = sigmoid(<w, x>)."""
    g = gc.Graph("neuron_of_four")
    x, w = g.input("x", (4,)), g.input("w", (4,))
    total = gc.sum(w * x)
    return gc.sigmoid(total), [total, w], {"x": [0.1, 0.5, 2.5, 3.0], "w": [2.0, 3.0, -1.0, 1.0]}


def layer() -> Case:
    """H = max(0, W X + b), summed so that there is a gradient to show."""
    g = gc.Graph("layer")
    weights, x, b = g.input("W", (2, 3)), g.input("X", (3, 2)), g.input("b", (2, 1))
    hidden = gc.maximum(0, weights @ x + b)
    values = {"W": [[1, 0, -1], [2, 1, 0]], "X": [[1, 2], [3, 4], [5, 6]], "b": [[1.0], [-2.0]]}
    return gc.sum(hidden), [weights, b], values


def regularised() -> Case:
    """y = w x beside u = lambda sum(w^2), added: the gradients of both uses of w add."""
    g = gc.Graph("regularised")
    x, w = g.input("x", (3,)), g.input("w", (3,))
    lam = g.const(0.5)
    return gc.sum(w * x) + lam * gc.sum(w**2), [w], {"x": [1.0, 2.0, 3.0], "w": [0.5, -1.0, 2.0]}


def sum_times() -> Case:
    """f = q z with q = x + y."""
    g = gc.Graph("sum_times")
    x, y, z = g.input("x"), g.input("y"), g.input("z")
    q = x + y
    return q * z, [q, x, y, z], {"x": -2.0, "y": 5.0, "z": -4.0}


GRAPHS = {f.__name__: f for f in (product, neuron, neuron_of_four, layer, regularised, sum_times)}
INNER = {"neuron_of_four": "sum", "sum_times": "q"}  # what their first node is called here


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict[str, dict[str, np.ndarray]]:
    """Print and draw each graph; return its value and gradients."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    figures = {}
    for title, make in GRAPHS.items():
        result, wrt, values = make()
        grads = gc.grad(result, wrt)
        wanted = {"value": result} | {f"d/d{node.name or INNER[title]}": grads[node] for node in wrt}
        wanted |= {INNER[title]: wrt[0]} if title in INNER else {}
        figures[title] = gc.compile(wanted, name=title)(**values)
        expected = gc.interpret(wanted, **values)
        for name, value in figures[title].items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-6)
            print(f"{title:14} {name:6} = {np.asarray(value).tolist()}")
        gc.draw({"f": result}, output / f"{title}.svg", view="both", values=values, grads=grads)
    return figures


if __name__ == "__main__":
    main()
