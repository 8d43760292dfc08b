"""Fusion: which nests share a kernel.

A kernel walks *rows*; each of its nests computes, for one row at a time, whatever the nests before it in the same
kernel left for that row. So nests join when they agree on the rows and read each other's values only at their own
row: elementwise chains, row reductions with their users (softmax, layer norm), a matrix product with what follows
it, and the partial sums over rows of any of them. Reductions over rows are first split in two: partial results, one
a tile, and their combination.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from graphc.loops import ORDERS, Axis, Call, Expr, Load, Loop, children
from graphc.lower.axes import (
    Contraction,
    affine,
    collapses,
    contraction,
    dims,
    is_identity,
    iteration_order,
    leading_reduced,
    linear,
    row_count,
)
from graphc.lower.factors import lay_out_factors
from graphc.lower.order import Order
from graphc.lower.recompute import CHEAP, operations, recompute
from graphc.lower.values import NestProgram, Value, renumber, sources
from graphc.size import symbol
from graphc.types import Dim, Shape

TILES = "__tiles"  # begins the names of sizes that count tiles
MOST_MEMBERS = 96  # nests of one kernel: compile time grows faster than linearly beyond


@dataclass(frozen=True, slots=True)
class Nest:
    """A computed value as kernels see it: iteration order, and which leading axes are its rows."""

    value: Value
    order: tuple[int, ...]
    rows: tuple[int, ...]  # the longest admissible prefix of order
    partial: bool = False  # one partial result a tile: the value's first axis counts tiles
    product: Contraction | None = None

    @property
    def loop(self) -> Loop:
        assert self.value.loop is not None
        return self.value.loop

    @property
    def number(self) -> int:
        return self.value.number

    def row_sizes(self) -> Shape:
        return tuple(dims(self.loop)[a] for a in self.rows)


@dataclass(frozen=True, slots=True)
class Group:
    """The nests of one kernel, in topological order, and the sizes of its row axes."""

    nests: tuple[Nest, ...]
    rows: Shape

    @property
    def tiles(self) -> tuple[str, ...]:
        """The symbols that count this kernel's tiles: one of its own, and one for each of its partial results."""
        return tuple(
            dict.fromkeys(
                [
                    tiles_symbol(self.nests[0].number),
                    *(tiles_symbol(n.number) for n in self.nests if n.partial),
                ]
            )
        )

    def reads(self) -> list[int]:
        """Values read from outside, in order of first use."""
        inside = {n.number for n in self.nests}
        found = (s for n in self.nests for s in sources(n.value))
        return [s for s in dict.fromkeys(found) if s not in inside]


def tiles_symbol(number: int) -> str:
    return f"{TILES}{number}"


def fuse(program: NestProgram) -> tuple[NestProgram, tuple[Group, ...]]:
    """``program`` with factors of loops laid out and reductions over rows split, and its nests grouped into kernels
    in a valid order."""
    laid_out = lay_out_factors(program)
    split, new = split_reductions(laid_out)
    groups = _Fusion(split).run()
    stored = {k for group in groups for k in group.reads()}
    again = recompute(laid_out, [k for k, number in new.items() if number in stored])
    if again is laid_out:
        return split, groups
    split, _ = split_reductions(again)
    return split, _Fusion(split).run()


# ------------------------------------------------------------------------------------ splitting reductions


def split_reductions(program: NestProgram) -> tuple[NestProgram, dict[int, int]]:
    """Every reduction whose outermost axis is a reduced one becomes partial results a tile and their combination; with
    the new number of each value."""
    values: list[Value] = []
    new: dict[int, int] = {}
    for original in program.values:
        new[original.number] = len(values)
        value = renumber(original, new)
        if value.loop is not None and _splits(value.loop, values):
            values.append(_partial(value))
            value = _combination(value, values[-1])
            new[original.number] = value.number
        values.append(value)
    outputs = {name: new[k] for name, k in program.outputs.items()}
    updates = {new[a]: new[b] for a, b in program.updates.items()}
    return replace(program, values=tuple(values), outputs=outputs, updates=updates), new


def _splits(loop: Loop, values: Sequence[Value]) -> bool:
    if loop.combine not in ("add", "mul", "maximum", "minimum") or loop.scatter is not None:
        return False
    product = contraction(loop, [v.shape for v in values])
    if product is not None:
        return product.shares_sums
    return leading_reduced(loop, iteration_order(loop)) > 0


def _partial(value: Value) -> Value:
    shape = (symbol(tiles_symbol(value.number)), *value.shape)
    return replace(value, kind="partial", shape=shape, source=-1, start=0)


def _combination(value: Value, partial: Value) -> Value:
    assert value.loop is not None
    rank = len(value.shape)
    load = Load(partial.number, (Axis(rank), *(Axis(k) for k in range(rank))), value.dtype)
    loop = replace(value.loop, expr=load, reduce=(partial.shape[0],))
    return replace(value, number=partial.number + 1, loop=loop)


# ------------------------------------------------------------------------------------------------ grouping


def as_nest(value: Value, shapes: Sequence[Shape]) -> Nest:
    """``value`` with its iteration order and rows."""
    assert value.loop is not None
    loop = value.loop
    if loop.scatter is not None:
        order = tuple(range(len(dims(loop))))
        return Nest(value, order, ())
    product = contraction(loop, shapes)
    if product is not None:
        return Nest(value, product.order, product.rows, partial=value.kind == "partial", product=product)
    order = iteration_order(loop)
    if loop.combine in ORDERS:
        return Nest(value, order, order[: len(loop.axes) - 1])
    if value.kind == "partial":
        return Nest(value, order, order[: leading_reduced(loop, order)], partial=True)
    if leading_reduced(
        loop, order
    ):  # the combination of partial results: few of them, so columns are the rows
        order = tuple(range(len(dims(loop))))
    return Nest(value, order, order[: row_count(loop, order)][: loop.running])


class _Fusion:
    """Greedy: each nest, in topological order, joins the groups of the values it reads where that is legal."""

    def __init__(self, program: NestProgram) -> None:
        self.program = program
        shapes = [v.shape for v in program.values]
        self.shapes = shapes
        self.nests = {v.number: as_nest(v, shapes) for v in program.values if v.loop is not None}
        factors = (s for n in self.nests.values() if n.product is not None for s in sources(n.value))
        self.stored = {program.root(k) for k in (*program.outputs.values(), *factors)}
        self.stored |= {n.number for n in self.nests.values() if n.value.source >= 0}
        self.order = Order(program)
        self.members: dict[int, list[Nest]] = {}  # group -> nests
        self.rows: dict[int, Shape] = {}
        self.group_of: dict[int, int] = {}  # value -> group
        self.before: dict[int, int] = {}  # group -> bit set of the groups it depends on, transitively

    def run(self) -> tuple[Group, ...]:
        for nest in self.nests.values():
            self.add(nest)
            if not self.waits(nest):
                self.join(nest, self.producers(nest))
        for nest in self.nests.values():
            if self.waits(nest) and len(self.members[self.group_of[nest.number]]) == 1:
                self.join(nest, self.producers(nest))
        for nest in self.nests.values():
            if nest.partial and len(self.members[self.group_of[nest.number]]) == 1:
                self.join(nest, self.companions(nest))
        self.gather_numbers()
        groups = (Group(tuple(self.members[g]), self.rows[g]) for g in self.members)
        return tuple(replace(g, rows=self.cut(g)) for g in groups)

    def add(self, nest: Nest) -> None:
        group = nest.number
        producers = {self.group_of[k] for k in self.order.before(nest.value)}
        self.members[group], self.rows[group], self.group_of[group] = [nest], nest.row_sizes(), group
        self.before[group] = 0
        for producer in producers:
            self.before[group] |= self.before[producer] | 1 << producer

    def join(self, nest: Nest, producers: Iterable[int]) -> None:
        """Merge the group of ``nest`` with those of what it reads, the latest first."""
        for producer in sorted(set(producers), reverse=True):
            if producer in self.members and self.may_merge(producer, self.group_of[nest.number]):
                self.merge(producer, self.group_of[nest.number])

    def companions(self, nest: Nest) -> Iterator[int]:
        """The groups that walk the same rows and read, at their own row, what ``nest`` reads: one pass serves both."""
        wanted = self.read_by_row(nest)
        for group, others in self.members.items():
            if self.rows[group] == nest.row_sizes() and any(wanted & self.read_by_row(n) for n in others):
                yield group

    def read_by_row(self, nest: Nest) -> set[int]:
        loads = nest.loop.loads()
        return {self.program.root(load.source) for load in loads if is_identity(load.index, nest.rows)}

    def gather_numbers(self) -> None:
        """Numbers that are computed once a call share kernels: alone, each would be a step and a compilation."""
        numbers = [g for g, nests in self.members.items() if not any(dims(n.loop) for n in nests)]
        for later in reversed(numbers):
            into = next((g for g in numbers if g < later and self.may_merge(g, later)), None)
            if into is not None:
                self.merge(into, later)

    def waits(self, nest: Nest) -> bool:
        """Whether ``nest`` is left to its first reader: a cheap map of values in memory need not be stored."""
        whole = nest.loop.combine or nest.loop.scatter is not None or nest.loop.running is not None
        if whole or nest.number in self.stored:
            return False
        computed = {self.program.root(s) for s in sources(nest.value)} & set(self.nests)
        return bool(computed) and computed <= self.stored and operations(nest.loop.expr) <= CHEAP

    def producers(self, nest: Nest) -> Iterator[int]:
        for source in sources(nest.value):
            root = self.program.root(source)
            if root in self.group_of:
                yield self.group_of[root]

    def may_merge(self, a: int, b: int) -> bool:
        both = [*self.members[a], *self.members[b]]
        if a == b or both[0].value.region != both[-1].value.region:
            return False
        if len(both) > MOST_MEMBERS or sum(n.product is not None for n in both) > 1:
            return False
        count = _common(self.rows[a], self.rows[b])
        if count == 0 and (self.rows[a] or self.rows[b]):
            return False
        return self.same_rows(both, count) and not self.around(a, b)

    def same_rows(self, nests: Sequence[Nest], count: int) -> bool:
        inside = {n.number: n for n in nests}
        if any(n.loop.scatter is not None for n in nests):
            return False
        for nest in nests:
            for load in nest.loop.loads():
                root = self.program.root(load.source)
                if root not in inside:
                    continue
                if (
                    root != load.source
                    or inside[root].partial
                    or not is_identity(load.index, nest.rows[:count])
                ):
                    return False
        return True

    def around(self, a: int, b: int) -> bool:
        """Whether a third group lies on a path between both: then they cannot be one kernel."""
        for x, reached in self.before.items():
            if x in (a, b):
                continue
            if (reached >> a & 1 and self.before[b] >> x & 1) or (
                reached >> b & 1 and self.before[a] >> x & 1
            ):
                return True
        return False

    def merge(self, a: int, b: int) -> None:
        """Make ``b`` part of ``a``."""
        count = _common(self.rows[a], self.rows[b])
        self.members[a] = sorted([*self.members[a], *self.members.pop(b)], key=lambda n: n.number)
        self.rows[a] = self.rows[a][:count]
        del self.rows[b]
        for nest in self.members[a]:
            self.group_of[nest.number] = a
        self.before[a] = (self.before[a] | self.before.pop(b)) & ~(1 << a) & ~(1 << b)
        for x, reached in self.before.items():
            if reached >> a & 1 or reached >> b & 1:
                self.before[x] = (reached & ~(1 << b)) | 1 << a | self.before[a]

    def cut(self, group: Group) -> Shape:
        """The longest row axes that every access of the kernel walks like one axis."""
        count = len(group.rows)
        while count > 1 and not all(self.collapsed(n, count) for n in group.nests):
            count -= 1
        return group.rows[:count]

    def collapsed(self, nest: Nest, count: int) -> bool:
        sizes, axes = dims(nest.loop), nest.rows[:count]
        if nest.product is not None:
            walked = (nest.product.walk_left, nest.product.walk_right)
            return all(collapses(walk.stride, axes, sizes) for walk in walked)
        for load in nest.loop.loads():
            walk = affine(load, self.shapes[load.source], len(sizes))
            if walk is None or not collapses(walk.stride, axes, sizes):
                return False
        return not uses_rows(nest.loop, axes)


def uses_rows(loop: Loop, axes: Sequence[int]) -> bool:
    """Whether the value of one of ``axes`` is used outside indices, and counters of draws, that step with it."""
    stack = list(loop.expressions)
    while stack:
        expr = stack.pop()
        if isinstance(expr, Axis) and expr.number in axes:
            return True
        if isinstance(expr, Call) and expr.fn == "threefry" and _counts(expr.args[1], axes, dims(loop)):
            stack.append(expr.args[0])
            continue
        stack.extend(c for c in children(expr) if not isinstance(expr, Load) or linear(c) is None)
    return False


def _counts(counter: Expr, axes: Sequence[int], sizes: Shape) -> bool:
    """Whether ``counter`` steps through ``axes`` as through one axis."""
    found = linear(counter)
    return found is not None and collapses([found[0].get(a, 0) for a in range(len(sizes))], axes, sizes)


def _common(a: Shape, b: Shape) -> int:
    count = 0
    for left, right in zip(a, b, strict=False):
        if left != right:
            break
        count += 1
    return count


__all__ = ["TILES", "Dim", "Group", "Nest", "fuse", "tiles_symbol"]
