"""SymPy expressions decomposed into graph nodes, one node an operation, equal subexpressions once.

SymPy rewrites an expression while it is made (``x - x`` is 0 there); what is left is taken as it stands.
"""

# pyright: basic

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

from graphc.declare.formula import DEPTH, Formula, Value, require_function
from graphc.errors import ExpressionError
from graphc.graph.imported import brief

# SymPy's class name -> graphc's function, where the two differ.
_NAMES = {
    "Abs": "abs", "ceiling": "ceil", "Max": "maximum", "Min": "minimum", "Mod": "mod",
    "StrictGreaterThan": "gt", "GreaterThan": "ge", "StrictLessThan": "lt", "LessThan": "le",
    "Equality": "eq", "Unequality": "ne",
    "And": "logical_and", "Or": "logical_or", "Xor": "logical_xor", "Not": "logical_not",
}  # fmt: skip


def is_sympy(value: Any) -> bool:
    """Whether ``value`` is a SymPy expression; SymPy is not imported to find out."""
    sympy = sys.modules.get("sympy")
    return sympy is not None and isinstance(value, sympy.Basic)


def read_sympy(expr: Any, formula: Formula) -> Value:
    """The value of ``expr``, whose symbols are matched to the parents of ``formula`` by name.

    Raises ``ExpressionError`` for unknown symbols and functions, for numbers that are not real and finite,
    and for a ``Piecewise`` without a last branch.
    """
    return _Reader(formula)(expr, 1)


@dataclass(frozen=True, slots=True)
class _Reader:
    formula: Formula
    read: dict[Any, Value] = field(default_factory=dict)

    def __call__(self, expr: Any, depth: int) -> Value:
        if depth > DEPTH:
            raise ExpressionError(f"the expression is nested deeper than {DEPTH}; split it into nodes")
        # Keyed with the class: SymPy holds 1 and 1.0, and True and 1, apart only by it.
        key = (type(expr), expr)
        if key not in self.read:
            self.read[key] = self._read(expr, depth + 1)
        return self.read[key]

    def _read(self, expr: Any, depth: int) -> Value:
        import sympy

        if isinstance(expr, sympy.Symbol):
            return self.formula.named(expr.name)
        if isinstance(expr, (sympy.Number, sympy.NumberSymbol)):
            return self._number(expr)
        if expr in (sympy.true, sympy.false):
            return bool(expr)
        readers = {
            sympy.Add: self._sum,
            sympy.Mul: self._product,
            sympy.Pow: self._power,
            sympy.Piecewise: self._piecewise,
            sympy.Heaviside: self._heaviside,
        }
        return readers.get(type(expr), self._function)(expr, depth)

    def _number(self, expr: Any) -> Value:
        import sympy

        return self.formula.number(int(expr) if isinstance(expr, sympy.Integer) else float(expr))

    def _sum(self, expr: Any, depth: int) -> Value:
        terms = sorted(expr.as_ordered_terms(), key=_is_negative)
        total = self(terms[0], depth)
        for term in terms[1:]:
            part = self(-term if _is_negative(term) else term, depth)
            total = self.formula.apply("sub" if _is_negative(term) else "add", (total, part))
        return total

    def _product(self, expr: Any, depth: int) -> Value:
        import sympy

        numerator, denominator = sympy.fraction(expr, exact=True)
        if denominator != 1:
            return self.formula.apply("div", (self(numerator, depth), self(denominator, depth)))
        factors = expr.as_ordered_factors()
        if factors[0] == -1:
            return self.formula.apply("neg", (self(sympy.Mul(*factors[1:]), depth),))
        return self._folded("mul", factors, depth)

    def _power(self, expr: Any, depth: int) -> Value:
        import sympy

        base, exponent = expr.base, expr.exp
        if exponent.is_Number and exponent.is_negative:
            return self.formula.apply("div", (1, self(sympy.Pow(base, -exponent), depth)))
        if exponent == sympy.Rational(1, 2):
            return self.formula.apply("pow", (self(base, depth), 0.5))
        return self.formula.apply("pow", (self(base, depth), self(exponent, depth)))

    def _piecewise(self, expr: Any, depth: int) -> Value:
        import sympy

        *branches, (value, condition) = expr.args
        if condition != sympy.true:
            raise ExpressionError(f"{brief(str(expr))} lacks a last branch; end it with (value, True)")
        result = self(value, depth)
        for branch, holds in reversed(branches):
            result = self.formula.apply("where", (self(holds, depth), self(branch, depth), result))
        return result

    def _heaviside(self, expr: Any, depth: int) -> Value:
        """SymPy's step has its own value at 0, graphc's ``heaviside`` is 0 there."""
        import sympy

        x, at_zero = expr.args
        steps = sympy.Piecewise((1, x > 0), (0, x < 0), (at_zero, True), evaluate=False)
        return self(steps, depth)

    def _function(self, expr: Any, depth: int) -> Value:
        name = type(expr).__name__
        require_function(_NAMES.get(name, name))
        return self._folded(_NAMES.get(name, name), expr.args, depth)

    def _folded(self, name: str, args: Any, depth: int) -> Value:
        return self.formula.apply(name, [self(a, depth) for a in args])


def _is_negative(term: Any) -> bool:
    return bool(term.as_coeff_Mul()[0].is_negative)


__all__ = ["is_sympy", "read_sympy"]
