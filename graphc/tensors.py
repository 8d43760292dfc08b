"""Arrays by name in one safetensors file, with a text that says what they are; written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from graphc.errors import CheckpointError

Array = np.ndarray[Any, Any]
PathLike = str | os.PathLike[str]
_KEY = "graphc"  # the one key of the metadata: several would be written in an order of their own each time


def write(path: PathLike, arrays: Mapping[str, Array], said: str) -> Path:
    """Write ``arrays`` and the text ``said``, and give the path.

    The file appears whole, under its name, once it is on the disk; before that an older one stays as it was. Raises
    ``OSError`` where it cannot be written.
    """
    from safetensors.numpy import save

    content = save({name: np.array(array, order="C") for name, array in arrays.items()}, {_KEY: said})
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    return target


def read(path: PathLike) -> tuple[dict[str, Array], str | None]:
    """The arrays of a safetensors file, which need not come from graphc, and what was said of them.

    Raises ``CheckpointError`` for a file that is damaged or none of the kind, ``OSError`` where it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    if os.path.isdir(path):  # of which safetensors says "No such device"
        raise CheckpointError("it is a folder; give the path of a file in it").located(where(path))
    try:
        with cast("Any", safe_open(path, framework="np")) as file:
            arrays: dict[str, Array] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata: dict[str, str] = file.metadata() or {}
            return arrays, metadata.get(_KEY)
    except SafetensorError as error:
        raise CheckpointError(
            f"it is no whole safetensors file ({error}); give one that gc.train.save wrote"
        ).located(where(path)) from None


def where(path: PathLike) -> str:
    """How errors call a file."""
    return f"checkpoint {os.fspath(path)!r}"


__all__ = ["Array", "PathLike", "read", "where", "write"]
