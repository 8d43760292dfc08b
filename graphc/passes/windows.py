"""Identities of ranges: a slice of what pads, slides or interleaves is made from less. All hold bit for bit.

The gradient of a padded convolution is a slice of a correlation over a padded cotangent: of the products that a slice
drops, none is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphc.graph import Handle
from graphc.ops.sliding import read
from graphc.passes.identity import Identity, identity, sound
from graphc.passes.movement import alone
from graphc.rewrite import Rewriter, Term
from graphc.types import Dim

WINDOWS: list[Identity] = []


@dataclass(frozen=True, slots=True)
class Span:
    """The elements from ``start`` up to ``stop`` of an axis of ``size``."""

    start: Dim
    stop: Dim
    size: Dim

    @property
    def is_whole(self) -> bool:
        return self.start == 0 and self.stop == self.size


def _spans(term: Term) -> list[Span] | None:
    """The range of each axis that a slice without strides takes."""
    if any(s != 1 for s in term.params["step"]):
        return None
    shape = term.operands[0].shape
    return [Span(*each) for each in zip(term.params["start"], term.params["stop"], shape, strict=True)]


def _cut(b: Rewriter, x: Handle, spans: Sequence[Span]) -> Handle:
    if all(s.is_whole for s in spans):
        return x
    start, stop = tuple(s.start for s in spans), tuple(s.stop for s in spans)
    return b("slice", x, start=start, stop=stop, step=(1,) * len(spans))


def _checked(b: Rewriter, op: str, operands: Sequence[Handle], **params: Any) -> Handle | None:
    """The application, if nothing of its type is left for a call to check."""
    term = Term(op, tuple(operands), params)
    return b.build(term) if sound(term) else None


@identity(WINDOWS, "slice")
def slice_of_pad(b: Rewriter, term: Term) -> Handle | None:
    """A slice of a padded value is a slice, padded with what is left."""
    spans, inner = _spans(term), b.sees(term.operands[0], "pad")
    if spans is None or inner is None:
        return None
    (x,) = inner.operands
    found = [
        _within(span, low, size) for span, low, size in zip(spans, inner.params["low"], x.shape, strict=True)
    ]
    if any(f is None for f in found):
        return None
    kept, low, high = zip(*(f for f in found if f is not None), strict=True) if found else ((), (), ())
    return b("pad", _cut(b, x, kept), low=low, high=high, value=inner.params["value"])


def _within(span: Span, low: Dim, size: Dim) -> tuple[Span, int, int] | None:
    """What a span of a padded axis takes of the axis, and how much of the padding on either side."""
    before, behind = low - span.start, span.stop - (low + size)
    if not isinstance(before, int) or not isinstance(behind, int):
        return None
    start, stop = max(-before, 0), size + min(behind, 0)
    taken = stop - start
    empty = not isinstance(taken, int) and (before < 0 or behind < 0)
    if (isinstance(taken, int) and taken <= 0) or empty:
        return None
    return Span(start, stop, size), max(before, 0), max(behind, 0)


@identity(WINDOWS, "slice")
def slice_of_correlate(b: Rewriter, term: Term) -> Handle | None:
    """A range of places needs only the elements under its windows; other ranges are those of the operands."""
    spans, inner = _spans(term), b.sees(term.operands[0], "correlate")
    if spans is None or inner is None or not alone(b, term.operands[0]) or 0 in term.type.shape:
        return None
    spec, (x, w) = read(inner.params), inner.operands
    by_letter = dict(zip(spec.out, spans, strict=True))
    mine = [by_letter.get(i, Span(0, d, d)) for i, d in zip(spec.x, x.shape, strict=True)]
    yours = [by_letter.get(i, Span(0, d, d)) for i, d in zip(spec.w, w.shape, strict=True)]
    for k, place, inside, stride, dilation in spec.windows:
        span, reach = by_letter[place], dilation * (w.shape[spec.w.index(inside)] - 1)
        if not span.is_whole:
            start = stride * span.start
            mine[k] = Span(start, start + stride * (span.stop - span.start - 1) + reach + 1, x.shape[k])
    return _checked(b, "correlate", (_cut(b, x, mine), _cut(b, w, yours)), **inner.params)


@identity(WINDOWS, "slice")
def slice_of_weave(b: Rewriter, term: Term) -> Handle | None:
    """A range of interleaved pieces interleaves ranges of them, the first being the one that it begins with."""
    spans, inner = _spans(term), b.sees(term.operands[0], "weave")
    if spans is None or inner is None or not alone(b, term.operands[0]):
        return None
    steps = inner.params["steps"]
    if any(not isinstance(s.start, int) for s, step in zip(spans, steps, strict=True) if step != 1):
        return None
    pieces = [
        _cut(b, inner.operands[_number(first, steps)], parts)
        for first, parts in _parts(spans, steps, inner.operands)
    ]
    shape = tuple(s.stop - s.start for s in spans)
    return _checked(b, "weave", pieces, steps=steps, shape=shape)


def _parts(
    spans: Sequence[Span], steps: Sequence[int], pieces: Sequence[Handle]
) -> list[tuple[tuple[int, ...], list[Span]]]:
    """For each residue of the result, in order: the residues of the piece that it comes from, and its ranges."""
    found: list[tuple[tuple[int, ...], list[Span]]] = [((), [])]
    for span, step in zip(spans, steps, strict=True):
        count = span.stop - span.start
        each: list[tuple[int, Dim, Dim]] = [(0, span.start, count)]
        if step != 1:
            assert isinstance(span.start, int)
            start = span.start
            each = [
                ((r + start) % step, (r + start) // step, (count - r + step - 1) // step) for r in range(step)
            ]
        found = [
            ((*residues, r), [*parts, Span(first, first + size, -1)])
            for residues, parts in found
            for r, first, size in each
        ]
    return [(r, _sized(parts, pieces[_number(r, steps)])) for r, parts in found]


def _sized(parts: Sequence[Span], piece: Handle) -> list[Span]:
    return [Span(p.start, p.stop, d) for p, d in zip(parts, piece.shape, strict=True)]


def _number(residues: Sequence[int], steps: Sequence[int]) -> int:
    """The place of a piece among all, the last axis running fastest."""
    found = 0
    for residue, step in zip(residues, steps, strict=True):
        found = found * step + residue
    return found


__all__ = ["WINDOWS"]
