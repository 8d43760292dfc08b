"""The runner: every system in a process of its own, one at a time at work, in interleaved rounds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from graphc.bench.results import Result, Timing
from graphc.bench.systems import OURS, SYSTEMS, Served, System, interpreter
from graphc.bench.workloads import Workload

#: Steps whose results are compared.
COMPARED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to measure: ``rounds`` turns of ``seconds`` for each system; ``starts`` also measures first calls with
    empty and with kept caches; ``python`` runs the peers."""

    systems: tuple[str, ...] = tuple(SYSTEMS)
    rounds: int = 9
    seconds: float = 0.3
    starts: bool = True
    python: str | None = None


def measure(workload: Workload, options: Options, say: Callable[[str], None] = lambda _: None) -> Result:
    """Measure ``workload`` on each system; one that fails or is missing is skipped with its reason."""
    skipped: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graphc-bench-")))
        start = _start_command(workload, folder / "arrays.npz")
        running: dict[str, _Running] = {}
        for name in options.systems:
            say(f"{workload.name}: starting {name}")
            started = _started(SYSTEMS[name], start, folder, options, stack)
            if isinstance(started, str):
                skipped[name] = started
            else:
                running[name] = started
        for round_ in range(options.rounds):
            say(f"{workload.name}: round {round_ + 1} of {options.rounds}")
            for name in _turned(list(running), round_):
                _take_turn(running, skipped, name, options.seconds)
        timings = tuple(_finished(running, skipped))
    return Result(
        workload=workload.name,
        family=type(workload.family).__name__,
        other=workload.other,
        double=workload.family.dtype == "float64",
        tolerance=workload.tolerance,
        timings=timings,
        skipped=skipped,
    )


@dataclass(slots=True)
class _Running:
    served: Served
    answer: dict[str, Any]
    cold: float | None
    warm: float | None
    turns: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


def _start_command(workload: Workload, arrays: Path) -> dict[str, Any]:
    params, inputs = workload.family.arrays()
    named = {f"param:{k}": v for k, v in params.items()} | {f"input:{k}": v for k, v in inputs.items()}
    np.savez(arrays, allow_pickle=False, **named)
    family = type(workload.family).__name__
    spec = asdict(workload.family)
    return {"do": "start", "family": family, "spec": spec, "arrays": str(arrays), "steps": COMPARED}


def _started(
    system: System, command: Mapping[str, Any], folder: Path, options: Options, stack: ExitStack
) -> _Running | str:
    """A process that has taken its first steps, or why not; with ``starts``, after another that found no cache."""
    cache = folder / system.name.replace(" ", "-")
    cache.mkdir(mode=0o700)
    python = interpreter(system, options.python)
    asked = {**command, "system": system.path, "variant": system.variant}
    cold: float | None = None
    if options.starts:
        with Served(system, cache, python) as first:
            cold = first.ask(asked).get("first")
    served = stack.enter_context(Served(system, cache if options.starts else None, python))
    answer = served.ask(asked)
    if "reason" in answer:
        served.close()
        return answer["reason"]
    return _Running(served, answer, cold, answer["first"] if options.starts else None)


def _turned(names: Sequence[str], round_: int) -> Iterator[str]:
    """All names, another one first in each round."""
    first = round_ % max(1, len(names))
    yield from (*names[first:], *names[:first])


def _take_turn(running: dict[str, _Running], skipped: dict[str, str], name: str, seconds: float) -> None:
    answer = running[name].served.ask({"do": "turn", "seconds": seconds})
    if "reason" in answer:
        del running[name]
        skipped[name] = answer["reason"]
    else:
        running[name].turns.append(answer)


def _finished(running: Mapping[str, _Running], skipped: dict[str, str]) -> Iterator[Timing]:
    """Ask each system for what it used, and compare its first results with graphc's."""
    ours = running[OURS].answer["checks"] if OURS in running else None
    for name, one in running.items():
        end = one.served.ask({"do": "stop"})
        if "reason" in end:
            skipped[name] = end["reason"]
            continue
        yield Timing(
            system=name,
            version=one.answer["version"],
            imported=one.answer["import"],
            cold=one.cold,
            warm=one.warm,
            least=tuple(turn["least"] for turn in one.turns),
            medians=tuple(turn["median"] for turn in one.turns),
            peak_bytes=end["peak"],
            difference=difference(one.answer["checks"], ours) if ours else 0.0,
            facts=end.get("facts", {}),
        )


def difference(found: Sequence[Any], wanted: Sequence[Any]) -> float:
    """The largest difference between sums of results, relative to the sum of magnitudes; inf where shapes differ.

    >>> difference([[[1.0, 2.0]]], [[[1.5, 2.0]]])
    0.25
    """
    a, b = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    if a.shape != b.shape or not np.isfinite(a).all():
        return float("inf")
    return float((np.abs(a - b) / np.maximum(b[..., 1:], np.finfo(np.float64).tiny)).max(initial=0.0))
