"""A process that computes when told: one system, one workload, a line of JSON for each command and each answer.

Run as a script, by any Python that has the system's library. It imports nothing of graphc, so that the memory and
the starting time of other systems are their own; ``graphc.bench.runner`` is the other end.

    {"do": "start", "system": path, "variant": name, "family": name, "spec": {...}, "arrays": path, "steps": 5}
    {"do": "turn", "seconds": 0.2}
    {"do": "stop"}
"""

from __future__ import annotations

import ctypes
import json
import os
import runpy
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

Step = Callable[[], tuple[Any, ...]]
#: Seconds that one sample should take at least, so that reading the clock costs nothing beside it.
SAMPLE = 1e-3
LEAST_SAMPLES = 3


def start(command: Mapping[str, Any]) -> tuple[Step | None, dict[str, Any], Callable[[], dict[str, Any]]]:
    """Load the system, make the step and call it: the step, seconds of each part with what the first steps gave,
    and what else the system can tell."""
    began = perf_counter()
    system = runpy.run_path(command["system"])
    imported = perf_counter()
    import numpy as np

    with np.load(command["arrays"]) as file:
        params, inputs = (_part(file, kind) for kind in ("param", "input"))
    loaded = perf_counter()
    if not system["supports"](command["variant"], command["family"]):
        return None, {"reason": f"has no {command['family']}"}, dict
    step: Step = system["build"](command["variant"], command["family"], command["spec"], params, inputs)
    checks = [check(step())]
    called = perf_counter()
    checks += [check(step()) for _ in range(command["steps"] - 1)]
    version = system.get("VERSION", "")
    parts = {"import": imported - began, "first": called - loaded, "checks": checks, "version": version}
    return step, parts, system.get("facts", dict)


def _part(file: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The arrays of one kind by their names, which the file holds as ``kind:name``."""
    return {name.partition(":")[2]: file[name] for name in file if name.startswith(f"{kind}:")}


def check(results: tuple[Any, ...]) -> list[list[float]]:
    """Two numbers for each result: its sum, and the sum of its magnitudes."""
    import numpy as np

    arrays = [np.asarray(each, np.float64) for each in results]
    return [[float(each.sum()), float(np.abs(each).sum())] for each in arrays]


def turn(step: Step, seconds: float) -> dict[str, Any]:
    """Seconds of a call, least and median over samples, after a quarter of the time has gone into warming up."""
    calls = max(1, int(SAMPLE / _warm(step, seconds / 4)))
    samples: list[float] = []
    end = perf_counter() + seconds * 3 / 4
    while len(samples) < LEAST_SAMPLES or perf_counter() < end:
        samples.append(_sample(step, calls))
    samples.sort()
    return {"least": samples[0], "median": samples[len(samples) // 2], "calls": calls * len(samples)}


def _warm(step: Step, seconds: float) -> float:
    """Call ``step`` for a while; seconds of the fastest call."""
    fastest, end = _sample(step, 1), perf_counter() + seconds
    while perf_counter() < end:
        fastest = min(fastest, _sample(step, 1))
    return fastest


def _sample(step: Step, calls: int) -> float:
    began = perf_counter()
    for _ in range(calls):
        step()
    return (perf_counter() - began) / calls


def peak_bytes() -> int:
    """The most memory that this process has had; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def answers(commands: Iterator[str]) -> Iterator[dict[str, Any]]:
    """What each command gives; an error ends the process after it is told."""
    step: Step | None = None
    facts: Callable[[], dict[str, Any]] = dict
    for line in commands:
        command = json.loads(line)
        try:
            if command["do"] == "start":
                step, answer, facts = start(command)
                yield answer
            elif command["do"] == "turn" and step is not None:
                yield turn(step, command["seconds"])
            else:
                yield {"peak": peak_bytes(), "facts": facts()}
                return
        except ModuleNotFoundError as error:
            yield {"reason": f"{error.name} is not installed"}
            return
        except Exception as error:
            text = str(error).strip().partition("\n")[0]
            yield {"reason": f"{type(error).__name__}: {text}"[:300]}
            return


def _end_with_parent() -> None:
    """A process that is stopped cannot see that its parent is gone: have Linux kill it then."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))  # PR_SET_PDEATHSIG


def main() -> None:
    """Answer on what was standard output; whatever a library prints goes to standard error."""
    _end_with_parent()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for answer in answers(iter(sys.stdin.readline, "")):
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).parent]
    main()
