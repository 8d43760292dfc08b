"""``gc.draw``: from a node, a graph or a program to a picture in SVG, PNG, PDF or DOT."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from graphc.draw.bodies import with_bodies
from graphc.draw.dot import write
from graphc.draw.fold import folded, folds_by_itself
from graphc.draw.graphs import VIEWS, scene_of
from graphc.draw.kernels import KernelPlan, picture_of_kernels
from graphc.draw.picture import Picture
from graphc.draw.render import FORMATS, render
from graphc.draw.subject import differentiated, evaluated, stabilised, subject_of
from graphc.errors import DrawError
from graphc.graph import Handle

_RENDER_UP_TO = 3000  # vertices; Graphviz needs minutes beyond


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished drawing. ``dot`` is its text in Graphviz's language, which needs nothing installed.

    In a notebook it shows itself as SVG.
    """

    picture: Picture
    dot: str

    def svg(self) -> str:
        """The drawing as SVG, which needs no fonts here. Raises ``DrawError`` without Graphviz."""
        return self._render("svg").decode()

    def png(self, *, dpi: int = 144) -> bytes:
        """The drawing as PNG with ``dpi`` dots an inch. Raises ``DrawError`` without Graphviz or fonts."""
        return self._render("png", dpi=dpi)

    def pdf(self) -> bytes:
        """The drawing as PDF. Raises ``DrawError`` without Graphviz or fonts."""
        return self._render("pdf")

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> Path:
        """Write the drawing to ``path``, in ``format`` or that of the suffix; returns the path.

        Raises ``DrawError`` for an unknown format and where the drawing cannot be rendered.
        """
        target = Path(path)
        form = (format or target.suffix.removeprefix(".")).lower()
        if form not in FORMATS:
            raise DrawError(f"format {form!r} is unknown; use one of {', '.join(FORMATS)}")
        target.write_bytes(self.dot.encode() if form == "dot" else self._render(form))
        return target

    def _render(self, form: str, **options: Any) -> bytes:
        count = len(self.picture.vertices)
        if count > _RENDER_UP_TO:
            raise DrawError(
                f"the picture has {count:,} vertices and at most {_RENDER_UP_TO:,} are laid out; "
                "draw fewer nodes, name layers with graph.scope and pass fold=True, or take its .dot"
            )
        return render(self.dot, form, **options)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> dict[str, Any]:
        try:
            return {"image/svg+xml": self.svg(), "text/plain": repr(self)}
        except DrawError as error:
            return {"text/plain": f"{error}\n\n{self.dot}"}

    def __repr__(self) -> str:
        return f"<Drawing: {len(self.picture.vertices)} vertices, {len(self.picture.edges)} edges>"


def draw(
    target: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    view: Literal["forward", "backward", "both", "kernels"] = "forward",
    format: str | None = None,
    values: Mapping[str, Any] | None = None,
    grads: Mapping[Handle, Handle] | None = None,
    shared: bool = True,
    stabilise: bool = False,
    fold: bool | Literal["auto"] = "auto",
    legend: bool = False,
) -> Drawing:
    """Draw ``target``: a node, a list or a mapping ``{name: node}``, a graph, a cone or a program.

    view:      ``forward``; ``backward``, the gradients with the forward values that they read; ``both``, the
               backward graph beside the forward one, each adjoint at the height of its node; ``kernels`` of a
               program
    path:      where to save it, in ``format`` or the format of the suffix: svg, png, pdf, dot
    values:    inputs by name; prints the value of every node and, where there are gradients, of those
    grads:     ``{node: gradient}`` as ``gc.grad`` returns it; without it the chain rule is applied to a copy
    shared:    highlight terms that are used more than once, with the number of uses
    stabilise: draw the form that ``gc.grad`` differentiates, rather than the one declared
    fold:      one box a layer; ``"auto"`` does so for large graphs
    legend:    add the meaning of the shapes

    Edges carry the local derivative of the node that reads by the one that is read. Raises ``DrawError`` for
    a target that cannot be drawn and for what this host cannot render.

    >>> import graphc as gc
    >>> g = gc.Graph("product")
    >>> x, y = g.input("x"), g.input("y")
    >>> picture = gc.draw({"z": x * y})
    >>> "z = mul" in picture.dot
    True
    """
    if view == "kernels":
        picture = picture_of_kernels(_plan(target))
    elif view in VIEWS:
        picture = _graph_picture(target, view, values, grads, shared=shared, stabilise=stabilise, fold=fold)
    else:
        raise DrawError(f"view {view!r} is unknown; use one of {', '.join((*VIEWS, 'kernels'))}")
    picture = replace(picture, legend=legend)
    drawing = Drawing(picture, write(picture))
    if path is not None:
        drawing.save(path, format)
    return drawing


def _graph_picture(
    target: Any, view: str, values: Any, grads: Any, *, shared: bool, stabilise: bool, fold: bool | str
) -> Picture:
    subject = subject_of(target)
    if stabilise:
        subject = stabilised(subject)
    if view != "forward" or grads is not None:
        subject = differentiated(subject, grads)
    if values is not None:
        subject = evaluated(subject, values)
    scene = scene_of(subject, view, shared=shared)
    return (
        folded(scene) if fold is True or (fold == "auto" and folds_by_itself(scene)) else with_bodies(scene)
    )


def _plan(target: Any) -> KernelPlan:
    plan = target if isinstance(target, KernelPlan) else getattr(target, "kernel_plan", None)
    if not isinstance(plan, KernelPlan):
        raise DrawError(
            f"cannot draw the kernels of {type(target).__name__}; compile it first and draw the program"
        )
    return plan
