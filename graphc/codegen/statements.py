"""The straight-line code inside the loops: one statement a nest, in graph order, in single-assignment form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from graphc.codegen.access import Access, canonical
from graphc.codegen.frame import Frame
from graphc.codegen.scalar import accumulate
from graphc.loops import Axis, Call, Const, Expr, Extent, walk
from graphc.lower.fuse import Nest
from graphc.lower.kernels import Inner, Kernel, is_row_scalar


class Statements:
    """Writes what the nests of one inner loop compute for one element."""

    def __init__(self, frame: Frame, access: Access, kernel: Kernel) -> None:
        self.frame = frame
        self.access = access
        self.place = kernel.place

    def write(self, inner: Inner, totals: Mapping[int, str]) -> None:
        """The statements of ``inner``; ``totals`` holds the registers of reductions that are under way."""
        expressions = {n.number: self.access.within(canonical(n, n.loop.expr)) for n in inner.nests}
        repeated = _repeated(expressions.values())
        self.frame.repeated += len(repeated)
        self.access.writer.named = named = dict[Expr, str]()
        for nest in inner.nests:
            self.access.nest = nest
            expr = expressions[nest.number]
            self._name_parts(expr, repeated, named)
            self._statement(nest, self.access.writer(expr), totals)
        self.access.writer.named = {}
        self.access.nest = None

    def _name_parts(self, expr: Expr, repeated: frozenset[Expr], named: dict[Expr, str]) -> None:
        """Give locals to loads and repeated subexpressions, innermost first, but not to what a guard protects."""
        if expr in named or isinstance(expr, (Axis, Const, Extent)):
            return
        if isinstance(expr, Call):
            for part in _named_ahead(expr):
                self._name_parts(part, repeated, named)
            if expr in repeated:
                self._name(expr, "v", named)
        elif self.access.register(expr) is None and self.place.get(expr.source) != "again":
            self._name(expr, "a", named)

    def _name(self, expr: Expr, prefix: str, named: dict[Expr, str]) -> None:
        text, name = self.access.writer(expr), self.frame.fresh(prefix)
        self.frame.put(f"{name} = {text}")
        named[expr] = name

    def _statement(self, nest: Nest, text: str, totals: Mapping[int, str]) -> None:
        loop = nest.loop
        if loop.scatter is not None:
            self._scatter(nest, text)
        elif not loop.combine:
            self._element(nest, text)
        else:
            total = totals.get(nest.number) or self.access.target(nest)
            self.frame.put(f"{total} = {accumulate(loop.combine, total, text, loop.dtype)}")

    def _element(self, nest: Nest, text: str) -> None:
        name = self.frame.fresh("v")
        self.frame.put(f"{name} = {text}")
        if nest.loop.running is not None:
            name = self._running(nest, name)
        self.access.elements[nest.number] = name
        self.keep(nest, name)

    def keep(self, nest: Nest, name: str) -> None:
        """Leave the value in local ``name`` to those who read it: for the rest of the row, and in memory."""
        if is_row_scalar(nest, self.access.rows):
            self.access.row_scalars[nest.number] = name
        if self.place[nest.number] in ("memory", "scratch"):
            self.frame.put(f"{self.access.target(nest)} = {name}")

    def _running(self, nest: Nest, text: str) -> str:
        """``text`` added to the element before, in order: sums along an axis are what they are one by one."""
        total, dtype = self.access.sums.get(nest.number), nest.loop.dtype
        name = total or self.frame.fresh("v")
        index, before = ("", total) if total else self.access.before(nest)
        added = f"{before} + {text}" if dtype.is_float else f"{dtype.short}({before} + {text})"
        self.frame.put(f"{name} = {added if total else f'({added} if {index} > 0 else {text})'}")
        return name

    def _scatter(self, nest: Nest, text: str) -> None:
        place = self.access.scattered(nest)
        # Several elements may go to one place, in an order that LLVM must not choose: a plain sum.
        plain = f"{place} + {text}"
        total = plain if nest.loop.dtype.is_float else accumulate("add", place, text, nest.loop.dtype)
        self.frame.put(f"{place} = {total}")


def _named_ahead(expr: Call) -> tuple[Expr, ...]:
    """The operands of which parts may have locals: not what a guard protects, nor the number of what is drawn."""
    return {"guard": (), "threefry": expr.args[:1]}.get(expr.fn, expr.args)


def _repeated(exprs: Iterable[Expr]) -> frozenset[Expr]:
    """Calls that occur more than once among ``exprs``."""
    counts = Counter(e for expr in exprs for e in walk(expr) if isinstance(e, Call))
    return frozenset(e for e, count in counts.items() if count > 1)


__all__ = ["Statements"]
