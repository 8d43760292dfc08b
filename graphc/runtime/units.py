"""Cutting an emitted module into units: functions that are compiled and cached each on its own."""

from __future__ import annotations

import ast
import copy
import hashlib
from dataclasses import dataclass

from graphc.errors import CompileError

_MARKS = ("kernel", "entry")


@dataclass(frozen=True, slots=True)
class Unit:
    """One function of an emitted module.

    Attributes:
        name: the function's name in the module.
        parallel: whether it may open a parallel region (`@entry`).
        text: the function without its docstring, comments and name, with the constants of its module and
            what it imports.
    """

    name: str
    parallel: bool
    text: str

    def key(self, environment: str) -> str:
        """Name of the unit's object code: units equal in text and compiled in one environment share it."""
        return hashlib.sha256(f"{environment}\0{self.text}".encode()).hexdigest()[:32]


def split(source: str, file: str = "<kernels>") -> tuple[Unit, ...]:
    """Return the units of a module in the order of its text.

    Raises:
        CompileError: the text is no Python, or a function carries no mark.

    >>> first, second = split('''
    ... @kernel
    ... def scale(lo, hi, args):
    ...     "Doubles."
    ...     x = f32_buffer(args, 0)  # in place
    ... @kernel
    ... def double(lo, hi, args):
    ...     x = f32_buffer(args, 0)
    ... ''')
    >>> first.name, second.name, first.text == second.text
    ('scale', 'double', True)
    """
    try:
        body = ast.parse(source, file).body
    except SyntaxError as error:
        raise CompileError(
            f"{file}: the emitted module is no Python ({error}); report it as a bug"
        ) from error
    shared = "\n".join(ast.unparse(node) for node in body if _is_constant(node))
    imported = _imported(body)
    return tuple(_unit(node, shared, imported, file) for node in body if isinstance(node, ast.FunctionDef))


def _is_constant(node: ast.stmt) -> bool:
    """Whether functions may depend on this statement; docstrings and what `key` covers otherwise do not
    count."""
    return not isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom | ast.Expr)


def _imported(body: list[ast.stmt]) -> dict[str, str]:
    """What each imported name is the name of."""
    found: dict[str, str] = {}
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            found |= {name.asname or name.name: module + name.name for name in node.names}
    return found


def _unit(node: ast.FunctionDef, shared: str, imported: dict[str, str], file: str) -> Unit:
    marks = [mark.id for mark in node.decorator_list if isinstance(mark, ast.Name)]
    if len(marks) != 1 or marks[0] not in _MARKS:
        raise CompileError(f"{file}: function {node.name} has the marks {marks}; give it one of {_MARKS}")
    bare = copy.copy(node)
    bare.name = "unit"
    bare.body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    names = {each.id for each in ast.walk(bare) if isinstance(each, ast.Name)} | {"*"}
    used = [f"{name} = {imported[name]}" for name in sorted(names & imported.keys())]
    return Unit(node.name, marks[0] == "entry", "\n".join([*used, shared, ast.unparse(bare)]))
