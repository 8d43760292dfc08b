"""What one hidden layer can express: steps and bumps built by hand, error against width, the price of dimension.

Two sigmoids make a bump, and bumps side by side make any continuous function of one variable; so does one hidden layer
of ReLUs that gradient descent fits, with fewer units, since its corners go where the function bends. In d dimensions a
bump is a tower over one cell of a grid: n^d towers, n cells a side, have the error of n bumps in one dimension.
"""

from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import graphc as gc

WIDTHS = (4, 8, 16, 32, 64)
GRID = np.linspace(0, 1, 501)[:, None]
SIDES = (2, 4, 8, 16)


def target(x):
    return np.sin(2 * np.pi * x) + 0.5 * np.sin(6 * np.pi * x)


def rms(error):
    return float(np.sqrt(np.mean(np.square(error))))


def bumps(count, steepness):
    """``target`` from bumps h (sigmoid(k (x - a)) - sigmoid(k (x - b))) side by side, on ``GRID``."""
    x = gc.Graph("bumps").input("x", ("N", 1), "float64")
    edges = np.linspace(0, 1, count + 1)
    steps = gc.sigmoid(steepness * count * (x - edges))  # one neuron an edge
    heights = target((edges[1:] + edges[:-1]) / 2)
    return gc.compile({"y": (steps[:, :-1] - steps[:, 1:]) @ heights})(x=GRID)["y"]


def fitted(width, steps=3000):
    """``target`` by one hidden layer, whose corners lie evenly at first: the error after training."""
    g = gc.Graph("one hidden layer", seed=0)
    x, t = g.input("x", ("N", 1)), g.input("t", ("N", 1))
    w, corners = 4 * (-1.0) ** np.arange(1, width + 1), (np.arange(width) + 0.5) / width
    hidden = gc.nn.Dense(width, "relu", init=w[None], bias_init=-w * corners)
    loss = gc.losses.mse(gc.nn.Dense(1)(hidden(x)), t)
    rule = gc.optim.Adam(gc.optim.cosine(0.02, steps=steps))
    step = gc.compile({"loss": loss}, updates=rule(gc.grad(loss)))
    bound = step.bind(x=GRID.astype(np.float32), t=target(GRID).astype(np.float32))
    for _ in range(steps):
        error = float(np.sqrt(bound()["loss"]))
    return error


def towers(dimensions, side, rng):
    """The mean of sin(2 pi x_i) from side^d towers, each of which asks whether x lies in one cell of a grid."""
    x = gc.Graph("towers").input("x", ("N", dimensions), "float64")
    steps = gc.step(x[:, :, None] - np.linspace(0, 1, side + 1))
    within = steps[:, :, :-1] - steps[:, :, 1:]  # 1 in the interval of a coordinate, else 0
    cells = np.array(list(product(range(side), repeat=dimensions)))
    inside = sum(gc.take(within[:, k], cells[:, k], axis=1) for k in range(dimensions))
    heights = np.sin(2 * np.pi * (cells + 0.5) / side).mean(axis=1)
    points = np.vstack([np.full(dimensions, 1e-9), rng.uniform(size=(1000, dimensions))])
    found = gc.interpret(gc.step(inside - (dimensions - 0.5)) @ heights, x=points)
    return float(abs(found - np.sin(2 * np.pi * points).mean(axis=1)).max())


def picture(errors, by_dimension):
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.plot(GRID, target(GRID), "k", label="function")
    for steepness in (100, 5):
        left.plot(GRID, bumps(20, steepness), label=f"steepness {steepness}")
    left.set(title="20 bumps of sigmoids", xlabel="x", ylim=(-1.2, 2.2))
    for name, found in errors.items():
        middle.plot(found.keys(), found.values(), "o-", label=name)
    middle.set(title="one hidden layer", xlabel="units", ylabel="error (rms)", yscale="log")
    middle.set_xscale("log", base=2)
    for d, found in by_dimension.items():
        right.plot([side**d for side in found], found.values(), "o-", label=f"d = {d}")
    right.set(
        title="the price of dimension", xlabel="towers", ylabel="largest error", xscale="log", yscale="log"
    )
    for axes in (left, middle, right):
        axes.legend(loc="upper right")
    return figure


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict:
    """Build, fit and draw; return the errors."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    errors = {
        "bumps": {width: rms(bumps(width, 100) - target(GRID[:, 0])) for width in WIDTHS},
        "fitted ReLUs": {width: fitted(width) for width in WIDTHS},
    }
    by_dimension = {d: {side: towers(d, side, rng) for side in SIDES} for d in (1, 2, 3)}
    for name, found in errors.items():
        print(f"{name}:", ", ".join(f"{units} units {error:.4f}" for units, error in found.items()))
    for d, found in by_dimension.items():
        print(f"d = {d}:", ", ".join(f"{side**d} towers {error:.4f}" for side, error in found.items()))
    picture(errors, by_dimension).savefig(output / "approximation.svg")
    return {"errors": errors, "towers": by_dimension}


if __name__ == "__main__":
    main()
