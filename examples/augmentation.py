"""Augmentation: random changes of images, each shown by itself, and what a network learns from them.

A convolutional network sees 800 handwritten digits 60 times over, as they are or changed anew each time. New digits
that are turned and moved are strange to the one, and not to the other. Needs SciPy, scikit-learn and matplotlib
(``pip install 'graphc[augment,demo,plot]'``).
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import graphc as gc

EPOCHS, BATCH, SEEN, SHOWN = 60, 40, 800, 8
CHANGES = {
    "flip": gc.train.Augmentation(flip=0.5),
    "crop": gc.train.Augmentation(crop=(0.5, 1.0)),
    "scale": gc.train.Augmentation(scale=(0.6, 1.2), edge="constant"),
    "translation": gc.train.Augmentation(translate=0.2, edge="constant"),
    "rotation": gc.train.Augmentation(rotate=40, edge="constant"),
    "stretch": gc.train.Augmentation(stretch=(0.4, 2.5), edge="constant"),
    "shear": gc.train.Augmentation(shear=30, edge="constant"),
    "lens distortion": gc.train.Augmentation(lens=0.4, edge="constant"),
    "contrast": gc.train.Augmentation(contrast=0.7),
    "brightness": gc.train.Augmentation(brightness=0.4),
}
FOR_DIGITS = gc.train.Augmentation(  # no mirror images, which are no digits
    translate=0.1, rotate=20, shear=10, scale=(0.85, 1.1), contrast=0.3, edge="constant"
)


def digits():
    """Images (N, 1, 8, 8) from 0 to 1 with their digits: those for training, and all others."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    x, t = (data.images[order, None] / 16).astype(np.float32), data.target[order].astype(np.int32)
    return {"x": x[:SEEN], "t": t[:SEEN]}, {"x": x[SEEN:], "t": t[SEEN:]}


def trained(augment):
    """The history of a training, validated on new digits that are changed; the accuracy on the same, unchanged."""
    data, test = digits()
    g = gc.Graph("digits", seed=0)
    x, t = g.input("x", ("N", 1, 8, 8)), g.input("t", ("N",), "int32")
    logits = gc.nn.Sequential(
        gc.nn.Conv2d(32, 3, padding="same", activation="relu"),
        gc.nn.MaxPool2d(2),
        gc.nn.Flatten(),
        gc.nn.Dense(128, activation="relu"),
        gc.nn.Dense(10, name="digit"),
    )(x)
    changed = {"x": FOR_DIGITS(test["x"], np.random.default_rng(1)), "t": test["t"]}
    run = gc.train.fit(
        gc.losses.softmax_cross_entropy(logits, t), data, epochs=EPOCHS, batch_size=BATCH, validation=changed,
        optimiser=gc.optim.Adam(gc.optim.cosine(3e-3, steps=EPOCHS * SEEN // BATCH)),
        metrics={"accuracy": gc.train.accuracy(logits, t)}, augment=augment,
    )  # fmt: skip
    return run.history, run.evaluate(test)["accuracy"]


def changed(image):
    """By change, an image (channels, height, width) as it comes out eight times."""
    same = np.repeat(image[None], SHOWN, axis=0)
    return {name: change(same, np.random.default_rng(0)) for name, change in CHANGES.items()}


def picture(images, runs):
    figure = Figure(figsize=(12, 5.5), layout="constrained")
    left, right = figure.subfigures(1, 2)
    rows = left.subplots(len(images), SHOWN)
    for row, (name, batch) in zip(rows, images.items(), strict=True):
        for axes, image in zip(row, batch[:, 0], strict=True):
            axes.imshow(image, cmap="gray", vmin=0, vmax=1)
            axes.set_axis_off()
        row[0].set_title(name, fontsize=8, pad=2, loc="left")
    losses, accuracies = right.subplots(2, 1, sharex=True)
    for label, (history, _) in runs.items():
        losses.plot(history["val_loss"], label=label)
        accuracies.plot(history["val_accuracy"], label=label)
    losses.set(title="changed test digits: loss", yscale="log")
    accuracies.set(title="changed test digits: accuracy", xlabel="epoch", ylim=(0, 1))
    accuracies.legend(title="trained on digits")
    return figure


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict[str, dict]:
    """Train without augmentation and with it, draw all, return the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    runs = {"as they are": trained(None), "changed each time": trained({"x": FOR_DIGITS})}
    accuracy = {label: (float(h["val_accuracy"][-1]), unchanged) for label, (h, unchanged) in runs.items()}
    for label, (strange, unchanged) in accuracy.items():
        print(
            f"trained on digits {label}: {unchanged:.1%} of new ones are right, {strange:.1%} of changed ones"
        )
    image = np.kron(digits()[0]["x"][0], np.ones((4, 4), np.float32))  # 32 x 32 pixels
    images = changed(image)
    picture(images, runs).savefig(output / "augmentation.svg")
    return {"accuracy": accuracy, "image": image, "images": images}


if __name__ == "__main__":
    main()
