"""User functions over contraction: einsum of many operands, matmul, dot, outer and tensordot by
NumPy's rules."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from string import ascii_letters
from typing import Any

from graphc.errors import ShapeError
from graphc.graph import Handle, call, meet
from graphc.ops.contract import canonical
from graphc.ops.rules import function, is_list, listed
from graphc.size import dim_evaluate, dim_symbols
from graphc.types import Checks, Dim, DType, definitely_unequal, normalise_axis, product, shape_text

# ------------------------------------------------------------------------------- contraction of many operands

Word = tuple[Any, ...]  # index names, one an axis; matmul and einsum use letters and positions
Term = tuple[Handle, Word]


def contract(terms: Sequence[Term], out: Word, loose: frozenset[Any] = frozenset()) -> Handle:
    """The einsum of any number of operands, two at a time along a cheap path; ``loose`` indices
    broadcast size 1."""
    rest = [_narrowed(_diagonal(term), terms, loose) for term in terms]
    rest = [_summed(term, [*rest[:k], *rest[k + 1 :]], out) for k, term in enumerate(rest)]
    while len(rest) > 1:
        left, right = _cheapest(rest)
        others = [term for k, term in enumerate(rest) if k not in (left, right)]
        rest = [*others, _pair(rest[left], rest[right], others, out)]
    value, word = rest[0]
    perm = tuple(word.index(i) for i in out)
    return value if perm == tuple(range(len(perm))) else call("transpose", value, perm)


def _diagonal(term: Term) -> Term:
    """An index that stands twice in one operand: elements off the diagonal are dropped, then summed away."""
    value, word = term
    for index in dict.fromkeys(word):
        while word.count(index) > 1:
            first, second = [k for k, i in enumerate(word) if i == index][:2]
            value = call("sum", call("where", _eye(value, first, second), value, 0), axis=second)
            word = (*word[:second], *word[second + 1 :])
    return value, word


def _eye(value: Handle, first: int, second: int) -> Handle:
    """Where the indices of axes ``first`` and ``second`` agree."""
    Checks().equal(value.shape[first], value.shape[second], "an index that stands twice")
    index = value.graph.add("arange", (), size=value.shape[second], dtype="int64")
    size = value.shape[second]
    ones = [1] * value.ndim
    rows, columns = list[Dim](ones), list[Dim](ones)
    rows[first] = columns[second] = size
    return call("eq", call("reshape", index, tuple(rows)), call("reshape", index, tuple(columns)))


def _narrowed(term: Term, terms: Sequence[Term], loose: frozenset[Any]) -> Term:
    """The operand without its axes of size 1 whose loose index is wider elsewhere."""
    value, word = term
    wide = {i for v, w in terms for i, d in zip(w, v.shape, strict=True) if i in loose and d != 1}
    drop = [k for k, i in enumerate(word) if i in wide and value.shape[k] == 1]
    if not drop:
        return term
    shape = tuple(d for k, d in enumerate(value.shape) if k not in drop)
    return call("reshape", value, shape), tuple(i for k, i in enumerate(word) if k not in drop)


def _summed(term: Term, others: Sequence[Term], out: Word) -> Term:
    """The operand summed over the indices that nothing else has."""
    value, word = term
    elsewhere = set(out).union(*(w for _, w in others))
    alone = tuple(k for k, i in enumerate(word) if i not in elsewhere)
    return (call("sum", value, axis=alone), tuple(i for i in word if i in elsewhere)) if alone else term


def _kept(left: Word, right: Word, others: Sequence[Term], out: Word) -> Word:
    needed = set(out).union(*(word for _, word in others))
    return tuple(i for i in dict.fromkeys((*left, *right)) if i in needed)


def _pair(left: Term, right: Term, others: Sequence[Term], out: Word) -> Term:
    word = _kept(left[1], right[1], others, out) if others else out
    spec = canonical((left[1], right[1]), word)
    return left[0].graph.add("einsum", (left[0], right[0]), spec=spec), word


_TYPICAL = 64  # stands for a size that is not known, when paths are compared


def _cheapest(terms: Sequence[Term]) -> tuple[int, int]:
    """The pair whose contraction takes the fewest multiplications, the first of equals."""
    if len(terms) == 2:
        return 0, 1
    sizes: Mapping[Any, Dim] = {i: d for value, word in terms for i, d in zip(word, value.shape, strict=True)}

    def cost(pair: tuple[int, int]) -> int:
        work = product(sizes[i] for i in {*terms[pair[0]][1], *terms[pair[1]][1]})
        return dim_evaluate(work, dict.fromkeys(dim_symbols(work), _TYPICAL))

    return min(itertools.combinations(range(len(terms)), 2), key=cost)


# ---------------------------------------------------------------------------------------- user functions


def _operands(op: str, values: Sequence[Any]) -> list[Handle]:
    """``values`` as nodes of one number dtype; booleans count as int64."""
    handles = meet(op, values)
    return [call("cast", h, "int64") for h in handles] if handles[0].dtype is DType.BOOL else handles


@function
def einsum(spec: str, *operands: Any) -> Handle:
    """Sum of products over index letters, as NumPy's ``einsum``: several operands, diagonals,
    ellipses, no arrow.

    Raises ``ShapeError`` when the letters do not fit the operands.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x, w = g.input("x", ("N", 3)), g.input("w", (3, 4))
    >>> print(gc.einsum("ij,jk->ik", x, w).type)
    f32[N,4]
    """
    handles = _operands("einsum", operands)
    inputs, out = _parsed(spec, [h.ndim for h in handles])
    for position, (handle, word) in enumerate(zip(handles, inputs, strict=True)):
        if len(word) != handle.ndim:
            raise ShapeError(
                f"operand {position} has shape {shape_text(handle.shape)} and {len(word)} letters in "
                f"{spec!r}; give one letter an axis"
            )
    loose = frozenset(i for word in inputs for i in word if isinstance(i, int))
    return contract(list(zip(handles, inputs, strict=True)), out, loose)


def _parsed(spec: str, ranks: Sequence[int]) -> tuple[list[Word], Word]:
    """Letters by operand and of the result; an axis under an ellipsis is named by its place from the
    right."""
    if not isinstance(spec, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ShapeError(f"spec {spec!r} is not a text; write for example 'ij,jk->ik'")
    left, arrow, right = spec.replace(" ", "").partition("->")
    texts = left.split(",")
    if len(texts) != len(ranks):
        raise ShapeError(
            f"spec {spec!r} is for {len(texts)} operands and {len(ranks)} are given; give one index "
            "text an operand"
        )
    inputs = [_word(spec, text, rank) for text, rank in zip(texts, ranks, strict=True)]
    dots = tuple(sorted({i for word in inputs for i in word if isinstance(i, int)}))
    return inputs, _result(spec, right, dots, inputs) if arrow else _implied(inputs, dots)


def _word(spec: str, text: str, rank: int) -> Word:
    head, dots, tail = text.partition("...")
    if not all(c in ascii_letters for c in head + tail):
        raise ShapeError(
            f"spec {spec!r} holds a character that is not a letter; write for example 'ij,jk->ik'"
        )
    hidden = max(rank - len(head) - len(tail), 0) if dots else 0
    return (*head, *range(-hidden, 0), *tail)


def _result(spec: str, text: str, dots: Word, inputs: Sequence[Word]) -> Word:
    head, found, tail = text.partition("...")
    if dots and not found:
        raise ShapeError(f"spec {spec!r} has an ellipsis that its result {text!r} lacks; write ... there too")
    out = (*head, *(dots if found else ()), *tail)
    unknown = [i for i in out if not any(i in word for word in inputs)]
    if unknown or len(set(out)) != len(out):
        raise ShapeError(
            f"result {text!r} of spec {spec!r} repeats or invents a letter; use letters of the operands "
            "once each"
        )
    return out


def _implied(inputs: Sequence[Word], dots: Word) -> Word:
    letters = [i for word in inputs for i in word if isinstance(i, str)]
    return (*dots, *sorted(i for i in set(letters) if letters.count(i) == 1))


@function
def matmul(a: Any, b: Any) -> Handle:
    """Matrix product by NumPy's rules: leading axes are batches and broadcast, a vector is a row or a column.

    Raises ``ShapeError`` for operands without axes and for inner sizes that differ.
    """
    left, right = _operands("matmul", (a, b))
    _check_matrices(left, right)
    batches = (tuple(range(-max(left.ndim - 2, 0), 0)), tuple(range(-max(right.ndim - 2, 0), 0)))
    rows: Word = ("row",) if left.ndim > 1 else ()
    columns: Word = ("column",) if right.ndim > 1 else ()
    lead = max(batches, key=len)
    terms = [(left, (*batches[0], *rows, "inner")), (right, (*batches[1], "inner", *columns))]
    return contract(terms, (*lead, *rows, *columns), frozenset(lead))


def _check_matrices(left: Handle, right: Handle) -> None:
    shapes = f"shapes {shape_text(left.shape)} and {shape_text(right.shape)}"
    if not left.ndim or not right.ndim:
        raise ShapeError(f"{shapes}: a value without axes has no matrix product; use *")
    inner = left.shape[-1], right.shape[-2 if right.ndim > 1 else -1]
    if definitely_unequal(*inner):
        raise ShapeError(
            f"{shapes} do not fit: inner sizes {inner[0]} and {inner[1]} differ; make them equal or "
            "transpose one"
        )


@function
def dot(a: Any, b: Any) -> Handle:
    """NumPy's ``dot``: the sum over the last axis of ``a`` and the last but one (or only) axis of ``b``."""
    left, right = _operands("dot", (a, b))
    if not left.ndim or not right.ndim:
        return left * right
    _check_matrices(left, right)
    return tensordot(left, right, ((left.ndim - 1,), (max(right.ndim - 2, 0),)))


@function
def outer(a: Any, b: Any) -> Handle:
    """The products of all elements of ``a`` with all of ``b``, both flattened: shape (a.size, b.size)."""
    left, right = (call("ravel", h) for h in _operands("outer", (a, b)))
    return contract([(left, ("i",)), (right, ("j",))], ("i", "j"))


@function
def tensordot(a: Any, b: Any, axes: Any = 2) -> Handle:
    """Sum over ``axes``: an int (that many last of ``a`` with first of ``b``) or a pair of axes or
    sequences of axes."""
    left, right = _operands("tensordot", (a, b))
    pairs = _axis_pairs(left, right, axes)
    first: list[Any] = [("a", k) for k in range(left.ndim)]
    second: list[Any] = [("b", k) for k in range(right.ndim)]
    for mine, yours in pairs:
        second[yours] = first[mine]
        if definitely_unequal(left.shape[mine], right.shape[yours]):
            raise ShapeError(
                f"axis {mine} of {shape_text(left.shape)} and axis {yours} of {shape_text(right.shape)} "
                "are summed together "
                "and their sizes differ; choose axes of equal size"
            )
    out = tuple(i for i in (*first, *second) if not (i in first and i in second))
    return contract([(left, tuple(first)), (right, tuple(second))], out)


def _axis_pairs(left: Handle, right: Handle, axes: Any) -> list[tuple[int, int]]:
    if isinstance(axes, int):
        if not 0 <= axes <= min(left.ndim, right.ndim):
            raise ShapeError(
                f"axes={axes} is out of range for ranks {left.ndim} and {right.ndim}; give 0 to "
                f"{min(left.ndim, right.ndim)}"
            )
        return [(left.ndim - axes + k, k) for k in range(axes)]
    if not is_list(axes) or len(axes) != 2:
        raise ShapeError(f"axes are {axes!r}; give how many, or the axes of each operand as a pair")
    mine, yours = (listed(a) for a in axes)
    if len(mine) != len(yours):
        raise ShapeError(f"axes {tuple(mine)} and {tuple(yours)} differ in number; give pairs")
    return [
        (normalise_axis(m, left.ndim), normalise_axis(y, right.ndim))
        for m, y in zip(mine, yours, strict=True)
    ]
