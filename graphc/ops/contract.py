"""Contractions: one op, ``einsum`` of one or two operands, under NumPy's einsum, matmul, dot, outer
and tensordot.

The adjoint of a contraction is the same index expression with operand and result exchanged.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import DTypeError, ShapeError
from graphc.loops import Axis, Expr, Load, Loop
from graphc.loops import call as fn
from graphc.ops.rules import reshaped, total, wants
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Dim, DType, Type

_N = symbol("N")

# ------------------------------------------------------------------------------------------------- the op


def letters_of(spec: str) -> tuple[list[str], str]:
    """The index letters of the operands and of the result; raises ``ShapeError`` for a text of another
    form."""
    left, arrow, out = spec.partition("->") if isinstance(spec, str) else ("", "", "")  # pyright: ignore[reportUnnecessaryIsInstance]
    inputs = left.split(",")
    valid = arrow and all(
        set(word) <= set(ascii_letters) and len(set(word)) == len(word) for word in (*inputs, out)
    )
    if not valid or not set(out) <= set(left):
        raise ShapeError(
            f"spec {spec!r} is not of the form 'ab,bc->ac' with no letter twice in one operand; write it so"
        )
    return inputs, out


def canonical(inputs: Sequence[Sequence[Any]], out: Sequence[Any]) -> str:
    """The spec in the letters a, b, c ... by first appearance, so that equal contractions are one node."""
    names: dict[Any, str] = {}
    for index in itertools.chain(*inputs, out):
        if index not in names:
            if len(names) == len(ascii_letters):
                raise ShapeError(
                    f"a contraction has more than {len(ascii_letters)} indices; contract fewer axes at once"
                )
            names[index] = ascii_letters[len(names)]
    words = ["".join(names[i] for i in word) for word in (*inputs, out)]
    return f"{','.join(words[:-1])}->{words[-1]}"


def _sizes(types: Sequence[Type], inputs: Sequence[str], checks: Checks) -> dict[str, Dim]:
    sizes: dict[str, Dim] = {}
    for position, (kind, word) in enumerate(zip(types, inputs, strict=True)):
        if len(word) != kind.rank:
            raise ShapeError(
                f"operand {position} has rank {kind.rank} and its index {word!r} {len(word)} letters; "
                "make them equal"
            )
        for letter, dim in zip(word, kind.shape, strict=True):
            sizes[letter] = checks.equal(sizes[letter], dim, f"index {letter!r}") if letter in sizes else dim
    return sizes


def _infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    inputs, out = letters_of(params["spec"])
    if len(inputs) != len(types) or not 1 <= len(types) <= 2:
        raise ShapeError(
            f"spec {params['spec']!r} is for {len(inputs)} operands and {len(types)} are given; give "
            "one or two"
        )
    if len({t.dtype for t in types}) > 1 or types[0].dtype is DType.BOOL:
        listed = " and ".join(str(t.dtype) for t in types)
        raise DTypeError(f"operands are {listed}; cast them to one number dtype with gc.cast")
    sizes = _sizes(types, inputs, checks)
    return Type(types[0].dtype, tuple(sizes[letter] for letter in out))


def _reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    return np.asarray(np.einsum(params["spec"], *operands, optimize=len(operands) > 1), kind.dtype.numpy)


def _loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    inputs, out = letters_of(params["spec"])
    summed = [letter for letter in dict.fromkeys("".join(inputs)) if letter not in out]
    sizes = _sizes(types, inputs, Checks())
    axis: dict[str, Expr] = {letter: Axis(k) for k, letter in enumerate([*out, *summed])}
    loads = [Load(k, tuple(axis[i] for i in word), kind.dtype) for k, word in enumerate(inputs)]
    expr = loads[0] if len(loads) == 1 else fn("mul", *loads)
    reduce = tuple(sizes[letter] for letter in summed)
    return (
        Loop(axes=kind.shape, reduce=reduce, expr=expr, combine="add" if summed else "", dtype=kind.dtype),
    )


def _adjoint(b: Any, app: Application, position: int, cotangent: Any) -> Any:
    """Operand and result exchanged; an index that only this operand has was summed, so its adjoint
    repeats."""
    inputs, out = letters_of(app.params["spec"])
    mine, shape = inputs[position], app.operands[position].shape
    others = [
        (word, o) for k, (word, o) in enumerate(zip(inputs, app.operands, strict=True)) if k != position
    ]
    known = set(out).union(*(word for word, _ in others))
    found = [letter for letter in mine if letter in known]
    spec = canonical([out, *(word for word, _ in others)], found)
    value = b("einsum", cotangent, *(o for _, o in others), spec=spec)
    column = tuple(d if letter in known else 1 for letter, d in zip(mine, shape, strict=True))
    return b.spread(reshaped(b, value, column), shape)


def _vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    return [_adjoint(b, app, k, cotangent) if wants(app, k) else None for k in range(len(app.operands))]


def _jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    """The product rule: one operand at a time replaced by its tangent."""
    terms: list[Any] = []
    for position, tangent in enumerate(tangents):
        if tangent is not None:
            operands = [*app.operands[:position], tangent, *app.operands[position + 1 :]]
            terms.append(b("einsum", *operands, **app.params))
    return total(b, terms)


def _batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    inputs, out = letters_of(app.params["spec"])
    words = [["batch", *word] if flag else [*word] for word, flag in zip(inputs, batched, strict=True)]
    return b("einsum", *app.operands, spec=canonical(words, ["batch", *out]))


_MATRIX = {
    "ab,bc->ac": "{0} @ {1}",
    "ab,cb->ac": "{0} @ {1}.T",
    "ab,ac->bc": "{0}.T @ {1}",
    "ab,b->a": "{0} @ {1}",
    "a,ab->b": "{0} @ {1}",
    "a,a->": "dot({0}, {1})",
    "a,b->ab": "outer({0}, {1})",
    # The same with the operands exchanged, as adjoints and the order of equal terms leave them.
    "ab,ca->cb": "{1} @ {0}",
    "ab,cb->ca": "{1} @ {0}.T",
    "ab,ac->cb": "{1}.T @ {0}",
    "a,ba->b": "{1} @ {0}",
    "ab,a->b": "{1} @ {0}",
    "a,b->ba": "outer({1}, {0})",
}


def _label(texts: Sequence[str], params: Params) -> str:
    short = _MATRIX.get(params["spec"])
    return short.format(*texts) if short else f"einsum({params['spec']!r}, {', '.join(texts)})"


def _latex(texts: Sequence[str], params: Params) -> str:
    inputs, out = letters_of(params["spec"])
    summed = [letter for letter in dict.fromkeys("".join(inputs)) if letter not in out]
    factors = " ".join(rf"{{{text}}}_{{{word}}}" for text, word in zip(texts, inputs, strict=True))
    return rf"\sum_{{{''.join(summed)}}} {factors}" if summed else factors


def _partial_label(app: Application, position: int) -> str:
    """The other operand, by which a cotangent is multiplied; transposed where that is what the adjoint
    does."""
    if len(app.operands) == 1:
        return "spread"
    other = app.operands[1 - position]
    text = other.name or f"%{other.id}"
    return f"{text}.T" if app.params["spec"] == "ab,bc->ac" else text


_CASES: list[tuple[str, tuple[tuple[Dim, ...], ...]]] = [
    ("ab,bc->ac", ((_N, 3), (3, 4))),
    ("ab,cb->ac", ((2, 3), (4, 3))),
    ("ab,ac->bc", ((_N, 2), (_N, 3))),
    ("abc,acd->abd", ((2, 3, 4), (2, 4, 5))),
    ("a,a->", ((4,), (4,))),
    ("a,b->ab", ((3,), (2,))),
    ("ab,b->a", ((2, 3), (3,))),
    ("a,->a", ((3,), ())),
    (",->", ((), ())),
    ("ab,ab->ab", ((2, 3), (2, 3))),
    ("ab,c->c", ((2, 3), (4,))),
    ("ab,bc->", ((2, 3), (3, 2))),
    ("abc->ca", ((2, 3, 4),)),
    ("ab->", ((_N, 3),)),
    ("a->a", ((3,),)),
    ("->", ((),)),
    ("ab,bc->ac", ((2, 0), (0, 3))),
    ("ab,bc->ac", ((0, 2), (2, 3))),
    ("ab,bc->ac", ((1, 1), (1, 1))),
]

registry.register(
    Op(
        name="einsum",
        infer=_infer,
        reference=_reference,
        loops=_loops,
        vjp=_vjp,
        jvp=_jvp,
        batch=_batch,
        label=_label,
        latex=_latex,
        partial_label=_partial_label,
        samples=tuple(Sample(shapes=s, params={"spec": spec}) for spec, s in _CASES),
        doc="Sum of products over the indices that the result lacks.",
    )
)
