"""The commands. Each loads what it needs only when it runs, so that ``graphc --help`` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import graphc
from graphc.errors import GraphcError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Neural networks as symbolic graphs: derivatives, kernels, drawings.",
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"graphc {graphc.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Neural networks as symbolic graphs: derivatives, kernels, drawings."""


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for drawings and source.")] = Path("graphc-demo"),
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Seed of first weights and shuffling.")] = 0,
) -> None:
    """Train a network on handwritten digits; show its graphs, kernels and speed."""
    from graphc.cli.demo import run

    try:
        run(Console(highlight=False), output, epochs=epochs, seed=seed)
    except OSError as error:
        raise _failure(f"{error}; give a folder that can be written with --output") from None
    except GraphcError as error:
        raise _failure(str(error)) from None


@app.command()
def cache(
    entries: Annotated[bool, typer.Option("--list", help="Show every entry.")] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Delete every entry.")] = False,
) -> None:
    """Show or clear the compiled kernels kept on disk."""
    from graphc.cli import stored

    folder = stored.folder()
    if folder is None:
        raise _failure(
            "there is no cache: GRAPHC_CACHE is empty, or its folder is not yours alone; name another"
        )
    found = stored.entries(folder)
    if entries:
        typer.echo("".join(f"{entry}\n" for entry in found), nl=False)
    typer.echo(f"{folder}: {len(found)} kernels, {sum(e.size for e in found):,} bytes")
    if clear:
        typer.echo(f"deleted {stored.delete(found)} of them")


@app.command()
def check_gradients(
    target: Annotated[
        str, typer.Argument(help="file.py:function or module:function; default function: check.")
    ],
    tolerance: Annotated[float, typer.Option(min=0.0, help="Largest relative error.")] = 1e-6,
    limit: Annotated[int, typer.Option(min=1, help="Elements compared of each parameter.")] = 50,
    directions: Annotated[int, typer.Option(min=0, help="Random directions for each parameter.")] = 2,
    second: Annotated[bool, typer.Option("--second", help="Second derivatives, too.")] = False,
) -> None:
    """Check the gradients of a loss; the function returns it, or it and its inputs by name.

    Ends with 0 where all derivatives agree, 1 where some disagree, 2 where nothing could be checked.
    """
    from graphc.cli import gradients
    from graphc.errors import DifferentiationError

    try:
        found = gradients.report(
            target, tolerance=tolerance, limit=limit, directions=directions, second=second
        )
    except DifferentiationError as error:
        raise _failure(str(error)) from None
    except GraphcError as error:
        raise _failure(str(error), 2) from None
    typer.echo(found.table)
    typer.echo(f"{len(found.entries)} derivatives agree within {tolerance:.0e}")


@app.command()
def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(help="Workloads whose name or family holds this text; may be repeated."),
    ] = None,
    peers: Annotated[str | None, typer.Option(help="Peers, separated by commas; default: all.")] = None,
    python: Annotated[Path | None, typer.Option(help="Python in which the peers are installed.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Few short rounds, no first calls.")] = False,
    startup: Annotated[
        bool, typer.Option("--startup", help="Starting times of small networks only.")
    ] = False,
    machine: Annotated[bool, typer.Option("--machine", help="What this host can do, measured anew.")] = False,
    repeats: Annotated[int, typer.Option(min=1, help="Fresh processes for each starting time.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    results: Annotated[
        list[Path] | None,
        typer.Option(help="Measure nothing: show what --json printed into this file; several are merged."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Folder for a page of these results and its picture.")
    ] = None,
) -> None:
    """Measure training steps beside those of other systems, each in a process of its own."""
    from graphc.cli import bench as benchmarks

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    try:
        if startup:
            benchmarks.run_startup(console, repeats, as_json=as_json)
        elif machine:
            benchmarks.run_machine(console, as_json=as_json)
        elif results:
            benchmarks.show_stored(console, results, page, as_json=as_json)
        else:
            workloads = benchmarks.chosen_workloads(only or [])
            chosen = benchmarks.options(peers, python, quick=quick)
            benchmarks.run(console, workloads, chosen, as_json=as_json)
    except GraphcError as error:
        raise _failure(str(error)) from None
    except OSError as error:
        raise _failure(f"{error}; give other paths with --results, --page or --python") from None


def _failure(text: str, code: int = 1) -> typer.Exit:
    typer.echo(f"graphc: {text}", err=True)
    return typer.Exit(code)
