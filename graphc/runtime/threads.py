"""How many threads a call uses."""

from __future__ import annotations

import os


def count() -> int:
    """Threads that a call may use: the processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
