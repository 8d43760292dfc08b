"""Parameters and states: aligned memory of their own that programs share, with one lock."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any
from weakref import WeakSet

import numpy as np

from graphc.codegen.binding import aligned
from graphc.errors import InputError, MissingError
from graphc.graph import Graph, Handle
from graphc.init import initial_value
from graphc.lower.schedule import Schedule, Storage
from graphc.program.capacity import require
from graphc.size import dim_evaluate
from graphc.types import Type, shape_text

Array = np.ndarray[Any, Any]


class Store:
    """The arrays of parameters and states by name. Views handed out stay valid for the life of the store."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.arrays: dict[str, Array] = {}
        self.kinds: dict[str, str] = {}
        _stores.add(self)

    def take(self, graph: Graph, handle: Handle) -> Array:
        """The array of ``handle``, drawn on first use; raises ``InputError`` when the store holds another shape."""
        known = self.arrays.get(handle.name)
        if known is None:
            size = dim_evaluate(handle.type.size, {}) * handle.dtype.itemsize
            require(size, f"values of {handle.label}", "declare smaller sizes")
            known = self.adopt(handle.name, handle.node.op, initial_value(graph, handle))
        check(handle.name, handle.type, known)
        return known

    def adopt(self, name: str, kind: str, value: Array) -> Array:
        memory = aligned_copy(value)
        self.arrays[name], self.kinds[name] = memory, kind
        return memory


def constant_of(schedule: Schedule, storage: Storage) -> Array:
    """The array of a constant that kernels read."""
    program = schedule.program
    return program.node(program.values[storage.value]).param["value"].array


def aligned_copy(value: Array) -> Array:
    """A copy that begins at a cache line."""
    memory = aligned(max(1, value.nbytes))[: value.nbytes].view(value.dtype).reshape(value.shape)
    memory[...] = value
    return memory


_stores: WeakSet[Store] = WeakSet()
_held: list[Store] = []


def _before_fork() -> None:
    """Let no call be under way: a child would find half an update, and a lock that nobody releases."""
    _held.extend(_stores)
    for store in _held:
        store.lock.acquire()


def _after_fork() -> None:
    while _held:
        _held.pop().lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


def check(name: str, kind: Type, value: Array) -> None:
    if value.shape != kind.shape:
        raise InputError(
            f"shape {value.shape} does not fit {shape_text(kind.shape)}; give values of {kind}"
        ).located(f"parameter {name!r}")
    if value.dtype != kind.dtype.numpy:
        raise InputError(f"dtype {value.dtype} does not fit {kind.dtype}; give values of {kind}").located(
            f"parameter {name!r}"
        )


class Parameters(MutableMapping[str, Array]):
    """The parameters (or states) of a program by name: NumPy views of the memory that kernels read and write.

    Assigning copies values into that memory; names cannot be added or removed.
    """

    def __init__(self, store: Store, names: Mapping[str, Type], kind: str = "param") -> None:
        self.store = store
        self._what = "state" if kind == "state" else "parameter"
        self.names = dict(names)

    def __getitem__(self, name: str) -> Array:
        if name not in self.names:
            raise MissingError(
                f"there is no such value; there are {', '.join(self.names) or 'none'}"
            ).located(f"{self._what} {name!r}")
        return self.store.arrays[name]

    def __setitem__(self, name: str, value: Any) -> None:
        memory = self[name]
        given = np.asarray(value)
        if given.shape != memory.shape:
            raise InputError(
                f"shape {given.shape} does not fit {memory.shape}; give values of {self.names[name]}"
            ).located(f"{self._what} {name!r}")
        if not np.can_cast(given.dtype, memory.dtype, "same_kind"):
            raise InputError(f"dtype {given.dtype} does not fit {memory.dtype}; cast it first").located(
                f"{self._what} {name!r}"
            )
        with self.store.lock:
            memory[...] = given

    def __delitem__(self, name: str) -> None:
        raise InputError("it cannot be removed, kernels read it; assign to it instead").located(
            f"{self._what} {name!r}"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: {kind}" for name, kind in self.names.items()) + "}"


def _converted(value: Any, kind: Type) -> Array:
    """``value`` in the parameter's dtype where assigning it would convert it too."""
    given = np.asarray(value)
    fits = np.can_cast(given.dtype, kind.dtype.numpy, "same_kind")
    return given.astype(kind.dtype.numpy) if fits else given


def store_of(params: Any, graph: Graph) -> Store:
    """The store to use: shared when ``params`` are another program's, new, or filled with copies of a plain mapping.

    Raises ``InputError`` for what is no mapping and for names that ``graph`` does not know.
    """
    if isinstance(params, Parameters):
        return params.store
    store = Store()
    if params is not None and not isinstance(params, Mapping):
        raise InputError(
            f"params {params!r} are no mapping; give another program's .params or arrays by name"
        )
    known = {h.name: h for kind in ("param", "state") for h in graph.leaves(kind)}
    for name, value in (params or {}).items():  # pyright: ignore[reportUnknownVariableType]
        if name not in known:
            raise InputError(
                f"graph {graph.name!r} has no such parameter; give some of {', '.join(known) or 'none'}"
            ).located(f"parameter {name!r}")
        store.adopt(str(name), known[name].node.op, _converted(value, known[name].type))  # pyright: ignore[reportUnknownArgumentType]
    return store
