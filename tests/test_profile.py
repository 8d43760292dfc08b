"""What a host can do, and where a program's time goes: figures are plain data, and measuring changes nothing."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

import graphc as gc
from graphc import disk, machine
from graphc.machine import Level, Machine

LEVELS = (Level("L1", 1000, 4.0, 8.0), Level("L2", 9000, 2.0, 4.0), Level("memory", 0, 1.0, 2.0))
HOST = Machine(
    "a host", 2, {"float32": (5.0, 10.0), "float64": (2.0, 5.0)}, LEVELS, 1e-8, 1e-7, 1e-6, ("tea",)
)


def network():
    g = gc.Graph("profiled", seed=0)
    x, t = g.input("x", ("N", 8)), g.input("t", ("N",), dtype="int32")
    value = x
    for number in range(3):
        value = gc.nn.Dense(8, activation="relu", name=f"layer{number}")(value)
    loss = gc.losses.softmax_cross_entropy(value, t)
    return gc.compile({"loss": loss, "value": value}, updates=gc.optim.SGD(0.1)(gc.grad(loss)))


@pytest.fixture(scope="module")
def step():
    return network()


@pytest.fixture(autouse=True)
def host(monkeypatch):
    monkeypatch.setattr(machine, "this", lambda: HOST)


def batch(rows=20):
    rng = np.random.default_rng(0)
    return {
        "x": rng.normal(size=(rows, 8)).astype(np.float32),
        "t": rng.integers(0, 8, rows).astype(np.int32),
    }


def test_a_profile_has_a_row_for_each_kernel_and_all_of_the_cost(step):
    profile = step.profile(**batch())
    assert [k.name for k in profile.kernels] == [k.name for k in step.kernels]
    assert sum(k.steps for k in profile.kernels) > len(profile.kernels)
    assert sum(k.flops for k in profile.kernels) == step.cost.at(N=20)["flops"]
    assert profile.sizes == {"N": 20}
    assert all(k.seconds >= 0 and k.floor > 0 for k in profile.kernels)
    assert profile.call > 0
    assert profile.fraction == profile.floor / profile.call


def test_a_profile_changes_nothing(step):
    before = {name: value.copy() for name, value in {**step.params, **step.states}.items()}
    first = step(**batch())["value"].copy()
    step.params.update({name: before[name] for name in step.params})
    step.profile(**batch())
    step.profile(**batch(7))
    for name, value in {**step.params, **step.states}.items():
        assert value.tobytes() == before[name].tobytes()
    assert step(**batch())["value"].tobytes() == first.tobytes()
    step.params.update({name: before[name] for name in step.params})


def test_parameters_are_given_back_when_measuring_fails(step, monkeypatch):
    step(**batch())
    before = {name: value.copy() for name, value in step.params.items()}

    def fails(*_):
        raise RuntimeError("out of time")

    monkeypatch.setattr("graphc.program.program.step_seconds", fails)
    with pytest.raises(RuntimeError, match="out of time"):
        step.profile(**batch())
    step(**batch())
    assert any((step.params[name] != value).any() for name, value in before.items())


def test_a_profile_can_be_read(step):
    lines = str(step.profile(**batch())).splitlines()
    assert lines[0].startswith("profiled, N=20: ")
    assert "roofline" in lines[1]
    assert len(lines) == 3 + len(step.kernels)
    assert "a host" in lines[-1]
    assert max(map(len, lines)) < 120


def test_profiles_refuse_what_calls_refuse(step):
    with pytest.raises(gc.errors.InputError):
        step.profile(x=np.ones((3, 9), np.float32), t=np.zeros(3, np.int32))
    with pytest.raises(gc.errors.InputError):
        step.profile(x=np.ones((3, 8), np.float32), t=np.full(3, 8, np.int32))


def test_float64_has_its_own_peak():
    g = gc.Graph("wide")
    x = g.input("x", (16, 16), "float64")
    profile = gc.compile({"y": x @ x}).profile(x=np.eye(16))
    assert profile.kernels[0].floor == max(2 * 16**3 / 5.0, profile.kernels[0].bytes / HOST.bandwidth(4096))


def test_cost_is_told_by_kernel(step):
    cost = step.cost
    assert sum((k.flops for k in cost.kernels), 0) == cost.flops
    assert str(cost).count("\n") == len(cost.kernels)
    assert "N floating-point operations" in str(cost)


def test_the_nearest_level_that_holds_it_gives_the_bandwidth():
    assert [HOST.bandwidth(size) for size in (1, 1000, 1001, 9001)] == [8.0, 8.0, 4.0, 2.0]


def test_a_host_is_plain_data():
    data = json.loads(json.dumps(dataclasses.asdict(HOST)))
    assert machine.from_json(data) == HOST
    assert machine.from_json({**data, "levels": [{"name": "L1"}]}) is None
    assert machine.from_json({k: v for k, v in data.items() if k != "peaks"}) is None
    assert "float32: " in str(HOST)
    assert str(HOST).endswith("tea")


def test_this_host_is_measured_and_remembered(monkeypatch, tmp_path):
    monkeypatch.setenv(disk.VARIABLE, str(tmp_path))
    monkeypatch.setattr(machine, "_MOST", 1 << 22)
    assert machine.remembered() is None
    found = machine.measure()
    assert machine.remembered() == found
    assert [level.name for level in found.levels][-1] == "memory"
    figures = [*(x for pair in found.peaks.values() for x in pair), found.step]
    assert all(x > 0 for x in figures + [x for level in found.levels for x in (level.one, level.all)])


def test_what_a_host_lacks(monkeypatch, tmp_path):
    monkeypatch.setattr(machine.loader, "host", lambda: ("old", "+avx2,-avx512f"))
    monkeypatch.setattr(machine.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(machine.threads, "cores", lambda: 1)
    monkeypatch.setenv(disk.VARIABLE, "")
    assert machine.lacks() == (
        "no AVX-512: vectors have 256 bits",
        "one core: kernels run on one thread",
        "no cache folder that can be written: kernels are compiled in each process",
    )
    monkeypatch.setattr(machine.loader, "host", lambda: ("new", "+avx512f"))
    monkeypatch.setattr(machine.threads, "cores", lambda: 4)
    monkeypatch.setenv(disk.VARIABLE, str(tmp_path))
    assert machine.lacks() == ()


def test_runs_of_a_loop_are_counted_together():
    g = gc.Graph("loop")
    xs = g.input("xs", ("T", 4))
    w = g.param("w", (4, 4))
    last, _ = gc.scan(lambda h, x: (gc.tanh(h @ w + x),) * 2, g.const(np.zeros(4, np.float32)), xs)
    program = gc.compile({"last": last})
    long, short = (program.profile(xs=np.zeros((rows, 4), np.float32)) for rows in (50, 5))
    assert sum(k.flops for k in long.kernels) == program.cost.at(T=50)["flops"]
    assert sum(k.flops for k in long.kernels) > 5 * sum(k.flops for k in short.kernels)
