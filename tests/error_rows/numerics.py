"""Analysis of ranges and condition numbers, and gradient checks from the command line."""

import tempfile
from pathlib import Path

import graphc as gc
from error_rows.commands import EndedError, command
from graphc.cli.gradients import declared
from graphc.errors import GraphError, InputError

G = gc.Graph("net")
X = G.input("x", (3,))
Y = gc.exp(X)


def kinked():
    """A file whose loss has a kink at its input."""
    path = Path(tempfile.gettempdir()) / "graphc_kinked_loss.py"
    path.write_text(
        "import graphc as gc\n"
        "def check():\n"
        "    g = gc.Graph()\n"
        "    return gc.relu(g.input('x', ())), {'x': 0.0}\n"
    )
    return str(path)


ROWS = [
    (GraphError, lambda: gc.analyse(1.0), "analyse: 1.0 is not a node; give a node of a graph"),
    (
        InputError,
        lambda: gc.analyse(Y, {"y": (0, 1)}),
        "input 'y': there is no such input; the inputs are 'x'",
    ),
    (
        InputError,
        lambda: gc.analyse(Y, {"x": (1, 0)}),
        "analyse: input 'x': range (1, 0) is no interval; give (low, high)",
    ),
    (
        InputError,
        lambda: gc.analyse(Y, {"x": 2}),
        "analyse: input 'x': range 2 is no interval; give (low, high)",
    ),
    (
        GraphError,
        lambda: gc.analyse(X)[Y],
        "exp %1: it is not part of what was analysed; give a node that it depends on @",
    ),
    (
        InputError,
        lambda: declared("nowhere.py:loss"),
        "there is no file nowhere.py; give file.py:function or module:function",
    ),
    (
        InputError,
        lambda: declared("no.module:loss"),
        "'no.module' cannot be imported: …; give file.py:function or module:function",
    ),
    (InputError, lambda: declared("math:loss"), "math has no function 'loss'; name one as math:function"),
    (
        InputError,
        lambda: declared("time:time"),
        "time:time returned …; return the loss, or the loss and its inputs by name",
    ),
    (
        EndedError,
        lambda: command("check-gradients", "nowhere.py"),
        "graphc: there is no file nowhere.py; give …",
    ),
    (
        EndedError,
        lambda: command("check-gradients", kinked()),
        "graphc: relu %1: 4 derivatives by x DISAGREE within 1e-06; …",
    ),
]
