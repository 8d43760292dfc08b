"""The builder of adjoints: the select of ``where`` sinks through linear steps, so a dead branch stays dead.

The adjoint of ``where(c, f(x), 0)`` is ``where(c, g, 0) * f'(x)``. Where ``c`` is false, ``f'`` may be
infinite or NaN, and 0 times that is NaN. So the product is built as ``where(c, g * f'(x), 0)``. The builder
knows of each cotangent outside which mask it is exactly zero; masks pass through negation, casts,
broadcasting and its adjoint, layout and addition at no cost, and become nodes only where a product needs
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphc.graph import Build, Constant, Graph, Handle
from graphc.types import Shape


@dataclass(slots=True, eq=False)
class Mask:
    """A condition outside which a cotangent is zero: a node, or what will become one when it is needed.

    ``op`` is applied to the nodes of ``parents``, each first broadcast to ``shape`` where that is given.
    """

    op: str = ""
    parents: tuple[Mask, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    shape: Shape | None = None
    node: Handle | None = None

    def build(self, b: AdjointBuild) -> Handle:
        """The node of the mask. Masks may be as deep as the graph, hence no recursion."""
        stack: list[Mask] = [self]
        while stack:
            here = stack[-1]
            missing = [parent for parent in here.parents if parent.node is None]
            if here.node is None and missing:
                stack.extend(missing)
                continue
            stack.pop()
            if here.node is None:
                here.node = here._made(b)
        assert self.node is not None
        return self.node

    def _made(self, b: AdjointBuild) -> Handle:
        operands = [parent.node for parent in self.parents if parent.node is not None]
        spread = operands if self.shape is None else [b.spread(o, self.shape) for o in operands]
        return b.plain(self.op, *spread, **self.params)


@dataclass(frozen=True, slots=True)
class Masked:
    """A cotangent that is ``where(mask, value, 0)``; the mask broadcasts to it."""

    mask: Mask
    value: Handle


class AdjointBuild(Build):
    """A ``Build`` for vjp rules; see the module's text."""

    __slots__ = ("_masked", "_sides")

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self._masked: dict[int, Masked] = {}
        self._sides: dict[int, tuple[Mask, Mask]] = {}

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

    def note(self, result: Handle, mask: Mask, value: Handle | None = None) -> Handle:
        """Remember that ``result`` is ``where(mask, value, 0)``, by default with itself as the value."""
        if not result.node.is_const:
            self._masked[result.id] = Masked(mask, result if value is None else value)
        return result

    def sides(self, condition: Handle) -> tuple[Mask, Mask]:
        """The masks where ``condition`` holds and where it does not: always the same two objects."""
        if condition.id not in self._sides:
            holds = Mask(node=condition)
            self._sides[condition.id] = holds, Mask("logical_not", (holds,))
        return self._sides[condition.id]

    def covers(self, left: Mask, right: Mask) -> bool:
        """Whether the two are the sides of one condition, so that together they exclude nothing."""
        leaf = right if left.parents else left
        return leaf.node is not None and {left, right} == set(self._sides.get(leaf.node.id, ()))

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


def _product(b: AdjointBuild, op: str, operands: tuple[Handle, ...], params: dict[str, Any]) -> Handle:
    """``where(c, a, 0) * d -> where(c, a * d, 0)``; a constant factor is finite and needs no select."""
    at = next((k for k, o in enumerate(operands) if b.known(o) and not (op == "div" and k)), None)
    if at is None:
        return b.plain(op, *operands)
    found, other = b.known(operands[at]), operands[1 - at]
    assert found is not None
    if _is_harmless(other, divides=op == "div"):
        return b.note(b.plain(op, *operands), found.mask)
    factors = tuple(found.value if k == at else o for k, o in enumerate(operands))
    value = b.plain(op, *factors) if found.value is operands[at] else b(op, *factors)
    zero = b.graph.constant(Constant.of(0.0, value.dtype))
    return b.note(b.plain("where", found.mask.build(b), value, zero), found.mask, value)


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
    own, outer = b.sides(condition)[0 if live is yes else 1], b.known(live)
    if outer is None:
        return b.note(result, own, live)
    return b.note(result, Mask("logical_and", (own, outer.mask)))


def _sum_of_two(b: AdjointBuild, op: str, operands: tuple[Handle, ...], params: dict[str, Any]) -> Handle:
    """A sum is zero outside the union of both masks, unless they are the two sides of one condition."""
    left, right = (b.known(o) for o in operands)
    result = b.plain(op, *operands)
    if left is None or right is None or b.covers(left.mask, right.mask):
        return result
    union = left.mask if left.mask is right.mask else Mask("logical_or", (left.mask, right.mask))
    return b.note(result, union)


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
    return b.note(result, Mask(op, (found.mask,), moved, shape))


def _summed(b: AdjointBuild, op: str, operands: tuple[Handle, ...], params: dict[str, Any]) -> Handle:
    """The adjoint of broadcasting: zero where the mask holds for none of the summed elements."""
    result = b.plain(op, *operands, **params)
    found, shape = b.known(operands[0]), operands[0].shape
    if found is None:
        return result
    return b.note(result, Mask("any", (found.mask,), params, shape))


_Rule = Callable[[AdjointBuild, str, tuple[Handle, ...], dict[str, Any]], Handle]
_RULES: dict[str, _Rule] = {
    "where": _select,
    "sum": _summed,
    **dict.fromkeys(("mul", "div"), _product),
    **dict.fromkeys(("add", "sub"), _sum_of_two),
    **dict.fromkeys(("neg", "cast", "broadcast_to"), _pointwise),
    **dict.fromkeys(("reshape", "transpose", "slice", "flip", "pad"), _layout),
}

__all__ = ["AdjointBuild", "Mask", "Masked"]
