"""``fit``: training over arrays or batches, from a loss and an optimiser to parameters and their history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np

from graphc.diff.reverse import grad
from graphc.errors import InputError
from graphc.graph import Handle
from graphc.program import compile
from graphc.train.callbacks import hooks, is_rate
from graphc.train.checkpoint import PathLike
from graphc.train.data import ArrayFeed, Augment, Examples, Feed, StreamFeed, batch_rows
from graphc.train.interrupt import Interrupt
from graphc.train.metrics import Collected, Metric, metric_of
from graphc.train.progress import Progress, is_watched
from graphc.train.training import Training, outputs_of

Array = np.ndarray[Any, Any]
_KEPT = ("loss",)


def fit(
    loss: Handle,
    data: Any,
    *,
    optimiser: Any,
    epochs: int,
    batch_size: int | None = None,
    validation: Any = None,
    metrics: Mapping[str, Metric | Handle] | None = None,
    callbacks: Iterable[Any] = (),
    record: Mapping[str, Handle] | None = None,
    augment: Mapping[str, Augment] | None = None,
    shuffle: bool = True,
    seed: int = 0,
    wrt: Any = None,
    params: Any = None,
    resume: PathLike | None = None,
    batch: str | None = None,
    progress: bool | None = None,
) -> Training:
    """Train the parameters of ``loss``, a floating scalar, and give what ``Training`` holds.

    data:        arrays by name of input; or an iterable of such batches, or a function of the epoch that gives one
    optimiser:   what makes updates of gradients, such as ``gc.optim.Adam(1e-3)``; or the updates themselves
    epochs:      passes over the data, those of a resumed run included
    batch_size:  examples in a step: 1, a mini-batch, or None for all. The last batch of an epoch has what is left. The
                 loss of an epoch is the mean over its steps, each counted by its examples: that of an example where
                 the loss is a mean over the batch; of a loss that is a sum, it grows with ``batch_size``
    validation:  data that are evaluated after each epoch, as ``val_loss`` and ``val_<metric>``; or the fraction of the
                 arrays that is drawn by ``seed`` and held back for it
    metrics:     by name, ``gc.train.accuracy(...)`` or others; a node stands for its mean. On training data they are
                 taken from the steps, while the parameters change
    callbacks:   see ``gc.train.callbacks``; also functions of the ``Training``, called after each epoch
    record:      nodes whose values at each step ``history.steps`` keeps, from before the step's update
    augment:     by input, functions ``(batch, random generator) -> batch``, such as ``gc.train.Augmentation``
    shuffle:     a new order each epoch, which ``seed`` and the number of the epoch decide; a stream gives its own
    wrt:         the parameters to train, by default all
    params:      another program's ``.params`` to go on with, or arrays to start from
    resume:      a checkpoint: training goes on to the same bytes as if it had never stopped
    batch:       the name of the size that counts examples; by default the one that most inputs have
    progress:    True or False for a progress bar or none; by default where output goes to a terminal

    Ctrl-C ends training after the step that runs: the history has what was done. Data are checked as a whole before the
    first step. Raises ``InputError`` for data or options that do not fit, ``CheckpointError`` for a checkpoint of
    another run, and what ``gc.grad`` and ``gc.compile`` raise; all of them before a parameter changes, but for what
    comes late out of a stream.

    >>> import graphc as gc
    >>> g = gc.Graph("line")
    >>> x, t = g.input("x", ("N",)), g.input("t", ("N",))
    >>> loss = gc.losses.mse(x * g.param("w", ()) + g.param("b", ()), t)
    >>> X = np.linspace(-1, 1, 20, dtype=np.float32)
    >>> run = fit(loss, {"x": X, "t": 3 * X + 1}, optimiser=gc.optim.SGD(0.5), epochs=50, batch_size=5)
    >>> print(run.params["w"].round(3), run.params["b"].round(3), run.history["loss"].shape)
    3.0 1.0 (50,)
    """
    _check_count("epochs", epochs)
    _check_count("seed", seed)
    _check_named(metrics=metrics, record=record, augment=augment)
    if not isinstance(callbacks, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"callbacks={callbacks!r}; give a list of them").located("fit")
    named = {name: metric_of(name, given) for name, given in (metrics or {}).items()}
    recorded = {f"record {name}": node for name, node in (record or {}).items()}
    _check_names(named, record or {})
    updates = _updates(optimiser, loss, wrt)
    outputs = {"loss": loss, **outputs_of(named), **recorded}
    step = compile(outputs, updates=updates, params=params, mode="train")

    examples = Examples.of(step, data, batch=batch) if isinstance(data, Mapping) else None  # pyright: ignore[reportUnknownArgumentType]
    examples, held = _split(examples, validation, seed)
    size = batch_rows(examples, batch_size) if examples else None
    identity = {
        "seed": seed,
        "shuffle": shuffle,
        "batch_size": size,
        "rows": examples.rows if examples else None,
    }
    watched = is_watched() if progress is None else progress
    called = (*callbacks, Progress(epochs)) if watched else tuple(callbacks)
    training = Training(loss, step, named, batch, identity, _names(named, held), called)
    found = hooks(called)
    if examples is None:
        feed: Feed = StreamFeed(step, data, batch=batch)
        _check_stream(batch_size, augment)
    else:
        order = seed if shuffle else None
        feed = ArrayFeed(step, examples, size or 1, seed=order, augment=augment, augment_seed=seed)
    after = None if held is None else training.feed(held)
    if resume is not None:
        training.take_back(resume)
    return _Loop(training, feed, after, found, epochs, dict(record or {})).run()


def _check_count(name: str, value: Any) -> None:
    if type(value) is not int or value < 0:
        raise InputError(f"{name}={value!r}; give an integer of at least 0").located("fit")


def _check_named(**options: Any) -> None:
    for option, given in options.items():
        if given is not None and not isinstance(given, Mapping):
            raise InputError(
                f"{option}={given!r} has no names; give {{'name': ...}}, such as "
                "{'accuracy': gc.train.accuracy(logits, classes)} for metrics"
            ).located("fit")


def _check_names(metrics: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    taken = [n for n in (*metrics, *record) if n in _KEPT or n.startswith("val_") or is_rate(n)]
    if taken:
        raise InputError(f"the name {taken[0]!r} is kept for what fit finds itself; choose another").located(
            "fit"
        )


def _check_stream(batch_size: Any, augment: Any) -> None:
    if batch_size is not None or augment:
        raise InputError(
            "batch_size= and augment= are for arrays by name; let the iterable give batches as they are to be"
        ).located("fit")


def _updates(optimiser: Any, loss: Handle, wrt: Any) -> Any:
    if isinstance(optimiser, Mapping):
        return optimiser  # pyright: ignore[reportUnknownVariableType]
    if isinstance(optimiser, type):
        raise InputError(
            f"optimiser={optimiser.__name__} is a class; make one, as in gc.optim.Adam(0.001)"
        ).located("fit")
    if not callable(optimiser):
        raise InputError(
            f"optimiser={optimiser!r} makes no updates; give one of gc.optim, or {{parameter: next value}}"
        ).located("fit")
    return optimiser(grad(loss, [wrt] if isinstance(wrt, Handle) else wrt))


def _split(examples: Examples | None, validation: Any, seed: int) -> tuple[Examples | None, Any]:
    """What to train on and what to evaluate."""
    if not isinstance(validation, Real):
        return examples, validation
    if examples is None:
        raise InputError(
            f"validation={validation!r} of a stream; give data for it, or arrays by name to cut it from"
        ).located("fit")
    return examples.split(float(validation), seed)


def _names(metrics: Mapping[str, Metric], held: Any) -> tuple[str, ...]:
    own = ("loss", *metrics)
    return own if held is None else (*own, *(f"val_{name}" for name in own))


class _Loop:
    """The epochs and steps of one ``Training``."""

    def __init__(
        self,
        training: Training,
        feed: Feed,
        validation: Feed | None,
        called: Mapping[str, list[Callable[[Training], Any]]],
        epochs: int,
        record: Mapping[str, Handle],
    ) -> None:
        self.training, self.feed, self.validation, self.epochs = training, feed, validation, epochs
        self.called = called
        self.record = [(name, f"record {name}") for name in record]
        self.interrupt = Interrupt()

    def run(self) -> Training:
        training = self.training
        self._call("on_start")
        try:
            with self.interrupt, suppress(KeyboardInterrupt):
                while training.epoch < self.epochs and not training.stopped:
                    self._epoch()
                training.stop("epochs")
            training.stop("interrupted")
        finally:
            self._call("on_end")
        return training

    def _call(self, moment: str) -> None:
        for hook in self.called[moment]:
            hook(self.training)

    def _epoch(self) -> None:
        training = self.training
        if not self._steps():
            return
        result = training.collected.result()
        if self.validation is not None:
            found = training.evaluate_feed(self.validation)
            result |= {f"val_{name}": value for name, value in found.items()}
        for name, value in result.items():
            training.history.epochs.add(name, value)
        for name in filter(is_rate, training.states):
            training.history.epochs.add(name, float(training.states[name]))
        training.epoch, training.steps = training.epoch + 1, 0
        training.collected = Collected(training.metrics)
        self._call("on_epoch_end")

    def _steps(self) -> bool:
        """The steps of an epoch that are left to do; whether all are done."""
        training, interrupt, hooks = self.training, self.interrupt, self.called["on_step"]
        add, keep, record = training.collected.add, training.history.steps.add, self.record
        for rows, outputs in self.feed.run(training.epoch, training.steps):
            keep("loss", add(rows, outputs))
            for name, key in record:
                keep(name, outputs[key].copy())
            training.steps += 1
            for hook in hooks:
                hook(training)
            if interrupt.requested:
                training.stop("interrupted")
            if training.stopped:
                return training.steps == self.feed.steps
        return True


__all__ = ["fit"]
