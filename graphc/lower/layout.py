"""The layout pass: in which order the axes of each value lie in memory.

Windows want channels last: then what a window holds is a few long stretches, its products are matrix products whose
columns are channels, and everything around it runs along channels in vectors. So a nest with windows chooses the order
of its operands and of its result, and maps that read or feed these follow: chains of elementwise functions,
normalisation, pools and pads. Since loops are index maps, another order is another numbering of axes, in a value's loop
and in all loads of it. Leaves, outputs, updates and reshaped values stay as declared; where one meets another order, it
is read across, or copied once where products or several readers need it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from graphc.loops import Axis, Call, Expr, Load, Loop, at_index, identity, rebuild, walk
from graphc.lower.axes import dims, linear, typical
from graphc.lower.values import NestProgram, Value
from graphc.types import Shape, product

Order = tuple[int, ...]  # axis k in memory is the declared axis order[k]


def lay_out(program: NestProgram) -> NestProgram:
    """``program`` with the axes of values around windows in the order that these want."""
    windows = dict(_windowed(program.values))
    if not windows:
        return program
    orders = _Orders(program, windows).run()
    return _Relabelling(program, windows, orders).run() if orders else program


# ------------------------------------------------------------------------------------------------- windows


@dataclass(frozen=True, slots=True)
class Window:
    """A nest with windows: which operand is read through them, and the wanted order of iteration axes by operand."""

    left: Load
    right: Load
    order_left: Order  # of the axes of the value read
    order_right: Order  # of iteration axes, as they should lie in what is read
    order_out: Order


def _windowed(values: Sequence[Value]) -> Iterator[tuple[int, Window]]:
    for value in values:
        found = None if value.loop is None or value.region is not None else _window(value.loop)
        if found is not None:
            yield value.number, found


def _window(loop: Loop) -> Window | None:
    if loop.combine != "add" or loop.scatter is not None:
        return None
    match loop.expr:
        case Call("mul", (Load() as a, Load() as b)):
            left, right = (a, b) if _has_windows(a) else (b, a)
        case _:
            return None
    if (
        not _has_windows(left)
        or _has_windows(right)
        or any(_axes(i) is None for i in (*left.index, *right.index))
    ):
        return None
    order = _channels_last(loop, left)
    in_left = [a for k in order for a in _axes(left.index[k]) or ()]
    place = {axis: k for k, axis in enumerate(in_left)}
    in_right = sorted(
        (a for i in right.index for a in _axes(i) or ()), key=lambda a: (place.get(a, len(place)), a)
    )
    out = sorted(range(len(loop.axes)), key=lambda a: (place.get(a, len(place)), a))
    return Window(left, right, order, tuple(in_right), tuple(out))


def _has_windows(load: Load) -> bool:
    return any(len(_axes(index) or ()) > 1 for index in load.index)


def _axes(index: Expr) -> tuple[int, ...] | None:
    """The iteration axes that an affine index steps with, in order; None for any other index."""
    if linear(index) is None:
        return None
    return tuple(dict.fromkeys(e.number for e in walk(index) if isinstance(e, Axis)))


def _channels_last(loop: Loop, left: Load) -> Order:
    """The axes of the windowed operand: plain ones, windows, and the channel, which is the last of the plain ones.

    Where there is one plain axis, it is a channel if it is summed as the windows are, by their smaller part.
    """
    plain = [k for k, index in enumerate(left.index) if len(_axes(index) or ()) < 2]
    windows = [k for k in range(len(left.index)) if k not in plain]
    if len(plain) == 1:
        summed = any(a >= len(loop.axes) for a in _axes(left.index[plain[0]]) or ())
        if summed != _sums_the_smaller(loop, left, windows):
            return (*plain, *windows)
    return (*plain[:-1], *windows, *plain[-1:])


def _sums_the_smaller(loop: Loop, left: Load, windows: Sequence[int]) -> bool:
    sizes = dims(loop)
    axes = [a for k in windows for a in _axes(left.index[k]) or ()]
    inside, places = ([a for a in axes if (a >= len(loop.axes)) == summed] for summed in (True, False))
    return typical(product(sizes[a] for a in inside)) <= typical(product(sizes[a] for a in places))


# -------------------------------------------------------------------------------------------------- orders


class _Orders:
    """Chooses orders: first what windows want, then what follows along maps, both ways, until nothing changes."""

    def __init__(self, program: NestProgram, windows: Mapping[int, Window]) -> None:
        self.program = program
        self.values = program.values
        self.windows = windows
        self.fixed = set(_fixed(program))
        self.orders: dict[int, Order] = {}

    def run(self) -> dict[int, Order]:
        for number, window in self.windows.items():
            self.orders.setdefault(number, window.order_out)
            self.wish(window.left.source, window.order_left)
            if all(len(_axes(i) or ()) == 1 and isinstance(i, Axis) for i in window.right.index):
                at = [_axes(i) for i in window.right.index]
                self.wish(window.right.source, tuple(at.index((a,)) for a in window.order_right))
        while self.spread():
            pass
        return {v: order for v, order in self.orders.items() if order != tuple(range(len(order)))}

    def wish(self, number: int, order: Order) -> bool:
        """Let a value have ``order`` unless it has one, or must stay as it is."""
        value = self.values[number]
        if (
            number in self.orders
            or number in self.fixed
            or value.loop is None
            or len(order) != len(value.shape)
        ):
            return False
        self.orders[number] = order
        return True

    def spread(self) -> bool:
        """Hand orders on along maps: to what reads a value, and to what it reads."""
        changed = False
        for value in self.values:
            if value.loop is not None and not value.loop.combine and value.loop.scatter is None:
                for load in dict.fromkeys(value.loop.loads()):
                    changed |= self.along(value, load)
        return changed

    def along(self, value: Value, load: Load) -> bool:
        axes = _correspondence(load, len(value.shape))
        if axes is None:
            return False
        theirs, mine = self.orders.get(load.source), self.orders.get(value.number)
        if theirs is not None and mine is None:
            return self.wish(value.number, tuple(axes[k] for k in theirs))
        if mine is not None and theirs is None:
            return self.wish(load.source, tuple(axes.index(a) for a in mine))
        return False


def _fixed(program: NestProgram) -> Iterator[int]:
    """Values whose memory others see: leaves, what is reshaped, what programs return or keep, and all in loops."""
    kept = (v for v in program.values if v.loop is None or v.loop.scatter is not None or v.region is not None)
    yield from (v.number for v in kept)
    yield from (program.memory(v.number)[0] for v in program.values if v.kind == "view")
    yield from (program.root(k) for k in (*program.outputs.values(), *program.updates.values()))


def _correspondence(load: Load, rank: int) -> list[int] | None:
    """The iteration axis on which each index depends, if it is another one for each and they are all."""
    axes = [{e.number for e in walk(index) if isinstance(e, Axis)} for index in load.index]
    found = [next(iter(each)) for each in axes if len(each) == 1]
    return found if len(found) == len(axes) == rank and sorted(found) == list(range(rank)) else None


# ----------------------------------------------------------------------------------------------- relabelling


class _Relabelling:
    """Writes the program anew: values in their orders, with the copies that products and outputs need."""

    def __init__(
        self, program: NestProgram, windows: Mapping[int, Window], orders: Mapping[int, Order]
    ) -> None:
        self.program = program
        self.windows = windows
        self.orders = orders
        self.fixed = set(_fixed(program))
        self.values: list[Value] = []
        self.new: dict[int, int] = {}  # old number -> new one, in its own order
        self.declared: dict[int, int] = {}  # old number -> new one, as declared
        self.copies: dict[Loop, int] = {}
        self.across = self.read_across()

    def run(self) -> NestProgram:
        for value in self.program.values:
            self.add(value)
        outputs = {name: self.declared[k] for name, k in self.program.outputs.items()}
        updates = {self.new[leaf]: self.declared[k] for leaf, k in self.program.updates.items()}
        return replace(self.program, values=tuple(self.values), outputs=outputs, updates=updates)

    def read_across(self) -> set[int]:
        """Leaves of more than two axes that several maps read in another order: copied once."""
        readers: dict[int, set[int]] = {}
        for value in self.program.values:
            order = self.orders.get(value.number)
            if value.loop is None or order is None or value.number in self.windows:
                continue
            for load in value.loop.loads():
                leaf = self.program.values[load.source]
                if (
                    leaf.loop is None
                    and len(leaf.shape) > 2
                    and _correspondence(load, len(order)) is not None
                ):
                    readers.setdefault(leaf.number, set()).add(value.number)
        return {leaf for leaf, found in readers.items() if len(found) > 1}

    def add(self, value: Value) -> None:
        if value.loop is None:
            self.new[value.number] = self.declared[value.number] = self.append(self.placed(value))
            return
        order = self.order(value.number)
        loop = self.relabelled(value, order)
        shape = tuple(value.shape[k] for k in order)
        moved = order if value.number in self.orders else ()
        here = self.append(replace(self.placed(value), loop=loop, shape=shape, order=moved))
        self.new[value.number] = self.declared[value.number] = here
        if moved and value.number in self.fixed:
            self.declared[value.number] = self.restored(value, order)

    def placed(self, value: Value) -> Value:
        """``value`` with its memory, where that is another's, under the new number."""
        return replace(value, source=self.declared.get(value.source, -1))

    def order(self, number: int) -> Order:
        return self.orders.get(number, tuple(range(len(self.program.values[number].shape))))

    def append(self, value: Value) -> int:
        self.values.append(replace(value, number=len(self.values)))
        return len(self.values) - 1

    def relabelled(self, value: Value, order: Order) -> Loop:
        """The loop of ``value`` with its axes in ``order`` and its loads in those of what they read."""
        loop = value.loop
        assert loop is not None
        if loop.scatter is not None:
            order = tuple(range(len(loop.axes)))
        window = self.windows.get(value.number)
        loads = {} if window is None else self.operands(value, window)
        place = {axis: Axis(k) for k, axis in enumerate(order)}
        rest = {a: Axis(a) for a in range(len(loop.axes), len(dims(loop)))}

        def visit(expr: Expr) -> Expr | None:
            if not isinstance(expr, Load):
                return None
            if expr in loads:
                return loads[expr]
            if expr.source in self.across and value.number not in self.windows:
                return self.converted(expr, order)
            index = tuple(rebuild(i, visit) for i in expr.index)
            return Load(self.new[expr.source], tuple(index[k] for k in self.order(expr.source)), expr.dtype)

        expr = at_index(rebuild(loop.expr, visit), {**place, **rest})
        scatter = loop.scatter
        if scatter is not None:
            scatter = tuple(rebuild(e, visit) for e in scatter)
        axes, running = tuple(loop.axes[k] for k in order), loop.running
        running = None if running is None else order.index(running)
        return replace(loop, axes=axes, expr=expr, scatter=scatter, running=running)

    def operands(self, value: Value, window: Window) -> dict[Load, Load]:
        """What a nest with windows reads instead of operands that do not lie as it wants: copies of them."""
        found: dict[Load, Load] = {}
        left, right = window.left, window.right
        if self.order(left.source) != window.order_left:
            source = self.program.values[left.source]
            number = self.copy(source, identity(len(source.shape)), window.order_left, source.shape)
            found[left] = Load(number, tuple(left.index[k] for k in window.order_left), left.dtype)
        assert value.loop is not None
        if not self.lies_as(right, window.order_right):
            sizes = dims(value.loop)
            axes = {a: Axis(k) for k, a in enumerate(sorted(window.order_right))}
            index = tuple(at_index(i, axes) for i in right.index)
            ranked = sorted(window.order_right)
            order = tuple(ranked.index(a) for a in window.order_right)
            number = self.copy(
                self.program.values[right.source], index, order, tuple(sizes[a] for a in ranked)
            )
            found[right] = Load(number, tuple(Axis(a) for a in window.order_right), right.dtype)
        return found

    def converted(self, load: Load, order: Order) -> Load:
        """``load`` of a leaf that several read in another order: of a copy in that order."""
        axes = _correspondence(load, len(order))
        source = self.program.values[load.source]
        if axes is None:
            return Load(self.new[load.source], load.index, load.dtype)
        wanted = tuple(axes.index(a) for a in order)
        number = self.copy(source, identity(len(source.shape)), wanted, source.shape)
        return Load(number, tuple(load.index[k] for k in wanted), load.dtype)

    def lies_as(self, right: Load, wanted: Order) -> bool:
        index = [right.index[k] for k in self.order(right.source)]
        return index == [Axis(a) for a in wanted]

    def copy(self, source: Value, index: Sequence[Expr], order: Order, shape: Shape) -> int:
        """A new value of ``shape``, its axes in ``order``: ``source`` at ``index``."""
        place = {axis: Axis(k) for k, axis in enumerate(order)}
        at = tuple(at_index(index[k], place) for k in self.order(source.number))
        axes = tuple(shape[k] for k in order)
        loop = Loop(axes=axes, expr=Load(self.new[source.number], at, source.dtype), dtype=source.dtype)
        if loop not in self.copies:
            made = Value(-1, source.node, source.dtype, axes, "nest", loop, order=order)
            self.copies[loop] = self.append(made)
        return self.copies[loop]

    def restored(self, value: Value, order: Order) -> int:
        """A copy of ``value`` in its declared order."""
        index = tuple(Axis(k) for k in order)
        loop = Loop(
            axes=value.shape, expr=Load(self.new[value.number], index, value.dtype), dtype=value.dtype
        )
        return self.append(Value(-1, value.node, value.dtype, value.shape, "nest", loop))


__all__ = ["lay_out"]
