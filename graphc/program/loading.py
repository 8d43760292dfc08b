"""Programs read from files that ``Program.save`` wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from graphc import tensors
from graphc.errors import CheckpointError, GraphcError
from graphc.graph import Graph, parse
from graphc.program.compile import compile
from graphc.program.program import Program
from graphc.tensors import PathLike, where


def load(path: PathLike) -> Program:
    """The program in the file ``path``, which ``Program.save`` wrote, with its parameters and states.

    Nothing of the file is run: the graph is read from its text by the whitelist of ``gc.parse``, and compiled. An op of
    your own (``gc.elementwise``) has to be declared first. Raises ``CheckpointError`` for a file that is damaged or
    holds no program, ``OSError`` where it cannot be read.

    >>> import graphc as gc, tempfile
    >>> g = gc.Graph()
    >>> x, w = g.input("x", ("N", 2)), g.param("w", (2,), init=[1.0, 2.0])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = gc.compile({"y": x @ w}).save(f"{folder}/line.safetensors")
    ...     program = gc.load(path)
    >>> program(x=[[3, 4]])["y"]
    array([11.], dtype=float32)
    """
    arrays, text = tensors.read(path)
    said = _said(text, path)
    try:
        graph = parse(said["graph"], said["graph_name"])
        outputs = {str(name): graph.handle(_node(graph, at)) for name, at in said["outputs"].items()}
        pairs = [(_node(graph, leaf), _node(graph, value)) for leaf, value in said["updates"]]
        program = compile(
            outputs,
            updates={graph.handle(leaf): graph.handle(value) for leaf, value in pairs},
            params={name: arrays[name] for name in arrays if name not in said["states"]},
            mode=said["mode"],
            stabilise=said["stabilise"],
            name=said["name"],
        )
        program.states.update({name: arrays[name] for name in program.states})
    except (GraphcError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"its program does not read ({error}); save it anew").located(
            where(path)
        ) from None
    return program


def _said(text: str | None, path: PathLike) -> Mapping[str, Any]:
    """What the file tells of its program, with nothing trusted but its form."""
    kinds = {
        "graph": str,
        "graph_name": str,
        "outputs": dict,
        "updates": list,
        "mode": str,
        "stabilise": bool,
        "name": str,
    }
    try:
        said = json.loads(text or "{}")
        program = {**said["program"], "states": [str(name) for name in said["states"]]}
        if said["format"] == 1 and all(type(program[key]) is kind for key, kind in kinds.items()):
            return program
    except (ValueError, KeyError, TypeError):
        pass
    raise CheckpointError("it holds no program; give a file that Program.save wrote").located(where(path))


def _node(graph: Graph, at: Any) -> int:
    if type(at) is not int or not 0 <= at < len(graph):
        raise ValueError(f"{at!r} is no node")
    return at


__all__ = ["load"]
