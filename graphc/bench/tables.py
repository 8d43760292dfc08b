"""The tables of a run, as texts: the terminal and the page of results show the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from graphc.bench.results import Result, Run, Timing, systems_of
from graphc.bench.systems import OURS

NONE = "–"
_UNITS = (("s", 1.0), ("ms", 1e-3), ("us", 1e-6))


@dataclass(frozen=True, slots=True)
class Table:
    """Headings and rows of cells; the first column names the row."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def steps(results: Sequence[Result], *, wide: bool = True) -> Table:
    """A step: each system's median, and how many times as long the best peer takes; narrow, that peer alone."""
    shown = systems_of(results) if wide else [OURS]
    rows = (_step_row(each, shown, wide=wide) for each in results)
    return Table(("workload", *shown, "best peer", "ratio", "fastest"), tuple(rows))


def _step_row(row: Result, shown: Sequence[str], *, wide: bool) -> tuple[str, ...]:
    peer = row.best_peer
    best = NONE if peer is None else peer.system if wide else f"{peer.system} {duration(peer.typical)}"
    return (row.workload, *_cells(row, shown, _typical), best, _ratio(row.ratio), _ratio(row.fastest_ratio))


def starts(results: Sequence[Result]) -> Table:
    """The first call: seconds from the declaration to the end of the first step, caches empty / kept."""
    shown = systems_of(results)
    return Table(("workload", *shown), tuple((r.workload, *_cells(r, shown, _start)) for r in results))


def imports(results: Sequence[Result]) -> Table:
    """What comes before the first call: the fastest import that was seen of each system, and its version."""
    found: dict[str, list[Timing]] = {name: [] for name in systems_of(results)}
    for timing in (t for each in results for t in each.timings):
        found[timing.system].append(timing)
    rows = (
        (name, timings[0].version, f"{min(t.imported for t in timings):.2f} s")
        for name, timings in found.items()
    )
    return Table(("system", "version", "import"), tuple(rows))


def memory(results: Sequence[Result]) -> Table:
    """The most memory that each process had, the interpreter and all libraries included."""
    shown = systems_of(results)
    return Table(("workload", *shown), tuple((r.workload, *_cells(r, shown, _peak)) for r in results))


def rooflines(run: Run) -> Table:
    """graphc beside what the host can do, and its memory plan beside the least that any plan needs."""
    headings = ("workload", "step", "roofline", "fraction", "arena", "least arena")
    return Table(headings, tuple(_rooflines(run)))


def _rooflines(run: Run) -> Iterator[tuple[str, ...]]:
    for row in run.results:
        if row.ours is None:
            continue
        fraction, facts = row.fraction(run.machine), row.ours.facts
        shown = NONE if fraction is None else f"{fraction:.0%}"
        floor = duration(row.floor(run.machine))
        yield (
            row.workload, duration(row.ours.typical), floor, shown, amount(facts["arena"]), amount(facts["bound"]),
        )  # fmt: skip


def _cells(row: Result, shown: Sequence[str], cell: Callable[[Timing], str]) -> Iterator[str]:
    by_name: Mapping[str, Timing] = {t.system: t for t in row.timings}
    yield from (cell(by_name[name]) if name in by_name else NONE for name in shown)


def _typical(timing: Timing) -> str:
    return duration(timing.typical)


def _start(timing: Timing) -> str:
    if timing.cold is None or timing.warm is None:
        return NONE
    return f"{duration(timing.cold)} / {duration(timing.warm)}"


def _peak(timing: Timing) -> str:
    return amount(timing.peak_bytes)


def _ratio(ratio: float | None) -> str:
    return NONE if ratio is None else f"{ratio:.2f}"


def duration(seconds: float) -> str:
    """Seconds as a text of three digits.

    >>> duration(0.00123), duration(12e-6), duration(0.25)
    ('1.23 ms', '12.0 us', '250 ms')
    """
    unit, scale = next((each for each in _UNITS if seconds >= each[1] * 0.9995), _UNITS[-1])
    return f"{seconds / scale:#.3g}".rstrip(".") + f" {unit}"


def amount(size: float) -> str:
    """Bytes as a text of three digits.

    >>> amount(512), amount(67392), amount(1.2e9)
    ('512 B', '67.4 kB', '1.20 GB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale * 0.9995:
            return f"{size / scale:#.3g}".rstrip(".") + f" {unit}"
    return f"{size:.0f} B"


def remarks(results: Sequence[Result]) -> list[str]:
    """Who was left out and why, and whose results differ; that a system has no such workload goes without saying."""
    lines: dict[str, list[str]] = {}
    for each in results:
        for system, reason in each.skipped.items():
            if not reason.startswith("has no "):
                lines.setdefault(f"{system}: {reason}", []).append(each.workload)
        for system in each.disagreeing:
            lines.setdefault(f"{system}: its results differ from graphc's", []).append(each.workload)
    return [f"{text} ({'; '.join(names)})" for text, names in lines.items()]
