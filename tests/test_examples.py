"""The quickstart learns, every example is listed, and each of them runs as a script does."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
COMPARED = (
    "quickstart",
    "small_graphs",
    "regressions",
    "backpropagation",
    "normalisation",
    "approximation",
    "optimisers",
    "recurrent",
    "transformer",
    "convolution",
    "residual",
    "regularisation",
    "depth",
    "landscape",
)  # with figures that are known


def main_of(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]


def test_quickstart(tmp_path, capsys):
    figures = main_of("quickstart")(tmp_path)
    assert figures["accuracy"] >= 0.97
    assert figures["last"] < 0.1 * figures["first"]
    assert "shared subterms" in capsys.readouterr().out
    assert "∂loss/∂hidden.weight" in (tmp_path / "quickstart.svg").read_text(encoding="utf-8")
    assert "update_sgd" in (tmp_path / "quickstart_kernels.svg").read_text(encoding="utf-8")
    compile((tmp_path / "quickstart_kernels.py").read_text(encoding="utf-8"), "kernels", "exec")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in COMPARED])
def test_example_runs(name, tmp_path):
    assert main_of(name)(tmp_path)
    assert list(tmp_path.glob("*.svg"))


def test_small_graphs(tmp_path):
    figures = main_of("small_graphs")(tmp_path)
    assert figures["product"] == {"value": -6, "d/dx": -2, "d/dy": 3}
    found = figures["sum_times"]
    assert {name: float(value) for name, value in found.items()} == {
        "value": -12, "q": 3, "d/dq": -4, "d/dx": -4, "d/dy": -4, "d/dz": 3
    }  # fmt: skip
    neuron = figures["neuron_of_four"]
    assert (neuron["sum"], neuron["value"]) == pytest.approx((2.2, 0.90), abs=3e-4)
    slope = neuron["value"] * (1 - neuron["value"])
    assert neuron["d/dw"] == pytest.approx(slope * np.array([0.1, 0.5, 2.5, 3.0]), rel=1e-5)
    twice = figures["regularised"]  # w used twice: x + 2 lambda w
    assert twice["d/dw"] == pytest.approx(np.array([1, 2, 3]) + np.array([0.5, -1, 2]))
    assert len(list(tmp_path.glob("*.svg"))) == len(figures) == 6


def test_regressions(tmp_path):
    figures = main_of("regressions")(tmp_path)
    assert figures["linear"]["losses"][-1] < 0.02 * figures["linear"]["losses"][0]
    assert figures["logistic"]["accuracy"] > 0.95
    assert figures["softmax"]["accuracy"] > 0.9
    passes = figures["perceptron"]
    assert all(passes[name] for name in ("separable", "and", "or"))
    assert passes["xor"] is None
    assert (figures["boolean"], figures["xor"]) == (16, [-1.0, 1.0, 1.0, -1.0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["perceptron.svg", "regressions.svg"]


def test_backpropagation(tmp_path):
    figures = main_of("backpropagation")(tmp_path)
    for layers, run in figures["runs"].items():  # a network of k layers has k layers of weights
        assert run["layers"] == layers
        assert run["curve"][-1] < 0.1 * run["curve"][0]
    # Equal layers are equal kernels, so forty more of them add none.
    assert figures["runs"][50]["kernels"] == figures["runs"][10]["kernels"]
    # One product a weight and one for each delta below the last; alone, layer l needs the k - l deltas above it.
    for k, found in figures["products"].items():
        assert found == {"together": 2 * k - 1, "each": k * (k + 1) // 2}
    assert max(figures["hand"].values()) < 1e-12
    layers = {"layer1": 0, "layer2": 0, "mse": 0}  # the delta of the last layer is that of the loss
    for term in figures["shared"]:
        layers[term.layer] += " * " in term.formula
    assert layers == {"layer1": 1, "layer2": 1, "mse": 1}
    collapse = figures["collapse"]
    assert collapse["difference"] < 1e-14
    assert collapse["operations"] == {"three": 3, "one": 1}
    assert collapse["unexplained"] > 0.1
    drawing = (tmp_path / "backpropagation.svg").read_text(encoding="utf-8")
    assert "shared, two uses" in drawing
    assert (tmp_path / "depths.svg").stat().st_size > 0


def test_normalisation(tmp_path):
    figures = main_of("normalisation")(tmp_path)
    for found in figures["statistics"].values():
        assert found["mean"] < 1e-6
        assert found["variance"] < 1e-4
        assert found["gradient error"] < 1e-6
    averages = figures["averages"]
    assert max(averages["mean"], averages["variance"]) < 0.15
    # One sample has no variance; in evaluation it is seen one deviation above the mean, where it lies.
    assert averages["one sample"]["train"] == [0, 0, 0]
    assert averages["one sample"]["test"] == pytest.approx([1, 1, 1], abs=0.15)
    assert max(figures["learnt"].values()) < 1e-4
    through, held = figures["gradient"]["through"], figures["gradient"]["held"]
    assert max(through.values()) < 1e-14
    assert min(held.values()) > 0.1
    above = figures["rates"] > figures["limit"]
    # The plain model diverges above 2 / (largest curvature) and only there; the normalised one nowhere, and up to
    # nearly fifty times as large a step it comes down to the noise.
    plain, normed = figures["plain"], figures["normed"]
    assert not (plain[above, -1] < 1e6).any()
    assert (plain[~above, -1] < 0.1 * plain[~above, 0]).all()
    assert (normed[:, -1] < 0.1 * normed[:, 0]).all()
    far = above & (figures["rates"] < 45 * figures["limit"])
    assert far.sum() == 6
    assert normed[far, -1] == pytest.approx(plain[~above, -1].min(), rel=0.1)
    assert (tmp_path / "normalisation.svg").stat().st_size > 0


def test_approximation(tmp_path):
    figures = main_of("approximation")(tmp_path)
    bumps, fitted = figures["errors"]["bumps"], figures["errors"]["fitted ReLUs"]
    assert all(fitted[width] < bumps[width] for width in bumps)
    assert bumps[64] == pytest.approx(
        bumps[32] / 2, rel=0.05
    )  # constant pieces: the error is of order 1 / width
    assert fitted[64] < 0.05 * fitted[4]
    for found in figures["towers"].values():  # largest at the corner, and the same in any dimension
        assert found == pytest.approx({side: math.sin(math.pi / side) for side in found}, rel=1e-6)
    # All 2^10 strings with l = 0, .., 10; widths up to 7 and 2 L + 1 layers are allowed.
    assert figures["bits"] == {"width": 5, "layers": 20, "right": 11 * 2**10, "of": 11 * 2**10}
    for (n, depth), found in figures["stairs"].items():
        assert (found["width"], found["layers"], found["exact"]) == (4 * n + 3, 3 * depth + 3, True)
        # 2 n steps a layer, coarse ones in the first half of the layers and fine ones in the second.
        coarse, fine = 2 * n * ((3 * depth + 4) // 2), 2 * n * ((3 * depth + 3) // 2)
        assert found["steps"] == coarse * fine
        assert found["breakpoints"] == 4 * coarse * fine - 2 * (coarse + fine)
        assert 36 <= found["breakpoints"] / (n * depth) ** 2 <= 144
    assert (tmp_path / "approximation.svg").stat().st_size > 0
    assert "bit2" in (tmp_path / "bit_extraction.svg").read_text(encoding="utf-8")


def test_optimisers(tmp_path):
    figures = main_of("optimisers")(tmp_path)
    for run in figures["theta"].values():
        assert run["theta"] == pytest.approx(run["formula"], rel=1e-12)
    assert {name: run["theta"][-1] for name, run in figures["theta"].items()} == {
        "converging": 0.5**10, "oscillating": 0.5**10, "diverging": 1.5**10,
    }  # fmt: skip
    # At theta = 3 with xi = 1: J1 = 2, J2 = 8, J = 5, and the slope of J is the mean of the others.
    assert figures["slopes"] == {"J1": (2.0, 2.0), "J2": (8.0, 4.0), "J": (5.0, 3.0)}
    both, one = (figures["batches"][name][-20:] for name in ("both", "one at a time"))
    assert max(map(abs, both)) < max(map(abs, one)) < 0.2
    right, wrong, stored = figures["nesterov"].values()
    assert abs(right[-1]) < 0.1
    assert abs(wrong[-1]) > 1e6
    assert stored == pytest.approx(right)
    assert max(figures["losses"]["noisy moons"].values()) < 0.36
    *batches, full = figures[
        "gradients"
    ].values()  # a mini-batch estimates the gradient on all, and larger ones better
    for found in batches:
        assert found["mean"] == pytest.approx(full["mean"], rel=1e-4)
    assert batches[0]["spread"] > 2 * batches[1]["spread"] > 4 * batches[2]["spread"] > full["spread"] == 0
    assert (tmp_path / "optimisers.svg").stat().st_size > 0


def test_recurrent(tmp_path):
    figures = main_of("recurrent")(tmp_path)
    right = {kind: run["right"] for kind, run in figures.items()}
    assert min(right["LSTM"], right["GRU"]) > 0.98
    assert right["RNN"] < min(right["LSTM"], right["GRU"])
    assert (tmp_path / "recurrent.svg").stat().st_size > 0


def test_transformer(tmp_path):
    figures = main_of("transformer")(tmp_path)
    assert figures["sorted"] > 0.98
    assert figures["unseen"] > 1500
    assert figures["answer"].tolist() == sorted(figures["of"])
    assert (tmp_path / "transformer.svg").stat().st_size > 0


def test_convolution(tmp_path):
    figures = main_of("convolution")(tmp_path)
    plain, augmented = figures["accuracy"].values()
    assert plain["same"] >= 0.985
    assert augmented["same"] > 0.96
    assert plain["changed"] < 0.8 < 0.92 < augmented["changed"]
    assert figures["losses"][-1] < 0.02 * figures["losses"][0]
    image, images = figures["image"], figures["images"]
    assert {(batch == image).all(axis=(1, 2, 3)).all() for batch in images.values()} == {False}
    for flipped in images["flip"]:
        assert np.array_equal(flipped, image) or np.array_equal(flipped, image[..., ::-1])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["augmentation.svg", "convolution.svg"]


def test_residual(tmp_path):
    figures = main_of("residual")(tmp_path)
    runs = figures["runs"]
    # The plain network of 20 layers learns; that of 50 stays at log(2), where it began.
    assert figures["shallow"]["accuracy"] > 0.9
    assert runs["plain"]["losses"][-1] == pytest.approx(np.log(2), abs=1e-3)
    assert min(run["accuracy"] for name, run in runs.items() if name != "plain") > 0.8
    for name in ("identity", "branch from zero"):
        assert runs[name]["losses"][-1] < 0.2
        assert min(runs[name]["reached"].values()) > 1e-2
    assert (
        runs["plain"]["reached"][20]
        > 1e3 * runs["plain"]["reached"][50]
        > 1e9 * runs["plain"]["reached"][110]
    )
    assert figures["deepened"]["deep"] == figures["deepened"]["shallow"] > 0.95
    assert (tmp_path / "residual.svg").stat().st_size > 0


def test_regularisation(tmp_path):
    figures = main_of("regularisation")(tmp_path)
    runs = figures["runs"]
    assert runs["none"]["training"] < 0.01
    assert max(run["test"] for name, run in runs.items() if name != "none") < runs["none"]["test"]
    stopped = runs["early stopping"]
    assert stopped["test"] == pytest.approx(min(stopped["history"]["val_data"]), rel=1e-5)  # the best weights
    assert runs["L1"]["sparse"] > 0.8 > 0.3 > runs["L2"]["sparse"] > runs["none"]["sparse"]
    assert runs["dropout"]["idle"] > runs["none"]["idle"] + 0.04  # hidden activations become sparse
    assert runs["dropout"]["activations"].mean() < 0.8 * runs["none"]["activations"].mean()
    masks = figures["masks"]
    assert masks["losses"][-1] < masks["scaled"] < masks["losses"][0]
    assert masks["apart"] < 0.1  # the logits' mean is that of the scaled weights; in deviations of one mask
    dense, sparse, again = figures["dsd"]["val_data"][39::40]
    assert max(sparse, again) < 0.8 * dense
    assert (tmp_path / "regularisation.svg").stat().st_size > 0


def test_depth(tmp_path):
    figures = main_of("depth")(tmp_path)
    studies = figures["activations"]
    for name, (low, middle, high) in {
        "sigmoid": (0, 1 / 4, 0), "tanh": (0, 1, 0), "hard_tanh": (0, 1, 0), "softmax": (0, 1 / 4, 0),  # saturated
        "relu": (0, 0, 1), "leaky_relu": (0.01, 0.01, 1), "elu": (0, 1, 1), "softplus": (0, 1 / 2, 1),
        "sign": (0, 0, 0), "step": (0, 0, 0), "identity": (1, 1, 1),
    }.items():  # fmt: skip
        assert studies[name]["slope"] == pytest.approx([low, middle, high], abs=1e-4), name
    means = {name: found["mean"] for name, found in studies.items()}  # of N(0, 1): 0, or not centred there
    assert max(abs(means[name]) for name in ("identity", "sign", "tanh", "hard_tanh")) < 0.01
    assert (means["sigmoid"], means["relu"]) == pytest.approx((1 / 2, 1 / np.sqrt(2 * np.pi)), rel=0.01)

    small, great, xavier, halving, normal, uniform = figures["inits"].values()

    def factor(found, name):
        return float((found[name][-1] / found[name][9]) ** (1 / 10))  # by layer, over the last ten

    assert factor(small, "activation.variance") == pytest.approx(100 * 0.05**2, rel=0.05)
    assert 1.5 < factor(halving, "gradient.variance") < 2.2  # about 2
    assert great["gradient.variance"][0] > 1e6 * great["gradient.variance"][-1]
    for found in (xavier, normal, uniform):
        for name in ("activation.variance", "gradient.variance"):
            assert 0.8 < factor(found, name) < 1.2

    norms = {name: found["weights.gradient_norm"] for name, found in figures["networks"].items()}
    assert norms["sigmoid"][0] < 1e-10 * norms["sigmoid"][-1]
    assert norms["residual ReLU"].max() < 1.5 * norms["residual ReLU"].min()
    assert all(norms[name].max() < 20 * norms[name].min() for name in ("tanh", "ReLU"))

    slow, fast, faster, leaky = (values[-50:].mean() for values in figures["dead"].values())
    assert slow < 0.2 < 0.5 < fast < faster
    assert leaky == 0
    poor, pretrained, xavier = (history["val_accuracy"][-1] for history in figures["tuned"].values())
    assert poor < 0.2 < 0.97 < min(pretrained, xavier)
    assert (tmp_path / "depth.svg").stat().st_size > 0


def test_landscape(tmp_path):
    figures = main_of("landscape")(tmp_path)
    plain, residual = figures["surfaces"].values()
    assert max(plain["centre"], residual["centre"]) < 0.01  # both are trained
    assert 2 * plain["low"] < residual["low"]
    assert plain["pits"] > residual["pits"]
    small, middle, whole = figures["minima"].values()
    assert all(0.01 < found["training"] < 0.06 for found in (small, middle, whole))
    assert 1.5 * small["sharpness"] < middle["sharpness"] < whole["sharpness"]
    assert whole["sharpness"] == pytest.approx(2 / 0.03, rel=0.1)  # where descent on all is just stable
    assert small["slice"][[0, -1]].sum() < middle["slice"][[0, -1]].sum() < whole["slice"][[0, -1]].sum()
    assert (tmp_path / "landscape.svg").stat().st_size > 0


def test_every_example_is_listed():
    files, systems = (EXAMPLES / "README.md").read_text(encoding="utf-8").split("## By system")
    for listed in (files, systems):
        assert [name for name in NAMES if f"[{name}.py]({name}.py)" not in listed] == []
