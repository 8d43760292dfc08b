"""Training under masks: dense-sparse-dense (Han et al. 2017)."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphc.errors import InputError
from graphc.graph import Handle
from graphc.optim import Masked, prune
from graphc.train.callbacks import is_rate
from graphc.train.fit import fit
from graphc.train.training import Training


class DenseSparseDense(NamedTuple):
    """The three trainings, which share their parameters: those of the last are in all."""

    dense: Training
    sparse: Training
    again: Training


def dense_sparse_dense(
    loss: Handle,
    data: Any,
    *,
    optimiser: Any,
    epochs: tuple[int, int, int],
    sparsity: float = 0.3,
    final_rate: float = 0.1,
    wrt: Any = None,
    **options: Any,
) -> DenseSparseDense:
    """Train, prune the smallest weights and train under the mask, then restore the connections and train again.

    ``sparsity`` is the part of each matrix (rank 2 or more) that is pruned; ``final_rate`` multiplies the learning rate
    in the last part, where pruned weights start from zero. ``options`` are those of ``fit``. One network, one set of
    parameters. Raises ``InputError`` for a sparsity that is none, and as ``fit`` does.

    >>> import graphc as gc, numpy as np
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
    matrices = tuple(p for p in _trained(loss, wrt) if p.ndim > 1)
    options = {**options, "optimiser": Masked(optimiser, matrices), "wrt": wrt}
    dense = fit(loss, data, epochs=epochs[0], **options)
    for parameter in matrices:
        prune(dense.step, parameter.name, sparsity)
    options["params"] = dense.params
    sparse = fit(loss, data, epochs=epochs[1], **options)
    for parameter in matrices:
        prune(sparse.step, parameter.name, 0)
    for name in filter(is_rate, sparse.states):
        sparse.states[name] *= final_rate
    return DenseSparseDense(dense, sparse, fit(loss, data, epochs=epochs[2], **options))


def _trained(loss: Handle, wrt: Any) -> list[Handle]:
    if wrt is not None:
        return [wrt] if isinstance(wrt, Handle) else list(wrt)
    nodes = (loss.graph.handle(at) for at in loss.graph.ancestors([loss.id]))
    return [node for node in nodes if node.node.op == "param" and node.dtype.is_float]


__all__ = ["DenseSparseDense", "dense_sparse_dense"]
