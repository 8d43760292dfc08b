"""Rendering: ``dot`` on the PATH where there is one, else the Graphviz that the pygraphviz wheel carries.

Both run in a process of their own, the first through the graphviz package: Graphviz is not thread-safe, and its
complaints about a host's font configuration belong to nobody's terminal.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import lru_cache
from importlib.util import find_spec

from graphc.errors import DrawError

FORMATS = ("svg", "png", "pdf", "dot")
_SECONDS = 120
_BUNDLED = """\
import sys, pygraphviz
data = pygraphviz.AGraph(sys.stdin.buffer.read().decode()).draw(format=sys.argv[1], prog="dot")
sys.stdout.buffer.write(data)
"""


def render(dot: str, form: str, *, dpi: int = 144) -> bytes:
    """``dot`` laid out and rendered as ``svg``, ``png`` or ``pdf``.

    Raises ``DrawError`` when Graphviz is missing or fails, and for png and pdf on a host without fonts.
    """
    if form in ("png", "pdf") and not has_fonts():
        raise DrawError(
            f"this host has no font that Graphviz can find, so {form} would show empty boxes for text; "
            "install one (such as the package fonts-dejavu-core), or save as svg, which carries its text"
        )
    if form == "png":
        dot = dot.replace("digraph graphc {", f"digraph graphc {{ dpi={dpi};", 1)
    return _run(dot, form)


def _run(dot: str, form: str) -> bytes:
    made = _by_program(dot, form) if shutil.which("dot") else _by_wheel(dot, form)
    if not made:
        raise _failed("it made nothing")
    return made


def _by_program(dot: str, form: str) -> bytes:
    import graphviz  # pyright: ignore[reportMissingTypeStubs]

    try:
        return graphviz.pipe("dot", form, dot.encode(), quiet=True)
    except (graphviz.CalledProcessError, graphviz.ExecutableNotFound) as error:
        raise _failed(_last_line(getattr(error, "stderr", None) or b"")) from None


def _by_wheel(dot: str, form: str) -> bytes:
    if find_spec("pygraphviz") is None:
        raise DrawError(
            "Graphviz is not installed; pip install pygraphviz (its wheel carries Graphviz) or put the program "
            "dot on the PATH. The DOT text needs neither"
        )
    command = [sys.executable, "-P", "-c", _BUNDLED, form]
    try:
        done = subprocess.run(command, input=dot.encode(), capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise DrawError(f"layout took more than {_SECONDS} s; draw fewer nodes, or pass fold=True") from None
    if done.returncode:
        raise _failed(_last_line(done.stderr))
    return done.stdout


def _failed(why: str) -> DrawError:
    return DrawError(f"Graphviz failed ({why}); its DOT text is the drawing's .dot")


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it gave no reason"


@lru_cache(maxsize=1)
def has_fonts() -> bool:
    """Whether Graphviz finds a font: without one, text has the same width at every size."""
    probe = "digraph { node [shape=plain label=graphc] a [fontsize=10] b [fontsize=60] }"
    rows = [line.split() for line in _run(probe, "plain").decode().splitlines()]
    widths = {row[1]: float(row[4]) for row in rows if row[0] == "node"}
    return widths["b"] > 2 * widths["a"]
