"""The text form of a graph: one line a node, which reads back to an equal graph.

    %0: f32[N,64] = input(name="x")
    %1: f32[64,10] = param(name="w")
    %2: f32[N,10] = einsum(%0, %1, spec="ab,bc->ac")  # out

Reading uses a whitelist over Python's ``ast``: literals, tuples, ``dim("...")``, ``float("inf")``, ``constant(...)``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import GraphcError, GraphError
from graphc.graph.core import Graph
from graphc.graph.node import LEAVES, Constant, Node, Parameter
from graphc.size import Size, parse_size
from graphc.types import DType, Type

_LINE = re.compile(r"%(\d+): (\w+)\[([^\]]*)\] = ([^\s(]+)\((.*)\)(?:\s*#.*)?")
_UPDATE = re.compile(r"update %\d+ = %\d+(, %\d+)*")
#: Characters of one text that are read.
LIMIT = 10_000_000


def print_graph(graph: Graph) -> str:
    """The text form of ``graph``; layers follow as comments."""
    lines = [print_node(graph, at) + _comment(graph, at) for at in range(len(graph))]
    for state, value in graph.state_updates.items():
        lines.append(f"update %{state} = {', '.join(f'%{at}' for at in (value, *graph.stand_ins[state]))}")
    return "\n".join(lines)


def print_node(graph: Graph, at: int) -> str:
    """The line of one node, without its comment."""
    node = graph.nodes[at]
    inner = [f"%{i}" for i in node.operands] + [f"{name}={literal(value)}" for name, value in node.params]
    return f"%{at}: {node.type} = {node.op}({', '.join(inner)})"


def _comment(graph: Graph, at: int) -> str:
    layers = dict.fromkeys(o.layer for o in graph.origins(at) if o.layer)
    return "  # " + ", ".join(re.sub(r"\s", " ", layer) for layer in layers) if layers else ""


def literal(value: Any) -> str:
    """A parameter as text that ``parse`` reads back to an equal value."""
    match value:
        case Size():
            return f'dim("{value}")'
        case DType():
            return f'dtype("{value}")'
        case Parameter():
            return value.literal
        case Constant():
            flat = ", ".join(literal(v) for v in value.array.ravel().tolist())
            return f'constant(({flat}{"," if value.array.size == 1 else ""}), "{value.dtype}", {value.shape})'
        case tuple():
            inner = ", ".join(literal(v) for v in value)  # pyright: ignore[reportUnknownVariableType]
            return f"({inner},)" if len(value) == 1 else f"({inner})"  # pyright: ignore[reportUnknownArgumentType]
        case float():
            return repr(value) if value - value == 0 else f'float("{value}")'
        case _:
            return repr(value)


def parse(text: str, name: str = "graph") -> Graph:
    """The graph that ``text`` describes; raises ``GraphError`` naming the first line that does not read.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y = gc.exp(g.input("x", ("N", 3)))
    >>> parse(str(g)) == g
    True
    """
    if len(text) > LIMIT:
        raise GraphError(f"graph text has {len(text)} characters, and {LIMIT} are read; give a smaller graph")
    graph, made = Graph(name), dict[int, int]()
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            _read_line(graph, made, line, f"line {number}")
    return graph


# What values of a stranger's choosing make of reading them.
_MISREAD = (
    ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError,
)  # fmt: skip


def _read_line(graph: Graph, made: dict[int, int], line: str, where: str) -> None:
    try:
        if _UPDATE.fullmatch(line.strip()):
            graph.set_update(*(graph.handle(_known(made, int(at))) for at in re.findall(r"\d+", line)))
        else:
            _read_node(graph, made, line)
    except GraphcError as error:
        raise GraphError(f"{where}: {error}") from None
    except _MISREAD as error:
        raise GraphError(
            f"{where}: {line.strip()[:80]!r} does not read ({type(error).__name__}); see the text form in the docs"
        ) from None


def _known(made: dict[int, int], at: int) -> int:
    if at not in made:
        raise GraphError(f"%{at} is used before it is defined; define it on an earlier line")
    return made[at]


def _read_node(graph: Graph, made: dict[int, int], line: str) -> None:
    found = _LINE.fullmatch(line.strip())
    if not found:
        raise GraphError(f"{line.strip()[:80]!r} is not of the form '%1: f32[N] = op(%0)'; write it so")
    at, dtype, shape, op, rest = found.groups()
    call = _call_of(rest)
    operands = [graph.handle(_known(made, int(a.id[2:]))) for a in call.args if isinstance(a, ast.Name)]
    if len(operands) != len(call.args):
        raise GraphError("an operand is not a node; write operands such as %0, and parameters by name")
    params = {str(k.arg): _value(k.value) for k in call.keywords}
    declared = Type(DType.of(dtype), tuple(parse_size(d) for d in shape.split(",") if d.strip()))
    handle = _leaf(graph, op, params, declared) if op in LEAVES else graph.add(op, operands, **params)
    if handle.type != declared:
        raise GraphError(f"%{at} is declared {declared}, but {op} gives {handle.type}; correct the line")
    made[int(at)] = handle.id


def _call_of(rest: str) -> ast.Call:
    """The arguments, with ``%7`` read as the name ``__7``; a trailing comment ends with the call."""
    quoted = re.split(r"(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')", rest)
    source = "".join(part if k % 2 else re.sub(r"%(\d+)", r"__\1", part) for k, part in enumerate(quoted))
    tree = ast.parse(f"f({source})", mode="eval").body
    if not isinstance(tree, ast.Call) or not isinstance(tree.func, ast.Name):
        raise GraphError(
            f"{ast.unparse(tree)[:60].replace('__', '%')!r} is not one call; write a node as op(%0)"
        )
    return tree


def _leaf(graph: Graph, op: str, params: dict[str, Any], declared: Type) -> Any:
    if op == "const":
        return graph.constant(params["value"])
    make = {"input": graph.input, "param": graph.param, "state": graph.state}[op]
    return make(params["name"], declared.shape, declared.dtype)


def _value(tree: ast.expr) -> Any:
    match tree:
        case ast.Constant(value) if value is None or isinstance(value, (bool, int, float, str)):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(value)) if isinstance(
            value, (int, float)
        ) and not isinstance(value, bool):
            return -value
        case ast.Tuple(items):
            return tuple(_value(i) for i in items)
        case ast.Call(ast.Name(fn), args, []) if fn in MAKERS:
            return MAKERS[fn](*(_value(a) for a in args))
        case _:
            raise GraphError(
                f"{ast.unparse(tree)[:60]!r} is no parameter; write numbers, texts, tuples or {', '.join(MAKERS)}(...)"
            )


def _constant(flat: tuple[Any, ...], dtype: str, shape: tuple[int, ...]) -> Constant:
    return Constant.of(np.array(flat, dtype=DType.of(dtype).numpy).reshape(shape), DType.of(dtype))


# What calls of the text form make; a kind of parameter that is declared elsewhere enters its own.
MAKERS: dict[str, Callable[..., Any]] = {
    "dim": parse_size,
    "dtype": DType.of,
    "float": float,
    "constant": _constant,
}

__all__ = ["MAKERS", "Node", "literal", "parse", "print_graph", "print_node"]
