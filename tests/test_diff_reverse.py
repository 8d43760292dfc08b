"""Reverse and forward mode over graphs: arguments, sharing, roles, and graphs too deep for recursion."""

from __future__ import annotations

from typing import Any

import numpy as np

import graphc.ops  # noqa: F401 - registers the ops
from graphc.check import check
from graphc.diff import grad, jvp, vjp
from graphc.graph import FUNCTIONS, Cone, Graph
from graphc.interpret import interpret

F: Any = FUNCTIONS


def quadratic() -> Graph:
    g = Graph("quadratic")
    x, w, b = g.input("x", ("N", 3)), g.param("w", (3, 2)), g.param("b", (2,))
    g.param("unused", (4,))
    _ = F["mean"]((x @ w + b) ** 2)
    return g


def loss_of(g: Graph) -> Any:
    return g.handle(len(g) - 1)


def test_default_is_every_parameter_that_the_loss_depends_on() -> None:
    g = quadratic()
    found = grad(loss_of(g))
    assert [h.name for h in found] == ["w", "b"]
    assert all(gradient.type == param.type for param, gradient in found.items())
    check(g)


def test_gradient_of_a_linear_model_is_the_known_formula() -> None:
    g = quadratic()
    rng = np.random.default_rng(0)
    x, w, b = (rng.normal(size=s).astype("float32") for s in ((5, 3), (3, 2), (2,)))
    found = grad(loss_of(g))
    gw, gb = interpret([found[g["w"]], found[g["b"]]], x=x, params={"w": w, g["b"]: b})
    residual = 2 * (x @ w + b) / 10
    np.testing.assert_allclose(gw, x.T @ residual, rtol=1e-5)
    np.testing.assert_allclose(gb, residual.sum(0), rtol=1e-5)


def test_one_node_gives_one_gradient_and_unreached_nodes_give_zeros() -> None:
    g = quadratic()
    loss = loss_of(g)
    assert grad(loss, g["b"]).shape == (2,)
    zeros = grad(loss, [g["unused"]])[g["unused"]]
    assert interpret(zeros).tolist() == [0, 0, 0, 0]
    assert interpret(grad(loss, F["exp"](loss))) == 0


def test_gradient_by_an_inner_node_is_its_total_derivative() -> None:
    g = Graph()
    x = g.input("x")
    u = x * x
    y = F["exp"](u) * u
    found = grad(y, [x, u])
    dx, du = interpret([found[x], found[u]], x=0.5)
    np.testing.assert_allclose(du, np.exp(0.25) * 1.25, rtol=1e-6)
    np.testing.assert_allclose(dx, du * 1.0, rtol=1e-6)


def test_only_what_lies_between_is_visited() -> None:
    g = Graph()
    x, w = g.input("x", (3,)), g.param("w", (3,))
    loss = F["sum"](F["tanh"](x) * w)
    before = len(g)
    grad(loss, w)
    assert not [n.op for n in g.nodes[before:] if n.op.startswith("tanh.d")]


def test_one_operand_used_twice_gets_both_contributions() -> None:
    g = Graph()
    w = g.input("w")
    assert interpret(grad(w * w + 3 * w, w), w=2) == 7


def test_adjoints_stand_in_the_backward_role_on_behalf_of_their_layer() -> None:
    g = Graph()
    x = g.input("x", (2,))
    with g.scope("hidden"):
        y = F["tanh"](x)
    d = grad(F["sum"](y), x)
    origins = [o for at in Cone(g, {"d": d.id}).nodes for o in g.origins(at) if o.role == "backward"]
    assert {o.layer for o in origins} >= {"hidden"}
    assert all(o.role == "forward" for o in g.origins(y.id))


def test_same_gradient_twice_is_the_same_node() -> None:
    g = quadratic()
    first, nodes = grad(loss_of(g)), len(g)
    loss = next(h for h in (g.handle(k) for k in range(len(g))) if h.node.op == "mean")
    second = grad(loss)
    assert [h.id for h in first.values()] == [h.id for h in second.values()]
    assert len(g) == nodes


def test_gradients_of_integers_and_comparisons_do_not_flow() -> None:
    g = Graph()
    x = g.input("x", (3,))
    mask = F["cast"](x > 0, "float32")
    assert interpret(grad(F["sum"](mask * x), x), x=[-1, 1, 2]).tolist() == [0, 1, 1]


def chain(length: int) -> tuple[Any, Any]:
    g = Graph()
    x = h = g.input("x", (), "float64")
    for _ in range(length // 2):
        h = F["sqrt"](F["square"](h))
    return x, h


def test_chain_of_20000_nodes() -> None:
    x, y = chain(20_000)
    d = grad(y, x)
    check(Cone(x.graph, {"d": d.id}))
    np.testing.assert_allclose(interpret(d, x=0.5), 1, rtol=1e-9)


def test_chain_forward() -> None:
    x, y = chain(100)
    found = interpret([grad(y, x), jvp(y, {x: 1.0})], x=0.5)
    np.testing.assert_allclose(*found, rtol=1e-12)


def test_vjp_and_jvp_are_adjoint() -> None:
    g = Graph()
    x, w = g.input("x", ("N", 3), "float64"), g.param("w", (3, 2), "float64")
    y = F["tanh"](x @ w)
    rng = np.random.default_rng(1)
    ct, tx, tw = rng.normal(size=(4, 2)), rng.normal(size=(4, 3)), rng.normal(size=(3, 2))
    seed, vx = g.input("seed", ("N", 2), "float64"), g.input("vx", ("N", 3), "float64")
    pulled, pushed = vjp(y, seed, [x, w]), jvp(y, {x: vx, w: tw})
    gx, gw, ty = interpret([pulled[x], pulled[w], pushed], x=rng.normal(size=(4, 3)), seed=ct, vx=tx)
    np.testing.assert_allclose((gx * tx).sum() + (gw * tw).sum(), (ct * ty).sum())


def test_jvp_of_what_does_not_depend_is_zero() -> None:
    g = Graph()
    x, y = g.input("x", (2,)), g.input("y", ("N",))
    assert interpret(jvp([F["exp"](y), x], {x: [1, 2]}), y=[1, 1, 1], x=[0, 0])[0].tolist() == [0, 0, 0]


def test_higher_order_by_nesting() -> None:
    g = Graph()
    x = g.input("x", (), "float64")
    y, due = F["exp"](2 * x), 1.0
    for _ in range(4):
        y, due = grad(y, x), due * 2
        np.testing.assert_allclose(interpret(y, x=0), due)


def test_stop_gradient() -> None:
    g = Graph()
    x = g.input("x")
    assert interpret(grad(F["stop_gradient"](x) * x, x), x=3) == 3


def test_naive_cross_entropy_has_finite_gradients_at_large_logits() -> None:
    g = Graph()
    x = g.input("x", (3,))
    loss = -F["log"](F["exp"](x) / F["sum"](F["exp"](x)))[0]
    np.testing.assert_allclose(interpret(grad(loss, x), x=[0, 1000, 0]), [-1, 1, 0])
    assert not np.all(np.isfinite(interpret(grad(loss, x, stabilise=False), x=[0, 1000, 0])))
