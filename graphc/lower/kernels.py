"""The inside of a kernel: the nests of a group arranged into segments and inner loops.

A kernel is a list of segments over its rows: a matrix product, or a row loop. Within one row the nests become inner
loops; nests over the same axes share one as soon as what they read is there. A value that only its own inner loop
reads lives in a register, one that another inner loop of the row reads is recomputed if that is cheap and kept in
a scratch row otherwise; all others have memory of their own. A product whose rows nobody else reads has no more of it
than the rows that one call of the kernel takes: they stay in the cache, and a gradient is never stored whole that only
its update reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphc.loops import ORDERS, Call, Const, Load
from graphc.lower.axes import dims, is_identity
from graphc.lower.fuse import Group, Nest
from graphc.lower.recompute import CHEAP, operations
from graphc.types import Shape, product

BLOCK = 1 << 18  # bytes that the rows of a product may have which a call keeps for itself
MOST_ROW = BLOCK // 32  # or a product would see too few of them at once
LEAST_COLUMNS = 32  # of a product that is added to memory as it is: those of few columns are summed in pairs


@dataclass(slots=True)
class Inner:
    """Nests that share one inner loop over ``sizes`` (the axes behind the rows)."""

    sizes: Shape
    nests: list[Nest] = field(default_factory=list[Nest])


@dataclass(frozen=True, slots=True)
class Rows:
    """A loop over the rows, with inner loops."""

    inners: tuple[Inner, ...]

    @property
    def nests(self) -> list[Nest]:
        return [n for inner in self.inners for n in inner.nests]


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix product over all rows of the tile."""

    nest: Nest

    @property
    def nests(self) -> list[Nest]:
        return [self.nest]


@dataclass(frozen=True, slots=True)
class Addition:
    """A matrix product that is added, times a number, to memory which is updated in place: it is stored nowhere."""

    nest: Nest
    scaled: Nest | None  # the product times ``factor``
    total: Nest
    factor: Load | Const | None
    negative: bool

    @property
    def nests(self) -> list[Nest]:
        return [self.nest, *([] if self.scaled is None else [self.scaled]), self.total]


@dataclass(frozen=True, slots=True)
class Sort:
    """Rows put in order, one by one."""

    nest: Nest

    @property
    def nests(self) -> list[Nest]:
        return [self.nest]


Segment = Rows | Product | Addition | Sort


@dataclass(frozen=True, slots=True)
class Kernel:
    """A group with its segments and the place of each value: ``register``, ``again`` (recomputed), ``scratch`` (one row
    a tile), ``block`` (the rows of a call) or ``memory``."""

    group: Group
    segments: tuple[Segment, ...]
    place: Mapping[int, str]

    @property
    def nests(self) -> tuple[Nest, ...]:
        return self.group.nests


def inner_axes(nest: Nest, rows: int) -> tuple[int, ...]:
    """The iteration axes of ``nest`` behind its first ``rows`` ones, outermost first."""
    return nest.order[rows:]


def inner_sizes(nest: Nest, rows: int) -> Shape:
    sizes = dims(nest.loop)
    return tuple(sizes[a] for a in inner_axes(nest, rows))


def arrange(group: Group, stored: frozenset[int], overwrites: Mapping[int, int]) -> Kernel:
    """The kernel of ``group``. ``stored`` values need memory for readers outside; ``overwrites`` maps a value to the
    one whose memory it takes over, so that it must be written after the last read of that."""
    segments = tuple(_segments(group, overwrites))
    added = _added(segments, stored, overwrites)
    segments = segments if added is None else (added,)
    return Kernel(group, segments, dict(_places(group, segments, stored, overwrites)))


def _segments(group: Group, overwrites: Mapping[int, int]) -> Iterator[Segment]:
    pending: list[Nest] = []
    for nest in group.nests:
        if nest.product is None and nest.loop.combine not in ORDERS:
            pending.append(nest)
            continue
        if pending:
            yield Rows(_inner_loops(pending, len(group.rows), overwrites))
        pending = []
        yield Product(nest) if nest.product is not None else Sort(nest)
    if pending:
        yield Rows(_inner_loops(pending, len(group.rows), overwrites))


def _added(
    segments: Sequence[Segment], stored: frozenset[int], overwrites: Mapping[int, int]
) -> Addition | None:
    """The one segment that these are, if they add a product to what its only reader overwrites."""
    match segments:
        case (Product(nest), Rows((Inner(_, [*scaled, total]),))) if (
            nest.number not in stored and nest.product
        ):
            p = nest.product
        case _:
            return None
    columns = p.size(p.n)
    plain = not (nest.partial or p.sums or p.windows or p.runs) and nest.loop.dtype.is_float
    if not plain or len(scaled) > 1 or total.number not in overwrites or total.loop.combine:
        return None
    if not isinstance(columns, int) or columns < LEAST_COLUMNS:
        return None
    here, source, factor = total.loop.expr, nest.number, None
    if scaled:
        match scaled[0].loop.expr:
            case Call("mul", (Load(first) as a, Load(second) as b)) if source in (first, second):
                factor = b if first == source else a
            case Call("mul", (Load(first), Const() as number) | (Const() as number, Load(first))) if (
                first == source
            ):
                factor = number
            case _:
                return None
        source = scaled[0].number
        spread = isinstance(factor, Load) and factor.index
        if spread or factor.dtype is not nest.loop.dtype or source in stored:
            return None
    match here:
        case Call(("add" | "sub") as fn, (Load(old), Load(new))) if (old, new) == (
            overwrites[total.number],
            source,
        ):
            pass
        case Call("add" as fn, (Load(new), Load(old))) if (old, new) == (overwrites[total.number], source):
            pass
        case _:
            return None
    step_by_step = all(
        len(load.index) == len(total.order) and is_identity(load.index, total.order)
        for n in (*scaled, total)
        for load in n.loop.loads()
        if load is not factor
    )
    same = nest.loop.axes == total.loop.axes and total.loop.dtype is nest.loop.dtype
    if not (step_by_step and same):
        return None
    return Addition(nest, scaled[0] if scaled else None, total, factor, fn == "sub")


def _inner_loops(nests: Sequence[Nest], rows: int, overwrites: Mapping[int, int]) -> tuple[Inner, ...]:
    inners: list[Inner] = []
    at: dict[int, int] = {}
    for nest in nests:
        sizes = inner_sizes(nest, rows)
        earliest = max(
            (at[d] + late for d, late in _needs(nest, nests, rows, overwrites) if d in at), default=0
        )
        found = next((k for k in range(earliest, len(inners)) if inners[k].sizes == sizes), len(inners))
        if found == len(inners):
            inners.append(Inner(sizes))
        inners[found].nests.append(nest)
        at[nest.number] = found
    _sink(inners, at, nests, rows, overwrites)
    return tuple(inner for inner in inners if inner.nests)


def _sink(
    inners: Sequence[Inner],
    at: dict[int, int],
    nests: Sequence[Nest],
    rows: int,
    overwrites: Mapping[int, int],
) -> None:
    """Move maps that read nothing made in this row down to the one inner loop that reads them, each element where it
    is made: no row need be kept."""
    place = {n.number: k for k, n in enumerate(nests)}
    for nest in reversed(nests):
        reads = [(r, load) for r in nests for load in r.loop.loads() if load.source == nest.number]
        readers = {at[r.number] for r, load in reads if in_step(r, load, nest, rows)}
        readers |= {-1 for r, load in reads if not in_step(r, load, nest, rows)}
        free = not any(load.source in at for load in nest.loop.loads()) and not nest.loop.combine
        if not free or len(readers) != 1 or nest.number in overwrites or _reads_overwritten(nest, overwrites):
            continue
        (target,) = readers
        if target not in (-1, at[nest.number]) and inners[target].sizes == inners[at[nest.number]].sizes:
            inners[at[nest.number]].nests.remove(nest)
            inners[target].nests = sorted([*inners[target].nests, nest], key=lambda n: place[n.number])
            at[nest.number] = target


def _reads_overwritten(nest: Nest, overwrites: Mapping[int, int]) -> bool:
    return any(load.source in overwrites.values() for load in nest.loop.loads())


def _needs(
    nest: Nest, nests: Sequence[Nest], rows: int, overwrites: Mapping[int, int]
) -> Iterator[tuple[int, int]]:
    """What must come before ``nest``: (value, 0) in the same inner loop or earlier, (value, 1) in an earlier one."""
    by_number = {n.number: n for n in nests}
    for load in nest.loop.loads():
        producer = by_number.get(load.source)
        if producer is not None:
            yield load.source, 0 if in_step(nest, load, producer, rows) else 1
    old = overwrites.get(nest.number)
    for other in nests if old is not None else ():
        if other is not nest and any(load.source == old for load in other.loop.loads()):
            yield other.number, 0


def in_step(nest: Nest, load: Load, producer: Nest, rows: int) -> bool:
    """Whether ``load`` reads the very element that ``producer``, a map, computes in the same iteration."""
    if producer.loop.combine or inner_sizes(producer, rows) != inner_sizes(nest, rows):
        return False
    return len(load.index) == len(nest.order) and is_identity(load.index, nest.order)


# ------------------------------------------------------------------------------------------------- places


def _places(
    group: Group, segments: Sequence[Segment], stored: frozenset[int], overwrites: Mapping[int, int]
) -> Iterator[tuple[int, str]]:
    segment_of = {n.number: k for k, s in enumerate(segments) for n in s.nests}
    inner_of = {n.number: i for s in segments if isinstance(s, Rows) for i in s.inners for n in i.nests}
    by_number = {n.number: n for n in group.nests}
    kept = _Kept(segments, overwrites, len(group.rows))
    places: dict[int, str] = {}
    adding = {n.number for s in segments if isinstance(s, Addition) for n in s.nests}
    for nest in group.nests:
        if nest.number in adding:
            yield nest.number, "memory" if nest.number in overwrites else "register"
            continue
        readers = [r for r in group.nests if any(load.source == nest.number for load in r.loop.loads())]
        place = _place(nest, readers, segment_of, inner_of, stored, len(group.rows))
        if place == "scratch" and _is_cheap(nest, by_number, places, len(group.rows)) and kept(nest, readers):
            place = "again"
        places[nest.number] = place
        yield nest.number, place


def _place(
    nest: Nest,
    readers: Sequence[Nest],
    segment_of: Mapping[int, int],
    inner_of: Mapping[int, Inner],
    stored: frozenset[int],
    rows: int,
) -> str:
    if nest.number in stored or nest.partial:
        return "memory"
    if nest.product is not None:
        return (
            "block" if row_bytes(nest, rows) and all(_own_row(r, nest, rows) for r in readers) else "memory"
        )
    if nest.loop.running is not None or nest.loop.combine in ORDERS:
        return "memory"
    if any(segment_of[r.number] != segment_of[nest.number] for r in readers):
        return "memory"
    if is_row_scalar(nest, rows):
        return "register"
    if all(inner_of[r.number] is inner_of[nest.number] for r in readers) and not nest.loop.combine:
        return "register"
    return "scratch"


def row_bytes(nest: Nest, rows: int) -> int:
    """Bytes of a row of ``nest``, if they are known and few; else 0."""
    count = product(nest.loop.axes[rows:])
    size = count * nest.loop.dtype.itemsize if rows and isinstance(count, int) else 0
    return size if size <= MOST_ROW else 0


def _own_row(reader: Nest, nest: Nest, rows: int) -> bool:
    """Whether ``reader`` reads ``nest`` at its own row alone, and is no product itself."""
    loads = (load for load in reader.loop.loads() if load.source == nest.number)
    return reader.product is None and all(is_identity(x.index[:rows], reader.order[:rows]) for x in loads)


def is_row_scalar(nest: Nest, rows: int) -> bool:
    """Whether the value has one element a row."""
    return not nest.partial and len(nest.loop.axes) == rows


def _is_cheap(nest: Nest, by_number: Mapping[int, Nest], places: Mapping[int, str], rows: int) -> bool:
    """Whether computing the value again costs little and reads memory alone."""
    if nest.loop.combine or nest.loop.scatter is not None:
        return False
    reads = {load.source for load in nest.loop.loads()}
    passing = any(
        places.get(r) in ("again", "register") and not is_row_scalar(by_number[r], rows) for r in reads
    )
    return operations(nest.loop.expr) <= CHEAP and not passing


class _Kept:
    """Tells whether what a value is made of is still there wherever the value is read."""

    def __init__(self, segments: Sequence[Segment], overwrites: Mapping[int, int], rows: int) -> None:
        self.rows = rows
        self.at = {
            n.number: (k, j, i)
            for k, s in enumerate(segments)
            for j, nests in enumerate(
                [inner.nests for inner in s.inners] if isinstance(s, Rows) else [s.nests]
            )
            for i, n in enumerate(nests)
        }
        self.writer = {old: new for new, old in overwrites.items() if new in self.at}

    def __call__(self, nest: Nest, readers: Sequence[Nest]) -> bool:
        """Each operand overwritten in this kernel is so after the last reader's loop, or element by element in it."""
        return all(
            self._before(nest, load, r)
            for load in nest.loop.loads()
            if load.source in self.writer
            for r in readers
        )

    def _before(self, nest: Nest, load: Load, reader: Nest) -> bool:
        here, there = self.at[reader.number], self.at[self.writer[load.source]]
        if here[:2] != there[:2]:
            return here < there
        steps = (
            in_step(reader, each, nest, self.rows)
            for each in reader.loop.loads()
            if each.source == nest.number
        )
        return here < there and is_identity(load.index, nest.order) and all(steps)


__all__ = [
    "BLOCK",
    "Addition",
    "Inner",
    "Kernel",
    "Product",
    "Rows",
    "Segment",
    "Sort",
    "arrange",
    "in_step",
    "inner_axes",
    "inner_sizes",
    "is_row_scalar",
    "row_bytes",
]
