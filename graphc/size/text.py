"""Sizes from text and from whatever users write in a shape. Nothing here evaluates text as code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

from graphc.errors import SizeError
from graphc.size.polynomial import MAX_DEGREE
from graphc.size.symbolic import Dim, operand, symbol, terms_of

MAX_TEXT, MAX_BITS = 10_000, 4_096
MAX_PRODUCT = 64  # terms; what str prints stays at 1


def as_dim(value: object) -> Dim:
    """A dimension from an int, a NumPy integer, a size or text; raises SizeError for all else.

    >>> as_dim(64), as_dim("N"), as_dim("2*N+1")
    (64, N, 2*N + 1)
    """
    dim = parse_size(value) if isinstance(value, str) else operand(value)
    if dim is None:
        raise SizeError(f"{value!r} is no size; give an int, a name such as 'N' or a Size")
    return dim


def parse_size(text: str) -> Dim:
    """The dimension that text says: names, ints, ``+ - * // % **``, parentheses; ``parse_size(str(d)) == d``.

    Raises SizeError for everything else and for what passes the bounds, without delay.

    >>> parse_size("(H-1)//2 + 1"), parse_size("2*3")
    ((H + 1)//2, 6)
    """
    if text.isidentifier():
        return symbol(text)
    values: list[Dim] = []
    for node in _children_first(_tree(text)):
        _reduce(node, values, text)
    return values[0]


def _tree(text: str) -> ast.expr:
    if len(text) > MAX_TEXT:
        raise SizeError(f"a size of {len(text)} characters is over {MAX_TEXT}; name a part of it by a symbol")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _unreadable(text) from None


def _unreadable(text: str) -> SizeError:
    return SizeError(f"{text[:60]!r} cannot be read as a size; write for example '2*N + 1'")


def _children_first(root: ast.expr) -> list[ast.expr]:
    """All nodes, children before parents and left before right; a loop, as a long sum is a deep tree."""
    order: list[ast.expr] = []
    todo = [root]
    while todo:
        node = todo.pop()
        order.append(node)
        if isinstance(node, ast.BinOp):
            todo += [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            todo.append(node.operand)
    return order[::-1]


def _reduce(node: ast.expr, values: list[Dim], text: str) -> None:
    """Replace the values of the node's children by its own."""
    match node:
        case ast.Name(id=name):
            values.append(symbol(name))
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            values.append(value)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign):
            values.append(-values.pop() if isinstance(sign, ast.USub) else values.pop())
        case ast.BinOp(op=op) if type(op) in _OPERATORS:
            right = values.pop()
            values.append(_OPERATORS[type(op)](values.pop(), right))
        case _:
            raise _unreadable(text)


def _multiply(left: Dim, right: Dim) -> Dim:
    if len(terms_of(left)) * len(terms_of(right)) > MAX_PRODUCT:
        raise SizeError(
            f"a product of sums makes more than {MAX_PRODUCT} terms; name a part of it by a symbol"
        )
    return left * right


def _divide(left: Dim, right: Dim) -> Dim:
    if right == 0:
        raise SizeError(f"{left} is divided by 0; give a size that is at least 1")
    return left // right


def _modulo(left: Dim, right: Dim) -> Dim:
    return left - _multiply(right, _divide(left, right))


def _power(base: Dim, exponent: Dim) -> Dim:
    if not isinstance(exponent, int) or exponent < 0:
        raise SizeError(f"the exponent {exponent} is no number from 0; write powers such as N**2")
    if isinstance(base, int) and base.bit_length() * exponent > MAX_BITS:
        raise SizeError(f"an int to the power {exponent} is too large; give the size itself")
    if exponent > MAX_DEGREE:
        raise SizeError(f"the exponent {exponent} is over {MAX_DEGREE}; give the size itself")
    return reduce(_multiply, [base] * exponent, 1)


_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Dim]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: _multiply,
    ast.FloorDiv: _divide,
    ast.Mod: _modulo,
    ast.Pow: _power,
}
