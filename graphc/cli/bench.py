"""``graphc bench``: the table of starting times and steps."""

from __future__ import annotations

import json
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from graphc.bench.startup import HEADINGS, Startup, measure


def run(console: Console, repeats: int, *, as_json: bool) -> None:
    """Measure every workload; rows come as they are done, or all as JSON."""
    found: list[Startup] = []
    with console.status("measuring in fresh processes"):
        found.extend(measure(repeats=repeats))
    if as_json:
        console.print_json(json.dumps([asdict(each) for each in found]))
        return
    table = Table(
        title=f"medians of {repeats} fresh processes; a start ends with the first step, after the import"
    )
    for heading in HEADINGS:
        table.add_column(heading)
    for each in found:
        table.add_row(*each.row())
    console.print(table)
