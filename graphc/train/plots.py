"""Plots of training, drawn by matplotlib; each function gives the figure, and saves it where it gets a path."""

# matplotlib's types are partial.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.errors import GraphcError

Array = np.ndarray[Any, Any]
WIDTH, HEIGHT = 4.2, 3.2  # inches of one panel


def history(history: Mapping[str, Array], path: Any = None) -> Any:
    """Loss and each metric by epoch, on training data and, dashed, on those held back.

    Values that are arrays, such as confusion matrices, are left out. Raises ``GraphcError`` without matplotlib or for
    an empty history.
    """
    names = [n for n, a in history.items() if a.ndim == 1 and not n.startswith("val_")]
    figure, panels = _panels(names, "the history has no epochs; train for one at least")
    for name, panel in zip(names, panels, strict=True):
        _by_epoch(panel, history[name], "training", "-")
        if f"val_{name}" in history:
            _by_epoch(panel, history[f"val_{name}"], "validation", "--")
            panel.legend(frameon=False)
        panel.set(title=name, xlabel="epoch")
    return _done(figure, path)


def _by_epoch(panel: Any, values: Array, label: str, style: str) -> None:
    panel.plot(
        np.arange(1, len(values) + 1), values, style, label=label, marker="o" if len(values) < 3 else ""
    )


def layers(
    statistics: Mapping[str, Array], names: Sequence[str], path: Any = None, *, log: bool = True
) -> Any:
    """A panel for each statistic ``(steps, layers)``, with a line for each layer, from dark (first) to light (last).

    With ``log`` the axis is logarithmic where all values are positive, as norms should be seen. Raises ``GraphcError``
    without matplotlib or where there is nothing to draw.
    """
    figure, panels = _panels(list(statistics), "there are no statistics; record some")
    colours = _colours(len(names))
    for (title, values), panel in zip(statistics.items(), panels, strict=True):
        for layer, colour in enumerate(colours):
            panel.plot(values[:, layer], color=colour, label=names[layer], lw=1)
        if log and np.all(values > 0):
            panel.set_yscale("log")
        panel.set(title=title, xlabel="step")
    shown = panels[0].get_legend_handles_labels()
    figure.legend(*shown, loc="outside lower center", ncols=min(len(names), 6), frameon=False)
    return _done(figure, path)


def profile(statistics: Mapping[str, Array], path: Any = None, *, ylabel: str = "", log: bool = True) -> Any:
    """One line for each entry over the depth of the network: values ``(layers,)``, such as variances of activations
    under several initialisations. Raises as ``layers``."""
    figure, (panel,) = _panels([ylabel] if statistics else [], "there are no statistics; record some")
    for label, values in statistics.items():
        panel.plot(np.arange(1, len(values) + 1), values, marker=".", label=label)
    if log and all(np.all(np.asarray(v) > 0) for v in statistics.values()):
        panel.set_yscale("log")
    panel.set(xlabel="layer", ylabel=ylabel)
    panel.legend(frameon=False)
    return _done(figure, path)


def histograms(arrays: Mapping[str, Array], path: Any = None, *, bins: int = 50) -> Any:
    """How the values of each array are spread, such as ``run.params``; the title tells how many are exactly zero.

    Arrays of one element are left out. Raises as ``layers``.
    """
    shown = {name: np.ravel(array) for name, array in arrays.items() if np.size(array) > 1}
    figure, panels = _panels(list(shown), "there are no arrays of more than one element; give some")
    for (name, values), panel in zip(shown.items(), panels, strict=True):
        panel.hist(values[np.isfinite(values)], bins=bins)
        panel.set_title(f"{name}, {np.mean(values == 0):.0%} zero")
    return _done(figure, path)


def surface(
    values: Array,
    extent: tuple[float, float, float, float],
    path: Any = None,
    *,
    title: str = "",
    levels: int = 24,
) -> Any:
    """Contours of ``values`` ``(rows, columns)`` over ``extent`` (left, right, bottom, top), such as a loss landscape.

    Levels lie evenly on a logarithmic scale where all values are positive. Raises ``GraphcError`` without matplotlib.
    """
    figure, (panel,) = _panels([title], "")
    _contours(panel, figure, values, extent, levels)
    panel.plot(0, 0, "w+")
    panel.set(title=title, xlabel="direction 1", ylabel="direction 2")
    return _done(figure, path)


def trajectories(
    paths: Mapping[str, Array],
    path: Any = None,
    *,
    function: Callable[[Array, Array], Array] | None = None,
    extent: tuple[float, float, float, float] | None = None,
) -> Any:
    """Ways ``(steps, 2)`` of parameters by name, drawn together, from the circle to the square.

    ``function`` of two arrays of coordinates gives the loss, drawn below them over ``extent`` (left, right, bottom,
    top), by default around the ways. Raises as ``layers``.
    """
    figure, (panel,) = _panels([""] if paths else [], "there are no ways; give (steps, 2) arrays by name")
    left, right, bottom, top = extent or _around(np.concatenate([*paths.values()]))
    if function is not None:
        x, y = np.meshgrid(np.linspace(left, right, 121), np.linspace(bottom, top, 121))
        _contours(panel, figure, function(x, y), (left, right, bottom, top), 20)
    for (name, way), colour in zip(paths.items(), _colours(len(paths), "tab10"), strict=True):
        panel.plot(*np.transpose(way), color=colour, label=name, lw=1.3)
        panel.plot(*way[0], "o", color=colour)
        panel.plot(*way[-1], "s", color=colour)
    panel.set(xlim=(left, right), ylim=(bottom, top))
    panel.legend(frameon=True)
    return _done(figure, path)


def images(batch: Array, path: Any = None, *, columns: int = 8) -> Any:
    """Images ``(N, channels, height, width)`` of 1 or 3 channels, values from 0 to 1, in rows of ``columns``.

    Raises ``GraphcError`` without matplotlib or for no image.
    """
    figure, panels = _panels([""] * len(batch), "there are no images; give at least one", columns, 1.1, 1.1)
    for image, panel in zip(batch, panels, strict=True):
        panel.imshow(np.clip(np.moveaxis(image, 0, -1), 0, 1).squeeze(), cmap="gray", vmin=0, vmax=1)
        panel.set_axis_off()
    return _done(figure, path)


# ---------------------------------------------------------------------------------------------- drawing


def _panels(
    names: Sequence[str], nothing: str, columns: int = 4, width: float = WIDTH, height: float = HEIGHT
) -> tuple[Any, list[Any]]:
    """A figure with a panel for each name, in rows."""
    if not names:
        raise GraphcError(nothing).located("plots")
    across = min(len(names), columns)
    down = -(-len(names) // across)
    figure = _figure()(figsize=(width * across, height * down), layout="constrained")
    panels = [figure.add_subplot(down, across, k + 1) for k in range(len(names))]
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, panels


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise GraphcError(
            "plots are drawn by matplotlib, which is not installed; pip install 'graphc[plot]'"
        ).located("plots") from None
    return Figure


def _colours(count: int, name: str = "viridis") -> list[Any]:
    import matplotlib as mpl

    scale = mpl.colormaps[name]
    if name == "tab10":
        return [scale(k % 10) for k in range(count)]
    return [scale(0.9 * k / max(1, count - 1)) for k in range(count)]


def _contours(panel: Any, figure: Any, values: Array, extent: tuple[float, ...], levels: int) -> None:
    finite = values[np.isfinite(values)]
    low, high = finite.min(), finite.max()
    steps = np.geomspace(low, high, levels) if low > 0 and high > low else levels
    shown = panel.contourf(values, levels=steps, extent=extent, cmap="viridis")
    figure.colorbar(shown, ax=panel, format="%.3g")


def _around(points: Array) -> tuple[float, float, float, float]:
    (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
    x, y = (0.15 * max(span, 1e-3) for span in (right - left, top - bottom))
    return left - x, right + x, bottom - y, top + y


def _done(figure: Any, path: Any) -> Any:
    if path is not None:
        figure.savefig(path, dpi=130)
    return figure


__all__ = ["histograms", "history", "images", "layers", "profile", "surface", "trajectories"]
