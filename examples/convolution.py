"""A small convolutional network, with batch norm, learns handwritten digits, as they are or changed anew each time.

One declaration trains by the statistics of the batch and predicts by the running averages. New digits that are turned
and moved are strange to the network that saw none of that kind, and not to the one that saw changed ones. The pictures
show the network, a box a layer, the filters of its first layer, and ten random changes of images, each by itself.
Needs SciPy, scikit-learn and matplotlib (``pip install 'graphc[augment,demo,plot]'``).
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import graphc as gc

EPOCHS, BATCH, SHOWN = 20, 64, 8
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
    """Images (N, 1, 8, 8) from 0 to 1 with their digits, for training and for the test."""
    data = load_digits()
    images, numbers = (data.images[:, None] / 16).astype(np.float32), data.target.astype(np.int32)
    x, unseen, t, their = train_test_split(images, numbers, test_size=0.25, random_state=0, stratify=numbers)
    return {"x": x, "t": t}, {"x": unseen, "t": their}


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


def trained(augment=None):
    """The run, validated by epoch on new digits that are changed; the accuracy on the same as they are."""
    data, test = digits()
    g = gc.Graph("convolution", seed=0)
    x, t = g.input("x", ("N", 1, 8, 8)), g.input("t", ("N",), "int32")
    logits = network()(x)
    changed = {"x": FOR_DIGITS(test["x"], np.random.default_rng(1)), "t": test["t"]}
    rate = gc.optim.cosine(2e-3, steps=EPOCHS * -(-len(data["t"]) // BATCH))
    run = gc.train.fit(
        gc.losses.softmax_cross_entropy(logits, t), data, epochs=EPOCHS, batch_size=BATCH, validation=changed,
        optimiser=gc.optim.Adam(rate), metrics={"accuracy": gc.train.accuracy(logits, t)}, augment=augment,
    )  # fmt: skip
    return run, run.evaluate(test)["accuracy"]


def changed(image):
    """By change, an image (channels, height, width) as it comes out eight times."""
    same = np.repeat(image[None], SHOWN, axis=0)
    return {name: change(same, np.random.default_rng(0)) for name, change in CHANGES.items()}


def picture(images, runs, filters):
    figure = Figure(figsize=(12, 5.5), layout="constrained")
    left, right = figure.subfigures(1, 2)
    rows = left.subplots(len(images), SHOWN)
    for row, (name, batch) in zip(rows, images.items(), strict=True):
        for axes, image in zip(row, batch[:, 0], strict=True):
            axes.imshow(image, cmap="gray", vmin=0, vmax=1)
            axes.set_axis_off()
        row[0].set_title(name, fontsize=8, pad=2, loc="left")
    above, below = right.subfigures(2, 1, height_ratios=(2.5, 1))
    accuracies = above.subplots()
    for label, run in runs.items():
        accuracies.plot(range(1, EPOCHS + 1), run.history["val_accuracy"], label=label)
    accuracies.set(title="accuracy on changed test digits", xlabel="epoch", ylim=(0, 1))
    accuracies.set_xticks([1, *range(5, EPOCHS + 1, 5)])
    accuracies.legend(title="trained on digits", loc="lower right")
    draw_filters(below, filters)
    return figure


def draw_filters(figure, weights):
    """The kernels of the first layer, blue where they subtract, red where they add."""
    bound = np.abs(weights).max()
    for axes, kernel in zip(figure.subplots(2, 8).flat, weights[:, 0], strict=True):
        axes.imshow(kernel, cmap="coolwarm", vmin=-bound, vmax=bound)
        axes.set_axis_off()
    figure.suptitle("filters of the first layer, learnt from digits as they are", fontsize=9)


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict:
    """Train on digits as they are and on changed ones, print the accuracies, draw all, return the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    runs, accuracy = {}, {}
    for label, augment in {"as they are": None, "changed each time": {"x": FOR_DIGITS}}.items():
        runs[label], same = trained(augment)
        accuracy[label] = {"same": same, "changed": float(runs[label].history["val_accuracy"][-1])}
        print(f"trained on digits {label}: of new ones, {same:.1%} are right as they are,", end=" ")
        print(f"{accuracy[label]['changed']:.1%} turned and moved")
    plain = runs["as they are"]
    image = np.kron(digits()[0]["x"][0], np.ones((4, 4), np.float32))  # 32 x 32 pixels
    images = changed(image)
    gc.draw({"loss": plain.loss}, output / "convolution.svg", fold=True)
    picture(images, runs, plain.params["edges.weight"]).savefig(output / "augmentation.svg")
    return {"losses": plain.history["loss"], "accuracy": accuracy, "image": image, "images": images}


if __name__ == "__main__":
    main()
