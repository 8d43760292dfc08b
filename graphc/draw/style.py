"""How things look: one table of shapes, a palette that stays readable in grey, three sizes of type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# The first family that the host has; all are sans serifs of similar width.
FONT = "Helvetica,Arial,DejaVu Sans,sans-serif"

INK, SOFT, FAINT = "#1f2933", "#5f6b7a", "#9aa5b1"
PAPER, FRAME = "#ffffff", "#c3cad3"


@dataclass(frozen=True, slots=True)
class Look:
    """Shape, further style words, fill, border colour and width of one kind of vertex."""

    shape: str
    style: str = "filled"
    fill: str = PAPER
    border: str = "#52606d"
    width: float = 0.9
    margin: str = "0.10,0.05"


# Shape and line tell the kinds apart; fills only support them and differ in lightness too.
LOOKS: Mapping[str, Look] = {
    "input": Look("ellipse", "filled", "#eaf2fb", margin="0,0"),
    "param": Look("cylinder", "filled", "#fbf3dc", margin="0.12,0.05"),
    "state": Look("cylinder", "filled,dashed", "#f3efe6", margin="0.12,0.05"),
    "const": Look("note", "filled", "#f5f6f8", margin="0.09,0.03"),
    "op": Look("box", "filled,rounded"),
    "reference": Look("ellipse", "filled,dotted", margin="0.02,0.01"),
    "layer": Look("folder", "filled", "#f0f4f8", margin="0.18,0.09"),
    "stack": Look("box3d", "filled", "#e4ebf2", margin="0.22,0.12"),
    "kernel": Look("component", "filled", "#f0f4f8", margin="0.25,0.09"),
    "buffer": Look("tab", "filled", "#f5f6f8", margin="0.12,0.05"),
}

BACKWARD_FILL, UPDATE_FILL, SHARED_FILL = "#f4eef8", "#eaf5ee", "#fde9b8"
OUTPUT_WIDTH = 2.4

# style of a line -> (point size, colour, tag)
TYPE: Mapping[str, tuple[int, str, str]] = {
    "title": (12, INK, "b"),
    "formula": (11, INK, ""),
    "type": (9, SOFT, ""),
    "value": (11, "#14532d", ""),
    "gradient": (11, "#9b1c1c", "i"),
    "adjoint": (11, "#5b2a86", "b"),
    "note": (9, SOFT, "i"),
}

# kind of edge -> DOT attributes
EDGES: Mapping[str, str] = {
    "data": f'color="{SOFT}"',
    "borrow": f'color="{FAINT}" style=dashed arrowhead=vee',
    "update": f'color="{SOFT}" style=dotted arrowhead=onormal penwidth=1.3',
}
