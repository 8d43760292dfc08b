"""Emitted kernels hold to their language: a lint over their text, and no float64 in what float32 becomes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import op_cases
import pytest
import test_attention
import test_windows
from program_cases import Bundle, batches, gradients

import graphc as gc
from graphc.graph import Graph
from graphc.passes import pipeline, run
from graphc.program.compile import declare
from graphc.program.lowered import lower
from graphc.registry import lookup
from graphc.runtime import build, compiler, language, units, vecmath

OPS = [op.name for op in op_cases.ALL if any(sample.shapes for sample in op.samples)]
WORDS = {*language.__all__, *(name for name in vars(vecmath) if name.endswith(("_f32", "_f64")))}
BUFFERS = re.compile(r"(f32|f64|i32|i64|u32|b1)_buffer(_from)?|f(32|64)_block")
STATEMENTS = (ast.Assign, ast.Expr, ast.For, ast.If, ast.While, ast.Pass)
EXPRESSIONS = (
    ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Name, ast.Constant, ast.Subscript,
)  # fmt: skip


def slips(source: str) -> Iterator[str]:
    """What in the kernels of a module is outside the language, with its line."""
    for function in ast.parse(source).body:
        if isinstance(function, ast.FunctionDef) and ast.unparse(function.decorator_list[0]) == "kernel":
            yield from (
                f"{function.name}:{at.lineno}: {ast.unparse(at)}: {why}" for at, why in _slips(function)
            )


def _slips(function: ast.FunctionDef) -> Iterator[tuple[Any, str]]:
    pointers = {"args"} | {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and _called(node.value, BUFFERS)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for statement in (n for body in function.body for n in ast.walk(body) if isinstance(n, ast.stmt)):
        if not isinstance(statement, STATEMENTS):
            yield statement, "no statement of kernels"
    for node in (n for body in function.body for n in ast.walk(body) if isinstance(n, ast.expr)):
        yield from ((node, why) for why in _faults(node, pointers))


def _faults(node: ast.expr, pointers: set[str]) -> Iterator[str]:
    if not isinstance(node, EXPRESSIONS):
        yield "no expression of kernels"
    if isinstance(node, ast.Call) and not (
        isinstance(node.func, ast.Name) and node.func.id in {*WORDS, "range"}
    ):
        yield "no word of kernels"
    typed = _called(node, re.compile("f32|f64")) or isinstance(node, ast.UnaryOp)
    literals = (
        a for a in ast.iter_child_nodes(node) if isinstance(a, ast.Constant) and isinstance(a.value, float)
    )
    if not typed and any(literals):
        yield "a literal without a type, which would be float64"
    if isinstance(node, ast.Subscript):
        if not (isinstance(node.value, ast.Name) and node.value.id in pointers):
            yield "an index into what is no buffer: arrays wrap negative indices, and loops over them are slow"
        if isinstance(node.slice, ast.UnaryOp | ast.Slice | ast.Tuple):
            yield "a negative index, a slice or a tuple"


def _called(node: ast.AST, name: re.Pattern[str]) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and bool(name.fullmatch(node.func.id))
    )


# Numba keeps literals, which are float64, in cells that nobody reads.
WIDE = re.compile(
    r"\b(f(add|sub|mul|div|rem|neg|cmp)\b.*\bdouble|(fpext|[su]itofp)\b.* to double|call double)\b"
)


def doubles(source: str) -> list[str]:
    """Instructions of a module's kernels that compute with doubles, before anything is optimised."""
    space = build._execute(ast.parse(source), source, "<linted>")
    texts = (
        "\n".join(compiler.lower(space[u.name], "linted")) for u in units.split(source) if not u.parallel
    )
    return [
        line.strip()
        for text in texts
        for line in text.splitlines()
        if WIDE.search(line) and "%" in line.partition("=")[2]
    ]


def emitted(outputs: Any) -> str:
    """The module of a program for ``outputs``; nothing is compiled."""
    return lower(run(declare(outputs, {}, "eval"), pipeline("eval")).cone, "linted").module.source


def bundled(names: list[str]) -> Iterator[Any]:
    bundle = Bundle("float32")
    for name in names:
        bundle.add(lookup(name))
    yield {**bundle.outputs, **gradients(bundle)}


def others() -> Iterator[Any]:
    for family in ("plain", "strided", "grouped"):
        yield test_windows.convolved(test_windows.FAMILIES[family], "float32").outputs
    for name in test_attention.CASES:
        yield test_attention.declared(name, "float32")[0]


CORPUS = [*(lambda names=names: bundled(names) for names in batches(OPS, 32)), others]


@pytest.mark.parametrize("programs", CORPUS, ids=lambda f: "" if f is others else str(f.__defaults__[0][0]))
def test_kernels_hold_to_their_language(programs: Any) -> None:
    for outputs in programs():
        assert list(slips(emitted(outputs))) == []


def small() -> Iterator[gc.Program]:
    """A few programs that have a kernel of every kind."""
    g = Graph("net", seed=0)
    x, t = g.input("x", ("N", 2, 6, 6)), g.input("t", ("N",), "int32")
    features = gc.max_pool2d(gc.relu(gc.batch_norm(gc.conv2d(x, g.param("w", (4, 2, 3, 3))))), 2)
    logits = gc.nn.Dense(5, activation="gelu")(gc.reshape(features, (x.shape[0], 16)))
    loss = gc.losses.softmax_cross_entropy(logits, t) + gc.mean(gc.sin(logits) ** 2.5)
    yield gc.compile({"loss": loss, "p": gc.softmax(logits)}, updates=gc.optim.Adam(0.1)(gc.grad(loss)))
    yield gc.compile(test_attention.declared("added and causal", "float32")[0])
    x = Graph("loop").input("x", ("T", "N", 3))
    w = x.graph.param("w", (3, 3))
    last, _ = gc.scan(lambda h, x: (gc.tanh(x + h @ w), None), gc.zeros_like(x[0]), x)
    yield gc.compile(gc.grad(gc.mean(gc.sqrt(1 + last**2))))


def test_no_double_in_what_float32_becomes() -> None:
    for program in small():
        assert doubles(program.source) == []


def test_what_the_lint_refuses() -> None:
    good = (
        "@kernel\ndef k(lo, hi, args):\n    x0 = f32_buffer(args, 0)\n    for i in range(lo, hi):\n        "
    )
    assert list(slips(good + "x0[i] = f32(2.0) * x0[i]")) == []
    for bad, why in {
        "x0[i] = 2.0 * x0[i]": "a literal without a type",
        "x0[i] = exp_f32(2.0)": "a literal without a type",
        "x0[-1] = x0[i]": "a negative index",
        "y[i] = x0[i]": "what is no buffer",
        "x0[i] = x0.data": "no expression of kernels",
        "x0[i] = open(i)": "no word of kernels",
        "x0[0:2] = x0[i]": "a slice",
        "raise x0[i]": "no statement of kernels",
    }.items():
        assert any(why in slip for slip in slips(good + bad)), bad
    wide = "from graphc.runtime.language import *\n" + good + "x0[i] = 2.0 * x0[i]"
    assert any("fmul" in line for line in doubles(wide))
