"""The standard elementwise functions: arithmetic, comparison, logic, transcendental functions, activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import DTypeError
from graphc.graph import FUNCTIONS, Handle, apply, call, cast_to, lift, meet, public
from graphc.graph.handle import graph_of
from graphc.loops import Loop, broadcast_load, cast
from graphc.ops import symbolic
from graphc.ops.elementwise import Scalar, make_op, scaled
from graphc.registry import Application, Op, Params, Sample
from graphc.types import Checks, DType, Type


def _sympy(name: str) -> Callable[..., Any]:
    """SymPy's function ``name`` (or graphc's own of that name), looked up when a formula is asked for."""

    def body(*args: Any) -> Any:
        import sympy
        from sympy.codegen import cfunctions

        own = symbolic.functions().get(name) or getattr(cfunctions, name, None)
        return (own or getattr(sympy, name))(*args)

    return body


def _opaque(name: str) -> Callable[..., Any]:
    """A function that SymPy only prints."""

    def body(*args: Any) -> Any:
        import sympy

        return sympy.Function(name)(*args)

    return body


def _zero(*_: Any) -> Any:
    return 0


def _piecewise(*pairs: tuple[Any, Any]) -> Any:
    import sympy

    return sympy.Piecewise(*pairs)


def _tie(x: Any, y: Any, *, above: bool) -> Any:
    """The slope of maximum (``above``) or minimum by its first operand: ties share evenly."""
    import sympy

    return _piecewise((1, x > y if above else x < y), (sympy.Rational(1, 2), sympy.Eq(x, y)), (0, True))


def _power_by_base(x: Any, y: Any) -> Any:
    import sympy

    return _piecewise((0, sympy.Eq(y, 0)), (y * x ** (y - 1), True))


def _power_by_exponent(x: Any, y: Any) -> Any:
    import sympy

    return _piecewise((x**y * sympy.log(x), x > 0), (0, True))


# -------------------------------------------------------------------- rules that the kink table asks for


def _extremum_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    """maximum/minimum: against a constant, the slope at the tie is the constant's, so max(x, 0) is relu."""
    above = app.output.node.op == "maximum"
    found: list[Any] = []
    for position, operand in enumerate(app.operands):
        if not app.wanted[position] or not operand.dtype.is_float:
            found.append(None)
            continue
        other = app.operands[1 - position]
        product = b("mul", cotangent, _extremum_slope(b, app, position, other, above))
        found.append(b.fit(product, operand.shape))
    return found


def _extremum_slope(b: Any, app: Application, position: int, other: Any, above: bool) -> Any:
    if not _is_constant(other):
        x, y = (app.operands[position], other)
        return b(f"{app.output.node.op}.d0", x, y)
    wins = b("gt" if above else "lt", app.operands[position], other)
    return b("cast", wins, dtype=app.output.dtype.long)


def _is_constant(value: Any) -> bool:
    while value.node.op in ("broadcast_to", "reshape", "cast"):
        value = value.operands[0]
    return bool(value.node.is_const)


def _extremum_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    above, total = app.output.node.op == "maximum", None
    for position, tangent in enumerate(tangents):
        if tangent is not None:
            term = b("mul", tangent, _extremum_slope(b, app, position, app.operands[1 - position], above))
            total = term if total is None else b("add", total, term)
    return None if total is None else b.spread(total, app.output.shape)


def _select_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    """Each branch gets the cotangent where it was taken and 0 elsewhere."""
    condition, zero = app.operands[0], b.constant(0.0, app.output.type)
    branches = (b("where", condition, cotangent, zero), b("where", condition, zero, cotangent))
    return [
        None,
        *(
            b.fit(g, o.shape) if o.dtype.is_float else None
            for g, o in zip(branches, app.operands[1:], strict=True)
        ),
    ]


def _select_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    zero = b.constant(0.0, app.output.type)
    taken = [zero if t is None else t for t in tangents[1:]]
    if tangents[1] is None and tangents[2] is None:
        return None
    return b.spread(b("where", app.operands[0], *taken), app.output.shape)


# ------------------------------------------------------------------------------------------- the table

_POSITIVE = {"low": 0.2, "high": 3.0}
_INSIDE = {"low": -0.9, "high": 0.9}


def _unary(name: str, body: Any = None, *, function: str = "", takes: str = "float", result: str = "same", doc: str = "",
           partials: tuple[Any, ...] = (), infix: str = "", low: float = -2.0, high: float = 2.0, **rules: Any) -> Op:  # fmt: skip
    scalar = Scalar(
        name=name,
        arity=1,
        body=body or _sympy(name),
        function=function,
        takes=takes,
        result=result,
        partials=partials,
        infix=infix,
        standard=True,
    )
    samples = tuple(
        Sample(shapes=(s,), params={}, low=low, high=high, distinct=True)
        for s in ((), (5,), ("N", 3), (0,), (1,))
    )
    return registry.register(make_op(scalar, samples=samples, doc=doc, **rules))


def _binary(name: str, body: Any, *, function: str = "", takes: str = "number", result: str = "same", doc: str = "",
            partials: tuple[Any, ...] = (), infix: str = "", low: float = -2.0, high: float = 2.0, **rules: Any) -> Op:  # fmt: skip
    scalar = Scalar(
        name=name,
        arity=2,
        body=body,
        function=function or name,
        takes=takes,
        result=result,
        partials=partials,
        infix=infix,
        standard=True,
    )
    shapes = (
        ((), ()),
        ((4,), (4,)),
        (("N", 3), (3,)),
        ((2, 1, 3), (4, 1)),
        (("N", 1), ("N", 3)),
        ((), (3,)),
        ((0, 3), (3,)),
        ((1,), (3,)),
    )
    samples = tuple(Sample(shapes=s, params={}, low=low, high=high, distinct=True) for s in shapes)
    return registry.register(make_op(scalar, samples=samples, doc=doc, **rules))


def _register_arithmetic() -> None:
    _binary("add", lambda x, y: x + y, infix="+", doc="Sum.")
    _binary("sub", lambda x, y: x - y, infix="-", doc="Difference.")
    _binary("mul", lambda x, y: x * y, infix="*", doc="Product.")
    _binary(
        "div",
        lambda x, y: x / y,
        infix="/",
        takes="float",
        doc="Quotient; integers are promoted to float32.",
        **_POSITIVE,
    )
    _binary(
        "floordiv",
        lambda x, y: _sympy("floor")(x / y),
        infix="//",
        partials=(_zero, _zero),
        doc="Quotient rounded down.",
        **_POSITIVE,
    )
    _binary("mod", lambda x, y: _sympy("Mod")(x, y), infix="%", partials=(lambda x, y: 1, lambda x, y: -_sympy("floor")(x / y)),
            doc="Remainder with the divisor's sign.", **_POSITIVE)  # fmt: skip
    _binary(
        "pow",
        lambda x, y: x**y,
        infix="**",
        takes="float",
        partials=(_power_by_base, _power_by_exponent),
        doc="Power.",
        **_POSITIVE,
    )
    for name, above in (("maximum", True), ("minimum", False)):
        _binary(name, _sympy("Max" if above else "Min"), vjp=_extremum_vjp, jvp=_extremum_jvp, doc=f"Elementwise {name}; NaN propagates.",
                partials=(lambda x, y, above=above: _tie(x, y, above=above), lambda x, y, above=above: _tie(y, x, above=above)))  # fmt: skip
    _binary(
        "atan2", _sympy("atan2"), takes="float", doc="Angle of the point (y, x), in radians.", **_POSITIVE
    )
    _unary("neg", lambda x: -x, function="neg", takes="number", infix="-", doc="Negation.")
    _unary("abs", _sympy("Abs"), function="abs", takes="number", doc="Absolute value; its slope at 0 is 0.")
    _unary(
        "sign",
        _sympy("sign"),
        function="sign",
        takes="number",
        partials=(_zero,),
        doc="-1, 0 or 1; its slope is 0.",
    )
    for name, body in (
        ("floor", _sympy("floor")),
        ("ceil", _sympy("ceiling")),
        ("rint", _opaque("rint")),
        ("trunc", _opaque("trunc")),
    ):
        _unary(name, body, function=name, partials=(_zero,), doc=f"Rounding ({name}); its slope is 0.")
    _unary("square", lambda x: x**2, takes="number", doc="x * x.")
    _unary("reciprocal", lambda x: 1 / x, doc="1 / x.", **_POSITIVE)


def _register_logic() -> None:
    relations = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
    bodies = {"lt": "Lt", "le": "Le", "gt": "Gt", "ge": "Ge", "eq": "Eq", "ne": "Ne"}
    for name, infix in relations.items():
        _binary(
            name,
            _sympy(bodies[name]),
            infix=infix,
            takes="any",
            result="bool",
            partials=(_zero, _zero),
            doc=f"Comparison {infix}.",
        )
    for name, body, infix in (("and", "And", "&"), ("or", "Or", "|"), ("xor", "Xor", "^")):
        _binary(
            f"logical_{name}",
            _sympy(body),
            function=name,
            infix=infix,
            takes="bool",
            result="bool",
            partials=(_zero, _zero),
            doc=f"Logical {name}.",
        )
    _unary(
        "logical_not",
        _sympy("Not"),
        function="not",
        takes="bool",
        result="bool",
        partials=(_zero,),
        infix="~",
        doc="Logical not.",
    )
    for name in ("isnan", "isinf", "isfinite"):
        _unary(
            name,
            _opaque(name),
            function=name,
            result="bool",
            partials=(_zero,),
            doc=f"Whether the value {name[2:]}.".replace("value", "value is"),
        )


def _register_transcendental() -> None:
    _unary("exp", function="exp", doc="Exponential.")
    _unary("expm1", function="expm1", doc="exp(x) - 1, exact near 0.")
    _unary("log", function="log", doc="Natural logarithm.", **_POSITIVE)
    _unary("log1p", function="log1p", doc="log(1 + x), exact near 0.", low=-0.5, high=2.0)
    _unary("log2", function="log2", doc="Logarithm to base 2.", **_POSITIVE)
    _unary("sqrt", function="sqrt", doc="Square root.", **_POSITIVE)
    _unary("rsqrt", lambda x: 1 / _sympy("sqrt")(x), function="rsqrt", doc="1 / sqrt(x).", **_POSITIVE)
    for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "asinh", "atan", "erf", "erfc"):
        _unary(name, function=name, doc=f"{name} of x.", low=-1.2, high=1.2)
    for name in ("asin", "acos", "atanh"):
        _unary(name, function=name, doc=f"{name} of x.", **_INSIDE)
    _unary("acosh", function="acosh", doc="acosh of x.", low=1.3, high=3.0)


def _register_activations() -> None:
    def exponential_linear(x: Any) -> Any:
        return _piecewise((x, x > 0), (_sympy("expm1")(x), True))

    _unary("sigmoid", function="sigmoid", doc="Logistic function 1/(1 + exp(-x)), finite for every x.")
    _unary("softplus", function="softplus", doc="log(1 + exp(x)), finite for every x.")
    _unary("relu", lambda x: _piecewise((x, x > 0), (0, True)), doc="max(x, 0); its slope at 0 is 0.")
    _unary("elu", exponential_linear, doc="x for x > 0, else exp(x) - 1.")
    _unary("silu", lambda x: x * _sympy("sigmoid")(x), doc="x sigmoid(x), also called swish.")
    _unary(
        "gelu",
        lambda x: x * (1 + _sympy("erf")(x / _sympy("sqrt")(2))) / 2,
        doc="x times the normal distribution function of x.",
    )
    _unary(
        "hard_tanh",
        lambda x: _piecewise((1, x >= 1), (-1, x <= -1), (x, True)),
        doc="x cut to [-1, 1]; its slope at the corners is 0.",
    )
    _unary(
        "heaviside",
        lambda x: _piecewise((1, x > 0), (0, True)),
        partials=(_zero,),
        doc="Step: 1 for x > 0, else 0; its slope is 0.",
    )


_register_arithmetic()
_register_logic()
_register_transcendental()
_register_activations()

_WHERE = Scalar(
    name="where",
    arity=3,
    body=lambda c, x, y: _piecewise((x, c), (y, True)),
    function="select",
    takes="any",
    partials=(_zero, None, None),
    standard=True,
)
registry.register(make_op(
    _WHERE, vjp=_select_vjp, jvp=_select_jvp, doc="a where the condition holds, else b.",
    samples=tuple(Sample(shapes=s, params={}, dtypes=("bool",)) for s in (((), (), ()), ((4,), (4,), (4,)), (("N", 1), (3,), ("N", 3)), ((), (2, 3), (1,)), ((0,), (1,), ())))))  # fmt: skip


# ------------------------------------------------------------------------------------------ cast, stop_gradient


def _cast_infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    return Type(DType.of(params["dtype"]), types[0].shape)


def _cast_loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    load = broadcast_load(0, types[0].dtype, types[0].shape, kind.rank)
    return (Loop(axes=kind.shape, expr=cast(load, kind.dtype), dtype=kind.dtype),)


def _cast_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    source = app.operands[0].dtype
    return [
        b("cast", cotangent, dtype=source.long) if source.is_float and app.output.dtype.is_float else None
    ]


def _cast_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    target = app.output.dtype
    return (
        b("cast", tangents[0], dtype=target.long)
        if target.is_float and app.operands[0].dtype.is_float
        else None
    )


def _same_batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    return b(app.output.node.op, *app.operands, **app.params)


registry.register(Op(
    name="cast", infer=_cast_infer, reference=lambda xs, p, t: np.asarray(xs[0]).astype(t.dtype.numpy), loops=_cast_loops,
    vjp=_cast_vjp, jvp=_cast_jvp, batch=_same_batch, label=lambda x, p: f"{p['dtype']}({x[0]})",
    samples=tuple(Sample(shapes=(s,), params={"dtype": d}) for s in ((4,), ("N", 3)) for d in ("float32", "float64", "int32", "bool")),
    doc="The value in another dtype; floats are cut toward zero for integers."))  # fmt: skip

_IDENTITY = Scalar(
    name="stop_gradient", arity=1, body=lambda x: x, takes="any", partials=(_zero,), standard=True
)
registry.register(make_op(_IDENTITY, doc="The value, with gradient 0.", vjp=lambda b, app, g: [None], jvp=lambda b, app, t: None,
                          samples=(Sample(shapes=((4,),), params={}), Sample(shapes=(("N", 3),), params={}))))  # fmt: skip


# ------------------------------------------------------------------------------------------------ user functions


def _user_function(op: Op) -> Any:
    arity = op.scalar.arity

    def function(*operands: Any) -> Handle:
        if len(operands) != arity:
            raise TypeError(f"{op.name}() takes {arity} operand{'s' * (arity > 1)}, not {len(operands)}")
        return apply(op.name, *operands)

    function.__name__ = function.__qualname__ = op.name
    function.__doc__ = (
        f"{op.doc} Elementwise with NumPy's broadcasting; raises ShapeError and DTypeError for misfits."
    )
    return function


for _op in registry.ops():
    if _op.scalar is not None:
        FUNCTIONS[_op.name] = _user_function(_op)


@public
def where(condition: Any, a: Any, b: Any) -> Handle:
    """``a`` where ``condition`` holds, else ``b``, broadcast; the branch not taken never leaks into gradients."""
    graph = graph_of((condition, a, b), "where")
    taken = (
        meet("where", (a, b))
        if isinstance(a, Handle) or isinstance(b, Handle)
        else _plain_branches(graph, a, b)
    )
    chosen = lift(graph, condition)
    if chosen.dtype is not DType.BOOL:
        raise DTypeError(f"condition is {chosen.dtype}; compare it to get bool").located(
            "where", graph.here().place
        )
    return graph.add("where", (chosen, *taken))


def _plain_branches(graph: Any, a: Any, b: Any) -> list[Handle]:
    return meet("where", (lift(graph, a), lift(graph, b)))


@public
def cast_(x: Any, dtype: Any) -> Handle:
    """``x`` in ``dtype`` (float32, float64, int32, int64, bool)."""
    return cast_to(x, DType.of(dtype))


@public
def clip(x: Any, low: Any = None, high: Any = None) -> Handle:
    """``x`` cut to ``[low, high]``; against constants the slope at the corners is 0."""
    raised = x if low is None else call("maximum", x, low)
    return raised if high is None else call("minimum", raised, high)


@public
def leaky_relu(x: Any, slope: float = 0.01) -> Handle:
    """``x`` for x > 0, else ``slope * x``; the slope at 0 is ``slope``."""
    return where(x > 0, x, x * slope)


_general_pow = FUNCTIONS["pow"]


@public
def pow_(x: Any, y: Any) -> Handle:
    """``x ** y`` with broadcasting; squares, roots and reciprocals given as numbers get ops of their own."""
    short = (
        {2: "square", 1: "", 0.5: "sqrt", -1: "reciprocal"}.get(y)
        if isinstance(y, (int, float)) and not isinstance(y, bool)
        else None
    )
    if short is None:
        return _general_pow(x, y)
    return call(short, x) if short else x


__all__ = ["scaled"]
