"""What every layer has from its base: names, shared parameters, places of errors, also in loops."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import graphc as gc
from graphc.errors import GraphError, ShapeError


@dataclass(frozen=True, slots=True, eq=False)
class Scale(gc.nn.Layer):
    start: float = 1.0
    kept: Any = None

    def check(self):
        if self.start <= 0:
            raise GraphError(f"start={self.start}; give a positive number")

    def __call__(self, x):
        with self.at(x) as own:
            return x * own.param("factor", (own.size(-1),), init=gc.init.Constant(self.start))


@dataclass(frozen=True, slots=True, eq=False)
class Blend(gc.nn.Layer):
    """Two inputs and layers of its own inside."""

    def __call__(self, x, y):
        with self.at(x, y) as own:
            share = own.param("share", (), init=0.5)
            return gc.nn.Dense(2, init=np.eye(2))(share * x + (1 - share) * y)


def names(graph):
    return [p.name for p in graph.params]


def test_a_new_layer_has_names_parameters_and_gradients():
    g = gc.Graph()
    x = g.input("x", ("N", 2), "float64")
    scale = Scale(3.0)
    y = Scale(2.0, name="last")(Scale()(scale(scale(x))))
    assert names(g) == ["scale.factor", "scale_1.factor", "last.factor"]
    assert g["scale.factor"].dtype == gc.DType.F64
    assert {o.layer for o in g.origins(y.id)} == {"last"}
    np.testing.assert_array_equal(gc.interpret(y, x=[[1, 2]]), [[18, 36]])
    assert gc.check_gradients(gc.sum(y * y), x=np.array([[1.0, 2.0]])).ok


def test_a_layer_of_two_inputs_with_layers_inside():
    g = gc.Graph()
    x, y = g.input("x", ("N", 2)), g.input("y", ("N", 2), "float64")
    z = Blend(name="blend")(x, y)
    assert names(g) == ["blend.share", "blend.dense.weight", "blend.dense.bias"]
    assert g["blend.share"].dtype == gc.DType.F64
    np.testing.assert_array_equal(gc.interpret(z, x=[[1, 2]], y=[[3, 4]]), [[2, 3]])


def test_a_layer_in_the_step_of_a_loop_declares_around_it_under_the_scopes_of_the_step():
    g = gc.Graph()
    xs = g.input("xs", ("T", "N", 2), "float64")
    inside = gc.nn.Sequential(Scale(2.0), Scale(3.0), name="net")

    def step(h, x):
        with h.graph.scope("cell"):
            h = inside(h + x)
        return h, h

    with g.scope("encoder"):
        last, _ = gc.scan(step, gc.zeros_like(xs[0]), xs)
    assert names(g) == ["encoder.cell.net.scale.factor", "encoder.cell.net.scale_1.factor"]
    before = inside(xs[0])  # the same layers outside
    assert len(g.params) == 2
    np.testing.assert_array_equal(gc.interpret(before, xs=np.ones((1, 1, 2))), [[6, 6]])
    np.testing.assert_array_equal(gc.interpret(last, xs=np.ones((2, 1, 2))), [[42, 42]])
    assert gc.check_gradients(gc.sum(last), xs=np.ones((2, 1, 2))).ok


def test_free_names_pass_by_values_and_layers_without_parameters():
    @dataclass(frozen=True, slots=True, eq=False)
    class Twice(gc.nn.Layer):
        def __call__(self, x):
            with self.at(x):
                return x + x

    g = gc.Graph()
    x = g.input("x", (2,))
    g.param("scale.own", (1,))
    first, second = Twice()(x), Twice()(Scale()(x))
    assert names(g) == ["scale.own", "scale_1.factor"]
    assert [g.origins(y.id)[0].layer for y in (first, second)] == ["twice", "twice_1"]


def test_a_failed_first_call_leaves_nothing_behind():
    g = gc.Graph()
    layer = Scale()
    with pytest.raises(ShapeError):
        layer(g.input("bad", ("N", "F")))
    Scale()(g.input("x", (2,)))
    layer(g["x"])
    assert names(g) == ["scale.factor", "scale_1.factor"]


def test_layers_refuse_settings_and_inputs_by_name():
    with pytest.raises(GraphError, match="Scale: start=-1; give a positive number"):
        Scale(-1)
    with pytest.raises(GraphError, match="Blend: 2 is not a node"):
        Blend()(gc.Graph().input("x", (2,)), 2)
    g = gc.Graph()
    with pytest.raises(GraphError, match=r"name 'a.factor' is used already"):
        Scale(name="a")(Scale(name="a")(g.input("x", (2,))))


def test_layers_hash_and_compare_by_identity():
    assert Scale() != Scale()
    assert len({Scale(), Scale()}) == 2
