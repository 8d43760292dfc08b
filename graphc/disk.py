"""What graphc remembers between processes, in a folder of the user's own.

Some of what is read here is run, so nothing is trusted but what this user wrote and what still has its hash:
folders and files belong to the user and to nobody else, a file begins with the SHA-256 of the rest, and a file that
does not match is as good as absent. Files are written whole under another name and then renamed, so that
processes may read and write at once. Without a safe, writable folder everything works, and
is found anew in each process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import time
import warnings
from functools import cache
from pathlib import Path

from graphc.errors import CacheWarning

#: The one environment variable: a folder, or empty for no cache on disk.
VARIABLE = "GRAPHC_CACHE"
_MAGIC = b"graphc cache 1\n"
_DAY = 86400
_KEPT_DAYS = 60


def folder(kind: str) -> Path | None:
    """The private folder of files of one ``kind``, made if need be; None if there is none to be had safely."""
    base = os.environ.get(VARIABLE)
    if base == "":
        return None
    return _private((_default() if base is None else Path(base)) / kind)


def _default() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("graphc", appauthor=False))


def _private(path: Path) -> Path | None:
    """``path`` as a folder that only its owner, this user, can enter."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except (OSError, ValueError):
        return None
    return path if stat.S_ISDIR(found.st_mode) and _is_ours(found, 0o077) else None


def _is_ours(found: os.stat_result, forbidden: int) -> bool:
    """Whether a file or folder is this user's, with none of the forbidden permissions."""
    if not hasattr(os, "getuid"):
        return True  # Windows: the folder lies in the user's profile
    return found.st_uid == os.getuid() and not found.st_mode & forbidden


def read(kind: str, key: str) -> bytes | None:
    """What was written under ``key``; None if there is nothing, or it is damaged or not this user's."""
    directory = folder(kind)
    if directory is None:
        return None
    try:
        content = _read_file(directory / key)
    except OSError:
        return None
    head = len(_MAGIC) + 64
    digest, body = content[len(_MAGIC) : head], content[head:]
    whole = content.startswith(_MAGIC) and hashlib.sha256(body).hexdigest().encode() == digest
    return body if whole else None


def _read_file(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not _is_ours(found, 0o022):
            return b""
        content = file.read()
    if time.time() - found.st_mtime > _DAY:  # its age is what `_prune` goes by
        with contextlib.suppress(OSError):
            os.utime(path)
    return content


def write(kind: str, key: str, body: bytes) -> None:
    """Store ``body`` under ``key``, for the next process; a warning, once, tells if that is not possible."""
    directory = folder(kind)
    if directory is None:
        if os.environ.get(VARIABLE) != "":
            _warn("there is no folder that this user alone can write")
        return
    temporary = directory / f".{secrets.token_hex(8)}"
    try:
        _write_file(temporary, _MAGIC + hashlib.sha256(body).hexdigest().encode() + body)
        temporary.replace(directory / key)
    except OSError as error:  # disk full, read-only, removed meanwhile
        _warn(f"{directory} cannot be written ({error.strerror})")
        with contextlib.suppress(OSError):
            temporary.unlink()
    _prune(directory)


@cache
def _told() -> list[str]:
    return []


def _warn(reason: str) -> None:
    """Say once a process that each process finds everything anew."""
    if not _told():
        _told().append(reason)
        text = f"kernels are compiled anew in each process: {reason}; set {VARIABLE} to a folder, or to '' to want none"
        warnings.warn(text, CacheWarning, stacklevel=2)


def _write_file(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)


@cache
def _prune(directory: Path) -> None:
    """Once a process, forget what has not been used for long: files of former versions, and torn writes."""
    oldest = time.time() - _KEPT_DAYS * _DAY
    with contextlib.suppress(OSError):
        for entry in os.scandir(directory):
            if entry.stat(follow_symlinks=False).st_mtime < oldest:
                os.unlink(entry.path)
