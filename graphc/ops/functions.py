"""The standard elementwise functions: arithmetic, comparison, logic, transcendental functions, activations."""

# SymPy carries no types, and the bodies are expressions over it.
# pyright: basic

from __future__ import annotations

from typing import Any

from graphc import registry
from graphc.errors import DTypeError
from graphc.graph import FUNCTIONS, Handle, apply, call, lift, meet, public
from graphc.graph.handle import graph_of
from graphc.ops.bodies import (
    extremum_jvp,
    extremum_vjp,
    named,
    opaque,
    piecewise,
    power_by_base,
    power_by_exponent,
    select_jvp,
    select_vjp,
    tie,
    zero,
)
from graphc.ops.elementwise import Scalar, make_op, scaled
from graphc.registry import Op, Sample
from graphc.types import DType

# ------------------------------------------------------------------------------------------- the table

_POSITIVE: dict[str, Any] = {"low": 0.2, "high": 3.0}
_INSIDE: dict[str, Any] = {"low": -0.9, "high": 0.9}


_UNARY_SHAPES = tuple((s,) for s in ((), (5,), ("N", 3), (0,), (1,)))
_BINARY_SHAPES = (
    ((), ()),
    ((4,), (4,)),
    (("N", 3), (3,)),
    ((2, 1, 3), (4, 1)),
    (("N", 1), ("N", 3)),
    ((), (3,)),
    ((0, 3), (3,)),
    ((1,), (3,)),
)


def _standard(
    scalar: Scalar, shapes: tuple[Any, ...], low: float = -2.0, high: float = 2.0, **rules: Any
) -> Op:
    """Register the op of ``scalar``, tested on ``shapes`` with values between ``low`` and ``high``."""
    samples = tuple(Sample(shapes=s, params={}, low=low, high=high, distinct=True) for s in shapes)
    return registry.register(make_op(scalar, samples=samples, **rules))


_FIELDS = frozenset({"function", "takes", "result", "partials", "infix"})


def _unary(name: str, body: Any = None, **options: Any) -> Op:
    """A function of one operand; ``options`` are fields of ``Scalar``, the range of its samples and rules of the op."""
    fields: dict[str, Any] = {key: options.pop(key) for key in _FIELDS & options.keys()}
    scalar = Scalar(name=name, arity=1, body=body or named(name), standard=True, **fields)
    return _standard(scalar, _UNARY_SHAPES, **options)


def _binary(name: str, body: Any, **options: Any) -> Op:
    """A function of two operands, of the loop language's function of its name if no other is given."""
    fields: dict[str, Any] = {"function": name, "takes": "number"} | {
        key: options.pop(key) for key in _FIELDS & options.keys()
    }
    return _standard(
        Scalar(name=name, arity=2, body=body, standard=True, **fields), _BINARY_SHAPES, **options
    )


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
        lambda x, y: named("floor")(x / y),
        infix="//",
        partials=(zero, zero),
        doc="Quotient rounded down.",
        **_POSITIVE,
    )
    _binary(
        "mod",
        lambda x, y: named("Mod")(x, y),
        infix="%",
        partials=(lambda x, y: 1, lambda x, y: -named("floor")(x / y)),
        doc="Remainder with the divisor's sign.",
        **_POSITIVE,
    )
    _binary(
        "pow",
        lambda x, y: x**y,
        infix="**",
        takes="float",
        partials=(power_by_base, power_by_exponent),
        doc="Power.",
        **_POSITIVE,
    )
    for name, above in (("maximum", True), ("minimum", False)):
        _binary(
            name,
            named("Max" if above else "Min"),
            vjp=extremum_vjp,
            jvp=extremum_jvp,
            doc=f"Elementwise {name}; NaN propagates.",
            partials=(
                lambda x, y, above=above: tie(x, y, above=above),
                lambda x, y, above=above: tie(y, x, above=above),
            ),
        )
    _binary("atan2", named("atan2"), takes="float", doc="Angle of the point (y, x), in radians.", **_POSITIVE)
    _unary("neg", lambda x: -x, function="neg", takes="number", infix="-", doc="Negation.")
    _unary("abs", named("Abs"), function="abs", takes="number", doc="Absolute value; its slope at 0 is 0.")
    _unary(
        "sign",
        named("sign"),
        function="sign",
        takes="number",
        partials=(zero,),
        doc="-1, 0 or 1; its slope is 0.",
    )
    for name, body in (
        ("floor", named("floor")),
        ("ceil", named("ceiling")),
        ("rint", opaque("rint")),
        ("trunc", opaque("trunc")),
    ):
        _unary(name, body, function=name, partials=(zero,), doc=f"Rounding ({name}); its slope is 0.")
    _unary("square", lambda x: x**2, takes="number", doc="x * x.")
    _unary("reciprocal", lambda x: 1 / x, doc="1 / x.", **_POSITIVE)


def _register_logic() -> None:
    relations = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
    bodies = {"lt": "Lt", "le": "Le", "gt": "Gt", "ge": "Ge", "eq": "Eq", "ne": "Ne"}
    for name, infix in relations.items():
        _binary(
            name,
            named(bodies[name]),
            infix=infix,
            takes="any",
            result="bool",
            partials=(zero, zero),
            doc=f"Comparison {infix}.",
        )
    for name, body, infix in (("and", "And", "&"), ("or", "Or", "|"), ("xor", "Xor", "^")):
        _binary(
            f"logical_{name}",
            named(body),
            function=name,
            infix=infix,
            takes="bool",
            result="bool",
            partials=(zero, zero),
            doc=f"Logical {name}.",
        )
    _unary(
        "logical_not",
        named("Not"),
        function="not",
        takes="bool",
        result="bool",
        partials=(zero,),
        infix="~",
        doc="Logical not.",
    )
    for name in ("isnan", "isinf", "isfinite"):
        _unary(
            name,
            opaque(name),
            function=name,
            result="bool",
            partials=(zero,),
            doc=f"Whether the value {name[2:]}.".replace("value", "value is"),
        )


def _register_transcendental() -> None:
    _unary("exp", function="exp", doc="Exponential.")
    _unary("expm1", function="expm1", doc="exp(x) - 1, exact near 0.")
    _unary("log", function="log", doc="Natural logarithm.", **_POSITIVE)
    _unary("log1p", function="log1p", doc="log(1 + x), exact near 0.", low=-0.5, high=2.0)
    _unary("log2", function="log2", doc="Logarithm to base 2.", **_POSITIVE)
    _unary("sqrt", function="sqrt", doc="Square root.", **_POSITIVE)
    _unary("rsqrt", lambda x: 1 / named("sqrt")(x), function="rsqrt", doc="1 / sqrt(x).", **_POSITIVE)
    for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "asinh", "atan", "erf", "erfc"):
        _unary(name, function=name, doc=f"{name} of x.", low=-1.2, high=1.2)
    for name in ("asin", "acos", "atanh"):
        _unary(name, function=name, doc=f"{name} of x.", **_INSIDE)
    _unary("acosh", function="acosh", doc="acosh of x.", low=1.3, high=3.0)


_ROOT_2_BY_PI = 0.7978845608028654


def _register_activations() -> None:
    def exponential_linear(x: Any) -> Any:
        return piecewise((x, x > 0), (named("expm1")(x), True))

    _unary("sigmoid", function="sigmoid", doc="Logistic function 1/(1 + exp(-x)), finite for every x.")
    _unary("softplus", function="softplus", doc="log(1 + exp(x)), finite for every x.")
    _unary("relu", lambda x: piecewise((x, x > 0), (0, True)), doc="max(x, 0); its slope at 0 is 0.")
    _unary("elu", exponential_linear, doc="x for x > 0, else exp(x) - 1.")
    _unary("silu", lambda x: x * named("sigmoid")(x), doc="x sigmoid(x), also called swish.")
    _unary(
        "gelu",
        lambda x: x * (1 + named("erf")(x / named("sqrt")(2))) / 2,
        doc="x times the normal distribution function of x.",
    )
    _unary(
        "gelu_tanh",
        lambda x: x * (1 + named("tanh")(_ROOT_2_BY_PI * (x + 0.044715 * x**3))) / 2,
        doc='`gelu(x, approximate="tanh")`.',
    )
    _unary(
        "hard_tanh",
        lambda x: piecewise((1, x >= 1), (-1, x <= -1), (x, True)),
        doc="x cut to [-1, 1]; its slope at the corners is 0.",
    )
    _unary(
        "heaviside",
        lambda x: piecewise((1, x > 0), (0, True)),
        partials=(zero,),
        doc="Step: 1 for x > 0, else 0; its slope is 0.",
    )


_register_arithmetic()
_register_logic()
_register_transcendental()
_register_activations()

_WHERE = Scalar(
    name="where",
    arity=3,
    body=lambda c, x, y: piecewise((x, c), (y, True)),
    function="select",
    takes="any",
    partials=(zero, None, None),
    standard=True,
)
registry.register(
    make_op(
        _WHERE,
        vjp=select_vjp,
        jvp=select_jvp,
        doc="a where the condition holds, else b.",
        samples=tuple(
            Sample(shapes=s, params={}, dtypes=("bool",))
            for s in (
                ((), (), ()),
                ((4,), (4,), (4,)),
                (("N", 1), (3,), ("N", 3)),
                ((), (2, 3), (1,)),
                ((0,), (1,), ()),
            )
        ),
    )
)


_IDENTITY = Scalar(
    name="stop_gradient", arity=1, body=lambda x: x, takes="any", partials=(zero,), standard=True
)
registry.register(
    make_op(
        _IDENTITY,
        doc="The value, with gradient 0.",
        vjp=lambda b, app, g: [None],
        jvp=lambda b, app, t: None,
        samples=(Sample(shapes=((4,),), params={}), Sample(shapes=(("N", 3),), params={})),
    )
)


# ------------------------------------------------------------------------------------------------ user functions


def user_function(op: Op) -> Any:
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
        FUNCTIONS[_op.name] = user_function(_op)


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
def clip(x: Any, low: Any = None, high: Any = None) -> Handle:
    """``x`` cut to ``[low, high]``; against constants the slope at the corners is 0."""
    raised = x if low is None else call("maximum", x, low)
    return raised if high is None else call("minimum", raised, high)


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


__all__ = ["scaled", "user_function"]
