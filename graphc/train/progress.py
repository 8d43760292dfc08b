"""The progress bar, a callback like others."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from graphc.train.training import Training

_EVERY = 0.1  # seconds between two looks of the bar: a step may take microseconds


class Progress:
    """One bar for the epochs, with the loss of the last step and the results of the last epoch."""

    __slots__ = ("_bar", "_last", "_task", "epochs")

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self._bar: Any = None
        self._task: Any = None
        self._last = 0.0

    def on_start(self, training: Training) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TimeElapsedColumn())
        self._bar = Bar(*columns, TextColumn("{task.description}", markup=False))
        self._task = self._bar.add_task("", total=self.epochs, completed=training.epoch)
        self._bar.start()

    def on_step(self, training: Training) -> None:
        now = perf_counter()
        if now - self._last > _EVERY:
            self._last = now
            self._bar.update(self._task, description=f"loss {training.collected.losses[-1]:.4g}")

    def on_epoch_end(self, training: Training) -> None:
        rows = ((name, training.history[name][-1]) for name in training.names)
        said = ", ".join(f"{name} {value:.4g}" for name, value in rows if getattr(value, "ndim", 0) == 0)
        self._bar.update(self._task, completed=training.epoch, description=said)

    def on_end(self, training: Training) -> None:
        self._bar.stop()


def is_watched() -> bool:
    """Whether a person looks: output goes to a terminal."""
    from rich.console import Console

    return Console().is_terminal


__all__ = ["Progress", "is_watched"]
