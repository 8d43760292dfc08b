"""Formulas on labels: what a node computes over its operands' names, and the local derivative on each edge."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from graphc import registry
from graphc.draw.subject import Subject
from graphc.draw.text import FORMULA_LIMIT, array_text, number, pretty, shorten
from graphc.graph import Node
from graphc.ops import symbolic
from graphc.ops.elementwise import partial
from graphc.registry import Application

_SLOT = 0xE000  # private-use characters stand for operands while a formula is printed
EDGE_LIMIT = 34


def reference(subject: Subject, at: int) -> str:
    """How a formula refers to node ``at``: by name, as a scalar constant's value, or as ``%7``."""
    node = subject.graph.nodes[at]
    if at in subject.names:
        return shorten(subject.names[at], 20)
    if node.is_const:
        constant = node.param["value"]
        return number(constant.item()) if constant.array.size == 1 else f"%{at}"
    return shorten(node.param["name"], 20) if node.is_leaf else f"%{at}"


def formula(subject: Subject, at: int, limit: int = FORMULA_LIMIT) -> str:
    """What node ``at`` computes, over its operands' names."""
    node = subject.graph.nodes[at]
    if node.is_const:
        return array_text(node.param["value"].array)
    slots = [chr(_SLOT + k) for k in range(len(node.operands))]
    text = _template(node.op, node.params, len(slots))
    return shorten(_filled(text, [reference(subject, i) for i in node.operands]), limit)


@lru_cache(maxsize=1024)
def _elementwise(op: str, count: int) -> str:
    slots = [chr(_SLOT + k) for k in range(count)]
    return pretty(_print_sympy(registry.lookup(op).scalar, None, slots, ""))


def _template(op: str, params: Any, count: int) -> str:
    declared = registry.lookup(op)
    if declared.scalar is not None and declared.scalar.parent:
        return _elementwise(op, count)
    return pretty(str(declared.label([chr(_SLOT + k) for k in range(count)], dict(params))))


def _filled(template: str, texts: Sequence[str]) -> str:
    """``template`` with its slots replaced; a negative number among other signs gets brackets."""
    plain = len(template) == 1

    def text(found: re.Match[str]) -> str:
        own = texts[ord(found.group()) - _SLOT]
        return f"({own})" if own.startswith("−") and not plain else own

    return re.sub(r"[\ue000-\uf8ff]", text, template)


def title(node: Node) -> str:
    """The op as a heading: a derivative op by its parent's name and a prime."""
    parent, dot, position = node.op.rpartition(".d")
    if not dot:
        return shorten(node.op)
    return f"{shorten(parent)}′" if position == "0" else f"{shorten(parent)}′{_subscript(int(position))}"


def _subscript(position: int) -> str:
    return str(position + 1).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


# ------------------------------------------------------------------------------------------- local derivatives


def local_derivative(subject: Subject, at: int, position: int) -> str:
    """The derivative of node ``at`` by operand ``position``, in symbols; ``""`` where there is none."""
    graph = subject.graph
    node = graph.nodes[at]
    operand = graph.nodes[node.operands[position]]
    if not (node.type.dtype.is_float and operand.type.dtype.is_float):
        return ""
    declared = registry.lookup(node.op)
    if declared.scalar is None:
        return shorten(_structured(subject, at, position), EDGE_LIMIT)
    template = _partial_template(node.op, position)
    texts = [*(reference(subject, i) for i in node.operands), reference(subject, at)]
    wide = " (broadcast)" if operand.type.shape != node.type.shape else ""
    return shorten(_filled(template, texts), EDGE_LIMIT) + wide


@lru_cache(maxsize=1024)
def _partial_template(op: str, position: int) -> str:
    scalar = registry.lookup(op).scalar
    found = partial(scalar, position)
    slots = [chr(_SLOT + k) for k in range(scalar.arity + 1)]
    if found.kind in ("zero", "constant"):
        return number(found.value)
    return pretty(_print_sympy(scalar, found.formula, slots[:-1], slots[-1]))


def _print_sympy(scalar: Any, expr: Any, slots: Sequence[str], out: str) -> str:
    """``expr`` (or the body of ``scalar``) printed with operands and output as ``slots``."""
    from sympy.printing.str import StrPrinter

    args = symbolic.symbols(scalar.arity)
    named = {**dict(zip(args, slots, strict=True)), symbolic.output_symbol(): out}

    class Printer(StrPrinter):
        def _print_Symbol(self, expr: Any) -> str:  # noqa: N802 - SymPy's hook
            return named.get(expr, str(expr.name))

        def _print_Piecewise(self, expr: Any) -> str:  # noqa: N802
            return _cases([(self._print(value), self._print(condition)) for value, condition in expr.args])

        def _print_Relational(self, expr: Any) -> str:  # noqa: N802
            sign = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥"}.get(expr.rel_op, expr.rel_op)
            return f"{self._print(expr.lhs)} {sign} {self._print(expr.rhs)}"

    return str(Printer({"order": "none"}).doprint(scalar.formula() if expr is None else expr))


def _cases(pairs: Sequence[tuple[str, str]]) -> str:
    """A piecewise value in Iverson's bracket where that says it, else case by case."""
    if len(pairs) == 2 and pairs[1] == ("0", "True"):
        value, condition = pairs[0]
        return f"[{condition}]" if value == "1" else f"{value}·[{condition}]"
    return ", ".join(value if condition == "True" else f"{value} if {condition}" for value, condition in pairs)


def _structured(subject: Subject, at: int, position: int) -> str:
    graph = subject.graph
    node = graph.nodes[at]
    declared = registry.lookup(node.op)
    if declared.partial_label is not None:
        application = Application(tuple(graph.handle(i) for i in node.operands), graph.handle(at), dict(node.params))
        return str(declared.partial_label(application, position))
    rule = _STRUCTURED.get(node.op)
    return rule(subject, node, position) if rule else ""


def _einsum(subject: Subject, node: Node, position: int) -> str:
    """The other operand, transposed where the adjoint reads it so: of ``ab,bc->ac`` by its first, ``wᵀ``."""
    if len(node.operands) == 1:
        return "1 (index map)"
    inputs, _, result = str(node.param["spec"]).partition("->")
    own, other = inputs.split(",")[position], inputs.split(",")[1 - position]
    name = reference(subject, node.operands[1 - position])
    return f"{name}ᵀ" if _transposed(own, other, result, position) else name


def _transposed(own: str, other: str, result: str, position: int) -> bool:
    """Whether the adjoint is a matrix product with the other operand transposed (``g wᵀ`` or ``xᵀ g``)."""
    summed, kept = [c for c in other if c not in result], [c for c in other if c not in own]
    if not summed or not kept or len(other) < 2:
        return False
    order = other.index(summed[-1]) < other.index(kept[-1])
    return order if position == 0 else not order


def _says(text: str) -> Callable[[Subject, Node, int], str]:
    return lambda *_: text


# Ops that name their own local derivative (``partial_label``) come first; these are the usual words for the rest.
_STRUCTURED: dict[str, Callable[[Subject, Node, int], str]] = {
    "einsum": _einsum, "sum": _says("1 (spread)"), "mean": _says("1/n (spread)"), "max": _says("[at max]"), "min": _says("[at min]"),
    "prod": _says("product of others"), "logsumexp": _says("softmax"), "softmax": _says("diag(y) − y yᵀ"),
    "log_softmax": _says("I − softmax"), "cast": _says("1"), "broadcast_to": _says("1 (summed)"), "reshape": _says("1 (reshaped)"),
    "transpose": _says("1 (permuted)"), "slice": _says("1 (placed)"), "pad": _says("1 (cut)"), "concatenate": _says("1 (its part)"),
    "flip": _says("1 (flipped)"), "take": _says("1 (scattered)"), "take_along": _says("1 (scattered)"),
    "scatter_add": _says("1 (gathered)"), "put_along": _says("1 (gathered)"), "phase": _says("1"),
}  # fmt: skip
