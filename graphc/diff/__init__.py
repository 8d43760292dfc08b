"""Derivatives: reverse, forward and higher order, appended to the graph; gradient checking."""

from graphc.diff.reverse import grad, vjp

__all__ = ["grad", "vjp"]
