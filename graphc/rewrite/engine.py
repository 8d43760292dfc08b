"""The engine: nodes are built in normal form, each application offered to the rules before it is appended.

A rule looks at one application (a ``Term``) and at what its operands are made of, and answers with another
node or None. Operands are normal before their users are built, and what a rule builds is offered to the rules
again, so one sweep in topological order reaches the fixpoint; ``LIMIT`` bounds rewrites within rewrites.

A *cut* is a node that no rule sees through, replaces or lands on: the derivative by it, or its value, was
asked for. Landing on one matters too. Where the user built ``z = sigmoid(-x)`` and, apart from it, ``1 -
sigmoid(x)``, making the second the node ``z`` would add to the derivative by ``z``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from graphc import registry
from graphc.errors import ShapeError
from graphc.graph import Cone, Constant, Graph, Handle, Node, rebuild
from graphc.registry import Params
from graphc.types import Checks, DType, Shape, Type

LIMIT = 32
# Ops that only move values about: they commute with every elementwise function of one operand.
MOVES = frozenset({"take", "take_along", "slice", "reshape", "transpose", "broadcast_to", "flip"})


@dataclass(frozen=True)
class Term:
    """An application that stands in a graph or is about to be built: what rules look at."""

    op: str
    operands: tuple[Handle, ...]
    params: Params

    @cached_property
    def type(self) -> Type:
        return registry.lookup(self.op).infer(Checks(), [o.type for o in self.operands], self.params)


class Local(Protocol):
    """A rule: the ops at whose applications it is tried, and its answer."""

    @property
    def name(self) -> str: ...
    @property
    def ops(self) -> tuple[str, ...]: ...
    def apply(self, b: Rewriter, term: Term, /) -> Handle | None: ...


Rules = Mapping[str, tuple[Local, ...]]


def by_op(rules: Iterable[Local]) -> Rules:
    """``rules`` by the op at whose applications they are tried, in their given order."""
    table: dict[str, list[Local]] = {}
    for rule in rules:
        for op in rule.ops:
            table.setdefault(op, []).append(rule)
    return {op: tuple(found) for op, found in table.items()}


@dataclass(frozen=True, slots=True)
class Applied:
    """One rewrite that took place: node ``old`` of the graph before, ``new`` of the graph after."""

    rule: str
    old: int
    new: int
    layer: str = ""
    place: str = ""

    def __str__(self) -> str:
        return f"{self.rule}: %{self.old} -> %{self.new}" + (f"  # {self.layer}" if self.layer else "")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What a pass gives back: the new cone, each old node's counterpart, and the rewrites that took place.

    An old node that is missing in ``mapping`` has no counterpart.
    """

    cone: Cone
    mapping: Mapping[int, int]
    applied: tuple[Applied, ...] = ()


class _OntoCutError(Exception):
    """A rewrite would have produced a node that was cut; it is declined."""


class _WouldBuildError(Exception):
    """A rule began to build while it was only asked whether it applies."""


@dataclass(slots=True)
class Rewriter:
    """Builds nodes of ``graph`` in normal form under ``rules``; what rules are handed to build with.

    ``uses`` counts, where the driver knows it, how often each node was read before. A ``probing`` rewriter
    appends nothing; it only tells whether a rule may apply.
    """

    graph: Graph
    rules: Rules
    cuts: set[int] = field(default_factory=set[int])
    uses: Counter[int] = field(default_factory=Counter[int])
    applied: list[Applied] = field(default_factory=list[Applied])
    probing: bool = False
    old: int = -1  # the node in whose place is built
    _depth: int = 0

    def __call__(self, op: str, /, *operands: Handle, **params: Any) -> Handle:
        return self.build(Term(op, operands, params))

    def build(self, term: Term) -> Handle:
        """The node of ``term`` in normal form."""
        made = self.rewrite(term)
        return self._append(term) if made is None else made

    def rewrite(self, term: Term) -> Handle | None:
        """What the first rule that applies makes of ``term``; None when none does."""
        tried = (*self.rules.get(term.op, ()), *self.rules.get("*", ()))
        for rule in tried if self._depth < LIMIT else ():
            before = len(self.applied)
            made = self._tried(rule, term)
            if made is not None:
                self._record(rule, made)
                return made
            del self.applied[before:]
        return None

    def may_rewrite(self, term: Term) -> bool:
        """Whether a rule may apply to ``term``; a rule that declines only after building counts."""
        try:
            return self.rewrite(term) is not None
        except _WouldBuildError:
            return True

    def constant(self, value: float, dtype: DType) -> Handle:
        """A scalar constant."""
        if self.probing:
            raise _WouldBuildError
        return self.graph.constant(Constant.of(value, dtype))

    def see(self, value: Handle) -> Term | None:
        """What ``value`` is made of; None for leaves and for cuts."""
        node = value.node
        if node.is_leaf or value.id in self.cuts:
            return None
        return Term(node.op, value.operands, node.param)

    def sees(self, value: Handle, *ops: str) -> Term | None:
        """What ``value`` is made of when its op is one of ``ops``."""
        return self.see(value) if value.node.op in ops else None

    def number(self, value: Handle) -> float | None:
        """The number of which every element of a constant is a copy, else None (-0.0 stays -0.0)."""
        sign = 1
        while value.node.op in ("broadcast_to", "reshape", "neg") and value.id not in self.cuts:
            sign = -sign if value.node.op == "neg" else sign
            value = value.operands[0]
        if not value.node.is_const:
            return None
        constant: Constant = value.node.param["value"]
        flat = constant.array.ravel()
        same = flat.size > 0 and constant.is_filled_with(flat[0].item())
        return sign * flat[0].item() if same else None

    def moved(self, value: Handle) -> tuple[Handle, list[Term]]:
        """The value beneath a chain of moving ops, and the chain from the outside in."""
        chain: list[Term] = []
        while (term := self.sees(value, *MOVES)) is not None:
            chain.append(term)
            value = term.operands[0]
        return value, chain

    def move(self, value: Handle, chain: Sequence[Term]) -> Handle:
        """``value`` moved by ``chain``, which ``moved`` gave."""
        for term in reversed(chain):
            value = self(term.op, value, *term.operands[1:], **term.params)
        return value

    def spread(self, value: Handle, shape: Shape) -> Handle | None:
        """``value`` broadcast to ``shape``; None where it cannot be, or where only a call could tell."""
        if value.shape == shape:
            return value
        return self("broadcast_to", value, shape=shape) if reaches(value.shape, shape) else None

    @contextmanager
    def standing_for(self, at: int, source: Graph) -> Generator[None]:
        """Build and record in the name of node ``at`` of ``source``."""
        origins = source.origins(at)
        role = origins[0].role if origins else "forward"
        self.old = at
        with self.graph.on_behalf_of(origins), self.graph.role(role):
            yield

    def _append(self, term: Term) -> Handle:
        if self.probing:
            raise _WouldBuildError
        made = self.graph.add(term.op, term.operands, **term.params)
        if self._depth and made.id in self.cuts:
            raise _OntoCutError
        return made

    def _tried(self, rule: Local, term: Term) -> Handle | None:
        self._depth += 1
        try:
            made = rule.apply(self, term)
            return None if made is None else self._fitted(made, term.type)
        except _OntoCutError:
            return None
        finally:
            self._depth -= 1

    def _fitted(self, made: Handle, kind: Type) -> Handle | None:
        if made.dtype is not kind.dtype:
            raise AssertionError(f"a rule turned {kind} into {made.type}")
        return self.spread(made, kind.shape)

    def _record(self, rule: Local, made: Handle) -> None:
        here = self.graph.here()
        self.applied.append(Applied(rule.name, self.old, made.id, here.layer, here.place))


def reaches(shape: Shape, wider: Shape) -> bool:
    """Whether ``shape`` is known to broadcast to ``wider`` by NumPy's rule."""
    checks = Checks()
    try:
        return checks.broadcast([shape, wider]) == wider and not checks.equations
    except ShapeError:
        return False


def rewrite_cone(cone: Cone, rules: Rules) -> Rewritten:
    """The cone rebuilt under ``rules``; nodes in ``cone.kept`` are copied and never seen through."""
    uses = _uses(cone)
    if not _may_change(cone, rules, uses):
        return Rewritten(cone, {at: at for at in cone.nodes})
    sweep = _Sweep(cone, rules, uses)
    done = rebuild(cone, sweep)
    applied = tuple(sweep.rewriter.applied) if sweep.rewriter else ()
    return Rewritten(done.cone, done.mapping, applied)


def _uses(cone: Cone) -> Counter[int]:
    """How often each node of the cone is read, as an operand or as a root."""
    uses = Counter({at: len(users) for at, users in cone.users().items()})
    uses.update(cone.roots)
    return uses


def _may_change(cone: Cone, rules: Rules, uses: Counter[int]) -> bool:
    """Whether a rule may apply somewhere: looking is much cheaper than rebuilding."""
    b = Rewriter(cone.graph, rules, set(cone.kept), uses, probing=True)
    terms = (b.see(cone.graph.handle(at)) for at in cone.nodes)
    return any(b.may_rewrite(term) for term in terms if term is not None)


@dataclass(slots=True)
class _Sweep:
    """The visit that offers each node to the rules."""

    cone: Cone
    rules: Rules
    uses: Counter[int]
    rewriter: Rewriter | None = None

    def __call__(self, target: Graph, at: int, node: Node, operands: Sequence[Handle]) -> Handle:
        if self.rewriter is None:
            self.rewriter = Rewriter(target, self.rules)
        made = self._made(self.rewriter, target, at, node, operands)
        self.rewriter.uses[made.id] += self.uses[at]
        if at in self.cone.kept:
            self.rewriter.cuts.add(made.id)
        return made

    def _made(self, b: Rewriter, target: Graph, at: int, node: Node, operands: Sequence[Handle]) -> Handle:
        if node.is_leaf:
            return target.copy_leaf(node, self.cone.graph, at)
        if at in self.cone.kept:
            return target.add(node.op, operands, **dict(node.params))
        b.old = at
        return b.build(Term(node.op, tuple(operands), node.param))
