"""How optimisers behave: gradient descent on a parabola, batches, Nesterov's two forms, trajectories, schedules.

The descent on theta^2/2 is theta_k = (1 - eta)^k theta_0. Nesterov's look-ahead is x - alpha rho v; with x + rho v, as
some notes print it, the same loop diverges. All rules run side by side in one program for each landscape.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import graphc as gc

O = gc.optim  # noqa: E741
RATES = {"converging": 0.5, "oscillating": 1.5, "diverging": 2.5}


# ------------------------------------------------------------------------------------------- in one dimension


def parabola(steps=10):
    """theta_0 ... theta_k of gradient descent on theta^2/2 for three rates, and of the formula."""
    g = gc.Graph("parabola")
    thetas = {name: g.param(name, (), "float64", init=1.0) for name in RATES}
    updates = {}
    for name, theta in thetas.items():
        updates |= O.SGD(RATES[name])(gc.grad(theta**2 / 2))
    step = gc.compile(thetas, updates=updates)
    runs = [step() for _ in range(steps + 1)]
    return {
        name: {
            "theta": [float(run[name]) for run in runs],
            "formula": [(1 - eta) ** k for k in range(steps + 1)],
        }
        for name, eta in RATES.items()
    }


def batches(xi=1.0, rate=0.1, steps=60):
    """J = (J1 + J2)/2 of J1 = (theta - xi)^2/2 and J2 = (theta + xi)^2/2: one of both at a time, and both together."""
    g = gc.Graph("batches")
    target = g.input("target", (2,), "float64")  # of the two samples of a step; twice the same is one sample
    theta = g.param("theta", (), "float64", init=3.0)
    loss = gc.losses.mse(theta + gc.zeros_like(target), target, half=True)
    gradient = gc.grad(loss, theta)
    slopes = gc.compile({"J": loss, "slope": gradient})
    found = {name: slopes(target=t) for name, t in (("J1", [xi, xi]), ("J2", [-xi, -xi]), ("J", [xi, -xi]))}
    runs = {}
    for name, targets in (("both", [[xi, -xi]]), ("one at a time", [[xi, xi], [-xi, -xi]])):
        step = gc.compile({"theta": theta}, updates=O.SGD(rate)({theta: gradient}))
        runs[name] = [float(step(target=targets[k % len(targets)])["theta"]) for k in range(steps)]
    return {name: (float(out["J"]), float(out["slope"])) for name, out in found.items()}, runs


def nesterov(alpha=0.1, rho=0.9, steps=40):
    """x after each step on x^2/2: the look-ahead on either side, and the optimiser, which stores the look-ahead."""
    g = gc.Graph("nesterov")
    outputs, updates = {}, {}
    for name, ahead in (("x - alpha rho v", -alpha * rho), ("x + rho v", rho)):
        x, v = g.param(name, (), "float64", init=1.0), g.state(f"{name}, v", (), "float64")
        look = x + ahead * v
        velocity = rho * v + gc.grad(look**2 / 2, look)
        outputs[name] = x
        updates |= {v: velocity, x: x - alpha * velocity}
    stored = g.param("stored", (), "float64", init=1.0)
    updates |= O.Nesterov(alpha, rho)(gc.grad(stored**2 / 2))
    outputs["optimiser"] = stored + alpha * rho * g["stored.velocity"]
    step = gc.compile(outputs, updates=updates)
    runs = [step() for _ in range(steps)]
    return {name: [float(run[name]) for run in runs] for name in outputs}


# -------------------------------------------------------------------------------------------- in two dimensions


def moons(rng, count=200, noise=0.25):
    """Two half circles that reach into each other, around 0; the labels are 0 and 1."""
    angle, t = rng.uniform(0, np.pi, count), rng.integers(0, 2, count)
    x = np.stack([np.cos(angle) - 0.5, np.sin(angle) - 0.25], axis=1) * np.where(t, -1, 1)[:, None]
    return (x + noise * rng.normal(size=x.shape)).astype(np.float32), t.astype(np.float32)


def saddle(w):
    return (w[..., 0] ** 2 - w[..., 1] ** 2) / 2


def valley(w):
    return (w[..., 0] ** 2 + 50 * w[..., 1] ** 2) / 2


def logistic(w, x, t):
    """The mean loss of logistic regression with the weights that lie along the last axis of ``w``."""
    logits = gc.einsum("...k,nk->...n", w, x)
    losses = t * gc.softplus(-logits) + (1 - t) * gc.softplus(logits)
    return gc.mean(losses, axis=-1)


LANDSCAPES = {  # the loss, where the paths begin, what is drawn, how many steps
    "saddle": (saddle, [-1.5, 0.02], (-2, 2, -2, 2), 40),
    "long valley": (valley, [-4.0, 1.0], (-5, 1.5, -1.5, 1.5), 60),
    "noisy moons": (logistic, [4.0, 4.0], (-3, 7, -6, 5), 120),
}
RULES = {
    "saddle": (0.1, 0.1, 0.1, 0.1, 0.05, 0.05),
    "long valley": (0.03, 0.01, 0.01, 0.5, 0.05, 0.2),
    "noisy moons": (1.0, 0.3, 0.3, 1.0, 0.1, 0.3),
}


def optimisers(rates):
    makers = (O.SGD, O.Momentum, O.Nesterov, O.AdaGrad, O.RMSProp, O.Adam)
    return {make.__name__: make(rate) for make, rate in zip(makers, rates, strict=True)}


def paths(name, data, rng, batch=20):
    """The path of each optimiser, (steps, 2), and the loss where it ends; on the moons from mini-batches."""
    loss, start, _, steps = LANDSCAPES[name]
    g = gc.Graph(name)
    samples = (g.input("x", ("N", 2)), g.input("t", ("N",))) if loss is logistic else ()
    params, losses, updates = {}, {}, {}
    for rule, optimiser in optimisers(RULES[name]).items():
        params[rule] = g.param(rule, (2,), init=start)
        losses[rule] = loss(params[rule], *samples)
        updates |= optimiser(gc.grad(losses[rule]))
    step = gc.compile(params, updates=updates)
    runs = []
    for _ in range(steps):
        rows = rng.integers(0, len(data[0]), batch)
        runs.append(step(**({"x": data[0][rows], "t": data[1][rows]} if samples else {})))
    ends = gc.compile(losses, params=step.params)(**({"x": data[0], "t": data[1]} if samples else {}))
    return (
        {rule: np.array([run[rule] for run in runs]) for rule in params},
        {rule: float(value) for rule, value in ends.items()},
    )


def estimates(data, at=(1.0, 1.0)):
    """The gradient on all moons, and those of batches of 1, 10 and 50 that share them out: their mean and spread."""
    x, t = data
    g = gc.Graph("estimates")
    w = g.param("w", (2,), init=at)
    gradient = gc.grad(logistic(w, g.input("x", ("N", 2)), g.input("t", ("N",))), w)
    program = gc.compile({"gradient": gradient})
    found = {}
    for size in (1, 10, 50, len(t)):
        rows = np.arange(len(t)).reshape(-1, size)
        each = np.array([program(x=x[batch], t=t[batch])["gradient"] for batch in rows])
        found[size] = {"mean": each.mean(axis=0).tolist(), "spread": float(np.sqrt(each.var(axis=0).sum()))}
    return found


def surface(name, data):
    """The landscape on a grid: x, y and the loss, from one call with all points at once."""
    loss, _, (left, right, low, high), _ = LANDSCAPES[name]
    grid = np.stack(np.meshgrid(np.linspace(left, right, 80), np.linspace(low, high, 80)), axis=-1)
    g = gc.Graph("surface")
    w = g.input("w", (80, 80, 2))
    value = loss(w, *map(g.const, data)) if loss is logistic else loss(w)
    return grid[..., 0], grid[..., 1], gc.compile({"loss": value})(w=grid.astype(np.float32))["loss"]


# ------------------------------------------------------------------------------------------------ the pictures

SCHEDULES = {
    "constant": O.constant(0.1),
    "step": O.step_decay(0.1, every=40, factor=0.5),
    "exponential": O.exponential(0.1, factor=0.98),
    "cosine": O.cosine(0.1, steps=200),
    "warm-up, cosine": O.cosine(0.1, steps=200, warmup=30),
    "restarts": O.cosine(0.1, steps=50, restarts=True),
}


def small(axes, theta, one_by_one, look_ahead):
    for name, run in theta.items():
        axes[0].plot(run["theta"], "o-", ms=3, label=f"{name}, eta = {RATES[name]}")
    axes[0].set(title="theta²/2", xlabel="k", ylim=(-4, 4))
    for name, run in one_by_one.items():
        axes[1].plot(run, label=name)
    axes[1].set(title="J1, J2 and J", xlabel="k")
    for name in ("x - alpha rho v", "x + rho v"):
        axes[2].plot(look_ahead[name], label=f"gradient at {name}")
    axes[2].set(title="Nesterov on x²/2", xlabel="k", ylim=(-1.5, 1.5))
    for name, schedule in SCHEDULES.items():
        axes[3].plot(schedule(np.arange(200)), label=name)
    axes[3].set(title="schedules", xlabel="step")
    for each in axes:
        each.legend(fontsize=7)


def landscape(axes, name, found, grid):
    axes.contour(*grid, levels=20, cmap="Greys", linewidths=0.7)
    for rule, path in found.items():
        axes.plot(*path.T, ".-", ms=3, lw=1, label=rule)
    left, right, low, high = LANDSCAPES[name][2]
    axes.set(title=name, xlim=(left, right), ylim=(low, high))
    axes.legend(fontsize=7)


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict:
    """Run all, draw them together, return the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    data = moons(rng)
    theta, (slopes, one_by_one), look_ahead = parabola(), batches(), nesterov()
    figure = Figure(figsize=(13, 8), layout="constrained")
    above, below = figure.subfigures(2, 1)
    small(above.subplots(1, 4), theta, one_by_one, look_ahead)
    ends = {}
    for axes, name in zip(below.subplots(1, 3), LANDSCAPES, strict=True):
        found, ends[name] = paths(name, data, rng)
        landscape(axes, name, found, surface(name, data))
        print(f"{name}: " + ", ".join(f"{rule} {loss:.3g}" for rule, loss in ends[name].items()))
    figure.savefig(output / "optimisers.svg")
    gradients = estimates(data)
    for size, found in gradients.items():
        print(
            f"gradient from batches of {size:3}: mean {np.round(found['mean'], 4)}, spread {found['spread']:.3f}"
        )
    for name, run in look_ahead.items():
        print(f"Nesterov, {name}: {run[-1]:.3g} after {len(run)} steps")
    return {
        "theta": theta, "slopes": slopes, "batches": one_by_one, "nesterov": look_ahead, "losses": ends,
        "gradients": gradients,
    }  # fmt: skip


if __name__ == "__main__":
    main()
