"""Object code on disk: who may read it, what happens to it, and that a warm process needs no Numba."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import runtime_kernels as kernels

from graphc import disk
from graphc.errors import CacheWarning
from graphc.runtime import cache, launch
from graphc.runtime.loader import Object

UNIT = Object("graphc_symbol", ("graphc_team",), b"\x7fELF code")
KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    directory = cache.folder()
    assert directory is not None
    return directory


def test_what_is_written_is_read(folder: Path) -> None:
    assert cache.read(KEY) is None
    cache.write(KEY, UNIT)
    assert cache.read(KEY) == UNIT
    assert [each.name for each in folder.iterdir()] == [KEY]


def test_only_the_owner_can_enter(folder: Path) -> None:
    cache.write(KEY, UNIT)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / KEY).stat().st_mode & 0o777 == 0o600


DAMAGE = {
    "one bit": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "one bit of the description": lambda content: content.replace(b"graphc_symbol", b"graphc_symbom"),
    "truncated": lambda content: content[:-3],
    "only a head": lambda content: content[:40],
    "empty": lambda content: b"",
    "longer": lambda content: content + b"x",
    "other format": lambda content: b"graphc object 0" + content[15:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_as_good_as_absent_and_rewritten(folder: Path, damage: str) -> None:
    cache.write(KEY, UNIT)
    file = folder / KEY
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    assert cache.read(KEY) is None
    cache.write(KEY, UNIT)
    assert cache.read(KEY) == UNIT


def test_code_stored_under_another_name_is_not_run(folder: Path) -> None:
    cache.write(KEY, UNIT)
    other = KEY[::-1]
    (folder / KEY).rename(folder / other)
    assert cache.read(other) is None


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="permissions of POSIX")
def test_what_others_may_write_is_not_read(folder: Path) -> None:
    cache.write(KEY, UNIT)
    (folder / KEY).chmod(0o620)
    assert cache.read(KEY) is None
    (folder / KEY).chmod(0o600)
    assert cache.read(KEY) == UNIT
    folder.chmod(0o755)
    assert cache.folder() is None
    assert cache.read(KEY) is None


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="links of POSIX")
def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    cache.write(KEY, UNIT)
    (folder / KEY).rename(tmp_path / "elsewhere")
    (folder / KEY).symlink_to(tmp_path / "elsewhere")
    assert cache.read(KEY) is None
    (tmp_path / "cache").rename(tmp_path / "real")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "objects").symlink_to(tmp_path / "real" / "objects")
    assert cache.folder() is None


@pytest.fixture
def untold(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not warned yet."""
    monkeypatch.setattr(disk, "_told", lambda told=[]: told)


def test_no_folder_is_wanted_and_nothing_is_said(monkeypatch: pytest.MonkeyPatch, untold: None) -> None:
    monkeypatch.setenv(cache.VARIABLE, "")
    assert cache.folder() is None
    cache.write(KEY, UNIT)
    assert cache.read(KEY) is None


@pytest.mark.parametrize("place", ["file/in/the/way", "nul\0byte"])
def test_without_a_folder_nothing_is_stored_and_one_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untold: None, place: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    # The environment cannot hold a NUL; a mapping can.
    monkeypatch.setattr(os, "environ", {cache.VARIABLE: str(tmp_path / place)})
    assert cache.folder() is None
    with pytest.warns(CacheWarning, match="compiled anew in each process: there is no folder") as told:
        cache.write(KEY, UNIT)
    cache.write(KEY, UNIT)  # where warnings are errors, a second one would be raised
    assert len(told) == 1
    assert cache.read(KEY) is None


def test_a_full_disk_is_told_once(folder: Path, monkeypatch: pytest.MonkeyPatch, untold: None) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(disk, "_write_file", full)
    with pytest.warns(CacheWarning, match=r"cannot be written \(No space left on device\)") as told:
        cache.write(KEY, UNIT)
    cache.write(KEY, UNIT)  # where warnings are errors, a second one would be raised
    assert len(told) == 1
    assert not list(folder.glob("*"))


def test_what_nobody_has_used_for_long_is_forgotten(folder: Path) -> None:
    cache.write(KEY, UNIT)
    used, forgotten = folder / KEY, folder / "forgotten"
    forgotten.write_bytes(b"")
    os.utime(used, (1e9, 1e9))
    os.utime(forgotten, (1e9, 1e9))
    assert cache.read(KEY) == UNIT  # which makes it young again
    disk._prune.cache_clear()
    cache.write(KEY[::-1], UNIT)
    assert sorted(each.name for each in folder.iterdir()) == sorted([KEY, KEY[::-1]])


SCRIPT = """
import sys
from graphc.runtime import jit
source = sys.stdin.read()
loaded = jit.load(source)
loaded.call(0, 0)
print(loaded.compiled, loaded.cached, "numba" in sys.modules, sorted(loaded.addresses))
"""
SOURCE = (
    kernels.HEAD
    + """
@kernel
def double(lo, hi, args):
    x = f32_buffer(args, 0)
    for i in range(lo, hi):
        x[i] = x[i] * f32(2.0)
"""
    + launch.ENTRY
)


def processes(count: int, folder: str, source: str = SOURCE) -> list[str]:
    """What so many fresh processes print that load one module at the same time."""
    environment = {**os.environ, cache.VARIABLE: folder}
    started = [
        subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment, stdin=-1, stdout=-1, text=True)
        for _ in range(count)
    ]
    texts = [each.communicate(source)[0].strip() for each in started]
    assert [each.returncode for each in started] == [0] * count
    return texts


def test_a_warm_process_compiles_nothing_and_does_not_import_numba(tmp_path: Path) -> None:
    processes(2, str(tmp_path))  # both at once, into one empty folder
    names = {each.name for each in (tmp_path / "objects").iterdir()}
    assert len(names) == 5  # the kernel, the entry, what takes arrays in, and the two functions of the team
    assert processes(1, str(tmp_path)) == ["0 2 False ['double', 'run']"]
    assert {each.name for each in (tmp_path / "objects").iterdir()} == names
    changed = SOURCE.replace("2.0", "3.0").replace("def double", "def triple")
    assert processes(1, str(tmp_path), changed) == ["1 1 True ['run', 'triple']"]
