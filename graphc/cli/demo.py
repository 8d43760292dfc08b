"""``graphc demo``: train, measure, report, draw."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import graphc as gc
from graphc.cli.digits import BATCH, RATE, Digits, Network, declare, load
from graphc.cli.page import page
from graphc.cli.plain import PlainStep, interleaved
from graphc.draw import Drawing
from graphc.errors import DrawError
from graphc.program import Program

_VIEWS: dict[Literal["forward", "both", "backward"], str] = {
    "forward": "Forward graph: the network as declared, local derivatives at the edges",
    "both": "Backward graph beside the forward one: each adjoint stands at the height of its node",
    "backward": "Backward graph alone, with the forward values that it reads",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demo found: test accuracy, and seconds of a training step, compiled and in plain NumPy."""

    accuracy: float
    seconds: float
    plain_seconds: float
    files: tuple[Path, ...]


def run(console: Console, output: Path, *, epochs: int, seed: int) -> Outcome:
    """Train on digits and write drawings, source and an index page into ``output``.

    Raises ``GraphcError`` without scikit-learn and ``OSError`` where ``output`` cannot be written.
    """
    output.mkdir(parents=True, exist_ok=True)
    data, network = load(seed=seed), declare(seed=seed)
    began = perf_counter()
    step = gc.compile({"loss": network.loss}, updates=gc.optim.SGD(RATE)(network.grads))
    predict = gc.compile({"p": gc.softmax(network.logits)}, params=step.params, name="predict")
    _say_compiled(console, step, predict, perf_counter() - began)
    plain = PlainStep(step.params, RATE)
    _train(console, step, data, epochs, seed)
    right = predict(images=data.test_images)["p"].argmax(axis=1) == data.test_classes
    accuracy = float(right.mean())
    console.print(f"test accuracy {accuracy:.1%} on {len(data.test_classes)} images that it has not seen")
    seconds, plain_seconds = _measure(console, step, plain, data)
    _say_stages(console, step)
    files = _write(console, output, network, step)
    return Outcome(accuracy, seconds, plain_seconds, files)


def _say_compiled(console: Console, step: Program, predict: Program, seconds: float) -> None:
    new = step.compiled + predict.compiled
    origin = f"{new} of their functions new to this machine" if new else "all of them from the cache"
    counts = f"{len(step.kernels)} kernels for a training step, {len(predict.kernels)} for a prediction"
    console.print(f"compiled {counts} in {seconds:.2f} s, {origin}", soft_wrap=True)


def _train(console: Console, step: Program, data: Digits, epochs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    loss, began = float("nan"), perf_counter()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("training", total=epochs)
        for _ in range(epochs):
            losses = [step(images=x, classes=t)["loss"] for x, t in data.batches(rng)]
            loss = float(np.mean(losses))
            progress.update(task, advance=1, description=f"loss {loss:.4f}")
    count = epochs * data.batches_in_pass()
    console.print(
        f"{epochs} passes over {len(data.images)} images, {count} steps, "
        f"in {perf_counter() - began:.2f} s; mean loss of the last pass {loss:.4f}",
        soft_wrap=True,
    )


def _measure(console: Console, step: Program, plain: PlainStep, data: Digits) -> tuple[float, float]:
    x, t = data.images[:BATCH].copy(), data.classes[:BATCH].copy()
    kept = {name: value.copy() for name, value in step.params.items()}
    seconds, plain_seconds = interleaved(lambda: step(images=x, classes=t), lambda: plain(x, t))
    for name, value in kept.items():  # measuring has trained on
        step.params[name] = value
    console.print(
        f"one step on {BATCH} images: {seconds * 1e6:.0f} us, the same in plain NumPy "
        f"{plain_seconds * 1e6:.0f} us, {plain_seconds / seconds:.1f} times as long (medians, taking turns)",
        soft_wrap=True,
    )
    return seconds, plain_seconds


def _say_stages(console: Console, step: Program) -> None:
    sections = {
        "shared subterms": step.report(),
        "cost of a step": step.cost,
        f"memory plan, for {BATCH} images": _placed(step),
    }
    for title, text in sections.items():
        console.rule(title)
        console.print(str(text), markup=False, soft_wrap=True)
    console.rule()


def _placed(step: Program) -> str:
    """Every temporary with its place in the arena; tiles are counted when a program is bound to sizes."""
    plan = step.plan.at(N=BATCH)
    lines = [
        f"m{s.number}: {s.dtype.short}[{re.sub(r'__tiles[0-9]+', 'tiles', str(s.size))}] "
        f"at byte {plan.offsets[s.number]}, alive in steps {s.first} to {s.last}"
        for s in step.plan.schedule.storages
        if s.number in plan.offsets
    ]
    return "\n".join([*lines, str(plan)])


def _write(console: Console, output: Path, network: Network, step: Program) -> tuple[Path, ...]:
    captions, drawings = _drawings(network, step)
    files = [path for name, drawing in drawings.items() for path in _saved(drawing, output / name)]
    texts = {"report.txt": str(step.report()), "source.py": step.source, "stages.txt": str(step.stages)}
    pictures = {captions[name]: drawing.svg() for name, drawing in drawings.items()}
    shown = {name: texts[name] for name in ("report.txt", "source.py")}
    texts["index.html"] = page("graphc demo", pictures, shown)
    for name, text in texts.items():
        files.append(output / name)
        files[-1].write_text(text, encoding="utf-8")
    console.print(f"in {output}: {', '.join(path.name for path in files)}", soft_wrap=True)
    return tuple(files)


def _drawings(network: Network, step: Program) -> tuple[dict[str, str], dict[str, Drawing]]:
    """Captions and drawings by file name."""
    captions: dict[str, str] = {
        "kernels": "Kernels of the training step, and the memory that they read and write"
    }
    drawings = {"kernels": step.draw()}
    for view, caption in _VIEWS.items():
        grads = None if view == "forward" else network.grads
        captions[view], drawings[view] = caption, gc.draw({"loss": network.loss}, view=view, grads=grads)
    order = (*_VIEWS, "kernels")
    return captions, {name: drawings[name] for name in order}


def _saved(drawing: Drawing, path: Path) -> list[Path]:
    files = [drawing.save(path.with_suffix(".svg"))]
    with suppress(DrawError):  # no fonts on this host: the SVG carries its text
        files.append(drawing.save(path.with_suffix(".png")))
    return files
