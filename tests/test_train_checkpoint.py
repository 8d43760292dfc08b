"""Checkpoints: bit for bit, whole or not at all, and training that goes on as if it had never stopped."""

import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from train_cases import DATA, Classifier, stored

import graphc as gc
from graphc.errors import CheckpointError


@pytest.fixture(scope="module")
def net():
    return Classifier()


@pytest.fixture(scope="module")
def run(net):
    return net.fit()


def test_all_dtypes_and_shapes_come_back_bit_for_bit(tmp_path):
    g = gc.Graph()
    rng = np.random.default_rng(0)
    values = {
        "half": rng.normal(size=(2, 3)).astype(np.float32),
        "wide": np.array([np.nan, -0.0, np.inf, 5e-324]),
        "scalar": np.float64(np.pi),
        "count": np.int64(2**62),
        "small": np.array([1, -2], np.int32),
        "flags": np.array([True, False]),
        "none": np.zeros((0, 3), np.float32),
    }
    nodes = {n: g.state(n, np.shape(v), np.asarray(v).dtype.name) for n, v in values.items()}
    program = gc.compile(nodes, params=values)
    path = gc.train.save(tmp_path / "all.safetensors", program)
    other = gc.compile(nodes)
    gc.train.load(path, other)
    assert stored(other) == stored(program) == {n: np.asarray(v).tobytes() for n, v in values.items()}
    first = path.read_bytes()
    gc.train.save(path, program)
    assert path.read_bytes() == first
    assert [each.name for each in tmp_path.iterdir()] == ["all.safetensors"]


def test_other_tools_find_parameters_under_their_names(run, tmp_path):
    found = load_file(run.save(tmp_path / "net.safetensors"))
    np.testing.assert_array_equal(found["hidden.weight"], run.params["hidden.weight"])


def test_a_program_that_only_predicts_takes_what_it_needs(net, run, tmp_path):
    path = run.save(tmp_path / "net.safetensors")
    predict = gc.compile({"y": net.logits})
    gc.train.load(path, predict)
    x = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(predict(x=x)["y"], run.predict(net.logits, x=x))
    fresh = gc.compile({"h": net.hidden}, params=gc.train.read(path).params)
    np.testing.assert_array_equal(fresh(x=x)["h"], run.predict(net.hidden, x=x))


def test_parameters_of_other_tools_can_be_taken(net, run, tmp_path):
    save_file({name: np.array(array) for name, array in run.params.items()}, tmp_path / "plain.safetensors")
    training = gc.compile({"loss": net.loss}, updates=net.adam(gc.grad(net.loss)))
    with pytest.raises(CheckpointError, match=r"it holds no state 'adam.learning_rate'"):
        gc.train.load(tmp_path / "plain.safetensors", training)
    gc.train.load(tmp_path / "plain.safetensors", training, states=False)
    assert training.params["out.bias"].tobytes() == run.params["out.bias"].tobytes()


@pytest.mark.parametrize("steps", [1, 3, 4, 7, 8, 11])
def test_a_resumed_run_ends_with_the_same_bytes(net, steps, tmp_path):
    """Wherever it was cut: within an epoch of 4 steps, at its end, and behind it."""
    options = {
        "epochs": 4, "validation": 0.1, "batch_size": 12, "seed": 5, "metrics": {"accuracy": net.accuracy},
        "record": {"bias": net.graph["out.bias"]},
    }  # fmt: skip
    stopping = {"callbacks": [gc.train.EarlyStopping(patience=9)]}
    whole = net.fit(**options, **stopping)

    class Cut:
        def on_step(self, training):
            if len(training.history.steps["loss"]) == steps:
                training.save(tmp_path / "cut.safetensors")
                training.stop("cut")

    net.fit(**options, callbacks=[gc.train.EarlyStopping(patience=9), Cut()])
    resumed = net.fit(**options, **stopping, resume=tmp_path / "cut.safetensors")
    assert stored(resumed) == stored(whole)
    for mine, its in ((resumed.history, whole.history), (resumed.history.steps, whole.history.steps)):
        assert {n: a.tolist() for n, a in mine.items()} == {n: a.tolist() for n, a in its.items()}


def test_a_resumed_run_ends_with_the_same_bytes_in_another_process(net, tmp_path):
    net.fit(epochs=3, callbacks=[gc.train.Checkpoint(tmp_path / "{epoch}.safetensors", every=2)])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["2.safetensors", "3.safetensors"]
    program = f"""
import sys; sys.path.insert(0, {str(__import__("pathlib").Path(__file__).parent)!r})
from train_cases import Classifier
run = Classifier().fit(epochs=3, resume={str(tmp_path / "2.safetensors")!r})
run.save({str(tmp_path / "again.safetensors")!r})
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "3.safetensors").read_bytes()


def test_a_resumed_history_has_its_names_in_the_order_of_the_first(net, tmp_path):
    options = {"metrics": {"accuracy": net.accuracy}, "validation": 0.2, "batch_size": 8}
    first = net.fit(epochs=1, **options)
    resumed = net.fit(epochs=2, resume=first.save(tmp_path / "net.safetensors"), **options)
    assert list(resumed.history) == list(first.history)


def test_dropout_goes_on_with_the_masks_that_it_would_have_drawn(tmp_path):
    g = gc.Graph(seed=0)
    x, t = g.input("x", ("N", 4)), g.input("t", ("N",), "int32")
    net = gc.nn.Sequential(gc.nn.Dense(8, name="hidden"), gc.nn.Dropout(0.5), gc.nn.Dense(3, name="out"))
    loss = gc.losses.softmax_cross_entropy(net(x), t)
    sgd = gc.optim.SGD(0.1)

    def fit(epochs, **options):
        return gc.train.fit(loss, DATA, optimiser=sgd, epochs=epochs, batch_size=16, **options)

    path = fit(1).save(tmp_path / "one.safetensors")
    whole = fit(3)
    assert stored(fit(3, resume=path)) == stored(whole)
    fresh = fit(2, params=gc.train.read(path).params)  # other masks than those of the second epoch on
    assert stored(fresh) != stored(whole)


def test_an_interrupted_run_is_saved_where_it_stood(net, tmp_path):
    class Press:
        def on_step(self, training):
            if training.steps == 2:
                raise KeyboardInterrupt

    path = tmp_path / "cut.safetensors"
    assert net.fit(callbacks=[Press(), gc.train.Checkpoint(path)]).stopped == "interrupted"
    assert gc.train.read(path).position["steps"] == 2
    assert stored(net.fit(resume=path)) == stored(net.fit())


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_torn_file_changes_nothing(net, run, kept, tmp_path):
    path = run.save(tmp_path / "net.safetensors")
    path.write_bytes(path.read_bytes()[:kept])
    other = net.fit()
    before = stored(other)
    with pytest.raises(CheckpointError, match="no whole safetensors file"):
        gc.train.load(path, other.step)
    with pytest.raises(CheckpointError, match="no whole safetensors file"):
        net.fit(params=other.params, resume=path)
    assert stored(other) == before


def test_a_write_that_fails_leaves_the_older_file(run, tmp_path, monkeypatch):
    path = run.save(tmp_path / "net.safetensors")
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("graphc.tensors.os.fsync", full)
    run.params["out.bias"] = [1, 2, 3]
    with pytest.raises(OSError, match="No space left"):
        run.save(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_names_in_the_metadata_that_the_file_does_not_hold_are_no_states(run, tmp_path):
    said = {"format": 1, "states": ["gone", 3], "position": {}}
    save_file({"w": np.ones(2, np.float32)}, tmp_path / "odd.safetensors", {"graphc": json.dumps(said)})
    found = gc.train.read(tmp_path / "odd.safetensors")
    assert (list(found.params), dict(found.states)) == (["w"], {})
