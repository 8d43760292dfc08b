"""Optimisers: from gradients to updates, as nodes of the graph. Hyperparameters are states, so that a program
reads them at each call and a new value never recompiles anything. ``base`` is what all share, ``rules`` the
formulas, ``schedules`` hyperparameters that follow the step, ``formulas`` rules written in SymPy, ``equations`` any
rule as SymPy, ``gradients`` what happens to gradients before, ``groups`` optimisers made of optimisers."""

from typing import TYPE_CHECKING

from graphc.errors import unknown
from graphc.optim.base import At, Gradients, Optimiser, Updates
from graphc.optim.equations import equations
from graphc.optim.formulas import from_sympy
from graphc.optim.gradients import clip_by_global_norm, clip_by_value, global_norm
from graphc.optim.groups import Groups, Masked, averaged, prune
from graphc.optim.rules import SGD, AdaGrad, Adam, AdamW, Momentum, Nesterov, RMSProp
from graphc.optim.schedules import (
    Hyper,
    Schedule,
    constant,
    cosine,
    exponential,
    linear,
    piecewise,
    step_decay,
    warmup,
)

__all__ = [
    "SGD", "AdaGrad", "Adam", "AdamW", "At", "Gradients", "Groups", "Hyper", "Masked", "Momentum", "Nesterov",
    "Optimiser", "RMSProp", "Schedule", "Updates", "averaged", "clip_by_global_norm", "clip_by_value", "constant",
    "cosine", "equations", "exponential", "from_sympy", "global_norm", "linear", "piecewise", "prune", "step_decay",
    "warmup",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = unknown("gc.optim", __all__)
