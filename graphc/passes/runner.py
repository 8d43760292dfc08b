"""The runner: applies passes in order, verifies, times and remembers; passes do none of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from graphc.check import check
from graphc.errors import GraphError
from graphc.graph import Cone
from graphc.passes.fold import fold
from graphc.passes.simplify import simplify
from graphc.passes.structure import prune, resolve_phase, share
from graphc.rewrite import Applied, Rewritten, rewrite_bodies, stabilise

Pass = Callable[[Cone], Rewritten]

# The order, after the phase is resolved. Stabilise first, while formulas stand as they were written; simplify
# before fold, so that a constant meets its neutral operand; fold before share, so that what it made equal is
# made one; and prune at both ends, so that no pass works on what nobody needs.
DEFAULT: tuple[Pass, ...] = (prune, stabilise, simplify, fold, simplify, share, prune)


def pipeline(mode: str, passes: Sequence[Pass] = DEFAULT) -> tuple[Pass, ...]:
    """``passes`` behind the choice of the phase: ``mode`` is ``"train"`` or ``"eval"``."""
    return (resolve_phase(mode), *passes)


@dataclass(frozen=True, slots=True)
class Step:
    """One pass as it ran; printing it prints the cone that it left."""

    name: str
    before: Cone
    after: Cone
    seconds: float
    mapping: Mapping[int, int]
    applied: tuple[Applied, ...]

    @property
    def nodes_before(self) -> int:
        return len(self.before.nodes)

    @property
    def nodes_after(self) -> int:
        return len(self.after.nodes)

    def __str__(self) -> str:
        return f"# {self.name}: {self.nodes_before} -> {self.nodes_after} nodes\n{self.after}"


@dataclass(frozen=True, slots=True)
class Result:
    """The last cone and how it came about; ``mapping`` gives each first node's last counterpart, or None."""

    cone: Cone
    history: tuple[Step, ...]
    mapping: Mapping[int, int | None]

    @property
    def applied(self) -> tuple[tuple[str, Applied], ...]:
        """Every rewrite, with the name of the pass that made it."""
        return tuple((step.name, applied) for step in self.history for applied in step.applied)


def run(cone: Cone, passes: Sequence[Pass] = DEFAULT, *, verify: bool = False) -> Result:
    """``cone`` through ``passes`` in order.

    ``verify`` checks the structure, every type and the outputs' types after each pass and raises
    ``GraphError`` naming the pass that broke one.

    >>> import graphc as gc
    >>> from graphc.graph import Cone
    >>> g = gc.Graph()
    >>> x = g.input("x", ("N",))
    >>> result = run(Cone(g, {"y": gc.log(1 + gc.exp(x * 1)).id}), verify=True)
    >>> [(step.name, step.nodes_after) for step in result.history][:2]
    [('prune', 6), ('stabilise', 4)]
    >>> print(result.cone)
    %0: f32[N] = input(name='x')
    %1: f32[N] = softplus(%0)
    output 'y' = %1
    """
    history: list[Step] = []
    mapping: dict[int, int | None] = {at: at for at in cone.nodes}
    for one in passes:
        step = _stepped(one, history[-1].after if history else cone)
        if verify:
            _verify(step)
        history.append(step)
        mapping = {old: None if now is None else step.mapping.get(now) for old, now in mapping.items()}
    last = history[-1].after if history else cone
    live = set(last.nodes)
    return Result(last, tuple(history), {old: now if now in live else None for old, now in mapping.items()})


def _stepped(one: Pass, cone: Cone) -> Step:
    began = perf_counter()
    done = everywhere(one, cone)
    return Step(one.__name__, cone, done.cone, perf_counter() - began, done.mapping, done.applied)


def everywhere(one: Pass, cone: Cone) -> Rewritten:
    """``one`` over the bodies of loops, the innermost first, and then over the graph itself."""
    inner = rewrite_bodies(cone, lambda body: everywhere(one, body))
    done = one(inner.cone)
    mapping = {at: done.mapping[now] for at, now in inner.mapping.items() if now in done.mapping}
    return Rewritten(done.cone, mapping, (*inner.applied, *done.applied))


def _verify(step: Step) -> None:
    try:
        check(step.after)
        _same_roots(step.before, step.after)
    except GraphError as error:
        raise error.located(f"pass {step.name}") from None


def _same_roots(before: Cone, after: Cone) -> None:
    for name, at in before.outputs.items():
        old, new = before.graph.nodes[at].type, after.graph.nodes[after.outputs[name]].type
        if old != new:
            raise GraphError(f"output {name!r} was {old} and became {new}; a pass must keep types")
    if len(before.updates) != len(after.updates):
        raise GraphError(f"{len(before.updates)} updates became {len(after.updates)}; a pass must keep them")
