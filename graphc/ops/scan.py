"""Loops: the op ``scan`` repeats a body, a frozen graph of one step, and is one of the values that the steps make.

A loop has carries, which each step takes from the one before, scanned operands, of which it sees one slice, and fixed
operands. Each wanted value is a node of its own; nodes that differ in nothing else are one loop, which is run once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import GraphError
from graphc.graph import Body, Graph, read_body
from graphc.ops.rules import expect
from graphc.ops.scan_rules import batch, jvp, vjp
from graphc.registry import Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Dim, Type

# ------------------------------------------------------------------------------------------------- the type


def _infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, len(types), params, "body", "length", "reverse", "checkpoint", "value", "last")
    body: Body = params["body"]
    if len(types) != len(body.inputs):
        raise GraphError(
            f"{len(types)} operands are given to a body of {len(body.inputs)} inputs; give one each"
        )
    for at, kind in zip(body.inputs, types, strict=True):
        _check_operand(checks, body, at, kind, params["length"])
    checks.at_least(params["length"], 0, "the number of steps")
    checks.equations.extend(required.equation for required in body.graph.required)
    return _result(body, params)


def _check_operand(checks: Checks, body: Body, at: int, kind: Type, length: Dim) -> None:
    inside = body.graph.nodes[at].type
    due = Type(inside.dtype, (length, *inside.shape) if at in body.each else inside.shape)
    if kind.dtype is not due.dtype or kind.rank != due.rank:
        raise GraphError(f"operand for {body.graph.handle(at).name} is {kind}; give {due}")
    for mine, yours in zip(kind.shape, due.shape, strict=True):
        checks.equal(mine, yours, f"the operand for {body.graph.handle(at).name}")


def _result(body: Body, params: Params) -> Type:
    value: int = params["value"]
    if not 0 <= value < len(body.graph) or (params["last"] and value not in body.carries):
        raise GraphError(
            f"value {value} is no {'carry' if params['last'] else 'node'} of the body; give one of its"
        )
    kind = body.graph.nodes[value].type
    return kind if params["last"] else Type(kind.dtype, (params["length"], *kind.shape))


# -------------------------------------------------------------------------------------------- the reference


def _results(operands: Sequence[Any], params: Sequence[Params], kinds: Sequence[Type]) -> list[Any]:
    """Several values of one loop, run once."""
    body: Body = params[0]["body"]
    given = dict(zip(body.inputs, operands, strict=True))
    carried = {at: given[at] for at in body.carries}
    shapes: list[Any] = [kind.shape for kind in kinds]
    found: list[Any] = [np.empty(s, kind.dtype.numpy) for s, kind in zip(shapes, kinds, strict=True)]
    steps = range(params[0]["length"])
    for t in reversed(steps) if params[0]["reverse"] else steps:
        values = given | {at: given[at][t] for at in body.each} | carried
        _run(body.graph, values)
        carried = {at: values[after] for at, after in zip(body.carries, body.following, strict=True)}
        for result, each in zip(found, params, strict=True):
            if not each["last"]:
                result[t] = values[each["value"]]
    return [
        np.asarray(carried[each["value"]]) if each["last"] else result
        for result, each in zip(found, params, strict=True)
    ]


def _run(graph: Graph, values: dict[int, Any]) -> None:
    """Compute every node of ``graph`` that ``values`` lacks."""
    for at, node in enumerate(graph.nodes):
        if node.is_const:
            values[at] = node.param["value"].array
        elif at not in values:
            op = registry.lookup(node.op)
            values[at] = op.reference([values[i] for i in node.operands], node.param, node.type)


# ---------------------------------------------------------------------------------------------- how written


def _label(texts: Sequence[str], params: Params) -> str:
    body: Body = params["body"]
    what = "last " if params["last"] else ""
    order = " backwards" if params["reverse"] else ""
    return (
        f"{what}%{params['value']} of {params['length']} steps{order} from {', '.join(texts)}" if body else ""
    )


# ------------------------------------------------------------------------------------------------- samples

_N = symbol("N")


def _sample(lines: Sequence[str], shapes: Sequence[Any], length: Dim, **chosen: Any) -> Sample:
    body = read_body("\n".join(lines))
    usual = {"body": body, "length": length, "reverse": False, "checkpoint": False, "last": False}
    params = {**usual, **chosen}
    return Sample(shapes=tuple(shapes), params=params, low=-1.0, high=1.0, dtypes=("float64",) * len(shapes))


_SUM = (
    "%0: f64[2] = input(name='carry0')",
    "%1: f64[2] = input(name='each0')",
    "%2: f64[2] = add(%0, %1)",
    "next %2",
)
_FIBONACCI = (
    "%0: f64[] = input(name='carry0')",
    "%1: f64[] = input(name='carry1')",
    "%2: f64[] = add(%0, %1)",
    "next %1, %2",
)
_RNN = (
    "%0: f64[N,2] = input(name='carry0')",
    "%1: f64[N,2] = input(name='each0')",
    "%2: f64[2,2] = input(name='fixed0')",
    '%3: f64[N,2] = einsum(%0, %2, spec="ab,bc->ac")',
    "%4: f64[N,2] = add(%1, %3)",
    "%5: f64[N,2] = tanh(%4)",
    "next %5",
)
_MIXED = (  # a carry that stays, one that is a slice, one that is computed from both
    "%0: f64[2] = input(name='carry0')",
    "%1: f64[2] = input(name='carry1')",
    "%2: f64[2] = input(name='carry2')",
    "%3: f64[2] = input(name='each0')",
    "%4: f64[2] = input(name='fixed0')",
    "%5: f64[2] = mul(%1, %4)",
    "%6: f64[2] = sin(%2)",
    "%7: f64[2] = add(%5, %6)",
    "%8: f64[2] = mul(%7, %0)",
    "next %0, %3, %8",
)
_ROWS: list[Any] = [(_N, 2), (3, _N, 2), (2, 2)]
_MIX: list[Any] = [(2,), (2,), (2,), (3, 2), (2,)]

SAMPLES = (
    _sample(_SUM, [(2,), (3, 2)], 3, value=2),
    _sample(_SUM, [(2,), (_N, 2)], _N, value=0),
    _sample(_SUM, [(2,), (0, 2)], 0, value=0, last=True),
    _sample(_SUM, [(2,), (1, 2)], 1, value=2, reverse=True),
    _sample(_FIBONACCI, [(), ()], 4, value=1, last=True),
    _sample(_FIBONACCI, [(), ()], 3, value=2),
    _sample(_RNN, _ROWS, 3, value=5),
    _sample(_RNN, _ROWS, 3, value=5, reverse=True),
    _sample(_RNN, _ROWS, 3, value=0, last=True, reverse=True),
    _sample(_RNN, _ROWS, 3, value=3),
    _sample(_MIXED, _MIX, 3, value=2, last=True),
    _sample(_MIXED, _MIX, 3, value=7, reverse=True),
    _sample(_RNN, _ROWS, 3, value=5, checkpoint=True),
    _sample(_MIXED, _MIX, 3, value=2, last=True, reverse=True, checkpoint=True),
)

registry.register(
    Op(
        name="scan",
        infer=_infer,
        reference=lambda operands, params, kind: _results(operands, [params], [kind])[0],
        results=_results,
        loops=None,
        vjp=vjp,
        jvp=jvp,
        batch=batch,
        label=_label,
        partial_label=lambda app, position: "the loop backwards",
        selects=("value", "last"),
        samples=SAMPLES,
        doc="A value of every step of a loop, stacked, or a carry after the last one.",
    )
)
