"""Symbolic sizes: the normal form agrees with plain ints, decides identities of shapes, and reads back."""

import copy
import doctest
import importlib
import pickle
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import sympy
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from graphc.errors import SizeError
from graphc.size import (
    Dim,
    Size,
    as_dim,
    bind_sizes,
    compile_dims,
    definitely_equal,
    definitely_unequal,
    dim_evaluate,
    dim_symbols,
    is_divisible,
    known_nonnegative,
    parse_size,
    substitute,
    symbol,
)

H, K, N, W = map(symbol, "HKNW")
NAMES = ("H", "K", "N", "W")
OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}

values = st.one_of(st.integers(0, 9), st.integers(0, 1000))
points = st.fixed_dictionaries(dict.fromkeys(NAMES, values))
leaves = st.one_of(st.sampled_from(NAMES), st.integers(-7, 7))
# A formula is a name, an int or (operator, formula, formula): built once as a Size, once from plain ints.
formulas = st.recursive(
    leaves, lambda inner: st.tuples(st.sampled_from([*OPERATORS, "+", "//"]), inner, inner), max_leaves=9
)
polynomials = st.recursive(
    leaves, lambda inner: st.tuples(st.sampled_from("+-*"), inner, inner), max_leaves=6
)
by_ints = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from("+-*"), inner, inner), st.tuples(st.just("//"), inner, st.integers(1, 6))
    ),
    max_leaves=8,
)


def build(formula, leaf: Callable[[str], object]):
    """The formula's value, with leaf(name) for its symbols; None where something is divided by 0."""
    if isinstance(formula, str):
        return leaf(formula)
    if isinstance(formula, int):
        return formula
    sign, left, right = formula[0], build(formula[1], leaf), build(formula[2], leaf)
    if left is None or right is None or (sign in ("//", "%") and right == 0):
        return None
    return OPERATORS[sign](left, right)


def size_of(formula) -> Dim:
    dim = build(formula, symbol)
    assume(dim is not None)
    return dim


# ---- the normal form against plain integers


@settings(max_examples=200, deadline=None)
@given(formulas, st.lists(points, min_size=5, max_size=5))
@example(("//", ("-", 0, "N"), 3), [dict.fromkeys(NAMES, 7)] * 5)
@example(("//", ("-", ("//", "N", 2), "N"), "K"), [dict.fromkeys(NAMES, 7)] * 5)
def test_arithmetic_agrees_with_plain_ints(formula, envs):
    dim = size_of(formula)
    fast = compile_dims([dim, dim * 3])
    for env in envs:
        expected = build(formula, env.__getitem__)
        if expected is not None:  # where the divisors are not 0
            assert dim_evaluate(dim, env) == expected
            assert fast(env) == (expected, 3 * expected)


@settings(max_examples=200, deadline=None)
@given(formulas)
def test_printed_sizes_are_read_back(formula):
    dim = size_of(formula)
    assert parse_size(str(dim)) == dim
    assert pickle.loads(pickle.dumps(dim)) == dim == copy.deepcopy(dim)
    assert str(parse_size(str(dim))) == str(dim)


@settings(max_examples=120, deadline=None)
@given(formulas, formulas, st.lists(points, min_size=50, max_size=50))
def test_what_is_decided_holds_at_every_point(left, right, envs):
    a, b = size_of(left), size_of(right)
    equal, unequal = definitely_equal(a, b), definitely_unequal(a, b)
    divisible = b != 0 and is_divisible(a, b)
    assert not (equal and unequal)
    assert equal or a != b
    if a == b:
        assert hash(a) == hash(b)
    for env in envs:
        x, y = build(left, env.__getitem__), build(right, env.__getitem__)
        if x is None or y is None:
            continue
        assert not equal or x == y
        assert not unequal or x != y
        assert not divisible or y == 0 or x % y == 0
        assert not known_nonnegative(a) or x >= 0


@settings(max_examples=200, deadline=None)
@given(by_ints, by_ints, st.integers(1, 12))
def test_multiples_of_an_int_leave_the_quotient(first, second, unit):
    a, c = size_of(first), size_of(second)
    assert (a * unit + c) // unit == a + c // unit
    assert (a * unit + c) % unit == c % unit
    assert is_divisible(a * unit, unit)


@settings(max_examples=200, deadline=None)
@given(polynomials, st.integers(1, 12), st.integers(3, 12))
def test_nested_quotients_are_one(formula, first, second):
    dim = size_of(formula)
    assert (dim // first) // second == dim // (first * second)
    assert (dim // first + dim) // second == (dim + first * dim) // (first * second)


steps = st.tuples(st.integers(-3, 3), st.integers(-7, 7), st.integers(-7, 7), st.integers(1, 6))
lines = st.tuples(st.integers(-3, 3), st.lists(steps, max_size=3))


def line_of(slope: int, parts: list[tuple[int, int, int, int]], base: Dim = H) -> Dim:
    return sum((k * ((a * base + b) // q) for k, a, b, q in parts), start=slope * base)


@settings(max_examples=200, deadline=None)
@given(lines, lines, st.integers(1, 4), st.integers(1, 3))
def test_all_identities_of_small_divisors_are_decided(first, second, unit, other):
    dim, more = line_of(*first), line_of(*second)
    assert definitely_equal(-(-dim // unit), (dim + unit - 1) // unit)
    assert definitely_equal((dim // unit) // other, dim // (unit * other))
    assert definitely_equal(sum(((dim + k) // unit for k in range(unit)), start=0), dim)  # Hermite's identity
    # A line plus a function of period 60 is decided by two periods.
    same = all(dim_evaluate(dim - more, {"H": h}) == 0 for h in range(120))
    assert definitely_equal(dim, more) == same


@settings(max_examples=200, deadline=None)
@given(polynomials, polynomials, st.sampled_from([N, N + 1, 2 * N + 3, N * K, N * K + 5 * W + 1]))
def test_multiples_of_a_size_leave_the_quotient(first, second, unit):
    a, c = size_of(first), size_of(second)
    assert (a * unit + c) // unit == a + c // unit
    assert (unit * a) // unit == a
    assert is_divisible(a * unit, unit)


@settings(max_examples=200, deadline=None)
@given(by_ints, by_ints, by_ints)
def test_sums_and_products_are_those_of_a_ring(first, second, third):
    a, b, c = size_of(first), size_of(second), size_of(third)
    assert a + b == b + a
    assert a * b == b * a
    assert (a + b) + c == a + (b + c)
    assert (a + b) - b == a
    assert definitely_equal(a * (b + c), a * b + a * c)
    assert definitely_equal((a * b) * c, a * (b * c))


POINT = {"H": 5, "W": 3, "N": 1, "K": 1}
bases = st.sampled_from([H, H * W, H // 3 + W, H // 2, H // K, (H + 1) // 2 * W, H // 2 * 2 + W // 3])
divisors = st.sampled_from([*range(1, 13), N, H, H + 1, H // 2 + 1, 2 * N + H // 2, N - 3, (H + 1) // 2])


@settings(max_examples=200, deadline=None)
@given(bases, lines, st.sampled_from([0, W, H // 2, -(H // 2), H // 3]), divisors, points)
@example(H * W, (0, [(-3, 1, 0, 2)]), -4 * H * W - H // 2 - 3, 6, POINT)  # many terms halved
@example(H, (-6, [(-4, 1, 0, 2)]), 0, 9, POINT)  # both halves with a coefficient of 1
@example(H, (17, [(3, 1, 0, 2)]), 2, 6, POINT)
def test_quotients_of_sums_of_quotients(base, line, more, divisor, env):
    dim = line_of(*line, base) + more
    quotient = dim // divisor
    assert parse_size(str(quotient)) == quotient
    assume(env["K"] and dim_evaluate(divisor, env))
    assert dim_evaluate(quotient, env) == dim_evaluate(dim, env) // dim_evaluate(divisor, env)


@pytest.mark.parametrize(
    ("num", "den", "value"),
    [(2 * H + 1, 2 * N - 6, -2), (H // 2 + W, N - 3, 0), (-2 * H - 1, 3 - N, -3), (6 - 5 * H, 4 * N - 9, -1)],
)
def test_rules_that_need_a_positive_divisor_ask_for_one(num, den, value):
    assert dim_evaluate(num // den, {"H": 1, "W": 0, "N": 2}) == value


# ---- cases by name


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("(H-1)//2 + 1", "(H+1)//2"),
        ("(2*H)//2", "H"),
        ("(H//2)//3", "H//6"),
        ("-(-H//2)", "(H+1)//2"),
        ("-(-H//128)", "(H+127)//128"),
        ("H - H//2", "(H+1)//2"),
        ("H//2 + (H+1)//2", "H"),
        ("((H+1)//2 + 1)//2", "(H+3)//4"),  # two strides of 2
        ("(((H+1)//2 + 1)//2 + 1)//2", "(H+7)//8"),
        ("((H//2) - 1)//2", "(H - 2)//4"),
        ("(H - 2*W)//2", "H//2 - W"),
        ("(6*H + 3)//4", "(3*H + 1)//2"),
        ("(N*H*W)//(N*H)", "W"),
        ("(N*H)//(N*W)", "H//W"),
        ("(N*128)//64", "2*N"),
        ("N//(N+1)", "0"),
        ("(N//H)//W", "N//(H*W)"),
        ("N//-3", "(-N)//3"),
        ("N//(1-H)", "(-N)//(H-1)"),
        ("H % 2 % 2", "H % 2"),
        ("(H % 6)//6", "0"),
        ("(N+1)**2", "N*N + 2*N + 1"),
        ("N*((H+1)//2) - N*H + N*(H//2)", "0"),
        ("(H//3 + W)//2", "(H + 3*W)//6"),
        ("(W - H//3)//2", "(3*W - H + 2)//6"),
    ],
)
def test_shapes_that_are_the_same(left, right):
    assert definitely_equal(parse_size(left), parse_size(right))
    assert not definitely_unequal(parse_size(left), parse_size(right))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2*N + 1",
            "H//2",
            "M*N",
            "64 - N",
            "(H + 1)//2",
            "N**2 + 3*N",
            "-N - 1",
            "-(H//2) - 1",
            "3*(H//2)",
        ),
        *("N - H//2", "N*(H//2)**2", "(2*H)//5", "(H//2 + W//2)//2", "H//(2*N)", "-2//(N - 5) + 1", "1//N"),
        *("(N*(H//2))//3", "größe + 1", "_", "0", "-7", "H//(N**2)"),
    ],
)
def test_text_is_readable(text):
    assert str(parse_size(text)) == text


def test_constant_results_are_ints():
    results = [N - N, 0 * N, N // N, (2 * N) % 2, N**0, N // 2 - N // 2, parse_size("3*4")]
    assert results == [0, 0, 1, 0, 1, 0, 12]
    assert {type(result) for result in results} == {int}


def test_ints_of_numpy_work_on_either_side():
    three = np.int64(3)
    assert three * N == N * three == 3 * N
    assert three + N == N + 3
    assert three - N == 3 - N
    assert (three // N, N // three, N % three) == (3 // N, N // 3, N % 3)
    assert type(N - N + as_dim(three)) is int


@pytest.mark.parametrize("other", [1.5, True, "N", None, np.ones(2)], ids=repr)
def test_other_operands_are_refused(other):
    for operation in OPERATORS.values():
        with pytest.raises(TypeError):
            operation(N, other)
        with pytest.raises(TypeError):
            operation(None if isinstance(other, str) else other, N)  # "N" % N formats


def test_sizes_compare_and_never_stand_for_a_condition():
    assert symbol("N") == N
    assert N != 1
    assert N != "N"
    assert len({N, symbol("N"), N + 1, 1 + N}) == 2
    with pytest.raises(SizeError, match="whether N is 0"):
        bool(N)
    with pytest.raises(AttributeError):
        N.terms = {}


def test_hash_and_order_do_not_depend_on_the_process():
    text = "W*(H//2) + zeta*N**2//(H+1) + 3*N - 5"
    program = f"from graphc.size import parse_size; d = parse_size('{text}'); print(hash(d), d)"
    runs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(runs) == 1
    assert runs != {""}


def test_symbols_are_listed_in_order():
    assert (N * (H // K) + 1).symbols == ("H", "K", "N")
    assert dim_symbols(3) == ()


def test_names_may_be_any_identifier():
    assert parse_size("größe * ﬁ") == symbol("größe") * symbol("fi")
    for name in ("", "2N", "a b", "lambda", "None", "N\n", "x" * 201):
        with pytest.raises(SizeError):
            symbol(name)


def test_substitution_is_simultaneous():
    assert substitute(N // H + N, {"N": H, "H": N}) == H // N + H
    assert substitute(N // 2, {"N": 4 * K + 1}) == 2 * K
    assert substitute(N * H, {"H": 3}) == 3 * N
    assert substitute(5, {"N": 1}) == 5


@settings(max_examples=100, deadline=None)
@given(by_ints, by_ints, points)
def test_substitution_commutes_with_evaluation(outer, inner, env):
    dim, value = size_of(outer), size_of(inner)
    number = dim_evaluate(value, env)
    assume(number >= 0)
    assert dim_evaluate(substitute(dim, {"N": value}), env) == dim_evaluate(dim, {**env, "N": number})


def test_sympy_shows_the_same_number():
    dim = N * ((H + 1) // 2) - H // K + 3
    env = {"N": 5, "H": 8, "K": 3}
    shown = dim.to_sympy()
    assert shown.subs({sympy.Symbol(k, integer=True, nonnegative=True): v for k, v in env.items()}) == 21
    assert dim_evaluate(dim, env) == 21


# ---- what is known


def test_signs():
    yes = [N, 0, N * H + 2, H // 2, H % 3, H - H // 2, 2 * ((H + 1) // 2) - H, N * (H % 4), (2 * H) // 3]
    yes.append(N - N // 3 + H // 2 + W // 2)  # the positive halves must be left alone
    no = [
        -1,
        N - 1,
        -N,
        H - 2 * W,
        (H - 1) // 2,
        1 - N,
        H // 2 - H,
        1 // (N - 3),
        (1 + symbol("A")) // (N - 3) * (H % 2),
    ]
    assert [known_nonnegative(dim) for dim in yes + no] == [True] * len(yes) + [False] * len(no)


def test_a_late_difference_is_seen():
    dim = 2 * (H // 4) // 7  # 0 up to 15
    assert not definitely_equal(dim, 0)
    assert not definitely_equal(H * dim, 0)


def test_differences():
    yes = [
        (N, N + 1),
        (3, 4),
        (2 * N, 3),
        (2 * N + 4 * H, 2 * K + 1),
        (H + 1, H // 2),
        (N * H + 5, 0),
        (0, N + 1),
    ]
    no = [(N, 3), (N, H), (N, N), (3, 3), (N, 0), (N + 1, H + 3)]
    assert [definitely_unequal(a, b) for a, b in yes + no] == [True] * len(yes) + [False] * len(no)


def test_divisibility():
    yes = [(12, 4), (6 * N, 3), (N * H, N), (H - H % 8, 8), (0, N), (N * H + N, H + 1)]
    no = [(12, 5), (N, 2), (N + 1, N), (N, 0), (3, 0)]
    assert [is_divisible(a, b) for a, b in yes + no] == [True] * len(yes) + [False] * len(no)


# ---- numbers in, symbols out


def test_quotients_are_computed_once_for_all_dims():
    half = (H + 1) // 2
    dims = [half, half * 64, N * half * (half // K), 5]
    assert compile_dims(dims)({"H": 9, "N": 2, "K": 2}) == (5, 320, 20, 5)
    assert compile_dims([])({}) == ()


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        ([(N, 3), (64, 64), (N, 3)], {"N": 3}),
        ([(2 * N + 1, 9)], {"N": 4}),
        ([(5 - N, 2)], {"N": 3}),
        ([(N * H, 12), (N - 1, 3)], {"N": 4, "H": 3}),
        ([(N + H, 7), (H + K, 6), (K, 4)], {"K": 4, "H": 2, "N": 5}),
        ([(N, 0), (N * H, 0)], {"N": 0}),
        ([(H // 2, 3), (N, 1)], {"N": 1}),
        ([(H // 2, 3), (H, 7)], {"H": 7}),
        ([(N**2, 9)], {}),
        ([], {}),
    ],
)
def test_symbols_are_found(pairs, found):
    assert bind_sizes(pairs) == found


# ---- text of strangers


def test_as_dim_takes_what_users_write():
    written = [3, np.int32(3), "N", " 2 * N+1 ", N, "7", -1]
    assert [as_dim(value) for value in written] == [3, 3, N, 2 * N + 1, N, 7, -1]
    for value in (2.0, None, True, np.bool_(True), b"N", [1], object(), np.ones(2)):
        with pytest.raises(SizeError):
            as_dim(value)


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "((9**64)**64)**64",
        "N**-1",
        "N**N",
        "N**65",
        "(N**64)*N",
        "(" * 10_000 + "N" + ")" * 10_000,
        "(" * 150 + "N" + ")" * 150 + "(",
        "-" * 19_000 + "N",
        "+".join(["N"] * 9_000),
        "**".join(["2"] * 5_000),
        "9" * 10_000,
        "x" * 30_000,
        "(N+H+K+W+a+b+c+d)**60",
        "(N+H+K+W)**9",
        "(N+1)*" * 1_000 + "N",
        "+".join(f"N**{i}*H**{j}//(N+H+1)" for i in range(30) for j in range(30)),
        "".join("(" for _ in range(60)) + "N" + "".join(f"//a{i}+b{i})*c{i}" for i in range(60)),
        "__import__('os')",
        "N.real",
        "f(N)",
        "N[0]",
        "lambda: N",
        "N if N else H",
        "N and H",
        "N < H",
        "N @ H",
        "N / 2",
        "N << 3",
        "~N",
        "not N",
        "1.5*N",
        "1j",
        "True",
        "'N'",
        "N = 3",
        "(N := 3)",
        "N, H",
        "[N]",
        "*N",
        "",
        "  ",
        "N N",
        "2N",
        "N\0",
        "N;H",
        "N//0",
        "3//0",
        "3 % 0",
        "N % (H-H)",
        "\ud800",
        "await N",
    ],
    ids=lambda text: repr(text[:24]),
)
def test_hostile_text_is_refused(text):
    with pytest.raises(SizeError) as caught:
        parse_size(text)
    assert len(str(caught.value)) < 300


def test_long_sums_are_read_back():
    dim = sum((symbol(f"s{i}") * (i + 2) for i in range(400)), start=0)
    assert isinstance(dim, Size)
    assert parse_size(str(dim)) == dim


def test_a_deep_chain_of_strides_stays_small():
    size: Dim = H
    for _ in range(25):
        size = (size - 1) // 2 + 1
    assert size == (H + 2**25 - 1) // 2**25


def test_products_of_many_sizes_stay_one_term():
    cost: Dim = 2
    for factor in [N, H // 2, W, K] * 12:
        cost = cost * factor
    assert str(cost) == f"2*{'*'.join(f'{n}**12' for n in 'KNW')}*(H//2)**12"


def test_the_examples_in_the_docstrings():
    for name in ("", ".polynomial", ".quotient", ".symbolic", ".text", ".bind"):
        module = importlib.import_module("graphc.size" + name)
        assert doctest.testmod(module).failed == 0
