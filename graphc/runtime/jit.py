"""Compile and load emitted modules.

>>> from graphc.runtime import jit, launch
>>> text = "from graphc.runtime.language import *\\n" + launch.ENTRY
>>> loaded = jit.load(text)
>>> list(loaded.addresses)
['run']
>>> loaded.call(0, 0)  # no steps, so nothing happens

Each function of a module is compiled, cached and loaded by itself, under a key made of its text and of
everything else that decides its code; a kernel that occurs in fifty layers or in two programs is compiled
once. Whether it comes from the compiler or from disk, it is loaded the same way.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401  # pyright: ignore[reportUnusedImport] - see the end
import ctypes
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from graphc.errors import CompileError
from graphc.runtime import cache, externals, loader, threads, units

_RUN = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)
_lock = threading.RLock()
_addresses: dict[str, int] = {}
_compilations = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """An emitted module in memory, for the life of the process.

    Attributes:
        addresses: address of each function, by name: kernels are C functions `void(int64 lo, int64 hi,
            int64 args)`.
        compiled: how many functions Numba had to compile for this.
        cached: how many of the module's functions were in memory or on disk.
    """

    addresses: Mapping[str, int]
    compiled: int
    cached: int
    _run: Callable[[int, int, int, int], None] | None

    def call(self, steps: int, count: int, guards: int = 0) -> None:
        """Run `count` steps of the table at address `steps`, laid out as `graphc.runtime.launch` says.

        Before them, what the block at `guards` asks for is done (`graphc.runtime.guards`); if it refuses, no
        step runs. The interpreter is free meanwhile. A table serves one call at a time; several Python threads may
        call at once, each with a table of its own.

        Raises:
            CompileError: the module has no `@entry`.
        """
        if self._run is None:
            raise CompileError("the module has no @entry; append launch.ENTRY to it")
        threads.start(_addresses[externals.WORK])
        self._run(steps, count, threads.count(), guards)

    def prepared(self, steps: int, count: int, guards: int, *, serial: bool) -> Callable[[], None]:
        """Return what does the same as ``call`` with these arguments; `serial` where no step has a second tile."""
        if self._run is None or not serial:
            return partial(self.call, steps, count, guards)
        return partial(self._run, steps, count, 1, guards)


def counters() -> int:
    """Return how many functions Numba has compiled in this process."""
    return _compilations


def load(source: str, file: str | None = None) -> Loaded:
    """Load an emitted module, compiling what is in no cache.

    Args:
        source: text of the module, in the language of `graphc.runtime.language`.
        file: where the text lies, for messages and debuggers; it need not exist.

    Raises:
        CompileError: the text is not in the language, or its object code does not load.
    """
    name = file or "<kernels>"
    with _lock:  # around parsing too: CPython 3.11 cannot make syntax trees in two threads at once
        functions = units.split(source, name)
        keys = {unit.name: unit.key(cache.environment()) for unit in functions}
        entries = [unit.name for unit in functions if unit.parallel]
        before = _compilations
        absent = _read(set(keys.values()))
        wanted = {keys[unit.name]: unit for unit in functions if keys[unit.name] in absent}
        made = _compile(wanted, source, name)
        _link({key: made[key] for key in wanted}, made)
        _require([externals.WORK] if entries else [], made)
        compiled = _compilations - before
    addresses = MappingProxyType({unit: _addresses[key] for unit, key in keys.items()})
    run = _RUN(addresses[entries[0]]) if entries else None
    return Loaded(addresses, compiled, len(functions) - len(wanted), run)


def _read(keys: set[str]) -> set[str]:
    """Load what the disk holds of the keys that are not in memory; return those that nobody holds."""
    absent = keys - _addresses.keys()
    found = {key: unit for key in sorted(absent) if (unit := cache.read(key)) is not None}
    _link(found, {})
    return absent - found.keys()


def _compile(wanted: Mapping[str, units.Unit], source: str, file: str) -> dict[str, loader.Object]:
    """Compile and store what is in no cache, with the external functions that it calls."""
    if not wanted:
        return {}
    from graphc.runtime import build

    return _stored(build.build(wanted, source, file, _recall))


def _stored(made: dict[str, loader.Object]) -> dict[str, loader.Object]:
    """Count and store what has just been compiled."""
    global _compilations
    for name, unit in made.items():
        _compilations += 1
        cache.write(_external_key(name) if name in externals.SYMBOLS else name, unit)
    return made


def _link(objects: Mapping[str, loader.Object], made: Mapping[str, loader.Object]) -> None:
    """Load object code, after the external functions that it calls, which may be among those just made."""
    needs = {name for unit in objects.values() for name in unit.needs}
    _require(needs & externals.SYMBOLS, made)
    _addresses.update(loader.link(objects))


def _require(symbols: Iterable[str], made: Mapping[str, loader.Object]) -> None:
    """Load external functions, compiling what is neither stored nor just made."""
    for symbol in sorted(symbols):
        if _recall(symbol):
            continue
        if symbol not in made:
            from graphc.runtime import build

            made = {**made, **_stored(build.external(symbol))}
        _publish(symbol, made[symbol], made)


def _recall(symbol: str) -> bool:
    """Whether an external function is loaded, be it now from disk."""
    if symbol not in _addresses and (unit := cache.read(_external_key(symbol))) is not None:
        _publish(symbol, unit, {})
    return symbol in _addresses


def _publish(symbol: str, unit: loader.Object, made: Mapping[str, loader.Object]) -> None:
    _link({symbol: unit}, made)
    loader.publish(symbol, _addresses[symbol])


def _external_key(symbol: str) -> str:
    return externals.key(symbol, cache.environment())


if hasattr(os, "register_at_fork"):
    # A child would find half loaded, and locked, what another thread is loading; so a fork waits for it. What compiles
    # uses a pool and a log, which hold locks of their own over a fork: they are imported, so this lock is taken first.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
