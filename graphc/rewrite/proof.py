"""Proofs of rules: a formula before and after its rewrite, computed over SymPy symbols, must be one and the
same.

A rule's example is built and rewritten by the engine, so that what is proved is what runs. Both graphs are
then computed with an array of symbols for each input. First SymPy is asked to reduce the difference to 0;
where it cannot, the difference must vanish to ``DIGITS`` digits at ``POINTS`` points.
"""

# pyright: basic

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import ExpressionError
from graphc.graph import Cone, Graph, Node
from graphc.rewrite.engine import Applied, by_op, rewrite_cone
from graphc.rewrite.pattern import Rule
from graphc.size import dim_evaluate

DIGITS, POINTS, SEED = 60, 12, 20260101
SIMPLE = 60  # operations up to which SymPy is asked to simplify


@dataclass(frozen=True, slots=True)
class Proof:
    """How a rule was proved: ``method`` is ``"simplified"`` or ``"sampled"``; ``applied``: what fired."""

    rule: str
    method: str
    applied: tuple[Applied, ...]
    before: str
    after: str


def prove(rule: Rule, rules: Sequence[Rule]) -> Proof:
    """Prove ``rule`` on its example, rewritten by ``rules``.

    Raises ``ExpressionError`` when the rule does not fire or the two sides differ.

    >>> from graphc.rewrite import RULES
    >>> softplus = next(r for r in RULES if r.name == "softplus")
    >>> prove(softplus, RULES).method
    'simplified'
    """
    graph = Graph(rule.name)
    cone = Cone(graph, {"value": rule.example(graph).id})
    done = rewrite_cone(cone, by_op(rules))
    if rule.name not in {a.rule for a in done.applied}:
        raise ExpressionError(
            f"rule {rule.name!r} does not fire on its example; correct the pattern or the example"
        )
    method = _compare(rule, formulas(cone)["value"], formulas(done.cone)["value"])
    return Proof(rule.name, method, done.applied, str(cone), str(done.cone))


def _compare(rule: Rule, left: Any, right: Any) -> str:
    pairs = list(zip(np.ravel(left), np.ravel(right), strict=True))
    if all(_vanishes(a - z) for a, z in pairs):
        return "simplified"
    worst = max(_difference(a, z, rule.points) for a, z in pairs)
    if worst > 10.0 ** (10 - DIGITS):
        raise ExpressionError(f"rule {rule.name!r}: the two sides differ by {worst}; the rule is wrong")
    return "sampled"


def _vanishes(difference: Any) -> bool:
    import sympy

    plain = sympy.sympify(difference)
    if sympy.expand(plain) == 0:
        return True
    if plain.has(sympy.Piecewise, sympy.Max) or sympy.count_ops(plain) > SIMPLE:
        return False  # SymPy would take minutes over it
    plain = plain.rewrite(sympy.exp)
    logs = sympy.expand_log(sympy.logcombine(plain, force=True), force=True)
    return any(sympy.simplify(form) == 0 for form in (plain, logs))


def _difference(left: Any, right: Any, ranges: Mapping[str, tuple[float, float]]) -> float:
    """The largest relative difference at random points in ``ranges``, in ``DIGITS`` digits."""
    import sympy

    rng = np.random.default_rng(SEED)
    names = sorted(left.free_symbols | right.free_symbols, key=str)
    found = 0.0
    for _ in range(POINTS):
        at = {s: _point(rng, *_range(s, ranges)) for s in names}
        a, z = (sympy.N(side.subs(at), DIGITS + 10) for side in (left, right))
        found = max(found, float(abs(a - z) / max(1, abs(a))))
    return found


def _range(symbol: Any, ranges: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    low, high = ranges.get(str(symbol).rstrip("0123456789"), (-3.0, 3.0))
    return max(low, -3.0), max(min(high, 3.0), low)


def _point(rng: np.random.Generator, low: float, high: float) -> Any:
    import sympy

    return sympy.Rational(int(rng.integers(round(low * 1009), round(high * 1009) + 1)) or 1, 1009)


# ------------------------------------------------------------------------------- graphs over SymPy symbols


def formulas(cone: Cone) -> dict[str, Any]:
    """The outputs of ``cone`` as arrays of SymPy expressions, one real symbol for each input element."""
    values: dict[int, Any] = {}
    for at in cone.nodes:
        node = cone.graph.nodes[at]
        values[at] = _leaf(node) if node.is_leaf else _computed(node, [values[i] for i in node.operands])
    return {name: values[at] for name, at in cone.outputs.items()}


def _leaf(node: Node) -> Any:
    import sympy

    if not node.is_const:
        name, shape = node.param["name"], tuple(dim_evaluate(d, {}) for d in node.type.shape)
        symbols = [sympy.Symbol(f"{name}{k}", real=True) for k in range(math.prod(shape))]
        return np.array(symbols, dtype=object).reshape(shape)
    array = node.param["value"].array
    return array if node.type.dtype.is_int else np.vectorize(sympy.nsimplify, otypes=[object])(array)


def _computed(node: Node, operands: Sequence[Any]) -> Any:
    if node.op in _MEANINGS:
        return np.asarray(_MEANINGS[node.op](*operands, **node.param), dtype=object)
    scalar = registry.lookup(node.op).scalar
    if scalar is None:
        raise ExpressionError(f"op {node.op!r} has no meaning over symbols; add one beside the others")
    return np.asarray(np.vectorize(_plain(scalar.body), otypes=[object])(*operands), dtype=object)


def _plain(body: Callable[..., Any]) -> Callable[..., Any]:
    """``body`` with graphc's own functions written out in exponentials and logarithms."""

    def evaluate(*args: Any) -> Any:
        import sympy

        value = sympy.sympify(body(*args))
        return value.replace(
            lambda e: type(e).__name__ in _WRITTEN_OUT, lambda e: _WRITTEN_OUT[type(e).__name__](*e.args)
        )

    return evaluate


def _logistic(x: Any) -> Any:
    import sympy

    return 1 / (1 + sympy.exp(-x))


def _log_of_one_plus(x: Any) -> Any:
    import sympy

    return sympy.log(1 + x)


_WRITTEN_OUT: Mapping[str, Callable[[Any], Any]] = {
    "sigmoid": _logistic,
    "softplus": lambda x: _log_of_one_plus(_exp(x)),
    "log1p": _log_of_one_plus,
    "expm1": lambda x: _exp(x) - 1,
}


def _exp(x: Any) -> Any:
    import sympy

    return np.vectorize(sympy.exp, otypes=[object])(x) if isinstance(x, np.ndarray) else sympy.exp(x)


def _each(name: str, x: Any) -> Any:
    import sympy

    return np.vectorize(getattr(sympy, name), otypes=[object])(x)


def _total(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    return np.sum(x, axis=axes, keepdims=keepdims)


def _softmax(x: Any, axis: int) -> Any:
    return _exp(x) / np.sum(_exp(x), axis=axis, keepdims=True)


def _elementwise(body: Callable[..., Any]) -> Callable[..., Any]:
    """``body``, of SymPy expressions, over arrays: for ops that compute a formula by other means near its pole."""
    return lambda *operands: np.vectorize(body, otypes=[object])(*operands)


def _log(x: Any) -> Any:
    import sympy

    return sympy.log(x)


def _sine_quotient(x: Any) -> Any:
    import sympy

    return sympy.sin(x) / x


def _log_of_cosh(x: Any) -> Any:
    return _log((_exp(x) + _exp(-x)) / 2)


def _largest(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    import sympy

    moved = np.moveaxis(x, axes, range(len(axes)))
    flat = moved.reshape(-1, *moved.shape[len(axes) :])
    value = np.vectorize(lambda *each: sympy.Max(*each), otypes=[object])(*flat)
    return np.expand_dims(value, axes) if keepdims else value


_MEANINGS: Mapping[str, Callable[..., Any]] = {
    "exprel": _elementwise(lambda x: (_exp(x) - 1) / x),
    "logrel": _elementwise(lambda x: _log(1 + x) / x),
    "sinrel": _elementwise(_sine_quotient),
    "log1mexp": _elementwise(lambda x: _log(1 - _exp(x))),
    "logcosh": _elementwise(_log_of_cosh),
    "xlogy": _elementwise(lambda x, y: x * _log(y)),
    "isfinite": _elementwise(lambda x: True),
    "mean": lambda x, axes, keepdims: np.mean(x, axis=axes, keepdims=keepdims),
    "max": _largest,
    "sum": _total,
    "logsumexp": lambda x, axes, keepdims: _each("log", _total(_exp(x), axes, keepdims)),
    "norm": lambda x, axes, keepdims: _each("sqrt", _total(x * x, axes, keepdims)),
    "softmax": _softmax,
    "log_softmax": lambda x, axis: _each("log", _softmax(x, axis)),
    "reshape": lambda x, shape: np.reshape(x, shape),
    "broadcast_to": lambda x, shape: np.broadcast_to(x, shape),
    "transpose": lambda x, perm: np.transpose(x, perm),
    "take": lambda x, indices, axis, wrap: np.take(x, indices.astype(np.int64), axis=axis),
    "take_along": lambda x, indices, axis, wrap: np.take_along_axis(x, indices.astype(np.int64), axis=axis),
}

__all__ = ["Proof", "formulas", "prove"]
