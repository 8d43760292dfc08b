"""Convolution and pooling: compiled against the interpreter over many shapes, and against PyTorch where it is there.

Each program holds many cases, since compiling a kernel takes longer than running it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from program_cases import hold

import graphc as gc
from graphc.graph import Graph, Handle
from graphc.size import dim_evaluate

RNG = np.random.default_rng(11)


@dataclass(frozen=True)
class Conv:
    """One convolution: sizes of input and weights, and options."""

    x: tuple[Any, ...]
    w: tuple[int, ...]
    options: Mapping[str, Any]


def conv(x: Sequence[Any], w: Sequence[int], **options: Any) -> Conv:
    return Conv(tuple(x), tuple(w), options)


PLAIN = [
    conv(("N", 3, 8, 9), (4, 3, 3, 3), padding=1),
    conv(("N", 1, 12, 12), (6, 1, 5, 5), padding=2),
    conv(("N", 6, 9, 11), (16, 6, 5, 5)),
    conv(("N", 17, 6, 5), (33, 17, 3, 3), padding="same"),
    conv(("N", 4, 7, 7), (1, 4, 3, 3)),
    conv(("N", 2, 5, 6), (3, 2, 5, 6)),
    conv(("N", 8, 4, 4), (8, 8, 1, 1)),
    conv(("N", 5, 16, 13), (50, 5, 3, 3), padding=1),
    conv(("N", 3, 16, 16), (64, 3, 3, 3), padding=1),
    conv((1, 3, 8, 8), (5, 3, 3, 3), padding=((0, 2), (1, 0))),
]
STRIDED = [
    conv(("N", 3, 9, 8), (4, 3, 3, 2), stride=2, padding=1),
    conv(("N", 2, 11, 13), (5, 2, 3, 3), stride=(3, 2), dilation=(1, 2), padding=(2, 1)),
    conv(("N", 2, 8, 8), (3, 2, 2, 2), stride=3),
    conv(("N", 4, 8, 8), (6, 4, 1, 1), stride=2),
    conv(("N", 3, 10, 10), (2, 3, 3, 3), dilation=3, padding="same"),
    conv(("N", 2, 9, 9), (4, 2, 3, 3), stride=2, padding="same"),
]
GROUPED = [
    conv(("N", 4, 7, 6), (6, 2, 3, 3), groups=2, padding=1),
    conv(("N", 5, 8, 7), (5, 1, 3, 3), groups=5, padding=1),
    conv(("N", 3, 8, 7), (6, 1, 3, 2), groups=3, stride=2),
    conv((1, 16, 6, 6), (16, 1, 3, 3), groups=16),
]
OTHER_RANKS = [
    conv(("N", 3, 12), (4, 3, 3), padding=1),
    conv(("N", 2, "L"), (5, 2, 4), stride=2),
    conv(("N", 20, 9), (18, 20, 3), dilation=2),
    conv(("N", 2, 4, 5, 6), (3, 2, 2, 3, 2), padding=(1, 0, 1)),
]
SYMBOLIC = [
    conv(("N", 3, "H", "W"), (4, 3, 3, 3), padding=1),
    conv(("N", 2, "H", "W"), (3, 2, 3, 3), stride=2, padding=1),
    conv(("N", 4, "H", "W"), (8, 1, 3, 3), groups=4),
]
FAMILIES = {
    "plain": PLAIN,
    "strided": STRIDED,
    "grouped": GROUPED,
    "ranks": OTHER_RANKS,
    "symbolic": SYMBOLIC,
}
FUNCTIONS = {3: gc.conv1d, 4: gc.conv2d, 5: gc.conv3d}


@dataclass
class Bundle:
    """Many cases in one graph, and so in one program."""

    dtype: str
    graph: Graph = field(default_factory=lambda: Graph("windows"))
    inputs: list[Handle] = field(default_factory=list)
    outputs: dict[str, Handle] = field(default_factory=dict)

    def leaf(self, shape: Sequence[Any]) -> Handle:
        self.inputs.append(self.graph.input(f"x{len(self.inputs)}", tuple(shape), self.dtype))
        return self.inputs[-1]

    def give(self, y: Handle, *leaves: Handle) -> None:
        """``y`` and the gradients of a function of it."""
        name = f"y{len(self.outputs)}"
        self.outputs[name] = y
        for leaf, gradient in gc.grad(gc.sum(y * gc.sin(y)), list(leaves)).items():
            self.outputs[f"{name} by {leaf.name}"] = gradient

    def values(self, **sizes: int) -> dict[str, np.ndarray]:
        shapes = {x: tuple(dim_evaluate(d, sizes) for d in x.shape) for x in self.inputs}
        return {x.name: RNG.uniform(-1, 1, s).astype(x.dtype.numpy) for x, s in shapes.items()}


def cases(family: str, dtype: str) -> list[Conv]:
    """All in float32. What differs in float64 are vectors and tolerances, for which three of a family do."""
    return FAMILIES[family] if dtype == "float32" else FAMILIES[family][:3]


def convolved(cases: Sequence[Conv], dtype: str) -> Bundle:
    found = Bundle(dtype)
    for case in cases:
        x, w, b = (found.leaf(shape) for shape in (case.x, case.w, case.w[:1]))
        found.give(gc.relu(FUNCTIONS[len(case.w)](x, w, b, **case.options)), x, w, b)
    return found


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("family", FAMILIES)
def test_convolutions_and_gradients_agree_with_the_interpreter(family: str, dtype: str) -> None:
    made = convolved(cases(family, dtype), dtype)
    program = gc.compile(made.outputs)
    for sizes in (
        {"N": 5, "H": 7, "W": 9, "L": 11},
        {"N": 1, "H": 4, "W": 3, "L": 5},
        {"N": 9, "H": 3, "W": 8, "L": 4},
    ):
        hold(program, made.outputs, made.values(**sizes), slack=20)


TRANSPOSED = [(1, 0, 0, 1), (2, 1, 1, 1), (3, 1, 0, 2), ((2, 1), (0, 1), 0, 1)]


@pytest.mark.parametrize(("dtype", "chosen"), [("float64", TRANSPOSED[1:2]), ("float32", TRANSPOSED)])
def test_transposed_convolutions_agree_with_the_interpreter(dtype: str, chosen: list[Any]) -> None:
    made = Bundle(dtype)
    for stride, padding, more, groups in chosen:
        x, w = made.leaf(("N", 4, 5, 6)), made.leaf((4, 3, 3, 2))
        options = {"stride": stride, "padding": padding, "output_padding": more, "groups": groups}
        made.give(gc.conv_transpose2d(x, w, **options), x, w)
    x, w = made.leaf(("N", 3, "L")), made.leaf((3, 2, 4))
    made.give(gc.conv_transpose1d(x, w, stride=2), x, w)
    hold(gc.compile(made.outputs), made.outputs, made.values(N=3, L=4), slack=20)


POOLS = [
    {"window": 2},
    {"window": 3, "stride": 2, "padding": 1},
    {"window": 3, "stride": 1},
    {"window": (2, 3), "stride": (1, 2), "padding": ((0, 1), (1, 1))},
    {"window": 2, "stride": 3, "padding": "same"},
    {"window": (6, 7), "stride": 1},
]


@pytest.mark.parametrize(("dtype", "chosen"), [("float64", POOLS[1:2]), ("float32", POOLS)])
def test_pools_and_gradients_agree_with_the_interpreter(dtype: str, chosen: list[dict[str, Any]]) -> None:
    made = Bundle(dtype)
    for options in chosen:
        x = made.leaf(("N", 3, 8, 9))
        made.give(gc.max_pool2d(x, **options), x)
        made.give(gc.avg_pool2d(x, **options), x)
        if "padding" in options:
            made.give(gc.avg_pool2d(x, count_include_pad=False, **options), x)
    line = made.leaf(("N", 2, "L"))
    made.give(gc.max_pool1d(line, 3, stride=2, padding=1), line)
    made.give(gc.avg_pool1d(line, 2), line)
    program = gc.compile(made.outputs)
    for sizes in ({"N": 3, "L": 8}, {"N": 1, "L": 5}):
        hold(program, made.outputs, made.values(**sizes), slack=20)


def test_networks_of_windows_agree_with_the_interpreter() -> None:
    """Chains in which a layout goes on: pads, pools, normalisation, a residual connection, flattening."""
    g = Graph("net")
    x = g.input("x", ("N", 3, 8, 8), "float64")
    w1, w2, w3 = (
        g.param(f"w{k}", s, "float64") for k, s in enumerate([(5, 3, 3, 3), (5, 5, 3, 3), (4, 5, 2, 2)])
    )
    dense = g.param("dense", (36, 2), "float64")
    h = gc.conv2d(x, w1, padding=1)
    mean = gc.mean(h, axis=(0, 2, 3), keepdims=True)
    h = gc.tanh((h - mean) * gc.rsqrt(gc.mean(gc.square(h - mean), axis=(0, 2, 3), keepdims=True) + 1e-3))
    h = gc.relu(gc.conv2d(h, w2, padding=1) + h)
    y = gc.max_pool2d(gc.conv2d(h, w3, stride=1, padding=((0, 0), (1, 1))), 2)
    loss = gc.sum(gc.square(gc.reshape(y, ("N", 48)) @ gc.concatenate([dense, dense[:12]], axis=0)))
    outputs = {"loss": loss, "pooled": y, "hidden": h}
    outputs |= {f"by {p.name}": d for p, d in gc.grad(loss, [x, w1, w2, w3, dense]).items()}
    program = gc.compile(outputs)
    for n in (1, 4, 11):
        hold(program, outputs, {"x": RNG.uniform(-1, 1, (n, 3, 8, 8))}, slack=20)


# ----------------------------------------------------------------------------------------------- PyTorch


def test_convolutions_mean_what_they_mean_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    for case in (*PLAIN, *STRIDED, *GROUPED):
        if case.options.get("padding", 0) == "same" or isinstance(case.options.get("padding"), tuple):
            continue
        made = convolved([case], "float64")
        values = made.values(N=3)
        x, w, b = (torch.tensor(v, requires_grad=True) for v in values.values())
        y = torch.relu(functional.conv2d(x, w, b, **case.options))
        (y * torch.sin(y)).sum().backward()
        found = gc.interpret(made.outputs, **values)
        for mine, theirs in zip(found.values(), (y, x.grad, w.grad, b.grad), strict=True):
            np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-9, atol=1e-9)


def test_pools_and_transposed_convolutions_mean_what_they_mean_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    g, value = Graph(), RNG.uniform(-1, 1, (2, 4, 9, 8))
    x, there = g.input("x", value.shape, "float64"), torch.tensor(value)
    for options in ({}, {"stride": 1}, {"stride": 2, "padding": 1}):
        pairs = [
            (gc.max_pool2d(x, 3, **options), functional.max_pool2d(there, 3, **options)),
            (gc.avg_pool2d(x, 3, **options), functional.avg_pool2d(there, 3, **options)),
            (
                gc.avg_pool2d(x, 3, count_include_pad=False, **options),
                functional.avg_pool2d(there, 3, count_include_pad=False, **options),
            ),
        ]
        w = RNG.uniform(-1, 1, (4, 3, 3, 2))
        spread = {**options, "dilation": 2}
        pairs.append(
            (
                gc.conv_transpose2d(x, w, **spread),
                functional.conv_transpose2d(there, torch.tensor(w), **spread),
            )
        )
        for mine, theirs in pairs:
            np.testing.assert_allclose(gc.interpret(mine, x=value), theirs.numpy(), rtol=1e-9, atol=1e-9)


# ------------------------------------------------------------------------------------------------ meaning


def test_the_gradient_of_a_maximum_goes_to_the_first_of_equals() -> None:
    g = Graph()
    x = g.input("x", (1, 4))
    by = gc.interpret(gc.grad(gc.sum(gc.max_pool1d(x, 2)), x), x=np.array([[1, 1, 0, 2]], "float32"))
    np.testing.assert_array_equal(by, [[1, 0, 0, 1]])


def test_nan_wins_and_padding_does_not() -> None:
    g = Graph()
    x = g.input("x", (1, 4))
    y = gc.max_pool1d(x, 3, stride=1, padding=1)
    found = gc.interpret(y, x=np.array([[-3, -2, np.nan, -1]], "float32"))
    np.testing.assert_array_equal(found, [[-2, np.nan, np.nan, np.nan]])
    compiled = gc.compile(y)(x=np.array([[-3, -2, np.nan, -1]], "float32"))["out"]
    np.testing.assert_array_equal(compiled, found)


def test_integers_are_pooled_and_convolved() -> None:
    g = Graph()
    x, w = g.input("x", (1, 1, 5), "int64"), g.input("w", (1, 1, 2), "int64")
    outputs = {"y": gc.conv1d(x, w, padding=1), "top": gc.max_pool1d(x, 2, padding=1)}
    values = {"x": np.array([[[3, -1, 4, -1, -5]]]), "w": np.array([[[2, -1]]])}
    hold(gc.compile(outputs), outputs, values)


def test_batches_of_convolutions_are_convolutions() -> None:
    """A Jacobian is one batched sweep."""
    g = Graph()
    x, w = g.input("x", (1, 2, 5), "float64"), g.input("w", (2, 2, 3), "float64")
    y = gc.tanh(gc.conv1d(x, w, padding=1, stride=2))
    found = gc.jacobian(y, w)
    values = {"x": RNG.uniform(-1, 1, (1, 2, 5)), "w": RNG.uniform(-1, 1, (2, 2, 3))}
    hold(gc.compile(found), {"out": found}, values, slack=20)


# ------------------------------------------------------------------------------------------------- layout


def stage(output: Handle, name: str) -> list[str]:
    return str(gc.compile(output).stages[name]).splitlines()


def test_windows_have_their_channels_last_and_borders_as_declared() -> None:
    g = Graph()
    x, w, b = g.input("x", ("N", 4, 6, 6)), g.param("w", (8, 4, 3, 3)), g.param("b", (8,))
    assert stage(gc.relu(gc.conv2d(x, w, b, padding=1)), "layout") == [
        "v0: f32[N,4,6,6] input %0",
        "v1: f32[8,4,3,3] param %1",
        "v2: f32[8] param %2",
        "v3: f32[N,8,8,4] axes (0,2,3,1) = guard(and(and(and(ge(i1, 1), lt(i1, 7)), ge(i2, 1)), lt(i2, 7)), "
        "v0[i0,i3,add(i1, -1),add(i2, -1)], 0.0)",
        "v4: f32[3,3,4,8] axes (2,3,1,0) = v1[i3,i2,i0,i1]",
        "v5: f32[N,6,6,8] axes (0,2,3,1) = add over (4,3,3) of "
        "mul(v3[i0,add(i1, i5),add(i2, i6),i4], v4[i5,i6,i4,i3])",
        "v6: f32[N,6,6,8] axes (0,2,3,1) = add(v5[i0,i1,i2,i3], v2[i3])",
        "v7: f32[N,8,6,6] = select(gt(v6[i0,i2,i3,i1], 0.0), v6[i0,i2,i3,i1], 0.0)",
        "output 'out' = v7",
    ]


def test_programs_without_windows_are_laid_out_as_declared() -> None:
    g = Graph()
    x = g.input("x", ("N", 4, 6))
    y = gc.softmax(gc.sum(gc.transpose(x, (0, 2, 1)) * 2, axis=1))
    assert stage(y, "layout") == stage(y, "nests")


def test_a_convolution_and_what_follows_is_one_kernel() -> None:
    g = Graph()
    x, w, b = g.input("x", ("N", 4, 8, 8)), g.param("w", (16, 4, 3, 3)), g.param("b", (16,))
    y = gc.max_pool2d(gc.relu(gc.conv2d(x, w, b, padding=1)), 2)
    program = gc.compile(gc.mean(y, axis=(2, 3)))
    assert len(program.kernels) == 2  # one brings the weights in order
    assert "gemm_windows_f32(64, 16, 12, " in program.source


def test_weights_are_summed_by_tiles_of_images() -> None:
    g = Graph()
    x, w = g.input("x", ("N", 4, 8, 8)), g.param("w", (16, 4, 3, 3))
    program = gc.compile(gc.grad(gc.sum(gc.square(gc.conv2d(x, w))), w))
    assert "gemm_accumulate_windows_f32(36, 16, 6, " in program.source
