"""What depth does to activations and gradients, and what helps: activations, first weights, shortcuts, pre-training.

All activations: value and slope at -10, 0 and 10, and the mean that they give to values around 0. Then networks of 20
layers: variances of activations and gradients by layer under good and poor first weights, and the gradients of the
weights under sigmoid, tanh, ReLU and shortcuts. Units that die at high learning rates. A network that first weights
keep from learning learns after layer-wise pre-training. Needs scikit-learn and matplotlib
(``pip install 'graphc[demo,plot]'``).
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import graphc as gc

DEPTH, WIDTH = 20, 100
ACTIVATIONS = (
    "identity", "sign", "step", "sigmoid", "tanh", "hard_tanh", "relu", "leaky_relu", "elu", "gelu", "silu",
    "softplus", "maxout", "softmax",
)  # fmt: skip
INITS = {  # each draws weights for n inputs
    "tanh, N(0, 0.05²)": ("tanh", gc.init.Normal(std=0.05)),
    "tanh, N(0, 1)": ("tanh", gc.init.Normal(std=1.0)),
    "tanh, Xavier N(0, 1/n)": ("tanh", gc.init.XavierNormal()),
    "ReLU, Xavier U(±√(3/n))": ("relu", gc.init.XavierUniform()),
    "ReLU, Kaiming N(0, 2/n)": ("relu", gc.init.KaimingNormal()),
    "ReLU, Kaiming U(±√(6/n))": ("relu", gc.init.KaimingUniform()),
}
BRANCHES = gc.init.KaimingNormal(gain=DEPTH**-0.5)  # their sum has the size of the input


# --------------------------------------------------------------------------------------------- one activation


def studied(name):
    """Value and slope at -10, 0, 10, and the mean over N(0, 1). Maxout and softmax are of x and 0."""
    g = gc.Graph(name)
    x = g.input("x", ("N",), "float64")
    along = gc.stack([x, gc.zeros_like(x)], axis=1) if name in ("maxout", "softmax") else x
    y = gc.nn.Activation(name)(along)
    y = y[:, 0] if y.ndim == 2 else y
    program = gc.compile({"value": y, "slope": gc.grad(gc.sum(y), x)})
    around = np.random.default_rng(0).normal(size=100_000)
    return {
        **program(x=[-10, 0, 10]),
        "mean": float(program(x=around)["value"].mean()),
        "slopes": program(x=np.linspace(-10, 10, 201))["slope"],
    }


# ------------------------------------------------------------------------------------------------ many layers


def plain(activation, init):
    """Twenty layers; ReLU has slightly positive biases."""
    bias = gc.init.Constant(0.01 if activation == "relu" else 0.0)
    return [gc.nn.Dense(WIDTH, activation, init=init, bias_init=bias) for _ in range(DEPTH)]


def residual():
    """Twenty layers x + W relu(x) + b."""
    branches = [gc.nn.Sequential("relu", gc.nn.Dense(WIDTH, init=BRANCHES)) for _ in range(DEPTH)]
    return list(map(gc.nn.Residual, branches))


def by_layer(layers):
    """Statistics of each layer before the first step: 256 examples of N(0, 1), ten classes."""
    g = gc.Graph("deep", seed=0)
    h = gc.nn.Sequential(*layers)(g.input("x", ("N", WIDTH)))
    loss = gc.losses.softmax_cross_entropy(gc.nn.Dense(10, name="out")(h), g.input("t", ("N",), "int32"))
    watch = gc.train.watch(loss)
    rng = np.random.default_rng(0)
    names = ("activation.variance", "gradient.variance", "weights.gradient_norm")
    x, t = rng.normal(size=(256, WIDTH)).astype(np.float32), rng.integers(0, 10, 256)
    found = gc.compile({name: watch[name] for name in names})(x=x, t=t)
    return {name: values[:DEPTH] for name, values in found.items()}


# ---------------------------------------------------------------------------------------------------- training


def digits():
    """Images (N, 64) from 0 to 1 with their digits, for training and for the test."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    x, t = (data.data[order] / 16).astype(np.float32), data.target[order].astype(np.int32)
    return {"x": x[:1400], "t": t[:1400]}, {"x": x[1400:], "t": t[1400:]}


def inputs(name):
    g = gc.Graph(name, seed=0)
    return g.input("x", ("N", 64)), g.input("t", ("N",), "int32")


def dead_units(activation, rate, data):
    """By step, the part of the hidden units that are 0 for all of a batch."""
    x, t = inputs("dying")
    hidden = [gc.nn.Dense(64, activation, init="kaiming_normal") for _ in range(2)]
    loss = gc.losses.softmax_cross_entropy(gc.nn.Sequential(*hidden, gc.nn.Dense(10))(x), t)
    dead = gc.mean(gc.train.watch(loss)["activation.dead"][:2])
    sgd = gc.optim.SGD(rate)
    run = gc.train.fit(loss, data, optimiser=sgd, epochs=5, batch_size=50, record={"dead": dead})
    return run.history.steps["dead"]


def fine_tuned(init, data, test, pretrained=False):
    """Five layers of tanh, after training layer by layer as auto-encoders or from the first weights."""
    x, t = inputs("digits")
    layers, params = [gc.nn.Dense(64, "tanh", init=init, name=f"layer{k}") for k in range(1, 6)], None
    h = x
    if pretrained:
        adam = gc.optim.Adam(3e-3)
        found = gc.train.pretrain(x, layers, {"x": data["x"]}, optimiser=adam, epochs=15, batch_size=50)
        h, params = found.output, found.params
    else:
        h = gc.nn.Sequential(*layers)(x)
    logits = gc.nn.Dense(10, name="digit")(h)
    return gc.train.fit(
        gc.losses.softmax_cross_entropy(logits, t), data, optimiser=gc.optim.Momentum(0.05), epochs=30,
        batch_size=50, validation=test, params=params, metrics={"accuracy": gc.train.accuracy(logits, t)},
    ).history  # fmt: skip


# ------------------------------------------------------------------------------------------------------- all


def picture(figures):
    figure = Figure(figsize=(13, 7), layout="constrained")
    (slopes, activations, gradients), (norms, dead, tuned) = figure.subplots(2, 3)
    for name in ("sigmoid", "tanh", "relu", "elu", "gelu"):
        slopes.plot(np.linspace(-10, 10, 201), figures["activations"][name]["slopes"], label=name)
    slopes.set(title="slope", xlabel="x")
    layers = np.arange(1, DEPTH + 1)
    for axes, name in ((activations, "activation.variance"), (gradients, "gradient.variance")):
        for label, found in figures["inits"].items():
            axes.plot(layers, found[name], ".-", label=label)
        axes.set(title=name.replace(".", ": "), xlabel="layer", xticks=[1, 5, 10, 15, 20], yscale="log")
    for label, found in figures["networks"].items():
        norms.plot(layers, found["weights.gradient_norm"], ".-", label=label)
    norms.set(title="gradient of the weights: norm", xlabel="layer", xticks=[1, 5, 10, 15, 20], yscale="log")
    for label, values in figures["dead"].items():
        dead.plot(values, label=label)
    dead.set(title="dead hidden units", xlabel="step", ylim=(-0.03, 1.03))
    for label, history in figures["tuned"].items():
        tuned.plot(history["loss"], label=label)
    tuned.set(title="digits: training loss", xlabel="epoch", yscale="log")
    for axes in (slopes, activations, norms, dead, tuned):
        axes.legend(fontsize=8)
    return figure


def main(output_dir: str | Path = Path(__file__).parent / "output") -> dict[str, dict]:
    """Measure, train and draw all, return the figures."""
    output = Path(output_dir)
    output.mkdir(parents=True, exist_ok=True)
    studies = {name: studied(name) for name in ACTIVATIONS}
    print("               value at -10, 0, 10           slope                    mean")
    for name, found in studies.items():
        numbers = "".join(f"{v:9.5f}" for v in (*found["value"], *found["slope"], found["mean"]))
        print(f"{name:12}{numbers}")
    inits = {label: by_layer(plain(*chosen)) for label, chosen in INITS.items()}
    networks = {
        "sigmoid": by_layer(plain("sigmoid", gc.init.XavierNormal())),
        "tanh": inits["tanh, Xavier N(0, 1/n)"],
        "ReLU": inits["ReLU, Kaiming N(0, 2/n)"],
        "residual ReLU": by_layer(residual()),
    }
    for label, found in networks.items():
        norms = found["weights.gradient_norm"]
        print(f"{label:14} gradient of the weights: layer 1 {norms[0]:.1e}, layer {DEPTH} {norms[-1]:.1e}")
    data, test = digits()
    dead = {f"ReLU, rate {rate}": dead_units("relu", rate, data) for rate in (0.1, 1.0, 2.0)}
    dead["leaky ReLU, rate 1.0"] = dead_units("leaky_relu", 1.0, data)
    poor = gc.init.Normal(std=0.01)
    tuned = {
        "N(0, 0.01²)": fine_tuned(poor, data, test),
        "N(0, 0.01²), pre-trained": fine_tuned(poor, data, test, pretrained=True),
        "Xavier": fine_tuned(gc.init.XavierNormal(), data, test),
    }
    for label, history in tuned.items():
        print(f"{label:24} loss {history['loss'][-1]:.3f}, accuracy {history['val_accuracy'][-1]:.1%}")
    figures = {"activations": studies, "inits": inits, "networks": networks, "dead": dead, "tuned": tuned}
    picture(figures).savefig(output / "depth.svg")
    return figures


if __name__ == "__main__":
    main()
