"""The emitted module: one readable Python file a program, with its kernels and the parallel entry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from graphc import registry
from graphc.codegen.frame import Argument, KernelText
from graphc.codegen.kernel import write_kernel
from graphc.graph import Graph, Origin
from graphc.loops import FUNCTIONS
from graphc.lower.kernels import Kernel, row_bytes
from graphc.lower.regions import Region
from graphc.lower.schedule import Schedule
from graphc.lower.values import NestProgram, path_of
from graphc.runtime.launch import ENTRY
from graphc.types import Dim, product

#: Rows that a product takes at once; where tiles can have multiples of them, no part of one is left over.
HEIGHT = 8


@dataclass(frozen=True, slots=True)
class Step:
    """One call of a kernel: its argument block, how many rows, and what the work costs (symbolic in the sizes)."""

    kernel: str
    arguments: tuple[Argument, ...]
    rows: Dim
    tiles: tuple[str, ...]  # symbols that stand for its number of tiles
    product_flops: Dim  # of matrix products
    other_flops: Dim
    bytes: Dim
    block: int  # rows that a tile should have at least
    written: Dim  # bytes of the values that the kernel makes
    loops: tuple[Region, ...] = ()  # that repeat it, outermost first
    kept: int = 0  # bytes a row that a call keeps for itself

    @property
    def times(self) -> Dim:
        """How often a call of the program runs it."""
        return product(loop.length for loop in self.loops)

    @property
    def multiplies(self) -> bool:
        """Whether the kernel has a matrix product."""
        return self.product_flops != 0


@dataclass(slots=True)
class EmittedKernel:
    """A kernel of the module and the steps that call it."""

    name: str
    role: str
    text: KernelText
    steps: list[int] = field(default_factory=list[int])
    layers: list[str] = field(default_factory=list[str])
    formulas: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Module:
    """Source text, kernels and steps of a program."""

    source: str
    kernels: tuple[EmittedKernel, ...]
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return self.source


def emit(schedule: Schedule, name: str) -> Module:
    """The module of ``schedule``: kernels equal up to their buffers stand once."""
    program, by_body = schedule.program, dict[str, EmittedKernel]()
    steps: list[Step] = []
    for number, kernel in enumerate(schedule.kernels):
        text = write_kernel(schedule, kernel)
        emitted = by_body.get(text.body)
        if emitted is None:
            emitted = by_body[text.body] = _named(program, kernel, text, by_body)
        emitted.steps.append(number)
        emitted.layers += [x for x in layers_of(program, kernel) if x not in emitted.layers]
        steps.append(_step(schedule, kernel, emitted, text))
    kernels = tuple(by_body.values())
    return Module("\n".join(_lines(name, kernels)), kernels, tuple(steps))


def _named(
    program: NestProgram, kernel: Kernel, text: KernelText, known: dict[str, EmittedKernel]
) -> EmittedKernel:
    role, layers = role_of(program, kernel), layers_of(program, kernel)
    names = (role, layers[-1] if layers else _last_op(program, kernel))
    stem = "_".join(_word(name) for name in names if name)[:48]
    taken = {k.name for k in known.values()}
    name, count = stem, 2
    while name in taken:
        name, count = f"{stem}_{count}", count + 1
    return EmittedKernel(name, role, text, formulas=list(formulas_of(program, kernel)))


def _word(name: str) -> str:
    """``name`` as part of an identifier."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")


def _last_op(program: NestProgram, kernel: Kernel) -> str:
    return program.node(kernel.nests[-1].value).op.replace(".", "_")


def _origins(program: NestProgram, kernel: Kernel) -> Iterator[Origin]:
    """Where the nests of ``kernel`` were declared first."""
    for nest in kernel.nests:
        graph, at = program.origin(nest.value)
        yield from graph.origins(at)[:1]


def role_of(program: NestProgram, kernel: Kernel) -> str:
    """``update`` if the kernel computes part of an update, else ``backward`` or ``forward``."""
    roles = {o.role for o in _origins(program, kernel)}
    return next((r for r in ("update", "backward") if r in roles), "forward")


def layers_of(program: NestProgram, kernel: Kernel) -> list[str]:
    return list(dict.fromkeys(o.layer for o in _origins(program, kernel) if o.layer))


def formulas_of(program: NestProgram, kernel: Kernel) -> Iterator[str]:
    """One line a node: its formula and the line that declared it."""
    found = (program.origin(n.value) for n in kernel.nests)
    for graph, at in {(id(graph), at): (graph, at) for graph, at in found}.values():
        origins = graph.origins(at)
        place = f"   ({origins[0].short})" if origins and origins[0].short else ""
        yield f"%{at} = {formula(graph, at)}{place}"


def formula(graph: Graph, at: int) -> str:
    """Node ``at`` as a formula over its operands: names for leaves, ids for other nodes."""
    node = graph.nodes[at]
    if node.is_leaf:
        return node_text(graph, at)
    return registry.lookup(node.op).label([node_text(graph, i) for i in node.operands], node.param)


def node_text(graph: Graph, at: int) -> str:
    """How a node is called inside formulas."""
    node = graph.nodes[at]
    if node.op == "const" and not node.type.shape:
        return f"{node.param['value'].item():g}"
    return str(node.param["name"]) if "name" in node.param else f"%{at}"


def _step(schedule: Schedule, kernel: Kernel, emitted: EmittedKernel, text: KernelText) -> Step:
    products = [n.product for n in kernel.nests if n.product is not None]
    return Step(
        kernel=emitted.name,
        arguments=text.arguments,
        rows=product(kernel.group.rows),
        tiles=kernel.group.tiles,
        product_flops=sum((2 * product(p.sizes) for p in products), 0),
        other_flops=sum((n.loop.cost() for n in kernel.nests if n.product is None), 0),
        bytes=text.bytes,
        block=_least_rows(kernel),
        written=_made(schedule, kernel),
        loops=path_of(kernel.nests[0].value),
        kept=_kept(kernel),
    )


def _kept(kernel: Kernel) -> int:
    """Bytes of a row of the product, if any, whose rows a call keeps."""
    rows = len(kernel.group.rows)
    return sum(row_bytes(n, rows) for n in kernel.nests if kernel.place[n.number] == "block")


def _made(schedule: Schedule, kernel: Kernel) -> Dim:
    """How many bytes ``kernel`` puts into memory; what takes over the memory of another counts once."""
    stored = [n.value for n in kernel.nests if kernel.place[n.number] == "memory"]
    made = {(schedule.storage_of[v.number], v.start): v.size * v.dtype.itemsize for v in stored}
    return sum(made.values(), start=0)


def _least_rows(kernel: Kernel) -> int:
    """Rows below which a tile does not pay: those that a product takes at once, and sums of rows copy fewer."""
    summed = any(n.partial and product(n.value.shape[1:]) != 1 for n in kernel.nests)
    products = [n.product for n in kernel.nests if n.product is not None]
    if products and set(products[0].rows) & set(products[0].m):
        return 4 * HEIGHT if summed else HEIGHT
    return 8 if summed else 1


# ------------------------------------------------------------------------------------------------ the text


def _lines(name: str, kernels: Sequence[EmittedKernel]) -> Iterator[str]:
    body = "\n".join(k.text.body for k in kernels)
    title = re.sub(r"[^\w .-]", "_", name)[:80]
    yield f'"""{title}: kernels emitted by graphc. The text is cached by content; comments do not count."""'
    yield ""
    yield "from math import inf"
    yield ""
    yield from _imports(body)
    for kernel in kernels:
        yield "\n"
        yield from _comment(kernel)
        yield "@kernel"
        yield f"def {kernel.name}(lo, hi, args):"
        yield kernel.text.body or "    pass"
    yield "\n"
    yield ENTRY.rstrip()
    yield ""


def _imports(body: str) -> Iterator[str]:
    words = set(re.findall(r"\b[a-z_][a-z0-9_]*(?=\()", body + ENTRY))
    math = sorted(w for w in words if w.endswith(("_f32", "_f64")) and _is_mathematics(w.rsplit("_", 1)[0]))
    plain = {"range", "max", "min", "abs", "run", *math}
    language = sorted((words - plain) | {"kernel", "entry", "prange"})
    yield "from graphc.runtime.language import ("
    yield from (f"    {word}," for word in language)
    yield ")"
    if math:
        yield f"from graphc.runtime.vecmath import {', '.join(math)}"


def _is_mathematics(name: str) -> bool:
    return name in FUNCTIONS and FUNCTIONS[name].room == "mathematics"


def _comment(kernel: EmittedKernel) -> Iterator[str]:
    if kernel.layers:
        more = f" and {len(kernel.layers) - 6} more" if len(kernel.layers) > 6 else ""
        yield f"# layers: {_clean(', '.join(kernel.layers[:6]))}{more}"
    if len(kernel.steps) > 1:
        yield f"# {len(kernel.steps)} steps call it; for the first of them:"
    yield from (f"# {_clean(line)}" for line in kernel.formulas)


def _clean(text: str) -> str:
    """A comment stays one line, whatever names it quotes."""
    return re.sub(r"[^\x20-\x7e]", lambda m: m.group().encode("unicode_escape").decode(), text)[:160]
