"""The interpreter, the binding of inputs that programs share with it, and initial values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphc.ops  # noqa: F401 - registers the ops
from graphc import init, registry
from graphc.binding import Binder, bind, check_indices
from graphc.errors import GraphcError, InputError, SizeError
from graphc.graph import FUNCTIONS, Cone, Graph
from graphc.init import initial_value
from graphc.interpret import interpret
from graphc.ops.elementwise import Scalar, make_op
from graphc.size import symbol
from graphc.types import DType, Type

F: Any = FUNCTIONS
N, M = symbol("N"), symbol("M")

# --------------------------------------------------------------------------------------------- interpreting


def line() -> tuple[Graph, Any]:
    g = Graph("line")
    x, w = g.input("x", ("N", 2)), g.param("w", (2,), init=[10.0, 20.0])
    return g, x * w + 1


def test_targets_of_every_kind() -> None:
    g, y = line()
    due = [[11, 41]]
    x = [[1, 2]]
    assert interpret(y, x=x).tolist() == due
    assert [v.tolist() for v in interpret([y, g["x"]], x=x)] == [due, x]
    assert interpret((y,), x=x)[0].tolist() == due
    assert {k: v.tolist() for k, v in interpret({"out": y, "w": g["w"]}, x=x).items()} == {
        "out": due,
        "w": [10, 20],
    }
    assert {k: v.tolist() for k, v in interpret(g, x=x).items()} == {f"%{y.id}": due}
    cone = Cone(g, {"y": y.id}, {g["w"].id: (g["w"] * 2).id})
    assert {k: v.tolist() for k, v in interpret(cone, x=x).items()} == {"y": due, "update w": [20, 40]}


def test_parameters_are_given_by_name_or_handle_and_states_too() -> None:
    g, y = line()
    s = g.state("s.count", (), "int64", init=3)
    assert interpret(y, x=[[1, 1]], w=[1, 2]).tolist() == [[2, 3]]
    assert interpret(y, params={"w": [1, 2], "x": [[1, 1]]}).tolist() == [[2, 3]]
    assert interpret(y, params={g["w"]: [1, 2], "s.count": 5}, x=[[1, 1]]).tolist() == [[2, 3]]
    assert interpret(s) == 3
    assert interpret(s, params={"s.count": 5}) == 5


def test_results_are_new_writable_arrays() -> None:
    g, _ = line()
    x = np.ones((3, 2), "float32")
    same, wide = interpret([g["x"], F["broadcast_to"](g["w"], (3, 2))], x=x)
    same[:], wide[:] = 7, 7
    assert x.tolist() == np.ones((3, 2)).tolist()
    assert initial_value(g, g["w"]).tolist() == [10, 20]


def test_symbolic_sizes_of_results_and_parameters_of_nodes() -> None:
    g = Graph()
    x = g.input("x", ("N", 2))
    flat = F["reshape"](x, (N * 2,))
    assert interpret(flat, x=np.zeros((3, 2), "float32")).shape == (6,)


def test_sizes_that_only_the_call_decides() -> None:
    g = Graph()
    z = g.input("x", ("N",)) + g.input("y", ("M",))
    assert interpret(z, x=[1, 2], y=[3, 4]).tolist() == [4, 6]
    with pytest.raises(
        InputError, match=r"add %2: sizes that meet: N is 2 and M is 3; give inputs .*\n  declared at"
    ):
        interpret(z, x=[1, 2], y=[1, 2, 3])
    with pytest.raises(SizeError, match=r"broadcast_to %4: size K has no value"):
        interpret(F["broadcast_to"](g.const(1.0), ("K",)))


def test_phase_reads_only_the_branch_taken() -> None:
    g = Graph()
    a, b = g.input("a"), g.input("b")
    y = F["phase"](train=a, eval=b)
    assert interpret(y, mode="train", a=1) == 1
    assert interpret(y, b=2) == 2
    with pytest.raises(InputError, match="mode 'test' is unknown"):
        interpret(y, mode="test", a=1)


def test_values_not_needed_any_more_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    import weakref

    alive: list[Any] = []
    peak = 0

    class Tracked(np.ndarray):
        pass

    def reference(operands: Any, params: Any, kind: Any) -> Any:
        nonlocal peak
        made = (np.asarray(operands[0]) + 1).view(Tracked)
        alive.append(weakref.ref(made))
        peak = max(peak, sum(r() is not None for r in alive))
        return made

    scalar = Scalar(name="tracked", arity=1, body=lambda x: x + 1)
    monkeypatch.setitem(registry._OPS, "tracked", make_op(scalar, reference=reference))
    monkeypatch.setattr(
        np, "asarray", lambda x, *a, **k: x if isinstance(x, Tracked) else np.array(x, *a, **k)
    )
    g = Graph()
    h = g.input("x", (4,))
    for _ in range(50):
        h = g.add("tracked", (h,))
    assert interpret(h, x=np.zeros(4, "float32")).tolist() == [50] * 4
    assert peak <= 3


def test_not_finite_values_and_empty_means_make_no_noise() -> None:
    g = Graph()
    x = g.input("x", ("N",))
    assert np.isnan(interpret(F["mean"](x), x=[]))
    assert interpret(F["log"](x), x=[0]).tolist() == [-np.inf]


def test_index_out_of_range() -> None:
    g = Graph()
    x, at = g.input("x", (3,)), g.input("at", ("N",), "int64")
    taken = F["take"](x, at)
    assert interpret(taken, x=[1, 2, 3], at=[2, 0]).tolist() == [3, 1]
    with pytest.raises(InputError, match=r"take %2: .*3"):
        interpret(taken, x=[1, 2, 3], at=[3])


# -------------------------------------------------------------------------------------------------- binding

X = {"x": Type(DType.F32, (N, 3))}


TAKEN = [
    ("float32", 1.5, 1.5),
    ("float32", np.float64(0.5), 0.5),
    ("float32", True, 1.0),
    ("float32", np.float16(0.5), 0.5),
    ("float64", np.float32(0.5), 0.5),
    ("float32", np.int64(7), 7.0),
    ("float32", float("inf"), float("inf")),
    ("int32", np.array(7), 7),
    ("int32", np.uint8(7), 7),
    ("int64", -(2**40), -(2**40)),
    ("int32", False, 0),
    ("bool", np.True_, True),
]


@pytest.mark.parametrize(("dtype", "value", "due"), TAKEN)
def test_what_binding_takes(dtype: str, value: Any, due: Any) -> None:
    array = bind({"v": Type(DType.of(dtype))}, {"v": value})[0]["v"]
    assert array.dtype == dtype
    assert array == due


def test_arrays_of_the_declared_dtype_are_taken_as_they_are() -> None:
    x = np.ones((3, 8), "float32").T[::2]
    x.flags.writeable = False
    assert bind(X, {"x": x})[0]["x"] is x
    big = bind(X, {"x": np.ones((4, 3), ">f4")})[0]["x"]
    assert big.dtype == np.dtype("float32")
    assert bind({"i": Type(DType.I32, (N,))}, {"i": []})[0]["i"].shape == (0,)


def test_sizes_are_solved_across_inputs() -> None:
    binder = Binder({"a": Type(DType.F32, (2 * N + 1, M)), "b": Type(DType.F32, (N * M, N // 2))})
    assert binder({"a": np.ones((9, 3), "f4"), "b": np.ones((12, 2), "f4")})[1] == {"N": 4, "M": 3}
    with pytest.raises(InputError, match=r"inputs? 'a' and 'b': N//2 \(with N=4\) is 2, but 1 was given"):
        binder({"a": np.ones((9, 3), "f4"), "b": np.ones((12, 1), "f4")})


def test_indices_are_checked() -> None:
    check_indices("take", np.array([-3, 2]), 3)
    check_indices("take", np.zeros(0, int), 0)
    for wrong in (3, -4):
        with pytest.raises(InputError, match=f"take: index {wrong} is out of range for size 3; give -3 to 2"):
            check_indices("take", np.array([0, wrong]), 3)


# ------------------------------------------------------------------------------------------ initial values

SCALES = [
    (init.XavierNormal(), 1 / 300),
    (init.XavierUniform(), 1 / 300),
    (init.KaimingNormal(), 2 / 300),
    (init.KaimingUniform(), 2 / 300),
    (init.XavierNormal(fan="out"), 1 / 200),
    (init.XavierUniform(fan="mean"), 1 / 250),
    (init.KaimingNormal(gain=3.0), 18 / 300),
    (init.Normal(0.0, 0.1), 0.01),
    (init.Uniform(-1, 1), 1 / 3),
]


@pytest.mark.parametrize(("initialiser", "variance"), SCALES)
def test_initialisers_have_the_variance_of_their_formula(initialiser: Any, variance: float) -> None:
    drawn = initialiser(np.random.default_rng(0), (300, 200), np.dtype("float32"))
    assert drawn.dtype == np.float32
    np.testing.assert_allclose(drawn.var(), variance, rtol=0.02)
    np.testing.assert_allclose(drawn.mean(), 0, atol=4 * (variance / drawn.size) ** 0.5)


def test_uniform_initialisers_stay_inside_their_bounds() -> None:
    drawn = init.KaimingUniform()(np.random.default_rng(0), (6, 5000), np.dtype("float64"))
    assert 0.999 < np.abs(drawn).max() <= 1
    conv = init.XavierUniform()(np.random.default_rng(0), (16, 3, 5, 5), np.dtype("float64"))
    assert np.abs(conv).max() <= (3 / 75) ** 0.5


def test_initial_values_depend_on_seed_and_name_only() -> None:
    first, second, third = Graph(seed=1), Graph(seed=1), Graph(seed=2)
    a = initial_value(first, first.param("a", (4, 4)))
    second.param("b", (3, 3))
    np.testing.assert_array_equal(a, initial_value(second, second.param("a", (4, 4))))
    assert not np.array_equal(a, initial_value(second, second.param("c", (4, 4))))
    assert not np.array_equal(a, initial_value(third, third.param("a", (4, 4))))
    assert initial_value(Graph(seed=-1), first["a"]).shape == (4, 4)


def test_defaults_and_given_values() -> None:
    g = Graph()
    assert np.any(initial_value(g, g.param("weight", (2, 3))))
    zero = [g.param("bias", (3,)), g.state("moment", (2, 2)), g.param("table", (2, 2), "int32")]
    assert not any(np.any(initial_value(g, h)) for h in zero)
    assert initial_value(g, g.param("three", (2,), init=3)).tolist() == [3, 3]
    assert initial_value(g, g.param("c", (2,), init=init.Constant(0.01))).tolist() == [np.float32(0.01)] * 2
    assert initial_value(g, g.param("ones", (2,), init=init.Ones())).tolist() == [1, 1]
    given = np.ones((2, 2), "float64")
    drawn = initial_value(g, g.param("given", init=given))
    drawn[:] = 5
    assert drawn.dtype == np.float32
    assert given.tolist() == [[1, 1], [1, 1]]


def test_errors_belong_to_one_tree() -> None:
    assert issubclass(InputError, GraphcError)
