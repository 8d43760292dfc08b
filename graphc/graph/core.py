"""The graph: an append-only symbolic DAG held in networkx, with one writer, ``Graph.add``."""

# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUntypedBaseClass=false

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import networkx
import numpy as np

from graphc import registry
from graphc.errors import GraphcError, GraphError
from graphc.graph import draws
from graphc.graph.given import as_data, brief, check_update, dtype_of_constant, fixed_shape, initialiser
from graphc.graph.handle import Handle
from graphc.graph.node import LEAVES, Constant, Node, Origin, key_of, user_line
from graphc.types import Checks, DType, Equation, Type, as_shape


class _Sealed(dict[Any, Any]):
    """Attributes that networkx fills once and nobody writes again."""

    def update(self, *args: Any, **kwargs: Any) -> None:
        if self:
            self._refuse()
        super().update(*args, **kwargs)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise GraphError(
            "a graph is append-only; build nodes with graphc's functions instead of writing attributes"
        )

    __setitem__ = __delitem__ = pop = popitem = clear = setdefault = __ior__ = _refuse  # pyright: ignore[reportAssignmentType]


class _Dag(networkx.MultiDiGraph):  # pyright: ignore[reportMissingTypeArgument]  # generic in its stubs only
    node_attr_dict_factory = _Sealed
    edge_attr_dict_factory = _Sealed
    graph_attr_dict_factory = _Sealed


@dataclass(frozen=True, slots=True)
class Required:
    """An equation between sizes that the call must satisfy, and the node that needs it."""

    equation: Equation
    node: int


class Graph:
    """A symbolic computational graph.

    ``name`` titles drawings and programs; ``seed`` determines the initial values of its parameters.

    >>> import graphc as gc
    >>> g = gc.Graph("line")
    >>> x = g.input("x", ("N", 3))
    >>> y = x * 2 + 1
    >>> print(y.type)
    f32[N,3]
    """

    def __init__(self, name: str = "graph", *, seed: int = 0) -> None:
        self.name = str(name)
        self.seed = int(seed)
        self.nodes: list[Node] = []
        self.required: list[Required] = []
        self.reused = 0  # how often an operation was asked for that stood already
        self.initial: dict[int, Any] = {}
        self.state_updates: dict[int, int] = {}
        self.stand_ins: dict[int, tuple[int, ...]] = {}
        self.streams: set[str] = set()  # names of what is drawn at random
        self._index: dict[Any, int] = {}
        self._named: dict[str, int] = {}
        self._layers: set[str] = set()
        self._origins: list[dict[Origin, None]] = []
        self._handles: list[Handle] = []
        self._context = Origin()
        self.around: Any = None  # while this is the step of a loop under declaration: the graph around it
        self._dag = _Dag(name=self.name)

    # ------------------------------------------------------------------------------------------- declaring

    def input(self, name: str, shape: Any = (), dtype: Any = "float32") -> Handle:
        """An array given at each call; ``shape`` mixes ints and names of symbolic sizes."""
        return self._leaf("input", name, shape, dtype)

    def param(self, name: str, shape: Any = None, dtype: Any = "float32", *, init: Any = None) -> Handle:
        """A trainable array that programs keep between calls; ``init`` is an array, or an initialiser or its name.

        Without ``init``, matrices (floating, of rank 2 and more) are drawn by ``KaimingUniform``; all else is zero.
        """
        return self._stored("param", name, shape, dtype, init)

    def state(
        self, name: str, shape: Any = None, dtype: Any = "float32", *, init: Any = None, update: Any = None
    ) -> Handle:
        """An array that programs keep between calls and that ``update``, a node, replaces in training mode.

        Without ``init`` it starts as zeros.
        """
        handle = self._stored("state", name, shape, dtype, init)
        if update is not None:
            self.set_update(handle, update)
        return handle

    def const(self, value: Any, dtype: Any = None) -> Handle:
        """An array known now. Python scalars and lists of floats become float32; NumPy arrays keep their dtype.

        Raises ``GraphError`` for NaN and infinities, which an input can carry if they are meant.
        """
        try:
            return self.as_constant(value, dtype)
        except GraphcError as error:
            raise error.located("const", self.here().place) from None

    def as_constant(self, value: Any, dtype: Any = None) -> Handle:
        """What ``const`` does, with errors for a caller to locate."""
        array = as_data(value)
        own = dtype_of_constant(value, array) if dtype is None else DType.of(dtype)
        if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
            raise GraphError(f"constant {brief(array)} is not finite; pass such values as an input")
        return self.constant(Constant.of(array, own))

    def set_update(self, state: Handle, value: Handle, *instead: Handle) -> None:
        """Attach ``value`` as the next value of ``state``; raises ``ShapeError`` when the types differ.

        A program that lacks inputs of ``value`` takes the first of ``instead`` that needs no others.
        """
        try:
            self._own((state, value, *instead))
        except GraphError as error:
            raise error.located("set_update", self.here().place) from None
        if self.nodes[state.id].op != "state":
            raise GraphError(
                f"it is a {self.nodes[state.id].op}, not a state; update it with updates= of gc.compile"
            ).located(state.label, state.place)
        for each in (value, *instead):
            check_update(state, each)
        self.state_updates[state.id], self.stand_ins[state.id] = value.id, tuple(each.id for each in instead)

    uniform, normal, bernoulli = draws.uniform, draws.normal, draws.bernoulli

    def _leaf(self, op: str, name: str, shape: Any, dtype: Any) -> Handle:
        try:
            kind = Type(DType.of(dtype), as_shape(shape))
            self._claim(name)
        except GraphcError as error:
            raise error.located(f"{op} {name!r}", self.here().place) from None
        handle = self._append(op, (), (("name", name),), kind)
        self._named[name] = handle.id
        self.claim_layer(name.rpartition(".")[0])
        return handle

    def _full_name(self, name: Any) -> Any:
        """``name`` behind the layer's; what is no text is left for ``_leaf`` to refuse."""
        if not isinstance(name, str):
            return name
        return "/".join(filter(None, (self._context.layer, name))).replace("/", ".")

    def _stored(self, op: str, name: str, shape: Any, dtype: Any, init: Any) -> Handle:
        full = self._full_name(name)
        try:
            init = initialiser(init)
            if init is not None and not callable(init):
                as_data(init)
            fixed = fixed_shape(shape, init)
        except GraphcError as error:
            raise error.located(f"{op} {full!r}", self.here().place) from None
        handle = self._leaf(op, full, fixed, dtype)
        self.initial[handle.id] = init
        return handle

    def _claim(self, name: Any) -> None:
        if not isinstance(name, str) or not name:
            raise GraphError(f"name {name!r} is not a non-empty text; give one")
        if name in self._named:
            first = self.origins(self._named[name])
            raise GraphError(
                f"name {name!r} is used already ({first[0].short if first else 'above'}); choose another name"
            )

    # ---------------------------------------------------------------------------------------------- adding

    def add(self, op: str, operands: Sequence[Handle] = (), **params: Any) -> Handle:
        """Append the node ``op(*operands, **params)``, or return the equal one that stands already.

        The only writer: infers the type at once, so that a misfit is raised on the user's own line.
        Raises ``GraphError`` for unknown ops and foreign operands, ``ShapeError`` and ``DTypeError`` for misfits.
        """
        home = self.innermost(operands)
        if home is not self:
            return home.add(op, operands, **params)
        checks = Checks()
        try:
            operands = self._own(operands)
            declared = registry.lookup(op)
            kind = declared.infer(checks, [o.type for o in operands], params)
            handle = self._append(op, tuple(o.id for o in operands), tuple(sorted(params.items())), kind)
        except GraphcError as error:
            raise error.located(self._where(op), self.here().place) from None
        self.required.extend(Required(e, handle.id) for e in checks.equations)
        return handle

    def constant(self, value: Constant) -> Handle:
        """The node of a constant that passes need; unlike ``const`` it may hold NaN and infinities."""
        return self._append("const", (), (("value", value),), Type(value.dtype, value.shape))

    def copy_leaf(self, node: Node, source: Graph, at: int) -> Handle:
        """Append a leaf of another graph with its name and initial value."""
        handle = self._append(node.op, (), node.params, node.type)
        if "name" in node.param:
            self._named[node.param["name"]] = handle.id
        if at in source.initial:
            self.initial[handle.id] = source.initial[at]
        return handle

    def _append(
        self, op: str, operands: tuple[int, ...], params: tuple[tuple[str, Any], ...], kind: Type
    ) -> Handle:
        key = key_of(op, operands, params, kind.dtype)
        at = self._index.get(key)
        self.reused += at is not None and op not in LEAVES
        if at is None:
            at = self._index[key] = self._insert(Node(op, operands, params, kind))
        self._origins[at][self.here()] = None
        return self._handles[at]

    def _insert(self, node: Node) -> int:
        at = len(self.nodes)
        self.nodes.append(node)
        self._origins.append({})
        self._handles.append(Handle(self, at))
        params = dict(node.params)
        if "stream" in params:
            self.outermost.streams.add(params["stream"])
        self._dag.add_node(at, op=node.op, type=str(node.type), **params)
        for position, operand in enumerate(node.operands):
            self._dag.add_edge(operand, at, key=position, operand=position)
        return at

    def _own(self, operands: Iterable[Any]) -> list[Handle]:
        return [self.brought(operand) for operand in operands]

    def brought(self, operand: Any) -> Handle:
        """``operand`` as a node of this graph: itself, or, in the step of a loop, what stands for it there."""
        if getattr(operand, "graph", None) is self:
            return operand
        if self.around is not None and isinstance(operand, Handle):
            return self.around.bring(operand)
        raise GraphError(f"{operand!r} is not a node of graph {self.name!r}; build both in one graph")

    def innermost(self, operands: Sequence[Handle]) -> Graph:
        """This graph, or the step of a loop inside it to which one of ``operands`` belongs."""
        graphs = (o.graph for o in operands if getattr(o, "graph", self) is not self)
        return next((graph for graph in graphs if graph.is_inside(self)), self)

    def is_inside(self, other: Graph) -> bool:
        """Whether this is the step of a loop that is being declared in ``other``, at any depth."""
        return self.around is not None and (self.around.graph is other or self.around.graph.is_inside(other))

    @property
    def outermost(self) -> Graph:
        """The graph that holds parameters: this, or the one around all loops that are being declared."""
        return self if self.around is None else self.around.graph.outermost

    def _where(self, op: str) -> str:
        return f"{self._context.layer} ({op})" if self._context.layer else op

    # ---------------------------------------------------------------------------------- who declared what

    @contextmanager
    def scope(self, layer: str) -> Generator[None]:
        """Name the layer of the nodes declared inside; scopes nest as ``outer/inner``."""
        with self._within(replace(self._context, layer="/".join(filter(None, (self._context.layer, layer))))):
            yield

    def claim_layer(self, path: str) -> None:
        """Note that there is a layer called ``path``, and so those around it; written with ``/`` or ``.``."""
        path = path.replace("/", ".")
        while path and path not in self._layers:
            self._layers.add(path)
            path = path.rpartition(".")[0]

    def has_layer(self, path: str) -> bool:
        """Whether a layer, or part of the name of a value, is called ``path``."""
        return path.replace("/", ".") in self._layers

    @contextmanager
    def role(self, role: str) -> Generator[None]:
        """Say whether the nodes built inside belong to ``forward``, ``backward`` or ``update``."""
        with self._within(replace(self._context, role=role)):
            yield

    @contextmanager
    def on_behalf_of(self, origins: Sequence[Origin]) -> Generator[None]:
        """Build nodes in the name of the declaration that they were derived from."""
        first = origins[0] if origins else self._context
        with self._within(replace(first, role=self._context.role)):
            yield

    @contextmanager
    def _within(self, context: Origin) -> Generator[None]:
        before, self._context = self._context, context
        try:
            yield
        finally:
            self._context = before

    def here(self) -> Origin:
        """The origin of a node declared now."""
        if self._context.file:
            return self._context
        file, line = user_line()
        return replace(self._context, file=file, line=line)

    def origins(self, at: int) -> list[Origin]:
        """Where the user declared node ``at``: one entry a declaration."""
        return list(self._origins[at])

    def inherit(self, at: int, origins: Iterable[Origin]) -> None:
        """Give node ``at`` the origins of what it stands for."""
        self._origins[at] = {**dict.fromkeys(origins), **self._origins[at]}

    # --------------------------------------------------------------------------------------------- reading

    def __len__(self) -> int:
        return len(self.nodes)

    def handle(self, at: int) -> Handle:
        """The handle of node ``at``."""
        return self._handles[at]

    def __getitem__(self, name: str) -> Handle:
        """The input, parameter or state called ``name``; raises ``GraphError`` when there is none."""
        if name not in self._named:
            known = ", ".join(self._named) or "none"
            raise GraphError(f"graph {self.name!r} has no input, parameter or state {name!r}; it has {known}")
        return self._handles[self._named[name]]

    @property
    def named(self) -> Mapping[str, int]:
        return dict(self._named)

    def leaves(self, op: str) -> list[Handle]:
        """All leaves of kind ``op`` (``input``, ``param``, ``state``, ``const``) in order of declaration."""
        return [self._handles[i] for i, node in enumerate(self.nodes) if node.op == op]

    @property
    def params(self) -> list[Handle]:
        return self.leaves("param")

    @property
    def nx(self) -> Any:
        """The ``networkx.MultiDiGraph`` itself, as a read-only view: edges are keyed by operand position."""
        return self._dag.copy(as_view=True)

    def ancestors(
        self, roots: Iterable[int], operands: Callable[[int], Iterable[int]] | None = None
    ) -> list[int]:
        """``roots`` and all that they depend on, in topological order; ``operands`` may say what a node reads."""
        seen: set[int] = set()
        stack = list(roots)
        while stack:
            at = stack.pop()
            if at not in seen:
                seen.add(at)
                stack.extend(self.nodes[at].operands if operands is None else operands(at))
        return sorted(seen)

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same nodes in the same order and the same state updates."""
        if not isinstance(other, Graph):
            return NotImplemented
        updates = self.state_updates == other.state_updates and self.stand_ins == other.stand_ins
        return updates and self.nodes == other.nodes

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __str__(self) -> str:
        from graphc.graph.text import print_graph  # which reads texts into graphs, so it stands below

        return print_graph(self)

    def __repr__(self) -> str:
        return f"<Graph {self.name!r}: {len(self.nodes)} nodes>"


__all__ = ["LEAVES", "Graph", "Required"]
