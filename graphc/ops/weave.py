"""Pieces interleaved along axes, and the slices that take them apart."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from graphc import registry
from graphc.errors import ShapeError
from graphc.loops import Axis, Expr, Load, Loop, call
from graphc.ops.rules import everywhere, expect, extent, times, wants
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Dim, Type, shape_text

_N = symbol("N")


def _infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    steps, shape = params["steps"], params["shape"]
    expect(types, math.prod(steps), params, "steps", "shape")
    for kind, residues in zip(types, _residues(steps), strict=True):
        if kind.dtype is not types[0].dtype or kind.rank != len(shape):
            raise ShapeError(f"operands are {types[0]} and {kind}; give pieces of {shape_text(shape)}")
        for k, residue in enumerate(residues):
            checks.equal(kind.shape[k], _share(shape[k], residue, steps[k]), f"axis {k} of a piece")
    return Type(types[0].dtype, tuple(shape))


def _residues(steps: Sequence[int]) -> Iterator[tuple[int, ...]]:
    return itertools.product(*map(range, steps))


def _share(size: Dim, residue: int, step: int) -> Dim:
    return (size - residue + step - 1) // step


def _reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    result: Any = np.empty(cast("tuple[int, ...]", kind.shape), kind.dtype.numpy)
    for piece, residues in zip(operands, _residues(params["steps"]), strict=True):
        result[tuple(slice(r, None, s) for r, s in zip(residues, params["steps"], strict=True))] = piece
    return result


def _loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    """The piece is chosen by a balanced tree of comparisons of its number."""
    steps = params["steps"]
    number: Expr | None = None
    for k, step in enumerate(steps):
        if step != 1:
            residue = call("mod", Axis(k), extent(step))
            number = residue if number is None else call("add", times(number, step), residue)
    index = tuple(Axis(k) if s == 1 else call("floordiv", Axis(k), extent(s)) for k, s in enumerate(steps))

    def chosen(first: int, last: int) -> Expr:
        if last - first == 1:
            return Load(first, index, kind.dtype)
        middle = (first + last) // 2
        assert number is not None
        return call("guard", call("lt", number, extent(middle)), chosen(first, middle), chosen(middle, last))

    return (Loop(axes=kind.shape, expr=chosen(0, len(types)), dtype=kind.dtype),)


def _vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    steps, shape = app.params["steps"], app.params["shape"]
    return [
        b("slice", cotangent, start=residues, stop=tuple(shape), step=tuple(steps)) if wants(app, k) else None
        for k, residues in enumerate(_residues(steps))
    ]


def _jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    filled = [b.zeros(o.type) if t is None else t for t, o in zip(tangents, app.operands, strict=True)]
    return b("weave", *filled, **app.params)


def _batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    pieces = everywhere(b, app, batched)
    return b(
        "weave", *pieces, steps=(1, *app.params["steps"]), shape=(pieces[0].shape[0], *app.params["shape"])
    )


registry.register(
    Op(
        name="weave",
        infer=_infer,
        reference=_reference,
        loops=_loops,
        vjp=_vjp,
        jvp=_jvp,
        batch=_batch,
        label=lambda x, p: f"weave({', '.join(x)}, {shape_text(p['steps'])})",
        samples=tuple(
            Sample(shapes=pieces, params={"steps": steps, "shape": shape})
            for pieces, steps, shape in [
                (((2,), (2,)), (2,), (4,)),
                (((2,), (1,), (1,)), (3,), (4,)),
                (((_N, 2), (_N, 1)), (1, 2), (_N, 3)),
                (((2, 2), (2, 1), (1, 2), (1, 1)), (2, 2), (3, 3)),
                (((3,),), (1,), (3,)),
                (((1,), (0,)), (2,), (1,)),
            ]
        ),
        doc="Pieces interleaved along axes: element i of an axis with step s is element i // s of the piece i % s.",
    )
)
