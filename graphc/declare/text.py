"""Formulas given as text, read by a whitelist over Python's ``ast``; nothing is ever evaluated as code.

``+ - * / // % ** @``, unary ``-``, comparisons, ``and or not & | ^ ~``, ``a if c else b``, numbers, ``pi``,
names of parents (quoted where they are no identifiers: ``'lambda' * w**2``) and ``known_functions``.
"""

from __future__ import annotations

import ast
import math
import warnings
from dataclasses import dataclass
from typing import Any

from graphc.declare.formula import DEPTH, Formula, Value
from graphc.errors import ExpressionError
from graphc.graph.imported import brief

LENGTH = 10_000  # characters of one formula

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv",
    ast.Mod: "mod", ast.Pow: "pow", ast.MatMult: "matmul", ast.BitAnd: "logical_and",
    ast.BitOr: "logical_or", ast.BitXor: "logical_xor",
}  # fmt: skip
_COMPARISON: dict[type[ast.cmpop], str] = {
    ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge", ast.Eq: "eq", ast.NotEq: "ne",
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], str] = {ast.USub: "neg", ast.Not: "logical_not", ast.Invert: "logical_not"}
_LOGIC: dict[type[ast.boolop], str] = {ast.And: "logical_and", ast.Or: "logical_or"}


def read_text(text: str, formula: Formula) -> Value:
    """The value of ``text`` over the parents of ``formula``.

    Raises ``ExpressionError`` for what is not on the whitelist, for unknown names and functions, for more
    than 10,000 characters or a nesting deeper than 100.
    """
    if len(text) > LENGTH:
        raise ExpressionError(f"formula has {len(text)} characters, {LENGTH} are read; split it into nodes")
    tree = _parsed(text)
    if _depth(tree) > DEPTH:
        raise ExpressionError(f"formula {brief(text)} is nested deeper than {DEPTH}; split it into nodes")
    return _Reader(formula)(tree)


def names_in(text: str) -> set[str]:
    """The names that formula ``text`` reads, functions apart; raises ``ExpressionError`` for what does not read.

    >>> sorted(names_in("p - r * sqrt(g) if t > 5 else 2 * 'lambda' * pi"))
    ['g', 'lambda', 'p', 'r', 't']
    """
    tree = _parsed(text)
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in functions} - {"pi"}
    return names | {
        n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }


def _parsed(text: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the parser warns about code; this is none
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", type(error).__name__)
        raise ExpressionError(f"{brief(text)} does not read ({reason}); write it as in 'w*x + b'") from None


def _depth(tree: ast.expr) -> int:
    """Levels of nesting; a chain of binary operators to the left, such as a long sum, is one level."""
    deepest, stack = 0, [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        for child in ast.iter_child_nodes(node):
            chained = isinstance(node, ast.BinOp) and child is node.left and isinstance(child, ast.BinOp)
            stack.append((child, depth if chained else depth + 1))  # pyright: ignore[reportArgumentType]
    return deepest


@dataclass(frozen=True, slots=True)
class _Reader:
    formula: Formula

    def __call__(self, tree: ast.expr) -> Value:
        match tree:
            case ast.Constant(str(name)):
                return self.formula.named(name)
            case ast.Constant(value):
                return self.formula.number(value)
            case ast.Name(name):
                return self._name(name)
            case ast.BinOp():
                return self._chain(tree)
            case ast.UnaryOp(ast.UAdd(), operand):
                return self(operand)
            case ast.UnaryOp(op, operand):
                return self.formula.apply(_UNARY[type(op)], [self(operand)])
            case ast.BoolOp(op, values):
                return self.formula.apply(_LOGIC[type(op)], [self(v) for v in values])
            case ast.Compare():
                return self._comparison(tree)
            case ast.IfExp(test, body, orelse):
                return self.formula.apply("where", [self(test), self(body), self(orelse)])
            case ast.Call(ast.Name(function), args, keywords):
                options = {_key(k): _literal(k.value) for k in keywords}
                return self.formula.apply(function, [self(a) for a in args], options)
            case _:
                raise _refused(tree)

    def _name(self, name: str) -> Value:
        if name == "pi" and name not in self.formula.names:
            return math.pi
        return self.formula.named(name)

    def _chain(self, tree: ast.expr) -> Value:
        """Binary operators from the leftmost operand on, without recursion along a long sum."""
        spine: list[ast.BinOp] = []
        while isinstance(tree, ast.BinOp):
            spine.append(tree)
            tree = tree.left
        value = self(tree)
        for node in reversed(spine):
            if type(node.op) not in _BINARY:
                raise _refused(node)
            value = self.formula.apply(_BINARY[type(node.op)], [value, self(node.right)])
        return value

    def _comparison(self, tree: ast.Compare) -> Value:
        values = [self(v) for v in (tree.left, *tree.comparators)]
        if any(type(op) not in _COMPARISON for op in tree.ops):
            raise _refused(tree)
        names = [_COMPARISON[type(op)] for op in tree.ops]
        found = [self.formula.apply(name, values[k : k + 2]) for k, name in enumerate(names)]
        return self.formula.apply("logical_and", found) if len(found) > 1 else found[0]


def _key(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ExpressionError("'**' in a call is not part of formulas; write the parameters out")
    return keyword.arg


def _literal(tree: ast.expr) -> Any:
    """A function's parameter, such as ``axis=-1``: integers, booleans, None and tuples of them."""
    match tree:
        case ast.Constant(value) if value is None or isinstance(value, (bool, int)):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(value)) if isinstance(value, int):
            return -value
        case ast.Tuple(items):
            return tuple(_literal(i) for i in items)
        case _:
            raise ExpressionError(
                f"parameter {_shown(tree)} is no integer, boolean or tuple of them; write such, as in axis=-1"
            )


def _refused(tree: ast.AST) -> ExpressionError:
    kind = type(tree.op if isinstance(tree, ast.BinOp) else tree).__name__
    return ExpressionError(
        f"{_shown(tree)} ({kind}) is not part of formulas; use arithmetic, comparisons and known functions"
    )


def _shown(tree: ast.AST) -> str:
    try:
        return brief(ast.unparse(tree))
    except RecursionError:  # a chain of thousands of operators is read without recursion, but not written
        return "the formula"


__all__ = ["names_in", "read_text"]
