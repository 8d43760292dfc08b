"""What the table of elementwise functions is made of: SymPy bodies by name, and the rules of the kink table."""

# SymPy carries no types, and the bodies are expressions over it.
# pyright: basic

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphc.ops import symbolic
from graphc.registry import Application


def named(name: str) -> Callable[..., Any]:
    """SymPy's function ``name`` (or graphc's own of that name), looked up when a formula is asked for."""

    def body(*args: Any) -> Any:
        import sympy
        from sympy.codegen import cfunctions

        own = symbolic.functions().get(name) or getattr(cfunctions, name, None)
        return (own or getattr(sympy, name))(*args)

    return body


def opaque(name: str) -> Callable[..., Any]:
    """A function that SymPy only prints."""

    def body(*args: Any) -> Any:
        import sympy

        return sympy.Function(name)(*args)

    return body


def zero(*_: Any) -> Any:
    return 0


def piecewise(*pairs: tuple[Any, Any]) -> Any:
    import sympy

    return sympy.Piecewise(*pairs)


def tie(x: Any, y: Any, *, above: bool) -> Any:
    """The slope of maximum (``above``) or minimum by its first operand: ties share evenly."""
    import sympy

    return piecewise((1, x > y if above else x < y), (sympy.Rational(1, 2), sympy.Eq(x, y)), (0, True))


def power_by_base(x: Any, y: Any) -> Any:
    import sympy

    return piecewise((0, sympy.Eq(y, 0)), (y * x ** (y - 1), True))


def power_by_exponent(x: Any, y: Any) -> Any:
    import sympy

    return piecewise((x**y * sympy.log(x), x > 0), (0, True))


# -------------------------------------------------------------------- rules that the kink table asks for


def extremum_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
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


def extremum_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    above, total = app.output.node.op == "maximum", None
    for position, tangent in enumerate(tangents):
        if tangent is not None:
            term = b("mul", tangent, _extremum_slope(b, app, position, app.operands[1 - position], above))
            total = term if total is None else b("add", total, term)
    return None if total is None else b.spread(total, app.output.shape)


def select_vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    """Each branch gets the cotangent where it was taken and 0 elsewhere."""
    condition, nothing = app.operands[0], b.constant(0.0, app.output.type)
    branches = (b("where", condition, cotangent, nothing), b("where", condition, nothing, cotangent))
    return [
        None,
        *(
            b.fit(g, o.shape) if o.dtype.is_float else None
            for g, o in zip(branches, app.operands[1:], strict=True)
        ),
    ]


def select_jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    nothing = b.constant(0.0, app.output.type)
    taken = [nothing if t is None else t for t in tangents[1:]]
    if tangents[1] is None and tangents[2] is None:
        return None
    return b.spread(b("where", app.operands[0], *taken), app.output.shape)


__all__ = [
    "extremum_jvp",
    "extremum_vjp",
    "named",
    "opaque",
    "piecewise",
    "power_by_base",
    "power_by_exponent",
    "select_jvp",
    "select_vjp",
    "tie",
    "zero",
]
