"""The order of the runtime's modules, as its docstring tells it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import graphc.runtime

FOLDER = Path(graphc.runtime.__file__).parent
GROUPS = [
    " ".join(re.findall(r"^    ([a-z_ ]+?)   ", part, re.MULTILINE)).split()
    for part in (graphc.runtime.__doc__ or "").split("\n\n")[2:]
]
ORDER = [name for group in GROUPS for name in group]
FILES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))


def imported(module: str) -> set[str]:
    """Every module that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((FOLDER / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "graphc.runtime":
            found |= {f"graphc.runtime.{each.name}" for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def room(name: str) -> str:
    """The entry of the docstring to which a module belongs."""
    return max((each for each in ORDER if f"{name}_".startswith(f"{each}_")), key=len)


def test_every_module_has_a_place() -> None:
    assert {room(each) for each in FILES} == set(ORDER)


@pytest.mark.parametrize("module", FILES)
def test_a_module_imports_only_from_those_above_it(module: str) -> None:
    prefix = "graphc.runtime."
    own = {each.removeprefix(prefix) for each in imported(module) if each.startswith(prefix)}
    assert {room(each) for each in own} <= set(ORDER[: ORDER.index(room(module)) + 1])


@pytest.mark.parametrize("module", [*GROUPS[0], "jit"])
def test_where_nothing_is_compiled_there_is_no_numba(module: str) -> None:
    assert not {each for each in imported(module) if each.split(".")[0] == "numba"}
