"""Turning the `prange` loop of an entry into a function of its own, which the threading layer calls.

Numba's own lowering of `prange` takes 0.3 s and imports its array machinery, and the code it makes takes
the interpreter's lock when a region begins and ends, which is a wait of milliseconds while another Python
thread computes.
"""

from __future__ import annotations

import ast

from graphc.errors import CompileError

#: Name of the outlined function; its parameters are those of the entry and the loop's variable.
MEMBER = "member_of_team"


class _Outliner(ast.NodeTransformer):
    def __init__(self, parameters: list[str]) -> None:
        self.parameters = parameters
        self.loops: list[ast.For] = []

    def visit_For(self, node: ast.For) -> ast.AST:
        if not (isinstance(node.iter, ast.Call) and getattr(node.iter.func, "id", None) == "prange"):
            return self.generic_visit(node)
        self.loops.append(node)
        arguments = [*node.iter.args, *(ast.Name(name, ast.Load()) for name in self.parameters)]
        call = ast.Call(ast.Name("parallel_for", ast.Load()), arguments, [])
        return ast.copy_location(ast.Expr(call), node)


def outline(entry: ast.FunctionDef) -> tuple[ast.FunctionDef, ast.FunctionDef]:
    """Return an entry whose `prange` loop is a call of `parallel_for`, and the loop's body as a function.

    Raises:
        CompileError: there is not exactly one such loop, or its body uses a local variable of the entry.

    >>> text = "def run(steps, count):\\n for m in prange(count):\\n  work(steps, m)"
    >>> for each in outline(ast.parse(text).body[0]):
    ...     print(ast.unparse(each))
    def run(steps, count):
        parallel_for(count, steps, count)
    def member_of_team(steps, count, m):
        work(steps, m)
    """
    parameters = [each.arg for each in entry.args.args]
    outliner = _Outliner(parameters)
    outer = outliner.visit(entry)
    if len(outliner.loops) != 1 or not isinstance(outliner.loops[0].target, ast.Name):
        raise CompileError(f"it has {len(outliner.loops)} loops over prange; an entry has one")
    loop = outliner.loops[0]
    member = _function([*parameters, outliner.loops[0].target.id], loop)
    if foreign := _names(loop, ast.Load) & _names(outer, ast.Store) - set(parameters) - _names(
        loop, ast.Store
    ):
        raise CompileError(f"its loop over prange uses {sorted(foreign)}; pass it as a parameter")
    return ast.fix_missing_locations(outer), ast.fix_missing_locations(member)


def _function(parameters: list[str], loop: ast.For) -> ast.FunctionDef:
    module = ast.parse(f"def {MEMBER}({', '.join(parameters)}): pass")
    function = module.body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = loop.body
    return ast.copy_location(function, loop)


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    found = (each for each in ast.walk(node) if isinstance(each, ast.Name))
    return {each.id for each in found if isinstance(each.ctx, context)}
