"""Regressions and perceptrons as networks: linear, logistic and softmax regression, and the perceptron.

The perceptron's learning rule, w += eta (y - f(x)) phi(x), is no gradient: it is written down as the update of its
weights. It converges on data that a line separates, and on XOR it never does; composed of perceptrons, every Boolean
function of two variables is a network of two layers, which gradient descent finds as well.
"""

from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import graphc as gc

CORNERS = np.array(list(product([-1, 1], repeat=2)), np.float32)


# ------------------------------------------------------------------------------------------- three regressions


def batches(rng, count, size):
    """The rows of one epoch in random order, ``size`` at a time."""
    return rng.permutation(count).reshape(-1, size)


def descend(step, x, t, epochs, size, rng):
    """The mean loss of each epoch."""

    def epoch():
        return float(np.mean([step(x=x[rows], t=t[rows])["loss"] for rows in batches(rng, len(x), size)]))

    return [epoch() for _ in range(epochs)]


def linear(rng):
    """224 features, 10 targets, squared error, gradient descent with a rate of 0.005 over 10 epochs."""
    x = rng.normal(size=(4000, 224)).astype(np.float32)
    truth = rng.normal(size=(224, 10)).astype(np.float32)
    t = x @ truth + 0.1 * rng.normal(size=(4000, 10)).astype(np.float32)
    g = gc.Graph("linear regression", seed=0)
    y = gc.nn.Dense(10, name="linear")(g.input("x", ("N", 224)))
    loss = gc.losses.mse(y, g.input("t", ("N", 10)))
    step = gc.compile({"loss": loss}, updates=gc.optim.SGD(0.005)(gc.grad(loss)))
    losses = descend(step, x, t, epochs=10, size=16, rng=rng)
    return {"losses": losses, "error": float(abs(step.params["linear.weight"] - truth).max())}


def logistic(rng):
    """Two classes: p = 1/(1 + exp(-(<w, x> + b)))."""
    t = rng.integers(0, 2, 400).astype(np.float32)
    x = (rng.normal(size=(400, 2)) + np.outer(2 * t - 1, [1.5, 1.0])).astype(np.float32)
    g = gc.Graph("logistic regression", seed=0)
    logits = gc.nn.Dense(1, name="logistic")(g.input("x", ("N", 2)))[:, 0]
    loss = gc.losses.binary_cross_entropy_with_logits(logits, g.input("t", ("N",)))
    step = gc.compile({"loss": loss}, updates=gc.optim.SGD(0.5)(gc.grad(loss)))
    losses = descend(step, x, t, epochs=20, size=40, rng=rng)
    p = gc.compile({"p": gc.sigmoid(logits)}, params=step.params)(x=x)["p"]
    weights = [*step.params["logistic.weight"][:, 0], *step.params["logistic.bias"]]
    return {
        "losses": losses, "accuracy": float(np.mean((p > 0.5) == t)), "points": (x, t), "line": np.array(weights),
    }  # fmt: skip


def softmax(rng):
    """Three classes around three centres."""
    centres = np.array([[2.0, 0.0], [-1.0, 2.0], [-1.0, -2.0]])
    t = rng.integers(0, 3, 600).astype(np.int32)
    x = (centres[t] + rng.normal(size=(600, 2))).astype(np.float32)
    g = gc.Graph("softmax regression", seed=0)
    logits = gc.nn.Dense(3, name="softmax")(g.input("x", ("N", 2)))
    labels = g.input("t", ("N",), dtype="int32")
    loss = gc.losses.softmax_cross_entropy(logits, labels)
    step = gc.compile({"loss": loss}, updates=gc.optim.SGD(0.5)(gc.grad(loss)))
    losses = descend(step, x, t, epochs=20, size=40, rng=rng)
    right = gc.compile({"right": gc.mean(gc.argmax(logits, axis=1) == labels)}, params=step.params)
    return {"losses": losses, "accuracy": float(right(x=x, t=t)["right"])}


# ------------------------------------------------------------------------------------------------ the perceptron


def perceptron(eta=0.1):
    """One unit, f(x) = sign(<w, x> + b), with its learning rule for one sample as a program."""
    g = gc.Graph("perceptron")
    x, y = g.input("x", (2,)), g.input("y", ())
    w, b = g.param("w", (2,)), g.param("b", ())
    f = gc.where(gc.sum(w * x) + b > 0, 1.0, -1.0)
    correction = eta * (y - f)
    return gc.compile(
        {"wrong": y != f}, updates={w: w + correction * x, b: b + correction}, name="perceptron"
    )


def passes_until_right(xs, ys, limit):
    """How often the perceptron goes through all samples until none is wrong, and its weights; None: never."""
    step = perceptron()
    for count in range(1, limit + 1):
        if not any(step(x=x, y=y)["wrong"] for x, y in zip(xs, ys, strict=True)):
            return count, (*step.params["w"].tolist(), float(step.params["b"]))
    return None, None


def trained_perceptrons(rng):
    """On separable points, on AND and OR, on XOR."""
    points = rng.normal(size=(100, 2)).astype(np.float32)
    side = points @ np.float32([2, -1]) + 0.3
    points, labels = points[abs(side) > 0.3], np.sign(side[abs(side) > 0.3])
    first, second = CORNERS.T > 0
    cases = {
        "separable": (points, labels), "and": (CORNERS, first & second), "or": (CORNERS, first | second),
        "xor": (CORNERS, first ^ second),
    }  # fmt: skip
    signs = {name: (x, np.where(y > 0, 1, -1).astype(np.float32)) for name, (x, y) in cases.items()}
    return {name: passes_until_right(x, y, limit=200) for name, (x, y) in signs.items()}, signs["separable"]


def every_boolean_function():
    """All 16 functions of two variables at once: one hidden unit a corner, and each function the OR of its corners."""
    tables = np.array(list(product([0, 1], repeat=4)), np.float32)
    net = gc.nn.Sequential(
        gc.nn.Dense(4, gc.sign, init=CORNERS.T.copy(), bias_init=np.full(4, -1.5, np.float32)),
        gc.nn.Dense(16, gc.sign, init=tables.T.copy(), bias_init=tables.sum(axis=1) - 0.5),
    )
    found = gc.interpret(net(gc.Graph("booleans").input("x", ("N", 2))), x=CORNERS)
    return int(np.all(found == 2 * tables.T - 1, axis=0).sum())


def xor_by_descent():
    """Two layers find XOR: the hinge loss is 0 on all four corners."""
    g = gc.Graph("xor", seed=1)
    x, y = g.input("x", ("N", 2)), g.input("y", ("N",))
    scores = gc.nn.Sequential(gc.nn.Dense(4, "tanh", name="hidden"), gc.nn.Dense(1, name="out"))(x)[:, 0]
    loss = gc.losses.hinge(scores, y)
    step = gc.compile({"loss": loss, "scores": scores}, updates=gc.optim.Adam(0.05)(gc.grad(loss)))
    for _ in range(300):
        out = step(x=CORNERS, y=-CORNERS.prod(axis=1))
    return np.sign(out["scores"]).tolist(), gc.compile({"scores": scores}, params=step.params)


# ------------------------------------------------------------------------------------------------ the pictures


def separated(axes, points, weights, title):
    """Points of two classes and the line between them."""
    (x, t), (w1, w2, b) = points, weights
    axes.scatter(*x.T, c=t, cmap="coolwarm", s=8)
    across = np.array([x[:, 0].min(), x[:, 0].max()])
    axes.plot(across, -(w1 * across + b) / w2, "k")
    axes.set(title=title, ylim=(x[:, 1].min(), x[:, 1].max()))


def drawn(regressions, perceptrons, separable, network):
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    curves, left, middle, right = figure.subplots(1, 4)
    for name, found in regressions.items():
        curves.plot(np.array(found["losses"]) / found["losses"][0], label=name)
    curves.set(title="loss / first loss", xlabel="epoch", yscale="log")
    curves.legend()
    separated(left, regressions["logistic"]["points"], regressions["logistic"]["line"], "logistic regression")
    separated(middle, separable, perceptrons["separable"][1], "perceptron")
    grid = np.stack(np.meshgrid(*[np.linspace(-1.5, 1.5, 61)] * 2), axis=-1).astype(np.float32)
    scores = network(x=grid.reshape(-1, 2))["scores"].reshape(61, 61)
    right.contourf(grid[..., 0], grid[..., 1], scores, levels=[-9, 0, 9], cmap="coolwarm", alpha=0.5)
    right.scatter(*CORNERS.T, c=-CORNERS.prod(axis=1), cmap="coolwarm", edgecolor="k")
    right.set(title="XOR by two layers")
    return figure


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict:
    """Fit all, draw the perceptron's graph and what was fitted, return the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    regressions = {"linear": linear(rng), "logistic": logistic(rng), "softmax": softmax(rng)}
    perceptrons, separable = trained_perceptrons(rng)
    corners, network = xor_by_descent()
    for name, found in regressions.items():
        print(f"{name:9} regression: loss {found['losses'][0]:.3f} -> {found['losses'][-1]:.3f}")
    for name, (passes, _) in perceptrons.items():
        print(f"perceptron on {name}: {'no end' if passes is None else f'right after {passes} passes'}")
    functions = every_boolean_function()
    print(f"Boolean functions of two variables as perceptrons of two layers: {functions} of 16")
    gc.draw(perceptron()).save(output / "perceptron.svg")
    drawn(regressions, perceptrons, separable, network).savefig(output / "regressions.svg")
    shown = ("losses", "accuracy", "error")
    return {
        **{name: {k: found[k] for k in shown if k in found} for name, found in regressions.items()},
        "perceptron": {name: passes for name, (passes, _) in perceptrons.items()},
        "boolean": functions,
        "xor": corners,
    }


if __name__ == "__main__":
    main()
