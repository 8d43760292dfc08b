"""Functions by name, with parameters that strangers chose: unknown names and misfits become errors."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from graphc import registry
from graphc.errors import GraphcError, GraphError
from graphc.graph import FUNCTIONS, LEAVES, Graph, Handle, apply
from graphc.graph.imported import brief, listed

# Functions whose operands come as one sequence, and those with a parameter in front of the operands.
_SEQUENCE = frozenset({"concatenate", "stack"})
_LEADING = {"einsum": "spec"}


def apply_named(graph: Graph, name: str, operands: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """The user function or op ``name`` of ``operands`` with parameters ``options``.

    Raises ``GraphError`` for an unknown name (with the nearest known one) and for parameters that do not fit.
    """
    known = {*FUNCTIONS, *_op_names(), *LEAVES}
    if name not in known:
        raise GraphError(f"there is no op or function {brief(name)}; {nearest(name, known)}")
    function = function_named(name)
    problem = "" if function is None else misfit(name, *_arguments(name, operands, options))
    if function is not None and not problem:
        args, rest = _arguments(name, operands, options)
        return function(*args, **rest)
    return _add_op(graph, name, operands, options, problem)


def function_named(name: str) -> Callable[..., Any] | None:
    """The user function ``name``, or the elementwise op of that name (``gc.elementwise`` makes such)."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    return partial(apply, name) if elementwise_arity(name) is not None else None


def misfit(name: str, args: Sequence[Any], options: Mapping[str, Any]) -> str:
    """Why function ``name`` cannot be called so, or ``""``."""
    arity = elementwise_arity(name)
    if arity is not None:
        return _misfit_arity(name, arity, len(args), options)
    signature = inspect.signature(FUNCTIONS[name])
    try:
        signature.bind(*args, **options)
    except TypeError as error:
        return f"{name}{signature_text(signature)} does not fit: {error}"
    return ""


def elementwise_arity(name: str) -> int | None:
    """How many operands the elementwise op ``name`` takes; None for what is not one op."""
    scalar = registry.lookup(name).scalar if name in _op_names() else None
    return None if scalar is None or scalar.parent else int(scalar.arity)


def nearest(name: str, known: Iterable[str]) -> str:
    """What to do about a name that is not among ``known``."""
    choices = sorted(set(known))
    near = difflib.get_close_matches(name[:100], choices, n=1)
    return f"did you mean {near[0]!r}?" if near else f"use one of {listed(choices)}"


def signature_text(signature: inspect.Signature) -> str:
    """The parameters' names, as a reader needs them to correct a call."""
    return f"({', '.join(signature.parameters)})"


def _misfit_arity(name: str, arity: int, given: int, options: Mapping[str, Any]) -> str:
    if options:
        return f"{name} takes no parameter {', '.join(map(repr, options))}"
    return "" if given == arity else f"{name} takes {arity} operand{'s' * (arity != 1)}, not {given}"


def _op_names() -> frozenset[str]:
    return frozenset(op.name for op in registry.ops())


def _arguments(
    name: str, operands: Sequence[Any], options: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    rest = dict(options)
    if name in _SEQUENCE:
        return [list(operands)], rest
    lead = _LEADING.get(name)
    return ([rest.pop(lead), *operands] if lead in rest else list(operands)), rest


def _add_op(
    graph: Graph, name: str, operands: Sequence[Any], options: Mapping[str, Any], problem: str
) -> Handle:
    """The op itself with its node-level parameters, for networks that name these (as ``Graph.nx`` does)."""
    if name not in _op_names() or elementwise_arity(name) is not None:
        raise GraphError(f"{problem or name}; correct the node's attributes or its parents")
    try:
        return graph.add(name, operands, **{key: _frozen(value) for key, value in options.items()})
    except GraphcError:
        raise
    except (KeyError, TypeError, IndexError):
        reason = problem or f"{name} does not take {brief(dict(options))}"
        raise GraphError(f"{reason}; correct the node's attributes") from None


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, (list, tuple)) else value  # pyright: ignore[reportUnknownVariableType]


__all__ = ["apply_named", "elementwise_arity", "function_named", "misfit", "nearest", "signature_text"]
