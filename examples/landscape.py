"""Landscapes of the loss: a deep network with shortcuts and without, and minima of small and of large batches.

The surface around trained weights lies along two random directions, scaled filter by filter to the weights (Li and
others, "Visualizing the loss landscape of neural nets", 2018). The sharpness of a minimum is the largest eigenvalue of
the Hessian, found by products of the Hessian with vectors: gradient descent at the rate eta on the whole set arrives
where it is nearly 2/eta, small batches where it is far less (Keskar and others, "On large-batch training for deep
learning", 2017; Cohen and others, "Gradient descent on neural networks typically occurs at the edge of stability",
2021). Needs matplotlib (``pip install 'graphc[plot]'``).
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import graphc as gc

WIDTH, BLOCKS, POINTS, RADIUS = 16, 30, 31, 0.5
BATCHES, RATE, ENOUGH = (2, 8, 256), 0.03, 0.03


# ------------------------------------------------------------------------------------------------ shortcuts


def spirals(count=256):
    """Points (N, 2) on two interleaved spirals, and which of them."""
    rng = np.random.default_rng(0)
    angle, which = np.sqrt(rng.uniform(0.05, 1, count)) * 2 * np.pi, rng.integers(0, 2, count)
    turned, radius = angle + np.pi * which, angle / (2 * np.pi)
    points = np.stack([radius * np.cos(turned), radius * np.sin(turned)], axis=1)
    return {"x": points.astype(np.float32), "t": which.astype(np.int32)}


def deep(shortcuts):
    """A network of 32 layers; branches beside shortcuts start small, so that their sum does not grow."""
    init = gc.init.KaimingNormal(gain=BLOCKS**-0.5 if shortcuts else 1.0)
    blocks = [gc.nn.Sequential("relu", gc.nn.Dense(WIDTH, init=init)) for _ in range(BLOCKS)]
    blocks = list(map(gc.nn.Residual, blocks)) if shortcuts else blocks
    return gc.nn.Sequential(gc.nn.Dense(WIDTH), *blocks, "relu", gc.nn.Dense(2))


def surface(shortcuts):
    """The loss around the trained network, (POINTS, POINTS)."""
    g, data = gc.Graph("deep", seed=0), spirals()
    logits = deep(shortcuts)(g.input("x", ("N", 2)))
    loss = gc.losses.softmax_cross_entropy(logits, g.input("t", ("N",), "int32"))
    adam = gc.optim.Adam(gc.optim.cosine(3e-3, steps=600))
    run = gc.train.fit(loss, data, optimiser=adam, epochs=150, batch_size=64)
    return gc.train.landscape(run, data, radius=RADIUS, points=POINTS).values


def pits(values):
    """How many points lie lower than their eight neighbours."""
    rows, columns = values.shape
    around = [
        values[1 + i : rows - 1 + i, 1 + j : columns - 1 + j]
        for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j
    ]  # fmt: skip
    return int(np.sum(values[1:-1, 1:-1] < np.min(around, axis=0)))


# -------------------------------------------------------------------------------------------------- batches


def examples(count, seed):
    """Two classes, -1 and 1, of ten features, one label in ten wrong."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, 10)).astype(np.float32)
    wrong = rng.random(count) < 0.1
    t = np.where((x[:, 0] * x[:, 1] + 2 * x[:, 2] > 0) ^ wrong, 1, -1)
    return {"x": x, "t": t[:, None].astype(np.float32)}


def sharpness(loss, run, data, rounds=60):
    """The largest eigenvalue of the Hessian, by power iteration."""
    weights = list(loss.graph.params)
    along = [loss.graph.input(f"{w.name}.along", w.shape) for w in weights]
    products = gc.hvp(loss, weights, along)
    hessian = gc.compile({w.name: products[w] for w in weights}, params=run.params)
    rng = np.random.default_rng(0)
    v = {w.name: rng.normal(size=w.shape).astype(np.float32) for w in weights}
    for _ in range(rounds):
        length = np.sqrt(sum(np.sum(part**2) for part in v.values()))
        v = hessian(**data, **{f"{name}.along": part / length for name, part in v.items()})
    return float(np.sqrt(sum(np.sum(part**2) for part in v.values())))


def minimum(batch):
    """Where training ends that takes ``batch`` examples in a step, with the same loss for all."""
    g, data = gc.Graph("minimum", seed=0), examples(256, seed=0)
    y = gc.nn.Sequential(gc.nn.Dense(64, "relu"), gc.nn.Dense(1))(g.input("x", ("N", 10)))
    loss = gc.losses.mse(y, g.input("t", ("N", 1)))
    run = gc.train.fit(
        loss, data, optimiser=gc.optim.SGD(RATE), epochs=5000, batch_size=batch,
        callbacks=[lambda run: run.stop("enough") if run.history["loss"][-1] < ENOUGH else None],
    )  # fmt: skip
    around = gc.train.landscape(run, data, radius=RADIUS, points=POINTS).values
    return {
        "epochs": run.epoch,
        "training": run.evaluate(data)["loss"],
        "test": run.evaluate(examples(2000, seed=1))["loss"],
        "sharpness": sharpness(loss, run, data),
        "slice": around[POINTS // 2],
    }


# ------------------------------------------------------------------------------------------------------ all


def picture(surfaces, minima):
    figure = Figure(figsize=(13, 4), layout="constrained")
    *maps, slices = figure.subplots(1, 3)
    steps, levels = np.linspace(-RADIUS, RADIUS, POINTS), np.geomspace(1e-4, 1e3, 29)
    for axes, (title, values) in zip(maps, surfaces.items(), strict=True):
        shown = axes.contourf(steps, steps, np.clip(values, levels[0], None), levels=levels, norm="log")
        axes.contour(steps, steps, values, levels=[0.1], colors="w")
        axes.set(title=f"32 layers {title}; white: loss 0.1", aspect="equal")
    figure.colorbar(shown, ax=maps, label="loss")
    for batch, found in minima.items():
        slices.plot(steps, found["slice"], label=f"{batch} in a step, eigenvalue {found['sharpness']:.0f}")
    slices.set(title="minima of small and large batches", ylabel="loss", ylim=(0, None))
    slices.legend()
    return figure


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict[str, dict]:
    """Train all, print how wide and how sharp their minima are, draw them, return the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    surfaces = {"without shortcuts": surface(False), "with shortcuts": surface(True)}
    found = {}
    for name, values in surfaces.items():
        centre, low = values[POINTS // 2, POINTS // 2], np.mean(values < 0.1)
        found[name] = {"centre": centre, "low": low, "pits": pits(values)}
        print(f"{name:18} loss below 0.1 in {low:.0%} of the square, {pits(values)} pits")
    minima = {batch: minimum(batch) for batch in BATCHES}
    for batch, m in minima.items():
        print(
            f"batches of {batch:3}: largest eigenvalue {m['sharpness']:5.1f} (2/eta is {2 / RATE:.1f})",
            end=", ",
        )
        print(f"loss {m['training']:.3f}, on test data {m['test']:.3f}, after {m['epochs']} epochs")
    picture(surfaces, minima).savefig(output / "landscape.svg")
    return {"surfaces": found, "minima": minima}


if __name__ == "__main__":
    main()
