"""Threads: how many a call uses, and the layer of Numba's that runs them, loaded without Numba.

Threading layers, in order of preference: OpenMP (several Python threads may call at once, and a region opens in a
microsecond while its threads are hot), TBB, and Numba's own work queue, which takes one caller at a time.

After a fork the threads are gone and the layer would hang or end the child, so a child runs everything on its one
thread; results are the same. Start children with `spawn` or `forkserver` to give them threads.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from types import MappingProxyType, ModuleType

from graphc.errors import CompileError

#: Symbols of a layer, by the names that object code uses for them: apart from those Numba registers, which may
#: belong to another layer.
LAYER_PREFIX = "graphc_layer_"
_FUNCTIONS = ("parallel_for", "get_num_threads", "set_num_threads")
_LAYERS = ("omppool", "tbbpool", "workqueue")

_limit: ContextVar[int | None] = ContextVar("graphc_threads", default=None)
_lock = threading.RLock()
_is_forked = False


def count() -> int:
    """Return how many threads a call uses here: the limit in force, or one for each core."""
    if _is_forked:
        return 1
    return _limit.get() or cores()


@contextmanager
def limit(threads: int) -> Iterator[None]:
    """Use at most so many threads for calls made by this Python thread (or task) inside the block.

    Raises:
        ValueError: fewer than one thread.

    >>> with limit(1):
    ...     count()
    1
    """
    if threads < 1:
        raise ValueError(f"a limit of {threads} threads; give 1 or more")
    token = _limit.set(min(threads, cores()))
    try:
        yield
    finally:
        _limit.reset(token)


@cache
def cores() -> int:
    """Return the number of cores this process may run on, each counted once however many threads it offers."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    return len({_siblings(cpu) for cpu in os.sched_getaffinity(0)})


def _siblings(cpu: int) -> str:
    """The hardware threads that share a core with this one; arithmetic gains nothing from a second."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


def exclusive() -> AbstractContextManager[object]:
    """Return what a caller holds while it uses threads: a lock if the layer takes one caller at a time."""
    return _guard


_guard: AbstractContextManager[object] = nullcontext()


def symbols() -> MappingProxyType[str, int]:
    """Load the threading layer, start its threads and return the addresses that object code may need.

    Raises:
        CompileError: this host has none of Numba's layers.
    """
    with _lock:
        return _load()


@cache
def _load() -> MappingProxyType[str, int]:
    global _guard
    layer = next((found for name in _LAYERS if (found := _open(name)) is not None), None)
    if layer is None:
        raise CompileError("Numba's threading layers do not load; reinstall numba")
    if layer.__name__.endswith("workqueue"):
        _guard = threading.Lock()
    _launch(layer)
    addresses = {LAYER_PREFIX + name: int(getattr(layer, name)) for name in _FUNCTIONS}
    return MappingProxyType(addresses | {LAYER_PREFIX + "yield": _yield_address()})


def _open(name: str) -> ModuleType | None:
    """Import one layer from its file, unless Numba has; None if its library is not installed."""
    full = f"numba.np.ufunc.{name}"
    if full in sys.modules:
        return sys.modules[full]
    numba = importlib.util.find_spec("numba")
    folder = Path(numba.origin or "").parent / "np" / "ufunc" if numba else Path()
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        spec = importlib.util.spec_from_file_location(name, folder / (name + suffix))
        if spec is None or spec.loader is None or not (folder / (name + suffix)).exists():
            continue
        try:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        except ImportError:
            return None
        return module
    return None


def _launch(layer: ModuleType) -> None:
    """Start the layer's threads as Numba would, if it has not."""
    numba = sys.modules.get("numba.np.ufunc.parallel")
    if numba is None or not getattr(numba, "_is_initialized", False):
        logical = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        ctypes.CFUNCTYPE(None, ctypes.c_int)(layer.launch_threads)(logical)


def _yield_address() -> int:
    """The system's call with which a waiting thread gives up its processor."""
    function = ctypes.CDLL("kernel32").SwitchToThread if os.name == "nt" else ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _after_fork() -> None:
    global _is_forked, _lock
    _lock = threading.RLock()
    _is_forked = _is_forked or "numba" in sys.modules or _load.cache_info().currsize > 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
