"""A step repeated: what must run in turn, and what is computed for all steps at once by the batch rules.

Of a step, only what the carries depend on, and what depends on a carry, has to wait for the step before. Products and
other work on scanned operands alone are done before the loop, under a leading axis of all steps; so ``x[t] @ w``
becomes one product. What no carry depends on is done after the loop, on stacks of what the steps made; so the
gradients of weights become one contraction over steps and rows. What stays is the body.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from graphc import registry
from graphc.graph import Body, Graph, Handle
from graphc.graph.body import CARRY, EACH, FIXED
from graphc.loops import FUNCTIONS, Loop, is_work, walk
from graphc.registry import Application
from graphc.types import Dim

CHEAP = 6  # floating-point operations up to which reading operands is as good as reading the result


@dataclass(frozen=True, slots=True)
class Given:
    """What an input of a step is outside: the first value of a carry, the slices of all steps, a fixed value."""

    kind: str
    value: Handle


@dataclass(frozen=True, slots=True)
class Step:
    """A step under construction: ``following`` gives, for each carry, the node that it becomes."""

    graph: Graph
    given: Mapping[int, Given]
    following: Mapping[int, int]


def is_heavy(node: Handle) -> bool:
    """Whether computing ``node`` is more than a few operations an element: sums, products, exponentials, loops."""
    loops = _loops(node)
    if loops is None:
        return True
    calls = (e for loop in loops for e in walk(loop.expr) if is_work(e))
    return (
        any(loop.combine or loop.scatter for loop in loops)
        or sum(FUNCTIONS[e.fn].cost for e in calls) > CHEAP
    )


def scatters(node: Handle) -> bool:
    """Whether ``node`` adds elements to places of a value that is zero elsewhere."""
    return any(loop.scatter is not None for loop in (_loops(node) or ())[-1:])


def _loops(node: Handle) -> tuple[Loop, ...] | None:
    """How ``node`` is computed: nothing for a leaf, None for a loop over a body."""
    if node.node.is_leaf:
        return ()
    loops = registry.lookup(node.node.op).loops
    return None if loops is None else loops([o.type for o in node.operands], node.type, node.node.param)


def apply_batched(b: Any, node: Handle, operands: tuple[Handle, ...], flags: Sequence[bool]) -> Handle:
    """``node`` over ``operands`` along a leading axis of those that are flagged."""
    rule = registry.lookup(node.node.op).batch
    assert rule is not None, "every op with operands has a batching rule"
    return rule(b, Application(operands, node, node.node.param), flags)


class Repeat:
    """``step``, repeated ``length`` times (from the last slice to the first in ``reverse``), in the graph of ``b``.

    With ``checkpoint`` all that changes from step to step runs in turn, so that what a step makes lives no longer than
    it; ``wanted`` must then name all nodes that are asked for. Carries on which neither ``wanted`` nodes nor the
    ``lasts`` of carries depend are left out; None wants all.
    """

    def __init__(
        self,
        b: Any,
        step: Step,
        *,
        length: Dim,
        reverse: bool,
        checkpoint: bool,
        wanted: Iterable[int] | None = None,
        lasts: Iterable[int] = (),
    ) -> None:
        self.b = b
        self.graph = step.graph
        self.chosen = {"length": length, "reverse": reverse, "checkpoint": checkpoint}
        self.checkpoint = checkpoint
        self.wanted = [] if wanted is None else list(wanted)
        self.length = length
        self.following = dict(step.following)
        self.given = {at: self._settled(at, given) for at, given in step.given.items()}
        self.carries = [at for at, given in self.given.items() if given.kind == CARRY]
        if wanted is not None:
            needed = self._needed([*self.wanted, *lasts])
            self.carries = [at for at in self.carries if at in needed]
        self.made: dict[
            int, tuple[Handle, bool]
        ] = {}  # what stands outside for a node, and whether for all steps
        self._classify()
        self.inner: dict[int, int] = {}  # of nodes that run in turn: their numbers in the body

    # ---------------------------------------------------------------------------------------- what is wanted

    def stack(self, at: int) -> Handle:
        """The value of node ``at`` in every step, in the order of the slices; of a carry, before the step."""
        value, varies = self.outside(at)
        return value if varies else self.b.spread(value, (self.length, *value.shape))

    def last(self, at: int) -> Handle:
        """Carry ``at`` after the last step."""
        return self._scan(at, last=True) if at in self.carries else self.given[at].value

    # -------------------------------------------------------------------------------------------- the analysis

    def _settled(self, at: int, given: Given) -> Given:
        """A carry that never changes is a fixed value."""
        if given.kind != CARRY:
            return given
        after = self.graph.handle(self.following[at])
        first, same = number_of(given.value), number_of(after)
        return Given(FIXED, given.value) if after.id == at or (first is not None and first == same) else given

    def _needed(self, roots: Sequence[int]) -> set[int]:
        """What ``roots`` depend on, over all steps."""
        needed: set[int] = set()
        todo = list(roots)
        while todo:
            found = set(self.graph.ancestors(todo)) - needed
            needed |= found
            todo = [self.following[at] for at in self.carries if at in found]
        return needed

    def _classify(self) -> None:
        graph, carries = self.graph, set(self.carries)
        self.carried, self.varying, self.bound = set(carries), set(carries), set(self.given)
        self.varying |= {at for at, given in self.given.items() if given.kind == EACH}
        for at, node in enumerate(graph.nodes):
            for found in (self.carried, self.varying, self.bound):
                if any(i in found for i in node.operands):
                    found.add(at)
        if self.checkpoint:
            self.carried = self.varying
        self.roots = [*(self.following[at] for at in self.carries), *(self.wanted if self.checkpoint else ())]
        self.live = graph.ancestors(self.roots)
        self.pulled = self._pulled()

    def _pulled(self) -> set[int]:
        """The nodes that are computed outside: what is heavy and waits for no carry, and what it is made of."""
        heavy = [
            at for at in self.live if at in self.bound - self.carried and is_heavy(self.graph.handle(at))
        ]
        pulled = {at for at in self.graph.ancestors(heavy) if not self.graph.nodes[at].is_leaf}
        users: dict[int, set[int]] = {}
        for at in self.live:
            for operand in self.graph.nodes[at].operands:
                users.setdefault(operand, set()).add(at)
        for at in self.live:
            if at not in self.carried | pulled and self._follows(at, pulled, users):
                pulled.add(at)
        return pulled

    def _follows(self, at: int, pulled: set[int], users: Mapping[int, set[int]]) -> bool:
        """Whether a cheap node takes the place of the one slice that it reads, so that it is had for nothing."""
        read = {i for i in self.graph.nodes[at].operands if i in self.varying}
        return len(read) == 1 and read <= pulled and all(users[i] - pulled <= {at} for i in read)

    # -------------------------------------------------------------------------------------------- outside

    def outside(self, at: int) -> tuple[Handle, bool]:
        """What stands outside for node ``at``, and whether it has the leading axis of all steps."""
        for k in self.graph.ancestors([at], self._reads):
            if k not in self.made:
                self.made[k] = self._outside(k)
        return self.made[at]

    def _reads(self, at: int) -> Iterable[int]:
        return () if at in self.made or self._in_turn(at) else self.graph.nodes[at].operands

    def _in_turn(self, at: int) -> bool:
        """Whether only the loop can give the value of node ``at``."""
        return at in self.carried and at in self.body_ids

    def _outside(self, at: int) -> tuple[Handle, bool]:
        node = self.graph.handle(at)
        if at in self.given and at not in self.carries:
            return self.given[at].value, self.given[at].kind == EACH
        if self._in_turn(at):
            return self._scan(at, last=False), True
        if node.node.is_const:
            return self.b.graph.constant(node.node.param["value"]), False
        with self.b.graph.on_behalf_of(self.graph.origins(at)):
            return self._applied(node)

    def _applied(self, node: Handle) -> tuple[Handle, bool]:
        operands = tuple(self.made[i][0] for i in node.node.operands)
        flags = [self.made[i][1] for i in node.node.operands]
        if not any(flags):
            return self.b(node.node.op, *operands, **node.node.param), False
        return apply_batched(self.b, node, operands, flags), True

    # ------------------------------------------------------------------------------------------- the body

    @cached_property
    def body_ids(self) -> list[int]:
        """The nodes of the body, in order, its inputs included."""
        return self.graph.ancestors(
            [*self.carries, *self.roots],
            lambda at: () if at in self.pulled else self.graph.nodes[at].operands,
        )

    @cached_property
    def loop(self) -> tuple[Body, tuple[Handle, ...]]:
        """The body, and the operands of the loop."""
        return _Gathered(self).run()

    def _scan(self, at: int, *, last: bool) -> Handle:
        body, operands = self.loop
        return self.b("scan", *operands, body=body, value=self.inner[at], last=last, **self.chosen)


class _Gathered:
    """Copies the nodes that run in turn into a body of their own, its inputs first, equal ones once."""

    def __init__(self, repeat: Repeat) -> None:
        self.repeat = repeat
        self.target = Graph("body")
        self.operands: list[Handle] = []
        self.known: dict[tuple[str, int], Handle] = {}

    def run(self) -> tuple[Body, tuple[Handle, ...]]:
        repeat, inner = self.repeat, self.repeat.inner
        for at in repeat.carries:
            inner[at] = self._entered(at, CARRY, repeat.given[at].value, len(inner)).id
        entering = [at for at in repeat.body_ids if at not in inner and self._is_outside(at)]
        for kind in (EACH, FIXED):
            for at in entering:
                value, varies = repeat.outside(at)
                if varies == (kind == EACH):
                    inner[at] = self._operand(at, kind, value).id
        for at in repeat.body_ids:
            if at not in inner:
                inner[at] = self._copied(at).id
        following = [inner[repeat.following[at]] for at in repeat.carries]
        return Body(self.target, following), tuple(self.operands)

    def _is_outside(self, at: int) -> bool:
        return at in self.repeat.given or at in self.repeat.pulled

    def _operand(self, at: int, kind: str, value: Handle) -> Handle:
        """An input for ``value``; where that is one number, the number."""
        if kind == FIXED and number_of(value) is not None:
            return constant_like(self.target, value)
        if (kind, value.id) not in self.known:
            count = sum(1 for k, _ in self.known if k == kind)
            self.known[kind, value.id] = self._entered(at, kind, value, count)
        return self.known[kind, value.id]

    def _entered(self, at: int, kind: str, value: Handle, number: int) -> Handle:
        self.operands.append(value)
        inside = self.repeat.graph.nodes[at].type
        with self.target.on_behalf_of(self.repeat.graph.origins(at)):
            return self.target.input(f"{kind}{number}", inside.shape, inside.dtype)

    def _copied(self, at: int) -> Handle:
        graph, inner = self.repeat.graph, self.repeat.inner
        node, origins = graph.nodes[at], graph.origins(at)
        with self.target.on_behalf_of(origins), self.target.role(origins[0].role if origins else "forward"):
            if node.is_const:
                return self.target.constant(node.param["value"])
            return self.target.add(
                node.op, [self.target.handle(inner[i]) for i in node.operands], **node.param
            )


def number_of(value: Handle) -> bytes | None:
    """The scalar constant of which every element of ``value`` is a copy, by its bits; None for anything else."""
    while value.node.op in ("broadcast_to", "reshape"):
        value = value.operands[0]
    return value.node.param["value"].data if value.node.is_const and not value.shape else None


def constant_like(graph: Graph, value: Handle) -> Handle:
    """``value``, which ``number_of`` knows, in another graph."""
    shape = value.shape
    while not value.node.is_const:
        value = value.operands[0]
    made = graph.constant(value.node.param["value"])
    return graph.add("broadcast_to", (made,), shape=shape) if shape else made


__all__ = ["Given", "Repeat", "Step", "apply_batched", "is_heavy", "number_of", "scatters"]
