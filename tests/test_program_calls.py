"""Calls: hostile shapes, outputs that nobody else holds, inputs that nobody writes, sizes that compile nothing."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from program_cases import agree, check, hold

import graphc as gc
from graphc.graph import Graph, Handle
from graphc.runtime import jit, threads

RNG = np.random.default_rng(0)


def uniform(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.asarray(RNG.uniform(-1, 1, shape), dtype)


# --------------------------------------------------------------------------------------------------- outputs


def unusual() -> tuple[dict[str, Handle], dict[str, np.ndarray]]:
    """Outputs that compute nothing or little, or one another."""
    g = Graph("unusual")
    x, s = g.input("x", ("N", 6)), g.input("s")
    w = g.param("w", (6,), init=np.arange(6, dtype="float32"))
    k, m = g.const(np.arange(6, dtype="float32").reshape(2, 3)), g.const(2.5)
    y = x * 2
    outputs = {
        "input": x,
        "scalar": s,
        "again": x,
        "param": w,
        "constant": k,
        "number": m,
        "int": g.const(np.int64(7)),
        "flag": g.const(True),
        "view": gc.reshape(x, ("N", 2, 3)),
        "flat": gc.ravel(x),
        "row": gc.reshape(w, (1, 6, 1)),
        "constant view": gc.reshape(k, (6,)),
        "transposed": x.T,
        "reversed": x[::-1],
        "part": x[:, 1:5:2],
        "spread": gc.broadcast_to(s, (2, 3)),
        "y": y,
        "y too": y,
        "y view": gc.reshape(y, (-1,)),
        "y sum": gc.sum(y),
        "padded": gc.pad(x, ((1, 0), (0, 2)), constant_values=3.0),
        "empty": x[:, 2:2],
        "none": gc.sum(x[:, 2:2], axis=1),
        "numbers": g.const(np.arange(4)),
        "ones": x * 0 + 1,
        "cast": gc.cast(x, "int32"),
        "compared": x > s,
        "pair": gc.concatenate([x, y, x], axis=1),
        "same": gc.stop_gradient(x),
    }
    return outputs, {"x": uniform(3, 6) * 4, "s": np.float32(0.5)}


def test_outputs_of_every_kind() -> None:
    outputs, values = unusual()
    program = check(outputs, values)
    for rows in (0, 1, 2, 700):
        hold(program, outputs, {**values, "x": uniform(rows, 6)})


@pytest.mark.parametrize(
    "rows", [1, 3, 2000]
)  # small outputs are copied out of buffers, large ones written in place
def test_outputs_are_arrays_of_their_own(rows: int) -> None:
    outputs, values = unusual()
    values["x"] = uniform(rows, 6)
    program = gc.compile(outputs)
    first, second = program(**values), program(**values)
    arrays = [*first.values(), *second.values()]
    for a, b in itertools.combinations(arrays, 2):
        assert not np.shares_memory(a, b)
    for array in arrays:
        assert array.flags.writeable
        assert array.flags.c_contiguous
        assert not any(np.shares_memory(array, held) for held in (values["x"], program.params["w"]))
    copies = {name: array.copy() for name, array in first.items()}
    for array in second.values():
        array[...] = 0  # what a caller does to results reaches nothing
    for name, array in program(**values).items():
        np.testing.assert_array_equal(array, copies[name])
        np.testing.assert_array_equal(first[name], copies[name])


def test_a_single_node_is_called_out() -> None:
    g = Graph()
    assert list(gc.compile(g.input("x") * 2)(x=3.0)) == ["out"]


def test_a_program_of_constants_alone() -> None:
    g = Graph()
    two = g.const(2.0)
    program = gc.compile({"a": two, "b": gc.exp(two), "c": gc.sum(g.const([1.0, 2.0]))})
    found = program()
    assert found["a"] == 2
    assert found["c"] == 3
    np.testing.assert_allclose(found["b"], np.exp(np.float32(2)), rtol=1e-6)


# ---------------------------------------------------------------------------------------------------- inputs


def test_inputs_of_every_layout_give_the_same_bytes_and_are_not_written() -> None:
    g = Graph("layouts")
    x, w = g.input("x", ("N", 5)), g.input("w", (5, 4))
    program = gc.compile({"y": gc.softmax(x @ w, axis=1), "x": x, "s": gc.sum(x, axis=0)})
    a, b = uniform(7, 5), uniform(5, 4)
    wide = np.zeros((14, 10), "float32")
    wide[::2, 1::2] = a
    raw = np.zeros(a.nbytes + 3, np.uint8)[3:]
    raw[:] = np.frombuffer(a.tobytes(), np.uint8)
    layouts = [
        np.asfortranarray(a),
        wide[::2, 1::2],
        a[::-1].copy()[::-1],
        a[:, ::-1].copy()[:, ::-1],
        np.repeat(a[None], 3, 0)[1],
    ]
    layouts += [
        raw.view("float32").reshape(7, 5),
        np.broadcast_to(a, (7, 5)),
        np.ma.getdata(a),
        a.astype(">f4").astype("<f4"),
    ]
    due = program(x=a, w=b)
    for array in layouts:
        array.flags.writeable = False
        before = array.copy()
        found = program(x=array, w=np.asfortranarray(b))
        for name, value in found.items():
            assert value.tobytes() == due[name].tobytes()
        np.testing.assert_array_equal(array, before)
    repeated = np.broadcast_to(a[:1], (6, 5))  # all rows are one in memory
    np.testing.assert_array_equal(program(x=repeated, w=b)["x"], repeated)


def test_inputs_that_overlap_and_one_array_for_two_inputs() -> None:
    g = Graph("overlap")
    x, y = g.input("x", ("N",)), g.input("y", ("N",))
    outputs = {"a": x + y, "b": gc.sum(x * y), "c": x}
    program = gc.compile(outputs)
    held = uniform(100)
    hold(program, outputs, {"x": held, "y": held})
    hold(program, outputs, {"x": held[:60], "y": held[40:]})
    found = program(x=held, y=held)
    hold(program, outputs, {"x": found["c"], "y": found["a"]})  # results as inputs of the next call


def test_lists_numbers_and_other_dtypes_are_taken_where_nothing_is_lost() -> None:
    g = Graph("kinds")
    x, i = g.input("x", ("N",)), g.input("i", (), "int64")
    program = gc.compile({"y": gc.take(x, i)})
    assert program(x=[1, 2, 3], i=-1)["y"] == 3
    assert program(x=(True, False), i=np.int32(0))["y"] == 1


# ----------------------------------------------------------------------------------------------------- sizes


def dense() -> tuple[dict[str, Handle], dict[str, np.ndarray]]:
    g = Graph("sizes")
    x, t = g.input("x", ("N", 33)), g.input("t", ("N",), "int32")
    h = gc.nn.Dense(65, activation="relu", name="hidden")(x)
    logits = gc.nn.Dense(7, name="out")(h)
    loss = gc.losses.softmax_cross_entropy(logits, t)
    outputs = {
        "loss": loss,
        "p": gc.softmax(logits),
        "best": gc.argmax(logits, axis=1),
        "columns": gc.sum(h, axis=0),
    }
    outputs |= {f"by {p.name}": grad for p, grad in gc.grad(loss).items()}
    return outputs, {}


def data(rows: int) -> dict[str, np.ndarray]:
    return {"x": uniform(rows, 33), "t": RNG.integers(0, 7, rows).astype("int32")}


def test_new_sizes_compile_nothing() -> None:
    outputs, _ = dense()
    program = gc.compile(outputs)
    before = jit.counters()
    for rows in (1, 2, 31, 32, 33, 64, 257, 3000):
        hold(program, outputs, data(rows), slack=3)
    for rows in range(100, 160):  # more sizes than tables are kept
        program(**data(rows))
    hold(program, outputs, data(31), slack=3)
    assert jit.counters() == before


def test_an_empty_batch() -> None:
    g = Graph("empty")
    x = g.input("x", ("N", 4))
    w = g.param("w", (4, 3), init=np.ones((4, 3), "float32"))
    outputs = {
        "y": gc.tanh(x @ w),
        "s": gc.sum(x @ w, axis=0),
        "gram": (x @ w).T @ x,
        "mean": gc.mean(x),
        "flat": gc.ravel(x),
    }
    outputs |= {
        "soft": gc.softmax(x @ w),
        "all": gc.all(x > 0),
        "prod": gc.prod(x, axis=0),
        "any": gc.any(x > 0, axis=0),
    }
    outputs |= {
        "taken": gc.take(w, gc.cast(x[:, 0], "int32") * 0, axis=0),
        "spread": gc.scatter_add(x, gc.cast(x[:, 0], "int32") * 0, size=5),
    }
    program = gc.compile(outputs)
    for rows in (0, 1, 0, 5):
        hold(program, outputs, {"x": uniform(rows, 4)})


SHAPES = [
    (0, 3),
    (3, 0),
    (1, 1),
    (1, 5),
    (5, 1),
    (17, 1),
    (1, 300),
    (300, 1),
    (2, 2049),
    (2049, 2),
    (515, 130),
    (64, 64),
    (65, 63),
]


def test_reductions_over_rows_and_columns_of_every_size() -> None:
    g = Graph("reductions")
    x = g.input("x", ("N", "M"))
    z = gc.exp(x) * 2
    outputs: dict[str, Handle] = {}
    for axis in (0, 1, None):
        for name in ("sum", "mean", "prod", "logsumexp"):
            outputs[f"{name} {axis}"] = getattr(gc, name)(x / 40 if name == "prod" else z, axis=axis)
        outputs[f"any {axis}"] = gc.any(x > 0.9, axis=axis)
        outputs[f"centred {axis}"] = z - gc.mean(z, axis=axis, keepdims=True)
        outputs[f"count {axis}"] = gc.sum(gc.cast(x > 0, "int64"), axis=axis)
    outputs |= {
        "softmax 0": gc.softmax(x, axis=0),
        "softmax 1": gc.softmax(x, axis=1),
        "transposed": gc.sum(z.T, axis=0),
    }
    program = gc.compile(outputs)
    for n, m in SHAPES:
        with np.errstate(all="ignore"):
            hold(program, outputs, {"x": uniform(n, m)}, slack=5)


def test_extrema_and_where_they_are() -> None:
    g = Graph("extrema")
    x, k = g.input("x", ("N", "M")), g.input("k", ("N", "M"), "int32")
    outputs: dict[str, Handle] = {}
    for axis in (0, 1):
        for name in ("max", "min", "argmax", "argmin"):
            outputs[f"{name} {axis}"] = getattr(gc, name)(x, axis=axis)
            outputs[f"{name} {axis} of ints"] = getattr(gc, name)(k, axis=axis)
    outputs |= {"all": gc.max(x), "least": gc.min(k)}
    program = gc.compile(outputs)
    for n, m in SHAPES[2:]:
        hold(program, outputs, {"x": uniform(n, m), "k": RNG.integers(-5, 5, (n, m)).astype("int32")})
    odd = uniform(40, 50)
    odd[3, 4], odd[7], odd[9, 9] = np.nan, np.inf, -np.inf
    odd[12] = odd[13]
    hold(program, outputs, {"x": odd, "k": np.zeros((40, 50), "int32")})


PRODUCTS = [
    "ab,bc->ac",
    "ab,cb->ac",
    "ba,bc->ac",
    "ba,cb->ac",
    "ab,bc->ca",
    "ab,ab->",
    "ab,ab->a",
    "ab,ab->b",
    "ab,b->a",
    "a,ab->b",
    "a,b->ab",
    "abc,bcd->ad",
    "abc,acd->abd",
    "abc,abd->acd",
    "abc,dbc->ad",
    "abc,bd->adc",
    "abc,abc->b",
    "abcd,cd->ab",
    "abc,cab->b",
    "abc,cb->cab",
    "ab,cd->acbd",
    "aab,b->a",
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_products_of_every_form_and_size(dtype: str) -> None:
    g = Graph("products")
    outputs: dict[str, Handle] = {}
    for number, spec in enumerate(PRODUCTS):
        left, right = spec.split("->")[0].split(",")
        x, y = (
            g.input(f"{side}{number}", tuple(c.upper() for c in word), dtype)
            for side, word in (("x", left), ("y", right))
        )
        outputs[spec] = gc.einsum(spec, x, y)
        outputs[f"{spec}, fused"] = gc.tanh(gc.einsum(spec, x, y) * 0.1) + 1
    program = gc.compile(outputs)
    for sizes in (
        (1, 1, 1, 1),
        (2, 3, 4, 5),
        (17, 9, 33, 5),
        (1, 40, 1, 3),
        (0, 3, 2, 1),
        (3, 0, 2, 1),
        (65, 16, 7, 2),
        (8, 2, 1, 70),
    ):
        bound = dict(zip("ABCD", sizes, strict=True))
        values = {
            name: uniform(*(bound[str(d)] for d in kind.shape), dtype=dtype)
            for name, kind in program.inputs.items()
        }
        hold(program, outputs, values, slack=5)


# --------------------------------------------------------------------------------------------- the same bytes


@pytest.mark.parametrize("rows", [5, 700])
def test_the_same_bytes_from_any_number_of_threads(rows: int) -> None:
    outputs, _ = dense()
    program, values = gc.compile(outputs), data(rows)
    due = {name: value.tobytes() for name, value in program(**values).items()}
    for count in (1, 2, 3):
        with threads.limit(count):
            for name, value in program(**values).items():
                assert value.tobytes() == due[name], (name, count)


SCRIPT = """
import hashlib, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from test_program_calls import dense
import graphc as gc
outputs, _ = dense()
program = gc.compile(outputs)
x = np.linspace(-1, 1, 50 * 33, dtype="float32").reshape(50, 33)
found = program(x=x, t=np.arange(50, dtype="int32") % 7)
print(hashlib.sha256(program.source.encode()).hexdigest())
print(hashlib.sha256(b"".join(v.tobytes() for v in found.values())).hexdigest())
"""


def test_the_same_text_and_bytes_from_every_process() -> None:
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)]
    running = [
        subprocess.Popen(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, stdout=subprocess.PIPE, text=True
        )
        for seed in ("0", "777")
    ]
    first, second = (process.communicate()[0] for process in running)
    assert [process.returncode for process in running] == [0, 0]
    assert first == second


# --------------------------------------------------------------------------------------------------- kernels


def layers(count: int) -> tuple[Handle, dict[Handle, Handle]]:
    g = Graph("deep")
    h: Any = g.input("x", ("N", 32))
    for k in range(count):
        h = gc.nn.Dense(32, activation="tanh", name=f"layer{k}")(h)
    loss = gc.mean(gc.square(h))
    return loss, gc.grad(loss)


def test_fifty_equal_layers_run_few_kernels() -> None:
    loss, grads = layers(50)
    program = gc.compile({"loss": loss}, updates=gc.optim.SGD(0.1)(grads))
    assert len(program.kernels) <= 14
    assert len(program.stages["module"].steps) <= 50 * 5 + 10
    more, more_grads = layers(60)
    larger = gc.compile({"loss": more}, updates=gc.optim.SGD(0.1)(more_grads))
    assert len(larger.kernels) == len(program.kernels)
    assert larger.compiled == 0


def test_a_second_equal_program_compiles_nothing() -> None:
    outputs, _ = dense()
    gc.compile(outputs)
    again, _ = dense()
    assert gc.compile(again).compiled == 0


def test_kernels_equal_up_to_buffers_stand_once() -> None:
    g = Graph("equal")
    x, y = g.input("x", ("N", 4)), g.input("y", ("N", 4))
    program = gc.compile({"a": gc.sum(gc.tanh(x), axis=1), "b": gc.sum(gc.tanh(y), axis=1)})
    assert len(program.stages["module"].steps) == 2
    assert len(program.kernels) == 1


def test_names_of_strangers_never_reach_the_source_unescaped() -> None:
    g = Graph('"""\nimport os  # ')
    bad = 'x"""\nraise SystemExit\n@kernel\ndef f(): \x00é'
    x = g.input(bad, ("N",))
    with g.scope('layer"""\n\\'):
        y = gc.exp(x)
    program = gc.compile({bad: y})
    assert "SystemExit\n" not in program.source
    assert all(line.startswith("#") for line in program.source.splitlines() if "raise" in line)
    array = uniform(3)
    agree(program(**{bad: array})[bad], np.exp(array))


# --------------------------------------------------------------------------------------------------- threads


def test_several_python_threads_call_one_program_and_two_that_share_parameters() -> None:
    g = Graph("threads")
    x = g.input("x", ("N", 16))
    w = g.param("w", (16, 16), init=np.eye(16, dtype="float32"))
    count = g.state("count", (), "int32", init=np.int32(0))
    train = gc.compile({"y": gc.tanh(x @ w)}, updates={count: count + 1})
    predict = gc.compile({"y": gc.tanh(x @ w), "s": gc.sum(x)}, params=train.params)

    def work(number: int) -> None:
        rng = np.random.default_rng(number)
        for _ in range(40):
            array = rng.uniform(-1, 1, (rng.integers(0, 60), 16)).astype("float32")
            for program in (train, predict):
                np.testing.assert_allclose(program(x=array)["y"], np.tanh(array), rtol=1e-5, atol=1e-6)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert train.states["count"] == 160  # no update was lost
