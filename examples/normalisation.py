"""Batch, layer and instance norm: what each makes zero-mean, the gradient through the statistics, larger step sizes.

All three compute (x - mean) / sqrt(variance + eps) * scale + shift and differ in what they average over. Batch norm
averages over the batch while it trains, and at test uses the averages that followed. Since mean and variance depend on
x, the gradient goes through them: it loses its parts along 1 and along the normalised values, so a step cannot move or
stretch what the next pass takes away again. A linear model y = scale * norm(<w, x>) + shift therefore descends at step
sizes at which the plain one diverges: the gradient is orthogonal to w, a step that is too large makes w longer, and the
longer w is, the less a step turns it. Step sizes that are larger still make it slow, but never diverge.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import graphc as gc

LAYERS = {  # each with the axes of (batch, channels, height, width) that it averages over
    "batch": (gc.nn.BatchNorm(), (0, 2, 3)),
    "layer": (gc.nn.LayerNorm((1, 2, 3)), (1, 2, 3)),
    "instance": (gc.nn.InstanceNorm(), (2, 3)),
}
RATES = np.logspace(-3, 2, 21)


def images(rng, rows=8):
    """Noise around a level and with a contrast that differ by image and by channel."""
    level, contrast = rng.normal(scale=3, size=(rows, 3, 1, 1)), rng.uniform(0.5, 4, (rows, 3, 1, 1))
    return (level + contrast * rng.normal(size=(rows, 3, 6, 6))).astype(np.float32)


def statistics(rng):
    """How far mean and variance over a layer's axes are from 0 and 1, and its gradient from central differences."""
    found, x = {}, images(rng)
    for name, (layer, axes) in LAYERS.items():
        g = gc.Graph(name, seed=0)
        y = layer(g.input("x", ("N", 3, 6, 6)))
        out = gc.compile({"y": y}, mode="train")(x=x)["y"].astype(np.float64)
        loss = gc.sum(y * g.input("c", ("N", 3, 6, 6)))
        checked = gc.check_gradients(loss, mode="train", x=x, c=rng.normal(size=x.shape).astype(np.float32))
        found[name] = {
            "mean": float(abs(out.mean(axis=axes)).max()),
            "variance": float(abs(out.var(axis=axes) - 1).max()),
            "gradient error": checked.entries[0].error,
        }
    return found


def running_averages(rng, batches=300):
    """Batches from a fixed law: the averages find its mean and variance, and a test of one sample is possible."""
    mean, std = np.float32([5, -2, 0]), np.float32([0.5, 2, 10])
    g = gc.Graph("averages")
    y = gc.nn.BatchNorm(name="norm")(g.input("x", ("N", 3)))
    train = gc.compile({"y": y}, mode="train")
    test = gc.compile({"y": y}, mode="eval", params=train.params)  # shares the states
    for _ in range(batches):
        train(x=(mean + std * rng.normal(size=(64, 3))).astype(np.float32))
    states, x = train.states, (mean + std)[None]
    return {
        "mean": float(abs((states["norm.running_mean"] - mean) / std).max()),
        "variance": float(abs(states["norm.running_var"] / std**2 - 1).max()),
        "one sample": {"train": train(x=x)["y"][0].tolist(), "test": test(x=x)["y"][0].tolist()},
    }


def learnt_scale_and_shift(rng):
    """They can undo the normalisation: asked for y = x, scale and shift become the deviation and the mean of x."""
    x = (np.float32([3, -1]) + np.float32([2, 0.5]) * rng.normal(size=(256, 2))).astype(np.float32)
    g = gc.Graph("undone")
    node = g.input("x", ("N", 2))
    loss = gc.losses.mse(gc.nn.BatchNorm(name="norm")(node), node)
    step = gc.compile({"loss": loss}, updates=gc.optim.SGD(0.5)(gc.grad(loss)))
    for _ in range(50):
        out = step(x=x)
    scale, shift = step.params["norm.scale"], step.params["norm.shift"]
    return {
        "loss": float(out["loss"]),
        "scale": float(abs(scale / x.std(axis=0) - 1).max()),
        "shift": float(abs(shift - x.mean(axis=0)).max()),
    }


def through_statistics(rng):
    """What the gradient of a batch keeps along 1 and along the normalised values, also with the statistics held."""
    g = gc.Graph("through")
    x, c = g.input("x", ("N",), "float64"), g.input("c", ("N",), "float64")
    mean, deviation = gc.mean(x), gc.sqrt(gc.var(x))
    free = (x - mean) / deviation
    held = (x - gc.stop_gradient(mean)) / gc.stop_gradient(deviation)
    values = {"x": rng.normal(2, 3, 50), "c": rng.normal(size=50)}

    def kept(y):
        gradient, normalised = gc.interpret([gc.grad(gc.sum(c * y), x), y], **values)
        return {"along 1": abs(float(gradient.sum())), "along y": abs(float(gradient @ normalised))}

    return {"through": kept(free), "held": kept(held)}


def regression(rng):
    """Features of very different scale, a linear target, and the largest step size of plain gradient descent."""
    x = rng.normal(size=(256, 10)) * np.logspace(-0.5, 0.5, 10)
    t = x @ rng.normal(size=10) + 0.1 * rng.normal(size=256) + 1
    curvature = np.linalg.eigvalsh(np.cov(x.T, bias=True) + np.outer(x.mean(axis=0), x.mean(axis=0)))
    return {"x": x.astype(np.float32), "t": t.astype(np.float32)}, 2 / float(curvature[-1])


def descent(batch, normalised, steps=300):
    """The loss in the course of gradient descent on all samples, for each step size of the weights."""
    g = gc.Graph("descent", seed=0)
    x, t = g.input("x", ("N", 10)), g.input("t", ("N",))
    y = gc.nn.Dense(1, name="linear", use_bias=not normalised)(x)
    rates = {"linear.*": gc.optim.SGD(0.1)}
    if normalised:
        y = gc.nn.BatchNorm(name="norm")(y)
        rates["norm.*"] = gc.optim.SGD(0.5)
    loss = gc.losses.mse(y[:, 0], t, half=True)
    step = gc.compile({"loss": loss}, updates=gc.optim.Groups(rates)(gc.grad(loss)))
    bound, first = step.bind(**batch), {name: value.copy() for name, value in step.params.items()}
    curves = []
    for rate in RATES:
        step.params.update(first)
        step.states["sgd.learning_rate"] = rate
        curves.append([float(bound()["loss"]) for _ in range(steps)])
    return np.array(curves)


def picture(plain, normed, limit):
    """Curves at one step size above the limit of the plain model, and the last loss at all."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    chosen = int(np.searchsorted(RATES, 1.2 * limit))
    for name, curves in (("plain", plain), ("batch norm", normed)):
        left.plot(curves[chosen], label=name)
        right.plot(RATES, np.nan_to_num(curves[:, -1], nan=np.inf), "o-", label=name)
    right.axvline(limit, color="grey", linestyle=":", label="2 / largest curvature")
    left.set(
        xlabel="step", ylabel="loss", yscale="log", ylim=(1e-3, 1e4), title=f"Step size {RATES[chosen]:.2f}"
    )
    right.set(
        xlabel="step size",
        ylabel="last loss",
        xscale="log",
        yscale="log",
        ylim=(1e-3, 1e4),
        title="After 300 steps",
    )
    left.legend()
    right.legend()
    return figure


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict:
    """Measure, descend and draw; return the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    figures = {
        "statistics": statistics(rng),
        "averages": running_averages(rng),
        "learnt": learnt_scale_and_shift(rng),
        "gradient": through_statistics(rng),
    }
    for name, found in figures.items():
        print(f"{name}: {found}")
    batch, limit = regression(rng)
    plain, normed = descent(batch, normalised=False), descent(batch, normalised=True)
    for rate, curve, other in zip(RATES, plain, normed, strict=True):
        print(f"step size {rate:8.4f}: plain {curve[-1]:.3g}, with batch norm {other[-1]:.3g}")
    picture(plain, normed, limit).savefig(output / "normalisation.svg")
    return figures | {"rates": RATES, "limit": limit, "plain": plain, "normed": normed}


if __name__ == "__main__":
    main()
