"""``graphc bench``: the table of ratios, and that of starting times."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from graphc.bench import startup
from graphc.bench.families import FAMILIES
from graphc.bench.runner import Options, Result, Timing, measure
from graphc.bench.systems import OURS, SYSTEMS
from graphc.bench.workloads import WORKLOADS, Workload
from graphc.errors import GraphcError

_WIDE = 150  # columns of a terminal that all systems' times need


def run(console: Console, workloads: Sequence[Workload], options: Options, *, as_json: bool) -> list[Result]:
    """Measure ``workloads`` and print them; with ``as_json`` all at the end, as JSON."""
    with console.status("starting") as status:
        found = [measure(workload, options, status.update) for workload in workloads]
    if as_json:
        console.print_json(json.dumps([asdict(each) for each in found]))
    else:
        shown = [name for name in SYSTEMS if name in options.systems]
        console.print(table(found, shown, wide=console.width >= _WIDE))
        for line in remarks(found):
            console.print(line, markup=False, soft_wrap=True)
    return found


def chosen_workloads(only: Sequence[str]) -> list[Workload]:
    """The workloads whose name or family holds one of the texts, in any case; all for none.

    >>> [w.name for w in chosen_workloads(["neuron"])]
    ['single neuron']
    """
    wanted = [text.casefold() for text in only] or [""]
    found = [w for w in WORKLOADS.values() if any(text in _searched(w) for text in wanted)]
    if not found:
        known = ", ".join(FAMILIES)
        raise GraphcError(f"no workload is called like {', '.join(only)}; give a family of {known}")
    return found


def _searched(workload: Workload) -> str:
    return f"{workload.name} {type(workload.family).__name__}".casefold()


def options(peers: str | None, python: Path | None, *, quick: bool) -> Options:
    """The options that the command line asks for; peers are named in any case."""
    known = {name.casefold(): name for name in SYSTEMS}
    asked = list(SYSTEMS) if peers is None else [OURS, *filter(None, (p.strip() for p in peers.split(",")))]
    wrong = [name for name in asked if name.casefold() not in known]
    if wrong:
        raise GraphcError(f"there is no peer {wrong[0]!r}; give some of {', '.join(list(SYSTEMS)[1:])}")
    systems = tuple(dict.fromkeys(known[name.casefold()] for name in asked))
    if quick:
        return Options(systems=systems, python=python and str(python), rounds=5, seconds=0.2, starts=False)
    return Options(systems=systems, python=python and str(python))


def table(found: Sequence[Result], systems: Sequence[str], *, wide: bool) -> Table:
    """A row for each workload: medians, and how many times as long the best peer takes; ``wide`` shows all peers."""
    title = "one step; times are medians, ratios to the best peer are of medians and of the fastest samples"
    made = Table(title=title, title_justify="left")
    made.add_column("workload", no_wrap=True)
    shown = systems if wide else [OURS]
    for heading in (*shown, "best peer", "ratio", "fastest"):
        made.add_column(heading, justify="right")
    for each in found:
        by_name = {t.system: t for t in each.timings}
        peer = each.best_peer
        best = "–" if peer is None else peer.system if wide else f"{peer.system} {duration(peer.typical)}"
        cells = (_time(by_name.get(name)) for name in shown)
        made.add_row(each.workload, *cells, best, _ratio(each.ratio), _ratio(each.fastest_ratio))
    return made


def _time(timing: Timing | None) -> str:
    return "–" if timing is None else duration(timing.typical)


def _ratio(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f}"


def duration(seconds: float) -> str:
    """Seconds as a text of three digits.

    >>> duration(0.00123), duration(12e-6)
    ('1.23 ms', '12.0 us')
    """
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{seconds / scale:#.3g} {unit}"
    return f"{seconds * 1e6:#.3g} us"


def remarks(found: Sequence[Result]) -> list[str]:
    """Who was left out and why, and whose results differ."""
    lines: dict[str, list[str]] = {}
    for each in found:
        for system, reason in each.skipped.items():
            if not reason.startswith("has no "):
                lines.setdefault(f"{system}: {reason}", []).append(each.workload)
        for system in each.disagreeing:
            lines.setdefault(f"{system}: its results differ from graphc's", []).append(each.workload)
    return [f"{text} ({'; '.join(names)})" for text, names in lines.items()]


def run_startup(console: Console, repeats: int, *, as_json: bool) -> None:
    """Measure every workload; rows come as they are done, or all as JSON."""
    with console.status("measuring in fresh processes"):
        found = list(startup.measure(repeats=repeats))
    if as_json:
        console.print_json(json.dumps([asdict(each) for each in found]))
        return
    made = Table(
        title=f"medians of {repeats} fresh processes; a start ends with the first step, after the import"
    )
    for heading in startup.HEADINGS:
        made.add_column(heading)
    for each in found:
        made.add_row(*each.row())
    console.print(made)
