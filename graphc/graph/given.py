"""What users hand to a graph: data of constants, shapes and first values of parameters."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import numpy as np

from graphc.errors import DTypeError, GraphError, ShapeError
from graphc.types import DType, Shape, as_shape, shape_text

if TYPE_CHECKING:
    from graphc.graph.handle import Handle

# Initialisers by name, which ``graphc.init`` enters.
INITIALISERS: dict[str, Any] = {}


def initialiser(init: Any) -> Any:
    """``init``, looked up where it is a name; raises ``GraphError`` for an unknown one and for a node."""
    if getattr(init, "graph", None) is not None:
        todo = "give an array or an initialiser, or read the node itself where a weight is shared"
        raise GraphError(f"init={init!r} is a node; {todo}")
    if not isinstance(init, str) or init in INITIALISERS:
        return INITIALISERS[init] if isinstance(init, str) else init
    near = difflib.get_close_matches(init[:100], INITIALISERS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(INITIALISERS)}"
    raise GraphError(f"there is no initialiser {init!r}; {hint}")


def as_data(value: Any) -> Any:
    """``value`` as an array of bools or real numbers; raises ``DTypeError`` for anything else."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        given = (
            f"an array of {array.dtype}" if isinstance(value, (np.ndarray, np.generic)) else repr(value)[:60]
        )
        raise DTypeError(f"{given} is no data; give a node, a real number or an array of them")
    return array


def dtype_of_constant(value: Any, array: Any) -> DType:
    if isinstance(value, (np.ndarray, np.generic)):
        return DType.of(array.dtype)
    return {"b": DType.BOOL, "i": DType.I64, "f": DType.F32}.get(array.dtype.kind) or DType.of(array.dtype)


def fixed_shape(declared: Any, init: Any) -> Shape:
    """The shape of a parameter or state: ints, and those of ``init`` where that is an array."""
    if declared is None and (init is None or callable(init)):
        raise ShapeError("a shape is missing; give shape=")
    shape = as_shape(np.shape(init) if declared is None else declared)
    if not all(isinstance(d, int) for d in shape):
        raise ShapeError(f"shape {shape_text(shape)} has a symbolic size; give ints")
    given = np.shape(init) if isinstance(init, (np.ndarray, list, tuple)) else shape  # pyright: ignore[reportUnknownArgumentType]
    if given != shape:
        raise ShapeError(f"init has shape {given} and the declaration {shape_text(shape)}; make them equal")
    return shape


def brief(array: Any) -> str:
    return str(array) if array.size <= 6 else f"of shape {array.shape}"


def check_update(target: Handle, value: Handle) -> None:
    """Raise ``ShapeError`` or ``DTypeError`` when ``value`` cannot replace ``target`` in place."""
    if value.shape != target.shape:
        raise ShapeError(
            f"update has shape {shape_text(value.shape)} and the value it replaces "
            f"{shape_text(target.shape)}; make them equal"
        ).located(target.label, target.place)
    if value.dtype is not target.dtype:
        raise DTypeError(
            f"update is {value.dtype} and the value it replaces {target.dtype}; cast it with gc.cast"
        ).located(target.label, target.place)


__all__ = [
    "INITIALISERS",
    "as_data",
    "brief",
    "check_update",
    "dtype_of_constant",
    "fixed_shape",
    "initialiser",
]
