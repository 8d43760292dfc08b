"""Residual networks beside plain ones: which of them train, and what reaches their first layer.

Dense networks on two interleaved spirals, all drawn from N(0, 1/n): plain, with identity, scaled, dropped, projected
and convolutional shortcuts, and with branches that start at zero. Those of 50 layers are trained; the gradient that
reaches the first layer is compared up to 110. Then a trained shallow network is made deeper by blocks that begin as
the identity, and loses nothing. Needs matplotlib (``pip install 'graphc[plot]'``).
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import graphc as gc

WIDTH, STEPS, DEPTHS = 16, 150, (20, 50, 110)
INIT = gc.init.XavierNormal()


def convolved(x):
    """A convolution over the units as a signal (N, 4, 4) of four channels, and back."""
    signal = gc.reshape(x, (x.shape[0], 4, WIDTH // 4))
    return gc.nn.Flatten()(gc.nn.Conv1d(4, 3, padding="same", use_bias=False, init=INIT)(signal))


SHORTCUTS = {
    "plain": None,
    "identity": {},
    "scaled by 0.5": {"shortcut": 0.5},
    "dropout": {"shortcut": gc.nn.Dropout(0.1)},
    "projected": {"shortcut": gc.nn.Dense(WIDTH, init=INIT, use_bias=False)},
    "convolution": {"shortcut": convolved},
    "branch from zero": {"branch_scale": 0.0},
}


def spirals(count=256):
    """Points (N, 2) on two interleaved spirals, and which of them."""
    rng = np.random.default_rng(0)
    angle, which = np.sqrt(rng.uniform(0.05, 1, count)) * 2 * np.pi, rng.integers(0, 2, count)
    turned = angle + np.pi * which
    points = np.stack([np.cos(turned), np.sin(turned)], 1) * (angle / (2 * np.pi))[:, None]
    return points.astype(np.float32), which.astype(np.int32)


def block(shortcut):
    """Two layers and, unless the network is plain, what they are added to."""
    last = gc.nn.Dense(WIDTH, init=INIT, use_bias=False)
    branch = gc.nn.Sequential(gc.nn.Dense(WIDTH, "relu", init=INIT), last)
    if shortcut is None:
        return gc.nn.Sequential(branch, "relu")
    return gc.nn.Residual(branch, activation="relu", **shortcut)


def network(depth, shortcut):
    """``depth`` layers with weights: one in, one out, blocks of two between."""
    blocks = [block(shortcut) for _ in range((depth - 2) // 2)]
    first = gc.nn.Dense(WIDTH, "relu", init=INIT, name="first")
    return gc.nn.Sequential(first, *blocks, gc.nn.Dense(2, init=INIT, name="last"))


def declared(net):
    """Graph, outputs and the gradient by the first layer of a network."""
    g = gc.Graph("residual", seed=0)
    logits, t = net(g.input("x", ("N", 2))), g.input("t", ("N",), dtype="int32")
    right = gc.mean(gc.argmax(logits, axis=1) == t)
    return g, {"loss": gc.losses.softmax_cross_entropy(logits, t), "right": right}


def reached(shortcut, x, t):
    """By depth, the norm of the gradient at the first layer before any training."""
    found = {}
    for depth in DEPTHS:
        g, outputs = declared(network(depth, shortcut))
        norm = gc.norm(gc.grad(outputs["loss"], g["first.weight"]))
        found[depth] = float(gc.interpret(norm, mode="train", stabilise=False, x=x, t=t))
    return found


def trained(net, x, t, steps=STEPS):
    """Losses of so many steps on the whole set, the accuracy on it before the last of them, and the parameters."""
    _, outputs = declared(net)
    step = gc.compile(outputs, updates=gc.optim.RMSProp(1e-3)(gc.grad(outputs["loss"])))
    found = [step(x=x, t=t) for _ in range(steps)]
    losses = [float(out["loss"]) for out in found]
    return {"losses": losses, "accuracy": float(found[-1]["right"]), "params": step.params}


def deepened(x, t):
    """A trained network of 6 layers, and the one of 20 that has its weights and blocks that begin as the identity."""
    shortcut = SHORTCUTS["branch from zero"]
    shallow = trained(network(6, shortcut), x, t, steps=600)
    found = {}
    for name, depth in {"shallow": 6, "deep": 20}.items():
        g, outputs = declared(network(depth, shortcut))
        first = {p.name: shallow["params"][p.name] for p in g.params if p.name in shallow["params"]}
        found[name] = float(gc.interpret(outputs["right"], params=first, x=x, t=t))
    return found


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict[str, dict]:
    """Train all of them, print and draw losses and gradients; returns the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    x, t = spirals()
    runs = {
        name: trained(network(50, shortcut), x, t) | {"reached": reached(shortcut, x, t)}
        for name, shortcut in SHORTCUTS.items()
    }
    print("last loss and accuracy of 50 layers, gradient at the first of", *DEPTHS)
    for name, run in runs.items():
        gradients = " ".join(f"{norm:8.1e}" for norm in run["reached"].values())
        print(f"{name:17} {run['losses'][-1]:8.5f} {run['accuracy']:6.1%} {gradients}")
    shallow = trained(network(20, None), x, t)
    copied = deepened(x, t)
    print(f"plain, 20 layers: {shallow['accuracy']:.1%}")
    print(f"6 layers {copied['shallow']:.1%}, made 20 layers {copied['deep']:.1%}")
    draw(runs, output / "residual.svg")
    return {"runs": runs, "shallow": shallow, "deepened": copied}


def draw(runs, path: Path) -> None:
    """The gradient at the first layer over depth, and losses of the networks of 50 layers."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, run in runs.items():
        left.semilogy(run["reached"].keys(), run["reached"].values(), "o-", label=name)
        right.semilogy(run["losses"], label=name)
    left.set(title="gradient that reaches the first layer", xlabel="layers", ylabel="norm at the start")
    right.set(title="50 layers: training loss", xlabel="step")
    right.legend(fontsize=8)
    figure.savefig(path)


if __name__ == "__main__":
    main()
