"""The DOT writer: a picture in Graphviz's language, every foreign text escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

from graphc.draw.picture import Cluster, Edge, Line, Picture, Vertex
from graphc.draw.style import (
    BACKWARD_FILL,
    EDGES,
    FONT,
    FRAME,
    INK,
    LOOKS,
    OUTPUT_WIDTH,
    SHARED_FILL,
    SOFT,
    TYPE,
    UPDATE_FILL,
    Look,
)
from graphc.draw.text import ABOUT_LIMIT, clean, shorten

_LARGE = 250  # vertices beyond which edges are straight: routing them would take ten times the layout


def write(picture: Picture) -> str:
    """``picture`` as DOT text, UTF-8, one line a vertex and edge."""
    lines = ["digraph graphc {", *_defaults(picture)]
    lines += [f"  {line}" for line in _nested(picture)]
    lines += [f"  {{ rank=same; {'; '.join(level)} }}" for level in picture.levels]
    lines += [f"  {_edge(e)}" for e in picture.edges]
    if picture.legend:
        lines += _legend(picture)
    return "\n".join([*lines, "}", ""])


def _defaults(picture: Picture) -> list[str]:
    hurry = "nslimit=2 nslimit1=2 mclimit=0.3 splines=line" if len(picture.vertices) > _LARGE else ""
    return [
        f'  graph [rankdir=TB newrank=true nodesep=0.3 ranksep=0.42 pad=0.15 bgcolor="white" labelloc=t '
        f'fontname="{FONT}" fontsize=11 fontcolor="{INK}" label={_title(picture.title)} {hurry}]',
        f'  node [fontname="{FONT}" fontsize=11 fontcolor="{INK}" height=0.3 width=0.3]',
        f'  edge [fontname="{FONT}" fontsize=9 fontcolor="{SOFT}" arrowsize=0.65 penwidth=0.9]',
    ]


def _title(title: str) -> str:
    return f"<{_font(Line(title, 'title'))}>" if title else '""'


def _nested(picture: Picture) -> Iterator[str]:
    """Every vertex within its clusters; an explicit stack, since layers may nest deeply."""
    inside: dict[str, list[str]] = {}
    for vertex in picture.vertices:
        inside.setdefault(vertex.cluster, []).append(_vertex(vertex))
    inner: dict[str, list[Cluster]] = {}
    for cluster in picture.clusters:
        inner.setdefault(cluster.parent, []).append(cluster)
    stack: list[Cluster | str] = [*reversed(inner.get("", []))]
    yield from inside.get("", [])
    while stack:
        here = stack.pop()
        if isinstance(here, str):
            yield here
            continue
        yield f"subgraph cluster_{here.key} {{ {_frame(here)}"
        yield from inside.get(here.key, [])
        stack += ["}", *reversed(inner.get(here.key, []))]


def _frame(cluster: Cluster) -> str:
    side = cluster.role == "side"
    title = _font(Line(shorten(cluster.title), "title" if side else "type"))
    corner = "r" if cluster.title == "backward" else "l"
    return (
        f'label=<{title}> labeljust={corner} margin=10 penwidth=0.9 color="{FRAME}" '
        f'style="{"rounded,dashed" if side else "rounded"}" tooltip="{_quoted(cluster.title)}"'
    )


# --------------------------------------------------------------------------------------------------- vertices


def _vertex(vertex: Vertex) -> str:
    look = _look(vertex)
    peripheries = " peripheries=2" if vertex.shared else ""
    return (
        f'{vertex.key} [id="{vertex.key}" shape={look.shape} style="{look.style}" fillcolor="{look.fill}" '
        f'color="{look.border}" penwidth={look.width} margin="{look.margin}"{peripheries} '
        f'label=<{_label(vertex)}> tooltip="{_quoted(vertex.about)}"]'
    )


def _look(vertex: Vertex) -> Look:
    look = LOOKS[vertex.kind]
    if vertex.kind in ("op", "layer", "stack") and vertex.side != "forward":
        look = replace(look, fill=BACKWARD_FILL if vertex.side == "backward" else UPDATE_FILL)
    if vertex.shared:
        look = replace(look, fill=SHARED_FILL)
    return replace(look, width=OUTPUT_WIDTH, border=INK) if vertex.output else look


_TABLE = '<table border="0" cellborder="0" cellspacing="0" cellpadding="{}">{}</table>'


def _label(vertex: Vertex) -> str:
    if len(vertex.lines) == 1 and not (vertex.mark or vertex.type or vertex.shared):
        return _font(vertex.lines[0])
    heading = _badged(_heading(vertex), vertex.shared) if vertex.shared else _heading(vertex)
    rows = [heading, *(_font(line) for line in vertex.lines[1:])]
    return _TABLE.format(1, "".join(f"<tr><td>{row}</td></tr>" for row in rows))


def _badged(heading: str, count: int) -> str:
    """``heading`` with a dark badge of the number of uses.

    Graphviz spreads spare width evenly over the cells of a row; empty cells take most of it from the badge.
    """
    badge = f'<font point-size="9" color="white"><b>&#160;×{count}&#160;</b></font>'
    cells = f'<td>{heading}&#160; </td><td bgcolor="{INK}">{badge}</td>'
    return _TABLE.format(0, f"<tr><td></td><td></td>{cells}<td></td><td></td></tr>")


def _heading(vertex: Vertex) -> str:
    """Mark, title and type on one line."""
    small = '<font point-size="9" color="{}">{}</font>'
    mark = small.format(SOFT, _html(vertex.mark)) + "&#160; " if vertex.mark else ""
    kind = "&#160; " + small.format(SOFT, _html(vertex.type)) if vertex.type else ""
    return f"{mark}{_font(vertex.lines[0])}{kind}"


def _font(line: Line) -> str:
    size, colour, tag = TYPE[line.style]
    text = f"<{tag}>{_html(line.text)}</{tag}>" if tag else _html(line.text)
    return f'<font point-size="{size}" color="{colour}">{text}</font>'


# A backslash starts an escape in labels and tooltips, by rules that differ between the two and between
# versions of Graphviz; this sign looks the same and starts none.
_BACKSLASH = str.maketrans("\\", "∖")


def _html(text: str) -> str:
    """``text`` inside an HTML-like label."""
    return html.escape(clean(text).translate(_BACKSLASH)) or "&#160;"


def _quoted(text: str) -> str:
    """``text`` inside a quoted string, where Graphviz reads entities too."""
    return html.escape(shorten(text, ABOUT_LIMIT).translate(_BACKSLASH)) or " "


# ------------------------------------------------------------------------------------------------------ edges


def _edge(edge: Edge) -> str:
    tail, head, turn = (edge.head, edge.tail, " dir=back") if edge.flipped else (edge.tail, edge.head, "")
    if turn:
        turn += " arrowtail=normal"
    label = f" label=<{_edge_label(edge.label)}>" if edge.label else ""
    free = "" if edge.ranked else " constraint=false"
    return f'{tail} -> {head} [{EDGES[edge.kind]}{turn}{free}{label} tooltip="{_quoted(edge.label)}"]'


def _edge_label(text: str) -> str:
    return f"&#160;{_html(text)}&#160;"


# ----------------------------------------------------------------------------------------------------- legend

_LEGEND = (
    Vertex(key="k_input", kind="input", lines=(Line("input"),)),
    Vertex(key="k_param", kind="param", lines=(Line("parameter"),)),
    Vertex(key="k_state", kind="state", lines=(Line("state"),)),
    Vertex(key="k_const", kind="const", lines=(Line("constant"),)),
    Vertex(key="k_op", kind="op", lines=(Line("operation"),)),
    Vertex(key="k_back", kind="op", lines=(Line("backward operation"),), side="backward"),
    Vertex(key="k_shared", kind="op", lines=(Line("shared, two uses"),), shared=2),
    Vertex(key="k_output", kind="op", lines=(Line("output"),), output=True),
    Vertex(key="k_reference", kind="reference", lines=(Line("forward value"),)),
    Vertex(key="k_layer", kind="layer", lines=(Line("layer"),)),
    Vertex(key="k_stack", kind="stack", lines=(Line("equal layers"),)),
    Vertex(key="k_kernel", kind="kernel", lines=(Line("kernel"),)),
)
_LEGEND_ROW = 7


def _legend(picture: Picture) -> Iterable[str]:
    """The shapes that occur in the picture, in rows."""
    present = {_shape_of(v) for v in picture.vertices}
    shown = [v for v in _LEGEND if _shape_of(v) in present]
    rows = [[v.key for v in shown[k : k + _LEGEND_ROW]] for k in range(0, len(shown), _LEGEND_ROW)]
    frame = f'style="rounded,dotted" color="{FRAME}" labeljust=l margin=8'
    yield f"  subgraph cluster_legend {{ label=<{_font(Line('legend', 'type'))}> {frame}"
    yield from (f"    {_vertex(v)}" for v in shown)
    yield from (f"    {{ rank=same; {'; '.join(row)} }}" for row in rows)
    yield from (f"    {upper[0]} -> {lower[0]} [style=invis]" for upper, lower in pairwise(rows))
    yield "  }"


def _shape_of(vertex: Vertex) -> tuple[str, bool, bool, bool]:
    plain = not (vertex.shared or vertex.output)
    return (
        vertex.kind,
        vertex.shared > 0,
        vertex.output,
        plain and vertex.kind == "op" and vertex.side == "backward",
    )
