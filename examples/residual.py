"""Residual networks beside plain ones: which of them train, and what reaches their first layer.

Dense networks of 20 to 110 layers on two interleaved spirals, all drawn from N(0, 1/n): plain, with identity, scaled,
dropped and projected shortcuts, and with branches that start at zero. Then a trained shallow network is made deeper by
blocks that begin as the identity, and loses nothing. Needs matplotlib (``pip install 'graphc[plot]'``).
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import graphc as gc

WIDTH, STEPS, DEPTHS = 16, 120, (20, 50, 110)
INIT = gc.init.XavierNormal()
SHORTCUTS = {
    "plain": None,
    "identity": {},
    "scaled by 0.5": {"shortcut": 0.5},
    "dropout": {"shortcut": gc.nn.Dropout(0.1)},
    "projected": {"shortcut": "dense"},
    "branch from zero": {"branch_scale": 0.0},
}

DEEPEST = ("plain", "identity", "branch from zero")  # those of 110 layers, too


def spirals(count=256):
    """Points (N, 2) on two interleaved spirals, and which of them."""
    rng = np.random.default_rng(0)
    angle, which = np.sqrt(rng.uniform(0.05, 1, count)) * 2 * np.pi, rng.integers(0, 2, count)
    turned = angle + np.pi * which
    points = np.stack([np.cos(turned), np.sin(turned)], 1) * (angle / (2 * np.pi))[:, None]
    return points.astype(np.float32), which.astype(np.int32)


def block(shortcut):
    """Two layers and, unless the network is plain, what they are added to."""
    branch = gc.nn.Sequential(gc.nn.Dense(WIDTH, "relu", init=INIT), gc.nn.Dense(WIDTH, init=INIT))
    if shortcut is None:
        return gc.nn.Sequential(branch, "relu")
    options = dict(shortcut)
    if options.get("shortcut") == "dense":
        options["shortcut"] = gc.nn.Dense(WIDTH, init=INIT, use_bias=False)
    return gc.nn.Residual(branch, activation="relu", **options)


def network(depth, shortcut):
    """``depth`` layers with weights: one in, one out, blocks of two between."""
    blocks = [block(shortcut) for _ in range((depth - 2) // 2)]
    first = gc.nn.Dense(WIDTH, "relu", init=INIT, name="first")
    return gc.nn.Sequential(first, *blocks, gc.nn.Dense(2, init=INIT, name="last"))


def declared(net, shape=("N", 2)):
    """Inputs, logits and loss of a network in a graph of its own."""
    g = gc.Graph("residual", seed=0)
    logits = net(g.input("x", shape))
    return g, logits, gc.losses.softmax_cross_entropy(logits, g.input("t", ("N",), dtype="int32"))


def trained(net, x, t, steps=STEPS, rate=1e-3):
    """Losses of so many steps of Adam on the whole set, the gradient that reaches the first layer at the start, and
    the accuracy on the training set afterwards."""
    g, logits, loss = declared(net, ("N", *x.shape[1:]))
    grads = gc.grad(loss)
    reached = gc.norm(grads[g["first.weight"]])
    step = gc.compile({"loss": loss, "reached": reached}, updates=gc.optim.Adam(rate)(grads))
    found = [step(x=x, t=t) for _ in range(steps)]
    right = gc.compile({"right": gc.mean(gc.argmax(logits, axis=1) == g["t"])}, params=step.params)
    return {
        "losses": [float(out["loss"]) for out in found],
        "reached": float(found[0]["reached"]),
        "accuracy": float(right(x=x, t=t)["right"]),
        "params": step.params,
    }


def deepened(x, t):
    """A trained network of 6 layers, and the one of 20 that has its weights and blocks that begin as the identity."""
    shortcut = SHORTCUTS["branch from zero"]
    shallow = trained(network(6, shortcut), x, t, steps=600)
    g, logits, loss = declared(network(20, shortcut))
    deep = gc.compile({"loss": loss, "right": gc.mean(gc.argmax(logits, axis=1) == g["t"])})
    deep.params.update(shallow["params"])  # by name; the further blocks stay as drawn, their scales at 0
    out = deep(x=x, t=t)
    return {"shallow": shallow["accuracy"], "deep": float(out["right"])}


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict[str, dict]:
    """Train all of them, print and draw losses and gradients; returns the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    x, t = spirals()
    runs = {
        name: {
            depth: trained(network(depth, shortcut), x, t)
            for depth in DEPTHS
            if depth < 110 or name in DEEPEST
        }
        for name, shortcut in SHORTCUTS.items()
    }
    print("gradient at the first layer, last loss and accuracy after", STEPS, "steps")
    for name, by_depth in runs.items():
        for depth, run in by_depth.items():
            print(
                f"{name:17} {depth:3} {run['reached']:9.1e} {run['losses'][-1]:8.4f} {run['accuracy']:7.1%}"
            )
    copied = deepened(x, t)
    print(f"6 layers {copied['shallow']:.1%}, made 20 layers {copied['deep']:.1%}")
    draw(runs, output / "residual.svg")
    return {"runs": runs, "deepened": copied}


def draw(runs, path: Path) -> None:
    """The gradient at the first layer over depth, and losses of the networks of 50 layers."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, by_depth in runs.items():
        left.semilogy(list(by_depth), [run["reached"] for run in by_depth.values()], "o-", label=name)
        right.semilogy(by_depth[50]["losses"], label=name)
    left.set(title="Gradient that reaches the first layer", xlabel="layers", ylabel="norm at the start")
    right.set(title="50 layers: training loss", xlabel="step")
    right.legend(fontsize=8)
    figure.savefig(path)


if __name__ == "__main__":
    main()
