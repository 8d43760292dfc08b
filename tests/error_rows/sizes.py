"""Symbolic sizes: what cannot be read, is too large, has no value, or does not fit an array."""

# ruff: noqa: E501 - texts stand whole

import graphc as gc
from graphc.errors import DTypeError, ShapeError, SizeError
from graphc.size import as_dim, bind_sizes, compile_dims, dim_evaluate, parse_size, symbol
from graphc.types import Checks, DType

H, K, N, M = map(symbol, "HKNM")
NAMES = [symbol(f"s{k}") for k in range(400)]


def total(count):
    return sum(NAMES[:count], start=0)


def deep(count):
    size = N
    for k in range(count):
        size = (size + NAMES[k]) // (M + 1) * NAMES[k]
    return size


ROWS = [
    (SizeError, lambda: as_dim(2.5), "2.5 is no size; give an int, a name such as 'N' or a Size"),
    (SizeError, lambda: as_dim(True), "True is no size; give an int, a name such as 'N' or a Size"),
    (
        SizeError,
        lambda: gc.Graph().input("x", (2.5,)),
        "input 'x': 2.5 is no size; give an int, a name such as 'N' or a Size @",
    ),
    (
        SizeError,
        lambda: gc.Graph().input("x", ("n!",)),
        "input 'x': 'n!' cannot be read as a size; write for example '2*N + 1' @",
    ),
    (
        ShapeError,
        lambda: gc.Graph().input("x", (-1,)),
        "input 'x': size -1 in shape (-1,) is negative; sizes are at least 0 @",
    ),
    (
        SizeError,
        lambda: symbol("not a name"),
        "'not a name' cannot name a size; use an identifier such as 'N'",
    ),
    (SizeError, lambda: symbol("lambda"), "'lambda' cannot name a size; use an identifier such as 'N'"),
    (SizeError, lambda: bool(N), "whether N is 0 depends on its symbols; compare it, as in size == 0"),
    (SizeError, lambda: N**-1, "a size cannot be raised to -1; exponents go from 0 to 64"),
    (SizeError, lambda: N**65, "a size cannot be raised to 65; exponents go from 0 to 64"),
    (SizeError, lambda: N // 0, "N is divided by 0; give a size that is at least 1"),
    (SizeError, lambda: N**64 * N, "a product of over 64 sizes is too large; name a part of it"),
    (
        SizeError,
        lambda: total(300) * total(300),
        "a product of 300 by 300 terms is too large; name a part of it",
    ),
    (
        SizeError,
        lambda: total(100) * (N**0 + sum(M**k for k in range(40))),
        "a size of 4000 terms is too large; name a part of it by a symbol",
    ),
    (
        SizeError,
        lambda: deep(60),
        "the quotient (s31*((s30*((s29*((s28*((s27*((s26*((s25*((s24*((s23*((s22*(... is too long or too deep; name a part of it by a symbol",
    ),
    (
        SizeError,
        lambda: total(300) // (NAMES[0] + sum(NAMES[300:], start=0)),
        "a quotient of sizes is too large; name a part of it by a symbol",
    ),
    (
        SizeError,
        lambda: parse_size("N.real"),
        "'N.real' cannot be read as a size; write for example '2*N + 1'",
    ),
    (
        SizeError,
        lambda: parse_size("9" * 5000),
        "'999999999999999999999999999999999999999999999999999999999999' cannot be read as a size; write for example '2*N + 1'",
    ),
    (SizeError, lambda: parse_size("N +"), "'N +' cannot be read as a size; write for example '2*N + 1'"),
    (
        SizeError,
        lambda: parse_size("+".join(["N"] * 9_000)),
        "a size of 17999 characters is over 10000; name a part of it by a symbol",
    ),
    (
        SizeError,
        lambda: parse_size("(N+H+K+W+a+b+c+d)**60"),
        "a product of sums makes more than 64 terms; name a part of it by a symbol",
    ),
    (SizeError, lambda: parse_size("N//0"), "N is divided by 0; give a size that is at least 1"),
    (SizeError, lambda: parse_size("N**N"), "the exponent N is no number from 0; write powers such as N**2"),
    (
        SizeError,
        lambda: parse_size("N**-1"),
        "the exponent -1 is no number from 0; write powers such as N**2",
    ),
    (
        SizeError,
        lambda: parse_size("((9**64)**64)**64"),
        "an int to the power 64 is too large; give the size itself",
    ),
    (SizeError, lambda: parse_size("N**65"), "the exponent 65 is over 64; give the size itself"),
    (SizeError, lambda: dim_evaluate(N + 1, {}), "size N has no value; give it one"),
    (SizeError, lambda: dim_evaluate(N, {"N": -3}), "size N is -3; sizes are at least 0"),
    (
        SizeError,
        lambda: dim_evaluate(N // H, {"N": 3, "H": 0}),
        "N//H divides by 0 where H is 0; give larger sizes",
    ),
    (
        SizeError,
        lambda: compile_dims([7, N // H])({"N": 3}),
        "size H has no value; give an input with an axis of that size",
    ),
    (
        SizeError,
        lambda: compile_dims([7, N // H])({"N": 3, "H": 0}),
        "N//H divides by 0 where H is 0; give larger sizes",
    ),
    (SizeError, lambda: bind_sizes([(64, 63)]), "64 was expected, but 63 was given; give sizes that agree"),
    (
        SizeError,
        lambda: bind_sizes([(N, 4), (2 * N, 9)]),
        "2*N (with N=4) is 8, but 9 was given; give sizes that agree",
    ),
    (SizeError, lambda: bind_sizes([(2 * N, 7)]), "2*N cannot be 7; give a size that solves 2*N = 7"),
    (SizeError, lambda: bind_sizes([(N + 5, 3)]), "size N would be -2; sizes are at least 0"),
    (SizeError, lambda: bind_sizes([(N, 3), (N, 4)]), "size N is both 3 and 4; give sizes that agree"),
    (
        ShapeError,
        lambda: Checks().equal(3, 4, "heights"),
        "heights: sizes 3 and 4 differ; they must be equal",
    ),
    (
        ShapeError,
        lambda: Checks().at_least(3, 4, "a window"),
        "a window: size 3 is less than 4; give at least 4",
    ),
    (
        DTypeError,
        lambda: DType.of("float16"),
        "dtype 'float16' is not supported; use one of bool, int32, int64, float32, float64",
    ),
    (
        DTypeError,
        lambda: DType.of(complex),
        "dtype complex is not supported; use one of bool, int32, int64, float32, float64",
    ),
]
