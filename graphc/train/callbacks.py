"""Callbacks: objects with some of the methods ``on_start``, ``on_step``, ``on_epoch_end`` and ``on_end``, each called
with the ``Training``; or a function, called at the end of each epoch.

One that keeps something for a resumed run gives it, as arrays by name, with ``state()``, and gets it with
``take_back(arrays)``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from graphc.errors import InputError
from graphc.train.training import Training, monitored

Array = np.ndarray[Any, Any]
HOOKS = ("on_start", "on_step", "on_epoch_end", "on_end")


def hooks(callbacks: Iterable[Any]) -> dict[str, list[Callable[[Training], Any]]]:
    """The methods of ``callbacks`` by the moment at which they are called; ``InputError`` for one that has none."""
    found: dict[str, list[Callable[[Training], Any]]] = {name: [] for name in HOOKS}
    for each in callbacks:
        if isinstance(each, type):
            raise InputError(f"callback {each.__name__} is a class; make one, {each.__name__}(...)").located(
                "fit"
            )
        has = [name for name in HOOKS if callable(getattr(each, name, None))]
        if not has and not callable(each):
            raise InputError(
                f"callback {each!r} has none of {', '.join(HOOKS)} and is no function; give it one"
            ).located("fit")
        for name in has:
            found[name].append(getattr(each, name))
        if not has:
            found["on_epoch_end"].append(each)
    return found


class EarlyStopping:
    """Stops when ``monitor`` has not got better by more than ``min_delta`` for ``patience`` epochs in a row.

    ``mode`` says whether less or more is better. At the end, unless training was interrupted, parameters and the
    states of evaluation get back their values of the best epoch (``restore=False``: they stay). A NaN is no better
    than anything. Raises ``InputError`` for options that are none and for a ``monitor`` that the history has not.
    """

    __slots__ = ("_best", "_kept", "_waited", "min_delta", "mode", "monitor", "patience", "restore")

    def __init__(
        self,
        monitor: str = "val_loss",
        *,
        patience: int = 5,
        min_delta: float = 0.0,
        mode: Literal["min", "max"] = "min",
        restore: bool = True,
    ) -> None:
        if patience < 1 or not min_delta >= 0 or mode not in ("min", "max"):
            raise InputError(
                f"patience={patience!r}, min_delta={min_delta!r}, mode={mode!r}; "
                "give at least 1, at least 0, 'min' or 'max'"
            ).located("EarlyStopping")
        self.monitor, self.patience, self.min_delta = monitor, patience, float(min_delta)
        self.mode, self.restore = mode, restore
        self._best, self._waited = np.inf, 0
        self._kept: dict[str, Array] = {}

    def on_start(self, training: Training) -> None:
        monitored(training, self.monitor, "EarlyStopping")
        if not training.epoch:  # the object may have served another run
            self._best, self._waited, self._kept = np.inf, 0, {}

    def on_epoch_end(self, training: Training) -> None:
        value = float(training.history[self.monitor][-1]) * (1 if self.mode == "min" else -1)
        self._waited += 1
        if value < self._best - self.min_delta:
            self._best, self._waited = value, 0
            self._kept = {n: a.copy() for n, a in _in_use(training).items()} if self.restore else {}
        if self._waited >= self.patience:
            training.stop(f"{self.monitor} has not got better for {self.patience} epochs")

    def on_end(self, training: Training) -> None:
        if training.stopped != "interrupted":
            for name, memory in _in_use(training).items() if self._kept else ():
                memory[...] = self._kept[name]

    def state(self) -> dict[str, Array]:
        return {"best": np.array(self._best), "waited": np.array(self._waited), **_prefixed(self._kept)}

    def take_back(self, arrays: Mapping[str, Array]) -> None:
        self._best, self._waited = float(arrays["best"]), int(arrays["waited"])
        self._kept = {n.removeprefix("kept/"): a for n, a in arrays.items() if n.startswith("kept/")}


def _in_use(training: Training) -> dict[str, Array]:
    """The values that predictions depend on: parameters, and states such as running averages."""
    return {**training.params, **training.evaluation.states}


def _prefixed(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {f"kept/{name}": array for name, array in arrays.items()}


class Checkpoint:
    """Writes a checkpoint to ``path`` after every ``every`` epochs, after the last, and when training is interrupted.

    A ``{epoch}`` in ``path`` becomes the number of epochs done, which keeps the older files. Raises ``InputError`` for
    an ``every`` below 1 and, before training starts, where ``path`` is a folder or in none that exists; ``OSError``
    where the file cannot be written.
    """

    __slots__ = ("every", "path")

    def __init__(self, path: str | os.PathLike[str], *, every: int = 1) -> None:
        if every < 1:
            raise InputError(f"every={every!r}; give an integer of at least 1").located("Checkpoint")
        self.path, self.every = os.fspath(path), every

    def on_start(self, training: Training) -> None:
        path = self._path(training)
        if path.is_dir():
            raise InputError(f"{str(path)!r} is a folder; give the path of a file in it").located(
                "Checkpoint"
            )
        if not path.parent.is_dir():
            raise InputError(f"there is no folder {str(path.parent)!r}; make it first").located("Checkpoint")

    def on_epoch_end(self, training: Training) -> None:
        if training.epoch % self.every == 0:
            self._save(training)

    def on_end(self, training: Training) -> None:
        if training.stopped == "interrupted" or training.epoch % self.every:
            self._save(training)

    def _save(self, training: Training) -> None:
        training.save(self._path(training))

    def _path(self, training: Training) -> Path:
        return Path(self.path.replace("{epoch}", str(training.epoch)))


class LearningRate:
    """Sets the learning rate of each epoch to ``schedule(epoch)``, which counts from 0.

    ``state`` names it, as in ``"adam.learning_rate"``; by default every state whose name ends so is set. Raises
    ``InputError`` where there is none.

    >>> halved = LearningRate(lambda epoch: 0.1 * 0.5**epoch)
    """

    __slots__ = ("schedule", "state_name")

    def __init__(self, schedule: Callable[[int], float], *, state: str | None = None) -> None:
        self.schedule, self.state_name = schedule, state

    def on_start(self, training: Training) -> None:
        if not self._names(training):
            raise InputError(
                f"there is no state {self.state_name or 'learning_rate'!r}; "
                f"there are {', '.join(training.states) or 'none'}"
            ).located("LearningRate")
        self._set(training)

    def on_epoch_end(self, training: Training) -> None:
        self._set(training)

    def _set(self, training: Training) -> None:
        for name in self._names(training):
            training.states[name] = float(self.schedule(training.epoch))

    def _names(self, training: Training) -> list[str]:
        wanted = self.state_name
        return [n for n in training.states if n == wanted or (wanted is None and is_rate(n))]


def is_rate(name: str) -> bool:
    """Whether a state is an optimiser's learning rate."""
    return name.endswith("learning_rate")


__all__ = ["HOOKS", "Checkpoint", "EarlyStopping", "LearningRate", "hooks", "is_rate"]
