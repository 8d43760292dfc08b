"""What lies in the cache of compiled kernels."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from graphc.runtime.cache import folder

_KEY = re.compile(r"[0-9a-f]{32}")  # other files in the folder are not ours to touch


@dataclass(frozen=True, slots=True)
class Entry:
    """One compiled function: its file, bytes, and the day it was last used (to within a day)."""

    path: Path
    size: int
    used: datetime

    def __str__(self) -> str:
        return f"{self.path.name}  {self.size:>9,} bytes  used {self.used:%Y-%m-%d}"


def entries(directory: Path) -> tuple[Entry, ...]:
    """The entries in ``directory``, most recently used first; those deleted meanwhile are left out."""
    found: list[Entry] = []
    for path in directory.iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += _entry(path)
    return tuple(sorted(found, key=lambda entry: (-entry.used.timestamp(), entry.path.name)))


def _entry(path: Path) -> list[Entry]:
    if not _KEY.fullmatch(path.name) or path.is_symlink():
        return []
    state = path.stat()
    return [Entry(path, state.st_size, datetime.fromtimestamp(state.st_mtime, UTC))]


def delete(found: Sequence[Entry]) -> int:
    """Delete ``found`` and return how many were there; programs that have loaded them go on running."""
    count = 0
    for entry in found:
        with contextlib.suppress(FileNotFoundError):
            entry.path.unlink()
            count += 1
    return count


__all__ = ["Entry", "delete", "entries", "folder"]
