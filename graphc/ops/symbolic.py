"""SymPy's side of elementwise ops: bodies, their partial derivatives, and their translation to the loop language.

Only single bodies are ever differentiated, never a composed network. SymPy loads when the first formula is asked
for. A derivative is expressed in the op's own output where that is cheaper; the form is found by elimination:
solve ``y = body`` for the one transcendental subexpression and substitute it in the derivative.
"""

# pyright: basic

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphc.errors import ExpressionError
from graphc.loops import Call, Const, Expr, Load, call, integer_power
from graphc.types import DType


@lru_cache(maxsize=1)
def functions() -> dict[str, Any]:
    """graphc's own scalar functions as SymPy functions with their derivatives."""
    import sympy

    class sigmoid(sympy.Function):  # noqa: N801 - printed as written
        nargs = 1

        def fdiff(self, argindex: int = 1) -> Any:
            return self * (1 - self)

        def _eval_rewrite_as_exp(self, arg: Any, **_: Any) -> Any:
            return 1 / (1 + sympy.exp(-arg))

    class softplus(sympy.Function):  # noqa: N801
        nargs = 1

        def fdiff(self, argindex: int = 1) -> Any:
            return sigmoid(self.args[0])

    return {"sigmoid": sigmoid, "softplus": softplus}


def symbols(count: int) -> tuple[Any, ...]:
    """The real symbols that stand for an op's operands."""
    import sympy

    names = ("x", "y", "z") if count <= 3 else tuple(f"x{k}" for k in range(count))
    return tuple(sympy.Symbol(n, real=True) for n in names[:count])


def output_symbol() -> Any:
    """The symbol that stands for an op's own output in a derivative."""
    import sympy

    return sympy.Symbol("out", real=True)


# ------------------------------------------------------------------------------------------------ derivatives


def differentiate(body: Any, args: Sequence[Any], position: int) -> Any:
    """The partial derivative of ``body``, in its arguments and, where cheaper, in its output."""
    import sympy

    body = stable_form(sympy.sympify(body))
    raw = _no_delta(sympy.diff(body, args[position]))
    forms = [raw, *_simpler(raw)]
    forms += [f for form in list(forms) for f in _through_output(body, form, output_symbol())]
    return _tidy(min(forms, key=_cost))


def stable_form(body: Any) -> Any:
    """``1/(1 + e^u)`` as ``sigmoid(-u)`` and ``log(1 + e^u)`` as ``softplus(u)``: equal, and finite for every u."""
    import sympy

    own, u = functions(), sympy.Wild("u")
    return body.replace(sympy.log(1 + sympy.exp(u)), lambda u: own["softplus"](u)).replace(
        1 / (1 + sympy.exp(u)), lambda u: own["sigmoid"](-u)
    )


def _no_delta(expr: Any) -> Any:
    """Derivatives of jumps are 0 in the kink table; SymPy writes them as DiracDelta or leaves ``Derivative``."""
    import sympy

    zero = sympy.Integer(0)
    plain = expr.replace(sympy.DiracDelta, lambda *_: zero).replace(
        lambda e: isinstance(e, sympy.Derivative), lambda _: zero
    )
    return plain.replace(lambda e: isinstance(e, sympy.Subs), lambda e: e.doit())


def _simpler(expr: Any) -> list[Any]:
    import sympy

    if expr.has(sympy.Piecewise) or sympy.count_ops(expr) > 60:
        return []
    return [sympy.factor(expr), sympy.powsimp(expr)]


def _through_output(body: Any, derivative: Any, out: Any) -> list[Any]:
    import sympy

    if isinstance(body, sympy.Piecewise) and isinstance(derivative, sympy.Piecewise):
        return _branchwise(body, derivative, out)
    body = _plain(body)
    atom = _only_atom(body)
    if atom is None:
        return []
    e = sympy.Dummy("e", real=True)
    solution = _solve_linear_fractional(body.subs(atom, e), e, out)
    if solution is None:
        return []
    found = _plain(derivative).subs(atom, e).subs(e, solution)
    forms = [sympy.factor(sympy.cancel(found)), sympy.expand(sympy.cancel(found))]
    return [_tidy(form) for form in forms if not _new_poles(form, derivative)]


def _plain(expr: Any) -> Any:
    """``expm1`` and its like written with the functions they abbreviate."""
    import sympy
    from sympy.codegen.cfunctions import expm1, log1p

    return expr.replace(expm1, lambda x: sympy.exp(x) - 1).replace(log1p, lambda x: sympy.log(1 + x))


def _new_poles(form: Any, derivative: Any) -> bool:
    """Whether ``form`` divides by something where ``derivative`` does not, or by an operand at all."""
    import sympy

    divisor = sympy.fraction(sympy.together(form))[1]
    if not divisor.free_symbols:
        return False
    old = sympy.fraction(sympy.together(derivative))[1]
    return divisor.free_symbols != {output_symbol()} or not old.free_symbols


def _branchwise(body: Any, derivative: Any, out: Any) -> list[Any]:
    import sympy

    if [c for _, c in body.args] != [c for _, c in derivative.args]:
        return []
    branches = []
    for (value, condition), (slope, _) in zip(body.args, derivative.args, strict=True):
        branches.append((min([slope, *_through_output(value, slope, out)], key=_cost), condition))
    found = sympy.Piecewise(*branches)
    return [found, *_decided_by_output(body, found, out)]


def _decided_by_output(body: Any, derivative: Any, out: Any) -> list[Any]:
    """``x > c`` decided by ``out > c``, where the body is x above c and never exceeds c elsewhere (relu, ELU)."""
    import sympy

    (value, condition), *others = body.args
    if not isinstance(condition, sympy.StrictGreaterThan) or len(others) != 1 or not condition.rhs.is_number:
        return []
    x, bound = condition.lhs, condition.rhs
    below = _plain(others[0][0])
    if value != x or not x.is_Symbol or not below.free_symbols <= {x}:
        return []
    try:
        highest = sympy.calculus.util.maximum(below, x, sympy.Interval(-sympy.oo, bound))
    except (NotImplementedError, ValueError):
        return []
    return [derivative.subs(condition, out > bound)] if (highest <= bound) == sympy.true else []


def _only_atom(body: Any) -> Any:
    """The single transcendental or fractional-power subexpression of ``body``, or None."""
    import sympy

    def transcendental(e: Any) -> bool:
        if isinstance(e, sympy.Function):
            return bool(e.free_symbols) and not isinstance(
                e, (sympy.Piecewise, sympy.Max, sympy.Min, sympy.Abs, sympy.sign)
            )
        return isinstance(e, sympy.Pow) and not e.exp.is_Integer and bool(e.free_symbols)

    atoms = [e for e in sympy.preorder_traversal(body) if transcendental(e)]
    return atoms[0] if len(set(atoms)) == 1 else None


def _solve_linear_fractional(body: Any, e: Any, out: Any) -> Any:
    """``e`` from ``out = (a e + b)/(c e + d)``: the only shape with one solution everywhere."""
    import sympy

    numerator, denominator = sympy.fraction(sympy.together(body))
    equation = sympy.expand(numerator - out * denominator)
    if not equation.is_polynomial(e) or sympy.degree(equation, e) != 1:
        return None
    linear = sympy.Poly(equation, e)
    return sympy.cancel(-linear.coeff_monomial(1) / linear.coeff_monomial(e))


def _tidy(expr: Any) -> Any:
    """``-y (y - 1)`` as ``y (1 - y)``."""
    import sympy

    if not (expr.is_Mul and expr.args[0] == -1):
        return expr
    for factor in expr.args[1:]:
        if factor.is_Add:
            rest = [f for f in expr.args[1:] if f is not factor]
            return sympy.Mul(*rest, -factor)
    return expr


def _is_transcendental(e: Any) -> bool:
    import sympy

    if isinstance(e, sympy.Pow):
        return not e.exp.is_Integer
    return isinstance(e, sympy.Function) and not isinstance(e, (sympy.Piecewise, sympy.Abs, sympy.sign))


def _cost(expr: Any) -> float:
    """Operations of a derivative, a transcendental one counting twenty; the output is preferred to an operand."""
    import sympy

    cost = float(sympy.count_ops(expr))
    for e in sympy.preorder_traversal(expr):
        if _is_transcendental(e):
            cost += 20
        elif isinstance(e, sympy.Pow) and e.exp.is_negative:
            cost += 3
        elif isinstance(e, sympy.Symbol) and e.name != "out":
            cost += 0.1
    return cost


# ------------------------------------------------------------------------------------ to the loop language


@dataclass(frozen=True, slots=True)
class Translation:
    """Translates SymPy to loop expressions of ``dtype``; ``loads`` says what each symbol reads."""

    loads: Mapping[Any, Load]
    dtype: DType

    def __call__(self, expr: Any) -> Expr:
        import sympy

        if expr.is_Symbol:
            return self._symbol(expr)
        if expr in (sympy.true, sympy.false):
            return Const(expr == sympy.true, DType.BOOL)
        if expr.is_number and (expr.is_real is not False or expr.is_infinite):
            return self._number(expr)
        if isinstance(expr, sympy.Add):
            return self._sum(expr)
        if isinstance(expr, sympy.Mul):
            return self._product(expr)
        if isinstance(expr, sympy.Pow):
            return self._power(expr)
        if isinstance(expr, sympy.Piecewise):
            return self._piecewise(expr)
        return self._function(expr)

    def _symbol(self, expr: Any) -> Expr:
        assert expr in self.loads, f"symbol {expr} is no operand"
        return self.loads[expr]

    def _number(self, expr: Any) -> Expr:
        import sympy

        if expr is sympy.nan or expr.is_infinite:
            raise ExpressionError(f"constant {expr} is not finite; pass such values as an operand")
        value = float(expr)
        return Const(value if self.dtype.is_float else int(value), self.dtype)

    def _sum(self, expr: Any) -> Expr:
        terms = sorted(expr.as_ordered_terms(), key=_is_negative)
        total = self(terms[0])
        for term in terms[1:]:
            total = call("sub", total, self(-term)) if _is_negative(term) else call("add", total, self(term))
        return total

    def _product(self, expr: Any) -> Expr:
        import sympy

        numerator, denominator = sympy.fraction(expr, exact=True)
        if denominator != 1:
            return call("div", self(numerator), self(denominator))
        if _is_negative(expr) and expr.args[0] == -1:
            return call("neg", self(-expr))
        factors = [self(f) for f in expr.as_ordered_factors()]
        total = factors[0]
        for factor in factors[1:]:
            total = call("mul", total, factor)
        return total

    def _power(self, expr: Any) -> Expr:
        import sympy

        base, exponent = expr.base, expr.exp
        if exponent == sympy.Rational(1, 2):
            return call("sqrt", self(base))
        if exponent.is_number and exponent.is_negative:
            return call("div", Const(1.0, self.dtype), self(base**-exponent))
        if exponent.is_Integer and exponent <= 64:
            return integer_power(self(base), int(exponent))
        return call("pow", self(base), self(exponent))

    def _piecewise(self, expr: Any) -> Expr:
        import sympy

        pairs = list(expr.args)
        if pairs[-1][1] != sympy.true:
            raise ExpressionError(f"{expr} has no branch for every input; end it with (value, True)")
        result = self(pairs[-1][0])
        for value, condition in reversed(pairs[:-1]):
            result = call("select", self(condition), self(value), result)
        return result

    def _function(self, expr: Any) -> Expr:
        name = _FUNCTIONS.get(type(expr).__name__)
        if name is None:
            raise ExpressionError(
                f"function {type(expr).__name__} has no kernel; use one of {', '.join(sorted(_FUNCTIONS))}"
            )
        if name == "heaviside":
            return self(_heaviside(expr))
        args = [self(a) for a in expr.args]
        if name in ("maximum", "minimum", "and", "or", "xor"):
            return _fold(name, args)
        return call(name, *args)


def _is_negative(term: Any) -> bool:
    return bool(
        term.could_extract_minus_sign() and (term.is_number or (term.is_Mul and term.args[0].is_number))
    )


def _fold(name: str, args: list[Expr]) -> Expr:
    result = args[0]
    for arg in args[1:]:
        result = call(name, result, arg)
    return result


def _heaviside(expr: Any) -> Any:
    import sympy

    at_zero = expr.args[1] if len(expr.args) > 1 else sympy.Rational(1, 2)
    return sympy.Piecewise((1, expr.args[0] > 0), (at_zero, sympy.Eq(expr.args[0], 0)), (0, True))


# SymPy's class name -> function of the loop language.
_FUNCTIONS: dict[str, str] = {
    "exp": "exp", "log": "log", "sin": "sin", "cos": "cos", "tan": "tan", "asin": "asin", "acos": "acos",
    "atan": "atan", "atan2": "atan2", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh", "asinh": "asinh",
    "acosh": "acosh", "atanh": "atanh", "erf": "erf", "erfc": "erfc",
    "Abs": "abs", "sign": "sign", "floor": "floor", "ceiling": "ceil",
    "Max": "maximum", "Min": "minimum", "Mod": "mod", "expm1": "expm1", "log1p": "log1p", "log2": "log2",
    "sigmoid": "sigmoid",
    "softplus": "softplus", "Heaviside": "heaviside", "StrictGreaterThan": "gt", "GreaterThan": "ge",
    "StrictLessThan": "lt", "LessThan": "le", "Equality": "eq", "Unequality": "ne", "And": "and", "Or": "or",
    "Xor": "xor", "Not": "not",
}  # fmt: skip


def translate(body: Any, args: Sequence[Any], dtype: DType, sources: Sequence[int] | None = None) -> Expr:
    """``body`` over ``args`` in the loop language; argument ``k`` loads operand ``sources[k]`` (``k`` if not given)."""
    import sympy

    loads = {a: Load(sources[k] if sources else k, (), dtype) for k, a in enumerate(args)}
    return Translation(loads, dtype)(stable_form(sympy.sympify(body)))


Body = Callable[..., Any]

__all__ = [
    "Body",
    "Call",
    "differentiate",
    "functions",
    "output_symbol",
    "stable_form",
    "symbols",
    "translate",
]
