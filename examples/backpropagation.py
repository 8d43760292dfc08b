"""Back-propagation in networks of 2, 10 and 50 layers: the deltas, what they save, and why layers need activations.

A network of k layers has k layers of weights; its input counts for none. With s_l = h_{l-1} W_l + b_l and
h_l = phi(s_l), the gradients by all weights are made of one factor a layer, delta_l = dL/ds_l, which obeys

    delta_j = phi'(s_j) sum_k delta_k W_jk,    dL/dW_ij = sum over samples of h_i delta_j.

Weights, bias and the layer below all read the delta of a layer, and it is computed once: the drawing frames it doubly.
"""

from pathlib import Path

import networkx
import numpy as np
from matplotlib.figure import Figure

import graphc as gc

DEPTHS, UNITS = (2, 10, 50), 16


def network(layers, dtype="float32"):
    """A network of so many layers, tanh in all but the last, and its squared error."""
    g = gc.Graph(f"{layers} layers", seed=0)
    x, t = g.input("x", ("N", 2), dtype), g.input("t", ("N", 1), dtype)
    h = x
    for k in range(1, layers):
        h = gc.nn.Dense(UNITS, "tanh", init="orthogonal", name=f"layer{k}")(h)
    y = gc.nn.Dense(1, name=f"layer{layers}")(h)
    return g, gc.losses.mse(y, t, half=True)


def samples(rng, rows):
    """Points in a square and a saddle over them."""
    x = rng.uniform(-1, 1, (rows, 2)).astype(np.float32)
    return {"x": x, "t": x[:, :1] * x[:, 1:]}


def train(layers, steps=500):
    """The learning curve of a network and how many kernels its step consists of."""
    g, loss = network(layers)
    step = gc.compile(
        {"loss": loss}, updates=gc.optim.Adam(gc.optim.cosine(5e-3, steps=steps))(gc.grad(loss))
    )
    rng = np.random.default_rng(0)
    curve = [float(step(**samples(rng, 64))["loss"]) for _ in range(steps)]
    weight_layers = sum(p.name.endswith(".weight") for p in g.params)
    return {"layers": weight_layers, "curve": curve, "kernels": step.report().kernels}


def products(layers):
    """Matrix products of the gradients by all weights, together, and if each were computed for itself."""
    g, loss = network(layers)
    declared = set(g.nx)
    gradients = [d.id for p, d in gc.grad(loss).items() if p.name.endswith(".weight")]
    cones = [(networkx.ancestors(g.nx, at) | {at}) - declared for at in gradients]

    def count(nodes):
        return sum(g.nx.nodes[at]["op"] == "einsum" for at in nodes)

    return {"together": count(set().union(*cones)), "each": sum(map(count, cones))}


def by_hand(params, layers, x, t):
    """All gradients by the recursion, in NumPy."""
    weights = [params[f"layer{k}.weight"] for k in range(1, layers + 1)]
    h = [x]
    for k, w in enumerate(weights, 1):
        s = h[-1] @ w + params[f"layer{k}.bias"]
        h.append(np.tanh(s) if k < layers else s)
    delta = (h[-1] - t) / len(x)  # the slope of the mean of (y - t)^2 / 2
    gradients = {}
    for k in range(layers, 0, -1):
        gradients[f"layer{k}.weight"] = h[k - 1].T @ delta
        gradients[f"layer{k}.bias"] = delta.sum(axis=0)
        delta = (1 - h[k - 1] ** 2) * (delta @ weights[k - 1].T)  # tanh' = 1 - tanh^2
    return gradients


def difference(layers):
    """The largest relative difference between graphc's gradients and those by hand, in float64."""
    _, loss = network(layers, "float64")
    grads = gc.grad(loss)
    program = gc.compile({parameter.name: grads[parameter] for parameter in grads})
    batch = {name: value.astype(np.float64) for name, value in samples(np.random.default_rng(1), 32).items()}
    found, expected = program(**batch), by_hand(program.params, layers, **batch)
    return max(float(abs(found[k] - expected[k]).max() / abs(expected[k]).max()) for k in expected)


def collapse(rng):
    """Three linear layers are one, W3 W2 W1 x = W x; with tanh between them no W fits.

    The compiler keeps x W1 W2 W3 as declared, since another order rounds differently. Where the product of the
    weights is written down and they are constants, it is computed while compiling, and one product remains.
    """
    weights = [rng.normal(size=(8, 8)) / np.sqrt(8) for _ in range(3)]
    g = gc.Graph("three linear layers")
    x = g.input("x", ("N", 8), "float64")
    w1, w2, w3 = (g.const(w) for w in weights)
    bent = gc.tanh(gc.tanh(x @ w1) @ w2) @ w3
    three, one = (gc.compile({"y": y}) for y in (x @ w1 @ w2 @ w3, x @ (w1 @ w2 @ w3)))
    rows = rng.normal(size=(100, 8))
    y, curved = three(x=rows)["y"], gc.interpret(bent, x=rows)
    residual = curved - rows @ np.linalg.lstsq(rows, curved)[0]
    operations = {name: p.report().passes[-1].operations for name, p in (("three", three), ("one", one))}
    return {
        "difference": float(abs(y - one(x=rows)["y"]).max() / abs(y).max()),
        "operations": operations,
        "unexplained": float(np.linalg.norm(residual) / np.linalg.norm(curved)),
    }


def curves(runs):
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    for run in runs.values():
        axes.plot(np.convolve(run["curve"], np.full(10, 0.1), "valid"), label=f"{run['layers']} layers")
    axes.set(xlabel="step", ylabel="loss", yscale="log", title="Networks of any depth learn x1 x2")
    axes.legend()
    return figure


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict:
    """Train, compare, count and draw; return the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    runs = {layers: train(layers) for layers in DEPTHS}
    counts = {layers: products(layers) for layers in DEPTHS}
    for layers, run in runs.items():
        print(
            f"{layers:2} layers: loss {run['curve'][0]:.4f} -> {run['curve'][-1]:.4f}, {run['kernels']} kernels;",
            end=" ",
        )
        print(
            f"backward {counts[layers]['together']} matrix products, without sharing {counts[layers]['each']}"
        )
    _, loss = network(3)
    report = gc.compile({"loss": loss}, updates=gc.optim.SGD(0.1)(gc.grad(loss))).report()
    print(report)
    gc.draw({"loss": loss}, output / "backpropagation.svg", view="both", legend=True)
    curves(runs).savefig(output / "depths.svg")
    figures = {"runs": runs, "products": counts, "hand": {k: difference(k) for k in DEPTHS}}
    figures |= {"shared": report.shared, "collapse": collapse(np.random.default_rng(0))}
    print("gradients by hand differ by", figures["hand"])
    print("three linear layers and one:", figures["collapse"])
    return figures


if __name__ == "__main__":
    main()
