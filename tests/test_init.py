"""Initialisers: their distributions, their fans, their names, the same bytes for the same seed."""

import math

import numpy as np
import pytest

import graphc as gc
from graphc.init import fans, generator_for, initial_value

MATRIX, KERNEL = (300, 200), (64, 32, 3, 3)


def drawn(initialiser, shape, dtype="float64"):
    return initialiser(generator_for(7, "w"), shape, np.dtype(dtype))


def fan(shape, which):
    inward, outward = (shape[0], shape[1]) if len(shape) == 2 else (32 * 9, 64 * 9)
    return {"in": inward, "out": outward, "mean": (inward + outward) / 2}[which]


@pytest.mark.parametrize("shape", [MATRIX, KERNEL])
@pytest.mark.parametrize("which", ["in", "out", "mean"])
@pytest.mark.parametrize(("family", "variance"), [("Xavier", 1.0), ("Kaiming", 2.0)])
def test_draws_have_the_variance_of_their_family_over_their_fan(family, variance, which, shape):
    n = fan(shape, which)
    normal = drawn(getattr(gc.init, f"{family}Normal")(fan=which), shape)
    uniform = drawn(getattr(gc.init, f"{family}Uniform")(fan=which), shape)
    bound = math.sqrt(3 * variance / n)
    for values in (normal, uniform):
        assert values.var() == pytest.approx(variance / n, rel=0.05)
        assert abs(values.mean()) < 4 * math.sqrt(variance / n / values.size)
    assert 0.999 * bound < abs(uniform).max() <= bound
    assert abs(normal).max() > bound


def test_fans_of_vectors_and_scalars():
    assert [fans(s) for s in ((), (5,), (3, 4), (8, 2, 5), KERNEL)] == [
        (1, 1),
        (5, 5),
        (3, 4),
        (10, 40),
        (288, 576),
    ]


def test_gain_scales_what_is_drawn():
    plain, twice = (drawn(gc.init.KaimingNormal(gain=g), MATRIX) for g in (1.0, 2.0))
    np.testing.assert_allclose(twice, 2 * plain)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (8, 2, 3, 3)])
def test_orthogonal_rows_or_columns(shape):
    w = drawn(gc.init.Orthogonal(gain=3.0), shape).reshape(shape[0], -1) / 3
    small = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-12)


def test_identity_passes_its_input_on():
    g = gc.Graph()
    x = g.input("x", ("N", 3, 5, 5))
    same = gc.conv2d(x, g.param("w", (3, 3, 3, 3), init="identity"), padding=1)
    dense = gc.nn.Dense(3, init="identity")(x[:, :, 0, 0])
    value = np.random.default_rng(0).normal(size=(2, 3, 5, 5)).astype("float32")
    found = gc.interpret([same, dense], x=value)
    np.testing.assert_array_equal(found[0], value)
    np.testing.assert_array_equal(found[1], value[:, :, 0, 0])


def test_the_truncated_normal_ends_where_it_is_cut():
    values = drawn(gc.init.TruncatedNormal(mean=1.0, std=0.5, bound=1.5), (20000,))
    assert 0.745 < abs(values - 1).max() <= 0.75
    assert abs(values.mean() - 1) < 0.01
    # The variance of a standard normal cut at b is 1 - 2 b phi(b) / (2 Phi(b) - 1).
    inside = math.erf(1.5 / math.sqrt(2))
    share = 1 - 2 * 1.5 * math.exp(-(1.5**2) / 2) / math.sqrt(2 * math.pi) / inside
    assert values.var() == pytest.approx(0.25 * share, rel=0.03)


NAMED = {
    "zeros": gc.init.Zeros(),
    "ones": gc.init.Ones(),
    "normal": gc.init.Normal(),
    "uniform": gc.init.Uniform(),
    "truncated_normal": gc.init.TruncatedNormal(),
    "orthogonal": gc.init.Orthogonal(),
    "identity": gc.init.Identity(),
    "xavier_normal": gc.init.XavierNormal(),
    "xavier_uniform": gc.init.XavierUniform(),
    "kaiming_normal": gc.init.KaimingNormal(),
    "kaiming_uniform": gc.init.KaimingUniform(),
}


@pytest.mark.parametrize("name", NAMED)
def test_initialisers_by_name_give_the_same_bytes_for_the_same_seed(name):
    def first(init, seed, dtype="float32"):
        g = gc.Graph(seed=seed)
        gc.nn.Dense(4, init=init, name="d")(g.input("x", ("N", 3), dtype))
        return initial_value(g, g["d.weight"])

    assert first(name, 1).tobytes() == first(NAMED[name], 1).tobytes()
    assert first(name, 1).dtype == np.float32
    fixed = name in ("zeros", "ones", "identity")
    assert (first(name, 2).tobytes() == first(name, 1).tobytes()) == fixed
    np.testing.assert_allclose(first(name, 1, "float64"), first(name, 1), rtol=1e-6)


def test_states_take_names_too():
    g = gc.Graph()
    assert initial_value(g, g.state("s", (2,), init="ones")).tolist() == [1, 1]
