"""Cheap maps that their readers compute again instead of reading them from memory.

Batch normalisation declares a chain of maps of one convolution: centred, divided, scaled, shifted, cut off by relu,
and the slope of that; the backward graph reads most of them. Stored, each is written once and read at least once,
while the convolution lies in memory anyway. So a value that a few operations make of one array as large as itself,
and of smaller ones, is no array of its own if that array is kept: its readers read the array.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from graphc.loops import FUNCTIONS, Call, Expr, Load, Loop, at_index, identity, rebuild, walk
from graphc.lower.axes import contraction, dims
from graphc.lower.values import NestProgram, Value, drop_unused, map_expressions, sources

CHEAP = 6  # floating-point operations up to which a value is computed again instead of kept
CHAIN = 10  # the same for a whole chain of maps that several kernels would read


def operations(expr: Expr) -> int:
    """The cost of one element of ``expr`` in floating-point operations; what occurs twice is computed once."""
    return sum(FUNCTIONS[e.fn].cost for e in {e for e in walk(expr) if isinstance(e, Call)})


def recompute(program: NestProgram, stored: Collection[int]) -> NestProgram:
    """``program``, in which no reader finds those of the ``stored`` values in memory that are cheap to make."""
    wanted = {*_wanted(program), *_spread(program)}
    made = _made(program, wanted | set(stored), wanted)
    chosen = {number: made[number] for number in stored if number in made}
    if not chosen:
        return program
    values = [
        v if v.loop is None else replace(v, loop=_inlined(program, v, v.loop, chosen)) for v in program.values
    ]
    return drop_unused(replace(program, values=tuple(values)))


def _wanted(program: NestProgram) -> Iterator[int]:
    """Values that need memory for what reads them: outputs, factors of products, what others view."""
    shapes = [v.shape for v in program.values]
    yield from (program.root(k) for k in (*program.outputs.values(), *program.updates.values()))
    for value in program.values:
        if value.loop is None and value.kind != "view":
            yield value.number
        elif value.kind == "view" or value.source >= 0:
            yield from (value.number, value.source)
        elif value.loop is not None and contraction(value.loop, shapes) is not None:
            yield from (program.root(k) for k in sources(value))


def _spread(program: NestProgram) -> Iterator[int]:
    """Values of which an element is read more often than once: numbers, and what is spread along other axes."""
    for value in program.values:
        if value.loop is not None:
            rank = len(dims(value.loop))
            yield from (load.source for load in value.loop.loads() if len(load.index) < max(rank, 1))


def _made(program: NestProgram, kept: set[int], wanted: set[int]) -> dict[int, Expr]:
    """What each cheap map computes, from values that are kept."""
    made: dict[int, Expr] = {}
    for value in program.values:
        loop = value.loop
        if loop is None or value.number in wanted or not _is_map(loop):
            continue
        expr = _inlined(program, value, loop, made).expr
        full = _whole(expr, len(loop.axes))
        if full is None or operations(expr) > CHAIN:
            continue
        source = program.values[full]
        same = source.region == value.region or source.loop is None
        if full in kept and same and source.dtype.itemsize <= value.dtype.itemsize:
            made[value.number] = expr
    return made


def _is_map(loop: Loop) -> bool:
    return not loop.combine and loop.scatter is None and loop.running is None


def _whole(expr: Expr, rank: int) -> int | None:
    """The one value that ``expr`` reads element by element, if all others have fewer axes."""
    found: set[int] = set()
    for load in walk(expr):
        if not isinstance(load, Load):
            continue
        if load.index == identity(rank):
            found.add(load.source)
        elif len(load.index) >= rank:
            return None
    return found.pop() if len(found) == 1 else None


def _inlined(program: NestProgram, value: Value, loop: Loop, made: Mapping[int, Expr]) -> Loop:
    """``loop`` of ``value`` with the expressions of what it reads in its own region."""

    def visit(expr: Expr) -> Expr | None:
        if not isinstance(expr, Load) or expr.source not in made:
            return None
        if program.values[expr.source].region != value.region:
            return None
        return at_index(made[expr.source], tuple(rebuild(i, visit) for i in expr.index))

    return map_expressions(loop, lambda e: rebuild(e, visit))


__all__ = ["CHEAP", "operations", "recompute"]
