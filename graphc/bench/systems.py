"""The systems that are measured, and the processes that run them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import graphc
from graphc import disk

HERE = Path(__file__).parent
OURS = "graphc"
#: What would hold a peer's threads or kernels back; each decides for itself, for the whole machine.
_UNSET = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE", "OMP_WAIT_POLICY",
)  # fmt: skip

#: Have glibc keep the memory that a process frees: a peer that makes a large output anew at each step would otherwise
#: be measured at having the system clear its pages.
_KEPT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


@dataclass(frozen=True, slots=True)
class System:
    """A way to run workloads: the file in ``peers`` and its variant, and where it keeps what it compiles. What is
    written ``by_hand``, with its derivatives, is a yardstick and no peer."""

    name: str
    file: str
    variant: str = ""
    caches: Mapping[str, str] = field(default_factory=dict[str, str])
    by_hand: bool = False

    @property
    def path(self) -> str:
        return str(HERE / "peers" / self.file)

    def environment(self, cache: Path | None) -> dict[str, str]:
        """The environment of its process, with all that it keeps in folder ``cache``, or where it always does."""
        found = {name: value for name, value in os.environ.items() if name not in _UNSET}
        paths = [str(Path(graphc.__file__).parent.parent), *filter(None, [found.get("PYTHONPATH")])]
        set_here = {name: value.format(cache=cache) for name, value in self.caches.items() if cache}
        return found | _KEPT | set_here | {"PYTHONPATH": os.pathsep.join(paths)}


SYSTEMS = {
    s.name: s
    for s in (
        System(OURS, "with_graphc.py", caches={disk.VARIABLE: "{cache}"}),
        System("NumPy", "with_numpy.py", by_hand=True),
        System("torch", "with_torch.py"),
        System("torch channels-last", "with_torch.py", "channels-last"),
        System("torch.compile", "with_torch.py", "compile", {"TORCHINDUCTOR_CACHE_DIR": "{cache}"}),
        System(
            "JAX",
            "with_jax.py",
            caches={
                "JAX_COMPILATION_CACHE_DIR": "{cache}",
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
                "JAX_PLATFORMS": "cpu",
            },
        ),
        System("PyTensor", "with_pytensor.py", caches={"PYTENSOR_FLAGS": "base_compiledir={cache}"}),
    )
}


class Served:
    """One process with one system and one workload. It is stopped, by signal, unless it is asked something: a pool
    of threads that spins while it waits for work would take the processor from whoever is measured."""

    def __init__(self, system: System, cache: Path | None, python: str) -> None:
        self.system = system
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self.process = subprocess.Popen(
            [python, str(HERE / "serve.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=system.environment(cache),
        )

    def ask(self, command: Mapping[str, Any], patience: float = 600.0) -> dict[str, Any]:
        """The answer to ``command``; one with a ``reason`` is the last of its process."""
        self._signal("SIGCONT")
        watch = threading.Timer(patience, self.process.kill)
        watch.start()
        try:
            answer = self._exchange(json.dumps(command))
        finally:
            watch.cancel()
        self._signal("SIGSTOP")
        return answer

    def _exchange(self, line: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            return {"reason": f"its process ended: {self._last_words()}"}

    def _last_words(self) -> str:
        self.errors.seek(0)
        lines = [line.strip() for line in self.errors.readlines() if line.strip()]
        return lines[-1][:300] if lines else f"exit status {self.process.poll()}"

    def _signal(self, name: str) -> None:
        if hasattr(signal, name) and self.process.poll() is None:
            self.process.send_signal(getattr(signal, name))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            if stream is not None:
                stream.close()

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def interpreter(system: System, peers: str | None) -> str:
    """The Python that runs ``system``: graphc's own, or for peers the one given."""
    return sys.executable if system.name == OURS or peers is None else peers
