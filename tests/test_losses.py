"""Losses and regularisers against their formulas in NumPy, their slopes against differences, and against torch."""

import numpy as np
import pytest

import graphc as gc
from graphc.errors import InputError

L = gc.losses
RNG = np.random.default_rng(4)
N, C = 6, 4
X = RNG.normal(size=(N, C)) * 2
T = np.array([0, 3, 1, 1, 3, 2])
HOT = np.eye(C)[T]
Q = RNG.dirichlet(np.ones(C), N)
S = RNG.choice([-1.0, 1.0], size=(N, C))
B = (S + 1) / 2
P = RNG.uniform(0.05, 0.95, size=(N, C))
W = RNG.uniform(0.5, 2.0, size=N)
MASK = np.array([True, False, True, True, False, True])


def log_softmax(x):
    return x - np.log(np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True)) - x.max(-1, keepdims=True)


def softplus(x):
    return np.logaddexp(0, x)


def others(x, margin):
    """margin - x_t + x_j, 0 at the class itself, cut at 0."""
    right = np.take_along_axis(x, T[:, None], 1)
    return np.maximum(x - right + margin * (1 - HOT), 0)


# name: the loss, given nodes and options, and the losses that the formula gives, one a sample or element
LOSSES = {
    "mse": (lambda n, **o: L.mse(n["x"], n["q"], **o), lambda: (X - Q) ** 2),
    "mae": (lambda n, **o: L.mae(n["x"], n["q"], **o), lambda: abs(X - Q)),
    "huber": (
        lambda n, **o: L.huber(n["x"], n["q"], delta=1.5, **o),
        lambda: np.where(abs(X - Q) <= 1.5, (X - Q) ** 2 / 2, 1.5 * abs(X - Q) - 1.125),
    ),
    "bce": (
        lambda n, **o: L.binary_cross_entropy(n["p"], n["q"], **o),
        lambda: -(Q * np.log(P) + (1 - Q) * np.log(1 - P)),
    ),
    "bce, 0 and 1": (
        lambda n, **o: L.binary_cross_entropy(n["p"], n["b"], **o),
        lambda: -np.log(np.where(B == 1, P, 1 - P)),
    ),
    "bce, logits": (
        lambda n, **o: L.binary_cross_entropy_with_logits(n["x"], n["q"], **o),
        lambda: softplus(X) - Q * X,
    ),
    "bce, logits, bools": (
        lambda n, **o: L.binary_cross_entropy_with_logits(n["x"], n["b"] > 0, **o),
        lambda: softplus(-S * X),
    ),
    "hinge": (lambda n, **o: L.hinge(n["x"], n["s"], **o), lambda: np.maximum(1 - S * X, 0)),
    "hinge, squared": (
        lambda n, **o: L.hinge(n["x"], n["s"], margin=0.5, squared=True, **o),
        lambda: np.maximum(0.5 - S * X, 0) ** 2,
    ),
    "cross-entropy": (
        lambda n, **o: L.softmax_cross_entropy(n["x"], n["t"], **o), lambda: -(HOT * log_softmax(X)).sum(1),
    ),
    "cross-entropy, one-hot": (
        lambda n, **o: L.softmax_cross_entropy(n["x"], n["hot"], **o), lambda: -(HOT * log_softmax(X)).sum(1),
    ),
    "cross-entropy, smoothed": (
        lambda n, **o: L.softmax_cross_entropy(n["x"], n["t"], label_smoothing=0.1, **o),
        lambda: -((0.9 * HOT + 0.1 / C) * log_softmax(X)).sum(1),
    ),
    "cross-entropy, smoothed one-hot": (
        lambda n, **o: L.softmax_cross_entropy(n["x"], n["q"], label_smoothing=0.1, **o),
        lambda: -((0.9 * Q + 0.1 / C) * log_softmax(X)).sum(1),
    ),
    "nll": (
        lambda n, **o: L.nll(gc.log_softmax(n["x"]), n["t"], **o), lambda: -(HOT * log_softmax(X)).sum(1),
    ),
    "nll, probabilities": (lambda n, **o: L.nll(n["x"], n["q"], **o), lambda: -(Q * X).sum(1)),
    "kl": (
        lambda n, **o: L.kl_divergence(gc.log_softmax(n["x"]), n["q"], **o),
        lambda: (Q * (np.log(Q) - log_softmax(X))).sum(1),
    ),
    "kl, one-hot": (
        lambda n, **o: L.kl_divergence(gc.log_softmax(n["x"]), n["hot"], **o),
        lambda: -(HOT * log_softmax(X)).sum(1),
    ),
    "weston-watkins": (
        lambda n, **o: L.multi_class_hinge(n["x"], n["t"], **o), lambda: others(X, 1.0).sum(1) / C,
    ),
    "weston-watkins, squared": (
        lambda n, **o: L.multi_class_hinge(n["x"], n["hot"], margin=0.5, squared=True, **o),
        lambda: (others(X, 0.5) ** 2).sum(1) / C,
    ),
    "crammer-singer": (
        lambda n, **o: L.multi_class_hinge(n["x"], n["t"], form="crammer_singer", **o),
        lambda: others(X, 1.0).max(1),
    ),
}  # fmt: skip
REDUCTIONS = {
    "mean": ({}, np.mean),
    "sum": ({"reduction": "sum"}, np.sum),
    "none": ({"reduction": "none"}, lambda v: v),
}
GIVEN = {"x": X, "q": Q, "p": P, "b": B, "s": S, "t": T, "hot": HOT, "w": W, "mask": MASK}


def nodes():
    g = gc.Graph()
    made = {n: g.input(n, ("N", C), "float64") for n in ("x", "q", "p", "b", "s", "hot")}
    made |= {"t": g.input("t", ("N",), "int64"), "w": g.input("w", ("N",), "float64")}
    return {**made, "mask": g.input("mask", ("N",), "bool")}


@pytest.fixture(scope="module")
def values():
    """All losses under all reductions, from one program and from the interpreter."""
    n, wanted = nodes(), {}
    for name, (make, _) in LOSSES.items():
        wanted |= {f"{name}/{r}": make(n, **options) for r, (options, _) in REDUCTIONS.items()}
        wanted |= {f"{name}/weighted": make(n, weights=n["w"]), f"{name}/masked": make(n, weights=n["mask"])}
        wanted |= {f"{name}/weighted sum": make(n, weights=n["w"], reduction="sum")}
    return gc.compile(wanted)(**GIVEN), gc.interpret(wanted, **GIVEN)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_their_formulas(name, values):
    losses = LOSSES[name][1]()
    expected = {reduction: reduce(losses) for reduction, (_, reduce) in REDUCTIONS.items()}
    spread = np.broadcast_to(W.reshape(N, *[1] * (losses.ndim - 1)), losses.shape)
    expected |= {"weighted": (spread * losses).sum() / spread.sum(), "weighted sum": (spread * losses).sum()}
    expected |= {"masked": losses[MASK].mean()}
    for found in values:
        for how, value in expected.items():
            np.testing.assert_allclose(found[f"{name}/{how}"], value, rtol=1e-12, atol=1e-14, err_msg=how)


def test_slopes_are_those_of_differences():
    n = nodes()
    total = sum((k + 1.0) * make(n, weights=n["w"]) for k, (make, _) in enumerate(LOSSES.values()))
    assert gc.check_gradients(total, wrt=[n["x"], n["p"]], **GIVEN).ok


def test_half_of_the_squared_error():
    n = nodes()
    found = gc.interpret(L.mse(n["x"], n["q"], half=True, reduction="none", weights=n["w"]), **GIVEN)
    np.testing.assert_allclose(found, W[:, None] * (X - Q) ** 2 / 2)


FAR = np.array([[-1e4, 0.0, 1e4, 88.0], [1e4, -1e4, -88.0, 0.0]], "float32")


def test_losses_of_far_logits_and_their_slopes_are_finite():
    g = gc.Graph()
    x, t = g.input("x", ("N", 4)), g.const(np.array([0, 1]))
    ones = g.const(np.ones((2, 4), "float32"))
    losses = {
        "softmax": L.softmax_cross_entropy(x, t, label_smoothing=0.1),
        "one-hot": L.softmax_cross_entropy(x, gc.one_hot(t, 4)),
        "logits": L.binary_cross_entropy_with_logits(x, ones),
        "sigmoid": L.binary_cross_entropy(gc.sigmoid(x), ones),
        "none of it": L.binary_cross_entropy(gc.sigmoid(x), 0 * ones),
        "hinge": L.multi_class_hinge(x, t, squared=False),
        "kl": L.kl_divergence(gc.log_softmax(x), gc.one_hot(t, 4)),
    }
    slopes = {f"slope of {name}": gc.grad(loss, x) for name, loss in losses.items()}
    out = gc.compile({**losses, **slopes})(x=FAR)
    assert [name for name, value in out.items() if not np.isfinite(value).all()] == []
    assert {name: value.dtype for name, value in out.items() if value.dtype != np.float32} == {}
    np.testing.assert_allclose(out["sigmoid"], out["logits"], rtol=1e-6)
    np.testing.assert_allclose(out["logits"], softplus(-FAR.astype(float)).mean(), rtol=1e-6)


def test_what_is_masked_leaves_nothing_behind():
    """Neither a loss nor a slope, whatever stands there; of nothing there is no mean."""
    g = gc.Graph()
    x, m = g.input("x", (2,)), g.input("m", (2,), "bool")
    loss = L.mse(x, gc.zeros_like(x), weights=m)
    program = gc.compile({"loss": loss, "slope": gc.grad(loss, x)})
    out = program(x=np.array([2.0, np.inf], "float32"), m=[True, False])
    assert out["loss"] == 4
    np.testing.assert_array_equal(out["slope"], [4, 0])
    assert np.isnan(program(x=[1, 2], m=[False, False])["loss"])


def test_class_weights_and_samples_without_a_class():
    n = nodes()
    of_class = np.array([1.0, 2.0, 0.5, 3.0])
    losses = [
        L.softmax_cross_entropy(n["x"], n["t"], weights=gc.take(of_class, n["t"])),
        L.softmax_cross_entropy(n["x"], gc.maximum(n["t"] - 1, 0), weights=n["t"] >= 1),
    ]
    each = -(HOT * log_softmax(X)).sum(1)
    lost = -log_softmax(X)[T >= 1, T[T >= 1] - 1]
    expected = [(of_class[T] * each).sum() / of_class[T].sum(), lost.mean()]
    np.testing.assert_allclose(gc.interpret(losses, **GIVEN), expected, rtol=1e-12)


CLASSES = {
    "cross-entropy": L.softmax_cross_entropy,
    "nll": lambda x, t: L.nll(gc.log_softmax(x), t),
    "hinge": L.multi_class_hinge,
    "crammer-singer": lambda x, t: L.multi_class_hinge(x, t, form="crammer_singer"),
}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("shown", [True, False], ids=["loss shown", "updates alone"])
def test_a_class_below_0_or_too_high_is_refused_and_nothing_changes(name, shown):
    g = gc.Graph()
    x, t, w = g.input("x", ("N", 3)), g.input("t", ("N",), "int32"), g.param("w", (3,), init=[1.0, 2.0, 3.0])
    loss = CLASSES[name](x * w, t)
    updates = gc.optim.SGD(1.0)(gc.grad(loss))
    step = gc.compile({"loss": loss} if shown else None, updates=updates)
    for wrong in (-1, 3):
        given = {"x": np.ones((2, 3), "float32"), "t": np.array([0, wrong], "int32")}
        with pytest.raises(
            InputError, match=f"input 't' of .*: index {wrong} is out of range for size 3; give 0 to 2"
        ):
            step(**given)
        with pytest.raises(InputError, match=f"index {wrong} is out of "):
            gc.interpret(loss, **given)
        with pytest.raises(InputError, match=f"index {wrong} is out of "):
            gc.interpret(updates, **given)
    assert step.params["w"].tolist() == [1, 2, 3]


def test_values_may_be_arrays_beside_targets_that_are_nodes():
    n, x = nodes(), np.log(P)
    losses = [L.softmax_cross_entropy(x, n["t"]), L.nll(x, n["t"]), L.multi_class_hinge(x, n["t"])]
    other = nodes()
    expected = [L.softmax_cross_entropy(other["x"], other["t"]), L.nll(other["x"], other["t"])]
    expected.append(L.multi_class_hinge(other["x"], other["t"]))
    found = gc.interpret(losses, t=T)
    np.testing.assert_array_equal(found, gc.interpret(expected, x=x, t=T))


def test_a_constant_class_below_0_is_refused_when_it_is_compiled():
    g = gc.Graph()
    loss = L.softmax_cross_entropy(g.input("x", (2, 3)), np.array([0, -1]))
    with pytest.raises(InputError, match="index -1 is out of range for size 3"):
        gc.compile(loss)


def test_a_class_out_of_range_is_named_with_its_layer_before_anything_runs():
    g = gc.Graph()
    x, t, w = g.input("x", ("N", 3)), g.input("t", ("N",), "int32"), g.param("w", (3,), init=[1.0, 2.0, 3.0])
    with g.scope("head"):
        loss = L.softmax_cross_entropy(x * w, t)
    step = gc.compile({"loss": loss}, updates=gc.optim.SGD(1.0)(gc.grad(loss)))
    with pytest.raises(
        InputError,
        match=r"input 't' of head/softmax_cross_entropy \(take_along\): index 3 is out of range for size 3",
    ):
        step(x=np.ones((2, 3), "float32"), t=np.array([0, 3], "int32"))
    assert step.params["w"].tolist() == [1, 2, 3]


# --------------------------------------------------------------------------------------------- regularisers

R = gc.regularisers


def test_regularisers_of_chosen_parameters_and_their_slopes():
    g = gc.Graph(seed=1)
    x = g.input("x", ("N", 3), "float64")
    gc.nn.Sequential(gc.nn.Dense(4, bias_init=gc.init.Ones(), name="a"), gc.nn.Dense(2, name="b"))(x)
    wide = g.param("single", (2,), "float32", init=[0.5, -0.25])
    w = {p.name: gc.interpret(p) for p in g.params}
    both = np.concatenate([w["a.weight"].ravel(), w["b.weight"].ravel()])
    wanted = {
        "l1": (R.l1(g, "*.weight"), abs(both).sum()),
        "l2": (R.l2([g["a.weight"], g["b.weight"]]), (both**2).sum()),
        "elastic": (R.elastic_net(g, ["a.weight", "b.*"], beta=0.3), (0.3 * both**2 + abs(both)).sum()),
        "one": (R.l2(g["a.bias"]), 4.0),
        "mixed": (R.l1([wide, g["a.bias"]]), 4.75),
    }
    found = gc.interpret({name: node for name, (node, _) in wanted.items()})
    for name, (node, value) in wanted.items():
        assert node.dtype.long == "float64"
        np.testing.assert_allclose(found[name], value, rtol=1e-12, err_msg=name)
    slopes = gc.interpret(gc.grad(wanted["l1"][0] + 2 * wanted["l2"][0]))
    np.testing.assert_allclose(slopes["a.weight"], np.sign(w["a.weight"]) + 4 * w["a.weight"], rtol=1e-12)
    assert R.l1(wide).dtype.long == "float32"


def test_weight_decay_is_the_slope_of_l2():
    g = gc.Graph()
    w, strength = g.param("w", (3,), "float64", init=[1.0, -2.0, 3.0]), 0.05
    loss = gc.sum(gc.cos(w))
    shown = gc.optim.SGD(0.1)(gc.grad(loss + strength * R.l2(w)))[w]
    hidden = gc.optim.SGD(0.1, weight_decay=2 * strength)(gc.grad(loss))[w]
    np.testing.assert_allclose(gc.interpret(shown), gc.interpret(hidden), rtol=1e-14)


# --------------------------------------------------------------------------------------------- against torch


def test_losses_and_slopes_against_torch():
    torch = pytest.importorskip("torch")
    f = torch.nn.functional
    t = torch.tensor(T)
    x, q, p, b = (torch.tensor(v) for v in (X, Q, P, B))
    theirs = {
        "mse": lambda x: f.mse_loss(x, q),
        "mae": lambda x: f.l1_loss(x, q),
        "huber": lambda x: f.huber_loss(x, q, delta=1.5),
        "bce": lambda x: f.binary_cross_entropy(p, q) + 0 * x.sum(),
        "bce, 0 and 1": lambda x: f.binary_cross_entropy(p, b) + 0 * x.sum(),
        "bce, logits": lambda x: f.binary_cross_entropy_with_logits(x, q),
        "cross-entropy": lambda x: f.cross_entropy(x, t),
        "cross-entropy, smoothed": lambda x: f.cross_entropy(x, t, label_smoothing=0.1),
        "cross-entropy, smoothed one-hot": lambda x: f.cross_entropy(x, q, label_smoothing=0.1),
        "nll": lambda x: f.nll_loss(f.log_softmax(x, -1), t),
        "kl": lambda x: f.kl_div(f.log_softmax(x, -1), q, reduction="batchmean"),
        "weston-watkins": lambda x: f.multi_margin_loss(x, t),
    }
    n = nodes()
    losses = {name: LOSSES[name][0](n) for name in theirs}
    found = gc.interpret(losses, **GIVEN)
    slopes = gc.interpret(
        {name: gc.grad(loss, n["x"]) for name, loss in losses.items() if "bce" not in name}, **GIVEN
    )
    for name, loss in theirs.items():
        at = x.clone().requires_grad_()
        value = loss(at)
        np.testing.assert_allclose(found[name], value.detach(), rtol=1e-10, err_msg=name)
        if name in slopes:
            value.backward()
            np.testing.assert_allclose(slopes[name], at.grad, rtol=1e-9, atol=1e-13, err_msg=name)
