"""What lowering works on: values, each a leaf or a loop nest, in single-assignment form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from graphc.graph import Body, Graph, Node
from graphc.loops import Axis, Call, Const, Expr, Load, Loop, is_work, rebuild, walk
from graphc.lower.regions import Region
from graphc.types import Dim, DType, Shape, product

Values = tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Value:
    """One array of the program: ``shape`` without unit axes; ``loop`` for computed ones, loads being value numbers."""

    number: int
    node: int
    dtype: DType
    shape: Shape
    kind: str  # input, param, state, const, nest, view, stack
    loop: Loop | None = None
    source: int = -1  # of a view: the value whose memory it is; of a nest: the stack in which it is kept
    start: Dim = 0  # where that memory begins in the source's, in elements
    region: Region | None = None  # the loop in whose steps it is computed, or, of a stack, which fills it
    part: tuple[Body, int] | None = None  # the body and the node in it, where ``node`` is a loop
    order: tuple[int, ...] = ()  # where the layout pass moved axes: which declared axis each is

    @property
    def size(self) -> Dim:
        return product(self.shape)


def path_of(value: Value) -> tuple[Region, ...]:
    """The loops in whose steps ``value`` is computed, outermost first."""
    return () if value.region is None else value.region.path


def is_inside(value: Value, region: Region | None) -> bool:
    return region in path_of(value)


@dataclass(frozen=True, slots=True)
class Lookup:
    """Data used as indices below ``size`` by ``node``, ``count`` times.

    ``held`` is the input or constant whose elements they are, to be checked before kernels run; None for
    computed indices, which kernels keep within the size themselves. ``wrap``: negative ones count from the end.
    """

    node: int
    held: Node | None
    size: Dim
    count: Dim
    wrap: bool


@dataclass(frozen=True, slots=True)
class NestProgram:
    """All values in topological order, outputs by name, and updates ``{leaf value: value}``."""

    graph: Graph
    values: Values
    outputs: Mapping[str, int]
    updates: Mapping[int, int]
    lookups: tuple[Lookup, ...] = ()

    def __str__(self) -> str:
        lines: list[str] = []
        for before, value in zip((None, *self.values), self.values, strict=False):
            path = path_of(value) if value.kind != "stack" else path_of(value)[:-1]
            known = () if before is None or before.kind == "stack" else path_of(before)
            lines += [f"{'  ' * k}{r}:" for k, r in enumerate(path) if r not in known]
            kind = f"{value.dtype.short}[{','.join(map(str, value.shape))}]"
            lines.append(f"{'  ' * len(path)}v{value.number}: {kind}{_moved(value)} {describe(value)}")
        lines += [f"output {name!r} = v{k}" for name, k in self.outputs.items()]
        lines += [f"update v{leaf} = v{k}" for leaf, k in self.updates.items()]
        return "\n".join(lines)

    def root(self, number: int) -> int:
        """The value whose memory ``number`` is: itself, or what it views."""
        while self.values[number].kind == "view":
            number = self.values[number].source
        return number

    def memory(self, number: int) -> tuple[int, Dim]:
        """The value that has the memory of ``number``, and where in it: itself, what it views, or its stack."""
        start: Dim = 0
        while self.values[number].source >= 0:
            start = start + self.values[number].start
            number = self.values[number].source
        return number, start

    def origin(self, value: Value) -> tuple[Graph, int]:
        """The graph and the node in it that ``value`` computes: of a loop, the node of its body."""
        return (self.graph, value.node) if value.part is None else (value.part[0].graph, value.part[1])

    def node(self, value: Value) -> Node:
        graph, at = self.origin(value)
        return graph.nodes[at]


def _moved(value: Value) -> str:
    return f" axes ({','.join(map(str, value.order))})" if value.order else ""


def describe(value: Value) -> str:
    """A value's definition as text."""
    place = f" from {value.start}" if value.start != 0 else ""
    if value.loop is None:
        return f"view of v{value.source}{place}" if value.kind == "view" else f"{value.kind} %{value.node}"
    loop = value.loop
    running = "" if loop.running is None else f" sums along {loop.running} of"
    over = f" {loop.combine} over ({','.join(map(str, loop.reduce))}) of" if loop.combine else ""
    kept = f", kept in v{value.source}{place}" if value.source >= 0 else ""
    return f"={over}{running} {text(loop.expr)}{kept}"


def text(expr: Expr) -> str:
    """A loop expression as text: axes are ``i0, i1, ...``."""
    match expr:
        case Load(source, index):
            return f"v{source}[{','.join(text(i) for i in index)}]"
        case Axis(number):
            return f"i{number}"
        case Const(value):
            return repr(value)
        case Call("cast", (inner,), dtype):
            return f"{dtype.short}({text(inner)})"
        case Call(fn, args):
            return f"{fn}({', '.join(text(a) for a in args)})"
        case _:
            return str(expr.dim)


def drop_unused(program: NestProgram) -> NestProgram:
    """``program`` with only the values that outputs and updates need, renumbered."""
    live: set[int] = set()
    kept: dict[int, list[int]] = {}  # by stack: what lies in it
    for value in program.values:
        if value.kind == "nest" and value.source >= 0:
            kept.setdefault(value.source, []).append(value.number)
    stack = [*program.outputs.values(), *program.updates.values(), *program.updates]
    while stack:
        number = stack.pop()
        if number not in live:
            live.add(number)
            stack.extend([*sources(program.values[number]), *kept.get(number, ())])
            stack.extend([program.values[number].source] if program.values[number].source >= 0 else [])
    left = [v for v in program.values if v.number in live]
    new = {v.number: k for k, v in enumerate(left)}
    return replace(
        program,
        values=tuple(renumber(v, new) for v in left),
        outputs={name: new[k] for name, k in program.outputs.items()},
        updates={new[leaf]: new[k] for leaf, k in program.updates.items()},
    )


def sources(value: Value) -> list[int]:
    """The values that ``value`` reads, each once, in order of first use."""
    if value.kind == "view":
        return [value.source]
    return [] if value.loop is None else list(dict.fromkeys(load.source for load in value.loop.loads()))


def renumber(value: Value, new: Mapping[int, int]) -> Value:
    def visit(expr: Expr) -> Expr | None:
        if not isinstance(expr, Load):
            return None
        return Load(new[expr.source], tuple(rebuild(i, visit) for i in expr.index), expr.dtype)

    loop = None if value.loop is None else map_expressions(value.loop, lambda e: rebuild(e, visit))
    return replace(value, number=new[value.number], loop=loop, source=new.get(value.source, -1))


def map_expressions(loop: Loop, visit: Callable[[Expr], Expr], *, scattered: bool = True) -> Loop:
    scatter = loop.scatter if loop.scatter is None or not scattered else tuple(visit(e) for e in loop.scatter)
    return replace(loop, expr=visit(loop.expr), scatter=scatter)


def moves_data(loop: Loop | None) -> bool:
    """Whether a nest computes nothing: it only reads, places, compares or numbers elements, one for each."""
    if loop is None or loop.combine or loop.scatter is not None or loop.running is not None:
        return False
    if _reads(loop.expr) > 1:
        return False
    return not any(is_work(e) and e.fn not in ("guard", "cast") for e in walk(loop.expr))


def _reads(expr: Expr) -> int:
    """How many elements are read to evaluate ``expr``, beside those in indices."""
    match expr:
        case Load():
            return 1
        case Call("guard", (condition, *branches)):
            return max(_reads(condition), *map(_reads, branches))
        case Call(_, args):
            return sum(map(_reads, args))
        case _:
            return 0


__all__ = [
    "Lookup", "NestProgram", "Value", "describe", "drop_unused", "is_inside", "map_expressions", "moves_data",
    "path_of", "renumber", "sources", "text",
]  # fmt: skip
