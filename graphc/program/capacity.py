"""Whether a call fits into memory: told before, since the system would grant it and then end the process."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from graphc.errors import CapacityError

_LIMIT = Path("/sys/fs/cgroup/memory.max")  # of a container


@cache
def memory() -> int | None:
    """Bytes of memory that this process may use; None if the system does not say."""
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        return min(found, int(_LIMIT.read_text()))
    except (OSError, ValueError):
        return found


def require(wanted: int, what: str, todo: str = "give a smaller batch") -> None:
    """Raise ``CapacityError`` when ``wanted`` bytes are more than this machine has."""
    have = memory()
    if have is not None and wanted > have:
        raise CapacityError(
            f"{what} take {wanted} bytes ({wanted / 2**30:.1f} GiB) and this machine has {have}; {todo}"
        )


__all__ = ["memory", "require"]
