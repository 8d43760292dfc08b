"""Elementwise ops: one SymPy body each; shape rule, derivative, kernel, reference and label follow from it."""

# SymPy carries no types.
# pyright: basic

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import numpy as np

from graphc import registry
from graphc.errors import DTypeError, ExpressionError, GraphError
from graphc.graph import Handle, apply, meet
from graphc.loops import Const, Expr, Load, Loop, broadcast_load, call, evaluate, rebuild
from graphc.ops import symbolic
from graphc.ops.remembered import decode, encode, recall
from graphc.registry import Application, Op, Params, Sample
from graphc.types import Checks, DType, Type


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """The declaration of an elementwise op.

    body:     thunk from SymPy symbols to the SymPy expression (SymPy loads only when it is called)
    function: the loop language's function that computes it, where there is one; else the body is translated
    takes:    "float" (integers are promoted), "number", "any", "bool"
    result:   "same" as the operands, or "bool"
    partials: explicit derivatives by operand, each a thunk like ``body``, where SymPy's differ from the kink table
    infix:    operator by which it is written
    """

    name: str
    arity: int
    body: Callable[..., Any]
    function: str = ""
    takes: str = "float"
    result: str = "same"
    partials: tuple[Callable[..., Any] | None, ...] = ()
    infix: str = ""
    parent: str = ""  # of a derivative: the op it belongs to
    uses: tuple[
        int, ...
    ] = ()  # of a derivative: which operands of the parent it takes, its output being the last
    standard: bool = (
        False  # of graphc's own table, so that what follows from the name may be remembered on disk
    )

    def lift(self, values: Sequence[Any]) -> list[Handle]:
        """``values`` as nodes of the dtype the op works in."""
        handles = meet(self.name, values, floating=self.takes == "float")
        return [
            h.graph.add("cast", (h,), dtype="bool")
            if self.takes == "bool" and h.dtype is not DType.BOOL
            else h
            for h in handles
        ]

    def formula(self) -> Any:
        """The body as a SymPy expression over ``symbolic.symbols``."""
        return self.body(*symbolic.symbols(self.arity))

    def expr(self, dtype: DType) -> Expr:
        """The body in the loop language, operand ``k`` being ``Load(k)``."""
        return _expr(self, dtype)


@lru_cache(maxsize=4096)
def _expr(scalar: Scalar, dtype: DType) -> Expr:
    if scalar.function:
        return call(scalar.function, *(Load(k, (), dtype) for k in range(scalar.arity)))
    if not scalar.standard:
        return symbolic.translate(scalar.formula(), symbolic.symbols(scalar.arity), dtype)
    return decode(recall(scalar.name, lambda: encode(_translated(scalar))), dtype)


def _translated(scalar: Scalar) -> Expr:
    return symbolic.translate(scalar.formula(), symbolic.symbols(scalar.arity), DType.F64)


# -------------------------------------------------------------------------------------------------- derivatives


@dataclass(frozen=True, slots=True)
class Partial:
    """A partial derivative of an elementwise op: zero, a constant, an operand, or an op of its own over ``uses``."""

    scalar: Scalar
    position: int
    kind: str  # "zero", "constant", "operand", "op"
    value: float = 0.0
    uses: tuple[int, ...] = ()

    @property
    def formula(self) -> Any:
        """The derivative in SymPy, over the operands' symbols and the output's."""
        return _formula(self.scalar, self.position)


@lru_cache(maxsize=4096)
def partial(scalar: Scalar, position: int) -> Partial:
    """The derivative of ``scalar`` by operand ``position``, found once per op."""
    if not scalar.standard:
        kind, value, uses = _classify(scalar, position)
    else:
        kind, value, uses = recall(f"{scalar.name}.d{position}: kind", lambda: _classify(scalar, position))
    return Partial(scalar, position, kind, value, tuple(uses))


@lru_cache(maxsize=4096)
def _formula(scalar: Scalar, position: int) -> Any:
    import sympy

    args = symbolic.symbols(scalar.arity)
    explicit = scalar.partials[position] if scalar.partials else None
    return sympy.sympify(
        explicit(*args) if explicit else symbolic.differentiate(scalar.formula(), args, position)
    )


def _classify(scalar: Scalar, position: int) -> tuple[str, float, list[int]]:
    """Kind, constant value and operands used (the output being the last) of a derivative."""
    formula, args = _formula(scalar, position), (*symbolic.symbols(scalar.arity), symbolic.output_symbol())
    if formula.is_number:
        return ("constant" if formula != 0 else "zero"), float(formula), []
    uses = [k for k, a in enumerate(args) if formula.has(a)]
    return ("operand" if formula in args else "op"), 0.0, uses


def derivative_op(name: str) -> Op | None:
    """Resolve ``parent.d0``: the derivative of ``parent`` by operand 0 as an elementwise op of its own."""
    parent, dot, suffix = name.rpartition(".d")
    if not dot or not suffix.isdigit():
        return None
    scalar = registry.lookup(parent).scalar
    if scalar is None or int(suffix) >= scalar.arity:
        return None
    found = partial(scalar, int(suffix))
    return make_op(_derivative_scalar(name, parent, scalar, found)) if found.kind == "op" else None


def _derivative_scalar(name: str, parent: str, scalar: Scalar, found: Partial) -> Scalar:
    def body(*args: Any) -> Any:
        inside = (*symbolic.symbols(scalar.arity), symbolic.output_symbol())
        return found.formula.subs(
            {inside[k]: a for k, a in zip(found.uses, args, strict=True)}, simultaneous=True
        )

    return Scalar(
        name=name, arity=len(found.uses), body=body, parent=parent, uses=found.uses, standard=scalar.standard
    )


def local_derivative(b: Any, app: Application, position: int) -> Handle | float:
    """The local derivative at operand ``position``: a number or a node."""
    scalar = registry.lookup(app.output.node.op).scalar
    found = partial(scalar, position)
    if found.kind in ("zero", "constant"):
        return found.value
    around = (*app.operands, app.output)
    if found.kind == "operand":
        return around[found.uses[0]]
    return b(f"{scalar.name}.d{position}", *(around[k] for k in found.uses))


def scaled(b: Any, value: Any, factor: Handle | float) -> Any:
    """``value * factor``, with factors 0, 1 and -1 taken as what they are; None stands for zero."""
    if value is None or (isinstance(factor, (int, float)) and factor == 0):
        return None
    if not isinstance(factor, (int, float)):
        return b("mul", value, factor)
    if factor == 1:
        return value
    return b("neg", value) if factor == -1 else b("mul", value, b.constant(factor, value.type))


def vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    """Cotangent times local derivative, summed back to each operand's shape."""
    found: list[Any] = []
    for position, operand in enumerate(app.operands):
        wanted = app.wanted[position] and operand.dtype.is_float
        product = scaled(b, cotangent, local_derivative(b, app, position)) if wanted else None
        found.append(None if product is None else b.fit(product, operand.shape))
    return found


def jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    """The sum over operands of local derivative times tangent."""
    total = None
    for position, tangent in enumerate(tangents):
        if tangent is None or not app.operands[position].dtype.is_float:
            continue
        term = scaled(b, tangent, local_derivative(b, app, position))
        total = term if total is None else total if term is None else b("add", total, term)
    return total if total is None else b.spread(total, app.output.shape)


def batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    """The op under a leading axis: batched operands of lower rank get unit axes behind it."""
    rank = app.output.ndim
    aligned: list[Any] = []
    for value, is_batched in zip(app.operands, batched, strict=True):
        missing = rank - (value.ndim - 1) if is_batched else 0
        shape = (value.shape[0], *([1] * missing), *value.shape[1:]) if missing else None
        aligned.append(b("reshape", value, shape=shape) if shape else value)
    return b(app.output.node.op, *aligned, **app.params)


# -------------------------------------------------------------------------------------------------- the op


def make_op(scalar: Scalar, **rules: Any) -> Op:
    """The op that ``scalar`` declares; ``rules`` replace derived ones."""

    def infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
        _check_operands(scalar, types)
        dtype = DType.BOOL if scalar.result == "bool" else types[-1].dtype
        return Type(dtype, checks.broadcast([t.shape for t in types]))

    def reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
        working = DType.of(operands[-1].dtype)
        value = evaluate(scalar.expr(working), operands)
        return np.broadcast_to(np.asarray(value, dtype=kind.dtype.numpy), cast("tuple[int, ...]", kind.shape))

    def loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
        loads = [broadcast_load(k, t.dtype, t.shape, kind.rank) for k, t in enumerate(types)]
        return (
            Loop(axes=kind.shape, expr=substitute(scalar.expr(types[-1].dtype), loads), dtype=kind.dtype),
        )

    base: dict[str, Any] = {
        "name": scalar.name, "infer": infer, "reference": reference, "loops": loops, "vjp": vjp, "jvp": jvp,
        "batch": batch, "label": lambda texts, _: label(scalar, texts), "scalar": scalar,
    }  # fmt: skip
    return Op(**{**base, **rules})


def substitute(expr: Expr, loads: Sequence[Expr]) -> Expr:
    """``expr`` with operand ``k`` read as ``loads[k]``."""
    return rebuild(expr, lambda e: loads[e.source] if isinstance(e, Load) else None)


_TAKEN = {"float": "float32 or float64", "number": "numbers", "bool": "bool"}


def _check_operands(scalar: Scalar, types: Sequence[Type]) -> None:
    if len(types) != scalar.arity:
        raise GraphError(f"{len(types)} operands are given; give {scalar.arity}")
    data = types[1:] if scalar.function == "select" else types
    if len({t.dtype for t in data}) > 1:
        listed = " and ".join(str(t.dtype) for t in data)
        raise DTypeError(f"operands are {listed}; cast them to one dtype with gc.cast")
    dtype = data[0].dtype
    wrong = {
        "float": not dtype.is_float,
        "number": dtype is DType.BOOL,
        "bool": dtype is not DType.BOOL,
        "any": False,
    }
    if wrong[scalar.takes]:
        raise DTypeError(f"operands are {dtype}, not {_TAKEN[scalar.takes]}; cast them with gc.cast")


def label(scalar: Scalar, texts: Sequence[str]) -> str:
    """How an application is written over its operands' texts."""
    if scalar.infix and len(texts) == 2:
        return f"{texts[0]} {scalar.infix} {texts[1]}"
    if scalar.parent:
        return derivative_text(scalar, texts)
    return f"{scalar.infix}{texts[0]}" if scalar.infix else f"{scalar.name}({', '.join(texts)})"


def derivative_text(scalar: Scalar, texts: Sequence[str]) -> str:
    """A derivative op as its formula over the operands' texts."""
    template = (
        recall(f"{scalar.name}: text", lambda: _template(scalar)) if scalar.standard else _template(scalar)
    )
    for k, text in enumerate(texts):
        plain = text.isidentifier() or text.startswith("%")
        template = template.replace(f"\0{k}\0", text if plain else f"({text})")
    return template


def _template(scalar: Scalar) -> str:
    """The body as SymPy prints it, with operand ``k`` as ``\\0k\\0``, which stands in no other text."""
    import sympy

    formula = scalar.body(*sympy.symbols([f"\0{k}\0" for k in range(scalar.arity)], real=True))
    if isinstance(formula, sympy.Piecewise):
        (first, condition), *others = [each.args for each in formula.args]
        if first == 1 and others == [(0, True)]:
            return f"[{condition}]"  # Iverson's bracket, as in drawings
    return str(formula)


# -------------------------------------------------------------------------------------------- user-defined ops


def elementwise(name: str, body: Callable[..., Any], *, arity: int | None = None) -> Callable[..., Handle]:
    """A new elementwise op from one SymPy body: derivative, kernel, label and reference follow.

    ``body`` takes SymPy symbols and returns a SymPy expression over them; ``arity`` is read from its signature,
    where what has a default is no operand.
    Returns the function that applies the op to nodes, arrays and numbers with broadcasting. Raises
    ``ExpressionError`` when the body uses unknown symbols or functions without a kernel, ``GraphError`` when the
    name stands for another body.

    >>> import graphc as gc, sympy
    >>> swish = gc.elementwise("doc_swish", lambda z: z / (1 + sympy.exp(-z)))
    >>> g = gc.Graph()
    >>> float(gc.interpret(swish(g.input("z")), z=0.0))
    0.0
    """
    count = len(_parameters(body)) if arity is None else arity
    scalar = Scalar(name=str(name), arity=count, body=_checked(name, body, count))
    scalar.expr(DType.F32)
    known = _USER.get(name)
    if known is None or known.formula() != scalar.formula():
        registry.register(make_op(scalar, doc="defined by gc.elementwise"))
        _USER[name] = scalar

    def function(*operands: Any) -> Handle:
        return apply(name, *operands)

    function.__name__ = function.__qualname__ = str(name)
    return function


_USER: dict[str, Scalar] = {}


def _parameters(body: Callable[..., Any]) -> list[str]:
    given = inspect.signature(body).parameters.values()
    return [each.name for each in given if each.default is each.empty]


_FORMULAS = "use functions of sympy (not of graphc, numpy or math), and sympy.Piecewise for a choice"


def _checked(name: str, body: Callable[..., Any], count: int) -> Callable[..., Any]:
    import sympy

    args = symbolic.symbols(count)
    try:
        formula = sympy.sympify(body(*args))
    except (TypeError, ValueError, AttributeError) as error:
        raise ExpressionError(f"body of {name!r} gives no SymPy formula: {error}; {_FORMULAS}") from error
    strange = formula.free_symbols - set(args)
    if strange:
        listed = ", ".join(sorted(str(s) for s in strange))
        raise ExpressionError(f"body of {name!r} uses unknown symbol {listed}; use only its {count} operands")
    return lambda *symbols: formula.subs(dict(zip(args, symbols, strict=True)), simultaneous=True)


registry.resolve_with(derivative_op)

__all__ = [
    "Const",
    "Sample",
    "Scalar",
    "derivative_text",
    "elementwise",
    "local_derivative",
    "make_op",
    "partial",
    "replace",
    "scaled",
]
