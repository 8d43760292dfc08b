"""The op contract and the table of ops by name: one declaration an op, everything else follows from it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphc.errors import GraphError
from graphc.loops import Loop
from graphc.types import Checks, Dim, Type

Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Application:
    """One node as its derivative and batching rules see it."""

    operands: tuple[Any, ...]
    output: Any
    params: Params
    wanted: tuple[bool, ...] = ()  # which operands' cotangents are asked for
    outputs: tuple[Any, ...] = ()  # of an op that ``selects``: the nodes of one computation
    derive: Any = None  # pull_back or push_forward, for the body of a loop

    @property
    def types(self) -> tuple[Type, ...]:
        return tuple(o.type for o in self.operands)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One case on which an op is tested: operand shapes (symbols are bound by the test), parameters, value range."""

    shapes: tuple[tuple[Dim | str, ...], ...]
    params: Params
    low: float = -2.0
    high: float = 2.0
    dtypes: tuple[str, ...] = ()  # "" or missing: the floating dtype under test
    integer_below: int = 0  # integer operands are drawn from [0, integer_below)
    distinct: bool = False  # operands' values are drawn without ties


@dataclass(frozen=True, slots=True, kw_only=True)
class Op:
    """An operation.

    infer:     ``(checks, operand types, params) -> Type``; raises ShapeError or DTypeError
    reference: ``(operand arrays, params, result type with int sizes) -> array``, the NumPy meaning
    loops:     ``(operand types, result type, params) -> loops``; the last loop is the result. None for an op that
               repeats a body, which is lowered node by node
    vjp:       ``(builder, application, cotangent) -> cotangent of each operand or None``
    jvp:       ``(builder, application, tangents or None) -> tangent or None``
    batch:     ``(builder, application, batched) -> value``: the op applied along a leading axis of the operands
               whose ``batched`` flag is set (the others have no such axis)
    label:     how the node is written, over the operands' texts: ``"{0} + {1}"``
    selects:   parameters that choose one of several results. Nodes that differ in nothing else are one computation;
               ``vjp`` is then asked once, for ``application.outputs``, and given a tuple of their cotangents;
               ``results``, ``(operand arrays, params of each, result type of each) -> arrays``, is their reference
    """

    name: str
    infer: Callable[[Checks, Sequence[Type], Params], Type]
    reference: Callable[[Sequence[Any], Params, Type], Any]
    loops: Callable[[Sequence[Type], Type, Params], tuple[Loop, ...]] | None
    vjp: Callable[[Any, Application, Any], Sequence[Any]] | None = None
    jvp: Callable[[Any, Application, Sequence[Any]], Any] | None = None
    batch: Callable[[Any, Application, Sequence[bool]], Any] | None = None
    label: Callable[[Sequence[str], Params], str]
    latex: Callable[[Sequence[str], Params], str] | None = None
    partial_label: Callable[[Application, int], str] | None = None
    selects: tuple[str, ...] = ()
    results: Callable[[Sequence[Any], Sequence[Params], Sequence[Type]], Sequence[Any]] | None = None
    view: bool = False  # the result is the operand's memory under another shape
    scalar: Any = None  # the SymPy-bodied declaration of an elementwise op
    samples: tuple[Sample, ...] = ()
    doc: str = ""


_OPS: dict[str, Op] = {}
_RESOLVERS: list[Callable[[str], Op | None]] = []


def register(op: Op) -> Op:
    """Enter ``op`` into the table; raises ``GraphError`` when its name is taken."""
    if op.name in _OPS:
        raise GraphError(f"op {op.name!r} is declared already; choose another name")
    _OPS[op.name] = op
    return op


def resolve_with(resolver: Callable[[str], Op | None]) -> None:
    """Add a rule that makes ops of composed names on demand (the derivatives of elementwise ops)."""
    _RESOLVERS.append(resolver)


def lookup(name: str) -> Op:
    """The op called ``name``; raises ``GraphError`` with the nearest known name."""
    found = _OPS.get(name)
    if found is not None:
        return found
    for resolver in _RESOLVERS:
        made = resolver(name)
        if made is not None:
            return _OPS.setdefault(name, made)
    near = difflib.get_close_matches(str(name), _OPS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "gc.ops() lists the known ones"
    raise GraphError(f"there is no op {name!r}; {hint}")


def ops() -> tuple[Op, ...]:
    """All declared ops, by name."""
    return tuple(_OPS[name] for name in sorted(_OPS))
