"""Which steps of a batch of sequences take part: by length, or by a mask."""

from __future__ import annotations

from typing import Any

from graphc.errors import DTypeError, ShapeError
from graphc.graph import Graph, Handle, call, lift
from graphc.types import DType, Shape, definitely_unequal, shape_text


def taking_part(graph: Graph, shape: Shape, lengths: Any, mask: Any) -> Handle | None:
    """Bool of ``shape`` (N, T), true where a step takes part; None where all of them do.

    ``lengths`` are integers (N,) from 0 to T: the first so many steps; others are refused at the call. ``mask`` is
    bool (N, T). Given both, a step takes part by
    both. Raises ``ShapeError`` and ``DTypeError`` for misfits.
    """
    found = [] if lengths is None else [_within(graph, shape, lengths)]
    if mask is not None:
        found.append(_checked(lift(graph, mask), "mask", shape))
        if found[-1].dtype is not DType.BOOL:
            raise DTypeError(f"mask is {found[-1].dtype}; give bool, true where a step takes part")
    return None if not found else found[0] if len(found) == 1 else found[0] & found[1]


def _within(graph: Graph, shape: Shape, lengths: Any) -> Handle:
    lengths = _checked(lift(graph, lengths), "lengths", shape[:1])
    if not lengths.dtype.is_int:
        raise DTypeError(f"lengths are {lengths.dtype}; give int32 or int64")
    steps = call("arange", graph, shape[1], DType.I32)
    first = steps < call("expand_dims", call("arange", graph, shape[1] + 1, DType.I32), 1)  # (T + 1, T)
    return graph.add("take", (first, lengths), axis=0, wrap=False)  # which refuses lengths that there are not


def _checked(value: Handle, what: str, shape: Shape) -> Handle:
    if value.ndim != len(shape) or any(map(definitely_unequal, value.shape, shape)):
        raise ShapeError(f"{what} of shape {shape_text(value.shape)}; give shape {shape_text(shape)}")
    return call("broadcast_to", value, shape)


__all__ = ["taking_part"]
