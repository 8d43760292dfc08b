"""Checks that the settings of layers share: short errors, which the layer's own name completes."""

from __future__ import annotations

from graphc.errors import GraphError


def at_least(least: int, **settings: object) -> None:
    """Raise ``GraphError`` for the first of ``settings`` that is no int of at least ``least``.

    >>> at_least(1, units=3)
    """
    for name, value in settings.items():
        if type(value) is not int or value < least:
            raise GraphError(f"{name}={value!r}; give an integer of at least {least}")


__all__ = ["at_least"]
