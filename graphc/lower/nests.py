"""From nodes to loop nests: every op says how it computes, data movement dissolves into index maps.

The first stage of lowering. A ``NestProgram`` is a list of values in single-assignment form: leaves and loop nests.
Axes of literal size 1 are dropped; a reshape is another view of the same memory; a value that only moves data
(transpose, slice, broadcast, pad, one-hot ...) is not computed but read through its index map by its users.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from graphc import registry
from graphc.graph import Cone, Node, together
from graphc.loops import (
    ORDERS,
    Axis,
    Call,
    Const,
    Expr,
    Extent,
    Load,
    Loop,
    at_index,
    call,
    cast,
    fold,
    identity,
    rebuild,
    walk,
)
from graphc.lower.regions import Region, Scope
from graphc.lower.repeated import expand_loop
from graphc.lower.values import Lookup, NestProgram, Value, drop_unused, map_expressions, moves_data
from graphc.types import Dim, DType, Shape, Type, product

INLINE_LIMIT = 64  # subexpressions up to which data movement is read through instead of stored


def expand(cone: Cone) -> NestProgram:
    """The loop nests of ``cone``."""
    return Expansion(cone).run()


class Expansion:
    """The values made so far, and how nodes become more."""

    def __init__(self, cone: Cone) -> None:
        self.cone = cone
        self.values: list[Value] = []
        self.scope = Scope(cone.graph)
        self.lookups: dict[Lookup, None] = {}
        # Nests equal to the letter, in one loop, are one value, whatever ops they came from.
        self.number_of_loop: dict[tuple[Region | None, Loop], int] = {}
        self.owners: set[int] = set()

    def run(self) -> NestProgram:
        self.add_nodes(self.cone.nodes)
        number_of = self.scope.number_of
        outputs = {name: self.owned(number_of[at], stacks=True) for name, at in self.cone.outputs.items()}
        updates = {number_of[leaf]: self.owned(number_of[at]) for leaf, at in self.cone.updates.items()}
        return drop_unused(
            NestProgram(self.cone.graph, tuple(self.values), outputs, updates, tuple(self.lookups))
        )

    @contextmanager
    def within(self, scope: Scope) -> Generator[None]:
        """Expand nodes of ``scope``."""
        before, self.scope = self.scope, scope
        try:
            yield
        finally:
            self.scope = before

    def add_nodes(self, nodes: Sequence[int]) -> None:
        """Expand ``nodes`` of the scope, in topological order; those of a loop together."""
        graph, number_of = self.scope.graph, self.scope.number_of
        loops = together(graph, nodes)
        for at in nodes:
            if at not in loops:
                number_of[at] = self.add_node(at, graph.nodes[at])
            elif at not in number_of:
                number_of.update(expand_loop(self, loops[at]))

    def add_node(self, at: int, node: Node) -> int:
        if node.is_leaf:
            return self.append(at, node.type, node.op)
        op = registry.lookup(node.op)
        if op.view:
            return self.add_view(at, node)
        assert op.loops is not None, "loops over bodies are expanded as a whole"
        graph, number_of = self.scope.graph, self.scope.number_of
        types = [graph.nodes[i].type for i in node.operands]
        seen = [(number_of[i], t.shape) for i, t in zip(node.operands, types, strict=True)]
        for loop in op.loops(types, node.type, node.param):
            number = self.nest(at, Type(loop.dtype, loop.shape), self.prepared(at, loop, seen))
            seen.append((number, loop.shape))
        return seen[-1][0]

    def nest(self, at: int, kind: Type, loop: Loop) -> int:
        key = (self.scope.region, loop)
        if key not in self.number_of_loop:
            self.number_of_loop[key] = self.append(at, kind, "nest", loop)
        return self.number_of_loop[key]

    def append(
        self, at: int, kind: Type, what: str, loop: Loop | None = None, source: int = -1, start: Dim = 0
    ) -> int:
        shape = tuple(d for d in kind.shape if d != 1)
        scope, number = self.scope, len(self.values)
        node, part = (at, None) if scope.body is None else (scope.loop, (scope.body, at))
        self.values.append(
            Value(number, node, kind.dtype, shape, what, loop, source, start, scope.region, part)
        )
        return number

    def add_view(self, at: int, node: Node) -> int:
        source = self.scope.number_of[node.operands[0]]
        kept = tuple(d for d in node.type.shape if d != 1)
        return (
            source if kept == self.values[source].shape else self.append(at, node.type, "view", None, source)
        )

    def owned(self, number: int, *, stacks: bool = False) -> int:
        """A value whose memory is computed by this program and belongs to one output or update: others are copied."""
        root = self.values[self.root(number)]
        whole = root.kind == "stack" and stacks and root.size == self.values[number].size
        whole = whole or (root.kind == "nest" and root.source < 0)
        if whole and root.number not in self.owners:
            self.owners.add(root.number)
            return number
        return self.copy(number)

    def copy(self, number: int) -> int:
        """A nest of its own that computes value ``number`` again, or copies it."""
        value = self.values[number]
        load = Load(number, identity(len(value.shape)), value.dtype)
        expr = self.read(number, ()) if value.kind == "const" and not value.shape else load
        at = value.node if self.scope.body is None or value.part is None else value.part[1]
        loop = Loop(axes=value.shape, expr=expr, dtype=value.dtype)
        return self.append(at, Type(value.dtype, value.shape), "nest", loop)

    def prepared(self, at: int, loop: Loop, seen: Sequence[tuple[int, Shape]]) -> Loop:
        """``loop`` over value numbers, unit axes dropped, data movement of its operands read through."""
        sorts = loop.combine in ORDERS  # which happens in memory
        contraction = bool(loop.combine) and isinstance(loop.expr, Call) and loop.expr.fn == "mul"
        count = product(loop.axes + loop.reduce)

        def inside(index: Sequence[Expr], shape: Shape) -> tuple[Expr, ...]:
            kept = [
                self.bounded(at, i, rebuild(i, visit), seen, d, count)
                for i, d in zip(index, shape, strict=True)
            ]
            return tuple(i for i, d in zip(kept, shape, strict=True) if d != 1)

        def visit(expr: Expr) -> Expr | None:
            if not isinstance(expr, Load):
                return None
            number, shape = seen[expr.source]
            if sorts:
                return Load(number, inside(expr.index, shape), expr.dtype)
            return self.read(number, inside(expr.index, shape), only_loads=contraction)

        squeezed = _squeeze(loop)
        for index, size in squeezed.bounded:
            self.bounded(at, index, rebuild(index, visit), seen, size, count)
        made = map_expressions(squeezed, lambda e: fold(rebuild(e, visit)), scattered=False)
        made = replace(made, bounded=())
        if made.scatter is None:
            return made
        target = tuple(fold(i) for i in inside(made.scatter, made.scatter_shape))
        return replace(made, scatter=target, scatter_shape=tuple(d for d in made.scatter_shape if d != 1))

    def bounded(
        self, at: int, declared: Expr, index: Expr, seen: Sequence[tuple[int, Shape]], size: Dim, count: Dim
    ) -> Expr:
        """``index`` kept inside ``size`` where it is computed data, so that no kernel leaves its memory.

        Indices that are elements of inputs and constants are checked before a kernel runs, and stay as they are.
        """
        if not any(isinstance(e, Load) for e in walk(declared)):
            return index
        held = self.holder(declared, index, seen)
        regions = () if self.scope.region is None else self.scope.region.path
        steps = product(region.length for region in regions)
        node = at if self.scope.body is None else self.scope.loop
        wrap = any(isinstance(e, Call) and e.fn == "select" for e in walk(declared))
        self.lookups[Lookup(node, held, size, count * steps, wrap)] = None
        if held is not None:
            return index
        last = call("sub", Extent(size), Const(1, DType.I64))
        return call("maximum", call("minimum", index, last), Const(0, DType.I64))

    def holder(self, declared: Expr, index: Expr, seen: Sequence[tuple[int, Shape]]) -> Node | None:
        """The input or constant of which ``index`` is an element; None if it is computed."""
        load, first = looked_up(index), looked_up(declared)
        if load is not None:
            number = load.source
        elif first is not None:  # a constant of one element has been read as a literal already
            number = seen[first.source][0]
        else:
            return None
        value = self.values[self.root(number)]
        found = value.kind == "const" or (value.kind == "input" and load is not None)
        return self.node(value) if found else None

    def node(self, value: Value) -> Node:
        graph, at = (
            (self.cone.graph, value.node) if value.part is None else (value.part[0].graph, value.part[1])
        )
        return graph.nodes[at]

    def root(self, number: int) -> int:
        while self.values[number].kind == "view":
            number = self.values[number].source
        return number

    def read(self, number: int, index: tuple[Expr, ...], *, only_loads: bool = False) -> Expr:
        """The value at ``index``: a literal, a load, or the loads that data movement comes down to."""
        value = self.values[number]
        if value.kind == "const" and not value.shape and not only_loads:
            return Const(self.node(value).param["value"].item(), value.dtype)
        if (
            value.loop is None
            or not moves_data(value.loop)
            or (only_loads and not isinstance(value.loop.expr, Load))
        ):
            return Load(number, index, value.dtype)
        inlined = at_index(value.loop.expr, index)
        small = sum(1 for _ in walk(inlined)) <= INLINE_LIMIT
        return inlined if small else Load(number, index, value.dtype)


def _squeeze(loop: Loop) -> Loop:
    """``loop`` without its axes of size 1, which are read at 0."""
    dims = (*loop.axes, *loop.reduce)
    renumbered: dict[int, Expr] = {}
    for number, dim in enumerate(dims):
        used = sum(1 for d in dims[:number] if d != 1)
        renumbered[number] = Const(0, DType.I64) if dim == 1 else Axis(used)
    mapped = map_expressions(loop, lambda e: at_index(e, renumbered))
    reduce = tuple(d for d in loop.reduce if d != 1)
    along = renumbered.get(loop.running) if loop.running is not None else None
    running = along.number if isinstance(along, Axis) else None
    bounded = tuple((at_index(index, renumbered), size) for index, size in loop.bounded)
    axes = tuple(d for d in loop.axes if d != 1)
    made = replace(mapped, axes=axes, reduce=reduce, running=running, bounded=bounded)
    return _of_one(made) if loop.combine and not reduce else made


def _of_one(loop: Loop) -> Loop:
    """A reduction of a single element: the element itself."""
    return replace(loop, expr=cast(loop.expr, loop.dtype), combine="")


def looked_up(index: Expr) -> Load | None:
    """The load that ``index`` is, counted from the end where it is negative; None for any other arithmetic."""
    match index:
        case Call("select", (Call("lt", (held, Const(0))), Call("add", (moved, _)), plain)) if (
            held == moved == plain
        ):
            return looked_up(held)
        case Call("cast", (inner,)) if inner.dtype.is_int:
            return looked_up(inner)
        case Load():
            return index
        case _:
            return None


__all__ = ["Expansion", "expand"]
