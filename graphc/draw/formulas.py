"""Formulas on labels: what a node computes, over its operands' names."""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from graphc import registry
from graphc.draw.subject import Subject
from graphc.draw.text import FORMULA_LIMIT, array_text, number, pretty, shorten
from graphc.graph import Node
from graphc.ops import symbolic

_SLOT, _SLOTS = 0xE000, 6400  # private-use characters stand for operands while a formula is printed


def layer_of(subject: Subject, at: int) -> str:
    """The layer that first declared node ``at``."""
    return next((o.layer for o in subject.graph.origins(at) if o.layer), "")


def local_name(name: str, layer: str) -> str:
    """The name of a parameter or state as it is called inside ``layer``.

    >>> local_name("hidden.weight", "hidden"), local_name("hidden.weight", "out")
    ('weight', 'hidden.weight')
    """
    prefix = layer.replace("/", ".") + "."
    return name[len(prefix) :] if layer and name.startswith(prefix) and len(name) > len(prefix) else name


def reference(subject: Subject, at: int, reader: int = -1) -> str:
    """How the formula of ``reader`` refers to ``at``: by name, as a scalar constant's value, or as ``%7``."""
    node = subject.graph.nodes[at]
    if at in subject.names:
        return shorten(subject.names[at], 20)
    if node.is_const:
        constant = node.param["value"]
        return number(constant.item()) if constant.array.size == 1 else f"%{at}"
    if not node.is_leaf:
        return f"%{at}"
    return shorten(local_name(node.param["name"], layer_of(subject, reader) if reader >= 0 else ""), 20)


def references(subject: Subject, at: int) -> list[str]:
    """The operands of node ``at`` as its formula calls them."""
    return [reference(subject, i, at) for i in subject.graph.nodes[at].operands]


def formula(subject: Subject, at: int, limit: int = FORMULA_LIMIT) -> str:
    """What node ``at`` computes, over its operands' names."""
    node = subject.graph.nodes[at]
    if node.is_const:
        return array_text(node.param["value"].array)
    return shorten(fill(_template(node), references(subject, at)), limit)


def title(node: Node) -> str:
    """The op as a heading: a derivative by its parent's name and a prime, a matrix product as ``matmul``."""
    parent, dot, position = node.op.rpartition(".d")
    if not dot:
        return "matmul" if node.op == "einsum" and " @ " in _template(node) else shorten(node.op)
    return f"{shorten(parent)}′" if position == "0" else f"{shorten(parent)}′{_subscript(int(position))}"


def _subscript(position: int) -> str:
    return str(position + 1).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


# -------------------------------------------------------------------------------------------------- templates


def slots(count: int) -> list[str]:
    """Placeholders for ``count`` operands, which no formula contains; far ones share the last."""
    return [chr(_SLOT + min(k, _SLOTS - 1)) for k in range(count)]


def fill(template: str, texts: Sequence[str]) -> str:
    """``template`` with its slots replaced; a negative number among other signs gets brackets."""
    plain = len(template) == 1

    def text(found: re.Match[str]) -> str:
        own = texts[ord(found.group()) - _SLOT]
        return f"({own})" if own.startswith("−") and not plain else own

    return re.sub(r"[\ue000-\uf8ff]", text, template)


def _template(node: Node) -> str:
    """The label of ``node`` over slots."""
    declared, count = registry.lookup(node.op), len(node.operands)
    if declared.scalar is not None and declared.scalar.parent:
        return _of_derivative(node.op, count)
    if node.op == "einsum" and count == 2:
        return matrix_product(str(node.param["spec"]), *slots(2)) or pretty(
            declared.label(slots(2), node.param)
        )
    return pretty(declared.label(slots(count), node.param))


@lru_cache(maxsize=1024)
def _of_derivative(op: str, count: int) -> str:
    scalar = registry.lookup(op).scalar
    return pretty(
        print_sympy(scalar.formula(), dict(zip(symbolic.symbols(count), slots(count), strict=True)))
    )


def matrix_product(spec: str, first: str, second: str) -> str:
    """An einsum of two matrices as a product, exchanged and transposed as needed; ``""`` for others.

    >>> matrix_product("ab,bc->ac", "x", "w"), matrix_product("ab,ac->cb", "g", "x")
    ('x @ w', 'xᵀ @ g')
    """
    inputs, _, out = spec.partition("->")
    a, b = inputs.split(",")
    if not _is_matrix_product(a, b, out):
        return ""
    if out[0] in b:
        first, second, a, b = second, first, b, a
    return f"{first}{'' if a[0] == out[0] else 'ᵀ'} @ {second}{'' if b[1] == out[1] else 'ᵀ'}"


def _is_matrix_product(a: str, b: str, out: str) -> bool:
    shared, letters = {*a} & {*b}, {*a, *b}
    return (len(a), len(b), len(out), len(letters)) == (2, 2, 2, 3) and letters - shared == {*out}


def print_sympy(expr: Any, named: dict[Any, str]) -> str:
    """``expr`` with symbols printed as ``named``, relations in mathematical signs, jumps in brackets."""
    from sympy.printing.str import StrPrinter  # pyright: ignore[reportMissingTypeStubs]

    class Printer(StrPrinter):
        def _print_Symbol(self, expr: Any) -> str:  # noqa: N802 - SymPy's hook
            return named.get(expr, str(expr.name))

        def _print_Piecewise(self, expr: Any) -> str:  # noqa: N802
            return _cases([(str(self._print(v)), str(self._print(c))) for v, c in expr.args])

        def _print_Relational(self, expr: Any) -> str:  # noqa: N802
            sign = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥"}.get(expr.rel_op, expr.rel_op)
            return f"{self._print(expr.lhs)} {sign} {self._print(expr.rhs)}"

    return str(Printer({"order": "none"}).doprint(expr))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def _cases(pairs: Sequence[tuple[str, str]]) -> str:
    """A piecewise value in Iverson's bracket where that says it, else case by case."""
    if len(pairs) == 2 and pairs[1] == ("0", "True"):
        value, condition = pairs[0]
        return f"[{condition}]" if value == "1" else f"{value}·[{condition}]"
    return ", ".join(
        value if condition == "True" else f"{value} if {condition}" for value, condition in pairs
    )
