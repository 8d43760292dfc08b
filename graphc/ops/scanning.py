"""The user function of loops: ``scan`` declares one step and repeats it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from graphc.errors import GraphError, ShapeError
from graphc.graph import Around, Build, Graph, Handle, graph_of, lift
from graphc.graph.body import CARRY, EACH, FIXED
from graphc.ops.repeat import Given, Repeat, Step
from graphc.ops.rules import function, is_list
from graphc.types import Dim, Type, as_dim, definitely_equal, definitely_unequal, shape_text

# ---------------------------------------------------------------------------- values in tuples, lists, dicts


def leaves(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The values of a tree of tuples, lists and dicts, each with its path; None holds none."""
    if isinstance(tree, (list, tuple)):
        for k, item in enumerate(tree):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            yield from leaves(item, f"{path}[{k}]")
    elif isinstance(tree, Mapping):
        for key in sorted(tree, key=str):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            yield from leaves(tree[key], f"{path}[{key!r}]")
    elif tree is not None:
        yield path, tree


def filled(tree: Any, values: Iterator[Any]) -> Any:
    """``tree`` with its values replaced, in the order of ``leaves``."""
    if isinstance(tree, (list, tuple)):
        made = [filled(item, values) for item in tree]  # pyright: ignore[reportUnknownVariableType]
        return made if isinstance(tree, list) else tuple(made)
    if isinstance(tree, Mapping):
        return {key: filled(tree[key], values) for key in sorted(tree, key=str)}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return None if tree is None else next(values)


# --------------------------------------------------------------------------------------------- the function


@function
def scan(
    body: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    *,
    length: Any = None,
    reverse: bool = False,
    checkpoint: bool = False,
) -> tuple[Any, Any]:
    """Repeat ``body(carry, x) -> (next carry, y)``; gives the last carry and every y, stacked along a new first axis.

    init:    the first carry: a node, or a tuple, list or dict of nodes, which ``body`` gets and returns in this form
    xs:      a node, or a tree of nodes, of which step t gets slice t of the first axis; None gives ``body`` None
    length:  the number of steps, where there are no ``xs``; may be symbolic
    reverse: take the slices from the last to the first; every y still stands where its x does
    checkpoint: keep nothing of a step but carries and ys: its derivative computes the step again (gradient
             checkpointing, Chen et al. 2016), and nothing is done for all steps at once, so that memory grows with
             what the loop gives and not with what it computes

    What ``body`` reads of the graph around is fixed over all steps. Work that waits for no carry is done for all
    steps at once, before or after the loop. Raises ``GraphError`` when ``body`` returns something else than a pair,
    or a carry of another form or type, and ``ShapeError`` for ``xs`` of unequal lengths.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x, w = g.input("x", ("T", "N", 4)), g.param("w", (3, 3))
    >>> last, hs = gc.scan(lambda h, x: (gc.tanh(x[:, :3] + h @ w),) * 2, gc.zeros_like(x[0, :, :3]), x)
    >>> print(last.type, hs.type)
    f32[N,3] f32[T,N,3]
    """
    if not callable(body):
        raise GraphError(f"body is {body!r}; give a function of (carry, x) that returns (next carry, y)")
    given, scanned = list(leaves(init, "init")), list(leaves(xs, "xs"))
    graph = graph_of([value for _, value in (*given, *scanned)], "scan")
    first = [lift(graph, value) for _, value in given]
    slices = [(path, lift(graph, value)) for path, value in scanned]
    return _Declared(graph, first, [x for _, x in slices], _length(slices, length)).run(
        body, init, xs, bool(reverse), bool(checkpoint)
    )


def _length(slices: Sequence[tuple[str, Handle]], length: Any) -> Dim:
    """The number of steps: as given, or the first size of every x."""
    found: list[tuple[str, Dim]] = [] if length is None else [("length", as_dim(length))]
    for path, x in slices:
        if not x.ndim:
            raise ShapeError(
                f"{path} has no axes; its first axis is the steps, scan over a node that has one"
            )
        found.append((path, x.shape[0]))
    if not found:
        raise ShapeError("there are no xs and no length; give one of them")
    for path, size in found[1:]:
        if definitely_unequal(size, found[0][1]):
            raise ShapeError(f"{found[0][0]} has {found[0][1]} steps and {path} has {size}; make them equal")
    return found[0][1]


class _Declared:
    """A step while it is declared: a graph of its own, into which values of the graph around enter as they are met."""

    def __init__(self, graph: Graph, first: Sequence[Handle], slices: Sequence[Handle], length: Dim) -> None:
        self.graph = graph
        self.first = first
        self.slices = list(slices)
        self.given = len(slices)
        self.length = length
        self.step = Graph("a step of a loop")
        self.around = Around(graph, self.step, self.time)
        self.carries = [self.step.input(f"{CARRY}{k}", h.shape, h.dtype) for k, h in enumerate(first)]
        self.each = [self.step.input(f"{EACH}{k}", h.shape[1:], h.dtype) for k, h in enumerate(slices)]

    def run(
        self, body: Callable[[Any, Any], Any], init: Any, xs: Any, reverse: bool, checkpoint: bool
    ) -> tuple[Any, Any]:
        after, ys = self.called(body, filled(init, iter(self.carries)), filled(xs, iter(self.each)))
        following = self.following(init, after)
        made = [self.node(y) for _, y in leaves(ys, "y")]
        repeat = Repeat(
            Build(self.graph),
            self.declared(following),
            length=self.length,
            reverse=reverse,
            checkpoint=checkpoint,
            wanted=[y.id for y in made],
            lasts=[h.id for h in self.carries],
        )
        last = (repeat.last(at.id) for at in self.carries)
        return filled(init, last), filled(ys, (repeat.stack(y.id) for y in made))

    def called(self, body: Callable[[Any, Any], Any], carry: Any, x: Any) -> tuple[Any, Any]:
        here = self.graph.here()
        self.step.around = self.around
        try:
            with self.step.scope(here.layer), self.step.role(here.role):
                found = body(carry, x)
        finally:
            self.step.around = None
        if not isinstance(found, tuple) or len(found) != 2:  # pyright: ignore[reportUnknownArgumentType]
            raise GraphError(
                f"body returns {_brief(found)}; return a pair (carry, y), in which y may be None"
            )
        return found  # pyright: ignore[reportUnknownVariableType]

    def node(self, value: Any, like: Type | None = None) -> Handle:
        """What ``body`` returned as a node of the step."""
        self.step.around = self.around
        try:
            return lift(self.step, value, None if like is None else like.dtype)
        finally:
            self.step.around = None

    def time(self) -> Handle:
        """The number of the step, scanned like an x; declared when it is first asked for."""
        if len(self.each) == self.given:
            self.slices.append(self.graph.add("arange", size=self.length, dtype="int64"))
            self.each.append(self.step.input(f"{EACH}{self.given}", (), "int64"))
        return self.each[-1]

    def following(self, init: Any, after: Any) -> list[Handle]:
        paths, returned = [p for p, _ in leaves(init, "carry")], list(leaves(after, "carry"))
        if paths != [path for path, _ in returned]:
            forms = " and ".join(", ".join(p) or "nothing" for p in (paths, [p for p, _ in returned]))
            raise GraphError(f"the carries before and after a step are {forms}; return the form of init")
        return [
            self.kept(path, carry, self.node(value, carry.type))
            for (path, value), carry in zip(returned, self.carries, strict=True)
        ]

    def kept(self, path: str, carry: Handle, after: Handle) -> Handle:
        """``after``, which must have the type of ``carry``."""
        sizes = zip(carry.shape, after.shape, strict=False)
        same = carry.ndim == after.ndim and all(definitely_equal(a, o) for a, o in sizes)
        if not same:
            shapes = f"{shape_text(carry.shape)} and becomes {shape_text(after.shape)}"
            raise ShapeError(f"{path} has shape {shapes}; return the shape of init, or start from another")
        if carry.dtype is not after.dtype:
            raise GraphError(f"{path} is {carry.dtype} and becomes {after.dtype}; cast one with gc.cast")
        return after

    def declared(self, following: Sequence[Handle]) -> Step:
        graph = self.graph
        brought = {h.id: Given(FIXED, graph.handle(at)) for at, h in self.around.brought.items()}
        carries = {h.id: Given(CARRY, value) for h, value in zip(self.carries, self.first, strict=True)}
        each = {h.id: Given(EACH, value) for h, value in zip(self.each, self.slices, strict=True)}
        after = {h.id: k.id for h, k in zip(self.carries, following, strict=True)}
        return Step(self.step, carries | each | brought, after)


def _brief(value: Any) -> str:
    return repr(value)[:60] if not is_list(value) else f"a {type(value).__name__} of {len(value)}"


__all__ = ["scan"]
