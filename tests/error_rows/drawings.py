"""Drawings: what cannot be drawn, and hosts on which Graphviz does not do its work."""

# ruff: noqa: E501 - texts stand whole

import subprocess
from contextlib import ExitStack
from unittest.mock import patch

import graphviz

import graphc as gc
from graphc.draw import render
from graphc.errors import DrawError

G = gc.Graph("net")
X, Y = G.input("x"), G.input("y", (3,))
OTHER = gc.Graph("other").input("x")


def large(count):
    """A drawing of a chain of so many nodes, with its backward graph."""
    h = gc.Graph().param("x", ())
    for _ in range(count):
        h = gc.sin(h)
    return gc.draw({"L": h}, view="both")


def drawn(form="svg", fonts=True, installed=True, program=None, wheel=None):
    """A picture on a host whose program dot, or else wheel of Graphviz, does as given."""
    with ExitStack() as stack:
        for where, name, does in (
            (render, "has_fonts", {"return_value": fonts}),
            (render.shutil, "which", {"return_value": None if program is None else "dot"}),
            (render, "find_spec", {"return_value": object() if installed else None}),
            (graphviz, "pipe", {"side_effect": [program]}),
            (render.subprocess, "run", {"side_effect": [wheel]}),
        ):
            stack.enter_context(patch.object(where, name, **does))
        getattr(gc.draw(X), form)()


ROWS = [
    (
        DrawError,
        lambda: gc.draw(3),
        "cannot draw int; give a node, several nodes, a graph, a cone or a program",
    ),
    (
        DrawError,
        lambda: gc.draw([]),
        "cannot draw list; give a node, several nodes, a graph, a cone or a program",
    ),
    (DrawError, lambda: gc.draw([X, OTHER]), "the nodes to draw belong to 2 graphs; draw nodes of one graph"),
    (
        DrawError,
        lambda: gc.draw(X, view="sideways"),
        "view 'sideways' is unknown; use one of forward, backward, both, kernels",
    ),
    (
        DrawError,
        lambda: gc.draw(X, view="kernels"),
        "cannot draw the kernels of Handle; compile it first and draw the program",
    ),
    (
        DrawError,
        lambda: gc.draw([gc.exp(X), gc.sin(X)], view="both"),
        "2 outputs are float scalars and a backward graph has one; draw the loss node, or give grads",
    ),
    (
        DrawError,
        lambda: gc.draw(Y, view="backward"),
        "0 outputs are float scalars and a backward graph has one; draw the loss node, or give grads",
    ),
    (
        DrawError,
        lambda: gc.draw(G.const(1.0) * 3.0, view="backward"),
        "the loss depends on no float parameter or input; there is no backward graph to draw",
    ),
    (
        DrawError,
        lambda: gc.draw(gc.sum(X), view="both", grads={OTHER: OTHER}),
        "grads has nodes of another graph; give the gradients of the drawn graph",
    ),
    (
        DrawError,
        lambda: gc.draw(X, "/nowhere/x.bmp"),
        "format 'bmp' is unknown; use one of svg, png, pdf, dot",
    ),
    (
        DrawError,
        lambda: large(1600).svg(),
        "the picture has 4,800 vertices and at most 3,000 are laid out; draw fewer nodes, name layers with graph.scope and pass fold=True, or take its .dot",
    ),
    (
        DrawError,
        lambda: drawn("png", fonts=False),
        "this host has no font that Graphviz can find, so png would show empty boxes for text; install one (such as the package fonts-dejavu-core), or save as svg, which carries its text",
    ),
    (
        DrawError,
        lambda: drawn("pdf", fonts=False),
        "this host has no font that Graphviz can find, so pdf would show empty boxes for text; install one (such as the package fonts-dejavu-core), or save as svg, which carries its text",
    ),
    (
        DrawError,
        lambda: drawn(installed=False),
        "Graphviz is not installed; pip install pygraphviz (its wheel carries Graphviz) or put the program dot on the PATH. The DOT text needs neither",
    ),
    (
        DrawError,
        lambda: drawn(program=b""),
        "Graphviz failed (it made nothing); its DOT text is the drawing's .dot",
    ),
    (
        DrawError,
        lambda: drawn(program=graphviz.CalledProcessError(1, "dot", b"", b"syntax error in line 1")),
        "Graphviz failed (syntax error in line 1); its DOT text is the drawing's .dot",
    ),
    (
        DrawError,
        lambda: drawn(wheel=subprocess.CompletedProcess((), 1, b"", b"")),
        "Graphviz failed (it gave no reason); its DOT text is the drawing's .dot",
    ),
    (
        DrawError,
        lambda: drawn(wheel=subprocess.TimeoutExpired("dot", 60)),
        "layout took more than 120 s; draw fewer nodes, or pass fold=True",
    ),
]
