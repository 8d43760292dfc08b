"""Random draws: values of a counter-based generator, so elementwise functions of where an element stands.

The operand is a position of the generator, an int64 of any shape: each position gives its own block of ``shape``.
Bits of element k are ``threefry(threefry(key, position), k)``, where the key comes of seed and stream. Derivatives
are zero; what has a derivative is how a draw is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import DTypeError
from graphc.loops import Axis, Const, Expr, Load, Loop, broadcast_load, cast, identity
from graphc.loops import call as fn
from graphc.ops.elementwise import batch as along_rows
from graphc.ops.rules import expect, no_gradient, no_tangent, plus, times
from graphc.registry import Op, Params, Sample
from graphc.size import symbol
from graphc.threefry import shift_right, stream_key, threefry
from graphc.types import Checks, DType, Shape, Type, shape_text

_N = symbol("N")
DRAWN = ("shape", "seed", "stream")


def _word(value: int) -> Const:
    return Const(value, DType.I64)


# ------------------------------------------------------------------------------------------------- the bits


def _element(start: int, shape: Shape) -> Expr:
    """The number of an element of ``shape``, whose axes begin at ``start``."""
    number: Expr = _word(0)
    for k, size in enumerate(shape):
        axis = Axis(start + k)
        number = axis if k == 0 else fn("add", times(number, size), axis)
    return number


def _bits(position: Type, params: Params) -> tuple[Expr, Expr]:
    """The key of an element, and its number."""
    rank = position.rank
    key = _word(stream_key(params["seed"], params["stream"]))
    here = fn("threefry", key, Load(0, identity(rank), position.dtype))
    return here, _element(rank, params["shape"])


def _drawn_bits(position: Any, params: Params, each: int = 1) -> Any:
    """The bits of all elements in NumPy: of each, ``each`` numbers in turn, along a last axis."""
    key = threefry(np.int64(stream_key(params["seed"], params["stream"])), position)
    shape = (*params["shape"], each)
    numbers = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    return threefry(key.reshape((*key.shape, *[1] * len(shape))), numbers)


def _fraction(bits: Any, dtype: DType) -> Any:
    """The top bits as a number in [0, 1): 24 in float32, 53 in float64."""
    digits = _DIGITS[dtype]
    return shift_right(bits, np.int64(64 - digits)).astype(dtype.numpy) * dtype.numpy.type(2.0**-digits)


_DIGITS = {DType.F32: 24, DType.F64: 53}


def _fraction_of(bits: Expr, dtype: DType) -> Expr:
    digits = _DIGITS[dtype]
    top = cast(fn("shift_right", bits, _word(64 - digits)), dtype)
    return fn("mul", top, Const(2.0**-digits, dtype))


# ------------------------------------------------------------------------------------------------- normal


def _normal_reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    first, second = _two(operands[0], params, kind.dtype)
    real = kind.dtype.numpy.type
    digits = 32 if kind.dtype is DType.F32 else 53
    chance = (shift_right(first, np.int64(64 - digits)).astype(real) + real(0.5)) * real(2.0**-digits)
    radius = np.sqrt(real(-2) * np.log(chance))
    return np.asarray(radius * np.cos(real(2 * math.pi) * _fraction(second, kind.dtype)))


def _two(position: Any, params: Params, dtype: DType) -> tuple[Any, Any]:
    """Bits for the two uniform numbers: the words of one draw, or two draws where 53 bits are wanted."""
    if dtype is DType.F64:
        bits = _drawn_bits(position, params, 2)
        return bits[..., 0], bits[..., 1]
    bits = _drawn_bits(position, params)[..., 0]
    return bits, bits << np.int64(32)


def _normal_expr(key: Expr, number: Expr, dtype: DType) -> Expr:
    """Box and Muller: sqrt(-2 log u) cos(2 pi v), u in (0, 1]. A note on the generation of random normal deviates
    (Annals of Mathematical Statistics 29, 1958)."""
    if dtype is DType.F64:
        twice = fn("mul", number, _word(2))
        first, second = (fn("threefry", key, each) for each in (twice, plus(twice, 1)))
        digits = 53
    else:
        first = fn("threefry", key, number)
        second, digits = fn("mul", first, _word(1 << 32)), 32
    top = cast(fn("shift_right", first, _word(64 - digits)), dtype)
    chance = fn("mul", fn("add", top, Const(0.5, dtype)), Const(2.0**-digits, dtype))
    radius = fn("sqrt", fn("mul", Const(-2.0, dtype), fn("log", chance)))
    angle = fn("mul", Const(2 * math.pi, dtype), _fraction_of(second, dtype))
    return fn("mul", radius, fn("cos", angle))


# ------------------------------------------------------------------------------------------------ the ops


def _infer(names: tuple[str, ...]) -> Callable[[Checks, Sequence[Type], Params], Type]:
    def infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
        expect(types, 1, params, *DRAWN, *names)
        if types[0].dtype is not DType.I64:
            raise DTypeError(f"the position is {types[0].dtype}; give int64")
        dtype = DType.of(params.get("dtype", "bool"))
        if "dtype" in names and not dtype.is_float:
            raise DTypeError(f"dtype {dtype} is not floating; give float32 or float64")
        for size in params["shape"]:
            checks.at_least(size, 0, "a size")
        return Type(dtype, (*types[0].shape, *params["shape"]))

    return infer


def _declare(
    name: str,
    expr: Callable[[Expr, Expr, Type, Params], Expr],
    reference: Callable[[Sequence[Any], Params, Type], Any],
    params: Sequence[Params],
    doc: str,
) -> None:
    def loops(types: Sequence[Type], kind: Type, given: Params) -> tuple[Loop, ...]:
        return (Loop(axes=kind.shape, expr=expr(*_bits(types[0], given), kind, given), dtype=kind.dtype),)

    registry.register(
        Op(
            name=name,
            infer=_infer(tuple(params[0])),
            reference=reference,
            loops=loops,
            vjp=no_gradient,
            jvp=no_tangent,
            batch=lambda b, app, flags: b(name, app.operands[0], **app.params),
            label=lambda x, p: f"{name}({_label(p)})",
            samples=tuple(
                Sample(
                    shapes=(shape,),
                    params={**own, "shape": drawn, "seed": seed, "stream": f"layer:{seed}"},
                    dtypes=("int64",),
                )
                for own in params
                for seed, (shape, drawn) in enumerate(_SHAPES)
            ),
            doc=doc,
        )
    )


_SHAPES: tuple[tuple[Any, Any], ...] = (
    ((), ()),
    ((), (5,)),
    ((), (_N, 3)),
    ((3,), (2, 1, 2)),
    ((_N,), ()),
    ((2, 2), (3,)),
    ((), (0, 2)),
    ((0,), (2,)),
)


def _label(params: Params) -> str:
    own = f"p={params['p']:g}, " if "p" in params else ""
    return f"{own}{shape_text(params['shape'])}, stream={params['stream']}"


def _uniform_expr(key: Expr, number: Expr, kind: Type, params: Params) -> Expr:
    return _fraction_of(fn("threefry", key, number), kind.dtype)


def _bernoulli_expr(key: Expr, number: Expr, kind: Type, params: Params) -> Expr:
    drawn = _fraction_of(fn("threefry", key, number), DType.F32)
    return fn("lt", drawn, Const(_single(params["p"]), DType.F32))


def _single(p: float) -> float:
    return float(np.float32(p))


_FLOATS: tuple[Params, ...] = ({"dtype": "float32"}, {"dtype": "float64"})

_declare(
    "uniform",
    _uniform_expr,
    lambda xs, p, t: _fraction(_drawn_bits(xs[0], p)[..., 0], t.dtype),
    _FLOATS,
    "Random numbers in [0, 1), by seed, stream, position and element.",
)
_declare(
    "normal",
    lambda key, number, kind, p: _normal_expr(key, number, kind.dtype),
    _normal_reference,
    _FLOATS,
    "Random numbers of the standard normal distribution, by seed, stream, position and element.",
)
_declare(
    "bernoulli",
    _bernoulli_expr,
    lambda xs, p, t: np.asarray(_fraction(_drawn_bits(xs[0], p)[..., 0], DType.F32) < np.float32(p["p"])),
    ({"p": 0.5}, {"p": 0.0}, {"p": 1.0}),
    "Random booleans, true with probability p, by seed, stream, position and element.",
)


# --------------------------------------------------------------------------------- positions within loops


def _fold_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params)
    for kind in types:
        if kind.dtype is not DType.I64:
            raise DTypeError(f"the operands are {types[0].dtype} and {types[1].dtype}; give int64")
    return Type(DType.I64, checks.broadcast([t.shape for t in types]))


def _fold_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    loads = (broadcast_load(k, t.dtype, t.shape, kind.rank) for k, t in enumerate(types))
    return (Loop(axes=kind.shape, expr=fn("threefry", *loads), dtype=DType.I64),)


registry.register(
    Op(
        name="fold_in",
        infer=_fold_infer,
        reference=lambda xs, p, t: threefry(xs[0], xs[1]),
        loops=_fold_loops,
        vjp=no_gradient,
        jvp=no_tangent,
        batch=along_rows,
        label=lambda x, p: f"fold_in({x[0]}, {x[1]})",
        samples=tuple(
            Sample(shapes=shapes, params={}, dtypes=("int64", "int64"))
            for shapes in [((), ()), ((), (_N,)), ((_N,), (_N,)), ((2, 1), (3,)), ((0,), ())]
        ),
        doc="A position of the random generator of its own for each number: for the steps of a loop.",
    )
)
