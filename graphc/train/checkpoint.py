"""Checkpoints: parameters and states of a program in one safetensors file, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphc import tensors
from graphc.errors import CheckpointError
from graphc.program import Parameters, Program
from graphc.tensors import Array, PathLike, where

# Parameters and states are stored under their own names, in which "/" cannot stand: what else is kept has one in its.
_EXTRA = "extra/"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a file holds: arrays by name, and where training stood (empty if it was not written by training)."""

    path: Path
    params: Mapping[str, Array]
    states: Mapping[str, Array]
    extra: Mapping[str, Array]
    position: Mapping[str, Any]


def save(
    path: PathLike,
    program: Program,
    *,
    position: Mapping[str, Any] | None = None,
    extra: Mapping[str, Array] | None = None,
) -> Path:
    """Write the parameters and states of ``program`` into the safetensors file ``path``, and give its path.

    Random positions, steps and moments of an optimiser are states, so they are all there. ``position`` is anything
    that JSON holds; ``extra`` are further arrays by name. The file appears whole, under its name, once it is on the
    disk; before that an older one stays as it was. Raises ``OSError`` where it cannot be written.

    >>> import graphc as gc, tempfile
    >>> w = gc.Graph().param("w", (2,), init=[1.0, 2.0])
    >>> program = gc.compile({"y": w * 2})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save(f"{folder}/net.safetensors", program)
    ...     program.params["w"] = [5, 5]
    ...     _ = load(path, program)
    >>> program.params["w"].tolist()
    [1.0, 2.0]
    """
    with program.params.store.lock:
        arrays = {**program.params, **program.states, **{_EXTRA + n: a for n, a in (extra or {}).items()}}
        said = {"format": 1, "states": sorted(program.states), "position": dict(position or {})}
        return tensors.write(path, arrays, json.dumps(said, sort_keys=True))


def read(path: PathLike) -> Checkpoint:
    """The arrays of a safetensors file, which need not come from graphc: then all of them are parameters.

    ``gc.compile(..., params=read(path).params)`` starts a program from them. Raises ``CheckpointError`` for a file
    that is damaged or none of the kind, ``OSError`` where it cannot be read.
    """
    arrays, text = tensors.read(path)
    said = _said(text, path)
    extra = {name.removeprefix(_EXTRA): array for name, array in arrays.items() if name.startswith(_EXTRA)}
    states = {name: arrays[name] for name in said["states"] if name in arrays}
    params = {n: a for n, a in arrays.items() if n not in states and not n.startswith(_EXTRA)}
    return Checkpoint(Path(path), params, states, extra, said["position"])


def _said(text: str | None, path: PathLike) -> dict[str, Any]:
    """What the metadata tell, with nothing trusted but its form."""
    try:
        said = json.loads('{"format": 1, "states": [], "position": {}}' if text is None else text)
        names = [str(name) for name in said["states"]]
        if said["format"] == 1 and isinstance(said["position"], dict):
            return {"states": names, "position": said["position"]}
    except (ValueError, KeyError, TypeError):
        pass
    raise CheckpointError(
        f"its metadata are {(text or '')[:60]!r}, which this version does not read; give one that gc.train.save wrote"
    ).located(where(path))


def load(path: PathLike, program: Program, *, states: bool = True) -> Checkpoint:
    """Give ``program`` the parameters and states of a checkpoint, bit for bit, or raise and change nothing.

    The parameters have to be those of ``program``, with their shapes and dtypes, and every state of ``program`` has
    to be there; others, such as an optimiser's beside a program that only predicts, are left out. With ``states=False``
    only parameters are taken. Raises ``CheckpointError`` for a damaged file or one of another network.
    """
    found = read(path)
    adopt(found, program, states=states)
    return found


def adopt(found: Checkpoint, program: Program, *, states: bool = True) -> None:
    """Copy what was read into ``program``, after all checks."""
    pairs = [*_pairs(found, "parameter", found.params, program.params)]
    extra = sorted(found.params.keys() - program.params.keys())
    if extra:
        raise _foreign(found, f"it holds parameter {extra[0]!r}, which the program does not have")
    if states:
        pairs += _pairs(found, "state", found.states, program.states)
    with program.params.store.lock:
        for memory, array in pairs:
            memory[...] = array


def _pairs(
    found: Checkpoint, what: str, given: Mapping[str, Array], wanted: Parameters
) -> Sequence[tuple[Array, Array]]:
    """Memory of the program beside the array that it gets."""
    for name, memory in wanted.items():
        if name not in given:
            raise _foreign(found, f"it holds no {what} {name!r}")
        have, want = (_kind(array) for array in (given[name], memory))
        if have != want:
            raise _foreign(found, f"its {what} {name!r} is {have}, the program's {want}")
    return [(memory, given[name]) for name, memory in wanted.items()]


def _kind(array: Array) -> str:
    return f"{array.dtype}[{','.join(map(str, array.shape))}]"


def _foreign(found: Checkpoint, why: str) -> CheckpointError:
    return CheckpointError(f"{why}; give a checkpoint of this network").located(where(found.path))


__all__ = ["Checkpoint", "adopt", "load", "read", "save"]
