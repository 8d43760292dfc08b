"""What a first hour with the package meets: natural calls work, natural mistakes are told what to do."""

import re

import numpy as np
import pytest

import graphc as gc
from graphc.cli.digits import declare
from graphc.errors import GraphError, InputError
from graphc.graph import node
from graphc.ops import contract


@pytest.fixture
def line():
    """The loss of a line through points, its two parameters and one gradient by an inner node."""
    g = gc.Graph("line")
    x, t = g.input("x", ("N",)), g.input("t", ("N",))
    w, b = g.param("w", (), init=2.0), g.param("b", ())
    residual = w * x + b - t
    return w, b, residual, gc.mean(residual * residual)


def test_gradients_are_named_by_what_they_are_by(line):
    w, b, residual, loss = line
    grads = gc.grad(loss, [w, b, residual])
    interpreted = gc.interpret(grads, x=[1, 2], t=[0, 0])
    assert list(interpreted) == ["w", "b", f"%{residual.id}"]
    np.testing.assert_allclose(interpreted["w"], 10)
    compiled = gc.compile(gc.grad(loss))(x=[1, 2], t=[0, 0])
    assert compiled == {"w": interpreted["w"], "b": interpreted["b"]}
    assert "w = sum" in gc.draw({w: gc.sum(residual)}).dot


def test_a_default_is_no_operand():
    scaled = [gc.elementwise(f"first_times_{k}", lambda z, k=k: k * z) for k in (2, 3)]
    x = gc.Graph().input("x")
    assert [float(gc.interpret(function(x), x=5)) for function in scaled] == [10, 15]


def test_the_demo_names_its_own_lines():
    assert {origin.short.split(":")[0] for at in (4, 10, 16) for origin in _origins(at)} == {"digits.py"}


def _origins(at):
    return declare(seed=0).loss.graph.origins(at)


def test_files_called_like_the_package_are_the_users():
    file = node.PACKAGE.rstrip("/") + "_of_mine.py"
    found = {}
    exec(compile("import graphc\n\nx = graphc.Graph().input('x')", file, "exec"), found)
    assert found["x"].place == f'File "{file}", line 3'


def test_parameters_take_what_an_assignment_takes(line):
    w = line[0]
    for given in (np.float64(3), 3, np.array(3.0)):
        predict = gc.compile(w * 2, params={"w": given})
        predict.params["w"] = predict.params["w"]
        assert predict()["out"] == 6
    with pytest.raises(InputError, match="dtype complex128 does not fit float32"):
        gc.compile(w * 2, params={"w": 3j})


def test_slopes_of_steps_are_written_as_brackets():
    g = gc.Graph()
    x = g.input("x", ("N",))
    hidden = gc.relu(x)
    program = gc.compile(gc.grad(gc.sum(hidden * hidden), x))
    assert "Piecewise" not in program.source
    assert re.search(r"= \[%\d+ > 0\]", program.source)


UNARY = (np.abs, np.exp, np.tanh, np.arctan, np.negative, np.sqrt, np.floor, np.isnan, np.log1p)
BINARY = (np.add, np.subtract, np.multiply, np.divide, np.power, np.remainder, np.floor_divide, np.maximum)
BINARY += (
    np.arctan2,
    np.less,
    np.less_equal,
    np.greater,
    np.greater_equal,
    np.equal,
    np.not_equal,
    np.matmul,
)


def test_functions_of_numpy_apply_to_nodes():
    value, left = np.float32([0.5, 1.5, 2.5]), np.float32([2.5, 1.5, 0.25])
    x = gc.Graph().input("x", (3,))
    for function in UNARY:
        np.testing.assert_allclose(gc.interpret(function(x), x=value), function(value), 1e-6)
    for function in BINARY:
        first = left if function is np.matmul else np.float32(2)
        found = gc.interpret([function(left, x), function(first, x)], x=value)
        for built, given in zip(found, (left, first), strict=True):
            np.testing.assert_allclose(built, function(given, value), 1e-6, err_msg=str(function))


def test_arrays_and_numbers_of_numpy_on_the_left():
    x, at = gc.Graph().input("x", (3,)), np.float32([0.5, 1.5, 2.5])
    a, two = np.float32([3, 2, 1]), np.float32(2)
    for built, wanted in (
        (a - x, a - at), (a / x, a / at), (a @ x, a @ at), (a**x, a**at), (a % x, a % at), (a < x, a < at),
        (a == x, a == at), (two - x, 2 - at), (two**x, 2**at), ((a > 1) & (x > 1), (a > 1) & (at > 1)),
    ):  # fmt: skip
        assert isinstance(built, gc.Handle)
        np.testing.assert_allclose(gc.interpret(built, x=at), wanted, 1e-6)
        assert gc.interpret(built, x=at).dtype == wanted.dtype


def test_forms_of_numpy_that_have_no_meaning_here():
    x, a = gc.Graph().input("x", (3,)), np.ones(3, np.float32)
    for act in (lambda: np.cbrt(x), lambda: np.add(a, x, out=a), lambda: np.add.outer(a, x)):
        with pytest.raises(
            GraphError, match=r"input 'x': np\.\w+ does not apply to a node .*use a function of graphc"
        ):
            act()
    with pytest.raises(GraphError, match=r"np\.add does not apply"):
        a += x


@pytest.mark.parametrize("spec", list(contract._MATRIX))
def test_products_are_written_as_products(spec):
    rng, sizes = np.random.default_rng(0), {"a": 2, "b": 3, "c": 4}
    p, q = (rng.normal(size=[sizes[letter] for letter in word]) for word in spec.split("->")[0].split(","))
    text = contract._label(("p", "q"), {"spec": spec})
    assert "einsum" not in text
    wanted = eval(text, {"p": p, "q": q, "dot": np.dot, "outer": np.outer})
    np.testing.assert_allclose(np.einsum(spec, p, q), wanted)
