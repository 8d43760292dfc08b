"""Pages that are run: ``python docs/build.py`` refreshes what they show, the tests hold them current.

Every ``python`` block of a page is executed, in order and in one namespace; a ``text`` block that follows
directly shows what it printed, and the drawings that it saves are the pages' pictures. The table of ops is
made from the registry.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import graphc as gc
from graphc import registry
from graphc.bench import page as results
from graphc.bench.results import Run
from graphc.ops.elementwise import partial

DOCS = Path(__file__).parent
PAGES = tuple(
    page for page in (DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))) if page.name != "ops.md"
)
_BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<shown>.*?)```\n)?", re.DOTALL)


def rendered(text: str, name: str, pictures: Path) -> str:
    """``text`` with every output block showing what its code prints; what it draws goes to ``pictures``.

    Emitted kernels quote the line that declared them, so outputs that grow move the lines of later blocks:
    the page is run until it stands still.
    """
    for _ in range(4):
        with contextlib.chdir(pictures):
            found = _once(text, name)
        if found == text:
            return found
        text = found
    raise ValueError(f"{name}: every run shows something else; print what is the same each time")


def _once(text: str, name: str) -> str:
    namespace: dict[str, Any] = {"__name__": "page"}
    parts, end = [], 0
    for block in _BLOCK.finditer(text):
        printed = _printed(block["code"], name, text.count("\n", 0, block.start("code")), namespace)
        if block["shown"] is None:
            if printed:
                raise ValueError(f"{name}: a block prints and no text block follows: {printed!r}")
            continue
        parts += [text[end : block.start("shown")], printed]
        end = block.end("shown")
    return "".join([*parts, text[end:]])


def _printed(code: str, name: str, line: int, namespace: dict[str, Any]) -> str:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        exec(compile("\n" * line + code, name, "exec", dont_inherit=True), namespace)
    return "\n".join(each.rstrip() for each in stream.getvalue().splitlines()) + "\n" * bool(
        stream.getvalue()
    )


def results_page() -> str:
    """The page of results, from the data beside it."""
    return results.page(Run.from_json((DOCS / results.DATA).read_text(encoding="utf-8")))


# ------------------------------------------------------------------------------------------------ ops.md


def ops_page() -> str:
    """The table of ops, as the registry declares them."""
    return "\n".join(_ops_lines()) + "\n"


def _ops_lines() -> Iterator[str]:
    scalars = {op.name: op for op in _declared() if op.scalar is not None}
    yield "# Functions and ops"
    yield ""
    yield "Generated from the declarations by `python docs/build.py`; a test holds it current."
    yield from _table("Functions", _FUNCTIONS, ("function", "what it gives"))
    for name, function in sorted(gc.FUNCTIONS.items()):
        if name not in scalars:
            yield f"| `{name}{_signature(function)}` | {_cell(_summary(function))} |"
    yield from _table("Elementwise functions", _ELEMENTWISE, ("op", "what it gives", "derivatives"))
    for op in scalars.values():
        yield f"| `{op.name}` | {_cell(op.doc)} | {_cell(_derivatives(op.scalar))} |"
    yield from _table("Other ops", _OTHERS, ("op", "what it gives", "written"))
    for op in _declared():
        if op.name not in scalars:
            yield f"| `{op.name}` | {_cell(op.doc)} | {_cell(_written(op))} |"


_FUNCTIONS = """\
Called as `gc.<name>`; handles have the operators, `x[...]` (which is `index`) and what NumPy arrays have
as methods. They take nodes, numbers and arrays, and raise `ShapeError` or `DTypeError` on the line that
calls them."""
_ELEMENTWISE = """\
Each is one SymPy body, called as `gc.<name>` on operands `x`, `y`, `z` that broadcast as in NumPy. The
derivative by each operand is found by SymPy; `out` is the op's own output, used where that is cheaper.
Slopes at kinks are listed in [numerics](numerics.md). `gc.elementwise` declares more of them."""
_OTHERS = """\
The nodes that the functions above are made of, with one of their cases written over operands `x`, `y`, `z`.
Kernel, derivatives in both directions, rule for batches, NumPy reference and the cases of the tests stand
in one declaration."""


def _table(title: str, text: str, columns: tuple[str, ...]) -> Iterator[str]:
    yield from ("", f"## {title}", "", text, "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|")


def _declared() -> list[registry.Op]:
    """The ops that the package declares; derivatives of others, and users' ops, are made on demand."""
    return [
        op for op in registry.ops() if "." not in op.name and op.doc not in ("", "defined by gc.elementwise")
    ]


def _signature(function: Any) -> str:
    given = inspect.signature(function).parameters.values()
    bare = inspect.Signature([p.replace(annotation=p.empty) for p in given])
    return str(bare)


def _summary(function: Any) -> str:
    return (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")


def _derivatives(scalar: Any) -> str:
    formulas = [partial(scalar, position).formula for position in range(scalar.arity)]
    if not any(formula is not None and formula != 0 for formula in formulas):
        return "0"
    return ", ".join(f"`{0 if formula is None else formula}`" for formula in formulas)


def _written(op: registry.Op) -> str:
    """The most telling of the op's cases: the one with most to say."""
    cases = [op.label(("x", "y", "z")[: len(each.shapes)], each.params) for each in op.samples]
    return f"`{max(cases, key=len)}`"


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


def main() -> None:
    """Write every page, and the pictures that their code saves, anew."""
    pictures = DOCS / "images"
    pictures.mkdir(exist_ok=True)
    for page in PAGES:
        page.write_text(rendered(page.read_text(encoding="utf-8"), page.name, pictures), encoding="utf-8")
    (DOCS / "ops.md").write_text(ops_page(), encoding="utf-8")
    (DOCS / results.NAME).write_text(results_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
