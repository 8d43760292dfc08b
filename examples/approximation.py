"""What width and what depth can express: bumps from neurons, a fitted layer, and networks that read bits exactly.

Width: two sigmoids make a bump, and bumps side by side make any continuous function of one variable; so does one hidden
layer of ReLUs that gradient descent fits, with fewer units, since its corners go where the function bends. In d
dimensions a bump is a tower over one cell of a grid: n^d towers, n cells a side, have the error of n bumps in one.

Depth: for theta_1 .. theta_L as the binary fraction x = 0.theta_1 .. theta_L, and l <= L, a ReLU network returns
theta_1 + .. + theta_l, within the width 7 and 2L + 1 hidden layers of Shen, Yang and Zhang ("Optimal approximation rate
of ReLU networks in terms of width and depth", 2022). Staircases of width 4N + 3 and 3L + 3 hidden layers have
breakpoints of order N^2 L^2, where one hidden layer has one a unit at most.
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


class Layers:
    """A ReLU network that is written down as formulas: one call a hidden layer, of affine functions of the last one."""

    def __init__(self):
        self.before = []  # what each layer's relu is applied to

    def __call__(self, *columns):
        self.before.append(gc.concatenate(columns, axis=1))
        y, ends = gc.relu(self.before[-1]), np.cumsum([c.shape[1] for c in columns])
        return [y[:, end - c.shape[1] : end] for c, end in zip(columns, ends.tolist(), strict=True)]

    def size(self):
        return {"width": max(h.shape[1] for h in self.before), "layers": len(self.before)}


def bit_extraction(bits):
    """theta_1 + .. + theta_l from x = 0.theta_1 theta_2 .. theta_bits in binary and l, exactly.

    On the grid of these x, relu(a (x - 1/2) + 1) - relu(a (x - 1/2)) with a = 2^bits is the first bit, and 2 x - bit
    has the others. The counter c begins at l and goes down to 0: min(bit, c) = bit - relu(bit - c) is the bit, then 0.
    """
    g, hidden = gc.Graph("bit extraction"), Layers()
    x, c = g.input("x", ("N", 1)), g.input("l", ("N", 1))
    total, a = 0 * x, 2.0**bits
    for k in range(bits):
        with g.scope(f"bit{k + 1}"):
            above, below, x, c, total = hidden(a * (x - 0.5) + 1, a * (x - 0.5), x, c, total)
            bit = above - below
            total, less, x, c = hidden(total + bit, bit - c, 2 * x - bit, c - 1)
            total = total - less
    return total, hidden


def bits_that_are_right(bits=10):
    """All strings of bits with all l, and on how many the network is right."""
    total, hidden = bit_extraction(bits)
    strings = np.array(list(product([0, 1], repeat=bits)))
    expected = np.hstack([np.zeros((len(strings), 1)), strings.cumsum(axis=1)])
    x = np.repeat(strings @ 0.5 ** np.arange(1, bits + 1), bits + 1)
    length = np.tile(np.arange(bits + 1), len(strings))
    rows = {"x": x[:, None].astype(np.float32), "l": length[:, None].astype(np.float32)}
    found = gc.compile({"total": total})(**rows)["total"].reshape(expected.shape)
    return hidden.size() | {"right": int((found == expected).sum()), "of": expected.size}


def staircase(n, depth):
    """floor(x) on [0, K], save in the last quarter before each integer, by width 4 n + 3 and 3 depth + 3 layers.

    Each layer has 2 n ramps relu(4 (x - s) + 1) - relu(4 (x - s)), which are steps, and passes on x and the count so
    far. The first half of the layers counts steps of a large size, the second those of size 1 in what remains.
    """
    hidden, total = Layers(), 3 * depth + 3
    coarse, fine = 2 * n * (total - total // 2), 2 * n * (total // 2)
    x = gc.Graph("staircase").input("x", ("N", 1), "float64")

    def count(x, thresholds, *carried):
        steps = 0 * x
        for s in thresholds.reshape(-1, 2 * n):
            above, below, x, steps, *carried = hidden(4 * (x - s) + 1, 4 * (x - s), x, steps, *carried)
            steps = steps + gc.sum(above - below, axis=1, keepdims=True)
        return x, steps, *carried

    x, large = count(x, fine * np.arange(1.0, coarse + 1))
    _, small, large = count(x - fine * large, np.arange(1.0, fine + 1), large)
    return fine * large + small, hidden, coarse * fine


def breakpoints(y, hidden, end):
    """Where the slope of ``y`` changes on (0, end): zeros of what each relu is applied to, layer by layer."""
    x = np.array([0.0, end])
    for before in hidden.before:
        h = gc.interpret(before, x=x[:, None])
        left, right = h[:-1], h[1:]  # linear between, since the layers before have no corner there
        piece, unit = np.nonzero(left * right < 0)
        part = left[piece, unit] / (left[piece, unit] - right[piece, unit])
        x = np.unique(np.r_[x, x[piece] + part * np.diff(x)[piece]])
    slopes = np.diff(gc.interpret(y, x=x[:, None])[:, 0]) / np.diff(x)
    return x[1:-1][abs(np.diff(slopes)) > 0.5]


def steps_and_breakpoints(n, depth):
    """Size of a staircase, whether it is exact on all its steps, and how many breakpoints it has."""
    y, hidden, steps = staircase(n, depth)
    x = np.arange(steps)[:, None] + [0, 0.25, 0.5, 0.75]
    exact = gc.interpret(y, x=x.reshape(-1, 1)).reshape(x.shape) == np.floor(x)
    count = len(breakpoints(y, hidden, steps - 0.25))
    units = sum(h.shape[1] for h in hidden.before)
    return hidden.size() | {"units": units, "steps": steps, "exact": bool(exact.all()), "breakpoints": count}


def picture(errors, by_dimension, stairs):
    figure = Figure(figsize=(10, 6.6), layout="constrained")
    width, depth = figure.subfigures(2, 1)
    draw_width(width.subplots(1, 3), errors, by_dimension)
    draw_depth(depth.subplots(1, 2), stairs)
    return figure


def draw_width(axes, errors, by_dimension):
    """A function as bumps of two steepnesses; errors over units and, by dimension, over towers."""
    left, middle, right = axes
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
    right.set(title="the price of dimension", xlabel="towers", ylabel="largest error")
    right.set(xscale="log", yscale="log")
    for each in axes:
        each.legend(loc="upper right")


def draw_depth(axes, stairs):
    """A staircase and where it breaks, and the breakpoints of all against their units."""
    left, right = axes
    y, hidden, steps = staircase(1, 1)
    at = breakpoints(y, hidden, steps - 0.25)[:45]
    left.plot(at, gc.interpret(y, x=at[:, None]), ".-")
    left.set(title=f"staircase, N = L = 1: the first of {steps} steps", xlabel="x")
    for depth in (1, 2, 4):
        chosen = np.array([(s["units"], s["breakpoints"]) for (_, k), s in stairs.items() if k == depth])
        right.plot(*chosen.T, "o-", label=f"L = {depth}")
    right.plot([30, 300], [30, 300], "k:", label="one hidden layer")
    right.set(title="breakpoints of staircases", xlabel="units", yscale="log")
    right.set_xscale("log", base=2)
    right.legend()


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict:
    """Build, fit, count and draw; return the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    errors = {
        "bumps": {width: rms(bumps(width, 100) - target(GRID[:, 0])) for width in WIDTHS},
        "fitted ReLUs": {width: fitted(width) for width in WIDTHS},
    }
    by_dimension = {d: {side: towers(d, side, rng) for side in SIDES} for d in (1, 2, 3)}
    bits = bits_that_are_right()
    stairs = {(n, depth): steps_and_breakpoints(n, depth) for n in (1, 2, 4) for depth in (1, 2, 4)}
    for name, found in errors.items():
        print(f"{name}:", ", ".join(f"{units} units {error:.4f}" for units, error in found.items()))
    for d, found in by_dimension.items():
        print(f"d = {d}:", ", ".join(f"{side**d} towers {error:.4f}" for side, error in found.items()))
    print("bit extraction:", bits)
    for (n, depth), found in stairs.items():
        print(f"staircase, N = {n}, L = {depth}:", found)
    picture(errors, by_dimension, stairs).savefig(output / "approximation.svg")
    gc.draw({"total": bit_extraction(2)[0]}, output / "bit_extraction.svg")
    return {"errors": errors, "towers": by_dimension, "bits": bits, "stairs": stairs}


if __name__ == "__main__":
    main()
