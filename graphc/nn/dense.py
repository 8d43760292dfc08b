"""The fully connected layer."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from graphc.declare.names import free_name
from graphc.errors import GraphError, ShapeError
from graphc.graph import Graph, Handle
from graphc.nn.activations import Activation, activation_named
from graphc.types import DType, promote, shape_text


@dataclass(frozen=True, slots=True)
class _Built:
    """What a layer owns in one graph. Holding the graph keeps its identity from being reused."""

    graph: Graph
    name: str
    weight: Handle
    bias: Handle | None


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """``activation(x @ weight + bias)`` along the last axis.

    Input ``(..., features)``, output ``(..., units)`` in the input's floating dtype (float32 for integers);
    weight ``(features, units)``, bias ``(units,)``, called ``<name>.weight`` and ``<name>.bias``; ``init``
    and ``bias_init`` are arrays or initialisers. Nameless layers are called dense, dense_1 and so on. One
    layer object called twice uses the same parameters. ``activation`` is a name or a callable on handles.

    Raises ``GraphError`` for units below 1, unknown activations and a name used twice; ``ShapeError`` for a
    scalar input, a symbolic number of features and, in a later call, another number of features.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y = Dense(10, activation="relu", name="hidden")(g.input("x", ("N", 64)))
    >>> print(y.type, [p.name for p in g.params])
    f32[N,10] ['hidden.weight', 'hidden.bias']
    """

    units: int
    activation: str | Activation | None = None
    _: KW_ONLY
    use_bias: bool = True
    init: Any = None
    bias_init: Any = None
    name: str | None = None
    _built: dict[int, _Built] = field(default_factory=dict[int, _Built], init=False, repr=False)

    def __post_init__(self) -> None:
        if type(self.units) is not int or self.units < 1:
            raise GraphError(f"units={self.units!r}; give an integer of at least 1").located("Dense")
        if self.name is not None and not self.name:
            raise GraphError("name is empty; give a text or leave it out").located("Dense")
        self._activation()

    def __call__(self, x: Handle) -> Handle:
        """The layer applied to ``x``."""
        if not isinstance(x, Handle):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise GraphError(f"{x!r} is not a node; apply the layer to a node of a graph").located("Dense")
        built = self._built.get(id(x.graph.outermost)) or self._build(x)
        with x.graph.scope(built.name):
            self._check_features(x, built)
            y = x @ built.weight
            return self._activation()(y if built.bias is None else y + built.bias)

    def _activation(self) -> Activation:
        if self.activation is None:
            return activation_named("identity")
        return self.activation if callable(self.activation) else activation_named(self.activation)

    def _build(self, x: Handle) -> _Built:
        graph = x.graph.outermost  # where parameters stand, also those of a layer in the step of a loop
        name = self.name or free_name(graph, "dense", "weight")
        with graph.scope(name):
            features, dtype = self._features(x), promote([x.dtype, DType.F32])
            weight = graph.param("weight", (features, self.units), dtype, init=self.init)
            bias = graph.param("bias", (self.units,), dtype, init=self.bias_init) if self.use_bias else None
        return self._built.setdefault(id(graph), _Built(graph, name, weight, bias))

    def _features(self, x: Handle) -> int:
        size = x.shape[-1] if x.shape else None
        if isinstance(size, int):
            return size
        why = "has no axis" if size is None else "has a symbolic number of features"
        raise self._located(
            x, ShapeError(f"input of shape {shape_text(x.shape)} {why}; its last axis must be an int")
        )

    def _check_features(self, x: Handle, built: _Built) -> None:
        features = built.weight.shape[0]
        if self._features(x) != features:
            why = f"does not have the {features} features of the weights; reshape it"
            raise self._located(x, ShapeError(f"input of shape {shape_text(x.shape)} {why}"))

    def _located(self, x: Handle, error: ShapeError) -> ShapeError:
        here = x.graph.here()
        return error.located(f"{here.layer} (Dense)", here.place)


__all__ = ["Dense"]
