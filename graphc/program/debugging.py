"""The second program behind ``Program.debug``: the same values, with probes for outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphc.graph import Cone
from graphc.program.diagnosis import Diagnosis, diagnose
from graphc.program.lowered import Lowered, lower
from graphc.program.probe import probe
from graphc.program.trace import Extrema

Call = Callable[..., Mapping[str, np.ndarray[Any, Any]]]


class Debugger:
    """Compiles ``cone`` with probes; ``make`` turns it, lowered, into what can be called with inputs."""

    def __init__(self, name: str, cone: Cone, make: Callable[[Cone, Lowered], Call]) -> None:
        self.name, self.cone = name, cone
        probed = probe(cone)
        self.spots = probed.spots
        self.call = make(probed.cone, lower(probed.cone, f"{name} with probes"))

    def __call__(self, inputs: Mapping[str, Any], sizes: Mapping[str, int]) -> Diagnosis:
        found = self.call(**inputs)
        low, high = (
            {spot: found[f"{end} {k}"] for k, spot in enumerate(self.spots)} for end in ("low", "high")
        )
        return diagnose(self.name, sizes, self.cone, Extrema(low, high))


__all__ = ["Debugger"]
