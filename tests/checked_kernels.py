"""Emitted kernels run in plain Python, every access checked: a second meaning of the kernel language.

A module's source is executed with words of this file's own. Each storage is an array by itself, so an index that
leaves it, which in compiled code would read or write a neighbour, is an error that names kernel, buffer and index. So
are the reading of what nobody wrote, two tiles of a step that meet in an element that one of them writes (on two
threads a race), and an element that a kernel writes through one argument and reaches through another, of which
compiled code assumes that it does not happen.
"""

from __future__ import annotations

import ast
import ctypes
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np

import graphc as gc
from graphc import threefry
from graphc.codegen import binding
from graphc.loops import FUNCTIONS
from graphc.lower.kernels import BLOCK
from graphc.runtime import launch
from graphc.size import dim_evaluate

STEP = 1 << 20  # of marks: those of a step are its number times this, plus a tile or an argument
SEVERAL = STEP - 1
Array = np.ndarray


class KernelError(AssertionError):
    """A kernel did what it must not."""


@dataclass
class Here:
    """Where the run is: what is told of a fault, and what tells accesses apart."""

    kernel: str = ""
    step: int = 1
    tile: int = 0


class Memory:
    """The elements of a storage: what they hold, whether they were written, and marks of who reached them last."""

    def __init__(self, name: str, data: Array, known: Array) -> None:
        self.name, self.data, self.known = name, data, known
        self.written_by = {"tile": np.zeros(data.shape, np.int64), "argument": np.zeros(data.shape, np.int64)}
        self.read_by = {who: marks.copy() for who, marks in self.written_by.items()}


class Pointer:
    """A buffer of a kernel: the argument of a step by which it reaches a storage, from element ``start`` on."""

    def __init__(self, here: Here, memory: Memory, argument: int, start: int = 0) -> None:
        self.here, self.memory, self.argument, self.start = here, memory, argument, start
        self.first = here.step * STEP
        self.me = {"tile": self.first + here.tile, "argument": self.first + argument}

    def __getitem__(self, i: Any) -> Any:
        at = self.reached(i, "reads")
        if not self.memory.known[at].all():
            raise self.fault("reads", i, "which nobody wrote")
        for who, me in self.me.items():
            self.meet(self.memory.written_by[who][at], me, "reads", at, who)
            marks = self.memory.read_by[who]
            before = marks[at]
            alone = (before < self.first) | (before == me)
            marks[at] = me if np.all(alone) else np.where(alone, me, self.first + SEVERAL)
        value = self.memory.data[at]
        return value if isinstance(i, np.ndarray) or value.dtype.kind == "f" else value.item()

    def __setitem__(self, i: Any, value: Any) -> None:
        at = self.reached(i, "writes")
        for who, me in self.me.items():
            self.meet(self.memory.written_by[who][at], me, "writes", at, who)
            self.meet(self.memory.read_by[who][at], me, "writes", at, who)
            self.memory.written_by[who][at] = me
        self.memory.data[at] = value
        self.memory.known[at] = True

    def reached(self, i: Any, what: str) -> Any:
        """Elements ``i`` as elements of the storage, of which there must be so many."""
        at, size = i + self.start, self.memory.data.size
        low, high = (at, at) if isinstance(at, int) else (at.min(initial=0), at.max(initial=0))
        if low < 0 or (high >= size and np.size(at)):
            raise self.fault(what, low if low < 0 else high, f"which has {size} elements")
        return at

    def meet(self, mark: Any, me: int, what: str, at: Any, who: str) -> None:
        """Raise where another tile or argument of this step left a mark."""
        other = (mark >= self.first) & (mark != me)
        if other if isinstance(at, int) else other.any():
            raise self.fault(what, at, f"which another {who} reaches in this step")

    def fault(self, what: str, at: Any, why: str) -> KernelError:
        return KernelError(f"{self.here.kernel} {what} element {at} of {self.memory.name}, {why}")


# ---------------------------------------------------------------------------------------------------- words


def _wrapped(bits: int, signed: bool) -> Callable[[Any], int]:
    def cast(x: Any) -> int:
        if isinstance(x, (float, np.floating)):
            low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
            return (
                0 if x != x else int(min(max(x, low), high)) if abs(x) != np.inf else (high if x > 0 else low)
            )
        value = int(x) % 2**bits
        return value - 2**bits if signed and value >= 2 ** (bits - 1) else value

    return cast


def _floor(name: str, bits: int) -> Callable[[int, int], int]:
    wrap = _wrapped(bits, True)
    if name == "floordiv":
        return lambda a, b: wrap(a // b) if b else 0
    return lambda a, b: a % b if b else 0


def _index(fn: Callable[[int, int], int]) -> Callable[[int, int], int]:
    def word(a: int, b: int) -> int:
        assert a >= 0, f"index arithmetic of {a} and {b}: no sign is looked at"
        assert b > 0, f"index arithmetic of {a} and {b}: no sign is looked at"
        return fn(a, b)

    return word


def _float_words(kind: type[np.floating]) -> dict[str, Any]:
    words: dict[str, Any] = {
        "fma": lambda a, b, c: kind(np.float64(a) * np.float64(b) + np.float64(c)),
        "copysign": np.copysign,
        "accumulate_add": lambda a, b: a + b, "accumulate_mul": lambda a, b: a * b,
        "accumulate_max": np.maximum, "accumulate_min": np.minimum,
    }  # fmt: skip
    for function in FUNCTIONS.values():
        if function.room:
            words[function.name] = lambda *args, f=function.reference: kind(f(*map(kind, args)))
    return words


def _words() -> dict[str, Any]:
    """What needs no memory."""
    found: dict[str, Any] = {
        "kernel": lambda f: f, "entry": lambda f: f, "inf": np.inf,
        "f32": np.float32, "f64": np.float64, "b1": bool,
        "i32": _wrapped(32, True), "i64": _wrapped(64, True), "u32": _wrapped(32, False), "u64": _wrapped(64, False),
        "select": lambda c, a, b: a if c else b,
        "maximum_i64": max, "minimum_i64": min,
        "quotient": _index(lambda a, b: a // b), "remainder": _index(lambda a, b: a % b),
        **{f"{name}_i{bits}": _floor(name, bits) for name in ("floordiv", "mod") for bits in (32, 64)},
        "threefry_i64": lambda key, counter: int(threefry.threefry(np.int64(key), np.int64(counter))),
        "shift_right_i64": lambda bits, n: int(threefry.shift_right(np.int64(bits), np.int64(n))),
        "bits_f32": lambda x: int(np.float32(x).view(np.uint32)),
        "bits_f64": lambda x: int(np.float64(x).view(np.uint64)),
        "float_f32": lambda u: np.uint32(u).view(np.float32), "float_f64": lambda u: np.uint64(u).view(np.float64),
    }  # fmt: skip
    for suffix, kind in (("f32", np.float32), ("f64", np.float64)):
        found |= {f"{name}_{suffix}": word for name, word in _float_words(kind).items()}
    return found


def _product(accumulate: bool, m: int, n: int, k: int, a: Any, ra: int, ca: int, *rest: Any) -> None:
    """C = A B, or added to C; see the language for stretches and runs."""
    b, rb, cb, c, rc, stretches, stretch_a, run, run_a = (*rest, 1, 0, 0, 0)[:9]
    (pa, oa), (pb, ob), (pc, oc) = a, b, c
    i, j, q = np.arange(m), np.arange(n), np.arange(k * stretches)
    rows = (i // run) * run_a + i % run * ra if run else i * ra
    columns = (q // k) * stretch_a + q % k * ca if k else q
    left = pa[oa + rows[:, None] + columns[None, :]] if m and q.size else np.zeros((m, q.size))
    right = pb[ob + q[:, None] * rb + j[None, :] * cb] if n and q.size else np.zeros((q.size, n))
    at = oc + i[:, None] * rc + j[None, :]
    if m and n:
        made = left.astype(np.float64) @ right.astype(np.float64)
        pc[at] = made + pc[at] if accumulate else made


def _scaled(m: int, n: int, k: int, a: Any, ra: int, ca: int, *rest: Any) -> None:
    """C + number A B, for more columns than any vector has elements."""
    *factors, c, rc, number = rest
    assert n > 16, "products of few columns take no number"
    pc, oc = c
    made = np.zeros(m * n) if not m * n else np.full(m * n, np.nan)
    _product(False, m, n, k, a, ra, ca, *factors, (_Rows(made), 0), n)
    at = oc + np.arange(m)[:, None] * rc + np.arange(n)[None, :]
    if m and n:
        pc[at] = pc[at] + np.float64(number) * made.reshape(m, n)


class _Rows:
    """Plain memory for a product."""

    def __init__(self, data: Array) -> None:
        self.data = data

    def __setitem__(self, at: Any, values: Any) -> None:
        self.data[at] = values


def _argsort(x: Any, stride: int, n: int, y: Any, flip: int) -> None:
    """The order of n elements at x in the first n words at y; the next 3 n are room to work in, unknown afterwards."""
    (px, ox), (py, oy) = x, y
    values = np.asarray(px[ox + np.arange(n) * stride])
    turned = values[::-1] if flip else values
    places = np.argsort(turned, kind="stable")
    py[oy + np.arange(4 * n)] = -1
    py.memory.known[py.reached(oy + np.arange(n, 4 * n), "writes")] = False
    py[oy + np.arange(n)] = n - 1 - places[::-1] if flip else places


_WORDS = _words()

# -------------------------------------------------------------------------------------------------- programs


def _word_at(address: int) -> int:
    return ctypes.c_int64.from_address(address).value


@contextmanager
def many_tiles() -> Any:
    """Steps are cut as finely as they may be, so that tiles can meet."""
    with patch.object(binding, "TILE_NS", 1e-9):
        yield


class Checked:
    """A program whose calls run in Python, checked, on copies of its parameters and states."""

    def __init__(self, program: gc.Program, source: str = "") -> None:
        self.program, self.here = program, Here()
        tree = ast.parse(source or program.source)
        tree.body = [n for n in tree.body if not isinstance(n, ast.Import | ast.ImportFrom)]
        self.namespace: dict[str, Any] = {**_WORDS, **self.memory_words()}
        exec(compile(tree, "<checked>", "exec"), self.namespace)
        self.names = {address: name for name, address in program._loaded.addresses.items()}

    def memory_words(self) -> dict[str, Any]:
        words: dict[str, Any] = {
            "size": lambda args, k: _word_at(args + 8 * k),
            "address": lambda pointer, i: (pointer, i),
            "scalar_f32": lambda args, k: np.float32(np.int64(_word_at(args + 8 * k)).view(np.float64)),
            "scalar_f64": lambda args, k: np.int64(_word_at(args + 8 * k)).view(np.float64),
        }
        for kind in ("f32", "f64"):
            words[f"{kind}_block"] = partial(self.block, kind)
        for kind in ("f32", "f64", "i32", "i64", "u32", "b1"):
            words[f"{kind}_buffer"] = lambda args, k: self.pointer(args, k)
            words[f"{kind}_buffer_from"] = lambda args, k: self.pointer(args, k, _word_at(args + 8 * k + 8))
            words[f"argsort_{kind}"] = _argsort
            for form in ("", "windows_"):
                words[f"gemm_{form}{kind}"] = partial(_product, False)
                words[f"gemm_accumulate_{form}{kind}"] = partial(_product, True)
            words[f"gemm_scaled_{kind}"] = _scaled
        return words

    def pointer(self, args: int, k: int, start: int = 0) -> Pointer:
        number = (_word_at(args + 8 * k) - self.slots) // 8
        return Pointer(self.here, self.memories[number], k, start)

    def block(self, kind: str, k: int, count: int) -> Pointer:
        data = np.full(count, np.nan, np.float32 if kind == "f32" else np.float64)
        assert data.nbytes <= BLOCK, "more than a stack should hold"
        return Pointer(self.here, Memory(f"block {k}", data, np.zeros(count, bool)), k)

    def __call__(self, **inputs: Any) -> dict[str, Array]:
        program = self.program
        arrays, sizes = program._binder(inputs)
        program._check_indexed(sizes)
        bound = program._tables.bind(sizes)
        self.slots = bound.slots.ctypes.data
        env, _, _ = program._tables.cut(dict(sizes))
        self.memories = [self.memory(s, env, arrays) for s in program._schedule.storages]
        self.here.step = 0
        with np.errstate(all="ignore"):
            for record in bound.steps[: bound.count]:
                self.step(record)
        return {
            o.name: self.memories[o.slot].data.reshape([dim_evaluate(d, sizes) for d in o.type.shape])
            for o in program._outputs
        }

    def memory(self, storage: Any, env: dict[str, int], arrays: dict[str, Array]) -> Memory:
        given = self.given(storage, arrays)
        count = dim_evaluate(storage.size, env)
        name = f"{storage.kind} {storage.number}"
        if given is None:
            data = np.full(
                count, {"f": np.nan, "i": 77, "b": True}[storage.dtype.numpy.kind], storage.dtype.numpy
            )
            return Memory(name, data, np.zeros(count, bool))
        assert given.size == count, name
        return Memory(name, np.array(given).ravel(), np.ones(count, bool))

    def given(self, storage: Any, arrays: dict[str, Array]) -> Array | None:
        if storage.kind in ("temporary", "output"):
            return None
        if storage.kind == "const":
            return self.program._constants[storage.number]
        graph = self.program._schedule.program.graph
        name = graph.nodes[self.program._schedule.program.values[storage.value].node].param["name"]
        return arrays[name] if storage.kind == "input" else self.program._store.arrays[name]

    def step(self, record: Sequence[int]) -> None:
        address, tiles, rows, args = (
            int(record[k]) for k in (launch.KERNEL, launch.TILES, launch.ROWS, launch.ARGS)
        )
        self.here.kernel = self.names[address]
        self.here.step += 1
        for tile in range(tiles):
            self.here.tile = tile
            self.namespace[self.here.kernel](tile * rows // tiles, (tile + 1) * rows // tiles, args)


__all__ = ["Checked", "Here", "KernelError", "Memory", "Pointer", "many_tiles"]
