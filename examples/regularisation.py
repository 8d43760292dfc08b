"""Regularisation: a small network learns 200 examples by heart, and nine ways to keep it from that.

Penalties on its matrices (L2, L1, elastic net) and the weights that they leave; dropout of units and of weights, noise
on inputs and on weights, early stopping; training dense, sparse, and dense again. Dropout at test: weights scaled,
beside the average over many masks. Needs matplotlib (``pip install 'graphc[plot]'``).
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import graphc as gc

FEATURES, HIDDEN, EPOCHS, BATCH, MASKS, THIRD = 20, 64, 100, 20, 200, 40
PENALTIES = {
    "L2": lambda matrices: 0.01 * gc.regularisers.l2(matrices),
    "L1": lambda matrices: 0.006 * gc.regularisers.l1(matrices),
    "elastic net": lambda matrices: 0.005 * gc.regularisers.elastic_net(matrices, beta=1.0),
}
RANDOM = {
    "dropout": {"units": 0.5},
    "dropped weights": {"weights": 0.5},
    "noisy inputs": {"inputs": 0.5},
    "noisy weights": {"noise": 0.4},
}


def examples(count, seed):
    """Two classes that depend on three of 20 features, one label in ten wrong."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, FEATURES)).astype(np.float32)
    t = x[:, 0] * x[:, 1] + 2 * x[:, 2] > 0
    return {"x": x, "t": (t ^ (rng.random(count) < 0.1)).astype(np.int32)}


TRAINING, TEST = examples(200, seed=0), examples(2000, seed=1)


def declared(*, units=0.0, weights=0.0, inputs=0.0, noise=0.0):
    """Loss, logits and hidden activations; what is random is so in training alone."""
    g = gc.Graph("regularised", seed=0)
    x, t = g.input("x", ("N", FEATURES)), g.input("t", ("N",), "int32")
    w = g.param("hidden.weight", (FEATURES, HIDDEN), init="kaiming_normal")
    changed = gc.dropout(gc.nn.GaussianNoise(noise)(w), weights)
    h = gc.relu(gc.nn.GaussianNoise(inputs)(x) @ changed + g.param("hidden.bias", (HIDDEN,)))
    logits = gc.nn.Dense(2, name="out")(gc.nn.Dropout(units)(h))
    return gc.losses.softmax_cross_entropy(logits, t), logits, h


def options(loss, rate):
    """How all are trained. The loss on data is without the penalty."""
    return {
        "optimiser": gc.optim.Adam(rate), "batch_size": BATCH, "validation": TEST, "metrics": {"data": loss}
    }  # fmt: skip


def trained(penalty=None, callbacks=(), **random):
    """One network after training: losses, weights, hidden activations and logits of the test data, and a program of
    the logits under masks drawn anew at each call."""
    loss, logits, h = declared(**random)
    matrices = [p for p in loss.graph.params if p.ndim == 2]  # biases stay free
    total = loss if penalty is None else loss + penalty(matrices)
    rate = gc.optim.cosine(0.01, steps=EPOCHS * len(TRAINING["x"]) // BATCH)
    run = gc.train.fit(total, TRAINING, epochs=EPOCHS, callbacks=callbacks, **options(loss, rate))
    sample = gc.compile({"logits": logits}, mode="train", params=dict(run.params))
    return {
        "history": run.history,
        "training": run.evaluate(TRAINING)["data"],
        "test": run.evaluate(TEST)["data"],
        "weights": run.params["hidden.weight"].ravel(),
        "activations": run.predict(h, x=TEST["x"]),
        "logits": run.predict(logits, x=TEST["x"]),
        "sample": sample,
    }


def probabilities(logits):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def averaged_over_masks(run):
    """Losses on test data of the mean probabilities over 1, 2, ... masks, beside that of the scaled weights.

    The mean of the logits is that of the scaled weights, since they are linear in what is dropped; that of the
    probabilities is less sure of itself.
    """
    logits = np.array([run["sample"](x=TEST["x"])["logits"] for _ in range(MASKS)])
    means = np.cumsum(probabilities(logits), axis=0) / np.arange(1, MASKS + 1)[:, None, None]
    return {
        "losses": -np.log(means[:, np.arange(len(TEST["t"])), TEST["t"]]).mean(axis=1),
        "scaled": run["test"],
        "apart": np.abs(logits.mean(axis=0) - run["logits"]).mean() / logits.std(axis=0).mean(),
    }


def dense_sparse_dense():
    """Train, prune nine of ten weights, train on under the mask, lift it and train again."""
    loss, *_ = declared()
    runs = gc.train.dense_sparse_dense(
        loss, TRAINING, epochs=(THIRD,) * 3, sparsity=0.9, **options(loss, 3e-3)
    )
    return {name: np.concatenate([run.history[name] for run in runs]) for name in ("data", "val_data")}


def picture(runs, masks, dsd):
    figure = Figure(figsize=(13, 7), layout="constrained")
    (spread, curves, bars), (units, sampled, sparse) = figure.subplots(2, 3)
    for name in ("none", *PENALTIES):
        spread.hist(runs[name]["weights"], bins=np.linspace(-1.5, 1.5, 61), histtype="step", label=name)
    spread.set(title="hidden weights", yscale="log")
    for name in ("none", "L1", "dropout", "dropped weights", "noisy inputs"):
        curves.plot(runs[name]["history"]["val_data"], label=name)
    stopped = runs["early stopping"]["history"]["val_data"]
    curves.plot(int(stopped.argmin()), stopped.min(), "k*", ms=12, label="early stopping")
    curves.set(title="loss on test data", xlabel="epoch", ylim=(0.5, 1.8))
    for part, style in (("test", {"color": "0.7"}), ("training", {"color": "C0", "height": 0.4})):
        bars.barh(list(runs), [run[part] for run in runs.values()], label=part, **style)
    bars.set(title="loss at the end")
    for name in ("none", "dropout"):
        values = runs[name]["activations"].ravel()
        units.hist(values, bins=np.linspace(0, 5, 51), histtype="step", label=name)
    units.set(title="hidden activations", yscale="log")
    sampled.plot(np.arange(1, MASKS + 1), masks["losses"], label="average over masks")
    sampled.axhline(masks["scaled"], color="k", ls="--", label="scaled weights")
    sampled.set(title="dropout at test: loss", xlabel="masks", xscale="log")
    for name, label in (("data", "training"), ("val_data", "test")):
        sparse.plot(dsd[name], label=label)
    for k in (1, 2):
        sparse.axvline(k * THIRD - 0.5, color="0.6", ls=":")
    sparse.set(title="dense | sparse | dense", xlabel="epoch", yscale="log")
    for axes in (spread, curves, bars, units, sampled, sparse):
        axes.legend(fontsize=8, ncols=2 if axes is curves else 1)
    return figure


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict[str, dict]:
    """Train all, draw weights, activations and losses, return the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    stop = gc.train.EarlyStopping("val_data", patience=15)
    runs = {"none": trained()}
    runs |= {name: trained(penalty) for name, penalty in PENALTIES.items()}
    runs |= {name: trained(**random) for name, random in RANDOM.items()}
    runs["early stopping"] = trained(callbacks=[stop])
    print("                   training    test  |w| < 0.001  units at 0")
    for name, run in runs.items():
        run["sparse"], run["idle"] = np.mean(abs(run["weights"]) < 1e-3), np.mean(run["activations"] == 0)
        print(f"{name:16} {run['training']:10.3f} {run['test']:7.3f}", end=" ")
        print(f"{run['sparse']:12.0%} {run['idle']:11.0%}")
    masks, dsd = averaged_over_masks(runs["dropout"]), dense_sparse_dense()
    print(f"dropout at test: {masks['scaled']:.3f} scaled, {masks['losses'][-1]:.3f} over {MASKS} masks")
    ends = dsd["val_data"][THIRD - 1 :: THIRD]
    print("dense, sparse, dense on test data:", *(f"{loss:.3f}" for loss in ends))
    picture(runs, masks, dsd).savefig(output / "regularisation.svg")
    return {"runs": runs, "masks": masks, "dsd": dsd}


if __name__ == "__main__":
    main()
