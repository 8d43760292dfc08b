"""Formulas of networks, in text and in SymPy."""

# ruff: noqa: E501 - texts stand whole

import networkx
import sympy

import graphc as gc
from graphc.errors import ExpressionError

X, Y = sympy.symbols("x y")


def formula(expr):
    """A network of inputs x and y and of this formula of them."""
    dag = networkx.DiGraph()
    dag.add_nodes_from(["x", "y"], op="input", shape=(3,))
    dag.add_node("out", expr=expr)
    dag.add_edges_from([("x", "out"), ("y", "out")])
    return gc.from_networkx(dag)


def nested(depth):
    expr = X
    for _ in range(depth):
        expr = sympy.Function("tanh")(expr)
    return expr


ROWS = [
    (
        ExpressionError,
        lambda: formula("x + z"),
        "node 'out': symbol 'z' is not a parent ('x', 'y'); add an edge from it @",
    ),
    (
        ExpressionError,
        lambda: formula("'x y' + 1"),
        "node 'out': symbol 'x y' is not a parent ('x', 'y'); add an edge from it @",
    ),
    (
        ExpressionError,
        lambda: formula("sigmod(x)"),
        "node 'out': there is no function 'sigmod' in formulas; did you mean 'sigmoid'? @",
    ),
    (
        ExpressionError,
        lambda: formula("cast(x)"),
        "node 'out': there is no function 'cast' in formulas; use one of 'abs', … @",
    ),
    (
        ExpressionError,
        lambda: formula("x.shape"),
        "node 'out': 'x.shape' (Attribute) is not part of formulas; use arithmetic, comparisons and known functions @",
    ),
    (
        ExpressionError,
        lambda: formula("x[0]"),
        "node 'out': 'x[0]' (Subscript) is not part of formulas; use arithmetic, comparisons and known functions @",
    ),
    (
        ExpressionError,
        lambda: formula("[x for x in y]"),
        "node 'out': '[x for x in y]' (ListComp) is not part of formulas; use arithmetic, comparisons and known functions @",
    ),
    (
        ExpressionError,
        lambda: formula("(lambda: x)()"),
        "node 'out': '(lambda: x)()' (Call) is not part of formulas; use arithmetic, comparisons and known functions @",
    ),
    (
        ExpressionError,
        lambda: formula("x << 2"),
        "node 'out': 'x << 2' (LShift) is not part of formulas; use arithmetic, comparisons and known functions @",
    ),
    (
        ExpressionError,
        lambda: formula("x is y"),
        "node 'out': 'x is y' (Compare) is not part of formulas; use arithmetic, comparisons and known functions @",
    ),
    (
        ExpressionError,
        lambda: formula("f'{x}'"),
        "node 'out': \"f'{x}'\" (JoinedStr) is not part of formulas; use arithmetic, comparisons and known functions @",
    ),
    (
        ExpressionError,
        lambda: formula("x; y"),
        "node 'out': 'x; y' does not read (…); write it as in 'w*x + b' @",
    ),
    (
        ExpressionError,
        lambda: formula("x +"),
        "node 'out': 'x +' does not read (…); write it as in 'w*x + b' @",
    ),
    (ExpressionError, lambda: formula(""), "node 'out': '' does not read (…); write it as in 'w*x + b' @"),
    (
        ExpressionError,
        lambda: formula("x\0"),
        "node 'out': 'x\\x00' does not read (…); write it as in 'w*x + b' @",
    ),
    (
        ExpressionError,
        lambda: formula("x * " + "9" * 5000),
        "node 'out': 'x * 9999999999999999999999999999999999999999999999999999... does not read (…); write it as in 'w*x + b' @",
    ),
    (
        ExpressionError,
        lambda: formula("(" * 250 + "x" + ")" * 250),
        "node 'out': '((((((((((((((((((((((((((((((((((((((((((((((((((((((((... does not read (…); write it as in 'w*x + b' @",
    ),
    (
        ExpressionError,
        lambda: formula("-" * 150 + "x"),
        "node 'out': formula '--------------------------------------------------------... is nested deeper than 100; split it into nodes @",
    ),
    (
        ExpressionError,
        lambda: formula("x" + " + x" * 3000),
        "node 'out': formula has 12001 characters, 10000 are read; split it into nodes @",
    ),
    (
        ExpressionError,
        lambda: formula("exp(x, y)"),
        "node 'out': exp takes 1 operand, not 2; correct the call @",
    ),
    (
        ExpressionError,
        lambda: formula("exp(x, axis=1)"),
        "node 'out': exp takes no parameter 'axis'; correct the call @",
    ),
    (
        ExpressionError,
        lambda: formula("sum(x, axes=1)"),
        "node 'out': sum(x, axis, keepdims) does not fit: …; correct the call @",
    ),
    (
        ExpressionError,
        lambda: formula("sum(x, axis=y)"),
        "node 'out': parameter 'y' is no integer, boolean or tuple of them; write such, as in axis=-1 @",
    ),
    (
        ExpressionError,
        lambda: formula("sum(x, **y)"),
        "node 'out': '**' in a call is not part of formulas; write the parameters out @",
    ),
    (
        ExpressionError,
        lambda: formula("exp(*x)"),
        "node 'out': '*x' (Starred) is not part of formulas; use arithmetic, comparisons and known functions @",
    ),
    (
        ExpressionError,
        lambda: formula("2**9**9**9"),
        "node 'out': exponent 387420489 is beyond 1024; write the number itself @",
    ),
    (
        ExpressionError,
        lambda: formula("x * 2**5000"),
        "node 'out': exponent 5000 is beyond 1024; write the number itself @",
    ),
    (
        ExpressionError,
        lambda: formula("x * 9.0**1000"),
        "node 'out': pow of 9.0 and 1000 has no finite value (…); correct it @",
    ),
    (
        ExpressionError,
        lambda: formula("x * (-8)**0.5"),
        "node 'out': (…j) is not a real number; formulas take real numbers @",
    ),
    (
        ExpressionError,
        lambda: formula("x * (1/0)"),
        "node 'out': div of 1 and 0 has no finite value (…); correct it @",
    ),
    (
        ExpressionError,
        lambda: formula("x * 1e999"),
        "node 'out': inf is not finite; pass such values as an input @",
    ),
    (
        ExpressionError,
        lambda: formula("x * 1j"),
        "node 'out': 1j is not a real number; formulas take real numbers @",
    ),
    (
        ExpressionError,
        lambda: formula("x * " + "9" * 400),
        "node 'out': an integer of 1329 bits does not fit 64; write a float @",
    ),
    (
        ExpressionError,
        lambda: formula(sympy.Function("f")(X)),
        "node 'out': there is no function 'f' in formulas; use one of 'abs', … @",
    ),
    (
        ExpressionError,
        lambda: formula(sympy.Function("sigmoyd")(X)),
        "node 'out': there is no function 'sigmoyd' in formulas; did you mean 'sigmoid'? @",
    ),
    (
        ExpressionError,
        lambda: formula(sympy.Integral(X, (X, 0, Y))),
        "node 'out': there is no function 'Integral' in formulas; use one of 'abs', … @",
    ),
    (
        ExpressionError,
        lambda: formula(sympy.zoo),
        "node 'out': there is no function 'ComplexInfinity' in formulas; use one of 'abs', … @",
    ),
    (
        ExpressionError,
        lambda: formula(sympy.nan),
        "node 'out': nan is not finite; pass such values as an input @",
    ),
    (
        ExpressionError,
        lambda: formula(X + sympy.I),
        "node 'out': there is no function 'ImaginaryUnit' in formulas; use one of 'abs', … @",
    ),
    (
        ExpressionError,
        lambda: formula(sympy.Piecewise((X, X > 0))),
        "node 'out': 'Piecewise((x, x > 0))' lacks a last branch; end it with (value, True) @",
    ),
    (
        ExpressionError,
        lambda: formula(sympy.MatrixSymbol("A", 2, 2)),
        "node 'out': there is no function 'MatrixSymbol' in formulas; use one of 'abs', … @",
    ),
    (
        ExpressionError,
        lambda: formula(X + sympy.Integer(10) ** 30),
        "node 'out': an integer of 100 bits does not fit 64; write a float @",
    ),
    (
        ExpressionError,
        lambda: formula(sympy.Function("relu")(X, Y)),
        "node 'out': relu takes 1 operand, not 2; correct the call @",
    ),
    (
        ExpressionError,
        lambda: formula(nested(120)),
        "node 'out': the expression is nested deeper than 100; split it into nodes @",
    ),
]
