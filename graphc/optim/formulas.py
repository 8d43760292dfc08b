"""Optimisers written as formulas, in SymPy or as text: what they read tells what they keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, make_dataclass
from typing import Any

from graphc.declare.expression import is_sympy, read_sympy
from graphc.declare.formula import Formula
from graphc.declare.text import names_in, read_text
from graphc.errors import GraphcError, GraphError
from graphc.graph import Handle, cast_to
from graphc.optim.base import At, Hyper, Optimiser

_GIVEN = ("p", "g", "t")
_TAKEN = (*_GIVEN, "step", "keeps", "counts", "decoupled", "formulas", "rule")  # by what every such class has


def from_sympy(name: str, formulas: Mapping[str, Any], **hyperparameters: Hyper) -> type[Optimiser]:
    """A class of optimisers from ``formulas``, each of which gives one name its value, from top to bottom.

    Formulas are SymPy expressions, or texts, over ``p``, the parameter; ``g``, its gradient; ``t``, the number of
    this step, 1 in the first; the ``hyperparameters``, with their defaults; and the names that formulas give. A name
    that is read before it is given is kept for the next step, as the state ``<parameter>.<name>``, which starts at 0;
    the others are abbreviations. The formula of ``p`` is its next value. The class is called as the built-in ones
    are, and has ``formulas``. ``weight_decay`` is added to the gradient unless it is among the hyperparameters.

    Raises ``GraphError`` for formulas without ``p`` and for unknown names, ``ExpressionError`` for what no formula
    reads (see ``from_networkx``).

    >>> import graphc as gc, sympy
    >>> p, g, v, rate, rho = sympy.symbols("p g v learning_rate rho")
    >>> HeavyBall = from_sympy("HeavyBall", {"v": rho * v + g, "p": p - rate * v}, learning_rate=0.1, rho=0.9)
    >>> graph = gc.Graph()
    >>> w = graph.param("w", (), init=1.0)
    >>> step = gc.compile(updates=HeavyBall(learning_rate=0.2)(gc.grad(w * w / 2)))
    >>> _ = step()
    >>> print(step.params["w"].round(3), list(step.states))
    0.8 ['heavyball.learning_rate', 'heavyball.rho', 'w.v']
    """
    try:
        kept, counts = _kept(formulas, hyperparameters)
    except GraphcError as error:
        raise error.located(name) from None
    own: dict[str, Any] = {
        "keeps": kept, "counts": counts, "decoupled": "weight_decay" in hyperparameters,
        "formulas": dict(formulas), "rule": _rule, "__module__": __name__,
    }  # fmt: skip
    given = [(n, "Hyper", field(default=value)) for n, value in hyperparameters.items()]
    made = make_dataclass(name, given, bases=(Optimiser,), namespace=own, frozen=True, slots=True, eq=False)
    made()  # whose defaults are checked
    return made


def _rule(self: Any, at: At) -> Handle:
    """The formulas in order, each over what those above it have given."""
    graph, dtype = at.parameter.graph, at.parameter.dtype
    names = {"p": at.parameter, "g": at.gradient} | {n: at[n] for n in at.states if n != "step"}
    if self.counts:
        names["t"] = cast_to(at.updates[at.states["step"]], dtype)
    try:
        for name, formula in self.formulas.items():
            names[name] = _read(formula, Formula(graph, names))
    except GraphcError as error:
        raise error.located(type(self).__name__, graph.here().place) from None
    for name in self.keeps:
        at.set(name, names[name])
    return names["p"]


def _read(formula: Any, over: Formula) -> Handle:
    return over.node(read_sympy(formula, over) if is_sympy(formula) else read_text(str(formula), over))


def _kept(formulas: Mapping[str, Any], hyperparameters: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """The names that are read before they are given, and whether the step is read."""
    if not isinstance(formulas, Mapping) or "p" not in formulas:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise GraphError(f"{formulas!r} gives no p; give {{..., 'p': the parameter's next value}}")
    taken = [n for n in hyperparameters if n in _TAKEN or n in formulas]
    if taken:
        raise GraphError(f"{taken[0]!r} is a hyperparameter and more; choose another name")
    known, kept, counts = {*_GIVEN, *hyperparameters}, dict[str, None](), False
    for name, formula in formulas.items():
        read = _names(formula)
        unknown = sorted(read - known - set(formulas))
        if unknown:
            raise GraphError(f"{unknown[0]!r} in the formula of {name!r} is nothing; give it a value")
        kept |= dict.fromkeys(n for n in formulas if n in read - known)
        known.add(name)
        counts = counts or "t" in read
    return tuple(kept), counts


def _names(formula: Any) -> set[str]:
    """The names that ``formula`` reads."""
    return {str(s) for s in formula.free_symbols} if is_sympy(formula) else names_in(str(formula))


__all__ = ["from_sympy"]
