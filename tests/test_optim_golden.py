"""Every optimiser over a hundred steps, against loops written by hand in NumPy, and against torch."""

import math

import numpy as np
import pytest
import sympy

import graphc as gc

STEPS = 100
RNG = np.random.default_rng(5)
SLOPES = RNG.normal(size=(STEPS, 5)) * [1.0, 1e-3, 1e2, 1.0, 0.0]
STARTS = np.array([1.0, -2.0, 3.0, 0.0, 0.5])
COURSE = {"eps": 0.0, "eps_root": 1e-8}


def fixed(rate):
    return lambda t: rate


def momentum(p, slopes, rate, keep, nesterov=False):
    v = np.zeros(5)
    for t, g in enumerate(slopes):
        v = keep * v + g(p)
        p = p - rate(t) * (g(p) + keep * v if nesterov else v)
    return p


def adagrad(p, slopes, rate, eps=1e-8, eps_root=0.0):
    s = np.zeros(5)
    for t, g in enumerate(slopes):
        s = s + g(p) ** 2
        p = p - rate(t) * g(p) / (np.sqrt(s + eps_root) + eps)
    return p


def rmsprop(p, slopes, rate, decay=0.9, eps=1e-8, eps_root=0.0, keep=0.0, centred=False):
    s, m, b = np.zeros(5), np.zeros(5), np.zeros(5)
    for t, g in enumerate(slopes):
        grad = g(p)
        s, m = decay * s + (1 - decay) * grad**2, decay * m + (1 - decay) * grad
        b = keep * b + grad / (np.sqrt((s - m**2 if centred else s) + eps_root) + eps)
        p = p - rate(t) * b
    return p


def adam(p, slopes, rate, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0, decoupled=0.0):
    m, v = np.zeros(5), np.zeros(5)
    for t, g in enumerate(slopes):
        grad = g(p)
        m, v = beta1 * m + (1 - beta1) * grad, beta2 * v + (1 - beta2) * grad**2
        ahead = (m / (1 - beta1 ** (t + 1))) / (np.sqrt(v / (1 - beta2 ** (t + 1)) + eps_root) + eps)
        p = p - rate(t) * decoupled * p - rate(t) * ahead
    return p


def plain(slopes):
    return [lambda p, g=g: g for g in slopes]


def decayed(slopes, decay):
    return [lambda p, g=g: g + decay * p for g in slopes]


def by_norm(slopes, limit):
    return plain([g * min(1.0, limit / np.linalg.norm(g)) for g in slopes])


O = gc.optim  # noqa: E741
P, S = STARTS, SLOPES
# name: the optimiser, the gradients that it is given, what the loop gives
RULES = {
    "sgd": (O.SGD(0.01), None, lambda: P - 0.01 * S.sum(0)),
    "sgd, decay": (O.SGD(0.01, weight_decay=0.1), None, lambda: momentum(P, decayed(S, 0.1), fixed(0.01), 0.0)),
    "momentum": (O.Momentum(0.01), None, lambda: momentum(P, plain(S), fixed(0.01), 0.9)),
    "momentum, decay": (
        O.Momentum(0.01, weight_decay=0.1), None, lambda: momentum(P, decayed(S, 0.1), fixed(0.01), 0.9),
    ),
    "nesterov": (O.Nesterov(0.01, 0.95), None, lambda: momentum(P, plain(S), fixed(0.01), 0.95, nesterov=True)),
    "adagrad": (O.AdaGrad(0.1), None, lambda: adagrad(P, plain(S), fixed(0.1))),
    "adagrad of the course": (O.AdaGrad(0.1, **COURSE), None, lambda: adagrad(P, plain(S), fixed(0.1), **COURSE)),
    "adagrad, decay": (O.AdaGrad(0.1, weight_decay=0.1), None, lambda: adagrad(P, decayed(S, 0.1), fixed(0.1))),
    "rmsprop": (O.RMSProp(0.01), None, lambda: rmsprop(P, plain(S), fixed(0.01))),
    "rmsprop of the course": (O.RMSProp(0.01, **COURSE), None, lambda: rmsprop(P, plain(S), fixed(0.01), **COURSE)),
    "rmsprop, all": (
        O.RMSProp(0.01, 0.95, momentum=0.5, centred=True, eps=1e-3, weight_decay=0.1), None,
        lambda: rmsprop(P, decayed(S, 0.1), fixed(0.01), 0.95, 1e-3, keep=0.5, centred=True),
    ),
    "adam": (O.Adam(), None, lambda: adam(P, plain(S), fixed(1e-3))),
    "adam of the course": (O.Adam(0.05, **COURSE), None, lambda: adam(P, plain(S), fixed(0.05), **COURSE)),
    "adam, decay": (O.Adam(0.05, weight_decay=0.1), None, lambda: adam(P, decayed(S, 0.1), fixed(0.05))),
    "adamw": (
        O.AdamW(0.05, weight_decay=0.1, **COURSE), None,
        lambda: adam(P, plain(S), fixed(0.05), decoupled=0.1, **COURSE),
    ),
    "adam, clipped": (
        O.Adam(0.05), lambda g: O.clip_by_global_norm(g, 2.0), lambda: adam(P, by_norm(S, 2.0), fixed(0.05)),
    ),
    "momentum, cut": (
        O.Momentum(0.05), lambda g: O.clip_by_value(g, 0.5),
        lambda: momentum(P, plain(S.clip(-0.5, 0.5)), fixed(0.05), 0.9),
    ),
    "sgd, warm-up and cosine": (
        O.SGD(O.cosine(0.1, steps=80, warmup=20, end=0.01)), None,
        lambda: momentum(P, plain(S), lambda t: 0.1 * (t + 1) / 20 if t < 20 else annealed(min(t - 20, 60)), 0.0),
    ),
    "adam, steps": (
        O.Adam(O.step_decay(0.05, every=30)), None, lambda: adam(P, plain(S), lambda t: 0.05 * 0.1 ** (t // 30)),
    ),
}  # fmt: skip


def annealed(t):
    return 0.01 + (0.1 - 0.01) * (1 + math.cos(math.pi * t / 60)) / 2


@pytest.fixture(scope="module")
def followed():
    """All rules in one program: each has a parameter of its own, of which ``slope`` is the gradient."""
    g = gc.Graph()
    slope, updates = g.input("slope", (5,), "float64"), {}
    for k, (optimiser, change, _) in enumerate(RULES.values()):
        grads = {g.param(f"p{k}", (5,), "float64", init=STARTS): slope}
        updates |= optimiser(change(grads) if change else grads)
    step = gc.compile(updates=updates)
    for row in SLOPES:
        step(slope=row)
    return step


@pytest.mark.parametrize("rule", RULES)
def test_a_hundred_steps_are_those_of_the_loop(rule, followed):
    found = followed.params[f"p{list(RULES).index(rule)}"]
    np.testing.assert_allclose(found, RULES[rule][2](), rtol=1e-12, atol=1e-13)


def test_the_centred_variance_never_is_negative():
    """For a constant gradient it is 0 but for rounding."""
    g = gc.Graph()
    p = g.param("p", (3,), init=[0.0, 0.0, 0.0])
    step = gc.compile(updates=gc.optim.RMSProp(0.1, centred=True)({p: g.const([0.1, 1e3, 1e-3])}))
    for _ in range(50):
        step()
    assert np.all(np.isfinite(step.params["p"]))


# ---------------------------------------------------------------------------------------- written in SymPy


def test_adam_written_in_sympy_is_adam():
    p, g, t, m, v, a, b1, b2, eps = sympy.symbols("p g t m v learning_rate beta1 beta2 eps")
    top, bottom = sympy.symbols("m_hat v_hat")
    mine = gc.optim.from_sympy(
        "MyAdam",
        {
            "m": b1 * m + (1 - b1) * g,
            "v": b2 * v + (1 - b2) * g**2,
            "m_hat": m / (1 - b1**t),
            "v_hat": v / (1 - b2**t),
            "p": p - a * top / (sympy.sqrt(bottom) + eps),
        },
        learning_rate=1e-3,
        beta1=0.9,
        beta2=0.999,
        eps=1e-8,
    )
    assert (mine.keeps, mine.counts) == (("m", "v"), True)
    step = follow(mine(learning_rate=0.05))
    assert list(step.states)[:5] == [
        f"myadam.{n}" for n in ("learning_rate", "beta1", "beta2", "eps", "step")
    ]
    np.testing.assert_allclose(step.params["p"], adam(P, plain(S), fixed(0.05)), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("rule", [name for name, (_, change, _) in RULES.items() if change is None])
def test_equations_of_a_rule_are_the_rule(rule):
    """Compiled from its SymPy equations it takes the same steps; powers of beta lose some digits."""
    optimiser = RULES[rule][0]
    equations = O.equations(optimiser)
    assert list(equations) == [*(optimiser.keeps), "p"]
    read = {str(symbol) for each in equations.values() for symbol in each.free_symbols}
    hyper = {name: getattr(optimiser, name) for name in read - {"p", "g", "t", *optimiser.keeps}}
    step = follow(O.from_sympy("Copied", equations, **hyper)())
    np.testing.assert_allclose(step.params["p"], RULES[rule][2](), rtol=1e-9, atol=1e-12)


def test_rules_as_text_with_decay_and_schedules():
    rule = gc.optim.from_sympy("Lion", {"u": "b1*m + (1 - b1)*g", "m": "b2*m + (1 - b2)*g", "p": "p - r*sign(u)"},
                               r=0.01, b1=0.9, b2=0.99)  # fmt: skip
    assert (rule.keeps, rule.counts) == (("m",), False)
    found = follow(rule(r=gc.optim.exponential(0.01, factor=0.99), weight_decay=0.1)).params["p"]
    p, m = STARTS, np.zeros(5)
    for t, slope in enumerate(SLOPES):
        g = slope + 0.1 * p
        p, m = p - 0.01 * 0.99**t * np.sign(0.9 * m + 0.1 * g), 0.99 * m + 0.01 * g
    np.testing.assert_allclose(found, p, rtol=1e-12, atol=1e-13)


def test_rules_with_a_weight_decay_of_their_own():
    rule = gc.optim.from_sympy(
        "Decayed", {"p": "p - r * (g + weight_decay * p) if t > 50 else p"}, r=0.01, weight_decay=0.5
    )
    p = STARTS
    for slope in SLOPES[50:]:
        p = p - 0.01 * (slope + 0.5 * p)
    np.testing.assert_allclose(follow(rule()).params["p"], p, rtol=1e-12, atol=1e-13)


def follow(optimiser):
    g = gc.Graph()
    slope, p = g.input("slope", (5,), "float64"), g.param("p", (5,), "float64", init=STARTS)
    step = gc.compile(updates=optimiser({p: slope}))
    for row in SLOPES:
        step(slope=row)
    return step


# ------------------------------------------------------------------------------------------- against torch


def theirs(torch):
    adamw = {"weight_decay": 0.1, "eps": 1e-8}
    return {
        "sgd, decay": lambda p: torch.optim.SGD([p], 0.01, weight_decay=0.1),
        "momentum, decay": lambda p: torch.optim.SGD([p], 0.01, momentum=0.9, weight_decay=0.1),
        "nesterov": lambda p: torch.optim.SGD([p], 0.01, momentum=0.95, nesterov=True),
        "adagrad": lambda p: torch.optim.Adagrad([p], 0.1, eps=1e-8),
        "rmsprop": lambda p: torch.optim.RMSprop([p], 0.01, alpha=0.9),
        "rmsprop, all": lambda p: torch.optim.RMSprop(
            [p], 0.01, alpha=0.95, eps=1e-3, momentum=0.5, centered=True, weight_decay=0.1
        ),
        "adam": lambda p: torch.optim.Adam([p], 1e-3),
        "adam, decay": lambda p: torch.optim.Adam([p], 0.05, weight_decay=0.1),
        "adamw": lambda p: torch.optim.AdamW([p], 0.05, **adamw),
    }


def test_rules_against_torch(followed):
    torch = pytest.importorskip("torch")
    own = {"adamw": follow(gc.optim.AdamW(0.05, weight_decay=0.1)).params["p"]}
    for rule, make in theirs(torch).items():
        p = torch.tensor(STARTS, requires_grad=True)
        optimiser = make(p)
        for row in SLOPES:
            p.grad = torch.tensor(row)
            optimiser.step()
        found = own.get(rule, followed.params[f"p{list(RULES).index(rule)}"])
        np.testing.assert_allclose(found, p.detach(), rtol=1e-10, atol=1e-13, err_msg=rule)


def test_clipping_against_torch():
    torch = pytest.importorskip("torch")
    for limit in (0.5, 1e6):
        p = torch.zeros(5, dtype=torch.float64, requires_grad=True)
        p.grad = torch.tensor(SLOPES[0])
        torch.nn.utils.clip_grad_norm_([p], limit)
        g = gc.Graph()
        own = g.param("p", (5,), "float64")
        found = gc.interpret(gc.optim.clip_by_global_norm({own: g.const(SLOPES[0])}, limit)[own])
        np.testing.assert_allclose(found, p.grad, rtol=1e-5)  # torch adds 1e-6 to the norm
