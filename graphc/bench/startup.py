"""Time to the first step and of a step: fresh processes with an empty cache and with a warm one, medians of several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from graphc.bench.families import Perceptrons
from graphc.bench.process import SCRIPT
from graphc.bench.workloads import WORKLOADS
from graphc.disk import VARIABLE
from graphc.errors import GraphcError


@dataclass(frozen=True, slots=True)
class Startup:
    """Medians over fresh processes: seconds after ``import graphc`` until the first step is done, and of a step."""

    workload: str
    imported: float
    cold: float
    warm: float
    step: float
    recompiled: int

    def row(self) -> tuple[str, ...]:
        return (
            self.workload, f"{self.imported:.2f} s", f"{self.cold:.2f} s", f"{self.warm:.2f} s",
            f"{self.step * 1e6:.1f} us", str(self.recompiled),
        )  # fmt: skip


HEADINGS = ("workload", "import", "cold start", "warm start", "step", "compiled by a new batch size")


NAMES = tuple(name for name, w in WORKLOADS.items() if isinstance(w.family, Perceptrons) and not w.other)


def measure(names: Sequence[str] = NAMES, repeats: int = 5) -> Iterator[Startup]:
    """Measure workloads one by one. Cold and warm processes take turns, so that both meet the same machine."""
    for name in names:
        cold: list[dict[str, Any]] = []
        warm: list[dict[str, Any]] = []
        for _ in range(repeats):
            with tempfile.TemporaryDirectory(prefix="graphc-bench-") as folder:
                cold.append(fresh_process(name, folder))
                warm.append(fresh_process(name, folder))
        yield Startup(
            name, _median(cold + warm, "import"), _median(cold, "after import"), _median(warm, "after import"),
            _median(warm, "step"), max(r["compiled by a new batch size"] for r in cold + warm),
        )  # fmt: skip


def fresh_process(name: str, cache: str) -> dict[str, Any]:
    """One measurement in a new interpreter with ``cache`` as its cache folder."""
    command = [sys.executable, "-c", SCRIPT, name]
    done = subprocess.run(
        command, env={**os.environ, VARIABLE: cache}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise GraphcError(f"measuring {name!r} failed; see what its process wrote:\n{done.stderr}")
    return json.loads(done.stdout)


def _median(found: Sequence[dict[str, Any]], key: str) -> float:
    return median(each[key] for each in found)
