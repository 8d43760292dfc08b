"""The NumPy meaning of a graph, node by node by each op's own reference: the oracle of what is compiled."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from graphc import registry
from graphc.binding import Array, Binder, SizeChecks, unknown_name
from graphc.errors import GraphcError, GraphError, InputError
from graphc.graph import Body, Cone, Graph, Handle, key_text, together
from graphc.graph.node import Node
from graphc.init import initial_value
from graphc.size import Size, compile_dims, dim_evaluate
from graphc.types import Type, shape_text

MODES = ("train", "eval")


def interpret(
    target: Any,
    /,
    *,
    mode: str = "eval",
    params: Mapping[Any, Any] | None = None,
    stabilise: bool = True,
    **inputs: Any,
) -> Any:
    """The value of ``target`` in NumPy.

    ``target``: a node (gives its array), a list or tuple of nodes (a list), a mapping of names to nodes (a
    dict; a key that is a node, as ``gc.grad`` returns them, stands for its name), a cone (its outputs by
    name, and its updates as ``"update <name>"``), or a graph (its sinks, by ``"%id"``). ``inputs`` and
    ``params`` give values by name; ``params`` also takes handles as keys, and names that are no Python
    identifiers. Parameters and states that are not given have their initial values. ``mode`` chooses a
    branch of ``gc.phase``. Formulas that overflow or cancel are computed in their stable form, as programs
    do; with ``stabilise=False``, and always for a cone, exactly as written. Results are new arrays. Raises
    ``InputError`` for what does not fit the declarations.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", ("N",))
    >>> interpret(x * 2 + 1, x=[1, 2])
    array([3., 5.], dtype=float32)
    """
    if mode not in MODES:
        raise InputError(f"mode {mode!r} is unknown; use 'train' or 'eval'")
    graph, roots = _roots(target)
    given = {**_by_name(graph, params or {}), **inputs}
    if stabilise and not isinstance(target, Cone):
        graph, roots, given = _stable(graph, roots, given)
    run = start(graph, list(roots.values()), given, mode)
    values = run.evaluate(list(roots.values()))
    results = {name: np.array(values[at], order="C") for name, at in roots.items()}
    if isinstance(target, Handle):
        return results["0"]
    return list(results.values()) if isinstance(target, (list, tuple)) else results


def _stable(
    graph: Graph, roots: Mapping[str, int], given: Mapping[str, Any]
) -> tuple[Graph, Mapping[str, int], Mapping[str, Any]]:
    """The stable form of ``roots``, in a graph of its own, and what of ``given`` belongs to it."""
    from graphc.rewrite import stabilised

    _known(graph, given)
    done = stabilised(Cone(graph, roots)).cone
    if done.graph is graph:
        return graph, roots, given
    return done.graph, done.outputs, {name: v for name, v in given.items() if name in done.graph.named}


def _known(graph: Graph, given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in graph.named:
            raise unknown_name(name, graph.named)


def _roots(target: Any) -> tuple[Graph, dict[str, int]]:
    """The graph and the node ids, by name, that ``target`` stands for."""
    match target:
        case Handle():
            return target.graph, {"0": target.id}
        case Graph():
            return target, {f"%{at}": at for at in _sinks(target)}
        case Cone():
            updates = {
                f"update {target.graph.handle(leaf).name}": value for leaf, value in target.updates.items()
            }
            return target.graph, {**target.outputs, **updates}
        case Mapping():
            return _named({key_text(name): node for name, node in target.items()})  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list() | tuple():
            return _named({str(k): node for k, node in enumerate(target)})  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            raise GraphError(
                f"{target!r} cannot be interpreted; give a node, nodes by name, a cone or a graph"
            )


def _named(nodes: Mapping[str, Any]) -> tuple[Graph, dict[str, int]]:
    for name, node in nodes.items():
        if not isinstance(node, Handle):
            raise GraphError(f"target {name!r} is {node!r}, not a node; give nodes of a graph")
    graphs = {id(node.graph): node.graph for node in nodes.values()}
    if len(graphs) != 1:
        what = f"the targets belong to {len(graphs)} graphs" if graphs else "there is nothing to interpret"
        raise GraphError(f"{what}; give nodes of one graph")
    return next(iter(graphs.values())), {name: node.id for name, node in nodes.items()}


def _sinks(graph: Graph) -> list[int]:
    used = {operand for node in graph.nodes for operand in node.operands}
    return [at for at in range(len(graph)) if at not in used]


def _by_name(graph: Graph, params: Mapping[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in params.items():
        if isinstance(key, Handle) and (key.graph is not graph or not key.name):
            raise GraphError(
                f"{key!r} is not an input, parameter or state of graph {graph.name!r}; give one of its leaves"
            )
        found[key.name if isinstance(key, Handle) else str(key)] = value
    return found


def start(graph: Graph, roots: Iterable[int], given: Mapping[str, Any], mode: str = "eval") -> Run:
    """A run whose inputs, parameters, states and sizes are bound from values ``given`` by name."""
    _known(graph, given)
    named = graph.named
    run = Run(graph, mode)
    leaves = [at for at in run.needed(roots) if graph.nodes[at].op in ("input", "param", "state")]
    inputs = [at for at in leaves if graph.nodes[at].op == "input"]
    wanted = dict.fromkeys([*(graph.handle(at).name for at in inputs), *given])
    arrays, run.sizes = Binder({name: graph[name].type for name in wanted})(given)
    SizeChecks(graph, _required(graph, run.needed(roots)))(run.sizes)
    run.values = {named[name]: array for name, array in arrays.items()}
    run.values |= {at: initial_value(graph, graph.handle(at)) for at in leaves if at not in run.values}
    return run


def _required(graph: Graph, needed: Sequence[int]) -> list[Any]:
    nodes = set(needed)
    return [required for required in graph.required if required.node in nodes]


@dataclass(slots=True)
class Run:
    """One interpretation: what is known so far, by node id, under fixed sizes."""

    graph: Graph
    mode: str = "eval"
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    values: dict[int, Array] = field(default_factory=dict[int, Array])

    def operands(self, at: int) -> tuple[int, ...]:
        """What node ``at`` reads in this mode: of a phase, only the branch taken."""
        node = self.graph.nodes[at]
        return (node.operands[MODES.index(self.mode)],) if node.op == "phase" else node.operands

    def needed(self, roots: Iterable[int]) -> list[int]:
        """``roots`` and what must be known for them, in topological order, stopping at what is known."""
        return self.graph.ancestors(roots, lambda at: () if at in self.values else self.operands(at))

    def evaluate(self, roots: Sequence[int]) -> dict[int, Array]:
        """The values of ``roots``; a value that nothing needs any more is dropped on the way."""
        order = self.needed(roots)
        values = {at: self.values[at] for at in order if at in self.values}
        todo = [at for at in order if at not in values]
        uses = Counter(operand for at in todo for operand in set(self.operands(at)))
        uses.update(roots)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            groups = together(self.graph, todo)
            for at in todo:
                group = groups.get(at, [at])
                if at == group[0]:
                    values.update(zip(group, self._values(group, values), strict=True))
                self._drop(at, values, uses)
        return values

    def _drop(self, at: int, values: dict[int, Array], uses: Counter[int]) -> None:
        for operand in set(self.operands(at)):
            uses[operand] -= 1
            if not uses[operand]:
                del values[operand]

    def _values(self, group: Sequence[int], values: Mapping[int, Array]) -> list[Array]:
        """The values of nodes that are one computation: one node, or several values of a loop."""
        at, node = group[0], self.graph.nodes[group[0]]
        operands = [values[operand] for operand in self.operands(at)]
        if node.op == "phase":
            return operands
        if node.is_const:
            return [node.param["value"].array]
        try:
            return self._apply([self.graph.nodes[k] for k in group], operands)
        except GraphcError as error:
            raise error.located(self.graph.handle(at).label, self.graph.handle(at).place) from None
        except (IndexError, ValueError) as error:
            handle = self.graph.handle(at)
            raise InputError(f"{error}; give inputs that fit").located(handle.label, handle.place) from None

    def _apply(self, nodes: Sequence[Node], operands: Sequence[Array]) -> list[Array]:
        op, kinds = registry.lookup(nodes[0].op), [self._concrete_type(node) for node in nodes]
        params = [self._params(node) for node in nodes]
        if op.results is None:
            found = [op.reference(operands, params[0], kinds[0])]
        else:
            found = op.results(operands, params, kinds)
        for value, kind in zip(found, kinds, strict=True):
            if np.shape(value) != kind.shape or value.dtype != kind.dtype.numpy:
                given = f"{value.dtype}{list(value.shape)}"
                raise GraphError(
                    f"the reference of {op.name} gives {given} where {kind} is inferred; mend the op"
                )
        return [np.asarray(value) for value in found]

    def _params(self, node: Node) -> dict[str, Any]:
        params = {name: concrete(value, self.sizes) for name, value in node.params}
        if self.mode == "eval":
            return params
        return {name: _trained(value) if isinstance(value, Body) else value for name, value in params.items()}

    def _concrete_type(self, node: Node) -> Type:
        shape = node.type.shape
        if all(isinstance(d, int) for d in shape):
            return node.type
        sizes = compile_dims(shape)(self.sizes)
        if min(sizes) < 0:
            raise InputError(
                f"its shape {shape_text(shape)} would be {sizes}; sizes are at least 0, give larger inputs"
            )
        return Type(node.type.dtype, sizes)


def _trained(body: Body) -> Body:
    """``body`` with the branches of each phase exchanged: a phase by itself is its second operand."""
    phases = any(node.op == "phase" for node in body.graph.nodes)
    return Body(body.copied(change=_exchanged), body.following) if phases else body


def _exchanged(node: Node) -> Node:
    return replace(node, operands=node.operands[::-1]) if node.op == "phase" else node


def concrete(value: Any, sizes: Mapping[str, int]) -> Any:
    """A node's parameter with every symbolic size replaced by its value."""
    if isinstance(value, Size):
        return dim_evaluate(value, sizes)
    if isinstance(value, Body):
        return value.bound(sizes)
    if isinstance(value, tuple):
        return tuple(concrete(v, sizes) for v in value)  # pyright: ignore[reportUnknownVariableType]
    return value


__all__ = ["MODES", "Run", "concrete", "interpret", "start"]
