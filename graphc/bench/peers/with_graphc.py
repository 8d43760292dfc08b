"""graphc itself, on the same footing as its peers."""

from __future__ import annotations

from typing import Any

import graphc

VERSION = graphc.__version__
_programs: list[Any] = []


def supports(variant: str, family: str) -> bool:
    return True


def build(
    variant: str, family: str, spec: dict[str, Any], params: dict[str, Any], inputs: dict[str, Any]
) -> Any:
    from graphc.bench.families import FAMILIES

    chosen = FAMILIES[family].of(spec)
    program = chosen.declare(params, inputs)()
    _programs.append(program)
    return chosen.step(program, inputs)
