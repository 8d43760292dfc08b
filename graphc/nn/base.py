"""What every layer shares: parameters that are declared at the first call in a graph, names, places of errors."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import KW_ONLY, dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import numpy as np

from graphc.declare.names import free_layer_name, require_dataclass
from graphc.errors import GraphcError, GraphError, ShapeError
from graphc.graph import Graph, Handle, graph_of
from graphc.types import DType, Shape, promote, shape_text


@dataclass(frozen=True, slots=True)
class Built:
    """What a layer owns in one graph. Holding the graph keeps its identity from being reused."""

    graph: Graph
    name: str
    path: str  # the name behind those of the layers around it, as nodes carry it
    values: dict[str, Handle] = field(default_factory=dict[str, Handle])


@dataclass(frozen=True, slots=True, eq=False)
class Layer(ABC):
    """A callable on nodes that declares its parameters when it is first applied in a graph.

    A layer is a frozen dataclass of its settings with a ``__call__``, which opens ``self.at(x)``: inside, nodes carry
    the layer's name, errors tell it and the user's line, and ``own.param`` declares a parameter, called
    ``<name>.<param>``, or returns the one that stands already. So one layer object has one set of parameters in a
    graph, however often it is called, also in the step of a loop. Without a ``name`` it gets the first free one of
    ``dense``, ``dense_1`` and so on, after its class.

    ``check`` refuses settings when the layer is made. Raises ``GraphError`` for an empty name and for an input that
    is no node.

    >>> import graphc as gc
    >>> @dataclass(frozen=True, slots=True, eq=False)
    ... class Scale(gc.nn.Layer):
    ...     start: float = 1.0
    ...
    ...     def __call__(self, x):
    ...         with self.at(x) as own:
    ...             return x * own.param("factor", (own.size(-1),), init=gc.init.Constant(self.start))
    >>> g = gc.Graph()
    >>> y = Scale(2.0)(g.input("x", ("N", 3)))
    >>> print(y.type, [p.name for p in g.params], gc.interpret(y, x=[[1, 2, 3]]))
    f32[N,3] ['scale.factor'] [[2. 4. 6.]]
    """

    _: KW_ONLY
    name: str | None = None
    _built: dict[int, Built] = field(default_factory=dict[int, Built], init=False, repr=False)

    def __new__(cls, *_args: Any, **_settings: Any) -> Self:
        require_dataclass(cls)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        try:
            if self.name is not None and (not isinstance(self.name, str) or not self.name):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise GraphError(f"name={self.name!r}; give a text or leave it out")
            self.check()
        except GraphcError as error:
            raise error.located(type(self).__name__) from None

    def check(self) -> None:  # noqa: B027 - most layers have something to check, and none has to
        """Raise ``GraphError`` for settings that make no layer."""

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The layer applied to nodes."""

    def at(self, *inputs: Any) -> Applied:
        """The scope of one application to ``inputs``, nodes of one graph: ``with self.at(x) as own``."""
        for x in inputs:
            if not isinstance(x, Handle):
                said = f"an array of shape {np.shape(x)}" if isinstance(x, np.ndarray) else repr(x)  # pyright: ignore[reportUnknownArgumentType]
                raise GraphError(
                    f"{said} is not a node; apply the layer to a node of a graph, such as g.input('x', ('N', 64))"
                ).located(type(self).__name__)
        graph = graph_of(inputs, type(self).__name__)
        return Applied(self, self._built.get(id(graph.outermost)) or self._named(graph), graph, inputs)

    def _named(self, graph: Graph) -> Built:
        outermost = graph.outermost  # where parameters stand, also those of a layer in the step of a loop
        around = graph.here().layer
        name = self.name or free_layer_name(outermost, around, _snake(type(self).__name__))
        return Built(outermost, name, f"{around}/{name}" if around else name)

    def keep(self, built: Built) -> None:
        """Note that ``built`` is what the layer owns in its graph: once something is, or the first call succeeded."""
        self._built.setdefault(id(built.graph), built)
        built.graph.claim_layer(built.path)


class Applied:
    """One application of a layer: where its nodes are named after it and its parameters are declared or found."""

    __slots__ = ("_built", "_layer", "_scope", "graph", "inputs")

    def __init__(self, layer: Layer, built: Built, graph: Graph, inputs: tuple[Handle, ...]) -> None:
        self.graph = graph
        self.inputs = inputs
        self._layer = layer
        self._built = built
        self._scope: AbstractContextManager[None] = graph.scope(built.name)

    def __enter__(self) -> Self:
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._layer.keep(self._built)
        elif isinstance(error, GraphcError):
            here = self.graph.here()
            error.located(f"{here.layer} ({type(self._layer).__name__})", here.place)
        self._scope.__exit__(kind, error, trace)

    @property
    def name(self) -> str:
        """The layer's name in this graph."""
        return self._built.name

    @property
    def dtype(self) -> DType:
        """The dtype of parameters: that of the inputs by promotion, float32 for integers."""
        return promote([*(x.dtype for x in self.inputs), DType.F32])

    def size(self, axis: int, what: str = "features") -> int:
        """The size of the first input along ``axis``, which parameters depend on.

        Raises ``ShapeError``, which calls it ``what``, where there is no such axis or its size is symbolic.
        """
        shape = self.inputs[0].shape
        given = shape[axis] if -len(shape) <= axis < len(shape) else None
        if isinstance(given, int):
            return given
        place = "its last axis" if axis == -1 else f"axis {axis}"
        why = "has no such axis" if given is None else f"has a symbolic number of {what}"
        raise ShapeError(f"input of shape {shape_text(shape)} {why}; {place} must be an int")

    def require_axes(self, *names: str) -> None:
        """Raise ``ShapeError`` unless the first input has the axes ``names``; a last "..." stands for any further."""
        have, least = self.inputs[0].ndim, len(names) - (names[-1] == "...")
        if have < least or (have > least and names[-1] != "..."):
            shape = shape_text(self.inputs[0].shape)
            raise ShapeError(f"input of shape {shape} has rank {have}; give ({', '.join(names)})")

    def param(self, name: str, shape: Shape, *, init: Any = None, dtype: Any = None) -> Handle:
        """The parameter ``<layer>.<name>``: declared at the first call, later the one that stands.

        Raises ``ShapeError`` when a later call needs it in another shape.
        """
        return self._kept("param", name, shape, init, dtype)

    def state(self, name: str, shape: Shape, *, init: Any = None, dtype: Any = None) -> Handle:
        """The state ``<layer>.<name>``, as ``param``."""
        return self._kept("state", name, shape, init, dtype)

    def _kept(self, kind: str, name: str, shape: Shape, init: Any, dtype: Any) -> Handle:
        found = self._built.values.get(name)
        if found is None:
            found = self._declared(kind, name, shape, init, dtype or self.dtype)
        if found.shape != shape:
            given = ", ".join(shape_text(x.shape) for x in self.inputs)
            raise ShapeError(
                f"input of shape {given} asks for a {name} of shape {shape_text(shape)}, but the layer's has shape "
                f"{shape_text(found.shape)}; reshape the input, or give it another layer"
            )
        return found

    def _declared(self, kind: str, name: str, shape: Shape, init: Any, dtype: Any) -> Handle:
        graph, here = self._built.graph, replace(self.graph.here(), layer=self._built.path)
        with graph.on_behalf_of([here]):
            declare = graph.param if kind == "param" else graph.state
            made = self._built.values[name] = declare(name, shape, dtype, init=init)
        self._layer.keep(self._built)
        return made


def _snake(name: str) -> str:
    """The name of a class as layers are called: ``MaxPool2d`` is ``max_pool2d``, ``RMSNorm`` is ``rms_norm``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


__all__ = ["Applied", "Layer"]
