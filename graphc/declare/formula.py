"""What formulas are built with: arithmetic over a network's nodes and plain numbers, one node an operation.

Numbers meet numbers in Python's own arithmetic, so that ``x * (1/3)`` means what it means with handles; what
touches a node becomes a node. Both readers (text and SymPy) end here: one list of what a formula may do.
"""

from __future__ import annotations

import math
import operator
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from graphc import registry
from graphc.declare.functions import elementwise_arity, function_named, misfit, nearest
from graphc.errors import ExpressionError
from graphc.graph import Graph, Handle
from graphc.graph.imported import brief, listed
from graphc.types import DType, promote

Value = Handle | bool | int | float

DEPTH = 100  # of nesting: far beyond what people write, far below Python's own limit
EXPONENT = 1024  # of a power between two plain numbers, which is computed while reading

# Beside the elementwise ops, the functions of arrays that a formula may use.
ARRAY_FUNCTIONS = frozenset(
    ("sum", "mean", "prod", "max", "min", "logsumexp", "softmax", "log_softmax", "var", "std", "norm",
     "matmul", "dot", "transpose", "clip", "leaky_relu", "where")
)  # fmt: skip
_FOLDING = frozenset({"add", "mul", "maximum", "minimum", "logical_and", "logical_or", "logical_xor"})


@dataclass(frozen=True, slots=True)
class Formula:
    """The nodes that a formula may name, and the graph that it is built in."""

    graph: Graph
    names: Mapping[str, Handle]

    def named(self, name: str) -> Handle:
        """The parent called ``name``; raises ``ExpressionError`` listing the parents."""
        found = self.names.get(name)
        if found is None:
            found = _normalised(self.names).get(unicodedata.normalize("NFKC", name))
        if found is None:
            parents = listed(self.names)
            raise ExpressionError(f"symbol {brief(name)} is not a parent ({parents}); add an edge from it")
        return found

    def number(self, value: Any) -> Value:
        """``value`` as a plain number; raises ``ExpressionError`` when not real, finite and of 64 bits."""
        if not isinstance(value, (bool, int, float)):
            raise ExpressionError(f"{value!r} is not a real number; formulas take real numbers")
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ExpressionError(f"an integer of {value.bit_length()} bits does not fit 64; write a float")
        if not math.isfinite(value):
            raise ExpressionError(f"{value} is not finite; pass such values as an input")
        return value

    def node(self, value: Value) -> Handle:
        """``value`` as a node; a plain number takes the dtype of the formula's parents."""
        if isinstance(value, Handle):
            return value
        return self.graph.const(value, None if isinstance(value, bool) else self._dtype())

    def apply(self, name: str, values: Sequence[Value], options: Mapping[str, Any] | None = None) -> Value:
        """Function ``name`` of ``values``: a number where all are numbers and it is plain arithmetic.

        Raises ``ExpressionError`` for a function that formulas do not have and for operands that do not fit.
        """
        name = _spelt_out(name, len(values), options)
        if name in _FOLDING and len(values) > 2 and not options:
            return reduce(lambda left, right: self.apply(name, (left, right)), values)
        function = require_function(name)
        problem = misfit(name, values, options or {})
        if problem:
            raise ExpressionError(f"{problem}; correct the call")
        if name in _ARITHMETIC and not any(isinstance(v, Handle) for v in values):
            return self.number(_computed(name, values))
        return function(*self._operands(name, values), **(options or {}))

    def _operands(self, name: str, values: Sequence[Value]) -> list[Any]:
        if name == "where" and not any(isinstance(v, Handle) for v in values[1:]):
            return [self._condition(values[0]), *(self.node(v) for v in values[1:])]
        if any(isinstance(v, Handle) for v in values):
            return list(values)
        return [self.node(v) for v in values]

    def _condition(self, value: Value) -> Handle:
        return value if isinstance(value, Handle) else self.graph.const(bool(value))

    def _dtype(self) -> DType:
        floats = [h.dtype for h in self.names.values() if h.dtype.is_float]
        return promote(floats) if floats else DType.F32


def known_functions() -> frozenset[str]:
    """The names of all functions that a formula may use, user-defined elementwise ops among them."""
    elementwise = {op.name for op in registry.ops() if op.scalar is not None and not op.scalar.parent}
    return frozenset(elementwise | ARRAY_FUNCTIONS)


def require_function(name: str) -> Callable[..., Any]:
    """Function ``name``; raises ``ExpressionError`` with the nearest name unless formulas have it."""
    found = function_named(name)
    if found is None or (name not in ARRAY_FUNCTIONS and elementwise_arity(name) is None):
        hint = nearest(name, known_functions())
        raise ExpressionError(f"there is no function {brief(name)} in formulas; {hint}")
    return found


def _spelt_out(name: str, count: int, options: Mapping[str, Any] | None) -> str:
    """``max(a, b)`` is elementwise, ``max(a)`` a reduction, as in Python."""
    if count > 1 and not options:
        return {"max": "maximum", "min": "minimum"}.get(name, name)
    return name


def _normalised(names: Mapping[str, Handle]) -> dict[str, Handle]:
    """Python reads identifiers in Unicode's NFKC form: the micro sign arrives as the Greek letter."""
    return {unicodedata.normalize("NFKC", name): handle for name, handle in names.items()}


def _computed(name: str, values: Sequence[Any]) -> Any:
    try:
        return _ARITHMETIC[name](*values)
    except (ZeroDivisionError, OverflowError) as error:
        numbers = " and ".join(map(repr, values))
        raise ExpressionError(
            f"{name} of {numbers} has no finite value ({error.args[-1]}); correct it"
        ) from None


def _power(base: Any, exponent: Any) -> Any:
    if abs(exponent) > EXPONENT:
        raise ExpressionError(f"exponent {exponent} is beyond {EXPONENT}; write the number itself")
    value = float(base) ** float(exponent)
    exact = isinstance(base, int) and isinstance(exponent, int) and exponent >= 0 and abs(value) < 2**53
    return base**exponent if exact else value


def _divided(value: Any, by: Any) -> Any:
    return value / by


_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": _divided, "pow": _power,
    "neg": operator.neg, "abs": abs,
}  # fmt: skip

__all__ = ["DEPTH", "Formula", "Value", "known_functions", "require_function"]
