"""Metrics: functions of the whole set, computed from what a program gives for each batch of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.errors import DTypeError, GraphError, ShapeError
from graphc.graph import Handle, call, graph_of, lift
from graphc.types import DType, shape_text

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """``function`` of the values that ``nodes`` have over all examples.

    The program computes the nodes, batch by batch; their values are joined along the first axis (a scalar's is
    repeated for each example) and given to ``function`` by name. So a metric that is no mean, such as R2, is exact.

    >>> import graphc as gc
    >>> p = gc.Graph().input("p", ("N",))
    >>> worst = Metric({"p": p}, lambda p: p.max())
    >>> worst.function(p=np.array([1.0, 3.0]))
    np.float64(3.0)
    """

    nodes: Mapping[str, Handle]
    function: Callable[..., Any]


def metric_of(name: str, given: Any) -> Metric:
    """``given``, or the mean over all elements of a node. Raises ``GraphError`` for anything else."""
    if isinstance(given, Metric):
        return given
    if isinstance(given, Handle):
        return Metric({"value": given}, _mean)
    raise GraphError(f"{given!r} is no metric; give a node, or one such as gc.train.accuracy(...)").located(
        f"metric {name!r}"
    )


def _mean(value: Array) -> float:
    return float(np.mean(value, dtype=np.float64)) if value.size else float("nan")


def accuracy(logits: Handle, targets: Any, *, mask: Any = None) -> Metric:
    """The part of the examples for which the largest of ``logits`` ``(..., classes)`` is the target's.

    Targets are class indices ``(...)``, or one-hot or probabilities of the shape of ``logits``. Where the last axis is
    1 or no fixed size, ``logits`` are of two classes: positive ones and positive targets have to meet, so that targets
    are 0 and 1, or -1 and 1. ``mask``, bool like the classes, says which examples count: labels that are missing, as
    -1, are left out by ``targets=gc.maximum(t, 0), mask=t >= 0``. Raises ``ShapeError`` for other shapes and
    ``DTypeError`` for a mask that is not bool; a class index out of range is an ``InputError`` before anything runs.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> metric = accuracy(g.input("x", ("N", 3)), g.input("t", ("N",), "int32"))
    >>> found = gc.interpret(metric.nodes, x=[[0, 1, 2], [9, 1, 2]], t=[2, 1])
    >>> metric.function(**found)
    0.5
    """
    predicted, true = _classes("accuracy", logits, targets)
    return _masked("accuracy", {"value": call("eq", predicted, true)}, mask, _mean)


def confusion_matrix(logits: Handle, targets: Any, *, mask: Any = None) -> Metric:
    """Counts ``(classes, classes)`` of the examples: row is the target's class, column the predicted one.

    Operands, ``mask`` and errors are those of ``accuracy``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> metric = confusion_matrix(g.input("x", ("N", 2)), g.input("t", ("N",), "int32"))
    >>> found = gc.interpret(metric.nodes, x=[[0, 1], [1, 0], [0, 3]], t=[1, 1, 1])
    >>> metric.function(**found).tolist()
    [[0, 0], [1, 2]]
    """
    predicted, true = _classes("confusion_matrix", logits, targets)
    size = logits.shape[-1] if logits.shape else 1
    count = size if isinstance(size, int) and size > 1 else 2

    def counts(predicted: Array, true: Array) -> Array:
        pairs = true.astype(np.int64).ravel() * count + predicted.astype(np.int64).ravel()
        return np.bincount(pairs, minlength=count * count).reshape(count, count)

    return _masked("confusion_matrix", {"predicted": predicted, "true": true}, mask, counts)


def _masked(what: str, nodes: Mapping[str, Handle], mask: Any, function: Callable[..., Any]) -> Metric:
    """``function`` of what ``nodes`` are where ``mask``, if there is one, is true."""
    if mask is None:
        return Metric(nodes, function)
    first = next(iter(nodes.values()))
    mask = lift(first.graph, mask)
    if mask.dtype is not DType.BOOL:
        raise DTypeError(f"mask is {mask.dtype}; give bool, true for what counts").located(
            what, first.graph.here().place
        )
    _, mask = _same(what, first, mask, "mask is")

    def of_masked(mask: Array, **values: Array) -> Any:
        return function(**{name: value[mask] for name, value in values.items()})

    return Metric({**nodes, "mask": mask}, of_masked)


def mse(prediction: Handle, target: Any) -> Metric:
    """The mean squared error over all elements, ``mean((prediction - target)**2)``; one shape, else ``ShapeError``."""
    prediction, target = _same("mse", prediction, target)
    return Metric({"value": call("square", prediction - target)}, _mean)


def mae(prediction: Handle, target: Any) -> Metric:
    """The mean absolute error over all elements, ``mean(|prediction - target|)``; one shape, else ``ShapeError``."""
    prediction, target = _same("mae", prediction, target)
    return Metric({"value": call("abs", prediction - target)}, _mean)


def r2(prediction: Handle, target: Any) -> Metric:
    """The coefficient of determination, ``1 - sum((t - p)**2) / sum((t - mean(t))**2)``, over the whole set.

    Of several columns it is the mean of theirs. A column whose targets are all equal counts 1 if it is met exactly,
    else 0. Raises ``ShapeError`` for two shapes.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> metric = r2(g.input("p", ("N",)), g.input("t", ("N",)))
    >>> round(metric.function(**gc.interpret(metric.nodes, p=[1, 2, 4], t=[1, 2, 3])), 6)
    0.5
    """
    prediction, target = _same("r2", prediction, target)
    return Metric({"prediction": prediction, "target": target}, _r2)


def _r2(prediction: Array, target: Array) -> float:
    p, t = (np.asarray(each, np.float64) for each in (prediction, target))
    left: Array = np.sum((t - p) ** 2, axis=0)
    whole: Array = np.sum((t - np.mean(t, axis=0)) ** 2, axis=0)
    constant = whole == 0
    scores = 1 - left / np.where(constant, 1, whole)
    return float(np.mean(np.where(constant, left == 0, scores)))


def _classes(what: str, logits: Handle, targets: Any) -> tuple[Handle, Handle]:
    """Predicted and true classes of each example."""
    graph = graph_of((logits, targets), what)
    targets = lift(graph, targets)
    several = bool(logits.shape) and isinstance(logits.shape[-1], int) and logits.shape[-1] > 1
    if not several:
        logits, targets = _same(what, logits, targets)
        return logits > 0, targets > 0
    if targets.shape == logits.shape:
        return call("argmax", logits, axis=-1), call("argmax", targets, axis=-1)
    if targets.ndim != logits.ndim - 1 or not targets.dtype.is_int:
        raise _misfit(what, targets, f"({shape_text(logits.shape)[1:-1]}) or class indices of one axis less")
    with graph.scope(what):  # a lookup, since those are checked
        classes = call("arange", graph, logits.shape[-1])
        return call("argmax", logits, axis=-1), call("take", classes, targets, 0, wrap=False)


def _same(what: str, prediction: Handle, target: Any, given: str = "targets are") -> tuple[Handle, Handle]:
    target = lift(graph_of((prediction, target), what), target)
    if prediction.ndim != target.ndim or (1 in prediction.shape) != (1 in target.shape):
        raise _misfit(what, target, shape_text(prediction.shape), given)
    return prediction, target


def _misfit(what: str, target: Handle, wanted: str, given: str = "targets are") -> ShapeError:
    here = target.graph.here()
    return ShapeError(f"{given} {target.type}; give shape {wanted}").located(what, here.place)


# ---------------------------------------------------------------------------------------------- collecting


class Collected:
    """What a pass gave for each metric so far, and the loss."""

    __slots__ = ("_keys", "_metrics", "losses", "rows", "values")

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._metrics = metrics
        self._keys = [output_name(name, part) for name, metric in metrics.items() for part in metric.nodes]
        self.values: dict[str, list[Array]] = {key: [] for key in self._keys}
        self.losses: list[float] = []
        self.rows: list[int] = []

    def add(self, rows: int, outputs: Mapping[str, Array]) -> float:
        loss: float = outputs["loss"].item()
        self.losses.append(loss)
        self.rows.append(rows)
        for key in self._keys:
            value = outputs[key]
            self.values[key].append(value.copy() if value.ndim else np.full(rows, value))
        return loss

    def joined(self) -> dict[str, Array]:
        """All values so far, each as one array."""
        found = {key: _joined(values) for key, values in self.values.items() if values}
        return {**found, "loss": np.array(self.losses), "rows": np.array(self.rows, np.int64)}

    def take_back(self, arrays: Mapping[str, Array]) -> None:
        """Go on from what ``joined`` gave."""
        self.losses, self.rows = arrays["loss"].tolist(), arrays["rows"].tolist()
        self.values = {key: [arrays[key]] for key in self._keys if key in arrays}

    def result(self) -> dict[str, Any]:
        """The mean of the losses, each counted by its examples, and each metric of the whole set."""
        found: dict[str, Any] = {"loss": float(np.average(self.losses, weights=self.rows))}
        for name, metric in self._metrics.items():
            arrays = {part: _joined(self.values[output_name(name, part)]) for part in metric.nodes}
            found[name] = metric.function(**arrays)
        return found


def _joined(values: Sequence[Array]) -> Array:
    return values[0] if len(values) == 1 else np.concatenate(values)


def output_name(metric: str, part: str) -> str:
    """How a program calls the node ``part`` of a metric."""
    return f"metric {metric} {part}"


__all__ = [
    "Collected", "Metric", "accuracy", "confusion_matrix", "mae", "metric_of", "mse", "output_name", "r2",
]  # fmt: skip
