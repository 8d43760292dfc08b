"""A small convolutional network, with batch norm, learns the handwritten digits of scikit-learn.

One declaration trains by the statistics of the batch and predicts by the running averages. The pictures show
the network, a box a layer, and the filters of its first layer. Needs scikit-learn and matplotlib
(``pip install 'graphc[demo,plot]'``).
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import graphc as gc

EPOCHS, BATCH = 15, 64


def data():
    """Images (N, 1, 8, 8) from 0 to 1 with their digits, for training and for the test."""
    digits = load_digits()
    images = (digits.images[:, None] / 16).astype(np.float32)
    parts = train_test_split(
        images, digits.target.astype(np.int32), test_size=0.25, random_state=0, stratify=digits.target
    )
    return parts[0], parts[2], parts[1], parts[3]


def network():
    """Three convolutions, one pool, two dense layers: 48,000 weights."""
    return gc.nn.Sequential(
        gc.nn.Conv2d(16, 3, padding="same", use_bias=False, name="edges"),
        gc.nn.BatchNorm(),
        "relu",
        gc.nn.Conv2d(32, 3, padding="same", use_bias=False),
        gc.nn.BatchNorm(),
        "relu",
        gc.nn.MaxPool2d(2),
        gc.nn.Conv2d(32, 3, padding="same", use_bias=False),
        gc.nn.BatchNorm(),
        "relu",
        gc.nn.Flatten(),
        gc.nn.Dropout(0.3),
        gc.nn.Dense(64, "relu"),
        gc.nn.Dense(10, name="digit"),
    )


def batches(rng, count):
    """The numbers of the samples in a new order, cut into batches."""
    order = rng.permutation(count)
    return [order[k : k + BATCH] for k in range(0, count, BATCH)]


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict[str, float]:
    """Train, print the loss and the accuracy on unseen digits, draw the filters; returns the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    x_train, t_train, x_test, t_test = data()
    g = gc.Graph("convolution", seed=0)
    x, t = g.input("x", ("N", 1, 8, 8)), g.input("t", ("N",), dtype="int32")
    logits = network()(x)
    loss = gc.losses.softmax_cross_entropy(logits, t)
    adam = gc.optim.Adam(learning_rate=2e-3)
    step = gc.compile({"loss": loss}, updates=adam(gc.grad(loss)))
    predict = gc.compile({"digit": gc.argmax(logits, axis=1)}, params=step.params, mode="eval")
    rng, first, accuracy = np.random.default_rng(0), 0.0, 0.0
    for epoch in range(EPOCHS):
        step.states["adam.learning_rate"] = 2e-3 * 0.5 * (1 + np.cos(np.pi * epoch / EPOCHS))
        losses = [
            float(step(x=x_train[rows], t=t_train[rows])["loss"]) for rows in batches(rng, len(x_train))
        ]
        first = first or losses[0]
        accuracy = float((predict(x=x_test)["digit"] == t_test).mean())
        print(f"epoch {epoch + 1:2}  loss {np.mean(losses):.4f}  test accuracy {accuracy:.4f}")
    gc.draw({"loss": loss}, fold=True).save(output / "convolution.svg")
    draw_filters(step.params["edges.weight"], output / "convolution_filters.svg")
    return {"first": first, "last": float(np.mean(losses)), "accuracy": accuracy}


def draw_filters(weights: np.ndarray, path: Path) -> None:
    """The kernels of the first layer, blue where they subtract, red where they add."""
    figure, bound = Figure(figsize=(8, 2.2)), np.abs(weights).max()
    for axis, kernel in zip(figure.subplots(2, 8).flat, weights[:, 0], strict=True):
        axis.imshow(kernel, cmap="coolwarm", vmin=-bound, vmax=bound)
        axis.set_axis_off()
    figure.suptitle("Filters of the first layer, learnt from digits of 8 x 8 pixels", fontsize=9)
    figure.savefig(path)


if __name__ == "__main__":
    main()
