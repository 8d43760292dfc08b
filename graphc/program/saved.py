"""Programs as files: the declared graph as text beside the parameters and states, in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from graphc import tensors
from graphc.errors import CheckpointError
from graphc.graph import Cone
from graphc.graph.text import LIMIT, print_graph
from graphc.program.stages import Stages
from graphc.tensors import Array, PathLike


def save(stages: Stages, params: Mapping[str, Array], states: Mapping[str, Array], path: PathLike) -> Path:
    """Write a program of these stages, parameters and states into the file ``path``; see ``Program.save``."""
    declared: Cone = stages["declared"]
    text = print_graph(declared.graph)
    if len(text) > LIMIT:
        raise CheckpointError(
            f"its graph is {len(text)} characters as text, of which {LIMIT} are read again; make large constants "
            "parameters or inputs"
        ).located(f"program {stages.options['name']!r}")
    said = {
        "format": 1,
        "position": {},
        "states": sorted(states),
        "program": {
            "graph": text,
            "graph_name": declared.graph.name,
            "outputs": dict(declared.outputs),
            "updates": [[leaf, value] for leaf, value in declared.updates.items()],
            **stages.options,
        },
    }
    return tensors.write(path, {**params, **states}, json.dumps(said, sort_keys=True))


__all__ = ["save"]
