"""Activations by name: every elementwise op of one operand, user-defined ones among them, and a few more."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphc import registry
from graphc.declare.functions import function_named, signature_text
from graphc.errors import GraphError
from graphc.graph import FUNCTIONS, Handle
from graphc.nn.base import Layer

Activate = Callable[[Handle], Handle]


def activation_named(name: str) -> Activate:
    """The activation called ``name``; raises ``GraphError`` with the nearest known name.

    Those with parameters have their defaults: ``gelu`` is the exact one (``gelu_tanh`` the other), ``maxout`` takes
    pairs. ``softmax`` and ``log_softmax`` run along the last axis; ``swish`` is ``silu``; ``identity`` and ``linear``
    return their operand.

    >>> activation_named("relu").__name__
    'relu'
    """
    found = _more().get(name) or (function_named(name) if name in _unary() else None)
    if found is not None:
        return found
    near = difflib.get_close_matches(str(name)[:100], _known(), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "use 'relu', 'tanh', 'sigmoid' or a callable"
    raise GraphError(f"there is no activation {name!r}; {hint}")


def activation_of(given: str | Activate | None) -> Activate:
    """The function that a layer's ``activation`` stands for: a name, a callable on nodes, or none."""
    if given is None:
        return _identity
    if isinstance(given, str):
        return activation_named(given)
    if callable(given):
        return given
    raise GraphError(f"activation={given!r}; give a name or a callable on nodes")


@dataclass(frozen=True, slots=True, eq=False, init=False)
class Activation(Layer):
    """``function(x, **options)``: an activation by name, or a callable on nodes, with its parameters.

    Raises ``GraphError`` for an unknown name and for parameters that the activation of that name does not have.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y = Activation("leaky_relu", slope=0.5)(g.const([-2.0, 2.0]))
    >>> print(gc.interpret(y), gc.interpret(Activation("softmax", axis=0)(y)).round(2))
    [-1.  2.] [0.05 0.95]
    """

    function: str | Activate
    options: Mapping[str, Any]

    def __init__(self, function: str | Activate, *, name: str | None = None, **options: Any) -> None:
        fields = {"function": function, "options": options, "name": name, "_built": {}}
        for field, value in fields.items():
            object.__setattr__(self, field, value)
        self.__post_init__()

    def check(self) -> None:
        chosen = self._chosen()
        if self.options and isinstance(self.function, str):
            try:
                inspect.signature(chosen).bind(None, **self.options)
            except TypeError as error:
                form = f"{self.function}{signature_text(inspect.signature(chosen))}"
                raise GraphError(f"{error}; give the parameters of {form}") from None

    def __call__(self, x: Handle) -> Handle:
        """The activation of ``x``."""
        with self.at(x):
            return self._chosen()(x, **self.options)

    def _chosen(self) -> Callable[..., Any]:
        """The function itself, where it has parameters; by name alone it has its defaults."""
        named = FUNCTIONS.get(self.function) if self.options and isinstance(self.function, str) else None
        return named or activation_of(self.function)


def _more() -> dict[str, Activate]:
    found: dict[str, Activate] = {"identity": _identity, "linear": _identity, "swish": FUNCTIONS["silu"]}
    found |= {name: FUNCTIONS[name] for name in ("leaky_relu", "maxout", "step")}
    return found | {name: _along_last(name) for name in ("softmax", "log_softmax")}


def _identity(x: Handle) -> Handle:
    return x


def _along_last(name: str) -> Activate:
    return lambda x: FUNCTIONS[name](x, axis=-1)


def _unary() -> set[str]:
    return {op.name for op in registry.ops() if op.scalar and op.scalar.arity == 1 and not op.scalar.parent}


def _known() -> list[str]:
    return sorted({*_more(), *_unary()})


__all__ = ["Activate", "Activation", "activation_named", "activation_of"]
