"""Recurrent networks learn to copy: they read a few symbols and, after a sign, write them down again.

Nothing but the state carries the symbols to where they are asked for. Two layers of each kind, LSTM, GRU and the simple
RNN, learn the same task from the same data; sequences are of different lengths, so steps behind the end take no part.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import graphc as gc

SYMBOLS, LONGEST, HIDDEN, BATCH = 8, 5, 64, 64
STEPS = 2 * LONGEST + 1
KINDS = {"LSTM": gc.nn.LSTM, "GRU": gc.nn.GRU, "RNN": gc.nn.RNN}


def sequences(rng, rows):
    """Symbols 1 to 8 of 2 to 5 steps, the sign 9, and as many blanks (0), over which they are due again."""
    lengths = rng.integers(2, LONGEST + 1, rows)
    x, t = np.zeros((rows, STEPS), np.int32), np.zeros((rows, STEPS), np.int32)
    for row, k in enumerate(lengths):
        x[row, :k] = t[row, k + 1 : 2 * k + 1] = rng.integers(1, SYMBOLS + 1, k)
        x[row, k] = SYMBOLS + 1
    return {"x": x, "t": t, "lengths": (2 * lengths + 1).astype(np.int32)}


def declare(kind):
    """Loss, and the share of symbols that are right; both over the steps at which a symbol is due."""
    g = gc.Graph(kind, seed=0)
    x, t = g.input("x", ("N", STEPS), "int32"), g.input("t", ("N", STEPS), "int32")
    lengths = g.input("lengths", ("N",), "int32")
    hidden = KINDS[kind](HIDDEN, layers=2, name="recurrent")(gc.one_hot(x, SYMBOLS + 2), lengths=lengths)
    logits = gc.nn.Dense(SYMBOLS + 1, name="read")(hidden)
    due = gc.cast(t > 0, "float32")
    loss = gc.losses.softmax_cross_entropy(logits, t, weights=due)
    right = gc.cast(gc.argmax(logits, axis=-1) == t, "float32")
    return {"loss": loss, "right": gc.sum(due * right) / gc.sum(due)}


def train(kind, steps):
    """The learning curve, and the share of symbols that are right in 1000 new sequences."""
    outputs, rng = declare(kind), np.random.default_rng(0)
    grads = gc.optim.clip_by_global_norm(gc.grad(outputs["loss"]), 1.0)
    adam = gc.optim.Adam(gc.optim.cosine(6e-3, steps=steps))
    step = gc.compile(outputs, updates=adam(grads), name=kind)
    curve = [float(step(**sequences(rng, BATCH))["loss"]) for _ in range(steps)]
    right = gc.compile({"right": outputs["right"]}, params=step.params)
    new = sequences(np.random.default_rng(1), 1000)
    return {"curve": curve, "right": float(right(**{n: new[n] for n in right.inputs})["right"])}


def picture(figures):
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss", yscale="log", title="Copying 2 to 5 symbols")
    for kind, found in figures.items():
        smooth = np.convolve(found["curve"], np.ones(20) / 20, "valid")
        axes.plot(np.arange(len(smooth)) + 20, smooth, label=f"{kind}: {found['right']:.1%} right")
    axes.axhline(np.log(SYMBOLS), color="0.6", linestyle=":", label="guessing")
    axes.legend()
    return figure


def main(output_dir: str | Path = Path(__file__).parent / "output", steps: int = 500) -> dict[str, dict]:
    """Train all kinds, print what they reach, draw the curves, return all figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    figures = {kind: train(kind, steps) for kind in KINDS}
    for kind, found in figures.items():
        print(f"{kind:4}  last loss {found['curve'][-1]:.4f}, {found['right']:.2%} of the symbols right")
    picture(figures).savefig(output / "recurrent.svg")
    return figures


if __name__ == "__main__":
    main()
