"""What a run of the benchmarks found: plain data, kept as JSON, from which tables, pages and pictures are made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from graphc import machine
from graphc.bench.systems import OURS, SYSTEMS
from graphc.bench.workloads import WORKLOADS
from graphc.errors import GraphcError
from graphc.machine import Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One system on one workload; seconds and bytes. ``cold`` and ``warm`` are first calls, declaration and
    compilation included, without the import; None where they were not measured."""

    system: str
    version: str
    imported: float
    cold: float | None
    warm: float | None
    least: tuple[float, ...]  # of each turn
    medians: tuple[float, ...]  # of each turn
    peak_bytes: int
    difference: float  # largest relative difference of the first results from graphc's
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def best(self) -> float:
        return min(self.least)

    @property
    def typical(self) -> float:
        return median(self.medians)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A row of the table: the systems that ran, and why others did not."""

    workload: str
    family: str
    other: bool
    double: bool
    tolerance: float
    timings: tuple[Timing, ...]
    skipped: Mapping[str, str]

    @property
    def ours(self) -> Timing | None:
        return next((t for t in self.timings if t.system == OURS), None)

    @property
    def peers(self) -> tuple[Timing, ...]:
        """Those that ratios are to: systems that differentiate and compile, not what is written by hand."""
        return tuple(t for t in self.timings if t.system != OURS and not SYSTEMS[t.system].by_hand)

    @property
    def best_peer(self) -> Timing | None:
        return min(self.peers, key=lambda t: t.typical, default=None)

    @property
    def ratio(self) -> float | None:
        """How many times as long the best peer takes, by medians."""
        return self.best_peer.typical / self.ours.typical if self.best_peer and self.ours else None

    @property
    def fastest_ratio(self) -> float | None:
        """The same of the fastest samples, which other work on the machine disturbs least."""
        fastest = min((t.best for t in self.peers), default=None)
        return fastest / self.ours.best if fastest and self.ours else None

    @property
    def disagreeing(self) -> tuple[str, ...]:
        """Systems whose first results differ from graphc's by more than the tolerance."""
        return tuple(t.system for t in self.timings if not t.difference <= self.tolerance)

    def floor(self, host: Machine) -> float:
        """Seconds below which ``host`` cannot run graphc's kernels; 0 where graphc did not run."""
        if self.ours is None:
            return 0.0
        work: list[list[int]] = self.ours.facts["work"]
        used, dtype = self.ours.facts["used"], "float64" if self.double else "float32"
        return sum(host.floor(flops, moved, within=used, dtype=dtype) for flops, moved in work)

    def fraction(self, host: Machine) -> float | None:
        """How much of what ``host`` can do graphc does: the floor of its kernels over its time."""
        return self.floor(host) / self.ours.typical if self.ours and self.floor(host) else None


@dataclass(frozen=True, slots=True)
class Run:
    """All rows of a run, and the host that they were measured on."""

    machine: Machine
    results: tuple[Result, ...]

    @staticmethod
    def merged(runs: Sequence[Run]) -> Run:
        """The rows of several runs; of those with one name the last, on the host of the last."""
        rows = {row.workload: row for run in runs for row in run.results}
        order = {name: k for k, name in enumerate(WORKLOADS)}
        return Run(
            runs[-1].machine, tuple(sorted(rows.values(), key=lambda r: order.get(r.workload, len(order))))
        )

    def to_json(self) -> str:
        """The run as JSON, a line a row."""
        rows = ",\n".join(json.dumps(asdict(row)) for row in self.results)
        return f'{{"machine": {json.dumps(asdict(self.machine))},\n"results": [\n{rows}\n]}}'

    @staticmethod
    def from_json(text: str) -> Run:
        """The run that ``to_json`` wrote; raises ``GraphcError`` for a text of another form."""
        try:
            found: Any = json.loads(text)
            host = machine.from_json(found["machine"])
            results = tuple(_result(each) for each in found["results"])
        except (AttributeError, KeyError, TypeError, ValueError):
            host, results = None, ()
        if host is None:
            raise GraphcError(
                "results are not of the form of this version; make them anew with graphc bench --json"
            )
        return Run(host, results)


def _result(found: dict[str, Any]) -> Result:
    timings = [_timing(each) for each in found.pop("timings")]
    return Result(**found, timings=tuple(timings))


def _timing(found: dict[str, Any]) -> Timing:
    least, medians = (tuple(found.pop(name)) for name in ("least", "medians"))
    return Timing(**found, least=least, medians=medians)


def systems_of(results: Sequence[Result]) -> list[str]:
    """The systems that ran somewhere, in the order of the table."""
    ran = {t.system for each in results for t in each.timings}
    return [name for name in SYSTEMS if name in ran]
