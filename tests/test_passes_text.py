"""Passes as text: the graph that goes in, the graph that must come out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError
from graphc.graph import Cone, parse
from graphc.passes import DEFAULT, fold, pipeline, prune, resolve_phase, run, share, simplify
from graphc.rewrite import Rewritten, stabilise

X = "%0: f32[N,3] = input(name='x')\n"
XY = X + "%1: f32[N,3] = input(name='y')\n"
I = "%0: i32[N] = input(name='x')\n"  # noqa: E741


def plain(text: str) -> str:
    return text.strip().replace('"', "'")


def after(text: str, *passes: Any) -> str:
    """The text of the cone of the last node of ``text`` after ``passes``."""
    graph = parse(text)
    cone = Cone(graph, {"out": len(graph) - 1})
    return "\n".join(str(run(cone, (*passes, prune), verify=True).cone).splitlines()[:-1])


SIMPLER = {
    "x * 1": (X + "%1: f32[] = const(value=constant((1.0,), 'float32', ()))\n%2: f32[N,3] = mul(%0, %1)", X),
    "1 * x": (X + "%1: f32[] = const(value=constant((1.0,), 'float32', ()))\n%2: f32[N,3] = mul(%1, %0)", X),
    "x * -1": (
        X + "%1: f32[] = const(value=constant((-1.0,), 'float32', ()))\n%2: f32[N,3] = mul(%0, %1)",
        X + "%1: f32[N,3] = neg(%0)",
    ),
    "x / 1": (X + "%1: f32[] = const(value=constant((1.0,), 'float32', ()))\n%2: f32[N,3] = div(%0, %1)", X),
    "x / 4": (
        X + "%1: f32[] = const(value=constant((4.0,), 'float32', ()))\n%2: f32[N,3] = div(%0, %1)",
        X + "%1: f32[] = const(value=constant((0.25,), 'float32', ()))\n%2: f32[N,3] = mul(%0, %1)",
    ),
    "x - 0": (X + "%1: f32[] = const(value=constant((0.0,), 'float32', ()))\n%2: f32[N,3] = sub(%0, %1)", X),
    "x + -0.0": (
        X + "%1: f32[] = const(value=constant((-0.0,), 'float32', ()))\n%2: f32[N,3] = add(%0, %1)",
        X,
    ),
    "exp(x) + 0": (
        X + "%1: f32[N,3] = exp(%0)\n%2: f32[] = const(value=constant((0.0,), 'float32', ()))\n"
        "%3: f32[N,3] = add(%1, %2)",
        X + "%1: f32[N,3] = exp(%0)",
    ),
    "integer x + 0": (
        I + "%1: i32[] = const(value=constant((0,), 'int32', ()))\n%2: i32[N] = add(%0, %1)",
        I,
    ),
    "--x": (X + "%1: f32[N,3] = neg(%0)\n%2: f32[N,3] = neg(%1)", X),
    "-(x * 2)": (
        X + "%1: f32[] = const(value=constant((2.0,), 'float32', ()))\n%2: f32[N,3] = mul(%0, %1)\n"
        "%3: f32[N,3] = neg(%2)",
        X + "%1: f32[] = const(value=constant((-2.0,), 'float32', ()))\n%2: f32[N,3] = mul(%0, %1)",
    ),
    "x + -y": (XY + "%2: f32[N,3] = neg(%1)\n%3: f32[N,3] = add(%0, %2)", XY + "%2: f32[N,3] = sub(%0, %1)"),
    "-x + y": (XY + "%2: f32[N,3] = neg(%0)\n%3: f32[N,3] = add(%2, %1)", XY + "%2: f32[N,3] = sub(%1, %0)"),
    "x - -y": (XY + "%2: f32[N,3] = neg(%1)\n%3: f32[N,3] = sub(%0, %2)", XY + "%2: f32[N,3] = add(%0, %1)"),
    "-x * -y": (
        XY + "%2: f32[N,3] = neg(%0)\n%3: f32[N,3] = neg(%1)\n%4: f32[N,3] = mul(%2, %3)",
        XY + "%2: f32[N,3] = mul(%0, %1)",
    ),
    "abs(-x)": (X + "%1: f32[N,3] = neg(%0)\n%2: f32[N,3] = abs(%1)", X + "%1: f32[N,3] = abs(%0)"),
    "relu(relu(x))": (X + "%1: f32[N,3] = relu(%0)\n%2: f32[N,3] = relu(%1)", X + "%1: f32[N,3] = relu(%0)"),
    "x * x": (X + "%1: f32[N,3] = mul(%0, %0)", X + "%1: f32[N,3] = square(%0)"),
    "x ** 2": (
        X + "%1: f32[] = const(value=constant((2.0,), 'float32', ()))\n%2: f32[N,3] = pow(%0, %1)",
        X + "%1: f32[N,3] = square(%0)",
    ),
    "max(x, x)": (X + "%1: f32[N,3] = maximum(%0, %0)", X),
    "where(c, x, x)": (
        XY + "%2: b1[N,3] = lt(%0, %1)\n%3: f32[N,3] = where(%2, %0, %0)",
        X,
    ),
    "where(not c, x, y)": (
        XY + "%2: b1[N,3] = lt(%0, %1)\n%3: b1[N,3] = logical_not(%2)\n%4: f32[N,3] = where(%3, %0, %1)",
        XY + "%2: b1[N,3] = lt(%0, %1)\n%3: f32[N,3] = where(%2, %1, %0)",
    ),
    "cast and back": (
        X + "%1: f64[N,3] = cast(%0, dtype='float64')\n%2: f32[N,3] = cast(%1, dtype='float32')",
        X,
    ),
    "stop_gradient": (X + "%1: f32[N,3] = stop_gradient(%0)", X),
    "transposed twice": (
        X + "%1: f32[3,N] = transpose(%0, perm=(1, 0))\n%2: f32[N,3] = transpose(%1, perm=(1, 0))",
        X,
    ),
    "transpose of a column": (
        X + "%1: f32[N,3,1] = reshape(%0, shape=(dim('N'), 3, 1))\n"
        "%2: f32[1,N,3] = transpose(%1, perm=(2, 0, 1))",
        X + '%1: f32[1,N,3] = reshape(%0, shape=(1, dim("N"), 3))',
    ),
    "reshaped there and back": (
        X
        + "%1: f32[3*N] = reshape(%0, shape=(dim('3*N'),))\n%2: f32[N,3] = reshape(%1, shape=(dim('N'), 3))",
        X,
    ),
    "broadcast before an elementwise op": (
        X + "%1: f32[] = const(value=constant((2.0,), 'float32', ()))\n"
        "%2: f32[N,3] = broadcast_to(%1, shape=(dim('N'), 3))\n%3: f32[N,3] = maximum(%0, %2)",
        X + "%1: f32[] = const(value=constant((2.0,), 'float32', ()))\n%2: f32[N,3] = maximum(%0, %1)",
    ),
    "elementwise of a broadcast": (
        X + "%1: f32[2,N,3] = broadcast_to(%0, shape=(2, dim('N'), 3))\n%2: f32[2,N,3] = exp(%1)",
        X + '%1: f32[N,3] = exp(%0)\n%2: f32[2,N,3] = broadcast_to(%1, shape=(2, dim("N"), 3))',
    ),
    "the whole slice": (X + "%1: f32[N,3] = slice(%0, start=(0, 0), step=(1, 1), stop=(dim('N'), 3))", X),
    "a pad by nothing": (X + "%1: f32[N,3] = pad(%0, high=(0, 0), low=(0, 0), value=0.0)", X),
    "flipped twice": (
        X + "%1: f32[N,3] = flip(%0, axes=(0, 1))\n%2: f32[N,3] = flip(%1, axes=(1,))",
        X + "%1: f32[N,3] = flip(%0, axes=(0,))",
    ),
    "concatenation of one": (X + "%1: f32[N,3] = concatenate(%0, axis=0)", X),
    "sum of sums": (
        X + "%1: f32[3] = sum(%0, axes=(0,), keepdims=False)\n%2: f32[] = sum(%1, axes=(0,), keepdims=False)",
        X + "%1: f32[] = sum(%0, axes=(0, 1), keepdims=False)",
    ),
    "sum of kept sums": (
        X
        + "%1: f32[1,3] = sum(%0, axes=(0,), keepdims=True)\n%2: f32[1] = sum(%1, axes=(1,), keepdims=False)",
        X + "%1: f32[] = sum(%0, axes=(0, 1), keepdims=False)\n%2: f32[1] = reshape(%1, shape=(1,))",
    ),
    "sum over size 1": (
        X
        + "%1: f32[N,3,1] = reshape(%0, shape=(dim('N'), 3, 1))\n"
        + "%2: f32[N,3] = sum(%1, axes=(2,), keepdims=False)",
        X,
    ),
    "contraction of a transpose": (
        XY + "%2: f32[3,N] = transpose(%1, perm=(1, 0))\n%3: f32[N,N] = einsum(%0, %2, spec='ab,bc->ac')",
        XY + "%2: f32[N,N] = einsum(%0, %1, spec='ab,cb->ac')",
    ),
    "transpose of a contraction": (
        XY + "%2: f32[3,3] = einsum(%0, %1, spec='ab,ac->bc')\n%3: f32[3,3] = transpose(%2, perm=(1, 0))",
        XY + "%2: f32[3,3] = einsum(%0, %1, spec='ab,ac->cb')",
    ),
    "contraction of one operand": (
        X + "%1: f32[3] = einsum(%0, spec='ab->b')",
        X + "%1: f32[3] = sum(%0, axes=(0,), keepdims=False)",
    ),
    "contraction that is a transpose": (
        X + "%1: f32[3,N] = einsum(%0, spec='ab->ba')",
        X + "%1: f32[3,N] = transpose(%0, perm=(1, 0))",
    ),
    "contraction that sums nothing": (
        XY + "%2: f32[N,3] = einsum(%0, %1, spec='ab,ab->ab')",
        XY + "%2: f32[N,3] = mul(%0, %1)",
    ),
}

# What must stay as it is: the short form would give another value for some input.
KEPT = {
    "x + 0.0, for x = -0.0": X
    + "%1: f32[] = const(value=constant((0.0,), 'float32', ()))\n%2: f32[N,3] = add(%0, %1)",
    "0.0 - x, for x = 0.0": X
    + "%1: f32[] = const(value=constant((0.0,), 'float32', ()))\n%2: f32[N,3] = sub(%1, %0)",
    "x * 0, for NaN": X
    + "%1: f32[] = const(value=constant((0.0,), 'float32', ()))\n%2: f32[N,3] = mul(%0, %1)",
    "x - x, for infinity": X + "%1: f32[N,3] = sub(%0, %0)",
    "x / x, for 0": X + "%1: f32[N,3] = div(%0, %0)",
    "x / 3, which rounds": X
    + "%1: f32[] = const(value=constant((3.0,), 'float32', ()))\n%2: f32[N,3] = div(%0, %1)",
    "x / 2**127, whose reciprocal is subnormal": X
    + "%1: f32[] = const(value=constant((1.7014118346046923e+38,), 'float32', ()))\n"
    "%2: f32[N,3] = div(%0, %1)",
    "-(x - y), for x = y": XY + "%2: f32[N,3] = sub(%0, %1)\n%3: f32[N,3] = neg(%2)",
    "(x + c) - c, which rounds": X
    + "%1: f32[] = const(value=constant((1.0000000272564224e+16,), 'float32', ()))\n"
    + "%2: f32[N,3] = add(%0, %1)\n%3: f32[N,3] = sub(%2, %1)",
    "exp(log(x)), for x < 0": X + "%1: f32[N,3] = log(%0)\n%2: f32[N,3] = exp(%1)",
    "sqrt(x) ** 2, for x < 0": X + "%1: f32[N,3] = sqrt(%0)\n%2: f32[N,3] = square(%1)",
    "x ** 0.5, for -0.0": X
    + "%1: f32[] = const(value=constant((0.5,), 'float32', ()))\n%2: f32[N,3] = pow(%0, %1)",
    "a cast that loses": X
    + "%1: i32[N,3] = cast(%0, dtype='int32')\n%2: f32[N,3] = cast(%1, dtype='float32')",
    "not (x < y), for NaN": XY + "%2: b1[N,3] = lt(%0, %1)\n%3: b1[N,3] = logical_not(%2)",
    "a mean of means, which rounds": X
    + "%1: f32[3] = mean(%0, axes=(0,), keepdims=False)\n%2: f32[] = mean(%1, axes=(0,), keepdims=False)",
    "a reshape that mixes axes": X + '%1: f32[3,N] = reshape(%0, shape=(3, dim("N")))',
}


@pytest.mark.parametrize("case", SIMPLER)
def test_simplify(case: str) -> None:
    text, expected = SIMPLER[case]
    assert plain(after(text, simplify, simplify)) == plain(expected)
    assert plain(after(text, simplify)) == plain(expected)


@pytest.mark.parametrize("case", KEPT)
def test_simplify_keeps(case: str) -> None:
    assert plain(after(KEPT[case], simplify)) == plain(str(parse(KEPT[case])))


def test_a_contraction_that_others_read_is_not_repeated() -> None:
    text = XY + "%2: f32[3,3] = einsum(%0, %1, spec='ab,ac->bc')\n%3: f32[3,3] = transpose(%2, perm=(1, 0))\n"
    text += "%4: f32[3,3] = add(%2, %3)"
    assert after(text, simplify).count("einsum") == 1


def test_a_sum_that_others_read_is_not_repeated() -> None:
    graph = gc.Graph()
    rows = gc.sum(graph.input("x", (4, 3)), axis=0)
    cone = Cone(graph, {"rows": rows.id, "all": gc.sum(rows).id})
    done = run(cone, (simplify,)).cone
    assert [done.graph.nodes[at].type.shape for at in done.nodes] == [(4, 3), (3,), ()]


def test_kept_nodes_are_neither_crossed_nor_replaced() -> None:
    graph = gc.Graph()
    x = graph.input("x", (3,))
    inner = -x
    outer = -inner
    cone = Cone(graph, {"y": (outer * 1).id}, kept=frozenset({inner.id, outer.id}))
    done = simplify(cone).cone
    assert [done.graph.nodes[at].op for at in done.nodes] == ["input", "neg", "neg"]


# -------------------------------------------------------------------------------------------- other passes

C = "%{}: f32[{}] = const(value=constant({}, 'float32', {}))\n"


def test_fold_computes_what_is_known() -> None:
    text = X + C.format(1, "", "(2.0,)", "()") + C.format(2, "3", "(1.0, 2.0, 3.0)", "(3,)")
    text += "%3: f32[3] = mul(%1, %2)\n%4: f32[3] = exp(%3)\n%5: f32[] = sum(%3, axes=(0,), keepdims=False)\n"
    text += "%6: f32[N,3] = add(%0, %5)"
    expected = X + C.format(1, "", "(12.0,)", "()") + "%2: f32[N,3] = add(%0, %1)"
    assert plain(after(text, fold)) == plain(expected)


def test_fold_never_grows_a_program() -> None:
    text = C.format(0, "", "(2.0,)", "()") + "%1: f32[1000] = broadcast_to(%0, shape=(1000,))"
    assert "broadcast_to" in after(text, fold)


@pytest.mark.parametrize("op", ["log", "reciprocal", "exp"])
def test_fold_leaves_what_is_not_finite(op: str) -> None:
    text = C.format(0, "", "(0.0,)" if op != "exp" else "(1000.0,)", "()") + f"%1: f32[] = {op}(%0)"
    assert op in after(text, fold)


def test_fold_leaves_symbolic_shapes() -> None:
    text = C.format(0, "", "(2.0,)", "()") + "%1: f32[N] = broadcast_to(%0, shape=(dim('N'),))"
    assert "broadcast_to" in after(text, fold)


def test_share_orders_commutative_operands_only() -> None:
    text = XY + "%2: f32[N,3] = mul(%0, %1)\n%3: f32[N,3] = mul(%1, %0)\n%4: f32[N,3] = div(%2, %3)\n"
    text += "%5: f32[N,3] = div(%3, %2)\n%6: f32[N,3] = maximum(%5, %4)"
    expected = XY + "%2: f32[N,3] = mul(%0, %1)\n%3: f32[N,3] = div(%2, %2)\n%4: f32[N,3] = maximum(%3, %3)"
    assert plain(after(text, share)) == plain(expected)


def test_prune_drops_what_no_root_needs() -> None:
    graph = gc.Graph()
    x, unused = graph.input("x", (3,)), graph.input("unused", (3,))
    w = graph.param("w", (3,), init=np.ones(3))
    y = x * w
    cone = Cone(graph, {"y": y.id}, {w.id: (w - unused * 0.1).id})
    done = prune(Cone(graph, {"y": y.id}))
    assert [done.cone.graph.nodes[at].op for at in range(len(done.cone.graph))] == ["input", "param", "mul"]
    assert unused.id not in done.mapping
    assert len(prune(cone).cone.updates) == 1
    (parameter,) = done.cone.graph.params
    np.testing.assert_array_equal(done.cone.graph.initial[parameter.id], np.ones(3))


@pytest.mark.parametrize(("mode", "op"), [("train", "exp"), ("eval", "tanh")])
def test_phase_is_resolved_before_anything_is_pruned(mode: str, op: str) -> None:
    graph = gc.Graph()
    x = graph.input("x", (3,))
    cone = Cone(graph, {"y": (gc.phase(train=gc.exp(x), eval=gc.tanh(x)) * 2).id})
    ops = [n.op for n in run(cone, pipeline(mode)).cone.graph.nodes]
    assert sorted(ops) == sorted(["input", op, "const", "mul"])


def test_a_phase_that_does_not_exist() -> None:
    with pytest.raises(GraphError, match="neither 'train' nor 'eval'"):
        resolve_phase("test")


# --------------------------------------------------------------------------------------------- the runner


def network() -> Cone:
    graph = gc.Graph()
    x, w = graph.input("x", ("N", 4)), graph.param("w", (4, 3))
    e = gc.exp(x @ gc.transpose(gc.transpose(w)))
    loss = -gc.mean(gc.log(e / gc.sum(e, axis=1, keepdims=True)) * 1)
    return Cone(graph, {"loss": loss.id}, {w.id: (w - 0.5 * gc.grad(loss, w)).id})


def test_the_history_tells_each_pass() -> None:
    cone = network()
    result = run(cone, pipeline("train"), verify=True)
    assert [step.name for step in result.history] == ["resolve_phase", *(p.__name__ for p in DEFAULT)]
    for step, following in zip(result.history, result.history[1:], strict=False):
        assert step.after is following.before
        assert step.nodes_after == following.nodes_before
    assert result.history[0].nodes_before == len(cone.nodes) > len(result.cone.nodes)
    assert str(result.history[2]).startswith("# stabilise: ")
    assert all(step.seconds >= 0 for step in result.history)


def test_the_rewrites_are_told_with_their_pass() -> None:
    told = {(name, applied.rule) for name, applied in run(network()).applied}
    assert {("stabilise", "log_softmax"), ("simplify", "transposed")} <= told


def test_loss_and_update_share_one_stable_forward() -> None:
    cone = run(network()).cone
    ops = [cone.graph.nodes[at].op for at in cone.nodes]
    assert ops.count("log_softmax") == 1
    assert ops.count("softmax") == 0
    assert ops.count("einsum") == 2


def test_the_mapping_of_a_run_says_none_for_what_is_gone() -> None:
    cone = network()
    result = run(cone)
    gone = [cone.graph.nodes[old].op for old, now in result.mapping.items() if now is None]
    assert "sum" in gone
    assert result.mapping[cone.outputs["loss"]] == result.cone.outputs["loss"]


def test_verify_names_the_pass_that_broke_a_type() -> None:
    def widen(cone: Cone) -> Rewritten:
        out = cone.graph.handle(cone.outputs["loss"])
        return Rewritten(Cone(cone.graph, {"loss": gc.cast(out, "float64").id}), {})

    with pytest.raises(GraphError, match=r"pass widen: output 'loss' was f32\[\] and became f64\[\]"):
        run(network(), (stabilise, widen), verify=True)
    run(network(), (stabilise, widen))


def test_passes_leave_the_given_cone_alone() -> None:
    cone = network()
    before = str(cone.graph)
    run(cone, pipeline("eval"))
    assert str(cone.graph) == before
