"""``fit``: steps, order, batches, validation, metrics, callbacks, and what leaves the weights alone."""

import os
import signal

import numpy as np
import pytest
from train_cases import DATA, Classifier, T, X, stored

import graphc as gc
from graphc.errors import GraphcError, InputError
from graphc.train.data import batch_axes, generator


@pytest.fixture(scope="module")
def net():
    return Classifier()


def by_hand(net, order, size):
    """The parameters after one pass over the data in ``order``."""
    step = gc.compile({"loss": net.loss}, updates=net.adam(gc.grad(net.loss)))
    losses = [step(x=X[at], t=T[at])["loss"] for at in (order[k : k + size] for k in range(0, 50, size))]
    return step, losses


def test_an_epoch_is_the_steps_that_one_would_write(net):
    run = net.fit(epochs=1, batch_size=16, seed=3)
    step, losses = by_hand(net, generator(3, 0).permutation(50), 16)
    assert stored(run) == stored(step)
    np.testing.assert_array_equal(run.history.steps["loss"], losses)
    np.testing.assert_allclose(run.history["loss"], np.average(losses, weights=[16, 16, 16, 2]))
    assert (run.epoch, run.stopped, run.states["adam.step"]) == (1, "epochs", 4)


@pytest.mark.parametrize(("size", "steps"), [(None, 1), (1, 50), (25, 2)])
def test_all_at_once_one_by_one_and_in_between(net, size, steps):
    run = net.fit(epochs=1, batch_size=size, shuffle=False)
    step, _ = by_hand(net, np.arange(50), size or 50)
    assert stored(run) == stored(step)
    assert run.history.steps["loss"].shape == (steps,)


def test_each_epoch_has_an_order_of_its_own_that_the_seed_decides(net):
    first, again, other = (net.fit(seed=seed) for seed in (1, 1, 2))
    assert stored(first) == stored(again) != stored(other)
    assert not np.array_equal(generator(1, 0).permutation(50), generator(1, 1).permutation(50))


def test_a_stream_of_batches_trains_as_arrays_do(net):
    batches = [{"x": X[k : k + 16], "t": T[k : k + 16]} for k in range(0, 50, 16)]
    plain = net.fit(shuffle=False, metrics={"accuracy": net.accuracy})
    for data in (batches, lambda epoch: iter(batches)):
        run = net.fit(data, batch_size=None, metrics={"accuracy": net.accuracy})
        assert stored(run) == stored(plain)
        np.testing.assert_array_equal(run.history["accuracy"], plain.history["accuracy"])


def test_validation_by_arrays_and_by_a_fraction(net):
    held = {"x": X[:10], "t": T[:10]}
    run = net.fit(
        validation=held, metrics={"accuracy": net.accuracy, "confidence": gc.max(net.logits, axis=1)}
    )
    assert list(run.history) == [
        "loss", "accuracy", "confidence", "val_loss", "val_accuracy", "val_confidence", "adam.learning_rate",
    ]  # fmt: skip
    found = run.evaluate(held)
    assert found["loss"] == run.history["val_loss"][-1]
    predicted = run.predict(net.logits, x=X[:10])
    assert found["accuracy"] == (predicted.argmax(axis=1) == T[:10]).mean() == run.history["val_accuracy"][-1]
    np.testing.assert_allclose(found["confidence"], predicted.max(axis=1).mean(), rtol=1e-6)

    cut = net.fit(validation=0.2, batch_size=8)
    assert cut.history.steps["loss"].shape == (10,)  # 40 examples are left
    order = generator(0).permutation(50)
    assert cut.evaluate({"x": X[np.sort(order[:10])], "t": T[np.sort(order[:10])]})["loss"] == pytest.approx(
        cut.history["val_loss"][-1], rel=1e-6
    )


def test_phases_differ_between_training_and_evaluation():
    g = gc.Graph()
    x = g.input("x", ("N",))
    seen = g.state("seen", ())
    g.set_update(seen, seen + 1)
    loss = gc.mean((x * g.param("w", init=1.0) * gc.phase(train=g.const(2.0), eval=1.0)) ** 2)
    run = gc.train.fit(
        loss, {"x": np.ones(4, np.float32)}, optimiser=gc.optim.SGD(0.0), epochs=3, validation={"x": [1.0]}
    )
    assert (run.history["loss"][0], run.history["val_loss"][0], run.states["seen"]) == (4, 1, 3)


def test_updates_may_be_written_by_hand_and_parameters_chosen(net):
    w = net.graph["out.bias"]
    run = net.fit(optimiser={w: w + 1}, epochs=3, batch_size=None)
    assert run.params["out.bias"].tolist() == [3, 3, 3]
    part = net.fit(wrt=[w], optimiser=gc.optim.SGD(0.1))
    fresh = gc.compile({"y": net.logits})
    changed = [n for n in fresh.params if part.params[n].tobytes() != fresh.params[n].tobytes()]
    assert changed == ["out.bias"]


def test_training_goes_on_where_another_left_the_parameters(net):
    first = net.fit()
    before = first.params["out.weight"].copy()
    second = net.fit(params=first.params)
    assert second.params["out.weight"] is first.params["out.weight"]
    assert not np.array_equal(before, first.params["out.weight"])


def test_a_network_without_sizes_has_one_example():
    theta = gc.Graph().param("theta", (), "float64", init=1.0)
    run = gc.train.fit(theta * theta / 2, {}, optimiser=gc.optim.SGD(0.5), epochs=4, record={"theta": theta})
    assert run.history.steps["theta"].tolist() == [1, 0.5, 0.25, 0.125]
    assert run.params["theta"] == 0.5**4


def test_the_axis_of_the_examples():
    g = gc.Graph()
    g.input("x", ("T", "N", 2)), g.input("t", ("N", 2)), g.input("scale", ())
    inputs = {name: g[name].type for name in ("x", "t", "scale")}
    assert batch_axes(inputs, None) == {"x": 1, "t": 0}
    assert batch_axes(inputs, "T") == {"x": 0}
    x = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    loss = gc.mean(g["x"] * g.param("w", init=1.0) * g["scale"]) + gc.mean(g["t"])
    data = {"x": x, "t": np.zeros((3, 2), np.float32), "scale": 2.0}
    run = gc.train.fit(loss, data, optimiser=gc.optim.SGD(0.0), epochs=1, batch_size=2, shuffle=False)
    np.testing.assert_allclose(run.history.steps["loss"], [2 * x[:, :2].mean(), 2 * x[:, 2:].mean()])


def test_augmented_batches_are_drawn_by_seed_epoch_and_step(net):
    drawn = []

    def noise(images, random):
        drawn.append(random.normal())
        return images + 1

    g = gc.Graph()
    x = g.input("x", ("N",))
    loss = gc.mean(x) * g.param("w", init=1.0)
    for _ in range(2):
        run = gc.train.fit(
            loss,
            {"x": np.float32([1, 2, 3])},
            optimiser=gc.optim.SGD(0.0),
            epochs=2,
            batch_size=2,
            augment={"x": noise},
        )
        np.testing.assert_allclose(run.history["loss"], 3)
    assert drawn[:4] == drawn[4:]
    assert len(set(drawn)) == 4


# ---------------------------------------------------------------------------------------------- metrics


def test_metrics_are_those_of_the_whole_set():
    g = gc.Graph()
    p, t = g.input("p", ("N", 2)), g.input("t", ("N", 2))
    metrics = {
        name: getattr(gc.train, name)(p, t) for name in ("mse", "mae", "r2", "confusion_matrix", "accuracy")
    }
    rng = np.random.default_rng(1)
    target = rng.normal(100, 1, size=(2500, 2)).astype(np.float32)
    given = {"p": target + rng.normal(size=target.shape).astype(np.float32), "t": target}
    loss = gc.mean(p) * g.param("w", ())
    run = gc.train.fit(loss, given, optimiser=gc.optim.SGD(0.0), epochs=1, batch_size=7, metrics=metrics)
    wide = {name: array.astype(np.float64) for name, array in given.items()}
    error = wide["p"] - wide["t"]
    r2 = 1 - (error**2).sum(axis=0) / ((wide["t"] - wide["t"].mean(axis=0)) ** 2).sum(axis=0)
    classes, true = (wide[name].argmax(axis=1) for name in "pt")
    for found in (run.evaluate(given), {name: run.history[name][0] for name in metrics}):
        np.testing.assert_allclose(found["mse"], (error**2).mean(), rtol=1e-5)
        np.testing.assert_allclose(found["mae"], np.abs(error).mean(), rtol=1e-5)
        np.testing.assert_allclose(found["r2"], r2.mean(), rtol=1e-5)
        assert found["accuracy"] == (classes == true).mean()
        expected = [[((true == i) & (classes == j)).sum() for j in (0, 1)] for i in (0, 1)]
        assert found["confusion_matrix"].tolist() == expected


@pytest.mark.parametrize("targets", [[0, 1, 1, 0], [-1, 1, 1, -1]])
def test_two_classes_by_the_sign_of_one_output(targets):
    g = gc.Graph()
    x, t = g.input("x", ("N",)), g.input("t", ("N",), "int32")
    found = {n: m.function(**gc.interpret(m.nodes, x=[-1, 2, -3, 4], t=targets)) for n, m in {
        "accuracy": gc.train.accuracy(x, t), "matrix": gc.train.confusion_matrix(x, t),
    }.items()}  # fmt: skip
    assert found["accuracy"] == 0.5
    assert found["matrix"].tolist() == [[1, 1], [1, 1]]


def test_labels_that_are_missing_are_masked_and_else_refused(net):
    t = np.where(np.arange(50) % 7 == 3, -1, T).astype(np.int32)
    real, label = net.t >= 0, gc.maximum(net.t, 0)
    loss = gc.losses.softmax_cross_entropy(net.logits, label, weights=real)
    metrics = {
        name: getattr(gc.train, name)(net.logits, label, mask=real)
        for name in ("accuracy", "confusion_matrix")
    }
    given = {"x": X, "t": t}
    run = gc.train.fit(loss, given, optimiser=gc.optim.SGD(0.0), epochs=1, batch_size=16, metrics=metrics)
    true, predicted = t[t >= 0], run.predict(net.logits, x=X).argmax(axis=1)[t >= 0]
    assert run.history["accuracy"][0] == (true == predicted).mean()
    expected = [[((true == i) & (predicted == j)).sum() for j in range(3)] for i in range(3)]
    assert run.history["confusion_matrix"][0].tolist() == expected
    for name in metrics:
        metric = getattr(gc.train, name)(net.logits, net.t)
        with pytest.raises(InputError, match=r"input 't' of accuracy \(take\): index -1 is out of range"):
            gc.train.fit(loss, given, optimiser=gc.optim.SGD(0.1), epochs=1, metrics={name: metric})


def test_the_loss_of_an_epoch_counts_each_step_by_its_examples(net):
    for reduction, scale in (("mean", np.array([1, 1, 1, 1])), ("sum", np.array([16, 16, 16, 2]))):
        loss = gc.losses.softmax_cross_entropy(net.logits, net.t, reduction=reduction)
        run = gc.train.fit(loss, DATA, optimiser=gc.optim.SGD(0.0), epochs=1, batch_size=16, shuffle=False)
        each = gc.interpret(
            gc.losses.softmax_cross_entropy(net.logits, net.t, reduction="none"),
            **DATA, **run.params,
        )  # fmt: skip
        means = [each[k : k + 16].mean() for k in range(0, 50, 16)]
        expected = np.average(means * scale, weights=[16, 16, 16, 2])
        np.testing.assert_allclose(run.history["loss"], [expected], rtol=1e-5)


def test_r2_of_targets_that_are_all_equal():
    g = gc.Graph()
    metric = gc.train.r2(g.input("p", ("N",)), g.input("t", ("N",)))
    assert metric.function(prediction=np.ones(3), target=np.ones(3)) == 1
    assert metric.function(prediction=np.ones(3), target=np.zeros(3)) == 0


# ---------------------------------------------------------------------------------------------- callbacks


def test_hooks_are_called_in_turn(net):
    calls = []

    class Watcher:
        def on_start(self, training):
            calls.append("start")

        def on_step(self, training):
            calls.append(training.steps)

        def on_end(self, training):
            calls.append(training.stopped)

    net.fit(batch_size=25, callbacks=[Watcher(), lambda training: calls.append(f"epoch {training.epoch}")])
    assert calls == ["start", 1, 2, "epoch 1", 1, 2, "epoch 2", "epochs"]


def test_early_stopping_gives_back_the_best_epoch(net):
    snapshots = []
    stop = gc.train.EarlyStopping("watched", patience=2, min_delta=0.1, mode="max")
    values = iter([1.0, 2.0, 2.05, float("nan"), 9.0])

    def score(value):
        return next(values)

    run = net.fit(
        epochs=9, batch_size=None, metrics={"watched": gc.train.Metric({"value": net.loss}, score)},
        callbacks=[lambda training: snapshots.append(training.params["out.weight"].copy()), stop],
    )  # fmt: skip
    assert run.epoch == 4
    assert run.stopped == "watched has not got better for 2 epochs"
    np.testing.assert_array_equal(run.params["out.weight"], snapshots[1])


def test_learning_rates_follow_a_schedule_and_are_logged(net):
    run = net.fit(epochs=3, callbacks=[gc.train.LearningRate(lambda epoch: 0.5**epoch)])
    assert run.history["adam.learning_rate"].tolist() == [1, 0.5, 0.25]


def test_a_callback_stops_within_an_epoch(net):
    class Stop:
        def on_step(self, training):
            if training.steps == 2 and training.epoch == 1:
                training.stop("enough")

    run = net.fit(epochs=9, callbacks=[Stop()])
    assert (run.epoch, run.steps, run.stopped) == (1, 2, "enough")
    assert run.history["loss"].shape == (1,)
    assert run.history.steps["loss"].shape == (6,)


def test_interrupts_end_training_between_two_steps(net):
    class Press:
        def on_step(self, training):
            if training.epoch == 1:
                os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    run = net.fit(epochs=9, callbacks=[Press()])
    assert (run.epoch, run.steps, run.stopped, run.states["adam.step"]) == (1, 1, "interrupted", 5)
    assert signal.getsignal(signal.SIGINT) is before

    def press(training):
        raise KeyboardInterrupt

    assert net.fit(epochs=9, callbacks=[press]).stopped == "interrupted"


def test_the_bar_is_drawn_where_it_is_asked_for(net, capsys):
    net.fit(progress=True, validation=0.2)
    assert "epoch 2/2" in capsys.readouterr().out
    net.fit()
    assert capsys.readouterr().out == ""


# ---------------------------------------------------------------------------------------------- refusals


BAD = {
    "unequal lengths": ({"x": X[:40], "t": T}, {}),
    "empty": ({"x": X[:0], "t": T[:0]}, {"batch_size": None}),
    "a batch of more than all": (DATA, {"batch_size": 51}),
    "NaN": ({"x": np.where(np.arange(4) == 2, np.float32("nan"), X), "t": T}, {}),
    "a class out of range": ({"x": X, "t": np.where(np.arange(50) == 49, 3, T).astype(np.int32)}, {}),
    "a class below 0": ({"x": X, "t": np.where(np.arange(50) == 49, -1, T).astype(np.int32)}, {}),
    "a metric called as a learning rate": (
        DATA,
        {"metrics": {"my.learning_rate": gc.train.Metric({}, float)}},
    ),
    "a checkpoint that is a folder": (DATA, {"callbacks": [gc.train.Checkpoint(".")]}),
    "a checkpoint in no folder": (DATA, {"callbacks": [gc.train.Checkpoint("no such folder/{epoch}")]}),
    "an unknown input": ({**DATA, "y": T}, {}),
    "a missing input": ({"x": X}, {}),
    "another dtype": ({"x": X.astype(np.float64), "t": T}, {}),
    "validation that does not fit": (DATA, {"validation": {"x": X[:, :3], "t": T}}),
    "a monitor that is not there": (DATA, {"callbacks": [gc.train.EarlyStopping()]}),
    "a callback that is none": (DATA, {"callbacks": [3]}),
}


@pytest.mark.parametrize(("data", "options"), BAD.values(), ids=BAD)
def test_what_does_not_fit_changes_no_weights(net, data, options):
    run = net.fit()
    before = stored(run)
    with pytest.raises(InputError):
        net.fit(data, params=run.params, **options)
    assert stored(run) == before


def test_errors_of_a_stream_name_the_batch(net):
    with pytest.raises(GraphcError, match=r"input 'x': element \[0, 1\] is NaN"):
        net.fit(
            [{"x": [[0, 0, 0, 0]], "t": [0]}, {"x": np.float32([[0, np.nan, 0, 0]]), "t": [0]}],
            batch_size=None,
        )


def test_several_predictions_at_once_have_names(net):
    run = net.fit(epochs=1)
    out = run.predict({"logits": net.logits, "classes": gc.argmax(net.logits, axis=1)}, x=X[:3])
    np.testing.assert_array_equal(out["logits"], run.predict(net.logits, x=X[:3]))
    np.testing.assert_array_equal(out["classes"], out["logits"].argmax(axis=1))


def test_print_is_a_callback_that_tells_each_epoch(net, capsys):
    run = net.fit(callbacks=[print], progress=False)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("<Training: 1 epoch, going on; loss=")
    assert second.startswith("<Training: 2 epochs, going on; loss=")
    assert repr(run) == second.replace("going on", "done")


def test_integers_of_any_width_are_classes(net):
    for kind in ("int64", "uint8"):
        run = net.fit({"x": X, "t": T.astype(kind)}, epochs=1)
        assert stored(run) == stored(net.fit(epochs=1))
