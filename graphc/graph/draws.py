"""Random draws as values of a graph: how they are declared, and where the generator stands.

A draw is a function of the graph's seed, the name of its stream, fixed here once and for all, the position of the
generator, and the number of the element. The position is a state, ``random.step``, which training advances by one a
call; in the step of a loop the number of the step is mixed into it.
"""

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

from graphc.errors import GraphcError, GraphError
from graphc.graph.handle import Handle
from graphc.types import DType, as_shape

if TYPE_CHECKING:
    from graphc.graph.core import Graph

STEP = "random.step"


def uniform(
    graph: Graph, shape: Any = (), *, low: Any = 0.0, high: Any = 1.0, dtype: Any = "float32"
) -> Handle:
    """Numbers drawn evenly from [``low``, ``high``), which are numbers or nodes; anew at each training step.

    ``shape`` as for inputs; float32 has 24 random bits, float64 has 53. Raises ``DTypeError`` for a dtype that is not
    floating.

    >>> import graphc as gc
    >>> g = gc.Graph("noise", seed=0)
    >>> program = gc.compile({"u": g.uniform((2, 3))}, mode="train")
    >>> first, second = program()["u"], program()["u"]
    >>> bool((first != second).all()), program.states["random.step"]
    (True, array(2))
    """
    if not all(isinstance(bound, (Real, Handle)) or hasattr(bound, "__array__") for bound in (low, high)):
        raise GraphError(f"low and high are {low!r} and {high!r}; give numbers or nodes").located(
            "uniform", graph.here().place
        )
    found = _drawn(graph, "uniform", shape, dtype=DType.of(dtype).long)
    scaled = found if _is(high, 1) and _is(low, 0) else found * (high - low)
    return scaled if _is(low, 0) else scaled + low


def normal(
    graph: Graph, shape: Any = (), *, mean: Any = 0.0, std: Any = 1.0, dtype: Any = "float32"
) -> Handle:
    """Numbers drawn from the normal distribution of ``mean`` and ``std``, which are numbers or nodes.

    Derivatives go through ``mean + std * draw``. Box and Muller's transformation of two uniform numbers, of which
    float32 has 32 and 32 random bits, float64 53 and 53. Raises ``DTypeError`` for a dtype that is not floating, and
    ``GraphError`` for a negative number as ``std``.

    >>> import graphc as gc
    >>> g = gc.Graph("sample", seed=1)
    >>> mean = g.param("mean", (2,))
    >>> sample = g.normal((1000, 2), mean=mean, std=0.5)
    >>> gc.interpret(gc.grad(gc.sum(sample), mean)).tolist()
    [1000.0, 1000.0]
    """
    if isinstance(std, (int, float)) and not std >= 0:
        raise GraphError(f"std is {std}; give a number of at least 0").located("normal", graph.here().place)
    found = _drawn(graph, "normal", shape, dtype=DType.of(dtype).long)
    scaled = found if _is(std, 1) else found * std
    return scaled if _is(mean, 0) else scaled + mean


def bernoulli(graph: Graph, p: Any, shape: Any = ()) -> Handle:
    """Booleans that are true with probability ``p``, a number or a node that broadcasts.

    Raises ``GraphError`` for a number outside [0, 1].

    >>> import graphc as gc
    >>> g = gc.Graph("coins", seed=2)
    >>> round(float(gc.interpret(gc.mean(g.bernoulli(0.3, (10_000,))))), 1)
    0.3
    """
    if isinstance(p, Handle):
        return uniform(graph, shape, dtype=p.dtype) < p
    if not isinstance(p, (int, float)) or not 0 <= p <= 1:
        raise GraphError(f"p is {p!r}; give a probability between 0 and 1").located(
            "bernoulli", graph.here().place
        )
    return _drawn(graph, "bernoulli", shape, p=float(p))


def _is(value: Any, number: int) -> bool:
    return isinstance(value, Real) and float(value) == number


def _drawn(graph: Graph, op: str, shape: Any, **params: Any) -> Handle:
    """A draw under a name that no other draw of the graph has."""
    try:
        sizes = as_shape(shape)
    except GraphcError as error:
        raise error.located(op, graph.here().place) from None
    seed = graph.outermost.seed
    return graph.add(op, (position(graph),), shape=sizes, seed=seed, stream=_free_stream(graph), **params)


def _free_stream(graph: Graph) -> str:
    taken, layer, count = graph.outermost.streams, graph.here().layer, 0
    while f"{layer}:{count}" in taken:
        count += 1
    return f"{layer}:{count}"


def position(graph: Graph) -> Handle:
    """Where the generator stands in this step of training, and in this step of the loop that is being declared."""
    around = graph.around
    if around is None:
        return _state(graph)
    return graph.add("fold_in", (around.bring(position(around.graph)), around.time()))


def _state(graph: Graph) -> Handle:
    if STEP not in graph.named:
        with graph.on_behalf_of([replace(graph.here(), layer="")]):  # it belongs to the graph as a whole
            state = graph.state(STEP, (), "int64")
            with graph.role("update"):
                graph.set_update(state, state + 1)
    found = graph[STEP]
    if found.node.op != "state" or found.dtype is not DType.I64 or found.shape:
        kind = f"{found.node.op} {found.type}"
        raise GraphError(
            f"{STEP!r} is the {kind}, where random draws count steps; give it another name"
        ).located("random", found.place)
    return found


__all__ = ["STEP", "bernoulli", "normal", "position", "uniform"]
