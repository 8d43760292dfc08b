"""graphc itself, on the same footing as its peers."""

from __future__ import annotations

from typing import Any

import graphc

VERSION = graphc.__version__
_built: dict[str, Any] = {}


def supports(variant: str, family: str) -> bool:
    return True


def build(
    variant: str, family: str, spec: dict[str, Any], params: dict[str, Any], inputs: dict[str, Any]
) -> Any:
    from graphc.bench.families import FAMILIES

    chosen = FAMILIES[family].of(spec)
    program = chosen.declare(params, inputs)()
    step = chosen.step(program, inputs)
    _built.update(program=program, inputs=inputs, step=step)
    return step


def facts() -> dict[str, Any]:
    """Bytes of the arena beside the least that any plan needs, bytes in use, and the work of each kernel."""
    program, inputs = _built["program"], _built["inputs"]
    sizes = {
        str(dim): size
        for name, kind in program.inputs.items()
        for dim, size in zip(kind.shape, inputs[name].shape, strict=True)
        if not isinstance(dim, int)
    }
    plan = program.plan.at(**sizes)
    lasting = [
        *inputs.values(),
        *program.params.values(),
        *program.states.values(),
        *program(**inputs).values(),
    ]
    return {
        "arena": plan.peak,
        "bound": plan.bound,
        "used": plan.peak + sum(each.nbytes for each in lasting),
        "work": [[k.at(**sizes)["flops"], k.at(**sizes)["bytes"]] for k in program.cost.kernels],
    }
