"""Checks that the settings of layers share: short errors, which the layer's own name completes."""

from __future__ import annotations

import math
from typing import Any

from graphc.errors import GraphError

Each = int | tuple[int, ...]  # one value for all spatial axes, or one for each


def at_least(least: int, **settings: Any) -> None:
    """Raise ``GraphError`` for the first of ``settings`` that is no int of at least ``least``.

    >>> at_least(1, units=3)
    """
    for name, value in settings.items():
        if not _is_count(value, least):
            raise GraphError(f"{name}={value!r}; give an integer of at least {least}")


def each(count: int, least: int, **settings: Each | None) -> None:
    """Raise ``GraphError`` for the first of ``settings`` that is neither such an int nor ``count`` of them."""
    for name, value in settings.items():
        given: tuple[Any, ...] = value if isinstance(value, tuple) else (value,) * count
        if len(given) != count or not all(_is_count(v, least) for v in given):
            raise GraphError(
                f"{name}={value!r}; give an integer of at least {least}, or a tuple of {count} of them"
            )


def spread(value: Each, count: int) -> tuple[int, ...]:
    """One value for each of ``count`` axes.

    >>> spread(3, 2), spread((1, 2), 2)
    ((3, 3), (1, 2))
    """
    return (value,) * count if isinstance(value, int) else tuple(value)


def divides(groups: int, whole: int, what: str) -> None:
    """Raise ``GraphError`` unless ``whole``, which is called ``what``, falls into ``groups`` equal ones."""
    if whole % groups:
        raise GraphError(f"{whole} {what} in {groups} groups; give a multiple of {groups}")


def within(low: float, high: float, **settings: Any) -> None:
    """Raise ``GraphError`` for the first of ``settings`` that is no finite number from ``low`` to ``high``."""
    bound = " of at least 0" if (low, high) == (0, math.inf) else f" of {low:g} to {high:g}"
    for name, value in settings.items():
        number = type(value) in (int, float) and math.isfinite(value)
        if not number or not low <= float(value) <= high:
            raise GraphError(f"{name}={value!r}; give a finite number{bound if low > -math.inf else ''}")


def _is_count(value: Any, least: int) -> bool:
    return type(value) is int and value >= least


__all__ = ["Each", "at_least", "divides", "each", "spread", "within"]
