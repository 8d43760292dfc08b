"""The page of results: Markdown, made from a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graphc.bench import picture, tables
from graphc.bench.results import Run
from graphc.bench.tables import Table

#: The page, and beside it the results that it shows and their picture.
NAME, DATA, PICTURE = "benchmarks.md", "benchmarks.json", "images/benchmarks.svg"
_HEAD = """\
# Benchmarks

Made by `graphc bench --results {data} --page .` from [what `graphc bench --json` printed]({data}); a test holds it
current.

Measured on {host}. {lacks}

![Time of a step in each system, as a multiple of graphc's]({picture})

## A step

One training step (forward, backward, update), or what the row names, in float32 on all cores: medians over turns.
`ratio` says how many times as long as graphc the best peer takes, by these medians; `fastest` the same by the
fastest samples, which other work on the machine disturbs least. NumPy is written by hand, derivatives included: a
yardstick, no peer."""
_STARTS = """\
## The first call

From the declaration to the end of the first step in a fresh process, without the import: caches empty / caches kept
from a process before. torch has nothing to compile."""
_ROOFLINE = """\
## Beside what the host can do

The roofline is the time in which the host could do each kernel's operations and move its bytes, summed over
kernels. Transcendental functions are counted by the operations of their polynomials. `arena` is the memory of
temporaries as it is planned, `least arena` the most bytes that are alive at one time, which no plan can go below.

Of the host, measured by `graphc bench --machine`:

```text
{machine}
```
"""
_MEMORY = """\
## Memory

The most memory that each process had in all, interpreter and libraries included."""
_OTHER = """\
## Other shapes

Odd sizes, small batches, float64; measured as above."""
_HOW = """\
## How it is measured

Each system runs each workload in a process of its own, started afresh. All begin with the same parameters and
inputs, and the results of the first five steps must agree with graphc's (sums and sums of magnitudes, to a relative
error of 1e-4 in float32 and 1e-10 in float64). A process is stopped while it is not its turn, so that no pool of
threads that spins takes the processor from another. A turn warms up for a quarter of its time, then times samples
of at least a millisecond; turns are interleaved, each round beginning with another system.

Peers run at their best: all cores, their own choice of kernels, inputs already in their own arrays; torch.compile
takes the whole step as one graph with its C++ wrapper, JAX donates its parameters, PyTensor compiles with Numba,
Adam is torch's fused one. graphc takes NumPy arrays at each call, as its users do, and its batch size is symbolic."""


def write(run: Run, folder: Path) -> None:
    """The page of ``run`` with its picture and its data in ``folder``; raises as ``picture.save`` does."""
    (folder / PICTURE).parent.mkdir(parents=True, exist_ok=True)
    picture.save(run, folder / PICTURE)
    (folder / DATA).write_text(run.to_json() + "\n", encoding="utf-8")
    (folder / NAME).write_text(page(run), encoding="utf-8")


def page(run: Run) -> str:
    """The page of ``run``."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Run) -> Iterator[str]:
    main, other = ([r for r in run.results if r.other is kind] for kind in (False, True))
    host = run.machine
    lacks = f"It has {'; '.join(host.lacks)}." if host.lacks else ""
    name = f"{host.cpu}, {host.threads} core{'s' * (host.threads > 1)}"
    yield from (_HEAD.format(host=name, lacks=lacks, picture=PICTURE, data=DATA).rstrip(), "")
    yield from _markdown(tables.steps(main))
    yield from ("", *(f"- {remark}" for remark in tables.remarks(main)))
    if any(t.cold is not None for r in main for t in r.timings):
        yield from ("", _STARTS, "", *_markdown(tables.starts(main)), "", *_markdown(tables.imports(main)))
    yield from ("", _ROOFLINE.format(machine=host), *_markdown(tables.rooflines(run)))
    yield from ("", _MEMORY, "", *_markdown(tables.memory(main)))
    if other:
        yield from ("", _OTHER, "", *_markdown(tables.steps(other)))
        yield from ("", *(f"- {remark}" for remark in tables.remarks(other)))
    yield from ("", _HOW)


def _markdown(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.headings)} |"
    yield "|---" + "|--:" * (len(table.headings) - 1) + "|"
    yield from (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in table.rows)
