"""From nodes to loop nests: every op says how it computes, data movement dissolves into index maps.

The first stage of lowering. A ``NestProgram`` is a list of values in single-assignment form: leaves and loop nests.
Axes of literal size 1 are dropped; a reshape is another view of the same memory; a value that only moves data
(transpose, slice, broadcast, pad, one-hot ...) is not computed but read through its index map by its users.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from graphc import registry
from graphc.errors import CompileError
from graphc.graph import Cone, Graph, Node
from graphc.loops import (
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
from graphc.types import Dim, DType, Shape, Type, product

Values = tuple["Value", ...]


@dataclass(frozen=True, slots=True)
class Value:
    """One array of the program: ``shape`` without unit axes; ``loop`` for computed ones, loads being value numbers."""

    number: int
    node: int
    dtype: DType
    shape: Shape
    kind: str  # input, param, state, const, nest, view
    loop: Loop | None = None
    source: int = -1  # of a view: the value whose memory it is

    @property
    def size(self) -> Dim:
        return product(self.shape)


@dataclass(frozen=True, slots=True)
class Lookup:
    """Data used as indices below ``size`` by ``node``, ``count`` times.

    ``held`` is the node of the input or constant whose elements they are, to be checked before kernels run; None for
    computed indices, which kernels keep within the size themselves.
    """

    node: int
    held: int | None
    size: Dim
    count: Dim


@dataclass(frozen=True, slots=True)
class NestProgram:
    """All values in topological order, outputs by name, and updates ``{leaf value: value}``."""

    graph: Graph
    values: Values
    outputs: Mapping[str, int]
    updates: Mapping[int, int]
    lookups: tuple[Lookup, ...] = ()

    def __str__(self) -> str:
        lines = [
            f"v{v.number}: {v.dtype.short}[{','.join(map(str, v.shape))}] {describe(v)}" for v in self.values
        ]
        lines += [f"output {name!r} = v{k}" for name, k in self.outputs.items()]
        lines += [f"update v{leaf} = v{k}" for leaf, k in self.updates.items()]
        return "\n".join(lines)

    def root(self, number: int) -> int:
        """The value whose memory ``number`` is: itself, or what it views."""
        while self.values[number].kind == "view":
            number = self.values[number].source
        return number


def describe(value: Value) -> str:
    """A value's definition as text."""
    if value.loop is None:
        return f"view of v{value.source}" if value.kind == "view" else f"{value.kind} %{value.node}"
    loop = value.loop
    over = f" {loop.combine} over ({','.join(map(str, loop.reduce))}) of" if loop.combine else ""
    return f"={over} {text(loop.expr)}"


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


INLINE_LIMIT = 64  # subexpressions up to which data movement is read through instead of stored


def expand(cone: Cone) -> NestProgram:
    """The loop nests of ``cone``."""
    return _Expansion(cone).run()


class _Expansion:
    def __init__(self, cone: Cone) -> None:
        self.cone = cone
        self.graph = cone.graph
        self.values: list[Value] = []
        self.number_of: dict[int, int] = {}  # node -> value
        self.lookups: dict[Lookup, None] = {}
        self.number_of_loop: dict[
            Loop, int
        ] = {}  # nests equal to the letter are one value, whatever ops they came from
        self.owners: set[int] = set()

    def run(self) -> NestProgram:
        for at in self.cone.nodes:
            self.number_of[at] = self.add_node(at, self.graph.nodes[at])
        outputs = {name: self.owned(self.number_of[at]) for name, at in self.cone.outputs.items()}
        updates = {
            self.number_of[leaf]: self.owned(self.number_of[at]) for leaf, at in self.cone.updates.items()
        }
        return _drop_unused(
            NestProgram(self.graph, tuple(self.values), outputs, updates, tuple(self.lookups))
        )

    def add_node(self, at: int, node: Node) -> int:
        if node.is_leaf:
            return self.append(at, node.type, node.op)
        op = registry.lookup(node.op)
        if op.view:
            return self.add_view(at, node)
        if op.loops is None:
            raise CompileError(f"{node.op} is not compiled yet; use gc.interpret")
        types = [self.graph.nodes[i].type for i in node.operands]
        seen = [(self.number_of[i], t.shape) for i, t in zip(node.operands, types, strict=True)]
        for loop in op.loops(types, node.type, node.param):
            number = self.nest(at, Type(loop.dtype, loop.shape), self.prepared(at, loop, seen))
            seen.append((number, loop.shape))
        return seen[-1][0]

    def nest(self, at: int, kind: Type, loop: Loop) -> int:
        if loop not in self.number_of_loop:
            self.number_of_loop[loop] = self.append(at, kind, "nest", loop)
        return self.number_of_loop[loop]

    def append(self, at: int, kind: Type, what: str, loop: Loop | None = None, source: int = -1) -> int:
        shape = tuple(d for d in kind.shape if d != 1)
        self.values.append(Value(len(self.values), at, kind.dtype, shape, what, loop, source))
        return len(self.values) - 1

    def add_view(self, at: int, node: Node) -> int:
        source = self.number_of[node.operands[0]]
        kept = tuple(d for d in node.type.shape if d != 1)
        return (
            source if kept == self.values[source].shape else self.append(at, node.type, "view", None, source)
        )

    def owned(self, number: int) -> int:
        """A value whose memory is computed by this program and belongs to one output or update: others are copied."""
        root = self.root(number)
        if self.values[root].kind == "nest" and root not in self.owners:
            self.owners.add(root)
            return number
        value = self.values[number]
        load = Load(number, identity(len(value.shape)), value.dtype)
        expr = self.read(number, ()) if value.kind == "const" and not value.shape else load
        return self.append(
            value.node,
            Type(value.dtype, value.shape),
            "nest",
            Loop(axes=value.shape, expr=expr, dtype=value.dtype),
        )

    def prepared(self, at: int, loop: Loop, seen: Sequence[tuple[int, Shape]]) -> Loop:
        """``loop`` over value numbers, unit axes dropped, data movement of its operands read through."""
        contraction = bool(loop.combine) and isinstance(loop.expr, Call) and loop.expr.fn == "mul"
        count = product(loop.axes + loop.reduce)

        def inside(index: Sequence[Expr], shape: Shape) -> tuple[Expr, ...]:
            kept = [
                self.within(at, i, rebuild(i, visit), seen, d, count)
                for i, d in zip(index, shape, strict=True)
            ]
            return tuple(i for i, d in zip(kept, shape, strict=True) if d != 1)

        def visit(expr: Expr) -> Expr | None:
            if not isinstance(expr, Load):
                return None
            number, shape = seen[expr.source]
            return self.read(number, inside(expr.index, shape), only_loads=contraction)

        made = _map_expressions(_squeeze(loop), lambda e: fold(rebuild(e, visit)), scattered=False)
        if made.scatter is None:
            return made
        target = tuple(fold(i) for i in inside(made.scatter, made.scatter_shape))
        return replace(made, scatter=target, scatter_shape=tuple(d for d in made.scatter_shape if d != 1))

    def within(
        self, at: int, declared: Expr, index: Expr, seen: Sequence[tuple[int, Shape]], size: Dim, count: Dim
    ) -> Expr:
        """``index`` kept inside ``size`` where it is computed data, so that no kernel leaves its memory.

        Indices that are elements of inputs and constants are checked before a kernel runs, and stay as they are.
        """
        if not any(isinstance(e, Load) for e in walk(declared)):
            return index
        held = self.holder(declared, index, seen)
        self.lookups[Lookup(at, held, size, count)] = None
        if held is not None:
            return index
        last = call("sub", Extent(size), Const(1, DType.I64))
        return call("maximum", call("minimum", index, last), Const(0, DType.I64))

    def holder(self, declared: Expr, index: Expr, seen: Sequence[tuple[int, Shape]]) -> int | None:
        """The node of the input or constant of which ``index`` is an element; None if it is computed."""
        load, first = looked_up(index), looked_up(declared)
        if load is not None:
            number = load.source
        elif first is not None:  # a constant of one element has been read as a literal already
            number = seen[first.source][0]
        else:
            return None
        value = self.values[self.root(number)]
        return value.node if value.kind == "const" or (value.kind == "input" and load is not None) else None

    def root(self, number: int) -> int:
        while self.values[number].kind == "view":
            number = self.values[number].source
        return number

    def read(self, number: int, index: tuple[Expr, ...], *, only_loads: bool = False) -> Expr:
        """The value at ``index``: a literal, a load, or the loads that data movement comes down to."""
        value = self.values[number]
        if value.kind == "const" and not value.shape and not only_loads:
            return Const(self.graph.nodes[value.node].param["value"].item(), value.dtype)
        if (
            value.loop is None
            or not moves_data(value.loop)
            or (only_loads and not isinstance(value.loop.expr, Load))
        ):
            return Load(number, index, value.dtype)
        inlined = at_index(value.loop.expr, index)
        small = sum(1 for _ in walk(inlined)) <= INLINE_LIMIT
        return inlined if small else Load(number, index, value.dtype)


def _drop_unused(program: NestProgram) -> NestProgram:
    """``program`` with only the values that outputs and updates need, renumbered."""
    live: set[int] = set()
    stack = [*program.outputs.values(), *program.updates.values(), *program.updates]
    while stack:
        number = stack.pop()
        if number not in live:
            live.add(number)
            stack.extend(sources(program.values[number]))
    kept = [v for v in program.values if v.number in live]
    new = {v.number: k for k, v in enumerate(kept)}
    return replace(
        program,
        values=tuple(renumber(v, new) for v in kept),
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

    loop = None if value.loop is None else _map_expressions(value.loop, lambda e: rebuild(e, visit))
    return replace(value, number=new[value.number], loop=loop, source=new.get(value.source, -1))


def moves_data(loop: Loop | None) -> bool:
    """Whether a nest computes nothing: it only reads, places, compares or numbers elements."""
    if loop is None or loop.combine or loop.scatter is not None:
        return False
    return not any(
        isinstance(e, Call) and e.dtype.is_float and e.fn not in ("guard", "cast") for e in walk(loop.expr)
    )


def _squeeze(loop: Loop) -> Loop:
    """``loop`` without its axes of size 1, which are read at 0."""
    dims = (*loop.axes, *loop.reduce)
    renumbered: dict[int, Expr] = {}
    for number, dim in enumerate(dims):
        used = sum(1 for d in dims[:number] if d != 1)
        renumbered[number] = Const(0, DType.I64) if dim == 1 else Axis(used)
    mapped = _map_expressions(loop, lambda e: at_index(e, renumbered))
    reduce = tuple(d for d in loop.reduce if d != 1)
    made = replace(mapped, axes=tuple(d for d in loop.axes if d != 1), reduce=reduce)
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


def _map_expressions(loop: Loop, visit: Callable[[Expr], Expr], *, scattered: bool = True) -> Loop:
    scatter = loop.scatter if loop.scatter is None or not scattered else tuple(visit(e) for e in loop.scatter)
    return replace(loop, expr=visit(loop.expr), scatter=scatter)


__all__ = ["NestProgram", "Value", "describe", "expand", "moves_data", "renumber", "sources", "text"]
