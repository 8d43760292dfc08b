"""How scalar expressions are written in emitted kernels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from graphc.loops import FUNCTIONS, Axis, Call, Const, Expr, Extent, Load
from graphc.types import DType

_ACCUMULATE = {"add": "add", "mul": "mul", "maximum": "max", "minimum": "min"}
_BOOL_COMBINE = {"maximum": "|", "minimum": "&", "add": "|", "mul": "&"}
_INT_RANGE = {DType.I32: (-(2**31), 2**31 - 1), DType.I64: (-(2**63), 2**63 - 1)}


def constant(value: float, dtype: DType) -> str:
    """A literal of ``dtype``."""
    if dtype is DType.BOOL:
        return str(bool(value))
    if not dtype.is_float:
        return f"i32({int(value)})" if dtype is DType.I32 else f"i64({int(value)})"
    return f"{dtype.short}({float(value)!r})"


def identity_element(combine: str, dtype: DType) -> str:
    """What a reduction starts from."""
    infinite = {"maximum": "-inf", "minimum": "inf"}.get(combine)
    if infinite is None:
        return constant(1 if combine == "mul" else 0, dtype)
    if dtype.is_float:
        return f"{dtype.short}({infinite})"
    if dtype is DType.BOOL:
        return str(combine == "minimum")
    return constant(_INT_RANGE[dtype][combine == "minimum"], dtype)


def accumulate(combine: str, total: str, value: str, dtype: DType) -> str:
    """``total`` combined with ``value``, in an order that LLVM may choose."""
    if dtype.is_float:
        return f"accumulate_{_ACCUMULATE[combine]}_{dtype.short}({total}, {value})"
    if dtype is DType.BOOL:
        return f"{total} {_BOOL_COMBINE[combine]} {value}"
    plain = {"add": f"{total} + {value}", "mul": f"{total} * {value}"}
    return f"{dtype.short}({plain.get(combine) or f'{combine}_i64(i64({total}), i64({value}))'})"


# How indices are divided: without the tests that signs need.
_OF_INDEX = {"floordiv": "quotient", "mod": "remainder"}


class Writer:
    """Writes expressions. ``load`` writes a load, ``axis`` an iteration index, ``extent`` a size, ``number`` an integer
    of more than 48 bits, ``counter`` the number of an element that is drawn; ``named`` holds the locals that stand for
    expressions already computed."""

    def __init__(
        self,
        load: Callable[[Load], str],
        axis: Callable[[int], str],
        extent: Callable[[Extent], str],
        number: Callable[[int], str],
        counter: Callable[[Expr], str],
    ) -> None:
        self.load = load
        self.axis = axis
        self.extent = extent
        self.number = number
        self.counter = counter
        self.named: Mapping[Expr, str] = {}

    def __call__(self, expr: Expr) -> str:
        known = self.named.get(expr)
        if known is not None:
            return known
        match expr:
            case Load():
                return self.load(expr)
            case Axis(number):
                return self.axis(number)
            case Const(int() as value, DType.I64) if value.bit_length() > 48:
                return self.number(value)
            case Const(value, dtype):
                return constant(value, dtype)
            case Extent():
                return self.extent(expr)
            case Call():
                return self.write_call(expr)

    def index(self, expr: Expr) -> str:
        """An index expression: int64 arithmetic of non-negative parts."""
        match expr:
            case Const(value):
                return str(int(value))
            case Call(("floordiv" | "mod") as fn, (a, b)):
                return f"{_OF_INDEX[fn]}({self.index(a)}, {self.index(b)})"
            case Call(("add" | "sub" | "mul") as fn, (a, b)):
                return f"({self.index(a)} {FUNCTIONS[fn].infix} {self.index(b)})"
            case Call("cast", (inner,)) if not inner.dtype.is_float:
                return self.index(inner)
            case _:
                written = self(expr)
                return written if expr.dtype is DType.I64 else f"i64({written})"

    def write_call(self, expr: Call) -> str:
        fn, dtype = expr.fn, expr.dtype
        if fn == "guard":
            return self.guarded(expr)
        if fn == "threefry":
            return f"threefry_i64({self(expr.args[0])}, {self.counter(expr.args[1])})"
        args = [self(a) for a in expr.args]
        operand = expr.args[0].dtype
        if fn == "cast":
            return f"{dtype.short}({args[0]})"
        if fn in _SPECIAL:
            return _SPECIAL[fn](args, operand)
        if fn in _OF_INDEX and isinstance(expr.args[0], Axis) and isinstance(expr.args[1], (Const, Extent)):
            return f"{_OF_INDEX[fn]}({', '.join(args)})"  # an axis is not negative
        if dtype.is_int and fn in ("floordiv", "mod"):
            return f"{fn}_{dtype.short}({', '.join(args)})"
        if FUNCTIONS[fn].infix:
            return self.infix(fn, args, dtype, operand)
        if dtype.is_int and fn in ("maximum", "minimum"):
            return f"{dtype.short}({fn}_i64({', '.join(f'i64({a})' for a in args)}))"
        if dtype.is_int and fn == "abs":
            return f"select({args[0]} < {constant(0, dtype)}, {dtype.short}(-{args[0]}), {args[0]})"
        if FUNCTIONS[fn].room:
            return f"{fn}_{dtype.short}({', '.join(args)})"
        return f"{fn}({', '.join(args)})"

    def infix(self, fn: str, args: list[str], dtype: DType, operand: DType) -> str:
        text = f"({args[0]} {FUNCTIONS[fn].infix} {args[1]})"
        if dtype.is_int or (fn in ("mod", "floordiv") and operand.is_float):
            return f"{dtype.short}{text}"
        return text

    def guarded(self, expr: Call) -> str:
        condition, inside, outside = (self.unnamed(a) for a in expr.args)
        return f"({inside} if {condition} else {outside})"

    def unnamed(self, expr: Expr) -> str:
        """``expr`` in place: what a guard protects must not be computed ahead of it."""
        before, self.named = self.named, {}
        try:
            return self(expr)
        finally:
            self.named = before


def _sign(args: list[str], dtype: DType) -> str:
    x = args[0]
    one, minus, zero = constant(1, dtype), constant(-1, dtype), constant(0, dtype)
    rest = f"{x} * {zero}" if dtype.is_float else zero  # a float's NaN stays
    return f"select({x} > {zero}, {one}, select({x} < {zero}, {minus}, {rest}))"


_SPECIAL: Mapping[str, Callable[[list[str], DType], str]] = {
    "neg": lambda a, d: f"(-{a[0]})" if d.is_float else f"{d.short}(-{a[0]})",
    "not": lambda a, d: f"(not {a[0]})",
    "sign": _sign,
    "isnan": lambda a, d: f"({a[0]} != {a[0]})",
    "isinf": lambda a, d: f"(abs_{d.short}({a[0]}) == {d.short}(inf))",
    "isfinite": lambda a, d: f"({a[0]} - {a[0]} == {constant(0, d)})",
}
