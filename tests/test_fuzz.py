"""Inputs of strangers: as many as take seconds, always the same; ``python tests/fuzz.py`` tries new ones.

What fuzzing found stands below as tests by name.
"""

from __future__ import annotations

import os
from pathlib import Path

import fuzz
import networkx
import numpy as np
import pytest
import sympy

import graphc as gc
from graphc.errors import CapacityError, DTypeError, ExpressionError, GraphcError, GraphError, ShapeError
from graphc.graph import Graph


@pytest.mark.parametrize(
    ("kind", "count"), [("texts of graphs", 1500), ("networks", 1000), ("checkpoints", 500)]
)
def test_inputs_of_strangers_are_read_or_refused(kind: str, count: int) -> None:
    wrong = [(shown, error) for shown, error in fuzz.cases(kind, seed=0, count=count) if error]
    assert not wrong, wrong[0]


# ------------------------------------------------------------------------------------------- found by fuzzing


def one(**attributes: object) -> networkx.DiGraph:
    dag = networkx.DiGraph()
    dag.add_node("a", op="param", shape=(3, 3))
    dag.add_node("b", op="input", shape=(3, 3))
    dag.add_node("c", **attributes)
    dag.add_edges_from([("a", "c"), ("b", "c")])
    return dag


def test_a_node_for_a_dtype() -> None:
    for op in ("cast", "zeros_like"):
        with pytest.raises(DTypeError, match="is not supported"):
            gc.from_networkx(one(op=op))


def test_a_node_for_the_number_of_a_diagonal() -> None:
    with pytest.raises(ShapeError, match="is no integer"):
        gc.from_networkx(one(op="triu"))


def test_rows_of_different_lengths_for_a_first_value() -> None:
    with pytest.raises(DTypeError, match="is no data"):
        Graph().param("w", (2, 2), init=[[1, 2], [3]])


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("%1: f64[4] = cast(dtype='float64')", "0 operands are given; give 1"),
        ("%1: f32[7] = sum_pool(%0, window=(dim(9),), stride=(2,))", "does not read"),
    ],
)
def test_a_line_without_operands_or_with_a_number_for_a_size(line: str, error: str) -> None:
    with pytest.raises(GraphError, match=error):
        gc.parse(f"%0: f32[9] = input(name='x')\n{line}")


# ------------------------------------------------------------------------------------------------- hostile names

NAMES = [name for name in fuzz.HOSTILE if name]


def test_hostile_names_in_graphs_sources_and_checkpoints(tmp_path: Path) -> None:
    g = Graph('net\n"""\nimport os; os.abort()\n')
    x = g.input("x", ("N", 2))
    y = x
    for k, name in enumerate(NAMES):
        with g.scope(name):
            y = y + g.param(f"w{k}", (2,), init=[float(k), 0.0])
    y = y * g.param('"; import os #\n', (2,), init=[1.0, 1.0])
    assert gc.parse(str(g)).nodes == g.nodes
    program = gc.compile(dict.fromkeys(NAMES, y), name="\n".join(NAMES))
    compile(program.source, "<source>", "exec")
    assert "os.abort" not in "".join(line for line in program.source.splitlines() if not line.startswith("#"))
    found = program(x=np.zeros((1, 2), np.float32))
    assert list(found) == NAMES
    assert found[NAMES[0]][0, 0] == sum(range(len(NAMES)))
    other = gc.compile({"y": y})
    first = NAMES[0].replace("/", ".") + ".w0"
    other.params[first] = [9, 9]
    gc.train.load(gc.train.save(tmp_path / "net.safetensors", program), other)
    assert other.params[first].tolist() == [0.0, 0.0]


CODE = [
    "__import__('os').system('touch SIGN')", "open('SIGN', 'w')", "a.__class__", "(lambda: a)()", "exec('a')",
    "[a for a in a]",
]  # fmt: skip


def test_hostile_names_in_networks() -> None:
    dag = networkx.DiGraph()
    dag.add_node("a", op="input", shape=("N",))
    for name in NAMES:
        dag.add_node(name, expr="a + 1", layer=name)
        dag.add_edge("a", name)
    net = gc.from_networkx(dag)
    assert set(net.outputs) == set(NAMES)
    program = gc.compile(net.outputs)
    assert all(value.tolist() == [3.0] for value in program(a=[2]).values())


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch SIGN')",
        "open('SIGN', 'w')",
        "a.__class__",
        "(lambda: a)()",
        "exec('a')",
        "[a for a in a]",
    ],
)
def test_text_is_never_evaluated(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExpressionError):
        gc.from_networkx(one(expr=text))
    with pytest.raises(GraphcError):
        gc.from_networkx(one(expr=sympy.Function(text)(sympy.Symbol("a"))))
    for line in (f"%0: f32[] = input(name={text})", f"%0: f32[{text}] = input(name='x')"):
        with pytest.raises(GraphError):
            gc.parse(line)
    assert os.listdir() == []


# ---------------------------------------------------------------------------------------------------- sizes


@pytest.mark.parametrize("shape", [(2**63,), (2**70,), (-1,), (-(2**70),), (10**400,), (2**40, "N", 2**40)])
def test_sizes_that_no_int64_holds(shape: tuple[object, ...]) -> None:
    with pytest.raises(GraphcError):
        Graph().input("x", shape)
    with pytest.raises(GraphcError):
        gc.parse(f"%0: f32[{','.join(map(str, shape))}] = input(name='x')")


def test_a_parameter_that_no_machine_holds() -> None:
    with pytest.raises(CapacityError, match=r"values of param 'w' take .* declare smaller"):
        gc.compile({"y": Graph().param("w", (2**40, 2**20)) * 2})


def test_size_arithmetic_that_overflows_at_the_call() -> None:
    x = Graph("large").input("x", ("N",))
    n = x.shape[0]
    y = gc.broadcast_to(gc.sum(x), (n * n * n * n * n * n * n,))
    program = gc.compile({"y": y})
    assert program(x=[1, 2])["y"].shape == (128,)
    with pytest.raises(CapacityError, match="more elements than 64 bits count"):
        program(x=np.zeros(1000, np.float32))  # 10^21 elements, of which int64 would keep the low bits
    assert program(x=[1, 2])["y"].tolist() == [3.0] * 128
