"""``graphc check-gradients``: the gradients of a loss that a file or a module declares, checked for a build server."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from graphc.diff import GradientReport, check_gradients
from graphc.errors import InputError
from graphc.graph import Handle

DEFAULT = "check"  # the function that is called where none is named


def declared(target: str) -> tuple[Handle, dict[str, Any]]:
    """The loss and the inputs that ``target``, ``file.py:function`` or ``module:function``, returns.

    Raises ``InputError`` where there is no such file, module or function, and where the function returns neither a
    loss nor a pair of a loss and its inputs by name.
    """
    where, _, name = target.partition(":") if not target.startswith(":") else ("", "", "")
    function = getattr(_module(where), name or DEFAULT, None)
    if not callable(function):
        raise InputError(f"{where} has no function {name or DEFAULT!r}; name one as {where}:function")
    found: Any = function()
    loss, inputs = found if isinstance(found, tuple) and len(found) == 2 else (found, {})  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if not isinstance(loss, Handle) or not isinstance(inputs, Mapping):
        raise InputError(f"{target} returned {found!r}; return the loss, or the loss and its inputs by name")
    return loss, {str(key): value for key, value in inputs.items()}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _module(where: str) -> ModuleType:
    path = Path(where)
    if path.suffix == ".py":
        return _from_file(path)
    try:
        return importlib.import_module(where)
    except (ImportError, ValueError) as error:
        raise InputError(
            f"{where!r} cannot be imported: {error}; give file.py:function or module:function"
        ) from None


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"there is no file {path}; give file.py:function or module:function")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


def report(target: str, *, tolerance: float, limit: int, directions: int, second: bool) -> GradientReport:
    """Check what ``target`` declares; raises ``DifferentiationError`` where derivatives disagree."""
    loss, inputs = declared(target)
    return check_gradients(
        loss,
        params=inputs,
        tolerance=tolerance,
        limit=limit,
        directions=directions,
        forward=True,
        second=second,
    )


__all__ = ["declared", "report"]
