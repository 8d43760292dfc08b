"""A training run: what ``fit`` gives back, and what callbacks see while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from graphc.errors import CheckpointError, InputError
from graphc.graph import Handle
from graphc.program import Parameters, Program, compile
from graphc.train import checkpoint
from graphc.train.data import ArrayFeed, Examples, Feed, StreamFeed
from graphc.train.history import History
from graphc.train.metrics import Collected, Metric, output_name

Array = np.ndarray[Any, Any]
EVALUATED = 1024  # examples that an evaluation runs at once


@dataclass(slots=True, eq=False)
class Training:
    """Training of one network.

    step:            the program of a step: forward, backward, update
    history:         a value for each epoch by name; ``history.steps`` of each step
    epoch:           epochs completed; ``steps`` are those done in the one after them
    params, states:  what the programs read and write, as NumPy arrays by name
    stopped:         why it ended: ``"epochs"``, ``"interrupted"``, or what a callback gave to ``stop``
    """

    loss: Handle
    step: Program
    metrics: Mapping[str, Metric]
    batch: str | None
    identity: Mapping[str, Any]  # what has to be the same for a run to be resumed
    names: tuple[str, ...]  # what the history has of each epoch
    callbacks: tuple[Any, ...] = ()
    history: History = field(default_factory=History)
    epoch: int = 0
    steps: int = 0
    stopped: str = ""
    collected: Collected = field(init=False)
    _programs: dict[Any, Program] = field(default_factory=dict[Any, Program], init=False)

    def __post_init__(self) -> None:
        self.collected = Collected(self.metrics)

    @property
    def params(self) -> Parameters:
        return self.step.params

    @property
    def states(self) -> Parameters:
        return self.step.states

    @property
    def evaluation(self) -> Program:
        """The program of loss and metrics as in use: dropout off, running averages; it shares the parameters."""
        return self._program("evaluation", {"loss": self.loss, **outputs_of(self.metrics)})

    def _program(self, key: Any, outputs: Any) -> Program:
        """A program in evaluation mode, compiled when it is first asked for."""
        if key not in self._programs:
            self._programs[key] = compile(outputs, params=self.params, mode="eval")
        return self._programs[key]

    def stop(self, reason: str) -> None:
        """End training after this step."""
        self.stopped = self.stopped or reason

    def predict(self, node: Handle | Mapping[str, Handle], /, **inputs: Any) -> Any:
        """The value of ``node`` for ``inputs``, in evaluation mode, with the parameters as they are now.

        Several nodes by name give several values by name. Raises as ``gc.compile`` and a call of a program do.
        """
        named = dict(node) if isinstance(node, Mapping) else {"out": node}
        values = self._program(tuple(named.items()), named)(**inputs)
        return values if isinstance(node, Mapping) else values["out"]

    def evaluate(self, data: Any) -> dict[str, Any]:
        """Loss and metrics over ``data``, arrays by name or an iterable of such batches, in evaluation mode.

        The loss is the mean of those of the batches, each counted by its examples; arrays are cut into batches of at
        most 1024. Raises ``InputError`` for data that do not fit.
        """
        return self.evaluate_feed(self.feed(data))

    def feed(self, data: Any) -> Feed:
        """The batches of ``data`` for an evaluation."""
        program = self.evaluation
        if not isinstance(data, Mapping | Examples):
            return StreamFeed(program, data, batch=self.batch)
        held = data if isinstance(data, Examples) else Examples.of(program, data, batch=self.batch)  # pyright: ignore[reportUnknownArgumentType]
        return ArrayFeed(program, held, min(held.rows, EVALUATED))

    def evaluate_feed(self, feed: Feed) -> dict[str, Any]:
        collected = Collected(self.metrics)
        for rows, outputs in feed.run(self.epoch):
            collected.add(rows, outputs)
        return collected.result()

    # ---------------------------------------------------------------------------------------- checkpoints

    def save(self, path: checkpoint.PathLike) -> Path:
        """Write a checkpoint from which ``fit(..., resume=path)`` goes on as if it had never stopped.

        At any step: parameters, states, the place in the shuffled data, the history, and what callbacks keep.
        """
        position = {**self.identity, "epoch": self.epoch, "steps": self.steps}
        extra = {f"history/{name}": array for name, array in self.history.arrays().items()}
        if self.steps:
            extra |= {f"epoch/{name}": array for name, array in self.collected.joined().items()}
        for number, each in enumerate(self.callbacks):
            kept: dict[str, Array] = each.state() if hasattr(each, "state") else {}
            extra |= {f"callback/{number}/{name}": array for name, array in kept.items()}
        return checkpoint.save(path, self.step, position=position, extra=extra)

    def take_back(self, path: checkpoint.PathLike) -> None:
        """Go on from a checkpoint. Raises ``CheckpointError``, with nothing changed, for one of another run."""
        found = checkpoint.read(path)
        where = f"checkpoint {str(found.path)!r}"
        place: list[Any] = [found.position.get(name) for name in ("epoch", "steps")]
        if any(type(count) is not int or count < 0 for count in place):
            raise CheckpointError(
                "it does not say where training stood; give one that a training wrote"
            ).located(where)
        for name, value in self.identity.items():
            if found.position.get(name) != value:
                raise CheckpointError(
                    f"it was written with {name}={found.position.get(name)!r}, and this is {value!r}; make them equal"
                ).located(where)
        checkpoint.adopt(found, self.step)
        self.epoch, self.steps = place
        place_of = {f"epochs/{name}": at for at, name in enumerate(self.names)}  # files sort their names
        history = sorted(
            _below("history/", found.extra).items(), key=lambda item: place_of.get(item[0], len(place_of))
        )
        self.history.take_back(dict(history))
        if self.steps:
            self.collected.take_back(_below("epoch/", found.extra))
        for number, each in enumerate(self.callbacks):
            kept = _below(f"callback/{number}/", found.extra)
            if kept and hasattr(each, "take_back"):
                each.take_back(kept)

    # -------------------------------------------------------------------------------------------- looking

    def plot(self, path: Any = None) -> Any:
        """A figure of loss and metrics by epoch; see ``gc.train.plots.history``."""
        from graphc.train import plots

        return plots.history(self.history, path)

    def __repr__(self) -> str:
        last = {name: values[-1] for name, values in self.history.items() if values.ndim == 1}
        shown = ", ".join(f"{name}={value:.4g}" for name, value in last.items())
        state = "done" if self.stopped == "epochs" else self.stopped or "going on"
        plural = "" if self.epoch == 1 else "s"
        return f"<Training: {self.epoch} epoch{plural}, {state}{'; ' if shown else ''}{shown}>"


def _below(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def outputs_of(metrics: Mapping[str, Metric]) -> dict[str, Handle]:
    """The nodes of all metrics under the names that programs give them."""
    return {
        output_name(name, part): node
        for name, metric in metrics.items()
        for part, node in metric.nodes.items()
    }


def monitored(training: Training, monitor: str, owner: str) -> None:
    """Raise ``InputError`` unless the history will have ``monitor``."""
    if monitor not in training.names:
        raise InputError(
            f"the history has no {monitor!r}; monitor one of {', '.join(training.names)}, or give validation= to fit"
        ).located(owner)


__all__ = ["Training", "monitored", "outputs_of"]
