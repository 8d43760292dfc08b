"""Identities of ops that move, select and reduce values. Those of moves hold bit for bit; a reduction of a
reduction becomes one, which may add in another order (no op promises an order of summation)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.graph import Handle
from graphc.ops.contract import canonical, letters_of
from graphc.passes.identity import Identity, identity, sound
from graphc.rewrite import Rewriter, Term

MOVEMENT: list[Identity] = []


def alone(b: Rewriter, value: Handle) -> bool:
    """Whether nothing but the application at hand reads ``value``, so that absorbing it repeats no work."""
    return b.uses[value.id] <= 1


# --------------------------------------------------------------------------------------------------- layout


@identity(MOVEMENT, "transpose")
def transposed(b: Rewriter, term: Term) -> Handle | None:
    """The identical permutation is nothing, two permutations are one, moving axes of size 1 is a reshape."""
    (x,), perm = term.operands, term.params["perm"]
    if perm == tuple(range(len(perm))):
        return x
    inner = b.sees(x, "transpose")
    if inner is not None:
        return b("transpose", inner.operands[0], perm=tuple(inner.params["perm"][p] for p in perm))
    long = [p for p in perm if x.shape[p] != 1]
    return b("reshape", x, shape=term.type.shape) if long == sorted(long) else None


@identity(MOVEMENT, "transpose")
def transposed_einsum(b: Rewriter, term: Term) -> Handle | None:
    """A transposed contraction is the contraction with its result's indices permuted."""
    (x,), perm = term.operands, term.params["perm"]
    inner = b.sees(x, "einsum")
    if inner is None or not alone(b, x):
        return None
    words, out = letters_of(inner.params["spec"])
    return b("einsum", *inner.operands, spec=canonical(words, [out[p] for p in perm]))


@identity(MOVEMENT, "reshape")
def reshaped(b: Rewriter, term: Term) -> Handle | None:
    """A reshape to the own shape is nothing, two reshapes are one."""
    (x,) = term.operands
    if x.shape == term.type.shape:
        return x
    inner = b.sees(x, "reshape")
    merged = None if inner is None else Term("reshape", inner.operands, term.params)
    return b.build(merged) if merged is not None and sound(merged) else None


@identity(MOVEMENT, "broadcast_to")
def broadcast_twice(b: Rewriter, term: Term) -> Handle | None:
    """A broadcast to the own shape is nothing, two broadcasts are one."""
    (x,) = term.operands
    if x.shape == term.type.shape:
        return x
    inner = b.sees(x, "broadcast_to")
    return None if inner is None else b("broadcast_to", inner.operands[0], shape=term.params["shape"])


@identity(MOVEMENT, "slice")
def whole_slice(b: Rewriter, term: Term) -> Handle | None:
    """The slice of everything is x."""
    (x,) = term.operands
    start, stop, step = (term.params[name] for name in ("start", "stop", "step"))
    plain = all(s == 0 for s in start) and all(s == 1 for s in step)
    return x if plain and tuple(stop) == x.shape else None


@identity(MOVEMENT, "pad")
def padded_with_nothing(b: Rewriter, term: Term) -> Handle | None:
    """A pad by nothing is x."""
    return None if any(d != 0 for d in (*term.params["low"], *term.params["high"])) else term.operands[0]


@identity(MOVEMENT, "flip")
def flipped(b: Rewriter, term: Term) -> Handle | None:
    """A flip of no axis is x; two flips are one, of the axes that only one of them names."""
    (x,), axes = term.operands, set(term.params["axes"])
    inner = b.sees(x, "flip")
    if inner is None:
        return x if not axes else None
    return b("flip", inner.operands[0], axes=tuple(sorted(axes ^ set(inner.params["axes"]))))


@identity(MOVEMENT, "concatenate")
def concatenated_alone(b: Rewriter, term: Term) -> Handle | None:
    """One operand concatenated is itself."""
    return term.operands[0] if len(term.operands) == 1 else None


# ----------------------------------------------------------------------------------------------- reductions


def _axes(term: Term) -> tuple[int, ...]:
    return term.params["axes"]


@identity(MOVEMENT, "sum", "max", "min", "prod", "mean", "any", "all")
def reduced_over_units(b: Rewriter, term: Term) -> Handle | None:
    """One value is its own sum, product, mean and extremum: reducing axes of size 1 is a reshape."""
    (x,), axes = term.operands, _axes(term)
    if x.dtype is not term.type.dtype or any(x.shape[a] != 1 for a in axes):
        return None
    return b("reshape", x, shape=term.type.shape)


@identity(MOVEMENT, "sum", "max", "min", "prod", "any", "all")
def reduced_twice(b: Rewriter, term: Term) -> Handle | None:
    """sum(sum(x)) = sum(x) over the axes of both; alike for products, extrema, any and all."""
    (y,) = term.operands
    inner = b.sees(y, term.op)
    if inner is None or not alone(b, y):
        return None
    (x,), axes = inner.operands, _axes(inner)
    left = list(range(x.ndim)) if inner.params["keepdims"] else [k for k in range(x.ndim) if k not in axes]
    both = tuple(sorted({*axes, *(left[a] for a in _axes(term))}))
    merged = b(term.op, x, axes=both, keepdims=bool(inner.params["keepdims"] and term.params["keepdims"]))
    return b("reshape", merged, shape=term.type.shape)


@identity(MOVEMENT, "sum")
def summed_einsum(b: Rewriter, term: Term) -> Handle | None:
    """A contraction summed over an index that all its operands have is a contraction over that index too."""
    (y,) = term.operands
    inner = b.sees(y, "einsum")
    if inner is None or not alone(b, y) or not y.dtype.is_float:
        return None
    words, out = letters_of(inner.params["spec"])
    summed = {out[axis] for axis in _axes(term)}
    if any(letter not in word for letter in summed for word in words):
        return None
    merged = b("einsum", *inner.operands, spec=canonical(words, [i for i in out if i not in summed]))
    return b("reshape", merged, shape=term.type.shape)


# ---------------------------------------------------------------------------------------------- contraction


@identity(MOVEMENT, "einsum")
def einsum_of_transposed(b: Rewriter, term: Term) -> Handle | None:
    """A contraction reads a transposed operand through permuted indices."""
    words, out = letters_of(term.params["spec"])
    seen = [b.sees(o, "transpose") for o in term.operands]
    if not any(seen):
        return None
    operands = tuple(o if t is None else t.operands[0] for o, t in zip(term.operands, seen, strict=True))
    read = [w if t is None else _unpermuted(w, t.params["perm"]) for w, t in zip(words, seen, strict=True)]
    return b("einsum", *operands, spec=canonical(read, out))


def _unpermuted(word: str, perm: Sequence[int]) -> list[str]:
    """The indices of x where those of its transpose are ``word``: axis k of that is axis perm[k] of x."""
    found: list[Any] = [None] * len(word)
    for letter, axis in zip(word, perm, strict=True):
        found[axis] = letter
    return found


@identity(MOVEMENT, "einsum")
def einsum_of_one(b: Rewriter, term: Term) -> Handle | None:
    """A contraction of one operand is a sum over the indices that the result lacks, then a transpose."""
    if len(term.operands) != 1:
        return None
    (x,), ((word,), out) = term.operands, letters_of(term.params["spec"])
    summed = tuple(k for k, letter in enumerate(word) if letter not in out)
    if summed and not x.dtype.is_float:
        return None
    kept = [letter for letter in word if letter in out]
    y = b("sum", x, axes=summed, keepdims=False) if summed else x
    return b("transpose", y, perm=tuple(kept.index(letter) for letter in out))


@identity(MOVEMENT, "einsum")
def einsum_of_products(b: Rewriter, term: Term) -> Handle | None:
    """A contraction that sums nothing and whose operands' indices are already in place is a product."""
    words, out = letters_of(term.params["spec"])
    wide, narrow = sorted(words, key=len, reverse=True) if len(words) == 2 else ("", "?")
    return b("mul", *term.operands) if wide == out and out.endswith(narrow) else None


__all__ = ["MOVEMENT", "alone"]
