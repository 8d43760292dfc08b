"""The body of a loop: one step as a frozen graph, and the graph in which it is declared.

A body is a parameter of a node. Its inputs are, in this order, the carries, what is scanned (one slice a step) and
what stays fixed; ``following`` are the nodes that the carries become. Its text form is that of a graph, in which the
inputs' names tell their kinds, with one more line:

    %0: f32[4] = input(name='carry0')
    %1: f32[4] = input(name='each0')
    %2: f32[4] = add(%0, %1)
    next %2
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from graphc import registry
from graphc.errors import GraphError
from graphc.graph.core import Graph
from graphc.graph.handle import Handle
from graphc.graph.node import Node, Parameter
from graphc.graph.text import MAKERS, parse, print_node
from graphc.size import Size, substitute

CARRY, EACH, FIXED = KINDS = ("carry", "each", "fixed")
_NEXT = re.compile(r"next((?: %\d+,?)*)")


class Body(Parameter):
    """One step of a loop. ``graph`` is never appended to again; equal texts are equal bodies.

    >>> body = read_body("%0: f32[] = input(name='carry0')\\n%1: f32[] = mul(%0, %0)\\nnext %1")
    >>> body.carries, body.following, body == read_body(body.text)
    ([0], (1,), True)
    """

    def __init__(self, graph: Graph, following: Sequence[int]) -> None:
        self.graph = graph
        self.following = tuple(following)

    def of_kind(self, kind: str) -> list[int]:
        """The inputs of one kind, by node id."""
        return [at for at, node in enumerate(self.graph.nodes) if kind_of(node) == kind]

    @cached_property
    def carries(self) -> list[int]:
        return self.of_kind(CARRY)

    @cached_property
    def each(self) -> list[int]:
        return self.of_kind(EACH)

    @cached_property
    def fixed(self) -> list[int]:
        return self.of_kind(FIXED)

    @property
    def inputs(self) -> list[int]:
        """All inputs, in the order of a loop's operands."""
        return [*self.carries, *self.each, *self.fixed]

    @cached_property
    def text(self) -> str:
        lines = [print_node(self.graph, at) for at in range(len(self.graph))]
        return "\n".join([*lines, f"next {', '.join(f'%{at}' for at in self.following)}".rstrip()])

    @property
    def literal(self) -> str:
        return f"body({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and (self is other or self.text == other.text)

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"<body of {len(self.graph)} nodes>"

    def copied(
        self, sizes: Mapping[str, int] | None = None, change: Callable[[Node], Node] | None = None
    ) -> Graph:
        """The graph again, to be appended to: every node keeps its id; symbols in ``sizes`` become ints."""
        target = Graph(self.graph.name)
        for at, node in enumerate(self.graph.nodes):
            with target.on_behalf_of(self.graph.origins(at)):
                _copy(target, node if change is None else change(node), sizes or {})
        return target

    def bound(self, sizes: Mapping[str, int]) -> Body:
        return Body(self.copied(sizes), self.following) if _is_symbolic(self.text) else self


def kind_of(node: Node) -> str:
    """Which kind of input ``node`` is; ``""`` for all else."""
    return re.sub(r"\d+$", "", str(node.param["name"])) if node.op == "input" else ""


def body_of(node: Node) -> Body | None:
    """The body that ``node`` repeats, if it is a loop."""
    return next((value for _, value in node.params if isinstance(value, Body)), None)


def together(graph: Graph, nodes: Iterable[int]) -> dict[int, list[int]]:
    """Of ``nodes``, those that are results of one computation, a loop for instance: by each, all of it."""
    groups: dict[Any, list[int]] = {}
    for at in nodes:
        node = graph.nodes[at]
        chosen = () if node.is_leaf else registry.lookup(node.op).selects
        if chosen:
            rest = tuple(p for p in node.params if p[0] not in chosen)
            groups.setdefault((node.op, node.operands, rest), []).append(at)
    return {at: group for group in groups.values() for at in group}


def _is_symbolic(text: str) -> bool:
    return bool(re.search(r"dim\(|\[[^\]]*[A-Za-z_]", text))


def _copy(target: Graph, node: Node, sizes: Mapping[str, int]) -> Handle:
    if node.op == "input":
        shape = tuple(substitute(d, sizes) for d in node.type.shape)
        return target.input(node.param["name"], shape, node.type.dtype)
    if node.is_const:
        return target.constant(node.param["value"])
    operands = [target.handle(i) for i in node.operands]
    return target.add(
        node.op, operands, **{name: bind_parameter(value, sizes) for name, value in node.params}
    )


def bind_parameter(value: Any, sizes: Mapping[str, int]) -> Any:
    """A node's parameter with the sizes that are known put in."""
    match value:
        case Size():
            return substitute(value, sizes)
        case Parameter():
            return value.bound(sizes)
        case tuple():
            return tuple(bind_parameter(v, sizes) for v in value)  # pyright: ignore[reportUnknownVariableType]
        case _:
            return value


def read_body(text: str) -> Body:
    """The body that ``text`` describes; raises ``GraphError`` for a text of another form."""
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise GraphError(f"a body is given as {text!r}; give its text form")
    *lines, last = text.splitlines() or [""]
    found = _NEXT.fullmatch(last)
    graph = parse("\n".join(lines), "body")
    if found is None:
        raise GraphError(f"a body ends with {last[:40]!r}; end it with a line such as 'next %2'")
    body = Body(graph, [int(at) for at in re.findall(r"\d+", found.group(1))])
    check_body(body)
    return body


MAKERS["body"] = read_body


def check_body(body: Body) -> None:
    """Raise ``GraphError`` where a body is not well formed."""
    graph = body.graph
    kinds = [kind_of(node) for node in graph.nodes if node.is_leaf and not node.is_const]
    if [kind for kind in KINDS for k in kinds if k == kind] != kinds:
        listed = ", ".join(kind or "another leaf" for kind in kinds)
        raise GraphError(f"a body has the inputs ({listed}); put carries first, then each, then fixed")
    if any(at >= len(graph) for at in body.following):
        raise GraphError(f"a body of {len(graph)} nodes goes on with {body.following}; name nodes of it")
    if len(body.following) != len(body.carries):
        counts = f"{len(body.carries)} carries and {len(body.following)} next values"
        raise GraphError(f"a body has {counts}; give one for each")
    for at, after in zip(body.carries, body.following, strict=True):
        if graph.nodes[at].type != graph.nodes[after].type:
            both = f"{graph.nodes[at].type} into {graph.nodes[after].type}"
            raise GraphError(f"a body turns a carry of type {both}; make the types equal")


class Around:
    """The graph around a loop whose step is being declared in ``step``: its values enter the step as fixed inputs.

    ``time`` gives the number of the step as a node in it.
    """

    def __init__(self, graph: Graph, step: Graph, time: Callable[[], Handle]) -> None:
        self.graph = graph
        self.step = step
        self.time = time
        self.brought: dict[
            int, Handle
        ] = {}  # by the number of the node outside: what stands for it in the step

    def bring(self, value: Handle) -> Handle:
        """What stands in the step for ``value`` of the graph around: constants are copied, all else is an input."""
        outside = self.graph.brought(value)
        if outside.node.is_const:
            return self.step.constant(outside.node.param["value"])
        if outside.id not in self.brought:
            name = f"{FIXED}{len(self.brought)}"
            self.brought[outside.id] = self.step.input(name, outside.shape, outside.dtype)
        return self.brought[outside.id]


__all__ = [
    "CARRY",
    "EACH",
    "FIXED",
    "Around",
    "Body",
    "bind_parameter",
    "body_of",
    "check_body",
    "kind_of",
    "read_body",
    "together",
]
