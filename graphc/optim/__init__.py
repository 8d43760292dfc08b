"""Optimisers: from gradients to updates, as nodes of the graph. Hyperparameters are states, so that a program
reads them at each call and a new value never recompiles anything. ``base`` is what all share, ``rules`` the
formulas."""

from graphc.optim.base import At, Gradients, Optimiser, Updates
from graphc.optim.rules import SGD, Adam, Momentum

__all__ = ["SGD", "Adam", "At", "Gradients", "Momentum", "Optimiser", "Updates"]
