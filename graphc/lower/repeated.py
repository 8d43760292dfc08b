"""A loop over a body as values: its stacks, the nests of one step, and the views that read slabs.

See ``regions`` for what stacks and slabs are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from graphc.graph import body_of
from graphc.loops import Axis, Expr, Extent, Load, Loop, identity, walk
from graphc.lower.regions import TIME, Region, Scope
from graphc.size import dim_symbols, symbol
from graphc.types import Dim, Shape, Type

if TYPE_CHECKING:
    from graphc.lower.nests import Expansion


def expand_loop(expansion: Expansion, nodes: Sequence[int]) -> dict[int, int]:
    """The values of ``nodes``, which are values of one loop, by node."""
    return _Loop(expansion, nodes).run()


class _Loop:
    def __init__(self, expansion: Expansion, nodes: Sequence[int]) -> None:
        self.e = expansion
        self.nodes = nodes
        self.outside = expansion.scope
        graph, first = self.outside.graph, self.outside.graph.nodes[nodes[0]]
        body = body_of(first)
        assert body is not None
        self.body, self.length, self.reverse = body, first.param["length"], first.param["reverse"]
        time = symbol(f"{TIME}{len(expansion.values)}")
        region = Region(time, self.length, self.reverse, self.outside.region)
        loop = nodes[0] if self.outside.body is None else self.outside.loop
        self.operands = {
            at: self.outside.number_of[i] for at, i in zip(body.inputs, first.operands, strict=True)
        }
        self.around = Scope(body.graph, self.outside.region, body, loop)  # what is the same in every step
        self.step = Scope(body.graph, region, body, loop, self.around.number_of)
        self.time, self.number_of = time, self.around.number_of
        asked = [graph.nodes[at].param for at in nodes]
        self.wanted = list(dict.fromkeys(p["value"] for p in asked if not p["last"]))
        self.carried = dict(zip(body.carries, body.following, strict=True))
        self.stacks: dict[int, int] = {}  # by node: of carries T + 1 slabs (or two), of other wanted values T
        # Carries of which only the last is read outside: two slabs take turns.
        self.turns = {at for at, after in self.carried.items() if not {at, after} & set(self.wanted)}

    def run(self) -> dict[int, int]:
        varying = self.varying()
        with self.e.within(self.step):
            self.make_stacks(varying)
        with self.e.within(self.around):
            self.number_of.update({at: self.operands[at] for at in self.body.fixed})
            self.e.add_nodes([at for at in self.computed() if at not in varying])
            for at in self.body.carries:
                self.keep_copy(at, self.operands[at], self.stacks[at], self.slab(at, self.first))
        with self.e.within(self.step):
            self.read_slabs()
            self.e.add_nodes([at for at in self.computed() if at in varying])
            for at, after in self.carried.items():
                self.keep(after, self.stacks[at], self.slab(at, self.after))
            for at in self.wanted:
                if at in self.stacks and at not in self.carried:
                    self.keep(at, self.stacks[at], self.slab(at, self.time))
        return {at: self.result(at) for at in self.nodes}

    # ------------------------------------------------------------------------------------------- slabs

    @property
    def before(self) -> Dim:
        """The slab of a carry that a step reads."""
        return self.time + 1 if self.reverse else self.time

    @property
    def after(self) -> Dim:
        """The slab of a carry that a step writes."""
        return self.time if self.reverse else self.time + 1

    @property
    def first(self) -> Dim:
        """The slab of the first carry."""
        return self.length if self.reverse else 0

    @property
    def last(self) -> Dim:
        """The slab that the last step writes."""
        return 0 if self.reverse else self.length

    def slab(self, at: int, number: Dim) -> Dim:
        """Where slab ``number`` of a stack of node ``at`` begins."""
        return (number % 2 if at in self.turns else number) * self.type_of(at).size

    def type_of(self, at: int) -> Type:
        return self.body.graph.nodes[at].type

    def stacked(self, at: int, count: Dim) -> Type:
        kind = self.type_of(at)
        return Type(kind.dtype, (count, *kind.shape))

    # ----------------------------------------------------------------------------------------- the step

    def varying(self) -> set[int]:
        """The nodes of the body that change from step to step."""
        found = {*self.body.carries, *self.body.each}
        for at, node in enumerate(self.body.graph.nodes):
            if any(i in found for i in node.operands):
                found.add(at)
        return found

    def computed(self) -> list[int]:
        return [at for at in range(len(self.body.graph)) if at not in self.operands]

    def make_stacks(self, varying: set[int]) -> None:
        for at in self.body.carries:
            slabs = 2 if at in self.turns else self.length + 1
            self.stacks[at] = self.e.append(at, self.stacked(at, slabs), "stack")
        for at in self.wanted:
            computed = at in varying and at not in self.operands and at not in self.carried.values()
            if computed:
                self.stacks[at] = self.e.append(at, self.stacked(at, self.length), "stack")

    def read_slabs(self) -> None:
        for at in self.body.carries:
            source, start = self.stacks[at], self.slab(at, self.before)
            self.number_of[at] = self.e.append(at, self.type_of(at), "view", source=source, start=start)
        for at in self.body.each:
            self.number_of[at] = self.slice(at, self.operands[at])

    def slice(self, at: int, source: int) -> int:
        """The slice of a scanned operand: a view, or where its elements do not change with the step, these."""
        kind = self.type_of(at)
        shape = tuple(d for d in kind.shape if d != 1)
        index: tuple[Expr, ...] = tuple(Axis(k) for k in range(len(shape)))
        read = self.e.read(source, index if self.length == 1 else (Extent(self.time), *index))
        if (isinstance(read, Load) and read.source == source) or self.changes(read):
            return self.e.append(at, kind, "view", source=source, start=self.slab(at, self.time))
        return self.e.nest(at, kind, Loop(axes=shape, expr=read, dtype=kind.dtype))

    def changes(self, expr: Expr) -> bool:
        """Whether ``expr`` depends on the number of the step."""
        name = str(self.time)
        return any(isinstance(e, Extent) and name in dim_symbols(e.dim) for e in walk(expr))

    def keep(self, at: int, stack: int, start: Dim) -> None:
        """Let the value of node ``at`` lie in a stack: its own nest, if it has one that lies nowhere yet."""
        number = self.e.root(self.number_of[at])
        value = self.e.values[number]
        plain = value.kind == "nest" and value.source < 0 and value.region is self.step.region
        if plain and value.size == self.type_of(at).size:
            self.e.values[number] = replace(value, source=stack, start=start)
        else:
            self.keep_copy(at, self.number_of[at], stack, start)

    def keep_copy(self, at: int, number: int, stack: int, start: Dim) -> None:
        shape = self.e.values[number].shape
        loop = Loop(axes=shape, expr=self.e.read(number, identity(len(shape))), dtype=self.type_of(at).dtype)
        self.e.append(at, self.type_of(at), "nest", loop, stack, start)

    # ---------------------------------------------------------------------------------------- the results

    def result(self, node: int) -> int:
        """The value of one node of the loop."""
        param, kind = self.outside.graph.nodes[node].param, self.outside.graph.nodes[node].type
        at: int = param["value"]
        if param["last"]:
            return self.e.append(node, kind, "view", source=self.stacks[at], start=self.slab(at, self.last))
        if at in self.carried:
            return self.all_steps(node, kind, at, 1 if self.reverse else 0)
        if at in self.operands:
            return self.operands[at] if at in self.body.each else self.repeated(node, kind, at)
        following = [c for c, after in self.carried.items() if after == at]
        if following:
            return self.all_steps(node, kind, following[0], 0 if self.reverse else 1)
        return self.stacks[at] if at in self.stacks else self.repeated(node, kind, at)

    def all_steps(self, node: int, kind: Type, carry: int, slab: int) -> int:
        """What lies in the slabs of a carry from ``slab`` on, one for each step."""
        return self.e.append(node, kind, "view", source=self.stacks[carry], start=self.slab(carry, slab))

    def repeated(self, node: int, kind: Type, at: int) -> int:
        """A value that is the same in every step, once for each."""
        shape: Shape = tuple(d for d in kind.shape if d != 1)
        number = self.number_of[at]
        lead = len(shape) - len(self.e.values[number].shape)
        index = tuple(Axis(k) for k in range(lead, len(shape)))
        return self.e.nest(node, kind, Loop(axes=shape, expr=self.e.read(number, index), dtype=kind.dtype))


__all__ = ["expand_loop"]
