"""The index expression of ``correlate``: an einsum in which an axis may be read through a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_letters
from typing import Any

from graphc.errors import ShapeError
from graphc.registry import Params
from graphc.types import Checks, Dim, Shape, shape_text

Index = str  # a letter, or the two of a window: where it stands and the place within it


@dataclass(frozen=True, slots=True)
class Spec:
    """The index expression of a ``correlate``: letters by axis; an axis of ``x`` with two letters is a window."""

    x: tuple[Index, ...]
    w: str
    out: str
    stride: tuple[int, ...]
    dilation: tuple[int, ...]

    @property
    def windows(self) -> list[tuple[int, str, str, int, int]]:
        """Each window: axis of ``x``, letter of the result, letter of ``w``, stride, dilation."""
        axes = [k for k, index in enumerate(self.x) if len(index) == 2]
        steps = zip(axes, self.stride, self.dilation, strict=True)
        return [(k, self.x[k][0], self.x[k][1], s, d) for k, s, d in steps]

    @property
    def summed(self) -> list[str]:
        """The letters that the result lacks: those of both operands first, then those of windows."""
        plain = [i for i in self.x if len(i) == 1 and i not in self.out]
        return [*plain, *(i for i in self.w if i not in self.out and i not in plain)]

    def params(self) -> dict[str, Any]:
        """The parameters of the node, letters renamed in order of appearance so that equal nodes are one."""
        names: dict[str, str] = {}
        for letter in "".join((*self.x, self.w, self.out)):
            names.setdefault(letter, ascii_letters[len(names)])
        x = "".join(_bracketed("".join(names[i] for i in index)) for index in self.x)
        w, out = ("".join(names[i] for i in word) for word in (self.w, self.out))
        return {"spec": f"{x},{w}->{out}", "stride": self.stride, "dilation": self.dilation}

    def over(self, letter: str, x: bool, w: bool) -> Spec:
        """The same with a leading axis ``letter`` of the result and of the operands told."""
        return Spec(
            (letter, *self.x) if x else self.x,
            letter + self.w if w else self.w,
            letter + self.out,
            self.stride,
            self.dilation,
        )


def _bracketed(index: str) -> str:
    return index if len(index) == 1 else f"[{index}]"


def read(params: Params) -> Spec:
    """The spec that the parameters of a node say; raises ``ShapeError`` for another form."""
    text = params["spec"]
    left, arrow, out = text.partition("->")
    x, comma, w = left.partition(",")
    indices: list[str] = []
    while x:
        size = x.find("]") + 1 if x[0] == "[" else 1
        indices.append(x[:size].strip("[]") if size else "")
        x = x[size:] if size else ""
    found = Spec(tuple(indices), w, out, params["stride"], params["dilation"])
    if not arrow or not comma or not _is_sound(found):
        raise ShapeError(
            f"spec {text!r} with stride {found.stride} and dilation {found.dilation} is not of the form "
            "'ab[ce],dbe->adc' with one step of at least 1 for each window; write it so"
        )
    return found


def _is_sound(spec: Spec) -> bool:
    words = ("".join(spec.x), spec.w, spec.out)
    letters = all(set(word) <= set(ascii_letters) and len(set(word)) == len(word) for word in words)
    windows = [index for index in spec.x if len(index) != 1]
    placed = all(
        len(i) == 2 and i[0] in spec.out and i[0] not in spec.w and i[1] in spec.w and i[1] not in spec.out
        for i in windows
    )
    counted = len(windows) == len(spec.stride) == len(spec.dilation)
    known = all(type(s) is int and s > 0 for s in (*spec.stride, *spec.dilation))
    return letters and placed and counted and known and _are_shared(words, "".join(windows))


def _are_shared(words: Sequence[str], inside: str) -> bool:
    """Whether every letter outside windows stands in two of the words at least: then all adjoints are of this form."""
    return all(sum(i in word for word in words) >= 2 for i in "".join(words) if i not in inside)


# ------------------------------------------------------------------------------------------------- type, value


def sizes_of(checks: Checks, x: Shape, w: Shape, spec: Spec) -> dict[str, Dim]:
    """The size of every letter; raises ``ShapeError`` where operands do not fit the spec."""
    if len(spec.x) != len(x) or len(spec.w) != len(w):
        raise ShapeError(
            f"shapes {shape_text(x)} and {shape_text(w)} do not have the {len(spec.x)} and {len(spec.w)} axes of "
            "the spec; make them equal"
        )
    sizes: dict[str, Dim] = {}
    plain = [(i, d) for i, d in zip(spec.x, x, strict=True) if len(i) == 1]
    for letter, dim in (*plain, *zip(spec.w, w, strict=True)):
        sizes[letter] = checks.equal(sizes[letter], dim, f"index {letter!r}") if letter in sizes else dim
    for axis, place, inside, stride, dilation in spec.windows:
        sizes[place] = _places(checks, x[axis], sizes[inside], stride, dilation)
    return sizes


def _places(checks: Checks, size: Dim, window: Dim, stride: int, dilation: int) -> Dim:
    """How many windows there are along an axis."""
    checks.at_least(window, 1, "a window")
    spare = size - dilation * (window - 1) - 1
    if isinstance(spare, int) and spare < 0:
        raise ShapeError(
            f"a window of {window} elements {dilation} apart does not fit an axis of size {size}; pad the axis or "
            "make the window smaller"
        )
    # A symbolic axis may be one element short of a window: no places, which keeps rewritten ranges decidable.
    checks.at_least(spare + 1, 0, "what a window leaves of its axis")
    return spare // stride + 1
