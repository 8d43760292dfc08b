"""Statistics of layers, landscapes, plots, training under masks, layer-wise pre-training."""

import numpy as np
import pytest
from train_cases import DATA, RNG, Classifier, X, stored

import graphc as gc


@pytest.fixture(scope="module")
def net():
    return Classifier()


@pytest.fixture(scope="module")
def watched(net):
    watch = gc.train.watch(net.loss)
    return watch, net.fit(epochs=3, batch_size=None, record=watch, validation=0.2)


def test_statistics_are_those_of_the_nodes(net, watched):
    watch, _ = watched
    assert watch.layers == ("hidden", "out")
    nodes = [net.hidden, net.logits]
    slopes = gc.grad(net.loss, nodes)
    weights = gc.grad(net.loss)
    found = gc.interpret(dict(watch), **DATA)
    for k, node in enumerate(nodes):
        for part, value in zip(
            ("activation", "gradient"), gc.interpret([node, slopes[node]], **DATA), strict=True
        ):
            wide = value.astype(np.float64)
            np.testing.assert_allclose(found[f"{part}.mean"][k], wide.mean(), rtol=1e-4, atol=1e-8)
            np.testing.assert_allclose(found[f"{part}.variance"][k], wide.var(), rtol=1e-4)
            np.testing.assert_allclose(found[f"{part}.norm"][k], np.linalg.norm(wide), rtol=1e-5)
    hidden = gc.interpret(net.hidden, **DATA)
    np.testing.assert_allclose(found["activation.sparsity"], [(hidden == 0).mean(), 0], rtol=1e-6)
    own = [s for p, s in weights.items() if p.name.startswith("out")]
    norm = np.sqrt(sum((v.astype(np.float64) ** 2).sum() for v in gc.interpret(own, **DATA)))
    np.testing.assert_allclose(found["weights.gradient_norm"][1], norm, rtol=1e-5)


def test_units_that_no_example_reaches_are_dead():
    g = gc.Graph()
    x = g.input("x", ("N", 3))
    bias = g.param("layer.bias", (3,), init=[0.0, -9.0, -9.0])
    watch = gc.train.watch(gc.sum(gc.relu(x + bias)), {"layer": gc.relu(x + bias)})
    found = gc.interpret(dict(watch), x=[[1, 1, 1], [-1, 1, 10]])
    np.testing.assert_allclose(found["activation.dead"], [1 / 3])
    np.testing.assert_allclose(found["activation.sparsity"], [4 / 6])
    channels = g.input("images", ("N", 2, 3, 3))
    images = gc.train.watch(gc.sum(channels) * gc.sum(bias), {"a": channels})
    data = np.zeros((2, 2, 3, 3), np.float32)
    data[1, 1, 2, 2] = 1
    assert gc.interpret(images["activation.dead"], images=data).tolist() == [0.5]


def test_statistics_are_recorded_beside_the_steps_and_change_nothing(net, watched):
    watch, run = watched
    assert {array.shape for array in watch.of(run.history).values()} == {(3, 2)}
    assert stored(run) == stored(net.fit(epochs=3, batch_size=None, validation=0.2))


def test_a_landscape_has_the_trained_loss_in_its_middle(net, watched):
    _, run = watched
    before = stored(run)
    found = gc.train.landscape(run, DATA, points=3, radius=0.5, seed=1)
    assert found.values[1, 1] == pytest.approx(run.evaluate(DATA)["loss"], rel=1e-6)
    assert found.steps.tolist() == [-0.5, 0, 0.5]
    assert len(set(found.values.ravel())) == 9
    assert stored(run) == before


def test_directions_have_the_norm_of_each_filter():
    from graphc.train.diagnostics import _filter_normalised

    for shape, axes in (((5, 3), (0,)), ((4, 2, 3, 3), (1, 2, 3))):
        weights = RNG.normal(size=shape)
        direction = _filter_normalised(RNG.normal(size=shape), weights)
        norms = [np.sqrt((each**2).sum(axis=axes)) for each in (direction, weights)]
        np.testing.assert_allclose(*norms)
    assert not _filter_normalised(np.ones(3), np.ones(3)).any()


def test_plots_are_saved_with_their_panels(net, watched, tmp_path):
    watch, run = watched
    way = np.cumsum(RNG.normal(size=(9, 2)), axis=0)
    plots = gc.train.plots
    figures = {
        "history": (run.plot, (), 2),
        "watch": (watch.plot, (run.history,), len(watch)),
        "weights": (plots.histograms, (run.params,), 4),
        "landscape": (gc.train.landscape(run, DATA, points=3).plot, (), 2),
        "ways": (lambda path: plots.trajectories({"a": way}, path, function=lambda x, y: x * x + y), (), 2),
        "profile": (plots.profile, ({"he": np.ones(3), "small": np.arange(3.0)},), 1),
        "images": (plots.images, (RNG.random((3, 1, 4, 4)),), 3),
    }
    for name, (draw, given, panels) in figures.items():
        figure = draw(*given, path=tmp_path / f"{name}.png")
        assert len(figure.axes) == panels, name
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


# ------------------------------------------------------------------------------------- sparse, pre-trained


def test_pruned_weights_stay_zero_until_they_are_restored(net):
    seen = []
    runs = gc.train.dense_sparse_dense(
        net.loss, DATA, optimiser=gc.optim.SGD(0.1), epochs=(2, 2, 2), batch_size=10, sparsity=0.5,
        callbacks=[lambda training: seen.append(np.mean(training.params["hidden.weight"] == 0))],
    )  # fmt: skip
    assert seen == [0, 0, 0.5, 0.5, 0, 0]
    assert runs.again.params["out.weight"] is runs.dense.params["out.weight"]
    rates = [run.history["sgd.learning_rate"][0] for run in runs]
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.01], rtol=1e-6)


def test_each_layer_is_trained_while_those_before_stay(net):
    g = gc.Graph(seed=1)
    x = g.input("x", ("N", 4))
    layers = [gc.nn.Dense(size, activation="tanh", name=name) for name, size in (("a", 3), ("b", 2))]
    seen = []
    found = gc.train.pretrain(
        x, layers, {"x": X}, optimiser=gc.optim.Adam(0.05), epochs=20,
        callbacks=[lambda training: seen.append(training.params["a.weight"].copy())],
    )  # fmt: skip
    first, second = found.trainings
    assert first.history["loss"][-1] < first.history["loss"][0] / 2
    assert second.history["loss"][-1] < second.history["loss"][0]
    assert not np.array_equal(seen[0], seen[19])
    np.testing.assert_array_equal(seen[19], seen[39])
    head = gc.losses.mse(gc.nn.Dense(4, name="head")(found.output), x)
    whole = gc.train.fit(head, {"x": X}, optimiser=gc.optim.SGD(0.0), epochs=1, params=found.params)
    np.testing.assert_array_equal(whole.params["a.weight"], seen[39])
    np.testing.assert_array_equal(whole.params["b.weight"], found.params["b.weight"])
