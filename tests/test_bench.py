"""The benchmarks: workloads mean the same in graphc and by hand, systems take turns, results are plain data."""

from __future__ import annotations

import json
import runpy
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import graphc as gc
from graphc.bench import page, picture, runner, serve, systems, tables
from graphc.bench.families import (
    FAMILIES,
    Adam,
    Attention,
    Chain,
    LayerNorm,
    LeNet,
    Neuron,
    Perceptrons,
    Recurrent,
    Residual,
)
from graphc.bench.results import Result, Run, Timing
from graphc.bench.runner import Options, difference, measure
from graphc.bench.systems import OURS, System
from graphc.bench.workloads import WORKLOADS, Workload
from graphc.cli import bench as command
from graphc.cli.app import app
from graphc.errors import GraphcError
from graphc.machine import Level, Machine

PEERS = Path(serve.__file__).parent / "peers"
SMALL = {
    "Perceptrons": Perceptrons(sizes=(5, 7, 4), batch=6),
    "tanh": Perceptrons(sizes=(5, 7, 7, 4), batch=6, activation="tanh", dtype="float64"),
    "Neuron": Neuron(),
    "Chain": Chain(size=11),
    "LayerNorm": LayerNorm(rows=5, columns=7),
    "Adam": Adam(size=13),
    "LeNet": LeNet(batch=2),
    "Residual": Residual(blocks=2, channels=3, side=5, batch=2),
    "lstm": Recurrent(cell="lstm", length=4, width=3, hidden=5, batch=2),
    "gru": Recurrent(cell="gru", length=4, width=3, hidden=5, batch=2),
    "Attention": Attention(batch=2, length=5, width=6, heads=2),
}
LEVELS = (Level("L1", 1000, 1e9, 2e9), Level("memory", 0, 1e8, 2e8))
HOST = Machine("a host", 2, {"float32": (1e9, 2e9), "float64": (1e9, 1e9)}, LEVELS, 1e-8, 1e-7, 1e-6, ())


def values(results):
    return [np.asarray(each, np.float64) for each in results]


# ------------------------------------------------------------------------------------------------ workloads


def test_every_family_is_small_here_and_has_a_workload():
    assert {type(family) for family in SMALL.values()} == set(FAMILIES.values())
    assert {type(w.family) for w in WORKLOADS.values()} == set(FAMILIES.values())
    assert any(w.other for w in WORKLOADS.values())


@pytest.mark.parametrize("name", SMALL)
def test_a_family_travels_as_json_and_draws_the_same_arrays(name):
    family = SMALL[name]
    again = type(family).of(json.loads(json.dumps(asdict(family))))
    assert again == family
    for one, other in zip(family.arrays(), again.arrays(), strict=True):
        assert {k: v.tobytes() for k, v in one.items()} == {k: v.tobytes() for k, v in other.items()}
        assert all(v.dtype == family.dtype or v.dtype == np.int32 for v in one.values())


def started(family):
    """The program of a family, and one call of it."""
    params, inputs = family.arrays()
    program = family.declare(params, inputs)()
    return program, family.step(program, inputs)


@pytest.mark.parametrize("name", [name for name, family in SMALL.items() if not isinstance(family, Adam)])
def test_losses_fall_and_are_those_of_the_interpreter(name):
    family = SMALL[name]
    program, step = started(family)
    output = program.cone.graph.handle(next(iter(program.cone.outputs.values())))
    wanted = gc.interpret(output, **family.arrays()[1])
    first = values(step())[0].copy()  # a bound call writes the same arrays anew
    np.testing.assert_allclose(first, wanted, rtol=2e-4, atol=1e-5)
    if first.ndim == 0:
        for _ in range(20):
            last, *_ = values(step())
        assert last < first


def written_by_hand():
    return runpy.run_path(str(PEERS / "with_numpy.py"))


BY_HAND = written_by_hand()["FAMILIES"]


@pytest.mark.parametrize("name", [name for name, family in SMALL.items() if type(family).__name__ in BY_HAND])
def test_what_is_written_by_hand_computes_the_same(name):
    family = SMALL[name]
    _, ours = started(family)
    spec = json.loads(json.dumps(asdict(family)))
    theirs = written_by_hand()["build"]("", type(family).__name__, spec, *family.arrays())
    for _ in range(5):
        for found, wanted in zip(values(theirs()), values(ours()), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-6)


# -------------------------------------------------------------------------------------------------- serving


def start_command(tmp_path, family, system, **more):
    command = runner._start_command(Workload("w", family), tmp_path / "arrays.npz")
    return {**command, "system": str(system), "variant": "", **more}


def answered(*commands):
    return list(serve.answers(iter(json.dumps(each) for each in commands)))


def test_a_server_starts_takes_turns_and_tells_what_it_used(tmp_path):
    start = start_command(tmp_path, SMALL["Perceptrons"], PEERS / "with_graphc.py")
    started, turn, stopped = answered(start, {"do": "turn", "seconds": 0.01}, {"do": "stop"})
    assert len(started["checks"]) == runner.COMPARED
    assert started["first"] > 0
    assert 0 < turn["least"] <= turn["median"]
    assert turn["calls"] >= 3
    assert stopped["peak"] > 0
    facts = stopped["facts"]
    assert facts["arena"] <= 1.1 * facts["bound"]
    assert facts["used"] > facts["arena"]
    assert all(flops > 0 and moved > 0 for flops, moved in facts["work"])


def test_a_server_says_why_it_cannot(tmp_path):
    hand = start_command(tmp_path, SMALL["gru"], PEERS / "with_numpy.py")
    assert answered(hand) == [{"reason": "has no Recurrent"}]
    absent = tmp_path / "absent.py"
    absent.write_text("import no_such_package")
    assert answered({**hand, "system": str(absent)}) == [{"reason": "no_such_package is not installed"}]
    wrong = tmp_path / "wrong.py"
    wrong.write_text("def supports(*_):\n    raise ValueError('two\\nlines')")
    assert answered({**hand, "system": str(wrong)}) == [{"reason": "ValueError: two"}]


FAKE = """
import time
VERSION = "1.0"

def supports(variant, family):
    return family == "Perceptrons"

def build(variant, family, spec, params, inputs):
    print("noise of a library")
    count = 0

    def step():
        nonlocal count
        count += 1
        if variant == "dies" and count > 6:
            raise MemoryError("no memory")
        time.sleep(0.001)
        return (float(variant or 1),) if variant != "dies" else (1.0,)

    return step
"""


@pytest.fixture
def fakes(monkeypatch, tmp_path):
    file = tmp_path / "fake.py"
    file.write_text(FAKE)
    names = {OURS: "", "same": "1", "different": "2", "mortal": "dies"}
    found = {name: System(name, str(file), variant) for name, variant in names.items()}
    monkeypatch.setattr(systems, "SYSTEMS", found)
    monkeypatch.setattr(runner, "SYSTEMS", found)
    monkeypatch.setattr("graphc.bench.results.SYSTEMS", found)
    return found


def test_systems_are_measured_in_turn(fakes):
    options = Options(systems=tuple(fakes), rounds=2, seconds=0.01, python=sys.executable)
    said = []
    found = measure(Workload("fake", SMALL["Perceptrons"]), options, said.append)
    assert [t.system for t in found.timings] == [OURS, "same", "different"]
    assert found.skipped == {"mortal": "MemoryError: no memory"}
    assert found.disagreeing == ("different",)
    assert all(len(t.least) == 2 and t.cold and t.warm and t.best >= 0.001 for t in found.timings)
    assert found.best_peer in found.peers
    assert said[-1] == "fake: round 2 of 2"


def test_a_system_that_has_no_such_workload_is_left_out(fakes):
    options = Options(systems=(OURS,), rounds=1, seconds=0.01, starts=False)
    found = measure(Workload("fake", Neuron()), options)
    assert found.timings == ()
    assert found.skipped == {OURS: "has no Neuron"}
    assert found.ratio is None


def test_each_round_begins_with_another_system():
    rounds = [list(runner._turned(["a", "b", "c"], k)) for k in range(4)]
    assert rounds == [["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"]]


def test_a_process_that_ends_is_told_with_its_last_words(tmp_path):
    file = tmp_path / "ends.py"
    file.write_text("import sys\nsys.exit('out of patience')")
    system = System("ends", str(file))
    with systems.Served(system, None, sys.executable) as served:
        answer = served.ask(start_command(tmp_path, Neuron(), file))
    assert answer == {"reason": "its process ended: out of patience"}


def test_peers_choose_their_threads_and_find_their_caches(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    kept = systems.SYSTEMS["PyTensor"].environment(tmp_path)
    assert "OMP_NUM_THREADS" not in kept
    assert kept["PYTENSOR_FLAGS"] == f"base_compiledir={tmp_path}"
    assert "PYTENSOR_FLAGS" not in systems.SYSTEMS["PyTensor"].environment(None)
    assert all((PEERS / system.file).exists() for system in systems.SYSTEMS.values())


def test_results_differ_by_their_sums():
    assert difference([[[1.0, 2.0]]], [[[1.0, 2.0]]]) == 0
    assert difference([[[1.0, 3.0]]], [[[1.0, 2.0]]]) == 0.5
    assert difference([[[1.0, 2.0]]], [[[1.0, 2.0], [1.0, 2.0]]]) == float("inf")
    assert difference([[[float("nan"), 2.0]]], [[[1.0, 2.0]]]) == float("inf")


# -------------------------------------------------------------------------------------------------- results


def timing(system, seconds, **more):
    facts = (
        {"work": [[2e6, 100], [0, 4e5]], "used": 5000, "arena": 192, "bound": 128} if system == OURS else {}
    )
    shown = {
        "version": "1",
        "imported": 0.2,
        "cold": 1.5,
        "warm": 0.1,
        "peak_bytes": 10**8,
        "difference": 0.0,
    }
    return Timing(system=system, least=(seconds * 0.9,), medians=(seconds,), facts=facts, **{**shown, **more})


def a_run():
    timings = (
        timing(OURS, 0.004),
        timing("NumPy", 0.001),
        timing("torch", 0.01),
        timing("JAX", 0.02, difference=1.0),
    )
    row = Result(
        workload="MLP | 3", family="Perceptrons", other=False, double=False, tolerance=1e-4, timings=timings,
        skipped={"PyTensor": "pytensor is not installed", "torch channels-last": "has no Perceptrons"},
    )  # fmt: skip
    alone = replace(row, workload="odd", other=True, timings=(timing(OURS, 0.001),), skipped={})
    return Run(HOST, (row, alone))


def test_a_run_is_plain_data():
    found = a_run()
    assert Run.from_json(found.to_json()) == found


def test_ratios_are_to_peers_and_not_to_what_is_written_by_hand():
    row, alone = a_run().results
    assert row.best_peer is not None
    assert row.best_peer.system == "torch"
    assert row.ratio == 2.5
    assert row.disagreeing == ("JAX",)
    assert row.floor(HOST) == 1e-3 + 2e-3
    assert row.fraction(HOST) == pytest.approx(0.75)
    assert alone.ratio is None


def test_tables_show_every_system_or_the_best_peer_alone():
    results = a_run().results
    wide, narrow = tables.steps(results), tables.steps(results, wide=False)
    assert wide.rows[0] == (
        "MLP | 3", "4.00 ms", "1.00 ms", "10.0 ms", "20.0 ms", "torch", "2.50", "2.50"
    )  # fmt: skip
    assert narrow.rows[0] == ("MLP | 3", "4.00 ms", "torch 10.0 ms", "2.50", "2.50")
    assert tables.starts(results).rows[0][1] == "1.50 s / 100 ms"
    assert tables.memory(results).rows[0][1] == "100 MB"
    assert tables.rooflines(a_run()).rows[0][1:] == ("4.00 ms", "3.00 ms", "75%", "192 B", "128 B")
    assert tables.remarks(results) == [
        "PyTensor: pytensor is not installed (MLP | 3)",
        "JAX: its results differ from graphc's (MLP | 3)",
    ]


def test_the_page_shows_the_run():
    text = page.page(a_run())
    assert "](images/benchmarks.svg)" in text
    assert "| MLP \\| 3 | 4.00 ms |" in text
    assert "Measured on a host, 2 cores." in text
    assert "pytensor is not installed" in text
    assert "## Other shapes" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("| odd")}) <= 3


def test_the_picture_shows_the_run(tmp_path):
    pytest.importorskip("matplotlib")
    picture.save(a_run(), tmp_path / "run.svg")
    text = (tmp_path / "run.svg").read_text(encoding="utf-8")
    assert "MLP | 3" in text
    assert "torch" in text


def test_results_can_be_shown_again(tmp_path, monkeypatch):
    (tmp_path / "results.json").write_text(a_run().to_json())
    shown = CliRunner().invoke(app, ["bench", "--results", str(tmp_path / "results.json")])
    assert shown.exit_code == 0, shown.output
    assert "2.50" in shown.output
    monkeypatch.setattr(picture, "save", lambda run, path: path.write_text("<svg/>"))
    made = CliRunner().invoke(
        app, ["bench", "--results", str(tmp_path / "results.json"), "--page", str(tmp_path / "docs")]
    )
    assert made.exit_code == 0, made.output
    assert (tmp_path / "docs" / page.NAME).read_text(encoding="utf-8") == page.page(a_run())
    assert Run.from_json((tmp_path / "docs" / page.DATA).read_text(encoding="utf-8")) == a_run()


def test_runs_are_merged_by_workload():
    first = a_run()
    row = replace(first.results[1], workload="single neuron")
    later = Run(replace(HOST, cpu="another"), (replace(first.results[0], tolerance=0.5), row))
    found = Run.merged([first, later])
    assert [r.workload for r in found.results] == ["single neuron", "MLP | 3", "odd"]
    assert found.results[1].tolerance == 0.5
    assert found.machine.cpu == "another"


def test_the_command_measures_what_it_is_asked(monkeypatch):
    asked = []

    def measured(workload, options, say):
        asked.append((workload.name, options.systems, options.starts))
        return replace(a_run().results[0], workload=workload.name)

    monkeypatch.setattr(command, "measure", measured)
    monkeypatch.setattr("graphc.machine.this", lambda: HOST)
    done = CliRunner().invoke(app, ["bench", "--quick", "--only", "neuron", "--peers", "jax, TORCH"])
    assert done.exit_code == 0, done.output
    assert asked == [("single neuron", (OURS, "JAX", "torch"), False)]
    told = CliRunner().invoke(app, ["bench", "--only", "neuron", "--json"])
    assert Run.from_json(told.output).results[0].workload == "single neuron"
    assert asked[1][1] == tuple(systems.SYSTEMS)


def test_the_command_tells_what_the_host_can_do(monkeypatch):
    monkeypatch.setattr("graphc.machine.measure", lambda: HOST)
    assert "a host, 2 threads" in CliRunner().invoke(app, ["bench", "--machine"]).output
    told = CliRunner().invoke(app, ["bench", "--machine", "--json"]).output
    assert json.loads(told)["cpu"] == "a host"


def test_results_of_another_form_are_refused():
    with pytest.raises(GraphcError, match="not of the form"):
        Run.from_json("[]")
