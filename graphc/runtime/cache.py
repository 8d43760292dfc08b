"""Object code on disk, by the hash of what it was compiled from and of all that decides what it compiles to."""

from __future__ import annotations

import hashlib
import json
import struct
import sys
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

from graphc import disk
from graphc.runtime.loader import Object, host

KIND = "objects"
VARIABLE = disk.VARIABLE
folder = partial(disk.folder, KIND)


@cache
def environment() -> str:
    """Return a hash of all that decides what a kernel's text compiles to, besides the text."""
    parts = [version("numba"), version("llvmlite"), *host(), sys.platform, str(struct.calcsize("P"))]
    digest = hashlib.sha256("\0".join(parts).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def read(key: str) -> Object | None:
    """Return the object code stored under `key`; None if there is none, or it is damaged or not this user's."""
    body = disk.read(KIND, key)
    if body is None:
        return None
    description, _, code = body.partition(b"\n")
    symbol, needs, stored_key = json.loads(description)
    return Object(symbol, tuple(needs), code) if stored_key == key else None


def write(key: str, unit: Object) -> None:
    """Store object code under `key`, for the next process."""
    disk.write(KIND, key, json.dumps([unit.symbol, unit.needs, key]).encode() + b"\n" + unit.code)
