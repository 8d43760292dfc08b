"""What depth adds: a ReLU network that reads the bits of a number, and networks with many more corners than units.

Bit extraction: for theta_1 .. theta_L as the binary fraction x = 0.theta_1 .. theta_L, and l <= L, the network returns
theta_1 + .. + theta_l. It stays within the bounds of Shen, Yang and Zhang ("Optimal approximation rate of ReLU
networks in terms of width and depth", 2022), width 7 and 2L + 1 hidden layers, and is exact.

A staircase: width 4N + 3 and 3L + 3 hidden layers have steps, and with them breakpoints, of order N^2 L^2. One hidden
layer has one breakpoint a unit at most.
"""

from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import graphc as gc


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
    x = strings @ 0.5 ** np.arange(1, bits + 1)
    length = np.arange(bits + 1)
    expected = np.hstack([np.zeros((len(x), 1)), strings.cumsum(axis=1)])
    rows = {"x": np.repeat(x, bits + 1), "l": np.tile(length, len(x))}
    found = gc.compile({"total": total})(**{k: v[:, None].astype(np.float32) for k, v in rows.items()})[
        "total"
    ]
    return hidden.size() | {
        "right": int((found.reshape(expected.shape) == expected).sum()),
        "of": expected.size,
    }


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


def picture(stairs):
    """A staircase and where it breaks, and the breakpoints of all against their units."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    y, hidden, steps = staircase(1, 1)
    at = breakpoints(y, hidden, steps - 0.25)[:45]
    left.plot(at, gc.interpret(y, x=at[:, None]), ".-")
    left.set(title=f"N = L = 1: the first of {steps} steps", xlabel="x")
    for depth in (1, 2, 4):
        chosen = [found for (_, k), found in stairs.items() if k == depth]
        right.plot(
            [s["units"] for s in chosen], [s["breakpoints"] for s in chosen], "o-", label=f"L = {depth}"
        )
    right.plot([30, 300], [30, 300], "k:", label="one hidden layer")
    right.set(title="breakpoints", xlabel="units", yscale="log")
    right.set_xscale("log", base=2)
    right.legend()
    return figure


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict:
    """Build, count and draw; return the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    bits = bits_that_are_right()
    print("bit extraction:", bits)
    stairs = {(n, depth): steps_and_breakpoints(n, depth) for n in (1, 2, 4) for depth in (1, 2, 4)}
    for (n, depth), found in stairs.items():
        print(f"N = {n}, L = {depth}:", found)
    gc.draw({"total": bit_extraction(2)[0]}, output / "bit_extraction.svg")
    picture(stairs).savefig(output / "breakpoints.svg")
    return {"bits": bits, "stairs": stairs}


if __name__ == "__main__":
    main()
