"""Between symbols and numbers: many dimensions evaluated at once, and symbols found from actual sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from graphc.errors import SizeError
from graphc.size.polynomial import Atom, Terms
from graphc.size.symbolic import Dim, Size, dim_evaluate, dim_symbols, substitute, terms_of, unit_symbol

_Plan = list[tuple["_Poly", "_Poly"]]  # numerator and denominator of each quotient
_Poly = tuple[tuple[int, tuple[int, ...]], ...]  # coefficients, and the slots of the atoms of each term


def compile_dims(dims: Sequence[Dim]) -> Callable[[Mapping[str, int]], tuple[int, ...]]:
    """A fast function from values of the symbols to values of the dims; shared quotients are computed once.

    It takes ints that are at least 0, and raises SizeError for a symbol without value or a divisor that is 0.

    >>> from graphc.size import symbol
    >>> N = symbol("N")
    >>> compile_dims([N, 7, N // 2 * 128])({"N": 33})
    (33, 7, 2048)
    """
    symbols = sorted({name for dim in dims for name in dim_symbols(dim)})
    slots: dict[str, int] = {name: slot for slot, name in enumerate(symbols)}
    quotients: _Plan = []
    polys = [_planned(terms_of(dim), slots, quotients) for dim in dims]

    def evaluate(env: Mapping[str, int]) -> tuple[int, ...]:
        try:
            values = [env[name] for name in symbols]
            for num, den in quotients:
                values.append(_value(num, values) // _value(den, values))
            return tuple([_value(poly, values) for poly in polys])
        except KeyError as missing:
            raise SizeError(
                f"size {missing.args[0]} has no value; give an input with an axis of that size"
            ) from None
        except ZeroDivisionError:
            raise _blame(dims, env) from None

    return evaluate


def _planned(terms: Terms, slots: dict[str, int], quotients: _Plan) -> _Poly:
    return tuple(
        (coef, tuple(_slot(atom, slots, quotients) for atom in mono)) for mono, coef in terms.items()
    )


def _slot(atom: Atom, slots: dict[str, int], quotients: _Plan) -> int:
    if atom.text not in slots:
        plan = _planned(atom.num or {}, slots, quotients), _planned(atom.den, slots, quotients)
        quotients.append(plan)
        slots[atom.text] = len(slots)
    return slots[atom.text]


def _value(poly: _Poly, values: list[int]) -> int:
    total = 0
    for coef, slots in poly:
        for slot in slots:
            coef *= values[slot]
        total += coef
    return total


def _blame(dims: Sequence[Dim], env: Mapping[str, int]) -> SizeError:
    try:
        for dim in dims:
            dim_evaluate(dim, env)
    except SizeError as error:
        return error
    raise AssertionError("no quotient is divided by 0")


def bind_sizes(pairs: Iterable[tuple[Dim, int]]) -> dict[str, int]:
    """Values of the symbols, found from dims and the ints that they are.

    Solves dims that are linear in one symbol once the symbols known so far are put in. A dim that stays
    undecided, such as N // 2 alone, is left to the caller, and its symbols may be missing in the result.
    Raises SizeError where a dim cannot be its int: two values for a symbol, no solution from 0.

    >>> from graphc.size import symbol
    >>> bind_sizes([(2 * symbol("N") + 1, 9), (symbol("M") * symbol("N"), 12), (7, 7)])
    {'N': 4, 'M': 3}
    """
    found: dict[str, int] = {}
    todo = [pair for pair in pairs if not _bound_directly(*pair, found)]
    while todo:
        left = [(dim, actual) for dim, actual in todo if not _solved(dim, actual, found)]
        if len(left) == len(todo):
            break
        todo = left
    return found


def _bound_directly(dim: Dim, actual: int, found: dict[str, int]) -> bool:
    name = unit_symbol(dim)
    if name is not None:
        _store(name, actual, found)
    return name is not None


def _solved(dim: Dim, actual: int, found: dict[str, int]) -> bool:
    """Put in what is known; then check an int, solve slope * symbol + offset = actual, or leave the dim."""
    known = substitute(dim, found)
    if isinstance(known, int):
        if known != actual:
            due = f"{known} was expected" if isinstance(dim, int) else f"{_told(dim, found)} is {known}"
            raise SizeError(f"{due}, but {actual} was given; give sizes that agree")
        return True
    linear = [mono for mono in known.terms if mono]
    name = unit_symbol(Size(dict.fromkeys(linear, 1)))
    if name is None:
        return False
    value, left = divmod(actual - known.terms.get((), 0), known.terms[linear[0]])
    if left:
        raise SizeError(f"{_told(dim, found)} cannot be {actual}; give a size that solves {known} = {actual}")
    _store(name, value, found)
    return True


def _told(dim: Dim, found: Mapping[str, int]) -> str:
    given = ", ".join(f"{name}={found[name]}" for name in dim_symbols(dim) if name in found)
    return f"{dim} (with {given})" if given else f"{dim}"


def _store(name: str, value: int, found: dict[str, int]) -> None:
    if value < 0:
        raise SizeError(f"size {name} would be {value}; sizes are at least 0")
    if found.setdefault(name, value) != value:
        raise SizeError(f"size {name} is both {found[name]} and {value}; give sizes that agree")
