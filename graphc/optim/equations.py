# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Update rules as SymPy equations, read off the rules themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from graphc.graph import Cone, Graph, Handle
from graphc.optim.base import At, Optimiser
from graphc.rewrite.proof import formulas
from graphc.types import DType


@dataclass(frozen=True, slots=True, eq=False)
class _Over(At):
    """A rule over symbols: what it sets gets a symbol of its own, so that later formulas read as they are written."""

    given: dict[str, Handle] = field(default_factory=dict[str, Handle])

    def set(self, name: str, value: Handle) -> Handle:
        self.given[name] = value
        return value.graph.input(f"{name}_next", (), DType.F64.long)


def equations(optimiser: Optimiser) -> dict[str, Any]:
    """The update rule of ``optimiser`` for one element, as SymPy expressions: ``{name: next value}``, in order.

    Symbols are ``p``, the parameter; ``g``, its gradient; ``t``, the number of this step, 1 in the first; the
    hyperparameters by their names; and what the rule keeps. Each formula reads what those above it have given, and of
    the others what they were in the step before: what ``from_sympy`` takes. The rule itself is run over symbols, so
    these are its formulas and no second ones.

    >>> from graphc.optim import Adam, Momentum
    >>> equations(Momentum(0.1))
    {'velocity': g + momentum*velocity, 'p': -learning_rate*velocity + p}
    >>> equations(Adam(weight_decay=0.1))["m"]
    beta1*m + (1 - beta1)*(g + p*weight_decay)
    """
    import sympy

    graph = Graph("equations")
    hyper = [
        each.name for each in fields(optimiser) if each.name != "_owned" and _is_read(optimiser, each.name)
    ]
    names = ["p", "g", *hyper, *optimiser.keeps]
    symbols = {name: graph.input(name, (), DType.F64.long) for name in names}
    step, number = graph.input("step", (), DType.I64.long), graph.input("t", (), DType.F64.long)
    at = _Over(symbols["p"], symbols["g"], {**symbols, "step": step}, {step: number})
    found = optimiser.rule(optimiser.decayed(at))
    outputs = {name: value.id for name, value in {**at.given, "p": found}.items()}
    written = formulas(Cone(graph, outputs))
    plain = {sympy.Symbol(f"{n}0", real=True): sympy.Symbol(n) for n in (*names, "t")}
    plain |= {sympy.Symbol(f"{n}_next0", real=True): sympy.Symbol(n) for n in at.given}
    a, b = sympy.Wild("a"), sympy.Wild("b")
    return {
        name: sympy.sympify(value.item()).subs(plain).replace(sympy.exp(a * sympy.log(b)), b**a)
        for name, value in written.items()
    }


def _is_read(optimiser: Optimiser, name: str) -> bool:
    """Whether a field is a hyperparameter that takes part."""
    value: Any = getattr(optimiser, name)
    return value is not None and not isinstance(value, bool | Mapping)


__all__ = ["equations"]
