"""Layer-wise pre-training by auto-encoders (Bengio et al. 2007)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

from graphc.errors import ShapeError
from graphc.graph import Handle, call
from graphc.losses import mse
from graphc.nn import Dense
from graphc.program import Parameters
from graphc.train.fit import fit
from graphc.train.training import Training
from graphc.types import shape_text


@dataclass(frozen=True, slots=True)
class Pretrained:
    """``output`` of the last layer, the ``params`` to go on with, and one training for each layer."""

    output: Handle
    params: Parameters
    trainings: tuple[Training, ...]


def pretrain(
    x: Handle,
    layers: Sequence[Callable[[Handle], Handle]],
    data: Mapping[str, Any],
    *,
    optimiser: Any,
    epochs: int,
    decoder: Callable[[Handle, Handle], Handle] | None = None,
    **options: Any,
) -> Pretrained:
    """Train ``layers`` one after another, each to keep what is needed to restore its own input.

    Layer k and a decoder are trained on the mean squared error between the decoder's output and the layer's input,
    while the layers before stay as they are. ``decoder`` is called with the layer's output and input, by default a
    dense layer. ``optimiser`` starts anew with each layer; ``data`` are what ``x`` needs; ``options`` are those of
    ``fit``. Then ``fit(loss of output, ..., params=found.params)`` trains the whole. Raises ``ShapeError`` for an
    input without a fixed last axis where no ``decoder`` is given, and as ``fit`` does.

    >>> import graphc as gc, numpy as np
    >>> g = gc.Graph(seed=0)
    >>> x = g.input("x", ("N", 6))
    >>> layers = [gc.nn.Dense(4, activation="tanh", name="a"), gc.nn.Dense(2, activation="tanh", name="b")]
    >>> X = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)
    >>> found = pretrain(x, layers, {"x": X}, optimiser=gc.optim.Adam(0.05), epochs=30)
    >>> [bool(run.history["loss"][-1] < run.history["loss"][0]) for run in found.trainings]
    [True, True]
    """
    trainings: list[Training] = []
    params: Any = options.pop("params", None)
    for layer in layers:
        known = {p.id for p in x.graph.params}
        encoded = layer(x)
        loss = mse((decoder or _dense)(encoded, x), call("stop_gradient", x))
        new = [p for p in x.graph.params if p.id not in known]
        run = fit(loss, data, optimiser=_anew(optimiser), epochs=epochs, wrt=new, params=params, **options)
        trainings.append(run)
        params, x = run.params, encoded
    return Pretrained(x, params, tuple(trainings))


def _anew(optimiser: Any) -> Any:
    """An optimiser with the same settings and states of its own."""
    return replace(optimiser) if is_dataclass(optimiser) and not isinstance(optimiser, type) else optimiser


def _dense(encoded: Handle, x: Handle) -> Handle:
    features = x.shape[-1] if x.shape else None
    if not isinstance(features, int):
        raise ShapeError(
            f"input of shape {shape_text(x.shape)} has no fixed last axis; give a decoder"
        ).located("pretrain", x.place)
    with x.graph.scope("decoder"):
        return Dense(features)(encoded)


__all__ = ["Pretrained", "pretrain"]
