"""Passes: pure functions from cone to cone, and the runner around them."""

from graphc.passes.fold import fold
from graphc.passes.runner import DEFAULT, Pass, Result, Step, pipeline, run
from graphc.passes.simplify import IDENTITIES, simplify
from graphc.passes.structure import prune, resolve_phase, share

__all__ = [
    "DEFAULT", "IDENTITIES", "Pass", "Result", "Step", "fold", "pipeline", "prune", "resolve_phase", "run",
    "share", "simplify",
]  # fmt: skip
