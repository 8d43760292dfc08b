"""Where graphc raises: the sites that its text holds, and those that an error came through."""

from __future__ import annotations

import ast
import dis
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "graphc"
RAISE = dis.opmap["RAISE_VARARGS"]
INTERNAL = {"AssertionError", "typer.Exit"}  # a defect of graphc, and the end of a command that went well

Site = tuple[str, int]  # file, relative to the root, and line


def sites() -> dict[Site, str]:
    """Every ``raise`` of a text for users in the package, as it is written."""
    return {
        (str(file.relative_to(ROOT)), raised.lineno): ast.unparse(raised)
        for file in sorted(PACKAGE.rglob("*.py"))
        for raised in _raises(ast.parse(file.read_text(encoding="utf-8")))
    }


def _raises(tree: ast.Module) -> Iterator[ast.Raise]:
    signals = {  # a pass tells itself by them; they end in the module that raises them
        node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name[0] == "_"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and node.exc is not None:
            kind = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if ast.unparse(kind) not in INTERNAL | signals:
                yield node


def reached(error: BaseException) -> set[Site]:
    """The sites that raised ``error``, or an error that it replaced and whose text it holds."""
    found, text, at = set[Site](), str(error), error
    while at is not None:
        if at.args and (not isinstance(at.args[0], str) or at.args[0] in text):
            found.update(_raised(at))
        at = at.__cause__ or at.__context__
    return found


def _raised(error: BaseException) -> Iterator[Site]:
    step = error.__traceback__
    while step is not None:
        code, file = step.tb_frame.f_code, Path(step.tb_frame.f_code.co_filename)
        if code.co_code[step.tb_lasti] == RAISE and file.is_relative_to(PACKAGE):
            yield str(file.relative_to(ROOT)), step.tb_lineno
        step = step.tb_next


__all__ = ["Site", "reached", "sites"]
