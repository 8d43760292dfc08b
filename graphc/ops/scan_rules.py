"""Derivatives and batching of loops: each gives another loop over a body that is derived from the body.

Backwards, a loop over t becomes one that runs the other way. Its carries are the cotangents of the carries, its
slices are what the steps made on the way there, which are asked of the first loop as stacks, and the cotangents of
stacked values. Gradients by fixed operands are sums over the steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from graphc.graph import Body, Build, Graph, Handle
from graphc.graph.body import CARRY, EACH, FIXED
from graphc.ops.repeat import Given, Repeat, Step, apply_batched, is_heavy, scatters
from graphc.ops.rules import batch_size, moved, total
from graphc.registry import Application
from graphc.types import Dim, Type

# ----------------------------------------------------------------------------------------- a body to derive


class _Derived:
    """A copy of a loop's body, to which derivatives are appended, and what its new inputs are outside."""

    def __init__(self, b: Any, app: Application) -> None:
        self.b = b
        self.app = app
        self.body: Body = app.params["body"]
        self.scratch = self.body.copied()
        self.build = Build(self.scratch)
        self.given: dict[int, Given] = {}
        self.operands = dict(zip(self.body.inputs, app.operands, strict=True))

    def enter(self, kind: str, value: Handle, inside: Type) -> Handle:
        """A new input of the step."""
        made = self.scratch.input(f"new{len(self.given)}", inside.shape, inside.dtype)
        self.given[made.id] = Given(kind, value)
        return made

    def handle(self, at: int) -> Handle:
        return self.scratch.handle(at)

    def floats(self, nodes: Iterable[int]) -> list[int]:
        return [at for at in nodes if self.body.graph.nodes[at].type.dtype.is_float]

    def stacked(self, at: int) -> Handle:
        """The value of node ``at`` in every step of the loop itself."""
        if at in self.operands and at not in self.body.carries:
            return self.operands[at]
        with self.b.graph.role("forward"):  # where the loop runs, whoever asks
            return self.b("scan", *self.app.operands, **{**self.app.params, "value": at, "last": False})

    def step(self, following: Mapping[int, int], roots: Sequence[int]) -> tuple[Step, dict[int, int]]:
        """The derived step by itself: of the body, what it reads becomes slices or is computed again."""
        return _Separated(self, following, [*roots, *following, *following.values()]).run()


class _Separated:
    """Copies a derived step out of its scratch graph."""

    def __init__(self, derived: _Derived, following: Mapping[int, int], roots: Sequence[int]) -> None:
        self.derived = derived
        self.following = following
        self.roots = roots
        self.scratch = derived.scratch
        self.old = len(derived.body.graph)
        self.varying = self._varying()
        self.residuals = self._residuals()
        self.target = Graph(derived.scratch.name)
        self.given: dict[int, Given] = {}
        self.made: dict[int, int] = {}

    def run(self) -> tuple[Step, dict[int, int]]:
        for at in self.scratch.ancestors(self.roots, self._reads):
            self.made[at] = self._copied(at).id
        following = {self.made[at]: self.made[after] for at, after in self.following.items()}
        return Step(self.target, self.given, following), self.made

    def _varying(self) -> set[int]:
        body = self.derived.body
        found = {*body.carries, *body.each}
        for at, node in enumerate(body.graph.nodes):
            if any(i in found for i in node.operands):
                found.add(at)
        return found

    def _residuals(self) -> set[int]:
        """What is read of the step itself and changes from step to step, less what is as soon computed again."""
        if self.derived.app.params["checkpoint"]:
            return set()
        inputs = set(self.derived.body.inputs)
        new = [at for at in self.scratch.ancestors(self.roots) if at >= self.old]
        read = {i for at in new for i in self.scratch.nodes[at].operands} | set(self.roots)
        found = {at for at in read if at < self.old and at in self.varying}
        for at in sorted(found - inputs, reverse=True):
            changing = {i for i in self.scratch.nodes[at].operands if i in self.varying}
            if changing <= found | inputs and not is_heavy(self.scratch.handle(at)):
                found.remove(at)
        return found

    def _reads(self, at: int) -> Iterable[int]:
        return () if at in self.residuals else self.scratch.nodes[at].operands

    def _copied(self, at: int) -> Handle:
        node, origins = self.scratch.nodes[at], self.scratch.origins(at)
        given = self._given(at)
        with self.target.on_behalf_of(origins), self.target.role(origins[0].role if origins else "forward"):
            if given is not None:
                made = self.target.input(f"input{len(self.given)}", node.type.shape, node.type.dtype)
                self.given[made.id] = given
                return made
            if node.is_const:
                return self.target.constant(node.param["value"])
            return self.target.add(
                node.op, [self.target.handle(self.made[i]) for i in node.operands], **node.param
            )

    def _given(self, at: int) -> Given | None:
        derived = self.derived
        if at in derived.given:
            return derived.given[at]
        if at in derived.body.fixed:
            return Given(FIXED, derived.operands[at])
        return Given(EACH, derived.stacked(at)) if at in self.residuals or at in derived.operands else None


def _zeros(b: Any, like: Handle) -> Handle:
    return b.zeros(like.type)


# ------------------------------------------------------------------------------------------------- reverse


def vjp(b: Any, app: Application, cotangents: Sequence[Handle]) -> list[Any]:
    """The loop run the other way; ``cotangents`` belong to ``app.outputs``."""
    derived, body = _Derived(b, app), app.params["body"]
    last = {
        o.node.param["value"]: g for o, g in zip(app.outputs, cotangents, strict=True) if o.node.param["last"]
    }
    carries = derived.floats(body.carries)
    first = {at: last[at] if at in last else _zeros(b, derived.operands[at]) for at in carries}
    arriving = {at: derived.enter(CARRY, first[at], derived.operands[at].type) for at in carries}
    seeds: dict[Handle, Handle] = {}
    for at in carries:
        after = derived.handle(body.following[body.carries.index(at)])
        seeds[after] = total(derived.build, [seeds.get(after), arriving[at]])
    before = _seed_stacks(derived, app, cotangents, seeds)
    wanted = [at for at, due in zip(body.inputs, app.wanted, strict=True) if due]
    found = app.derive(seeds, [derived.handle(at) for at in dict.fromkeys([*carries, *wanted])])
    by = {h.id: g for h, g in found.items()}
    following = {arriving[at].id: total(derived.build, [by[at], before.get(at)]).id for at in carries}
    return _pulled_back(derived, {at: h.id for at, h in arriving.items()}, following, by, wanted)


def _seed_stacks(
    derived: _Derived, app: Application, cotangents: Sequence[Handle], seeds: dict[Handle, Handle]
) -> dict[int, Handle]:
    """Let the cotangents of stacks enter, one slice a step; those of carries before the step are returned."""
    before: dict[int, Handle] = {}
    for output, cotangent in zip(app.outputs, cotangents, strict=True):
        if output.node.param["last"]:
            continue
        at = output.node.param["value"]
        node = derived.handle(at)
        arrived = derived.enter(EACH, cotangent, node.type)
        if at in derived.body.carries:
            before[at] = arrived
        else:
            seeds[node] = total(derived.build, [seeds.get(node), arrived])
    return before


def _pulled_back(
    derived: _Derived,
    arriving: Mapping[int, int],
    following: dict[int, int],
    by: Mapping[int, Handle],
    wanted: Sequence[int],
) -> list[Any]:
    """The cotangents of the operands: what arrives at the first step, stacks, and sums over the steps."""
    body, app, b = derived.body, derived.app, derived.b
    sums = {at: by[at] for at in wanted if at in body.fixed}
    in_turn = app.params[
        "checkpoint"
    ]  # a stack of what each step adds would be as large as what is computed again
    totals = {
        at: derived.enter(CARRY, _zeros(b, g), g.type) for at, g in sums.items() if in_turn or scatters(g)
    }
    following |= {totals[at].id: derived.build("add", totals[at], sums[at]).id for at in totals}
    stacked = {at: by[at].id for at in wanted if at not in body.carries and at not in totals}
    lasts = {at: arriving[at] for at in wanted if at in arriving} | {at: h.id for at, h in totals.items()}
    step, made = derived.step(following, list(stacked.values()))
    repeat = Repeat(
        b,
        step,
        length=app.params["length"],
        reverse=not app.params["reverse"],
        checkpoint=in_turn,
        wanted=[made[at] for at in stacked.values()],
        lasts=[made[at] for at in lasts.values()],
    )
    results: dict[int, Any] = {at: repeat.last(made[k]) for at, k in lasts.items()}
    for at, k in stacked.items():
        stack = repeat.stack(made[k])
        results[at] = stack if at in body.each else b("sum", stack, axes=(0,), keepdims=False)
    return [results.get(at) for at in body.inputs]


# ------------------------------------------------------------------------------------------------- forward


def jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    """The loop over the tangents of the carries, beside the loop itself."""
    derived, body, value = _Derived(b, app), app.params["body"], app.params["value"]
    arriving: dict[int, Handle] = {}
    for at, tangent, operand in zip(body.inputs, tangents, app.operands, strict=True):
        kind = CARRY if at in body.carries else EACH if at in body.each else FIXED
        if tangent is not None or (kind == CARRY and operand.dtype.is_float):
            inside = body.graph.nodes[at].type
            arriving[at] = derived.enter(kind, _zeros(b, operand) if tangent is None else tangent, inside)
    carries = [at for at in arriving if at in body.carries]
    after = [body.following[body.carries.index(at)] for at in carries]
    roots = [derived.handle(at) for at in (*after, value)]
    found = app.derive(roots, {derived.handle(at): h for at, h in arriving.items()})
    following = {arriving[at].id: g.id for at, g in zip(carries, found, strict=False)}
    step, made = derived.step(following, [found[-1].id])
    asked = made[arriving[value].id] if app.params["last"] else made[found[-1].id]
    repeat = _again(b, step, app, asked)
    return repeat.last(asked) if app.params["last"] else repeat.stack(asked)


def _again(b: Any, step: Step, app: Application, asked: int) -> Repeat:
    """``step`` repeated as the loop is, for its one value."""
    last, chosen = app.params["last"], ("length", "reverse", "checkpoint")
    return Repeat(
        b, step, wanted=[] if last else [asked], lasts=[asked] * last, **{k: app.params[k] for k in chosen}
    )


# -------------------------------------------------------------------------------------------------- batch


def batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    """The loop over a body of which every node that depends on a batch has its leading axis."""
    body: Body = app.params["body"]
    size = batch_size(app, batched)
    flags = _flags(body, dict(zip(body.inputs, batched, strict=True)))
    step, given = Graph(body.graph.name), dict[int, Given]()
    made: dict[int, Handle] = {}
    for at, operand, flag in zip(body.inputs, app.operands, batched, strict=True):
        made[at] = _batched_input(step, body, at, size if flags[at] else None)
        given[made[at].id] = _batched_operand(b, body, at, operand, flag, size if flags[at] else None)
    for at in range(len(body.graph)):
        if at not in made:
            made[at] = _batched_node(Build(step), body.graph.handle(at), made, flags)
    following = {made[at].id: made[k].id for at, k in zip(body.carries, body.following, strict=True)}
    repeat = _again(b, Step(step, given, following), app, made[app.params["value"]].id)
    return _batched_result(
        b, app, repeat, made[app.params["value"]], flags.get(app.params["value"], False), size
    )


def _batched_input(step: Graph, body: Body, at: int, size: Dim | None) -> Handle:
    kind = body.graph.nodes[at].type
    return step.input(f"input{at}", kind.shape if size is None else (size, *kind.shape), kind.dtype)


def _batched_operand(b: Any, body: Body, at: int, operand: Handle, flag: bool, size: Dim | None) -> Given:
    """The operand with the axis of steps first; a carry that becomes batched starts as equal rows."""
    if at in body.each:
        return Given(EACH, moved(b, operand, (1, 0, *range(2, operand.ndim))) if flag else operand)
    spread = operand if flag or size is None else b.spread(operand, (size, *operand.shape))
    return Given(CARRY if at in body.carries else FIXED, spread)


def _batched_node(b: Build, node: Handle, made: Mapping[int, Handle], flags: Mapping[int, bool]) -> Handle:
    if node.node.is_const:
        return b.graph.constant(node.node.param["value"])
    operands = tuple(made[i] for i in node.node.operands)
    if not flags.get(node.id):
        return b(node.node.op, *operands, **node.node.param)
    return apply_batched(b, node, operands, [flags.get(i, False) for i in node.node.operands])


def _batched_result(b: Any, app: Application, repeat: Repeat, value: Handle, flag: bool, size: Dim) -> Handle:
    """The result with the batch axis in front of the axis of steps."""
    found = repeat.last(value.id) if app.params["last"] else repeat.stack(value.id)
    if not flag:
        return b.spread(found, (size, *found.shape))
    return found if app.params["last"] else moved(b, found, (1, 0, *range(2, found.ndim)))


def _flags(body: Body, flags: dict[int, bool]) -> dict[int, bool]:
    """Which nodes have the batch axis, a carry also where what it becomes has it."""
    while True:
        for at, node in enumerate(body.graph.nodes):
            if node.operands:
                flags[at] = any(flags.get(i, False) for i in node.operands)
        grown = [
            at for at, k in zip(body.carries, body.following, strict=True) if flags.get(k) and not flags[at]
        ]
        if not grown:
            return flags
        flags |= dict.fromkeys(grown, True)
