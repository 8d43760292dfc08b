"""Handwritten digits: declare, differentiate, compile, train, predict, draw.

Needs scikit-learn for the images (``pip install 'graphc[demo]'``).
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

import graphc as gc

EPOCHS, BATCH = 30, 32


def images(rng):
    """Images ``(N, 64)`` in [0, 1] and classes ``(N,)``, for training and for testing."""
    data = load_digits()
    order = rng.permutation(len(data.target))
    x, t = (data.data[order] / 16).astype(np.float32), data.target[order].astype(np.int32)
    return (x[:1437], t[:1437]), (x[1437:], t[1437:])


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict[str, float]:
    """Train, print and draw; return losses and the accuracy on images not seen in training."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    (X, T), (X_test, T_test) = images(rng)  # noqa: N806 - matrices

    g = gc.Graph("mlp", seed=0)
    x = g.input("x", ("N", 64))  # "N" is a symbolic size: compiled once for every N
    t = g.input("t", ("N",), dtype="int32")
    h = gc.nn.Dense(128, activation="relu", name="hidden")(x)
    logits = gc.nn.Dense(10, name="out")(h)
    loss = gc.losses.softmax_cross_entropy(logits, t)

    grads = gc.grad(loss)
    step = gc.compile({"loss": loss}, updates=gc.optim.SGD(0.1)(grads))
    predict = gc.compile({"p": gc.softmax(logits)}, params=step.params)  # shares the same memory

    losses = []
    for _ in range(EPOCHS):
        order = rng.permutation(len(X))
        batches = [order[i : i + BATCH] for i in range(0, len(X), BATCH)]
        losses.append(float(np.mean([step(x=X[at], t=T[at])["loss"] for at in batches])))
    accuracy = float(np.mean(predict(x=X_test)["p"].argmax(axis=1) == T_test))

    print(f"mean loss {losses[0]:.3f} in the first pass, {losses[-1]:.3f} in the last")
    print(f"test accuracy {accuracy:.1%}")
    print(step.report())
    gc.draw({"loss": loss}, output / "quickstart.svg", view="both", grads=grads)
    step.draw(output / "quickstart_kernels.svg")
    (output / "quickstart_kernels.py").write_text(step.source, encoding="utf-8")
    return {"first": losses[0], "last": losses[-1], "accuracy": accuracy}


if __name__ == "__main__":
    main()
