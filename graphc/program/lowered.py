"""A cone lowered to kernels: the second half of a compilation, which no pass touches any more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from graphc.codegen.module import Module, emit
from graphc.graph import Cone, Graph
from graphc.lower.fuse import fuse
from graphc.lower.layout import lay_out
from graphc.lower.nests import expand
from graphc.lower.schedule import Schedule, schedule
from graphc.lower.values import Lookup, NestProgram
from graphc.program.calling import IndexCheck
from graphc.types import Dim


@dataclass(frozen=True, slots=True)
class Lowered:
    """The stages behind the passes, in order, and what a call must check of indices."""

    nests: NestProgram
    layout: NestProgram
    schedule: Schedule
    module: Module
    checks: tuple[IndexCheck, ...]


def lower(cone: Cone, name: str) -> Lowered:
    """``cone`` as kernels of a module called ``name``; raises ``InputError`` for constant indices out of range."""
    nests = expand(cone)
    laid_out = lay_out(nests)
    split, groups = fuse(laid_out)
    steps = schedule(split, groups)
    return Lowered(nests, laid_out, steps, emit(steps, name), tuple(index_checks(split)))


def index_checks(program: NestProgram) -> Iterator[IndexCheck]:
    """Data read as indices: inputs by name, constants by their range, computed ones by none.

    Raises ``InputError`` for a constant outside a size that is known.
    """
    seen: set[tuple[str, int, int, Dim, bool]] = set()
    for found in program.lookups:
        check = _index_check(program.graph, found)
        key = (check.name, check.low, check.high, check.size, check.wrap)
        if key not in seen and (check.name or not isinstance(check.size, int) or not check.fits(check.size)):
            seen.add(key)
            yield check


def _index_check(graph: Graph, found: Lookup) -> IndexCheck:
    handle = graph.handle(found.node)
    held = found.held
    made = IndexCheck("", found.size, found.count, handle.label, handle.place, wrap=found.wrap)
    if held is None:
        return made
    if not held.is_const:
        return replace(made, name=str(held.param["name"]))
    values = held.param["value"].array
    check = replace(made, low=int(values.min(initial=0)), high=int(values.max(initial=-1)))
    if isinstance(found.size, int) and found.count != 0:
        check.require(found.size)
    return check


__all__ = ["Lowered", "lower"]
