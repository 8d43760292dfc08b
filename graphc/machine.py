"""What this host can do: measured with the kernels' own words, and remembered.

Peak of the matrix products, bandwidth of each level of memory, and what a step and a parallel region cost: the roofline
beside which a program's kernels are seen. Measured once and kept in the cache folder under the processor's name;
``graphc bench --machine`` measures it anew.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from graphc import disk
from graphc.codegen.binding import aligned
from graphc.runtime import jit, launch, loader, threads
from graphc.runtime.cache import folder

KIND = "machines"
_TEXT = """
@kernel
def nothing(lo, hi, args):
    pass


@kernel
def triad(lo, hi, args):
    a = f32_buffer(args, 0)
    b = f32_buffer(args, 1)
    c = f32_buffer(args, 2)
    n = size(args, 3)
    for again in range(size(args, 4)):
        s = f32(again)
        for i in range(lo * n, hi * n):
            a[i] = b[i] + s * c[i]


@kernel
def product_f32(lo, hi, args):
    n = size(args, 3)
    for again in range(size(args, 4)):
        for t in range(lo, hi):
            at = t * n * n * 4
            gemm_f32(n, n, n, size(args, 0) + at, n, 1, size(args, 1) + at, n, 1, size(args, 2) + at, n)


@kernel
def product_f64(lo, hi, args):
    n = size(args, 3)
    for again in range(size(args, 4)):
        for t in range(lo, hi):
            at = t * n * n * 8
            gemm_f64(n, n, n, size(args, 0) + at, n, 1, size(args, 1) + at, n, 1, size(args, 2) + at, n)


"""
#: Rows and columns of the product that is measured: three such matrices stay in a second-level cache.
_SIDE = 256
#: Seconds that a call which is timed should take, and how often it is.
_LONG, _OFTEN = 1e-3, 60
#: Levels that are assumed where the system tells none: bytes, and whether cores share it.
_USUAL = ((32 << 10, False), (1 << 20, False), (16 << 20, True))
#: Most bytes that measuring takes: main memory is seen by what no cache holds.
_MOST = 512 << 20


@dataclass(frozen=True, slots=True)
class Level:
    """A level of memory: bytes that it holds for all cores together (0: no limit), and bytes a second that a triad
    ``a = b + s c`` moves there, with one thread and with all."""

    name: str
    size: int
    one: float
    all: float


@dataclass(frozen=True, slots=True)
class Machine:
    """Figures of a host; seconds, bytes a second, floating-point operations a second.

    peaks:   by dtype, of matrix products on one thread and on all
    levels:  of memory, nearest first
    step:    what a step costs that does nothing, on one thread
    meeting: the same where all threads take part
    region:  what it costs to begin and end a parallel call
    lacks:   what a better host would have, for people
    """

    cpu: str
    threads: int
    peaks: Mapping[str, tuple[float, float]]
    levels: tuple[Level, ...]
    step: float
    meeting: float
    region: float
    lacks: tuple[str, ...] = ()

    def bandwidth(self, size: int) -> float:
        """Bytes a second that all threads move within ``size`` bytes: those of the nearest level that holds them."""
        return next((level.all for level in self.levels if size <= level.size), self.levels[-1].all)

    def floor(self, flops: float, moved: float, *, within: int, dtype: str = "float32") -> float:
        """Seconds below which no kernel can do ``flops`` operations and move ``moved`` bytes ``within`` so many.

        >>> levels = (Level("L1", 1000, 4.0, 8.0), Level("memory", 0, 1.0, 2.0))
        >>> host = Machine("some", 2, {"float32": (5.0, 10.0)}, levels, 0.0, 0.0, 0.0)
        >>> host.floor(100, 8, within=500), host.floor(100, 80, within=5000)
        (10.0, 40.0)
        """
        return max(flops / self.peaks[dtype][1], moved / self.bandwidth(within))

    def __str__(self) -> str:
        lines = [f"{self.cpu}, {self.threads} threads"]
        lines += [
            f"{name}: {one / 1e9:.0f} GFLOP/s on one thread, {both / 1e9:.0f} on all"
            for name, (one, both) in self.peaks.items()
        ]
        lines += [
            f"{level.name}: triad {level.one / 1e9:.0f} GB/s on one thread, {level.all / 1e9:.0f} on all"
            for level in self.levels
        ]
        costs = {"a step": self.step, "a step of all threads": self.meeting, "a parallel region": self.region}
        lines += [f"{what} costs {seconds * 1e9:.0f} ns" for what, seconds in costs.items()]
        return "\n".join([*lines, *self.lacks])


# --------------------------------------------------------------------------------------------------- which


def cpu_name() -> str:
    """The processor's name, as the system tells it."""
    try:
        found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1) if found else platform.processor() or loader.host()[0]


def _key() -> str:
    """The name of the file that remembers this host: another count of cores makes another host."""
    return re.sub(r"\W+", "-", f"{cpu_name()} {threads.cores()}".lower())


@cache
def this() -> Machine:
    """This host, remembered or measured now, which takes some seconds."""
    return remembered() or measure()


def remembered() -> Machine | None:
    """This host as it was measured last; None if it was not, or by another version of graphc."""
    body = disk.read(KIND, _key())
    return None if body is None else from_json(json.loads(body))


def from_json(found: Any) -> Machine | None:
    """The machine that ``dataclasses.asdict`` made into plain data; None for data of another form."""
    try:
        return Machine(
            cpu=str(found["cpu"]),
            threads=int(found["threads"]),
            peaks={str(name): (float(one), float(both)) for name, (one, both) in found["peaks"].items()},
            levels=tuple(Level(**level) for level in found["levels"]),
            step=float(found["step"]),
            meeting=float(found["meeting"]),
            region=float(found["region"]),
            lacks=tuple(map(str, found["lacks"])),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def lacks() -> tuple[str, ...]:
    """What is slower here than it need be, and why."""
    features = loader.host()[1]
    found: list[str] = []
    if platform.machine().lower() in ("x86_64", "amd64") and "+avx512f" not in features:
        width = 256 if "+avx2" in features else 128
        found.append(f"no AVX-512: vectors have {width} bits")
    if threads.cores() == 1:
        found.append("one core: kernels run on one thread")
    if not _keeps():
        found.append("no cache folder that can be written: kernels are compiled in each process")
    return tuple(found)


def _keeps() -> bool:
    """Whether the cache keeps what it is given."""
    where = folder()
    if where is None:
        return False
    disk.write(KIND, "probe", b"")
    return disk.read(KIND, "probe") is not None


# ------------------------------------------------------------------------------------------------ measuring


def measure() -> Machine:
    """Measure this host and remember it."""
    loaded = _loaded()
    every = threads.cores()
    found = Machine(
        cpu=cpu_name(),
        threads=every,
        peaks={
            dtype: (_peak(loaded, dtype, 1), _peak(loaded, dtype, every)) for dtype in ("float32", "float64")
        },
        levels=tuple(_level(loaded, *each) for each in _sizes()),
        step=_per_step(loaded, 1),
        meeting=_per_step(loaded, every),
        region=max(0.0, _empty(loaded, every, 1) - _empty(loaded, 1, 1)),
        lacks=lacks(),
    )
    disk.write(KIND, _key(), json.dumps(asdict(found)).encode())
    return found


@cache
def _loaded() -> jit.Loaded:
    return jit.load(f"from graphc.runtime.language import *\n{_TEXT}{launch.ENTRY}", "<graphc machine>")


def _peak(loaded: jit.Loaded, dtype: str, members: int) -> float:
    """Operations a second of square products, one for each thread."""
    numbers = [np.ones((members, _SIDE, _SIDE), dtype) for _ in range(3)]
    arguments = [each.ctypes.data for each in numbers]
    kernel = f"product_{'f32' if dtype == 'float32' else 'f64'}"
    return members * 2 * _SIDE**3 / _time_of(loaded, kernel, members, [*arguments, _SIDE])


def _level(loaded: jit.Loaded, name: str, size: int, shared: bool) -> Level:
    """A level of ``size`` bytes: half of it is used, or for main memory (0) four times what caches hold."""
    every = threads.cores()
    private = size and not shared
    used = size // 2 if size else min(_MOST, 4 * max(each for _, each, _ in _sizes()))
    one = _triad(loaded, used, 1)
    both = _triad(loaded, used * every if private else used, every)
    return Level(name, size * every if private else size, one, both)


def _triad(loaded: jit.Loaded, size: int, members: int) -> float:
    """Bytes a second of a triad whose three arrays have ``size`` bytes together."""
    count = size // 12 // members // 16 * 16
    arrays = [aligned(4 * count * members).view(np.float32) for _ in range(3)]
    for array in arrays:
        array[:] = 1
    slots = np.array([each.ctypes.data for each in arrays], np.int64)
    arguments = [slots.ctypes.data + 8 * k for k in range(3)]
    return 12 * count * members / _time_of(loaded, "triad", members, [*arguments, count])


def _time_of(loaded: jit.Loaded, kernel: str, members: int, arguments: Sequence[int]) -> float:
    """Seconds of one pass of a kernel whose last argument says how often it passes; each member has one row."""
    with threads.limit(members):
        once = _seconds(_call(loaded, kernel, members, [*arguments, 1]), 3)
        passes = max(1, int(_LONG / once))
        return _seconds(_call(loaded, kernel, members, [*arguments, passes]), _OFTEN) / passes


def _per_step(loaded: jit.Loaded, members: int, count: int = 1000) -> float:
    return (_empty(loaded, members, count) - _empty(loaded, members, 1)) / (count - 1)


def _empty(loaded: jit.Loaded, members: int, count: int) -> float:
    """Seconds of a call of ``count`` steps that do nothing."""
    with threads.limit(members):
        return _seconds(_call(loaded, "nothing", members, [], count), 20 * _OFTEN)


def _call(
    loaded: jit.Loaded, kernel: str, members: int, arguments: Sequence[int], count: int = 1
) -> Callable[[], None]:
    """A call of ``count`` equal steps, each of as many rows and tiles as there are members."""
    block = np.array([*arguments, 0], np.int64)
    table = np.frombuffer(aligned(8 * launch.STEP_WORDS * count), np.int64).reshape(count, launch.STEP_WORDS)
    table[:, launch.KERNEL], table[:, launch.ARGS] = loaded.addresses[kernel], block.ctypes.data
    table[:, launch.TILES] = table[:, launch.ROWS] = members
    table[:, launch.GROUP] = 1

    def call(kept: Any = block) -> None:
        loaded.call(table.ctypes.data, count)

    return call


def _seconds(call: Callable[[], None], times: int) -> float:
    """Seconds of the fastest of so many calls, after two that do not count."""
    found: list[float] = []
    for _ in range(times + 2):
        began = perf_counter()
        call()
        found.append(perf_counter() - began)
    return min(found[2:])


def _sizes() -> list[tuple[str, int, bool]]:
    """Name, bytes and sharing of each level of cache, and main memory as one of 0 bytes."""
    found = _told() or list(_USUAL)
    named = [(f"L{number}", *each) for number, each in enumerate(found, 1)]
    return [*named, ("memory", 0, True)]


def _told() -> list[tuple[int, bool]]:
    """The caches that Linux tells, nearest first; instructions have their own."""
    found: dict[int, tuple[int, bool]] = {}
    for path in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size, cpus = (
                (path / name).read_text().strip() for name in ("level", "type", "size", "shared_cpu_list")
            )
        except OSError:
            return []
        if kind != "Instruction" and size.endswith("K"):
            found[int(level)] = (int(size[:-1]) << 10, threads.cores() > 1 and not _one_core(cpus))
    return [found[level] for level in sorted(found)]


def _one_core(cpus: str) -> bool:
    """Whether the processors of a list such as ``0,64`` are threads of the core of processor 0."""
    path = Path("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list")
    try:
        return path.read_text().strip() == cpus
    except OSError:
        return cpus == "0"


__all__ = ["Level", "Machine", "cpu_name", "from_json", "lacks", "measure", "remembered", "this"]
