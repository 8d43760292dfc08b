"""The loop language: how an op says what it computes, element by element.

A ``Loop`` is one loop nest: for each index of ``axes`` it evaluates a scalar expression, or combines it over the
``reduce`` axes. Expressions load operands at index expressions, so that broadcasting, transposing, slicing,
gathering, contraction and windows are all the same thing: an index map. An op that needs several nests (softmax)
gives several loops; a later one loads an earlier one by its source number. Everything below this language
(fusion, code generation, cost) knows loops and functions, never ops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

import numpy as np

from graphc.threefry import shift_right, threefry
from graphc.types import Dim, DType, Shape, product

# ---------------------------------------------------------------------------------------- scalar expressions


@dataclass(frozen=True, slots=True)
class Load:
    """Element ``index`` of ``source``: operand number ``source``, or, past the operands, an earlier loop."""

    source: int
    index: tuple[Expr, ...]
    dtype: DType


@dataclass(frozen=True, slots=True)
class Axis:
    """The index of iteration axis ``number`` (output axes first, then reduced ones), an int64."""

    number: int

    @property
    def dtype(self) -> DType:
        return DType.I64


@dataclass(frozen=True, slots=True)
class Extent:
    """A size as a value, an int64 known when a program is called."""

    dim: Dim

    @property
    def dtype(self) -> DType:
        return DType.I64


@dataclass(frozen=True, slots=True)
class Const:
    """A literal. Floats compare by value only where their bits agree: 0.0 and -0.0 stay apart."""

    value: bool | int | float
    dtype: DType

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Const) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, str, str]:
        return (type(self.value).__name__, repr(self.value), self.dtype.short)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the table applied to expressions; ``cast`` converts to ``dtype``; ``guard(c, a, b)`` evaluates
    ``a`` only where ``c`` holds, so that a load behind it may be out of bounds elsewhere."""

    fn: str
    args: tuple[Expr, ...]
    dtype: DType


Expr = Load | Axis | Extent | Const | Call

# ------------------------------------------------------------------------------------------------- functions


@dataclass(frozen=True, slots=True)
class Function:
    """One scalar function: its NumPy meaning, its cost in floating-point operations and how it is written.

    infix: operator between its operands
    room:  where kernels find a word of it for each float type: "words" of the kernel language, or "mathematics";
           "bits" are words of the kernel language for int64
    """

    name: str
    reference: Callable[..., Any]
    cost: int = 1
    infix: str = ""
    room: str = ""
    result: str = "same"  # "same" as the operands or "bool"


def _sigmoid(x: Any) -> Any:
    small: np.ndarray[Any, Any] = np.exp(-np.abs(x))
    return np.where(x >= 0, np.ones_like(small), small) / (1 + small)


def _softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _through_float64(scalar: Callable[[float], float]) -> Callable[[Any], Any]:
    lifted = np.vectorize(scalar, otypes=[np.float64])
    return lambda x: lifted(x).astype(np.asarray(x).dtype)


def _select(condition: Any, a: Any, b: Any) -> Any:
    return np.where(condition, a, b)  # pyright: ignore[reportUnknownVariableType]


def _rsqrt(x: Any) -> Any:
    return (1 / np.sqrt(x)).astype(x.dtype)


def _same(x: Any) -> Any:
    return x


def _table() -> dict[str, Function]:
    f = Function
    infix = [
        f("add", np.add, 1, "+"), f("sub", np.subtract, 1, "-"), f("mul", np.multiply, 1, "*"),
        f("div", np.true_divide, 4, "/"), f("floordiv", np.floor_divide, 8, "//"), f("mod", np.mod, 8, "%"),
        *(f(name, meaning, 1, infix, result="bool") for name, meaning, infix in (
            ("lt", np.less, "<"), ("le", np.less_equal, "<="), ("gt", np.greater, ">"), ("ge", np.greater_equal, ">="),
            ("eq", np.equal, "=="), ("ne", np.not_equal, "!="), ("and", np.logical_and, "&"),
            ("or", np.logical_or, "|"), ("xor", np.logical_xor, "^"),
        )),
    ]  # fmt: skip
    special = [
        f("neg", np.negative), f("sign", np.sign, 2), f("not", np.logical_not, result="bool"),
        f("select", _select), f("guard", _select), f("cast", _same),
        f("isnan", np.isnan, result="bool"), f("isinf", np.isinf, result="bool"),
        f("isfinite", np.isfinite, result="bool"),
    ]  # fmt: skip
    words = [
        f("abs", np.abs), f("maximum", np.maximum), f("minimum", np.minimum),
        f("difference", np.subtract), f("floor", np.floor), f("ceil", np.ceil), f("rint", np.rint),
        f("trunc", np.trunc), f("sqrt", np.sqrt, 6),
    ]  # fmt: skip
    mathematics = [
        f("rsqrt", _rsqrt, 8), f("exp", np.exp, 12), f("expm1", np.expm1, 16), f("log", np.log, 14),
        f("log1p", np.log1p, 16), f("log2", np.log2, 14), f("tanh", np.tanh, 18), f("sigmoid", _sigmoid, 18),
        f("softplus", _softplus, 28), f("erf", _through_float64(math.erf), 24),
        f("erfc", _through_float64(math.erfc), 36), f("sin", np.sin, 16), f("cos", np.cos, 16), f("tan", np.tan, 24),
        f("asin", np.arcsin, 16), f("acos", np.arccos, 18), f("atan", np.arctan, 22), f("atan2", np.arctan2, 28),
        f("sinh", np.sinh, 20), f("cosh", np.cosh, 18), f("asinh", np.arcsinh, 32), f("acosh", np.arccosh, 28),
        f("atanh", np.arctanh, 26), f("pow", np.power, 50),
    ]  # fmt: skip
    bits = [f("threefry", threefry, 70), f("shift_right", shift_right)]
    rooms = {"words": words, "mathematics": mathematics, "bits": bits}
    placed = [replace(function, room=room) for room, functions in rooms.items() for function in functions]
    return {function.name: function for function in infix + special + placed}


FUNCTIONS: Mapping[str, Function] = _table()


def call(fn: str, *args: Expr) -> Call:
    """``fn`` applied to ``args``, with the dtype that follows from the table.

    >>> call("lt", Axis(0), Const(3, DType.I64)).dtype
    bool
    """
    first = args[1] if fn in ("select", "guard") else args[0]
    return Call(fn, args, DType.BOOL if FUNCTIONS[fn].result == "bool" else first.dtype)


def cast(expr: Expr, dtype: DType) -> Expr:
    """``expr`` converted to ``dtype``; itself where it has it already."""
    return expr if expr.dtype is dtype else Call("cast", (expr,), dtype)


def walk(expr: Expr) -> Iterator[Expr]:
    """Every subexpression of ``expr``, index expressions included, parents first."""
    stack: list[Expr] = [expr]
    while stack:
        here = stack.pop()
        yield here
        stack.extend(reversed(children(here)))


def children(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case Load():
            return expr.index
        case Call():
            return expr.args
        case _:
            return ()


def rebuild(expr: Expr, visit: Callable[[Expr], Expr | None]) -> Expr:
    """``expr`` with each subexpression replaced by ``visit`` of it where that is not None, outermost first."""
    replaced = visit(expr)
    if replaced is not None:
        return replaced
    match expr:
        case Load(source, index, dtype):
            return Load(source, tuple(rebuild(i, visit) for i in index), dtype)
        case Call(fn, args, dtype):
            return Call(fn, tuple(rebuild(a, visit) for a in args), dtype)
        case _:
            return expr


def at_index(expr: Expr, index: Sequence[Expr] | Mapping[int, Expr]) -> Expr:
    """``expr`` with axis k replaced by ``index[k]``.

    >>> at_index(Load(0, (Axis(1),), DType.F32), (Axis(0), Const(0, DType.I64))).index
    (Const(value=0, dtype=int64),)
    """
    return rebuild(expr, lambda e: index[e.number] if isinstance(e, Axis) else None)


def fold(expr: Expr) -> Expr:
    """``expr`` with calls on literals computed and ``x ** 3`` multiplied out; index expressions included."""
    match expr:
        case Load(source, index, dtype):
            return Load(source, tuple(fold(i) for i in index), dtype)
        case Call(fn, args, dtype):
            return _folded(Call(fn, tuple(fold(a) for a in args), dtype))
        case _:
            return expr


def _folded(expr: Call) -> Expr:
    first, last = expr.args[0], expr.args[-1]
    if expr.fn in ("select", "guard") and isinstance(first, Const):
        return expr.args[1] if first.value else expr.args[2]
    if expr.fn == "pow" and isinstance(last, Const) and last.value in range(17):
        return integer_power(first, int(last.value))
    if not all(isinstance(a, Const) for a in expr.args):
        return expr
    with np.errstate(all="ignore"):
        value = np.asarray(evaluate(expr, ())).astype(expr.dtype.numpy).item()
    return Const(value, expr.dtype) if value == value else expr


def integer_power(base: Expr, exponent: int) -> Expr:
    """``base`` to a non-negative integer by repeated squaring."""
    if exponent == 0:
        return Const(1.0 if base.dtype.is_float else 1, base.dtype)
    if exponent == 1:
        return base
    half = integer_power(base, exponent // 2)
    square = call("mul", half, half)
    return call("mul", square, base) if exponent % 2 else square


def evaluate(expr: Expr, operands: Sequence[Any]) -> Any:
    """The NumPy value of an elementwise ``expr`` whose loads are whole ``operands`` (arrays that broadcast)."""
    match expr:
        case Load(source):
            return operands[source]
        case Const(value, own):
            return own.numpy.type(value)
        case Call("cast", (inner,), own):
            return np.asarray(evaluate(inner, operands)).astype(own.numpy)
        case Call(fn, args):
            return FUNCTIONS[fn].reference(*(evaluate(a, operands) for a in args))
        case _:
            raise AssertionError(f"{expr} has no elementwise meaning")


# ----------------------------------------------------------------------------------------------------- loops


ORDERS = ("ascending", "descending")
SORTING = 10  # operations that sorting costs an element of its output, about


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One loop nest.

    axes:    sizes of the output's axes, which are iteration axes ``0 .. len(axes) - 1``
    reduce:  sizes of further iteration axes over which ``combine`` folds the expression
    expr:    the scalar expression
    combine: "" (no reduction), "add", "mul", "maximum", "minimum", or one of ``ORDERS``: the last axis, four times as
             long as the one reduced axis, begins with the positions of the elements along that, sorted stably, NaN
             last in ascending order and first in descending order; the rest of it is room for the work
    scatter: where given, the output has shape ``shape`` and the element goes to this index instead,
             added to what is there (the output starts at zero)
    running: an output axis along which each element is added to the one before it; nothing else is combined
    bounded: pairs (index, size): data that nothing is addressed by, but that must be an index below the size
    """

    axes: Shape
    expr: Expr
    dtype: DType
    reduce: Shape = ()
    combine: str = ""
    scatter: tuple[Expr, ...] | None = None
    scatter_shape: Shape = ()
    running: int | None = None
    bounded: tuple[tuple[Expr, Dim], ...] = ()

    @property
    def shape(self) -> Shape:
        return self.axes if self.scatter is None else self.scatter_shape

    @property
    def expressions(self) -> tuple[Expr, ...]:
        return (self.expr, *(self.scatter or ()))

    def loads(self) -> Iterator[Load]:
        """Every load of the nest, those inside index expressions included."""
        for expr in self.expressions:
            yield from (e for e in walk(expr) if isinstance(e, Load))

    def cost(self) -> Dim:
        """Floating-point operations of the whole nest, symbolic in the sizes."""
        if self.combine in ORDERS:
            return product(self.axes) * SORTING
        each = sum(FUNCTIONS[e.fn].cost for e in walk(self.expr) if is_work(e))
        return product(self.axes + self.reduce) * (
            each + (1 if self.combine or self.running is not None else 0)
        )


def is_work(expr: Expr) -> TypeGuard[Call]:
    """Whether ``expr`` computes a value: arithmetic of floats, or random bits, but not of indices."""
    return isinstance(expr, Call) and (expr.dtype.is_float or FUNCTIONS[expr.fn].room == "bits")


def identity(rank: int) -> tuple[Expr, ...]:
    """The index map of a value read where it is written."""
    return tuple(Axis(k) for k in range(rank))


def broadcast_load(source: int, dtype: DType, shape: Shape, rank: int) -> Load:
    """Operand ``source`` of ``shape`` read under an iteration of ``rank`` axes by NumPy's broadcasting rule.

    >>> broadcast_load(1, DType.F32, (1, 5), 3).index
    (Const(value=0, dtype=int64), Axis(number=2))
    """
    start = rank - len(shape)
    zero = Const(0, DType.I64)
    return Load(source, tuple(zero if d == 1 else Axis(start + k) for k, d in enumerate(shape)), dtype)
