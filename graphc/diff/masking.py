"""The builder of adjoints: the select of ``where`` sinks through linear steps, so a dead branch stays dead.

The adjoint of ``where(c, f(x), 0)`` is ``where(c, g, 0) * f'(x)``. Where ``c`` is false, ``f'`` may be
infinite or NaN, and 0 times that is NaN. So the product is built as ``where(c, g * f'(x), 0)``. The builder
knows of each cotangent outside which mask it is exactly zero; masks pass through negation, casts,
broadcasting and its adjoint, layout and addition at no cost, and become nodes only where a product needs
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from graphc.graph import Build, Constant, Graph, Handle
from graphc.types import Shape


@dataclass(frozen=True, slots=True)
class Masked:
    """A cotangent that is ``where(mask, value, 0)``; the mask broadcasts and is built on demand."""

    mask: Callable[[], Handle]
    value: Handle


class AdjointBuild(Build):
    """A ``Build`` for vjp rules; see the module's text."""

    __slots__ = ("_masked",)

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self._masked: dict[int, Masked] = {}

    def __call__(self, op: str, /, *operands: Handle, **params: Any) -> Handle:
        if op == "mul" and any(_is_one(o) for o in operands):
            short = self._without_one(*operands)
            if short is not None:
                return short
        if not self._masked and op != "where":
            return super().__call__(op, *operands, **params)
        rule = _RULES.get(op)
        return rule(self, op, operands, params) if rule else super().__call__(op, *operands, **params)

    def plain(self, op: str, *operands: Handle, **params: Any) -> Handle:
        """The node itself, without a look at masks."""
        return super().__call__(op, *operands, **params)

    def known(self, value: Handle) -> Masked | None:
        return self._masked.get(value.id)

    def note(self, result: Handle, mask: Callable[[], Handle], value: Handle | None = None) -> Handle:
        """Remember that ``result`` is ``where(mask, value, 0)``, by default with itself as the value."""
        if not result.node.is_const:
            self._masked[result.id] = Masked(cache(mask), result if value is None else value)
        return result

    def _without_one(self, left: Handle, right: Handle) -> Handle | None:
        """``1 * x`` as ``x``, where that leaves the shape."""
        for one, other in ((left, right), (right, left)):
            if _is_one(one) and one.ndim <= other.ndim and all(d == 1 for d in one.shape):
                return other
        return None


def _is_one(value: Handle) -> bool:
    return value.node.is_const and value.node.param["value"].is_filled_with(1)


def _is_zero(value: Handle) -> bool:
    while value.node.op == "broadcast_to":
        value = value.operands[0]
    return value.node.is_const and value.node.param["value"].is_filled_with(0)


def _spread(b: AdjointBuild, mask: Handle, shape: Shape) -> Handle:
    return mask if mask.shape == shape else b.plain("broadcast_to", mask, shape=shape)


def _product(b: AdjointBuild, op: str, operands: tuple[Handle, ...], params: dict[str, Any]) -> Handle:
    """``where(c, a, 0) * d -> where(c, a * d, 0)``; a constant factor is finite and needs no select."""
    at = next((k for k, o in enumerate(operands) if b.known(o) and not (op == "div" and k)), None)
    if at is None:
        return b.plain(op, *operands)
    found, other = b.known(operands[at]), operands[1 - at]
    assert found is not None
    if _is_harmless(other, divides=op == "div"):
        return b.note(b.plain(op, *operands), found.mask)
    mask, factors = found.mask(), tuple(found.value if k == at else o for k, o in enumerate(operands))
    value = b.plain(op, *factors) if found.value is operands[at] else b(op, *factors)
    zero = b.graph.constant(Constant.of(0.0, value.dtype))
    return b.note(b.plain("where", mask, value, zero), lambda: mask, value)


def _is_harmless(factor: Handle, *, divides: bool) -> bool:
    """Whether 0 times (or over) ``factor`` is 0 for sure: a finite constant."""
    if not factor.node.is_const:
        return False
    array = factor.node.param["value"].array
    return bool(np.all(np.isfinite(array)) and not (divides and np.any(array == 0)))


def _select(b: AdjointBuild, op: str, operands: tuple[Handle, ...], params: dict[str, Any]) -> Handle:
    """Masks come from ``where(c, a, 0)`` and ``where(c, 0, a)``; an outer mask of ``a`` still holds."""
    condition, yes, no = operands
    result = b.plain(op, *operands)
    live = yes if _is_zero(no) else no if _is_zero(yes) else None
    if live is None or _is_zero(live):
        return result
    outer = b.known(live)

    def mask() -> Handle:
        inner = condition if live is yes else b.plain("logical_not", condition)
        return inner if outer is None else b.plain("logical_and", inner, outer.mask())

    return b.note(result, mask, live if outer is None else None)


def _sum_of_two(b: AdjointBuild, op: str, operands: tuple[Handle, ...], params: dict[str, Any]) -> Handle:
    """A sum is zero outside the union of both masks."""
    left, right = (b.known(o) for o in operands)
    result = b.plain(op, *operands)
    if left is None or right is None:
        return result
    return b.note(
        result,
        lambda: (
            left.mask() if left.mask() is right.mask() else b.plain("logical_or", left.mask(), right.mask())
        ),
    )


def _pointwise(b: AdjointBuild, op: str, operands: tuple[Handle, ...], params: dict[str, Any]) -> Handle:
    """Negation and casts, and broadcasting, since masks broadcast themselves."""
    result = b.plain(op, *operands, **params)
    found = b.known(operands[0])
    return result if found is None or not result.dtype.is_float else b.note(result, found.mask)


def _layout(b: AdjointBuild, op: str, operands: tuple[Handle, ...], params: dict[str, Any]) -> Handle:
    """What moves elements moves the mask the same way."""
    result = b.plain(op, *operands, **params)
    found, shape = b.known(operands[0]), operands[0].shape
    if found is None:
        return result
    moved = {**params, "value": False} if op == "pad" else params
    return b.note(result, lambda: b.plain(op, _spread(b, found.mask(), shape), **moved))


def _summed(b: AdjointBuild, op: str, operands: tuple[Handle, ...], params: dict[str, Any]) -> Handle:
    """The adjoint of broadcasting: zero where the mask holds for none of the summed elements."""
    result = b.plain(op, *operands, **params)
    found, shape = b.known(operands[0]), operands[0].shape
    if found is None:
        return result
    return b.note(result, lambda: b.plain("any", _spread(b, found.mask(), shape), **params))


_Rule = Callable[[AdjointBuild, str, tuple[Handle, ...], dict[str, Any]], Handle]
_RULES: dict[str, _Rule] = {
    "where": _select,
    "sum": _summed,
    **dict.fromkeys(("mul", "div"), _product),
    **dict.fromkeys(("add", "sub"), _sum_of_two),
    **dict.fromkeys(("neg", "cast", "broadcast_to"), _pointwise),
    **dict.fromkeys(("reshape", "transpose", "slice", "flip", "pad"), _layout),
}

__all__ = ["AdjointBuild", "Masked"]
