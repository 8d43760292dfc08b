"""What happens inside a network while it trains: statistics of activations and gradients by layer, loss landscapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc.diff.reverse import grad
from graphc.errors import GraphError, InputError
from graphc.graph import Handle, call
from graphc.program import compile
from graphc.train import plots
from graphc.train.data import generator
from graphc.train.training import Training

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Watch(Mapping[str, Handle]):
    """Statistics by name, each a node ``(layers,)``: what ``watch`` gives and ``record=`` of ``fit`` takes."""

    layers: tuple[str, ...]
    nodes: Mapping[str, Handle]

    def of(self, history: Any) -> dict[str, Array]:
        """The statistics ``(steps, layers)`` that ``fit`` has recorded in ``history``."""
        return {name: history.steps[name] for name in self.nodes if name in history.steps}

    def plot(self, history: Any, path: Any = None, *, statistics: Sequence[str] | None = None) -> Any:
        """A figure with a panel for each of the ``statistics`` (default: all) and a line for each layer."""
        found = self.of(history)
        return plots.layers({name: found[name] for name in statistics or found}, self.layers, path)

    def __getitem__(self, name: str) -> Handle:
        return self.nodes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)


def watch(loss: Handle, layers: Mapping[str, Handle] | None = None) -> Watch:
    """Statistics of each layer of ``loss``: of what it gives (activation) and of the loss's slope by that (gradient).

    ``layers`` are nodes by name; by default what each layer with parameters gives, after its activation. For both:
    ``mean``, ``variance`` over all elements, and ``norm``, the root of the sum of squares; of activations also
    ``sparsity``, the part of the elements that are 0, and ``dead``, the part of the units (the last axis; channels of
    images) that are 0 in the whole batch; ``weights.norm`` and ``weights.gradient_norm`` of the layer's parameters.
    They become part of the program of a step, which computes them beside it.

    Raises ``GraphError`` where no layer is found, and as ``gc.grad`` does.

    >>> import graphc as gc
    >>> g = gc.Graph(seed=0)
    >>> net = gc.nn.Sequential(gc.nn.Dense(8, activation="relu", name="a"), gc.nn.Dense(1, name="b"))
    >>> watched = watch(gc.mean(net(g.input("x", ("N", 4))) ** 2))
    >>> watched.layers, str(watched["activation.variance"].type)
    (('a', 'b'), 'f32[2]')
    """
    chosen = dict(layers) if layers is not None else _outputs(loss)
    if not chosen:
        raise GraphError("no layer with parameters is found in the loss; give layers={name: node}").located(
            "watch", loss.place
        )
    owned = {name: _parameters(loss, name) for name in chosen}
    slopes = grad(loss, [*chosen.values(), *(p for each in owned.values() for p in each)])
    with loss.graph.scope("watch"):
        nodes = _nodes(chosen, slopes)
        if all(owned.values()):
            weights = [_norm(each) for each in owned.values()]
            slope_norms = [_norm([slopes[p] for p in each]) for each in owned.values()]
            nodes |= {"weights.norm": _row(weights), "weights.gradient_norm": _row(slope_norms)}
    return Watch(tuple(chosen), nodes)


def _nodes(chosen: Mapping[str, Handle], slopes: Mapping[Handle, Handle]) -> dict[str, Handle]:
    parts = {"activation": list(chosen.values()), "gradient": [slopes[node] for node in chosen.values()]}
    found: dict[str, Handle] = {}
    for part, nodes in parts.items():
        found[f"{part}.mean"] = _row([call("mean", node) for node in nodes])
        found[f"{part}.variance"] = _row([call("var", node) for node in nodes])
        found[f"{part}.norm"] = _row([_norm([node]) for node in nodes])
    found["activation.sparsity"] = _row([_part(call("eq", node, 0)) for node in parts["activation"]])
    found["activation.dead"] = _row([_part(call("eq", _largest(n), 0)) for n in parts["activation"]])
    return found


def _row(scalars: Sequence[Handle]) -> Handle:
    return call("stack", [call("cast", scalar, "float32") for scalar in scalars])


def _part(flags: Handle) -> Handle:
    return call("mean", call("cast", flags, "float32"))


def _norm(nodes: Sequence[Handle]) -> Handle:
    total = call("sum", call("square", nodes[0]))
    for node in nodes[1:]:
        total = total + call("sum", call("square", node))
    return call("sqrt", total)


def _largest(node: Handle) -> Handle:
    """The largest magnitude of each unit in the batch."""
    unit = 1 if node.ndim == 4 else node.ndim - 1
    others = tuple(axis for axis in range(node.ndim) if axis != unit)
    return call("max", call("abs", node), axis=others) if others else call("abs", node)


def _outputs(loss: Handle) -> dict[str, Handle]:
    """The last forward node of each layer that owns parameters, in the order of the graph."""
    graph = loss.graph
    seen = graph.ancestors([loss.id])
    owners = {_owner(graph.handle(at)) for at in seen if graph.nodes[at].op == "param"} - {""}
    last: dict[str, Handle] = {}
    for at in seen:
        for origin in graph.origins(at)[:1]:
            layer = origin.layer.replace("/", ".")
            if layer in owners and graph.nodes[at].op not in ("param", "state", "const", "input"):
                last[layer] = graph.handle(at)
    return {layer: node for layer, node in last.items() if node.dtype.is_float}


def _owner(parameter: Handle) -> str:
    return parameter.name.rpartition(".")[0]


def _parameters(loss: Handle, layer: str) -> list[Handle]:
    found = (loss.graph.handle(at) for at in loss.graph.ancestors([loss.id]))
    return [p for p in found if p.node.op == "param" and p.dtype.is_float and _owner(p) == layer]


# ------------------------------------------------------------------------------------------- landscapes


@dataclass(frozen=True, slots=True)
class Landscape:
    """The loss ``values`` ``(points, points)`` at ``steps`` along two directions (rows: the second)."""

    values: Array
    steps: Array

    def plot(self, path: Any = None, *, title: str = "") -> Any:
        """Contours of the loss around the parameters, which lie at the cross."""
        radius = float(self.steps[-1])
        return plots.surface(self.values, (-radius, radius, -radius, radius), path, title=title)


def landscape(
    training: Training, data: Mapping[str, Any], *, radius: float = 1.0, points: int = 21, seed: int = 0
) -> Landscape:
    """The loss over ``data`` around the trained parameters, along two random directions.

    The directions are normalised by filters (Li et al. 2018): the part of a direction that belongs to one filter,
    the weights of one unit, gets the norm of that filter, and vectors, such as biases, stay as they are. So networks
    whose weights are of different sizes can be compared. ``radius`` is how far to go, in those norms; ``points`` how
    many steps, odd to meet the parameters themselves. The parameters of ``training`` are not changed.

    Raises ``InputError`` for a radius or points that are none, and as a call does.
    """
    if not radius > 0 or points < 2:
        raise InputError(
            f"radius={radius!r}, points={points!r}; give a positive number, and at least 2"
        ).located("landscape")
    used = training.evaluation
    program = compile({"loss": training.loss}, params={**used.params, **used.states}, mode="eval")
    start = {name: array.copy() for name, array in program.params.items()}
    across, up = (_direction(start, generator(seed, number)) for number in (0, 1))
    steps = np.linspace(-radius, radius, points)
    run = {name: data[name] for name in program.inputs}

    def at(a: float, b: float) -> float:
        for name, memory in program.params.items():
            memory[...] = start[name] + a * across[name] + b * up[name]
        return float(program(**run)["loss"])

    return Landscape(np.array([[at(a, b) for a in steps] for b in steps]), steps)


def _direction(params: Mapping[str, Array], random: np.random.Generator) -> dict[str, Array]:
    drawn: dict[str, Array] = {name: random.standard_normal(w.shape) for name, w in params.items()}
    return {name: _filter_normalised(drawn[name], w) for name, w in params.items()}


def _filter_normalised(direction: Array, weights: Array) -> Array:
    if weights.ndim < 2:
        return np.zeros_like(direction)
    # Weights of dense layers are (in, out), of convolutions (out, in, ...).
    axes = (0,) if weights.ndim == 2 else tuple(range(1, weights.ndim))
    norms = [
        np.sqrt(np.sum(np.square(each, dtype=np.float64), axis=axes, keepdims=True))
        for each in (weights, direction)
    ]
    return direction * (norms[0] / np.maximum(norms[1], 1e-12))


__all__ = ["Landscape", "Watch", "landscape", "watch"]
