"""Layout: ops that move elements and compute nothing. Every one is an index map, and its adjoint is
another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import ShapeError
from graphc.loops import Axis, Const, Expr, Load, Loop, broadcast_load, call, identity
from graphc.ops.rules import (
    Batch,
    Infer,
    Jvp,
    Text,
    Vjp,
    checked_axes,
    everywhere,
    expect,
    extent,
    inverse,
    minus,
    per_axis,
    reshaped,
    times,
)
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Dim, DType, Shape, Type, definitely_equal, product, shape_text

_N = symbol("N")


def _again(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    """The jvp of a linear op: the op on the tangent."""
    return b(app.output.node.op, tangents[0], **app.params)


def move(
    name: str,
    infer: Infer,
    reference: Callable[[Any, Params, Any], Any],
    load: Callable[[Type, Type, Params], Expr],
    *,
    vjp: Vjp,
    batch: Batch,
    jvp: Jvp = _again,
    label: Text | None = None,
    latex: Text | None = None,
    view: bool = False,
    samples: tuple[Sample, ...],
    doc: str,
) -> Op:
    """Register an op of one operand, each of whose elements is a load."""

    def loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
        return (Loop(axes=kind.shape, expr=load(types[0], kind, params), dtype=kind.dtype),)

    def plain(texts: Sequence[str], params: Params) -> str:
        return f"{name}({texts[0]}, {_params_text(params)})"

    op = Op(
        name=name,
        infer=infer,
        reference=lambda xs, p, t: np.asarray(reference(xs[0], p, t.shape)),
        loops=loops,
        vjp=vjp,
        jvp=jvp,
        batch=batch,
        label=label or plain,
        latex=latex,
        view=view,
        samples=samples,
        doc=doc,
    )
    return registry.register(op)


def _params_text(params: Params) -> str:
    return ", ".join(f"{k}={shape_text(v) if isinstance(v, tuple) else v}" for k, v in params.items())  # pyright: ignore[reportUnknownArgumentType]


def samples(*cases: tuple[Any, dict[str, Any]]) -> tuple[Sample, ...]:
    return tuple(Sample(shapes=(shape,), params=params) for shape, params in cases)


# ------------------------------------------------------------------------------------------- broadcast_to


def _broadcast_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "shape")
    old, new = types[0].shape, params["shape"]
    if len(old) > len(new):
        raise ShapeError(
            f"shape {shape_text(old)} has more axes than {shape_text(new)}; give at least {len(old)}"
        )
    for dim, target in zip(old, new[len(new) - len(old) :], strict=True):
        if dim != 1:
            checks.equal(dim, target, f"broadcast of {shape_text(old)} to {shape_text(new)}")
    return Type(types[0].dtype, tuple(new))


def _broadcast_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    x, shape = app.operands[0], app.params["shape"]
    column = (x.shape[0], *([1] * (len(shape) - x.ndim + 1)), *x.shape[1:])
    return b("broadcast_to", reshaped(b, x, column), shape=(x.shape[0], *shape))


move(
    "broadcast_to",
    _broadcast_infer,
    lambda x, p, shape: np.broadcast_to(x, shape),
    lambda x, kind, p: broadcast_load(0, x.dtype, x.shape, kind.rank),
    vjp=lambda b, app, g: [b.fit(g, app.operands[0].shape)],
    batch=_broadcast_batch,
    samples=samples(
        ((), {"shape": ()}),
        ((), {"shape": (3,)}),
        ((3,), {"shape": (_N, 3)}),
        ((_N, 1), {"shape": (2, _N, 3)}),
        ((1,), {"shape": (0,)}),
        ((0, 1), {"shape": (0, 3)}),
        ((2, 1, 3), {"shape": (2, 4, 3)}),
        ((1, 1), {"shape": (1, 1)}),
    ),
    doc="The value repeated to a shape by NumPy's broadcasting rule.",
)

# ------------------------------------------------------------------------------------------------ reshape


def _reshape_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "shape")
    old, new = types[0].shape, params["shape"]
    checks.equal(product(old), product(new), f"element counts of {shape_text(old)} and {shape_text(new)}")
    return Type(types[0].dtype, tuple(new))


def reshape_index(old: Shape, new: Shape) -> tuple[Expr, ...]:
    """Where an element of the shape ``new`` lies in the shape ``old``.

    The axes fall into the finest groups of equal size, so that those which only gain or lose
    neighbours of size 1 stay plain axes; within a group the position is flattened and taken apart again.
    """
    inner, outer = [k for k, d in enumerate(old) if d != 1], [k for k, d in enumerate(new) if d != 1]
    index: list[Expr] = [Const(0, DType.I64)] * len(old)
    for mine, yours in _groups([old[k] for k in inner], [new[k] for k in outer]):
        flat = _flattened([(Axis(outer[k]), new[outer[k]]) for k in yours])
        for k, expr in zip(mine, _taken_apart(flat, [old[inner[k]] for k in mine]), strict=True):
            index[inner[k]] = expr
    return tuple(index)


def _groups(old: Sequence[Dim], new: Sequence[Dim]) -> list[tuple[range, range]]:
    """Cut both lists wherever the sizes before the cut multiply to the same."""
    found: list[tuple[range, range]] = []
    start, other = 0, 0
    for stop in range(1, len(old) + 1):
        size = product(old[start:stop])
        cut = next(
            (k for k in range(other + 1, len(new) + 1) if definitely_equal(product(new[other:k]), size)), None
        )
        if cut is not None:
            found.append((range(start, stop), range(other, cut)))
            start, other = stop, cut
    if start < len(old) or other < len(new):
        found.append((range(start, len(old)), range(other, len(new))))
    return found


def _flattened(axes: Sequence[tuple[Expr, Dim]]) -> Expr:
    flat: Expr = Const(0, DType.I64)
    for position, (axis, size) in enumerate(axes):
        flat = axis if position == 0 else call("add", times(flat, size), axis)
    return flat


def _taken_apart(flat: Expr, sizes: Sequence[Dim]) -> list[Expr]:
    found: list[Expr] = []
    for position, size in enumerate(sizes):
        inner = product(sizes[position + 1 :])
        expr = flat if inner == 1 else call("floordiv", flat, extent(inner))
        found.append(expr if position == 0 else call("mod", expr, extent(size)))
    return found


def _reshape_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    return b("reshape", app.operands[0], shape=(app.operands[0].shape[0], *app.params["shape"]))


move(
    "reshape",
    _reshape_infer,
    lambda x, p, shape: np.reshape(x, shape),
    lambda x, kind, p: Load(0, reshape_index(x.shape, kind.shape), x.dtype),
    vjp=lambda b, app, g: [b("reshape", g, shape=app.operands[0].shape)],
    batch=_reshape_batch,
    view=True,
    samples=samples(
        ((), {"shape": (1, 1)}),
        ((1,), {"shape": ()}),
        ((6,), {"shape": (2, 3)}),
        ((_N, 2, 3), {"shape": (_N, 6)}),
        ((2, 3, 4), {"shape": (4, 6)}),
        ((_N, 4), {"shape": (4 * _N,)}),
        ((_N, 3), {"shape": (_N, 1, 3)}),
        ((0, 3), {"shape": (3, 0)}),
        ((4, _N), {"shape": (2, 2, _N)}),
        ((2, _N), {"shape": (_N, 2)}),
        ((0, 4), {"shape": (0,)}),
        ((1, 3, 1), {"shape": (3,)}),
    ),
    doc="The same elements in the same order under another shape.",
)

# ---------------------------------------------------------------------------------------------- transpose


def _transpose_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 1, params, "perm")
    perm = per_axis(params["perm"], types[0].rank, "perm")
    if sorted(perm) != list(range(types[0].rank)):
        raise ShapeError(f"perm {perm} is no order of the axes; name each of 0 to {types[0].rank - 1} once")
    return Type(types[0].dtype, tuple(types[0].shape[int(k)] for k in perm))


move(
    "transpose",
    _transpose_infer,
    lambda x, p, shape: np.transpose(x, p["perm"]),
    lambda x, kind, p: Load(0, tuple(Axis(k) for k in inverse(p["perm"])), x.dtype),
    vjp=lambda b, app, g: [b("transpose", g, perm=inverse(app.params["perm"]))],
    batch=lambda b, app, flags: b(
        "transpose", app.operands[0], perm=(0, *(k + 1 for k in app.params["perm"]))
    ),
    label=lambda x, p: f"{x[0]}.T" if p["perm"] == (1, 0) else f"transpose({x[0]}, {p['perm']})",
    latex=lambda x, p: rf"{{{x[0]}}}^{{\top}}",
    samples=samples(
        ((), {"perm": ()}),
        ((3,), {"perm": (0,)}),
        ((_N, 3), {"perm": (1, 0)}),
        ((2, 3, 4), {"perm": (2, 0, 1)}),
        ((2, 0, 1), {"perm": (1, 0, 2)}),
    ),
    doc="The axes in another order.",
)

# --------------------------------------------------------------------------------------------------- flip


move(
    "flip",
    lambda checks, types, p: (expect(types, 1, p, "axes"), checked_axes(p["axes"], types[0].rank), types[0])[
        2
    ],
    lambda x, p, shape: np.flip(x, p["axes"]),
    lambda x, kind, p: Load(
        0, tuple(minus(d - 1, Axis(k)) if k in p["axes"] else Axis(k) for k, d in enumerate(x.shape)), x.dtype
    ),
    vjp=lambda b, app, g: [b("flip", g, **app.params)],
    batch=lambda b, app, flags: b("flip", app.operands[0], axes=tuple(a + 1 for a in app.params["axes"])),
    samples=samples(
        ((), {"axes": ()}),
        ((4,), {"axes": (0,)}),
        ((_N, 3), {"axes": (0,)}),
        ((2, 3, 2), {"axes": (0, 2)}),
        ((0, 3), {"axes": (0, 1)}),
    ),
    doc="The elements of axes in reverse order.",
)

# -------------------------------------------------------------------------------------------------- phase


def _phase_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params)
    train, evaluation = types
    if train.dtype is not evaluation.dtype or train.rank != evaluation.rank:
        raise ShapeError(f"train is {train} and eval is {evaluation}; make their types equal")
    shape = tuple(
        checks.equal(a, o, "train and eval") for a, o in zip(train.shape, evaluation.shape, strict=True)
    )
    return Type(train.dtype, shape)


def _phase_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    return b("phase", *everywhere(b, app, batched))


def _phase_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    return b("phase", *(b.zeros(app.output.type) if t is None else t for t in tangents))


def _phase_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    zero = b.zeros(cotangent.type)
    return [b("phase", cotangent, zero), b("phase", zero, cotangent)]


registry.register(
    Op(
        name="phase",
        infer=_phase_infer,
        reference=lambda xs, p, t: np.asarray(xs[1]),
        loops=lambda types, kind, p: (
            Loop(axes=kind.shape, expr=Load(1, identity(kind.rank), kind.dtype), dtype=kind.dtype),
        ),
        vjp=_phase_vjp,
        jvp=_phase_jvp,
        batch=_phase_batch,
        label=lambda x, p: f"phase(train={x[0]}, eval={x[1]})",
        samples=tuple(Sample(shapes=(s, s), params={}) for s in ((), (3,), (_N, 2), (0,))),
        doc="The first operand in training, the second in evaluation; resolved by compile, and "
        "evaluation where it is not.",
    )
)
