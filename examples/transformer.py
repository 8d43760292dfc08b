"""A small transformer learns to sort: two blocks read digits in any order and write them in ascending order.

All places of the answer are written at once, so each has to find out by itself which digit belongs there: in the first
block, those in front tend to look at small digits and those behind at large ones: the picture of the attention's
weights shows it. Sequences have 4 to 10 digits; steps behind the end take no part.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import graphc as gc

DIGITS, SHORTEST, LONGEST = 10, 4, 10
FEATURES, HEADS, BATCH = 32, 2, 64


def sequences(rng, rows):
    """Digits, the same in order, and how many there are; behind these stand zeros."""
    lengths = rng.integers(SHORTEST, LONGEST + 1, rows)
    within = np.arange(LONGEST) < lengths[:, None]
    x = rng.integers(0, DIGITS, (rows, LONGEST))
    t = np.sort(np.where(within, x, DIGITS), axis=1)
    return {"x": (x * within).astype(np.int32), "t": (t * within).astype(np.int32), "lengths": lengths}


def declare():
    """Loss, accuracy and answer of the network, and the weights of its first attention."""
    g = gc.Graph("sorting", seed=0)
    x, t = g.input("x", ("N", LONGEST), "int32"), g.input("t", ("N", LONGEST), "int32")
    lengths = g.input("lengths", ("N",), "int64")
    h = gc.nn.Embedding(DIGITS, FEATURES, name="digit")(x)
    embedded = h + gc.nn.sinusoidal_positions(h)
    first, second = (gc.nn.TransformerBlock(HEADS, 4 * FEATURES, name=f"block{k}") for k in (1, 2))
    h = first(embedded, lengths=lengths)
    logits = gc.nn.Dense(DIGITS, name="read")(second(h, lengths=lengths))
    within = gc.arange(g, LONGEST) < lengths[:, None]
    right = gc.argmax(logits, axis=-1) == t
    return {
        "loss": gc.losses.softmax_cross_entropy(logits, t, weights=gc.cast(within, "float32")),
        "sorted": gc.mean(
            gc.all(right | ~within, axis=1)
        ),  # the share of sequences that are right throughout
        "answer": gc.argmax(logits, axis=-1),
        "weights": first.weights(embedded, lengths=lengths),
    }


def train(outputs, steps):
    """The learning curve and the trained parameters."""
    rate = gc.optim.cosine(3e-3, steps=steps, warmup=100)
    updates = gc.optim.Adam(rate)(gc.grad(outputs["loss"]))
    step = gc.compile({"loss": outputs["loss"]}, updates=updates, name="sorting")
    rng, seen, curve = np.random.default_rng(0), set(), []
    for _ in range(steps):
        batch = sequences(rng, BATCH)
        seen.update(map(bytes, batch["x"]))
        curve.append(float(step(**batch)["loss"]))
    return curve, step.params, seen


def unseen(seen, rows=2000):
    """New sequences, none of which training met."""
    found = sequences(np.random.default_rng(1), rows)
    new = [bytes(row) not in seen for row in found["x"]]
    return {name: values[new] for name, values in found.items()}


def picture(curve, example, answer, weights):
    """The learning curve, and what each place of one answer attended to."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.subplots(1, 1 + HEADS)
    order = np.argsort(example, kind="stable")
    axes[0].plot(curve)
    axes[0].set(xlabel="step", ylabel="loss", yscale="log", title="Learning to sort")
    for head, at in enumerate(axes[1:]):
        at.imshow(weights[head][:, order], cmap="Blues", vmin=0)
        at.set(xlabel="digits read, in order", ylabel="digits written", title=f"Block 1, head {head + 1}")
        at.set_xticks(range(len(example)), example[order])
        at.set_yticks(range(len(answer)), answer)
    return figure


def main(output_dir: str | Path = Path(__file__).parent / "output", steps: int = 1200) -> dict[str, object]:
    """Train, sort what training never met, draw the attention of one answer, return all figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    outputs = declare()
    curve, params, seen = train(outputs, steps)
    new = unseen(seen)
    found = gc.compile({k: v for k, v in outputs.items() if k != "loss"}, params=params)(**new)
    print(f"{found['sorted']:.1%} of {len(new['x'])} unseen sequences are sorted without a mistake")
    row = int(np.argmax(new["lengths"] == 8))
    k = int(new["lengths"][row])
    example, answer = new["x"][row, :k], found["answer"][row, :k]
    print(*example, "->", *answer)
    figure = picture(curve, example, answer, found["weights"][row, :, :k, :k])
    figure.savefig(output / "transformer.svg")
    return {
        "curve": curve,
        "sorted": float(found["sorted"]),
        "unseen": len(new["x"]),
        "answer": answer,
        "of": example,
    }


if __name__ == "__main__":
    main()
