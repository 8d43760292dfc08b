"""What the structured ops share: checks of operands and parameters, index arithmetic, pieces of their
rules."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from graphc.errors import DTypeError, GraphcError, GraphError, ShapeError
from graphc.graph import Graph, Handle, graph_of, meet, public
from graphc.graph.node import user_line
from graphc.loops import Axis, Const, Expr, Extent, Loop, call
from graphc.registry import Application, Params
from graphc.types import (
    Checks,
    Dim,
    DType,
    Shape,
    Type,
    normalise_axes,
    normalise_axis,
)

P = ParamSpec("P")
R = TypeVar("R")
Infer = Callable[[Checks, Sequence[Type], Params], Type]
Loops = Callable[[Sequence[Type], Type, Params], tuple[Loop, ...]]
Vjp = Callable[[Any, Application, Any], Sequence[Any]]
Jvp = Callable[[Any, Application, Sequence[Any]], Any]
Batch = Callable[[Any, Application, Sequence[bool]], Any]
Text = Callable[[Sequence[str], Params], str]

# ------------------------------------------------------------------------------------------ user functions


def function(body: Callable[P, R]) -> Callable[P, R]:
    """Make ``body`` a user function: errors of its own name it, its layer and the user's line."""
    name = body.__name__.removesuffix("_")

    @functools.wraps(body)
    def located(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return body(*args, **kwargs)
        except GraphcError as error:
            where, place = _position(name, args)
            raise error.located("" if str(error).startswith(f"{name}: ") else where, place) from None

    return public(located)


def _position(name: str, args: Sequence[Any]) -> tuple[str, str]:
    graph = next(filter(None, (_graph_in(a) for a in args)), None)
    if graph is None:
        file, line = user_line()
        return name, f'File "{file}", line {line}'
    here = graph.here()
    return (f"{here.layer} ({name})" if here.layer else name), here.place


def _graph_in(value: Any) -> Graph | None:
    first = value[0] if isinstance(value, (list, tuple)) and value else value  # pyright: ignore[reportUnknownVariableType]
    return first if isinstance(first, Graph) else getattr(first, "graph", None)  # pyright: ignore[reportUnknownArgumentType]


def node(op: str, x: Any) -> Handle:
    """``x``, which must be a node of a graph."""
    graph_of((x,), op)
    return x


def floating(op: str, x: Any) -> Handle:
    """``x`` as a node; integers and booleans become float32."""
    return meet(op, (x,), floating=True)[0]


def is_integer(value: Any) -> bool:
    """Whether ``value`` is an int, of Python or NumPy."""
    return isinstance(value, (int, np.integer))


def is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def listed(value: Any) -> list[Any]:
    """The items of a list or tuple, or the one that stands alone."""
    return list(value) if is_list(value) else [value]


# ------------------------------------------------------------------------------------------------- checks


def expect(types: Sequence[Type], count: int, params: Params, *names: str) -> None:
    """Raise ``GraphError`` unless there are ``count`` operands and exactly the parameters ``names``."""
    if len(types) != count:
        raise GraphError(f"{len(types)} operands are given; give {count}")
    if set(params) != set(names):
        raise GraphError(f"parameters are ({', '.join(sorted(params))}); give ({', '.join(names)})")


def checked_axes(axes: Any, rank: int) -> tuple[int, ...]:
    """``axes`` of a node: distinct, counted from 0, ascending."""
    if axes is None or axes != normalise_axes(axes, rank):
        raise ShapeError(
            f"axes {axes} of a node must be a tuple, ascending and counted from 0; give "
            f"{normalise_axes(axes, rank)}"
        )
    return axes


def checked_axis(axis: Any, rank: int) -> int:
    """``axis`` of a node: counted from 0."""
    if axis != normalise_axis(axis, rank):
        raise ShapeError(f"axis {axis} of a node must be counted from 0; give {normalise_axis(axis, rank)}")
    return axis


def per_axis(values: Any, rank: int, what: str) -> tuple[Any, ...]:
    """A parameter that holds one value an axis."""
    if not isinstance(values, tuple) or len(values) != rank:  # pyright: ignore[reportUnknownArgumentType]
        raise ShapeError(f"{what} is {values} for rank {rank}; give a tuple of {rank} values")
    return values  # pyright: ignore[reportUnknownVariableType]


def integers(kind: Type, what: str = "indices") -> None:
    if not kind.dtype.is_int:
        raise DTypeError(f"{what} are {kind.dtype}; give int32 or int64")


# --------------------------------------------------------------------------------------- index arithmetic


def extent(dim: Dim) -> Expr:
    """A size as an index expression."""
    return Const(dim, DType.I64) if isinstance(dim, int) else Extent(dim)


def plus(index: Expr, offset: Dim) -> Expr:
    return index if offset == 0 else call("add", index, extent(offset))


def times(index: Expr, factor: Dim) -> Expr:
    return index if factor == 1 else call("mul", index, extent(factor))


def minus(dim: Dim, index: Expr) -> Expr:
    return call("sub", extent(dim), index)


def wrapped(index: Expr, size: Dim) -> Expr:
    """``index`` counted from the end where it is negative, as an int64."""
    return call("select", call("lt", index, Const(0, DType.I64)), plus(index, size), index)


def axes_from(start: int, count: int) -> tuple[Expr, ...]:
    return tuple(Axis(start + k) for k in range(count))


# ---------------------------------------------------------------------------------------- pieces of rules


def reduced(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """``shape`` without ``axes``, or with size 1 there."""
    if keepdims:
        return tuple(1 if k in axes else d for k, d in enumerate(shape))
    return tuple(d for k, d in enumerate(shape) if k not in axes)


def no_gradient(b: Any, app: Application, cotangent: Any) -> list[Any]:
    """The vjp of ops whose result is not a float."""
    return [None] * len(app.operands)


def no_tangent(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    return None


def wants(app: Application, position: int) -> bool:
    return not app.wanted or app.wanted[position]


def total(b: Any, terms: Sequence[Any]) -> Any:
    """The sum of the terms that are not None, which stands for zero."""
    found = None
    for term in terms:
        found = term if found is None else found if term is None else b("add", found, term)
    return found


def size_value(b: Any, dim: Dim, dtype: DType) -> Any:
    """A size as a scalar node."""
    return b.constant(dim, Type(dtype)) if isinstance(dim, int) else b("extent", size=dim, dtype=dtype.long)


def batch_size(app: Application, batched: Sequence[bool]) -> Dim:
    return next(o.shape[0] for o, flag in zip(app.operands, batched, strict=True) if flag)


def everywhere(b: Any, app: Application, batched: Sequence[bool]) -> list[Any]:
    """The operands with the batch axis in all of them: the others are repeated along it."""
    size = batch_size(app, batched)
    return [
        o if flag else b("broadcast_to", o, shape=(size, *o.shape))
        for o, flag in zip(app.operands, batched, strict=True)
    ]


def moved(b: Any, value: Any, perm: Sequence[int]) -> Any:
    """``value`` transposed, itself where nothing moves."""
    return value if tuple(perm) == tuple(range(len(perm))) else b("transpose", value, perm=tuple(perm))


def reshaped(b: Any, value: Any, shape: Shape) -> Any:
    return value if value.shape == shape else b("reshape", value, shape=shape)


def inverse(perm: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(range(len(perm)), key=perm.__getitem__))


def axes_text(axes: Sequence[int], keepdims: bool = False) -> str:
    """``axes`` as NumPy's arguments."""
    axis = str(axes[0]) if len(axes) == 1 else str(tuple(axes))
    return f"axis={axis}{', keepdims=True' if keepdims else ''}"
