"""``graphc bench``: what is measured, how, and where the results go."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from graphc import machine
from graphc.bench import page, startup, tables
from graphc.bench.families import FAMILIES
from graphc.bench.results import Run
from graphc.bench.runner import Options, measure
from graphc.bench.systems import OURS, SYSTEMS
from graphc.bench.workloads import WORKLOADS, Workload
from graphc.errors import GraphcError

_WIDE = 150  # columns of a terminal that all systems' times need
_CAPTION = "ratio: how many times as long the best peer takes, by medians; fastest: by the fastest samples"


def run(console: Console, workloads: Sequence[Workload], options: Options, *, as_json: bool) -> None:
    """Measure ``workloads`` and print them, or with ``as_json`` all that was found."""
    host = machine.this()
    if not as_json:
        for each in machine.lacks():
            console.print(f"this host has {each}", markup=False)
    with Console(stderr=True).status("starting") as status:
        found = Run(host, tuple(measure(workload, options, status.update) for workload in workloads))
    if as_json:
        console.print(found.to_json(), markup=False, soft_wrap=True)
    else:
        show(console, found)


def show(console: Console, found: Run) -> None:
    """The tables of a run: steps, first calls, memory, the roofline."""
    wide = console.width >= _WIDE
    console.print(_table(tables.steps(found.results, wide=wide), "one step, medians", _CAPTION))
    if wide and any(t.cold is not None for r in found.results for t in r.timings):
        console.print(_table(tables.starts(found.results), "first call, caches empty / kept"))
        console.print(_table(tables.memory(found.results), "most memory of each process"))
    console.print(_table(tables.rooflines(found), "graphc beside what this host can do"))
    for line in tables.remarks(found.results):
        console.print(line, markup=False, soft_wrap=True)


def _table(table: tables.Table, title: str, caption: str | None = None) -> Table:
    made = Table(title=title, caption=caption, title_justify="left", caption_justify="left", box=box.SIMPLE)
    for k, heading in enumerate(table.headings):
        made.add_column(heading, justify="right" if k else "left", no_wrap=not k)
    for row in table.rows:
        made.add_row(*row)
    return made


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


def run_machine(console: Console, *, as_json: bool) -> None:
    """Measure this host anew, remember it and print it."""
    with Console(stderr=True).status("measuring this host"):
        found = machine.measure()
    if as_json:
        console.print_json(json.dumps(asdict(found)))
    else:
        console.print(str(found), markup=False, soft_wrap=True)


def show_stored(console: Console, files: Sequence[Path], folder: Path | None, *, as_json: bool) -> None:
    """Results that lie in files: printed, or as a page with its data and its picture in ``folder``."""
    found = Run.merged([Run.from_json(file.read_text(encoding="utf-8")) for file in files])
    if folder is not None:
        page.write(found, folder)
        console.print(f"{folder / page.NAME} shows {', '.join(map(str, files))}", soft_wrap=True)
    elif as_json:
        console.print(found.to_json(), markup=False, soft_wrap=True)
    else:
        show(console, found)


def run_startup(console: Console, repeats: int, *, as_json: bool) -> None:
    """Measure starting times; rows come as they are done, or all as JSON."""
    with Console(stderr=True).status("measuring in fresh processes"):
        found = list(startup.measure(repeats=repeats))
    if as_json:
        console.print_json(json.dumps([asdict(each) for each in found]))
        return
    rows = tables.Table(startup.HEADINGS, tuple(each.row() for each in found))
    title = f"medians of {repeats} fresh processes; a start ends with the first step, after the import"
    console.print(_table(rows, title))
