# pyright: basic
"""Mathematical functions of the kernel language, named by function and type: `exp_f32(x)`, `tanh_f64(x)`.

>>> import ctypes
>>> from graphc.runtime import jit
>>> text = '''
... from graphc.runtime.language import *
... from graphc.runtime.vecmath import log2_f64
... @kernel
... def logarithm(lo, hi, args):
...     x, y = f64_buffer(args, 0), f64_buffer(args, 1)
...     for i in range(lo, hi):
...         y[i] = log2_f64(x[i])
... '''
>>> run = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(jit.load(text).addresses["logarithm"])
>>> x, y = (ctypes.c_double * 3)(1, 8, 0.25), (ctypes.c_double * 3)()
>>> slots = (ctypes.c_int64 * 2)(ctypes.addressof(x), ctypes.addressof(y))
>>> args = (ctypes.c_int64 * 2)(ctypes.addressof(slots), ctypes.addressof(slots) + 8)
>>> run(0, 3, ctypes.addressof(args))
>>> list(y)
[0.0, 3.0, -2.0]

Largest errors in units in the last place as measured over the whole range (some 30 million arguments of either
type), nanoseconds an element in a loop over 4096 elements on one core of an Intel Xeon with AVX-512 at 2.8 GHz, and
how many times as long NumPy's function takes there, whose own AVX-512 code is allowed four units:

=========  =======  =======  ======  ======  =========  =========
function   float32  float64  ns f32  ns f64  NumPy f32  NumPy f64
=========  =======  =======  ======  ======  =========  =========
exp        0.99     0.99     0.69    1.02    1.2        1.2
expm1      1.40     1.84     0.56    0.98    1.4        1.5
log        0.90     1.26     0.51    1.45    1.1        0.9
log1p      1.42     1.77     0.51    1.56    1.1        1.0
log2       1.67     1.61     0.77    1.89    0.9        1.0
tanh       1.79     1.88     0.94    1.79    0.8        1.3
sigmoid    1.65     1.64     0.81    1.67    9.4        6.9
softplus   1.66     2.13     0.75    2.07    23         8.6
erf        1.24     1.04     0.73    2.37    7.3        2.4
erfc       3.20     3.20     1.17    3.12    6.3        1.9
rsqrt      1.49     1.50     0.76    1.77    1.5        1.2
sin        1.68     1.69     0.61    1.20    1.2        5.0
cos        1.80     1.74     0.60    1.65    1.2        5.6
tan        3.54     3.20     1.05    2.08    0.9        1.2
asin       2.00     2.03     0.47    1.27    1.2        1.2
acos       1.07     1.28     0.52    1.36    1.1        1.7
atan       1.87     1.72     0.82    1.17    1.0        1.4
atan2      1.88     1.79     0.80    1.62    0.9        1.6
sinh       2.08     2.36     0.61    1.04    1.0        1.3
cosh       1.44     1.42     0.47    1.46    1.1        1.0
asinh      1.76     2.12     1.29    2.78    1.0        0.9
acosh      2.03     2.20     0.84    2.37    1.0        1.1
atanh      2.02     2.07     0.86    2.10    0.9        1.1
pow        0.55     1.07     1.69    5.40    0.6        0.7
=========  =======  =======  ======  ======  =========  =========

(SciPy's sigmoid, erf and erfc; NumPy's softplus is `logaddexp`.)

NaN goes through, overflow gives infinity, subnormal results are as exact as the rest, odd functions keep the
sign of zero; logarithms give -inf at the pole and NaN below it. `pow` has the special values of C99, and no sine
exceeds 1. A value does not depend on where in a loop, or in which loop, it is computed.

Most functions are written out where they are called, without branches, so that loops over them become vector code.
sin, cos, tan and pow do branch, around what only huge angles and special values need: they are external functions
with variants for vectors (`vecmath_calls`). lgamma calls the C library, one element at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature

from llvmlite import ir
from numba.core import types

from graphc.runtime import vecmath_bodies as bodies
from graphc.runtime import vecmath_hyperbolic as hyperbolic
from graphc.runtime import vecmath_inverse as inverse
from graphc.runtime.intrinsics import Word, call_symbol, define
from graphc.runtime.vecmath_ir import Real
from graphc.runtime.vecmath_tables import FLOAT32, FLOAT64, Precision


def _inline(body: Callable[..., Real]) -> tuple[Word, Word]:
    """The float32 and the float64 word of a function that is written out where it is called."""
    count = len(signature(body).parameters) - 1

    def word(suffix: str, kind: types.Type, precision: Precision) -> Word:
        def emit(builder: ir.IRBuilder, *values: ir.Value) -> ir.Value:
            return body(*(Real(builder, value) for value in values), precision).value

        return define(f"{body.__name__}_{suffix}", kind, [kind] * count, emit)

    return word("f32", types.float32, FLOAT32), word("f64", types.float64, FLOAT64)


def _called(name: str, single: str, double: str, count: int = 1) -> tuple[Word, Word]:
    """The float32 and the float64 word of a function that the loader finds by the two symbols."""

    def word(suffix: str, kind: types.Type, result: ir.Type, symbol: str) -> Word:
        def emit(builder: ir.IRBuilder, *values: ir.Value) -> ir.Value:
            return call_symbol(builder, symbol, result, values)

        return define(f"{name}_{suffix}", kind, [kind] * count, emit)

    return word("f32", types.float32, ir.FloatType(), single), word(
        "f64", types.float64, ir.DoubleType(), double
    )


def _branching(name: str, count: int = 1) -> tuple[Word, Word]:
    """The float32 and the float64 word of an external function that has vector variants."""
    return _called(name, f"graphc_{name}_f32", f"graphc_{name}_f64", count)


exp_f32, exp_f64 = _inline(bodies.exp)
expm1_f32, expm1_f64 = _inline(bodies.expm1)
log_f32, log_f64 = _inline(bodies.log)
log1p_f32, log1p_f64 = _inline(bodies.log1p)
log2_f32, log2_f64 = _inline(bodies.log2)
tanh_f32, tanh_f64 = _inline(bodies.tanh)
sigmoid_f32, sigmoid_f64 = _inline(bodies.sigmoid)
softplus_f32, softplus_f64 = _inline(bodies.softplus)
erf_f32, erf_f64 = _inline(bodies.erf)
rsqrt_f32, rsqrt_f64 = _inline(bodies.rsqrt)

sin_f32, sin_f64 = _branching("sin")
cos_f32, cos_f64 = _branching("cos")
tan_f32, tan_f64 = _branching("tan")
asin_f32, asin_f64 = _inline(inverse.asin)
acos_f32, acos_f64 = _inline(inverse.acos)
atan_f32, atan_f64 = _inline(inverse.atan)
atan2_f32, atan2_f64 = _inline(inverse.atan2)
sinh_f32, sinh_f64 = _inline(hyperbolic.sinh)
cosh_f32, cosh_f64 = _inline(hyperbolic.cosh)
asinh_f32, asinh_f64 = _inline(hyperbolic.asinh)
acosh_f32, acosh_f64 = _inline(hyperbolic.acosh)
atanh_f32, atanh_f64 = _inline(hyperbolic.atanh)
erfc_f32, erfc_f64 = _inline(bodies.erfc)
lgamma_f32, lgamma_f64 = _called("lgamma", "lgammaf", "lgamma")
pow_f32, pow_f64 = _branching("pow", 2)
