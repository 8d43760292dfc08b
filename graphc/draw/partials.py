"""Local derivatives on edges: from SymPy for elementwise ops, in the usual words for structured ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from graphc import registry
from graphc.draw.formulas import fill, print_sympy, reference, references, slots
from graphc.draw.subject import Subject
from graphc.draw.text import number, pretty, shorten
from graphc.ops import symbolic
from graphc.ops.elementwise import partial
from graphc.registry import Application

_LIMIT = 34


def local_derivative(subject: Subject, at: int, position: int) -> str:
    """The derivative of ``at`` by operand ``position``; ``""`` by constants and where there is none."""
    graph = subject.graph
    node = graph.nodes[at]
    operand = graph.nodes[node.operands[position]]
    if operand.is_const or not (node.type.dtype.is_float and operand.type.dtype.is_float):
        return ""
    if registry.lookup(node.op).scalar is None:
        return shorten(_structured(subject, at, position), _LIMIT)
    template = _elementwise(node.op, position)
    wide = " (broadcast)" if operand.type.shape != node.type.shape else ""
    return shorten(fill(template, [*references(subject, at), reference(subject, at)]), _LIMIT) + wide


@lru_cache(maxsize=1024)
def _elementwise(op: str, position: int) -> str:
    """The partial derivative over slots, the last of which is the op's own output."""
    scalar = registry.lookup(op).scalar
    found = partial(scalar, position)
    if found.kind in ("zero", "constant"):
        return number(found.value)
    symbols = (*symbolic.symbols(scalar.arity), symbolic.output_symbol())
    return pretty(print_sympy(found.formula, dict(zip(symbols, slots(len(symbols)), strict=True))))


def _structured(subject: Subject, at: int, position: int) -> str:
    graph = subject.graph
    node = graph.nodes[at]
    if node.op == "einsum" and len(node.operands) == 2:
        return _other_factor(str(node.param["spec"]), position, references(subject, at)[1 - position])
    own = reference(subject, node.operands[position], at)
    if node.op in _WORDS:
        return _WORDS[node.op].format(x=own, y=reference(subject, at))
    label = registry.lookup(node.op).partial_label
    if label is None:
        return f"∂{reference(subject, at)}/∂{own}"
    operands = tuple(graph.handle(i) for i in node.operands)
    return label(Application(operands, graph.handle(at), node.param), position)


def _other_factor(spec: str, position: int, other: str) -> str:
    """The operand by which a product's adjoint multiplies, transposed where it is read so.

    >>> _other_factor("ab,bc->ac", 0, "w"), _other_factor("ab,bc->ac", 1, "x"), _other_factor("a,a->", 0, "y")
    ('wᵀ', 'xᵀ', 'y')
    """
    inputs, _, out = spec.partition("->")
    own, letters = inputs.split(",")[position], inputs.split(",")[1 - position]
    contracted = [c for c in letters if c not in own]
    kept = [c for c in letters if c not in out]
    if not contracted or not kept:
        return other
    kept_first = letters.index(kept[-1]) < letters.index(contracted[-1])
    return f"{other}ᵀ" if kept_first == (position == 0) else other


# Over operand ``x`` and output ``y``; where the derivative selects, how its adjoint moves a value.
_WORDS: Mapping[str, str] = {
    "sum": "1 (spread)",
    "mean": "1/n (spread)",
    "max": "[at max]",
    "min": "[at min]",
    "cumsum": "1 (summed on)",
    "prod": "product of others",
    "prod_others": "products of others",
    "logsumexp": "softmax({x})",
    "softmax": "diag({y}) − {y} {y}ᵀ",
    "log_softmax": "I − exp({y})",
    "cast": "1",
    "broadcast_to": "1 (summed)",
    "reshape": "1 (reshaped)",
    "transpose": "1 (permuted)",
    "slice": "1 (placed)",
    "place": "1 (sliced)",
    "norm": "{x}/{y}",
    "pad": "1 (cut)",
    "concatenate": "1 (its part)",
    "flip": "1 (flipped)",
    "take": "1 (scattered)",
    "take_along": "1 (scattered)",
    "scatter_add": "1 (gathered)",
    "put_along": "1 (gathered)",
    "phase": "1",
    "einsum": "1 (index map)",
    "weave": "1 (its part)",
    "max_pool": "[at max]",
    "pick": "1 (put back)",
    "unpool": "1 (picked)",
    "sum_pool": "1 (spread)",
    "sum_unpool": "1 (summed)",
}
