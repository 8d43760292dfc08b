"""Handles: what a user holds. Operators resolve ops by name; Python scalars are weak; dtypes meet by promotion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc import registry
from graphc.errors import DTypeError, GraphcError, GraphError
from graphc.graph.node import Constant, Node
from graphc.types import DType, Shape, Type, promote, weak

if TYPE_CHECKING:
    from graphc.graph.core import Graph


class Handle:
    """A node of a graph, with NumPy's operators. Hashes by identity; ``==`` builds a comparison node."""

    __slots__ = ("graph", "id")

    def __init__(self, graph: Graph, at: int) -> None:
        self.graph = graph
        self.id = at

    @property
    def node(self) -> Node:
        return self.graph.nodes[self.id]

    @property
    def type(self) -> Type:
        return self.node.type

    @property
    def shape(self) -> Shape:
        return self.node.type.shape

    @property
    def dtype(self) -> DType:
        return self.node.type.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def operands(self) -> tuple[Handle, ...]:
        return tuple(self.graph.handle(i) for i in self.node.operands)

    @property
    def name(self) -> str:
        """The declared name of an input, parameter or state; ``""`` otherwise."""
        return str(self.node.param.get("name", ""))

    @property
    def label(self) -> str:
        """How errors and drawings call the node: its name, or its layer and op."""
        if self.name:
            return f"{self.node.op} {self.name!r}"
        layers = [o.layer for o in self.graph.origins(self.id) if o.layer]
        return f"{layers[0]} ({self.node.op})" if layers else f"{self.node.op} %{self.id}"

    @property
    def place(self) -> str:
        """The user's line that declared the node."""
        origins = self.graph.origins(self.id)
        return origins[0].place if origins else ""

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        raise GraphError(
            "a symbolic value is neither true nor false while the graph is built; use gc.where(condition, a, b)"
        ).located(self.label, self.place)

    def __iter__(self) -> Any:
        raise GraphError("a symbolic value cannot be iterated; index it, or use gc.split").located(
            self.label, self.place
        )

    def __len__(self) -> int:
        if self.shape and isinstance(self.shape[0], int):
            return self.shape[0]
        raise GraphError("a value with no fixed first size has no len(); use its .shape").located(
            self.label, self.place
        )

    def __repr__(self) -> str:
        return f"<%{self.id}: {self.type} = {self.label}>"

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **options: Any) -> Handle:
        """NumPy's operators with an array on the left, and its elementwise functions, are those of graphc."""
        name = _OF_NUMPY.get(ufunc.__name__, ufunc.__name__)
        if method == "__call__" and not options and name in FUNCTIONS:
            return call(name, *operands)
        raise GraphError(
            f"np.{ufunc.__name__} does not apply to a node in this form; "
            "use a function of graphc, or gc.interpret for a value"
        ).located(self.label, self.place)

    def __getitem__(self, key: Any) -> Handle:
        return call("index", self, key)

    def __add__(self, other: Any) -> Handle:
        return call("add", self, other)

    def __radd__(self, other: Any) -> Handle:
        return call("add", other, self)

    def __sub__(self, other: Any) -> Handle:
        return call("sub", self, other)

    def __rsub__(self, other: Any) -> Handle:
        return call("sub", other, self)

    def __mul__(self, other: Any) -> Handle:
        return call("mul", self, other)

    def __rmul__(self, other: Any) -> Handle:
        return call("mul", other, self)

    def __truediv__(self, other: Any) -> Handle:
        return call("div", self, other)

    def __rtruediv__(self, other: Any) -> Handle:
        return call("div", other, self)

    def __floordiv__(self, other: Any) -> Handle:
        return call("floordiv", self, other)

    def __rfloordiv__(self, other: Any) -> Handle:
        return call("floordiv", other, self)

    def __mod__(self, other: Any) -> Handle:
        return call("mod", self, other)

    def __rmod__(self, other: Any) -> Handle:
        return call("mod", other, self)

    def __pow__(self, other: Any) -> Handle:
        return call("pow", self, other)

    def __rpow__(self, other: Any) -> Handle:
        return call("pow", other, self)

    def __matmul__(self, other: Any) -> Handle:
        return call("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Handle:
        return call("matmul", other, self)

    def __neg__(self) -> Handle:
        return call("neg", self)

    def __pos__(self) -> Handle:
        return self

    def __abs__(self) -> Handle:
        return call("abs", self)

    def __lt__(self, other: Any) -> Handle:
        return call("lt", self, other)

    def __le__(self, other: Any) -> Handle:
        return call("le", self, other)

    def __gt__(self, other: Any) -> Handle:
        return call("gt", self, other)

    def __ge__(self, other: Any) -> Handle:
        return call("ge", self, other)

    def __eq__(self, other: Any) -> Handle:  # pyright: ignore[reportIncompatibleMethodOverride]
        return call("eq", self, other)

    def __ne__(self, other: Any) -> Handle:  # pyright: ignore[reportIncompatibleMethodOverride]
        return call("ne", self, other)

    def __and__(self, other: Any) -> Handle:
        return call("logical_and", self, other)

    def __or__(self, other: Any) -> Handle:
        return call("logical_or", self, other)

    def __xor__(self, other: Any) -> Handle:
        return call("logical_xor", self, other)

    def __invert__(self) -> Handle:
        return call("logical_not", self)

    @property
    def T(self) -> Handle:  # noqa: N802 - NumPy's name
        """The transpose: axes reversed."""
        return call("transpose", self)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Handle:
        return call("sum", self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Handle:
        return call("mean", self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Handle:
        return call("max", self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Handle:
        return call("min", self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: Any) -> Handle:
        return call("reshape", self, shape[0] if len(shape) == 1 else shape)

    def astype(self, dtype: Any) -> Handle:
        return call("cast", self, dtype)


FUNCTIONS: dict[str, Any] = {}
# What NumPy's ufuncs are called here, where the names differ.
_OF_NUMPY = {
    "absolute": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan",
    "arctan2": "atan2", "arctanh": "atanh", "divide": "div", "equal": "eq", "floor_divide": "floordiv",
    "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "multiply": "mul", "negative": "neg",
    "not_equal": "ne", "power": "pow", "remainder": "mod", "subtract": "sub",
    "bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_xor": "logical_xor",
}  # fmt: skip


def public(function: Any) -> Any:
    """Enter a user function into the table from which operators and the package's namespace are served."""
    FUNCTIONS[function.__name__.removesuffix("_")] = function
    return function


def call(name: str, *args: Any, **options: Any) -> Handle:
    return FUNCTIONS[name](*args, **options)


class Build:
    """The builder that derivative and batching rules are handed: appends nodes by op name.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> b = Build(g)
    >>> b("mul", g.input("x"), b.constant(2.0, g["x"].type)).type.dtype
    float32
    """

    __slots__ = ("graph",)

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __call__(self, op: str, /, *operands: Handle, **params: Any) -> Handle:
        return self.graph.add(op, operands, **params)

    def constant(self, value: float, like: Type) -> Handle:
        """A scalar constant of the dtype of ``like``."""
        return self.graph.constant(Constant.of(value, like.dtype))

    def zeros(self, like: Type) -> Handle:
        return self.filled(0, like)

    def filled(self, value: float, like: Type) -> Handle:
        return (
            self("broadcast_to", self.constant(value, like), shape=like.shape)
            if like.shape
            else self.constant(value, like)
        )

    def spread(self, value: Handle, shape: Shape) -> Handle:
        """``value`` broadcast to ``shape``; itself where it has it."""
        return value if value.shape == shape else self("broadcast_to", value, shape=shape)

    def fit(self, value: Handle, shape: Shape) -> Handle:
        """``value`` summed over the axes along which ``shape`` was broadcast to it: the adjoint of broadcasting."""
        lead = value.ndim - len(shape)
        stretched = [lead + k for k, d in enumerate(shape) if d == 1 and value.shape[lead + k] != 1]
        if stretched:
            value = self("sum", value, axes=tuple(stretched), keepdims=True)
        if lead:
            value = self("sum", value, axes=tuple(range(lead)), keepdims=False)
        return value


def graph_of(values: Sequence[Any], op: str = "") -> Graph:
    """The one graph that the handles among ``values`` belong to; raises ``GraphError`` for none or several."""
    graphs = {id(v.graph): v.graph for v in values if isinstance(v, Handle)}
    for graph in graphs.values():  # the only one, or the step of a loop inside all others
        if all(graph is other or graph.is_inside(other) for other in graphs.values()):
            return graph
    if not graphs:
        raise GraphError("no operand is a node of a graph; start from g.input, g.param or g.const").located(
            op
        )
    names = " and ".join(repr(g.name) for g in graphs.values())
    here = next(iter(graphs.values())).here().place
    raise GraphError(f"operands belong to graphs {names}; build them in one graph").located(op, here)


def key_text(key: Any) -> str:
    """What a key of ``{name: node}`` is called; a node, as in ``gc.grad``'s answer, by its own name or number."""
    return (key.name or f"%{key.id}") if isinstance(key, Handle) else str(key)


def lift(graph: Graph, value: Any, like: DType | None = None) -> Handle:
    """``value`` as a node: a handle itself, a Python scalar as a weak constant, an array as a constant."""
    if isinstance(value, Handle):
        return graph.brought(value) if graph.around is not None else value
    if isinstance(value, (bool, int, float)):
        return _weak_constant(graph, value, weak(value, like))
    return graph.as_constant(value)


def _weak_constant(graph: Graph, value: float, dtype: DType) -> Handle:
    if (
        not dtype.is_float
        and isinstance(value, int)
        and not -(2 ** (8 * dtype.itemsize - 1)) <= value < 2 ** (8 * dtype.itemsize - 1)
    ):
        raise DTypeError(f"{value} does not fit {dtype}; use a float or a smaller number").located(
            "const", graph.here().place
        )
    return graph.as_constant(value, dtype)


def meet(op: str, values: Sequence[Any], *, floating: bool = False) -> list[Handle]:
    """``values`` as nodes of one dtype by promotion, casts inserted; ``floating`` lifts integers to float32."""
    graph = graph_of(values, op)
    try:
        strong = [
            v.dtype if isinstance(v, Handle) else DType.of(v.dtype)  # pyright: ignore[reportUnknownMemberType]
            for v in values
            if isinstance(v, (Handle, np.ndarray, np.generic))
        ]
        handles = [lift(graph, v, promote(strong)) for v in values]
    except GraphcError as error:
        raise error.located(op, graph.here().place) from None
    common = promote([*strong, *(h.dtype for h in handles), *([DType.F32] if floating else [])])
    return [cast_to(h, common) for h in handles]


def cast_to(value: Handle, dtype: DType) -> Handle:
    """``value`` in ``dtype``; a constant is converted now, anything else by a cast node."""
    if value.dtype is dtype:
        return value
    if value.node.is_const and not value.shape:
        return value.graph.constant(Constant.of(value.node.param["value"].array, dtype))
    return value.graph.add("cast", (value,), dtype=dtype.long)


def apply(op: str, *values: Any, **params: Any) -> Handle:
    """``op`` applied to values of any kind, lifted and promoted: the body of every elementwise user function."""
    return registry_apply(registry.lookup(op), values, params)


def registry_apply(op: registry.Op, values: Sequence[Any], params: dict[str, Any]) -> Handle:
    scalar = op.scalar
    handles = scalar.lift(values) if scalar is not None else meet(op.name, values)
    return handles[0].graph.add(op.name, handles, **params)
