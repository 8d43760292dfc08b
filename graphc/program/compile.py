"""``compile``: from declared nodes to a program, read as the list of its stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphc.diff.reverse import ByNode
from graphc.errors import CompileError, GraphError, InputError, SizeError
from graphc.graph import Cone, Graph, Handle, check_update, key_text
from graphc.graph.draws import STEP
from graphc.lower.fuse import TILES
from graphc.lower.regions import TIME
from graphc.passes import DEFAULT, pipeline, run
from graphc.program.lowered import lower
from graphc.program.program import Program
from graphc.program.stages import Stages
from graphc.program.store import store_of
from graphc.rewrite import stabilise as stabilise_pass
from graphc.size import dim_symbols

KEPT = (TILES, TIME)  # begin the names of sizes that kernels count with


def compile(
    outputs: Any = None,
    *,
    updates: Mapping[Handle, Handle] | None = None,
    params: Any = None,
    mode: str | None = None,
    stabilise: bool = True,
    name: str | None = None,
    verify: bool = False,
) -> Program:
    """Compile ``outputs`` and ``updates`` into one program.

    outputs:   a mapping of names to nodes, or one node (then called ``"out"``); the answer of ``gc.grad`` is such a
               mapping, its gradients called as what they are by
    updates:   ``{parameter or state: next value}``, as optimisers return; applied in place at each call
    params:    another program's ``.params`` to share its memory, or a mapping of names to arrays to start from
    mode:      ``"train"`` or ``"eval"`` resolves ``gc.phase``; training mode also applies updates attached to states.
               Default: ``"train"`` when there are updates
    stabilise: False compiles formulas exactly as written
    verify:    check the graph after each pass

    Raises ``GraphError`` for nodes of several graphs or a wrong target of an update, ``ShapeError`` and ``DTypeError``
    when an update does not fit its target, ``InputError`` when ``params`` do not fit.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x = g.input("x", ("N", 3))
    >>> program = gc.compile({"y": gc.sum(x * x, axis=1)})
    >>> program(x=[[1, 2, 3]])["y"]
    array([14.], dtype=float32)
    """
    mode = mode or ("train" if updates else "eval")
    declared = declare(outputs, updates, mode)
    store = store_of(params, declared.graph)
    passes = [p for p in DEFAULT if stabilise or p is not stabilise_pass]
    result = run(declared, pipeline(mode, passes), verify=verify)
    lowered = lower(result.cone, name or declared.graph.name)
    stages: dict[str, Any] = {"declared": declared}
    for step in result.history:
        label, count = step.name, 2
        while label in stages:
            label, count = f"{step.name} {count}", count + 1
        stages[label] = step.after
    stages |= {
        "nests": lowered.nests,
        "layout": lowered.layout,
        "schedule": lowered.schedule,
        "module": lowered.module,
    }
    inputs = tuple(declared.graph.handle(at) for at in _inputs(declared))
    options = {"mode": mode, "stabilise": stabilise, "name": name or declared.graph.name}
    shown = Stages(inputs, stages, tuple(applied for _, applied in result.applied), options)
    return Program(shown, result.cone, lowered.schedule, lowered.module, store, lowered.checks)


def declare(outputs: Any, updates: Any, mode: str) -> Cone:
    """The cone that a call of ``compile`` asks for."""
    named = {"out": outputs} if isinstance(outputs, Handle) else _mapping(outputs, "outputs")
    if isinstance(updates, ByNode) or callable(updates):
        what = "gradients" if isinstance(updates, ByNode) else repr(updates)
        raise GraphError(
            f"updates: {what} are no next values; give those of an optimiser, as in gc.optim.SGD(0.1)(gc.grad(loss))"
        )
    updates = _mapping(updates, "updates")
    graph = _one_graph(
        [(f"output {key_text(key)!r}", node) for key, node in named.items()] + _updated(updates)
    )
    for target, value in updates.items():
        if target.node.op not in ("param", "state"):
            raise GraphError("it cannot be updated; give parameters and states").located(
                target.label, target.place
            )
        check_update(target, value)
    found = {target.id: value.id for target, value in updates.items()}
    cone = Cone(graph, {key_text(key): node.id for key, node in named.items()}, found)
    if mode == "train":
        cone = Cone(graph, cone.outputs, {**_attached(graph, cone), **found})
    _check_sizes(cone)
    return cone


def _check_sizes(cone: Cone) -> None:
    """Raise ``SizeError`` for a size whose name kernels use to count their tiles."""
    for handle in map(cone.graph.handle, _inputs(cone)):
        taken = [
            (s, kept) for d in handle.shape for s in dim_symbols(d) for kept in KEPT if s.startswith(kept)
        ]
        if taken:
            raise SizeError(
                f"size {taken[0][0]!r} has a name kept for kernels; choose one without {taken[0][1]!r}"
            ).located(handle.label, handle.place)


def _mapping(given: Any, what: str) -> dict[Any, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise GraphError(
            f"{what} {given!r} are no mapping; give nodes by name, such as {{'y': y}}, and updates by parameter"
        )
    return dict(given or {})  # pyright: ignore[reportUnknownArgumentType]


def _attached(graph: Graph, cone: Cone) -> dict[int, int]:
    """Of each state without an update, the first of those attached that needs no inputs beyond the program's."""
    inputs = set(_inputs(cone))
    found: dict[int, int] = {}
    for state, value in graph.state_updates.items():
        values = () if state in cone.updates else (value, *graph.stand_ins[state])
        for fitting in (at for at in values if _needed(graph, at) <= inputs):
            found.setdefault(state, fitting)
    return found if _draws(graph, cone, found) else {k: v for k, v in found.items() if k != graph.named[STEP]}


def _draws(graph: Graph, cone: Cone, attached: Mapping[int, int]) -> bool:
    """Whether random numbers depend on the generator's position, which moves on only where they are drawn."""
    position = graph.named.get(STEP)
    others = [value for state, value in attached.items() if state != position]
    return position is None or position in graph.ancestors([*cone.nodes, *others])


def _needed(graph: Graph, at: int) -> set[int]:
    """The inputs that node ``at`` depends on."""
    return {i for i in graph.ancestors([at]) if graph.nodes[i].op == "input"}


def _inputs(cone: Cone) -> list[int]:
    """Inputs in order of declaration."""
    return [at for at in cone.nodes if cone.graph.nodes[at].op == "input"]


def _updated(updates: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    named = [(target.label if isinstance(target, Handle) else repr(target), target) for target in updates]
    values = [(f"the update of {name}", updates[target]) for name, target in named]
    return [("what is updated", target) for _, target in named] + values


def _one_graph(parts: Sequence[tuple[str, Any]]) -> Graph:
    for what, value in parts:
        if not isinstance(value, Handle):
            raise GraphError(f"{what} is {value!r}, not a node; give nodes of a graph")
    graphs = {id(value.graph): value.graph for _, value in parts}
    if len(graphs) != 1:
        what = "there is nothing to compile" if not graphs else f"nodes belong to {len(graphs)} graphs"
        raise GraphError(f"{what}; give outputs or updates of one graph")
    return next(iter(graphs.values()))


__all__ = ["CompileError", "InputError", "compile", "declare"]
