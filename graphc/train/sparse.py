"""Training under masks: dense-sparse-dense (Han et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import numpy as np

from graphc.declare.names import free_name
from graphc.errors import InputError
from graphc.graph import Handle, cast_to
from graphc.train.callbacks import is_rate
from graphc.train.fit import fit
from graphc.train.training import Training

Array = np.ndarray[Any, Any]
Updates = dict[Handle, Handle]


@dataclass(frozen=True, slots=True, eq=False)
class Masked:
    """``optimiser``, with every next value of a matrix (rank 2 or more) multiplied by its mask, the bool state
    ``<parameter>.mask``, which starts as ones.

    >>> import graphc as gc
    >>> w = gc.Graph().param("w", (1, 2), init=[[4.0, 2.0]])
    >>> step = gc.compile(updates=Masked(gc.optim.SGD(0.25))(gc.grad(gc.sum(w * w))))
    >>> step.states["w.mask"] = [[True, False]]
    >>> _ = step()
    >>> step.params["w"].tolist()
    [[2.0, 0.0]]
    """

    optimiser: Callable[[Mapping[Handle, Handle]], Mapping[Handle, Handle]]
    masks: dict[Handle, Handle] = field(default_factory=dict[Handle, Handle], init=False, repr=False)

    def __call__(self, grads: Mapping[Handle, Handle]) -> Updates:
        updates = dict(self.optimiser(grads))
        for parameter in grads:
            if parameter.ndim > 1:
                updates[parameter] = updates[parameter] * cast_to(self._mask(parameter), parameter.dtype)
        return updates

    def _mask(self, parameter: Handle) -> Handle:
        if parameter not in self.masks:
            graph = parameter.graph
            name = free_name(graph, f"{parameter.name}.mask", "")
            ones = np.ones(cast("tuple[int, ...]", parameter.shape), np.bool_)
            self.masks[parameter] = graph.state(name, parameter.shape, "bool", init=ones)
        return self.masks[parameter]


class DenseSparseDense(NamedTuple):
    """The three trainings, which share their parameters: those of the last are in all."""

    dense: Training
    sparse: Training
    again: Training


def smallest_pruned(weights: Array, sparsity: float) -> Array:
    """A mask of ``weights`` that leaves out the ``sparsity`` part of smallest magnitude.

    >>> smallest_pruned(np.array([[3.0, -1.0], [0.5, -2.0]]), 0.5).tolist()
    [[True, False], [False, True]]
    """
    mask: Array = np.ones(weights.size, np.bool_)
    count = int(sparsity * weights.size)
    mask[np.argsort(np.abs(weights), axis=None, kind="stable")[:count]] = False
    return mask.reshape(weights.shape)


def dense_sparse_dense(
    loss: Handle,
    data: Any,
    *,
    optimiser: Any,
    epochs: tuple[int, int, int],
    sparsity: float = 0.3,
    final_rate: float = 0.1,
    **options: Any,
) -> DenseSparseDense:
    """Train, prune the smallest weights and train under the mask, then restore the connections and train again.

    ``sparsity`` is the part of each matrix (rank 2 or more) that is pruned; ``final_rate`` multiplies the learning rate
    in the last part, where pruned weights start from zero. ``options`` are those of ``fit``. One network, one set of
    parameters. Raises ``InputError`` for a sparsity that is none, and as ``fit`` does.

    >>> import graphc as gc
    >>> g = gc.Graph(seed=0)
    >>> x, t = g.input("x", ("N", 8)), g.input("t", ("N", 1))
    >>> loss = gc.losses.mse(gc.nn.Dense(1, name="line")(x), t)
    >>> X = np.eye(8, dtype=np.float32)
    >>> runs = dense_sparse_dense(
    ...     loss, {"x": X, "t": X[:, :1]}, optimiser=gc.optim.SGD(0.1), epochs=(5, 5, 5), sparsity=0.5
    ... )
    >>> [len(run.history["loss"]) for run in runs]
    [5, 5, 5]
    """
    if not 0 <= sparsity < 1:
        raise InputError(f"sparsity={sparsity!r}; give a number from 0 to below 1").located(
            "dense_sparse_dense"
        )
    masked = Masked(optimiser)
    options = {**options, "optimiser": masked}
    dense = fit(loss, data, epochs=epochs[0], **options)
    for parameter, mask in masked.masks.items():
        kept = smallest_pruned(dense.params[parameter.name], sparsity)
        dense.states[mask.name] = kept
        dense.params[parameter.name] *= kept
    options["params"] = dense.params
    sparse = fit(loss, data, epochs=epochs[1], **options)
    for mask in masked.masks.values():
        sparse.states[mask.name][...] = True
    for name in filter(is_rate, sparse.states):
        sparse.states[name] *= final_rate
    return DenseSparseDense(dense, sparse, fit(loss, data, epochs=epochs[2], **options))


__all__ = ["DenseSparseDense", "Masked", "dense_sparse_dense", "smallest_pruned"]
