"""Windows that slide: one op, ``correlate``, under convolutions of any number of spatial axes.

It is an einsum in which axes of the first operand may be read through a window. Under ``"ab[ce][df],gbef->agcd"``
the result is the sum over b, e, f of

    x[a, b, stride0*c + dilation0*e, stride1*d + dilation1*f] * w[g, b, e, f].

Its adjoints are of the same form. By the weights, the letters of a window change places, and with them stride and
dilation. By the windowed operand, the other one slides over the padded cotangent, once for each phase of the stride,
so that no zeros between elements are made or multiplied.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_letters
from typing import Any

import numpy as np

from graphc import registry
from graphc.errors import DTypeError
from graphc.loops import Axis, Expr, Load, Loop, call
from graphc.ops.rules import expect, times, total, wants
from graphc.ops.sliding import Spec, read, sizes_of
from graphc.ops.spreading import Meeting, Term, spread_windows
from graphc.registry import Application, Op, Params, Sample
from graphc.size import symbol
from graphc.types import Checks, Dim, DType, Shape, Type, product, shape_text

_N = symbol("N")


def _infer(checks: Checks, types: Sequence[Type], params: Params) -> Type:
    expect(types, 2, params, "spec", "stride", "dilation")
    x, w = types
    if x.dtype is not w.dtype or x.dtype is DType.BOOL:
        raise DTypeError(f"operands are {x.dtype} and {w.dtype}; cast them to one number dtype with gc.cast")
    spec = read(params)
    sizes = sizes_of(checks, x.shape, w.shape, spec)
    return Type(x.dtype, tuple(sizes[letter] for letter in spec.out))


def _reference(operands: Sequence[Any], params: Params, kind: Type) -> Any:
    """The einsum over a view of x in which each window has an axis of its own."""
    x, w = operands
    spec = read(params)
    sizes = sizes_of(Checks(), x.shape, w.shape, spec)
    steps = {k: (s, d) for k, _, _, s, d in spec.windows}
    letters = "".join(spec.x)
    strides = [step * factor for k, step in enumerate(x.strides) for factor in steps.get(k, (1,))]
    shape: Any = [sizes[i] for i in letters]
    view: Any = np.lib.stride_tricks.as_strided(x, shape, strides, writeable=False)
    found = np.einsum(f"{letters},{spec.w}->{spec.out}", view, w, optimize=True)
    return np.asarray(found, kind.dtype.numpy)


def _loops(types: Sequence[Type], kind: Type, params: Params) -> tuple[Loop, ...]:
    spec = read(params)
    sizes = sizes_of(Checks(), types[0].shape, types[1].shape, spec)
    axis: dict[str, Expr] = {letter: Axis(k) for k, letter in enumerate([*spec.out, *spec.summed])}
    index: list[Expr] = [axis[i[0]] for i in spec.x]
    for k, place, inside, stride, dilation in spec.windows:
        index[k] = call("add", times(axis[place], stride), times(axis[inside], dilation))
    product_ = call(
        "mul", Load(0, tuple(index), kind.dtype), Load(1, tuple(axis[i] for i in spec.w), kind.dtype)
    )
    reduce = tuple(sizes[i] for i in spec.summed)
    return (
        Loop(
            axes=kind.shape, reduce=reduce, expr=product_, combine="add" if reduce else "", dtype=kind.dtype
        ),
    )


# ------------------------------------------------------------------------------------------------ derivatives


def _vjp(b: Any, app: Application, cotangent: Any) -> list[Any]:
    found: list[Any] = [None, None]
    if wants(app, 0):
        found[0] = _by_windowed(b, app, cotangent)
    if wants(app, 1):
        found[1] = _by_weights(b, app, cotangent)
    return found


def _by_weights(b: Any, app: Application, cotangent: Any) -> Any:
    """Result and weights exchanged. What lies behind the last window is left out, so that the sizes come out."""
    spec = read(app.params)
    x, w = app.operands
    stop = list(x.shape)
    for k, place, inside, stride, dilation in spec.windows:
        places, window = cotangent.shape[spec.out.index(place)], w.shape[spec.w.index(inside)]
        stop[k] = stride * (places - 1) + dilation * (window - 1) + 1
    exchanged = Spec(
        tuple(i[::-1] for i in spec.x), spec.out, spec.w, stride=spec.dilation, dilation=spec.stride
    )
    return b("correlate", _front(b, x, stop), cotangent, **exchanged.params())


def _front(b: Any, x: Any, stop: Sequence[Dim]) -> Any:
    if tuple(stop) == x.shape:
        return x
    return b("slice", x, start=(0,) * x.ndim, stop=tuple(stop), step=(1,) * x.ndim)


def _by_windowed(b: Any, app: Application, cotangent: Any) -> Any:
    """The sum over all places and windows that meet in an element.

    It is symmetric in the cotangent and the weights: what has the smaller window slides over the other.
    """
    spec, (x, w) = read(app.params), app.operands
    meetings = [
        Meeting(k, place, inside, stride, dilation, x.shape[k])
        for k, place, inside, stride, dilation in spec.windows
    ]
    over, slider = Term(cotangent, spec.out), Term(w, spec.w)
    places, windows = (over.size(m.place) for m in meetings), (slider.size(m.inside) for m in meetings)
    if _is_less(product(places), product(windows)):
        over, slider = slider, over
        meetings = [m.exchanged() for m in meetings]
    return spread_windows(b, over, slider, spec.x, meetings)


def _is_less(a: Dim, b: Dim) -> bool:
    """Whether ``a`` is known to be less, or known while ``b`` is not."""
    return isinstance(a, int) and (not isinstance(b, int) or a < b)


# ------------------------------------------------------------------------------------------------- other rules


def _jvp(b: Any, app: Application, tangents: Sequence[Any]) -> Any:
    """The product rule."""
    (x, w), (dx, dw) = app.operands, tangents
    first = None if dx is None else b("correlate", dx, w, **app.params)
    second = None if dw is None else b("correlate", x, dw, **app.params)
    return total(b, [first, second])


def _batch(b: Any, app: Application, batched: Sequence[bool]) -> Any:
    spec = read(app.params)
    letter = next(c for c in reversed(ascii_letters) if c not in {*"".join(spec.x), *spec.w, *spec.out})
    return b("correlate", *app.operands, **spec.over(letter, *batched).params())


def _label(texts: Sequence[str], params: Params) -> str:
    steps = "".join(
        f", {name}={axes_of(params[name])}" for name in ("stride", "dilation") if set(params[name]) - {1}
    )
    spec = read(params)
    if params["spec"] == _convolution(len(spec.stride)):
        return f"conv({texts[0]}, {texts[1]}{steps})"
    return f"correlate({params['spec']!r}, {texts[0]}, {texts[1]}{steps})"


def _convolution(count: int) -> str:
    """The index expression of a convolution over the last ``count`` axes, which is written shortly."""
    letters = iter(ascii_letters[2:])
    pairs = [(next(letters), next(letters)) for _ in range(count)]
    inside, out = "".join(i for _, i in pairs), next(letters)
    windows = "".join(f"[{place}{i}]" for place, i in pairs)
    return f"ab{windows},{out}b{inside}->a{out}{''.join(place for place, _ in pairs)}"


def _partial_label(app: Application, position: int) -> str:
    """The other operand, which slides back over the cotangent or is read through its windows."""
    other = app.operands[1 - position]
    return f"{other.name or f'%{other.id}'} ({'slid back' if position == 0 else 'its windows'})"


def axes_of(values: Sequence[int]) -> str:
    """One value an axis as an argument: one number where all agree."""
    return str(values[0]) if len(set(values)) == 1 else shape_text(values)


def _latex(texts: Sequence[str], params: Params) -> str:
    spec = read(params)
    index = list(spec.x)
    for k, place, inside, stride, dilation in spec.windows:
        index[k] = f"{_scaled(stride, place)}+{_scaled(dilation, inside)}"
    x = rf"{{{texts[0]}}}_{{{','.join(index)}}}"
    return rf"\sum_{{{','.join(spec.summed)}}} {x} {{{texts[1]}}}_{{{','.join(spec.w)}}}"


def _scaled(factor: int, letter: str) -> str:
    return letter if factor == 1 else f"{factor}{letter}"


def _sample(x: Shape, w: Shape, spec: str, stride: tuple[int, ...], dilation: tuple[int, ...]) -> Sample:
    return Sample(shapes=(x, w), params={"spec": spec, "stride": stride, "dilation": dilation})


_LINE, _PLANE = "ab[cd],ebd->aec", "ab[cd][ef],gbdf->agce"
_GROUPED = "abc[de],bfce->abfd"

registry.register(
    Op(
        name="correlate",
        infer=_infer,
        reference=_reference,
        loops=_loops,
        vjp=_vjp,
        jvp=_jvp,
        batch=_batch,
        label=_label,
        latex=_latex,
        partial_label=_partial_label,
        samples=(
            _sample((_N, 2, 6), (3, 2, 3), _LINE, (1,), (1,)),
            _sample((1, 2, _N + 4), (2, 2, 3), _LINE, (2,), (1,)),
            _sample((2, 1, 8), (1, 1, 2), _LINE, (3,), (2,)),
            _sample((1, 1, 9), (2, 1, 3), _LINE, (2,), (2,)),
            _sample((1, 2, 5), (2, 2, 1), _LINE, (1,), (1,)),
            _sample((2, 1, 4), (1, 1, 4), _LINE, (2,), (1,)),
            _sample((_N, 2, 4, 5), (3, 2, 2, 3), _PLANE, (1, 1), (1, 1)),
            _sample((2, 1, 5, 6), (2, 1, 2, 3), _PLANE, (2, 3), (1, 1)),
            _sample((1, 1, 5, 5), (1, 1, 2, 2), _PLANE, (1, 2), (2, 1)),
            _sample((1, 2, 4, 4), (2, 2, 1, 1), _PLANE, (2, 2), (1, 1)),
            _sample((1, 2, 2, 5), (2, 2, 2, 3), _GROUPED, (1,), (1,)),
            _sample((2, 3, 5), (3, 2), "ab[cd],bd->abc", (1,), (1,)),
            _sample((0, 2, 4), (3, 2, 3), _LINE, (1,), (1,)),
            _sample((2, 0, 4), (3, 0, 3), _LINE, (1,), (1,)),
            _sample((2, 3), (4, 3), "ab,cb->ac", (), ()),
            _sample((5,), (3,), "[ab],b->a", (1,), (1,)),
        ),
        doc="Sum of products over windows that slide along axes of the first operand, and over the indices that "
        "the result lacks.",
    )
)
