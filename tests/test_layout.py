"""The order of the modules, as the package's docstring tells it, and the walls around third-party packages."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphc

ROOT = Path(graphc.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# Whoever uses the package as a user does stands below all of it.
USERS = ("bench", "cli")
WALLS = {
    "numba": ("runtime",),
    "llvmlite": ("runtime",),
    "networkx": ("graph",),
    "pygraphviz": ("draw",),
    "graphviz": ("draw",),
    "sklearn": USERS,
    "typer": ("cli",),
    "rich": ("cli", "train"),
    "matplotlib": ("bench", "train"),
    "safetensors": ("tensors",),
    "scipy": ("train",),
}
# Loaded where they are needed, so that importing graphc stays quick.
LAZY = (
    "sympy",
    "numba",
    "llvmlite",
    "pygraphviz",
    "graphviz",
    "sklearn",
    "platformdirs",
    "safetensors",
    "scipy",
    "matplotlib",
)
LONGEST = 400


def order() -> list[str]:
    """The names of the docstring's list, from top to bottom and left to right."""
    rows = re.findall(r"^ {4}(\S+(?: \S+)*) {2,}\S", graphc.__doc__ or "", re.MULTILINE)
    return [name for row in rows for name in row.split()]


def room(path: Path) -> str:
    """The module or package directly below graphc that holds ``path``."""
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    """Every import of a file, also inside functions, but not those for type checkers: the dotted names it loads."""
    tree = ast.parse(path.read_text())
    skipped = {id(inner) for node in ast.walk(tree) if _is_for_types(node) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where they point"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((node, name) for name in (names if node.module == "graphc" else [str(node.module)]))


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_docstring_lists_every_module_once() -> None:
    listed = order()
    assert len(set(listed)) == len(listed)
    assert set(listed) == {room(path) for path in FILES} - {"__init__"}


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_modules_import_only_from_above(path: Path) -> None:
    rank = {name: k for k, name in enumerate(order())}
    here = room(path)
    if here == "__init__":
        return
    for _, name in imports(path):
        parts = name.split(".")
        if parts[0] != "graphc":
            continue
        there = parts[1] if len(parts) > 1 else ""
        if there not in rank:
            assert here in USERS, f"{shown(path)} imports {name}: only {USERS} use the package as a whole"
        else:
            assert rank[there] <= rank[here], f"{shown(path)} imports {name}, which stands below it"


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_third_party_packages_stay_behind_their_walls(path: Path) -> None:
    tops = {
        node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Import | ast.ImportFrom)
    }
    lines = {node.lineno for node in tops}
    for node, name in imports(path):
        package = name.split(".")[0]
        assert room(path) in WALLS.get(package, (room(path),)), f"{shown(path)} imports {name}"
        inside = room(path) in WALLS.get(package, ())  # the room is entered late as a whole
        assert package not in LAZY or inside or node.lineno not in lines, (
            f"{shown(path)} imports {name} at once"
        )


@pytest.mark.parametrize("path", FILES, ids=shown)
def test_files_stay_short(path: Path) -> None:
    count = len(path.read_text().splitlines())
    assert count <= LONGEST, f"{shown(path)} has {count} lines: it is two rooms"


def test_importing_graphc_loads_nothing_heavy() -> None:
    heavy = {*LAZY, "rich", "typer"} - {"platformdirs"}
    program = f"import sys, graphc; print(sorted({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
