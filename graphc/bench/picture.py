# matplotlib's types are partial.
# pyright: basic, reportMissingImports=false
"""The picture of a run: the time of each system as a multiple of graphc's, on a logarithmic axis."""

from __future__ import annotations

from pathlib import Path

from graphc.bench.results import Run, systems_of
from graphc.bench.systems import OURS
from graphc.errors import GraphcError

_MARKS = "osD^vPX*"
_COLOURS = ("#4063d8", "#cb3c33", "#389826", "#9558b2", "#d99000", "#1aa6a6", "#7a7a7a")


def save(run: Run, path: Path) -> None:
    """Draw ``run`` into ``path``, by whose suffix matplotlib chooses the format.

    Raises ``GraphcError`` when matplotlib is missing.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise GraphcError(
            "pictures of results are drawn by matplotlib, which is not installed; pip install 'graphc[bench]'"
        ) from None
    rows = [(row, row.ours.typical) for row in run.results if row.ours is not None and row.peers]
    with mpl.rc_context({"svg.hashsalt": "graphc", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(9, 1.2 + 0.28 * len(rows)), layout="constrained")
        axes = figure.subplots()
        axes.axvline(1, color="#1b2430", linewidth=1.5)
        for k, system in enumerate(name for name in systems_of([row for row, _ in rows]) if name != OURS):
            points = [
                (t.typical / ours, y)
                for y, (row, ours) in enumerate(rows)
                for t in row.timings
                if t.system == system
            ]
            mark, colour = _MARKS[k % len(_MARKS)], _COLOURS[k % len(_COLOURS)]
            axes.plot(*zip(*points, strict=True), mark, color=colour, label=system, markersize=5, alpha=0.85)
        axes.set_xscale("log")
        axes.set_yticks(range(len(rows)), [row.workload for row, _ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(
            "time of a step, as a multiple of graphc's; to the right of the line graphc is faster"
        )
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.grid(axis="x", which="both", linewidth=0.3)
        axes.grid(axis="y", linewidth=0.3)
        figure.legend(loc="outside upper center", ncols=6, frameon=False)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
