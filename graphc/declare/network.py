"""Networks declared in plain networkx: each node an input, a parameter, a constant, an op or a formula."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from graphc.declare.expression import is_sympy, read_sympy
from graphc.declare.formula import Formula, Value
from graphc.declare.functions import apply_named
from graphc.declare.text import read_text
from graphc.errors import ExpressionError, GraphcError, GraphError
from graphc.graph import LEAVES, Graph, Handle
from graphc.graph.imported import Declared, Name, brief, graph_name, listed, read_networkx

# What each kind of leaf takes beside op= and layer=: (required, optional).
_LEAF_ATTRIBUTES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "input": ((), ("shape", "dtype")),
    "param": ((), ("shape", "dtype", "init")),
    "state": ((), ("shape", "dtype", "init")),
    "const": (("value",), ("dtype",)),
}


@dataclass(frozen=True, slots=True)
class Imported:
    """A graph read from networkx, and for every networkx node its handle.

    ``net["z"]`` is the handle of node ``"z"``; ``net.outputs`` holds the nodes that no other reads, by their
    name as text, ready for ``gc.compile``.
    """

    graph: Graph
    nodes: Mapping[Name, Handle]
    outputs: Mapping[str, Handle]

    def __getitem__(self, name: Name) -> Handle:
        """The handle of the networkx node ``name``; raises ``GraphError`` with the nearest name."""
        if name not in self.nodes:
            near = difflib.get_close_matches(str(name)[:100], [str(n) for n in self.nodes], n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the nodes are {listed(self.nodes)}"
            raise GraphError(f"network {self.graph.name!r} has no node {brief(name)}; {hint}")
        return self.nodes[name]


def from_networkx(dag: Any, name: str | None = None, *, seed: int = 0) -> Imported:
    """The network that a ``networkx.DiGraph`` (or ``MultiDiGraph``) declares.

    Every node carries one of

    - ``op="input"`` (``shape=``, ``dtype=``), ``op="param"`` or ``op="state"`` (``shape=``, ``init=``,
      ``dtype=``), ``op="const"`` (``value=``, ``dtype=``);
    - ``op=`` any op or public function, its parameters as further attributes, the parents its operands;
    - ``expr=`` a formula over the parents' names: a SymPy expression, or text. Text is read by a whitelist
      and never evaluated; names that are no identifiers stand in quotes (``"'lambda' * w**2"``).

    Operands are ordered by ``args=`` on the node (a list of parents, the same one twice if need be), else by
    ``operand=`` (0, 1, ...) on the edges, else as the edges were inserted (copies of a networkx graph may
    change that order). ``layer=`` names the node's layer; what an op or a formula builds gets a layer of the
    node's own name within it.

    Raises ``GraphError`` and ``ExpressionError`` naming the node: cycles, unknown ops and symbols, attributes
    missing or too many; ``ShapeError`` and ``DTypeError`` where operands do not fit.

    >>> import networkx
    >>> import graphc as gc
    >>> dag = networkx.DiGraph()
    >>> dag.add_node("x", op="input")
    >>> dag.add_node("w", op="param", init=2.0)
    >>> dag.add_node("y", expr="tanh(w * x)")
    >>> dag.add_edges_from([("x", "y"), ("w", "y")])
    >>> net = gc.from_networkx(dag)
    >>> net["y"].label
    'y (tanh)'
    """
    reader = _Network(Graph(graph_name(dag) if name is None else name, seed=seed))
    try:
        declared = read_networkx(dag)
        for node in declared:
            reader.nodes[node.name] = reader.build(node)
    except GraphcError as error:
        raise error.located(f"network {brief(reader.graph.name)}", reader.graph.here().place) from None
    outputs = {str(node.name): reader.nodes[node.name] for node in declared if node.is_sink}
    return Imported(reader.graph, MappingProxyType(reader.nodes), MappingProxyType(outputs))


@dataclass(frozen=True, slots=True)
class _Network:
    graph: Graph
    nodes: dict[Name, Handle] = field(default_factory=dict[Name, Handle])

    def build(self, node: Declared) -> Handle:
        try:
            return self._build(node)
        except GraphcError as error:
            raise error.located(f"node {brief(node.name)}") from None

    def _build(self, node: Declared) -> Handle:
        attributes = dict(node.attributes)
        layer, op, expr = (attributes.pop(key, None) for key in ("layer", "op", "expr"))
        if (op is None) == (expr is None):
            has = "neither op= nor" if op is None else "both op= and"
            raise GraphError(f"it has {has} expr=; give one of them")
        if op is not None and not isinstance(op, str):
            raise GraphError(f"op={op!r} is not a text; name an op, as in op='mul'")
        if op in LEAVES:
            with self.graph.scope(_text(layer)):
                return self._leaf(node, str(op), attributes)
        with self.graph.scope("/".join(filter(None, (_text(layer), str(node.name))))):
            return self._formula(node, expr, attributes) if op is None else self._op(node, op, attributes)

    def _leaf(self, node: Declared, op: str, attributes: dict[str, Any]) -> Handle:
        if node.operands:
            parents = listed(node.operands)
            raise GraphError(f"op={op!r} takes no operands, but has parents {parents}; remove the edges")
        _check_attributes(op, attributes)
        if op == "const":
            return self.graph.const(**attributes)
        if op == "param" and not attributes:
            raise GraphError("op='param' has neither shape= nor init=; give one of them")
        return getattr(self.graph, op)(str(node.name), **attributes)

    def _op(self, node: Declared, op: str, attributes: dict[str, Any]) -> Handle:
        made = apply_named(self.graph, op, self._operands(node.operands), attributes)
        if not isinstance(made, Handle):
            raise GraphError(
                f"op={op!r} gives {type(made).__name__}, not one value; use an op with one result"
            )
        return made

    def _formula(self, node: Declared, expr: Any, attributes: dict[str, Any]) -> Handle:
        if attributes:
            raise GraphError(f"a node with expr= takes no attribute {listed(attributes)}; remove it")
        formula = Formula(self.graph, self._by_text(node.operands))
        return formula.node(_value(expr, formula))

    def _by_text(self, operands: Sequence[Name]) -> dict[str, Handle]:
        found = {str(name): self.nodes[name] for name in operands}
        if len(found) < len(set(operands)):
            raise ExpressionError(f"parents {listed(operands)} have equal names as text; rename one of them")
        return found

    def _operands(self, names: Sequence[Name]) -> list[Handle]:
        return [self.nodes[name] for name in names]


def _value(expr: Any, formula: Formula) -> Value:
    if isinstance(expr, str):
        return read_text(expr, formula)
    if is_sympy(expr):
        return read_sympy(expr, formula)
    if isinstance(expr, (int, float)):
        return formula.number(expr)
    raise ExpressionError(f"expr= is a {type(expr).__name__}; give a SymPy expression or a text")


def _check_attributes(op: str, attributes: Mapping[str, Any]) -> None:
    required, optional = _LEAF_ATTRIBUTES[op]
    missing = [key for key in required if key not in attributes]
    if missing:
        raise GraphError(f"op={op!r} lacks {missing[0]}=; give it")
    strange = [key for key in attributes if key not in (*required, *optional)]
    if strange:
        takes = listed((*required, *optional))
        raise GraphError(f"op={op!r} takes no attribute {listed(strange)}; use {takes}")


def _text(layer: Any) -> str:
    return "" if layer is None else str(layer)


__all__ = ["Imported", "from_networkx"]
