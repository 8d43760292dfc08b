"""Factors of products in loops, laid out once before the loop in the order in which every step reads them.

A product reads its right factor along the columns of the result. Where these are not contiguous in memory, as in the
gradient ``g @ w.T``, a product copies parts of the factor aside each time; before a loop, one copy serves all steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from graphc.loops import Axis, Call, Load, Loop
from graphc.lower.regions import Region
from graphc.lower.values import NestProgram, Value, is_inside, path_of, renumber


@dataclass(frozen=True, slots=True)
class Factor:
    """A value that products in ``region`` had better read with its axes in the order ``perm``."""

    source: int
    perm: tuple[int, ...]
    region: Region


def lay_out_factors(program: NestProgram) -> NestProgram:
    """``program`` with copies of the factors that loops read in another order than they lie in."""
    factors = {v.number: f for v in program.values for f in (_factor(program, v),) if f is not None}
    if not factors:
        return program
    order: list[Value | Factor] = []
    for value in program.values:
        copies = [f for f in dict.fromkeys(factors.values()) if f not in order and _enters(value, f.region)]
        order += [*copies, value]
    number = {item.number if isinstance(item, Value) else item: k for k, item in enumerate(order)}
    new = {k: at for k, at in number.items() if isinstance(k, int)}
    values = [
        _copy(program, item, new[item.source], at)
        if isinstance(item, Factor)
        else _reading(renumber(item, new), factors.get(item.number), new, number)
        for at, item in enumerate(order)
    ]
    return replace(
        program,
        values=tuple(values),
        outputs={name: new[k] for name, k in program.outputs.items()},
        updates={new[a]: new[b] for a, b in program.updates.items()},
    )


def _enters(value: Value, region: Region) -> bool:
    """Whether ``value`` is computed or read in ``region``: copies stand before the first such value."""
    return value.kind != "stack" and is_inside(value, region)


def _factor(program: NestProgram, value: Value) -> Factor | None:
    """The right factor of a product, if it is from outside a loop and its columns are not its last axis."""
    loop = value.loop
    if (
        loop is None
        or value.region is None
        or loop.combine != "add"
        or not loop.dtype.is_float
        or not loop.axes
    ):
        return None
    match loop.expr:
        case Call("mul", (Load() as a, Load() as b)):
            right = _right(loop, a, b)
        case _:
            return None
    outside = () if right is None else _outside(program, value, program.values[right.source])
    if right is None or not outside:
        return None
    perm = tuple(sorted(range(len(right.index)), key=lambda k: _place(loop, right, k)))
    return None if perm == tuple(range(len(perm))) else Factor(right.source, perm, outside[0])


def _right(loop: Loop, a: Load, b: Load) -> Load | None:
    """The load that alone has the last axis of the result, if both read whole axes."""
    last = Axis(len(loop.axes) - 1)
    plain = all(isinstance(i, Axis) for load in (a, b) for i in load.index)
    owners = [load for load in (a, b) if last in load.index]
    return owners[0] if plain and len(owners) == 1 else None


def _outside(program: NestProgram, value: Value, factor: Value) -> Sequence[Region]:
    """The loops around ``value`` in which ``factor`` stays the same, the outermost first."""
    root = program.values[program.root(factor.number)]
    return [r for r in path_of(value) if not is_inside(factor, r) and not is_inside(root, r)]


def _place(loop: Loop, load: Load, position: int) -> tuple[bool, int]:
    """Summed axes come before those of the result: rows of the factor, then columns."""
    axis = load.index[position]
    assert isinstance(axis, Axis)
    return axis.number < len(loop.axes), axis.number


def _copy(program: NestProgram, factor: Factor, source: int, number: int) -> Value:
    """The nest that lays ``factor`` out."""
    value = program.values[factor.source]
    shape = tuple(value.shape[k] for k in factor.perm)
    load = Load(source, tuple(Axis(factor.perm.index(k)) for k in range(len(shape))), value.dtype)
    loop = Loop(axes=shape, expr=load, dtype=value.dtype)
    return Value(
        number, value.node, value.dtype, shape, "nest", loop, region=factor.region.outer, part=value.part
    )


def _reading(
    value: Value, factor: Factor | None, new: dict[int, int], number: dict[int | Factor, int]
) -> Value:
    """``value`` with its right factor read from the copy."""
    if factor is None or value.loop is None or not isinstance(value.loop.expr, Call):
        return value
    expr = value.loop.expr
    args = tuple(
        Load(number[factor], tuple(arg.index[k] for k in factor.perm), arg.dtype)
        if isinstance(arg, Load) and arg.source == new[factor.source]
        else arg
        for arg in expr.args
    )
    return replace(value, loop=replace(value.loop, expr=replace(expr, args=args)))


__all__ = ["lay_out_factors"]
