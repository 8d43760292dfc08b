"""The error tree: what can go wrong, told with the layer, both values, what to do and the user's line.

Inner code raises one of these with a short text ``what is wrong; what to do``. The public boundary
(``Graph.add``, ``compile``, a program's call) adds the layer or op in front and the declaring line behind,
once, through ``located``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self


class GraphcError(Exception):
    """Base of every error that graphc raises on purpose.

    ``where`` names the layer or op and ``place`` the user's line, once a boundary has added them.

    >>> str(ShapeError("sizes 3 and 4 differ").located("hidden (matmul)", 'File "mlp.py", line 7'))
    'hidden (matmul): sizes 3 and 4 differ\\n  declared at File "mlp.py", line 7'
    """

    where: str = ""
    place: str = ""

    def located(self, where: str, place: str = "") -> Self:
        """Return this error naming ``where`` it arose and the user's ``place``; the innermost naming wins."""
        self.where = self.where or where
        self.place = self.place or place
        return self

    def __str__(self) -> str:
        text = Exception.__str__(self)  # a KeyError's own is a repr, in quotes
        head = f"{self.where}: {text}" if self.where else text
        return f"{head}\n  declared at {self.place}" if self.place else head


class UnknownNameError(GraphcError, AttributeError):
    """A module of graphc has nothing of this name."""


class SizeError(GraphcError, ValueError):
    """A symbolic size that cannot be read, bound or evaluated."""


class ShapeError(GraphcError, ValueError):
    """Shapes, ranks or axes that do not fit an operation."""


class DTypeError(GraphcError, TypeError):
    """A dtype that an operation or an input does not take."""


class GraphError(GraphcError, ValueError):
    """A graph that is not well formed: unknown op, cycle, name used twice, nodes of two graphs."""


class ExpressionError(GraphcError, ValueError):
    """A formula, given as text or as a SymPy expression, that graphc does not read."""


class DifferentiationError(GraphcError, ValueError):
    """A derivative that does not exist or was asked for wrongly."""


class InputError(GraphcError, ValueError):
    """An array handed to a program or to ``interpret`` that does not fit its declaration."""


class MissingError(InputError, KeyError):
    """A name that a program's parameters or states do not have."""


class CheckpointError(GraphcError, ValueError):
    """A checkpoint that cannot be read, or that belongs to another network or training."""


class CapacityError(GraphcError, MemoryError):
    """A call that needs more memory than the machine has."""


class CompileError(GraphcError, RuntimeError):
    """A program whose kernels could not be compiled or loaded."""


class DrawError(GraphcError, RuntimeError):
    """A picture that cannot be rendered on this host."""


def unknown(module: str, known: Iterable[str]) -> Callable[[str], Any]:
    """A module's ``__getattr__``, which names the nearest of the names that it has.

    >>> unknown("gc.nn", ["Dense", "Dropout"])("Densee")
    Traceback (most recent call last):
    graphc.errors.UnknownNameError: gc.nn has no 'Densee'; did you mean 'Dense'?
    """

    def getattr(name: str) -> Any:
        from difflib import get_close_matches

        near = get_close_matches(name[:100], [*known], n=1)
        error = UnknownNameError(
            f"{module} has no {name!r}; {f'did you mean {near[0]!r}?' if near else f'see dir({module})'}"
        )
        error.name = name
        raise error

    return getattr


class CacheWarning(UserWarning):
    """What graphc remembers between processes cannot be stored."""
