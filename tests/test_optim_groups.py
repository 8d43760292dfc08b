"""Groups of parameters, masks, averages, clipping, schedules."""

import math

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError

O = gc.optim  # noqa: E741
T = np.arange(200)

SCHEDULES = {
    "constant": (O.constant(0.1), lambda t: 0.1),
    "step": (O.step_decay(0.1, every=30, factor=0.5), lambda t: 0.1 * 0.5 ** (t // 30)),
    "exponential": (O.exponential(0.1, factor=0.9, every=7), lambda t: 0.1 * 0.9 ** (t / 7)),
    "linear": (O.linear(0.1, 0.02, steps=50), lambda t: 0.1 - 0.08 * min(t, 50) / 50),
    "cosine": (O.cosine(0.1, steps=120, end=0.01), lambda t: wave(min(t, 120), 120)),
    "cosine, restarts": (O.cosine(0.1, steps=40, end=0.01, restarts=True), lambda t: wave(t % 40, 40)),
    "cosine, warm-up": (
        O.cosine(0.1, steps=120, end=0.01, warmup=20),
        lambda t: 0.1 * (t + 1) / 20 if t < 20 else wave(min(t - 20, 100), 100),
    ),
    "warm-up": (
        O.warmup(10, O.exponential(0.1, factor=0.9)),
        lambda t: 0.1 * (t + 1) / 10 if t < 10 else 0.1 * 0.9 ** (t - 10),
    ),
    "piecewise": (
        O.piecewise({60: 0.02, 0: 0.1, 20: O.linear(0.05, 0.0, steps=10)}),
        lambda t: 0.1 if t < 20 else max(0.0, 0.05 - 0.005 * (t - 20)) if t < 60 else 0.02,
    ),
    "own": (O.Schedule(lambda t: 0.1 / gc.sqrt(1 + t)), lambda t: 0.1 / math.sqrt(1 + t)),
}


def wave(t, n):
    return 0.01 + 0.09 * (1 + math.cos(math.pi * t / n)) / 2


@pytest.fixture(scope="module")
def rates():
    """The rates that a program uses, all schedules in one, step by step: gradients of 1 show them."""
    g = gc.Graph()
    updates = {}
    for k, (schedule, _) in enumerate(SCHEDULES.values()):
        updates |= O.SGD(schedule)({g.param(f"p{k}", (), "float64"): g.const(1.0, "float64")})
    step = gc.compile(updates=updates)
    names = [f"sgd{f'_{k}' if k else ''}.learning_rate" for k in range(len(SCHEDULES))]
    found = []
    for _ in T:
        before = [float(step.params[f"p{k}"]) for k in range(len(SCHEDULES))]
        step()
        after = [float(step.params[f"p{k}"]) for k in range(len(SCHEDULES))]
        shown = [float(step.states[name]) for name in names]
        np.testing.assert_allclose(np.subtract(before, after), shown, rtol=1e-9, atol=1e-13)
        found.append(shown)
    return np.array(found).T


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_their_formulas(name, rates):
    schedule, formula = SCHEDULES[name]
    expected = [formula(int(t)) for t in T]
    np.testing.assert_allclose(schedule(T), expected, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(rates[list(SCHEDULES).index(name)], expected, rtol=1e-12, atol=1e-16)
    assert schedule(7) == pytest.approx(expected[7])
    assert isinstance(schedule(7), float)


def test_schedules_say_what_they_are():
    schedule = O.piecewise({0: O.linear(0.0, 1e-3, steps=5), 5: O.cosine(1e-3, steps=20, warmup=2)})
    assert (
        repr(schedule)
        == "piecewise({0: linear(0, 0.001, steps=5), 5: cosine(0.001, steps=20, end=0, warmup=2)})"
    )
    assert repr(O.warmup(3, 0.1)) == "warmup(3, 0.1)"


def test_a_scheduled_rate_is_in_the_dtype_of_the_parameters_and_counts_in_int64():
    g = gc.Graph()
    w = g.param("w", (2,), init=[1.0, 2.0])
    step = gc.compile(updates=O.Adam(O.linear(0.1, 0.0, steps=2), beta1=O.constant(0.9))({w: w}))
    for _ in range(3):
        step()
    before = step.params["w"].copy()
    step()
    assert (before == step.params["w"]).all()
    assert {n: str(v.dtype) for n, v in step.states.items() if n in ("adam.learning_rate", "adam.step")} == {
        "adam.learning_rate": "float32",
        "adam.step": "int64",
    }


def two_layers():
    g = gc.Graph("net", seed=3)
    x = g.input("x", ("N", 3), "float64")
    y = gc.nn.Sequential(gc.nn.Dense(4, "tanh", name="a"), gc.nn.Dense(2, name="b"))(x)
    return g, gc.grad(gc.sum(y * y))


X = np.random.default_rng(0).normal(size=(5, 3))


def test_groups_give_each_parameter_the_first_rule_that_fits():
    g, grads = two_layers()
    rule = O.Groups({("*.bias", g["b.weight"]): O.SGD(0.5), "*": O.SGD(0.1)})
    updates = rule(grads)
    values = gc.interpret({p.name: v for p, v in updates.items()}, x=X)
    slopes = gc.interpret(grads, x=X)
    firsts = gc.interpret({p.name: p for p in grads})
    rate = {"a.weight": 0.1, "a.bias": 0.5, "b.weight": 0.5, "b.bias": 0.5}
    assert values.keys() == rate.keys()
    for name, value in values.items():
        np.testing.assert_allclose(value, firsts[name] - rate[name] * slopes[name])
    assert gc.interpret([g["sgd.learning_rate"], g["sgd_1.learning_rate"]]) == [0.5, 0.1]


def test_pruned_weights_stay_zero_until_the_mask_is_lifted():
    _, grads = two_layers()
    step = gc.compile(updates=O.Masked(O.Adam(0.1, weight_decay=0.1), "*.weight")(grads))
    assert sorted(n for n in step.states if "mask" in n) == ["a.weight.mask", "b.weight.mask"]
    step(x=X)
    limit = O.prune(step, "a.weight", 0.5)
    weight, mask = step.params["a.weight"], step.states["a.weight.mask"]
    gone = ~mask
    assert gone.sum() == 6
    assert abs(weight[mask]).min() == limit
    for _ in range(5):
        step(x=X)
        assert (weight[gone] == 0).all()
        assert not np.signbit(weight[gone]).any()
    assert (weight[mask] != 0).all()
    assert (step.params["b.weight"] != 0).all()
    O.prune(step, "a.weight", 0.0)
    step(x=X)
    assert (weight != 0).all()
    assert O.prune(step, "a.weight", 1.0) == math.inf
    assert (weight == 0).all()


def test_averages_follow_the_weights_from_their_first_value():
    _, grads = two_layers()
    step = gc.compile(updates=O.averaged(O.SGD(0.1)(grads), decay=0.9))
    average = step.params["a.weight"].copy()
    np.testing.assert_array_equal(step.states["a.weight.average"], average)
    for _ in range(4):
        step(x=X)
        average = 0.9 * average + 0.1 * step.params["a.weight"]
    np.testing.assert_allclose(step.states["a.weight.average"], average, rtol=1e-12)


def test_the_global_norm_is_of_all_gradients_and_limits_by_a_state_can_change():
    g = gc.Graph()
    a, b = g.param("a", (2,), init=[3.0, 0.0]), g.param("b", (), "float64", init=4.0)
    limit = g.state("limit", (), init=10.0)
    grads = {a: a, b: b}
    clipped = O.clip_by_global_norm(grads, limit)
    program = gc.compile({"norm": O.global_norm(grads), "a": clipped[a], "b": clipped[b]})
    out = program()
    assert (out["norm"], out["norm"].dtype, out["a"].dtype, out["b"].dtype) == (5, "f8", "f4", "f8")
    np.testing.assert_array_equal(out["a"], [3, 0])
    program.states["limit"] = 1.0
    np.testing.assert_allclose(program()["a"], [0.6, 0], rtol=1e-6)
    zero = O.clip_by_global_norm({a: a * 0}, 1.0)[a]
    np.testing.assert_array_equal(gc.interpret(zero), [0, 0])


@pytest.mark.parametrize(
    "make",
    [
        lambda: O.Adam(),
        lambda: O.AdamW(),
        lambda: O.Adam(O.cosine(1e-3, steps=9)),
        lambda: O.Masked(O.Adam()),
    ],
)
def test_an_update_is_one_kernel_with_its_gradient(make):
    """Decay, masks and schedules are part of the same kernel; scalars of a step are computed together."""
    counts = []
    for rule in (O.SGD(0.1), make()):
        _, grads = two_layers()
        counts.append(len(gc.compile(updates=rule(grads)).stages["schedule"].kernels))
    assert counts[1] <= counts[0] + 1


def test_groups_name_parameters_that_are_in_none():
    _, grads = two_layers()
    with pytest.raises(GraphError, match=r"Groups: a.bias, b.bias are in no group"):
        O.Groups({"*.weight": O.SGD(0.1)})(grads)
