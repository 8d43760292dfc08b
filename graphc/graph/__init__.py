"""Graphs, handles and their text form."""

from graphc.graph.body import Around, Body, body_of, read_body, together
from graphc.graph.cone import Cone, Rebuilt, rebuild
from graphc.graph.core import Graph, Required
from graphc.graph.given import check_update
from graphc.graph.handle import (
    FUNCTIONS,
    Build,
    Handle,
    apply,
    call,
    cast_to,
    graph_of,
    key_text,
    lift,
    meet,
    public,
)
from graphc.graph.node import LEAVES, Constant, Node, Origin
from graphc.graph.text import parse, print_graph

__all__ = [
    "FUNCTIONS",
    "LEAVES",
    "Around",
    "Body",
    "Build",
    "Cone",
    "Constant",
    "Graph",
    "Handle",
    "Node",
    "Origin",
    "Rebuilt",
    "Required",
    "apply",
    "body_of",
    "call",
    "cast_to",
    "check_update",
    "graph_of",
    "key_text",
    "lift",
    "meet",
    "parse",
    "print_graph",
    "public",
    "read_body",
    "rebuild",
    "together",
]  # fmt: skip
