"""Threads: how many a call uses, and the workers that help it.

The workers are plain threads of this process, one for each core but the caller's, that spend their lives
in compiled code (`graphc.runtime.team`) without the interpreter's lock. They look for work for some 100
us after the last, then sleep. Several Python threads may call at once: one has the workers, the others
run alone. After a fork, the child starts workers of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Generator
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from graphc.runtime.launch import LINE, LOCK, WORKERS

_limit: ContextVar[int | None] = ContextVar("graphc_threads", default=None)
_lock = threading.Lock()
_started = False


def count() -> int:
    """Return how many threads a call uses here: the limit in force, or one for each core."""
    return _limit.get() or cores()


@contextlib.contextmanager
def limit(threads: int) -> Generator[None]:
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
    """Return how many cores this process may use, each counted once however many threads it offers."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    return min(len({_siblings(cpu) for cpu in os.sched_getaffinity(0)}), _quota())


def _quota() -> int:
    """The processors that a container's share amounts to: past it, the system stops all threads at once."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):  # no control groups, or "max"
        return 1 << 16


def _siblings(cpu: int) -> str:
    """The hardware threads that share a core with this one; arithmetic gains nothing from a second."""
    try:
        return Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text()
    except OSError:
        return str(cpu)


@cache
def memory() -> int:
    """Return the address of the team's memory, which is never freed: workers outlive the interpreter."""
    size = WORKERS + LINE * cores()
    block = ctypes.create_string_buffer(size + LINE)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(block))
    return -(-ctypes.addressof(block) // LINE) * LINE


def start(work: int) -> None:
    """Start the workers, unless they run.

    Args:
        work: address of the compiled function in which a worker spends its life.
    """
    global _started
    if _started:
        return
    with _lock:
        if _started:
            return
        with contextlib.suppress(RuntimeError):  # no thread to be had; a call does without
            for worker in range(cores() - 1):
                _start_worker(work, worker)
        _started = True


def _start_worker(work: int, worker: int) -> None:
    allocate = ctypes.pythonapi.PyThread_allocate_lock
    allocate.restype = ctypes.c_void_p
    lock = allocate()
    ctypes.pythonapi.PyThread_acquire_lock(
        ctypes.c_void_p(lock), 1
    )  # held: a worker sleeps by waiting for it
    ctypes.c_int64.from_address(memory() + WORKERS + LINE * worker + LOCK).value = lock
    body = ctypes.CFUNCTYPE(None, ctypes.c_int64)(work)
    threading.Thread(target=body, args=(worker,), name=f"graphc-{worker + 1}", daemon=True).start()


def yield_address() -> int:
    """Return the address of the system's call with which a waiting thread gives up its processor."""
    return _address(
        ctypes.CDLL("kernel32").SwitchToThread if os.name == "nt" else ctypes.CDLL(None).sched_yield
    )


def sleep_address() -> int:
    """Return the address of the function that waits for a lock; Python's locks need no interpreter."""
    return _address(ctypes.pythonapi.PyThread_acquire_lock)


def wake_address() -> int:
    """Return the address of the function that releases a lock on which a worker sleeps."""
    return _address(ctypes.pythonapi.PyThread_release_lock)


def _address(function: object) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0  # pyright: ignore[reportArgumentType]


def _after_fork() -> None:
    """In the child no worker is left: forget them, and what they were doing."""
    global _lock, _started
    _lock, _started = threading.Lock(), False
    if memory.cache_info().currsize:
        ctypes.memset(memory(), 0, WORKERS + LINE * cores())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
