"""What is given for each spatial axis of windows: one number for all, or one an axis; padding also as words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.errors import ShapeError
from graphc.ops.rules import is_integer, is_list
from graphc.types import Dim, Shape, shape_text

Pairs = list[tuple[Dim, Dim]]  # elements added before and behind each spatial axis


def each_axis(value: Any, count: int, what: str, least: int = 1) -> tuple[int, ...]:
    """One int for each spatial axis; a single one stands for all."""
    given = tuple(value) if is_list(value) else (value,) * count
    if len(given) != count or not all(is_integer(v) and v >= least for v in given):
        raise ShapeError(f"{what} is {value!r}; give an int of at least {least}, or {count} of them")
    return tuple(int(v) for v in given)


def pairs_of(
    padding: Any, sizes: Shape, window: Shape, stride: Sequence[int], dilation: Sequence[int]
) -> Pairs:
    """What ``padding`` adds to each spatial axis: an int, one an axis, a pair an axis, "same" or "valid"."""
    count = len(sizes)
    if padding == "valid":
        return [(0, 0)] * count
    if padding == "same":
        return [_same(*each) for each in zip(sizes, window, stride, dilation, strict=True)]
    given = list(padding) if is_list(padding) else [padding] * count
    pairs = [tuple(p) if is_list(p) else (p, p) for p in given]
    if len(pairs) != count or not all(
        len(p) == 2 and all(is_integer(v) and v >= 0 for v in p) for p in pairs
    ):
        raise ShapeError(
            f'padding is {padding!r}; give "same", "valid", an int of at least 0, or for each of {count} axes an int '
            "or a pair"
        )
    return [(int(a), int(o)) for a, o in pairs]


def _same(size: Dim, window: Dim, stride: int, dilation: int) -> tuple[Dim, Dim]:
    """As many windows as strides begin in the axis; of an odd sum the larger half is behind, as in XLA."""
    reach = dilation * (window - 1) + 1
    spare = ((size + stride - 1) // stride - 1) * stride + reach - size
    if isinstance(spare, int):
        spare = max(spare, 0)
    elif reach == 1:
        spare = 0
    elif not isinstance(reach, int) or reach < stride:
        raise ShapeError(
            f'padding "same" of a window of {reach} and stride {stride} depends on the symbolic size {size}; give '
            "padding as numbers"
        )
    return spare // 2, spare - spare // 2


def check_middle(padding: Any, kernel: Shape, dilation: Sequence[int]) -> None:
    """Refuse "same" padding of an even kernel, which has no middle that could stand over an element."""
    if padding != "same" or all(not isinstance(k, int) or k % 2 for k in kernel):
        return
    reach = [d * (k - 1) if isinstance(k, int) else 0 for d, k in zip(dilation, kernel, strict=True)]
    pairs = [(r // 2, r - r // 2) for r in reach]
    raise ShapeError(
        f'padding is "same" of a kernel {shape_text(kernel)}, which has no middle along an even axis; give an odd '
        f"kernel, or pairs that say where it stands, such as padding={pairs}"
    )


__all__ = ["Pairs", "check_middle", "each_axis", "pairs_of"]
