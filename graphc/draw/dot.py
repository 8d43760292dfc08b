"""The DOT writer: a picture in Graphviz's language, every foreign text escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from dataclasses import replace

from graphc.draw.picture import Cluster, Edge, Line, Picture, Vertex
from graphc.draw.style import BACKWARD_FILL, EDGES, FONT, FRAME, INK, LOOKS, OUTPUT_WIDTH, SHARED_FILL, SOFT, TYPE, UPDATE_FILL, Look
from graphc.draw.text import ABOUT_LIMIT, clean, shorten

_LARGE = 250  # vertices from which layout quality gives way to speed


def write(picture: Picture) -> str:
    """``picture`` as DOT text, UTF-8, one line a vertex and edge."""
    lines = ["digraph graphc {", *_defaults(picture)]
    lines += _inside(picture, "", "  ")
    lines += [f"  {{ rank=same; {'; '.join(level)} }}" for level in picture.levels]
    lines += [f"  {_edge(e)}" for e in picture.edges]
    if picture.legend:
        lines += _legend()
    return "\n".join([*lines, "}", ""])


def _defaults(picture: Picture) -> list[str]:
    hurry = "nslimit=2 nslimit1=2 mclimit=0.3 splines=polyline" if len(picture.vertices) > _LARGE else ""
    return [
        f'  graph [rankdir=TB newrank=true nodesep=0.3 ranksep=0.42 pad=0.15 bgcolor="white" fontname="{FONT}" '
        f'fontsize=11 fontcolor="{INK}" labelloc=t label={_title(picture.title)} {hurry}]',
        f'  node [fontname="{FONT}" fontsize=11 fontcolor="{INK}" height=0.3 width=0.3]',
        f'  edge [fontname="{FONT}" fontsize=9 fontcolor="{SOFT}" arrowsize=0.65 penwidth=0.9]',
    ]


def _title(title: str) -> str:
    return f"<{_font(Line(title, 'title'))}>" if title else '""'


def _inside(picture: Picture, parent: str, indent: str) -> Iterator[str]:
    """What lies directly in cluster ``parent``, inner clusters after vertices; nests as deep as layer paths do."""
    yield from (f"{indent}{_vertex(v)}" for v in picture.vertices if v.cluster == parent)
    for cluster in picture.clusters:
        if cluster.parent == parent:
            yield f"{indent}subgraph cluster_{cluster.key} {{ {_frame(cluster)}"
            yield from _inside(picture, cluster.key, indent + "  ")
            yield f"{indent}}}"


def _frame(cluster: Cluster) -> str:
    look = f'style="rounded,dashed" color="{FRAME}"' if cluster.role == "side" else f'style="rounded" color="{FRAME}"'
    style = "title" if cluster.role == "side" else "type"
    return f'label=<{_font(Line(shorten(cluster.title), style))}> labeljust=l margin=10 penwidth=0.9 tooltip="{_quoted(cluster.title)}" {look}'


# ---------------------------------------------------------------------------------------------------- vertices


def _vertex(vertex: Vertex) -> str:
    look = _look(vertex)
    peripheries = " peripheries=2" if vertex.shared else ""
    return (
        f'{vertex.key} [id="{vertex.key}" shape={look.shape} style="{look.style}" fillcolor="{look.fill}" color="{look.border}" '
        f'penwidth={look.width} margin="{look.margin}"{peripheries} label=<{_label(vertex)}> tooltip="{_quoted(vertex.about)}"]'
    )


def _look(vertex: Vertex) -> Look:
    look = LOOKS[vertex.kind]
    if vertex.kind in ("op", "layer", "stack") and vertex.side != "forward":
        look = replace(look, fill=BACKWARD_FILL if vertex.side == "backward" else UPDATE_FILL)
    if vertex.shared:
        look = replace(look, fill=SHARED_FILL)
    return replace(look, width=OUTPUT_WIDTH, border=INK) if vertex.output else look


def _label(vertex: Vertex) -> str:
    if len(vertex.lines) == 1 and not vertex.mark and not vertex.shared:
        return _font(vertex.lines[0])
    first, *rest = vertex.lines
    mark = f'<font point-size="9" color="{SOFT}">{_html(vertex.mark)}</font>&#160; ' if vertex.mark else ""
    badge = f'<td bgcolor="{INK}"><font point-size="9" color="white"><b>&#160;×{vertex.shared}&#160;</b></font></td>' if vertex.shared else ""
    span = ' colspan="2"' if badge else ""
    rows = [f"<tr><td>{mark}{_font(first)}</td>{badge}</tr>"]
    rows += [f"<tr><td{span}>{_font(line)}</td></tr>" for line in rest]
    return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{"".join(rows)}</table>'


def _font(line: Line) -> str:
    size, colour, tag = TYPE[line.style]
    text = f"<{tag}>{_html(line.text)}</{tag}>" if tag else _html(line.text)
    return f'<font point-size="{size}" color="{colour}">{text}</font>'


def _html(text: str) -> str:
    return html.escape(clean(text)) or "&#160;"


def _quoted(text: str) -> str:
    """A double-quoted DOT string's inside; Graphviz reads entities and backslashes there too."""
    return html.escape(shorten(text, ABOUT_LIMIT), quote=False).replace("\\", "\\\\").replace('"', '\\"') or " "


# ------------------------------------------------------------------------------------------------------- edges


def _edge(edge: Edge) -> str:
    tail, head, turn = (edge.head, edge.tail, " dir=back") if edge.flipped else (edge.tail, edge.head, "")
    if turn:
        turn += " arrowtail=normal"
    label = f" label=<{_edge_label(edge.label)}>" if edge.label else ""
    free = "" if edge.ranked else " constraint=false"
    return f'{tail} -> {head} [{EDGES[edge.kind]}{turn}{free}{label} tooltip="{_quoted(edge.label)}"]'


def _edge_label(text: str) -> str:
    return f"&#160;{_html(text)}&#160;"


# ------------------------------------------------------------------------------------------------------ legend

_LEGEND = (
    Vertex(key="k_input", kind="input", lines=(Line("input"),)),
    Vertex(key="k_param", kind="param", lines=(Line("parameter"),)),
    Vertex(key="k_state", kind="state", lines=(Line("state"),)),
    Vertex(key="k_const", kind="const", lines=(Line("constant"),)),
    Vertex(key="k_op", kind="op", lines=(Line("operation"),)),
    Vertex(key="k_shared", kind="op", lines=(Line("shared subterm"),), shared=2),
    Vertex(key="k_output", kind="op", lines=(Line("output"),), output=True),
)


def _legend() -> Iterable[str]:
    yield f'  subgraph cluster_legend {{ label=<{_font(Line("legend", "type"))}> style="rounded,dotted" color="{FRAME}" labeljust=l margin=8'
    yield from (f"    {_vertex(v)}" for v in _LEGEND)
    keys = [v.key for v in _LEGEND]
    yield f"    {{ rank=same; {'; '.join(keys)} }}"
    yield f"    {' -> '.join(keys)} [style=invis]"
    yield "  }"
