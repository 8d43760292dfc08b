"""Random draws: the bits, their independence, and what holds of programs that draw."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import graphc as gc
from graphc.runtime import threads
from graphc.threefry import stream_key, threefry


def words(low: int, high: int) -> np.int64:
    return np.array(high << 32 | low, np.uint64).view(np.int64)[()]


@pytest.mark.parametrize(
    ("key", "counter", "bits"),
    [  # the known answers of Random123
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_the_generator_gives_its_known_answers(key, counter, bits) -> None:
    assert threefry(words(*key), words(*counter)) == words(*bits)


def test_a_stream_has_the_same_key_everywhere() -> None:
    assert stream_key(0, "hidden:0") == 3637313430494817102
    keys = {stream_key(seed, f"{layer}:{k}") for seed in range(4) for layer in "ab" for k in range(4)}
    assert len(keys) == 32


# ------------------------------------------------------------------------------ compiled and interpreted


@pytest.fixture(scope="module")
def drawn() -> tuple[dict[str, gc.Handle], gc.Program]:
    g = gc.Graph("draws", seed=5)
    x = g.input("x", ("N", 3))
    outputs = {
        "uniform": g.uniform(("N", 1000)),
        "flat": g.uniform((100_003,)),
        "double": g.uniform((5, 7, 11), dtype="float64"),
        "bernoulli": g.bernoulli(0.3, (300, 1, 300)),
        "by_node": g.bernoulli(gc.sigmoid(x), ("N", 3)),
        "normal": g.normal((100, 7, 100)),
        "normal_double": g.normal((1000, 50), dtype="float64"),
        "none": g.uniform((0, 3)),
        "scalar": g.uniform(),
    }
    return outputs, gc.compile(outputs, mode="train", verify=True)


def test_programs_draw_what_the_interpreter_draws(drawn) -> None:
    outputs, program = drawn
    x = np.zeros((11, 3), np.float32)
    for step in range(3):
        at = int(program.states["random.step"])
        found, expected = program(x=x), gc.interpret(outputs, x=x, params={"random.step": at})
        assert int(program.states["random.step"]) == at + 1
        for name in outputs:
            exact = not name.startswith("normal")
            tolerance = 0 if exact else 16 * float(np.finfo(found[name].dtype).eps)
            np.testing.assert_allclose(
                found[name], expected[name], rtol=tolerance, atol=tolerance, err_msg=name
            )
            assert found[name].dtype == expected[name].dtype, (name, step)


def test_the_position_moves_on_only_in_programs_that_draw() -> None:
    g = gc.Graph("both", seed=0)
    x, w = g.input("x", ("N", 3)), g.param("w", (3,), init=[1.0, 1.0, 1.0])
    plain, noisy = gc.sum(x * w), gc.sum(gc.dropout(x, 0.5) * w)
    drawing = gc.compile({"y": noisy}, updates=gc.optim.SGD(0.0)(gc.grad(noisy)))
    updating = gc.compile(updates=gc.optim.SGD(0.0)(gc.grad(noisy)), params=drawing.params)
    other = gc.compile({"y": plain}, updates=gc.optim.SGD(0.0)(gc.grad(plain)), params=drawing.params)
    assert "random.step" not in other.states
    for program, moved in ((drawing, 1), (other, 0), (updating, 1), (other, 0)):
        before = int(drawing.states["random.step"])
        program(x=np.ones((2, 3), np.float32))
        assert int(drawing.states["random.step"]) == before + moved


def test_a_state_that_follows_a_draw_moves_the_position_on() -> None:
    g = gc.Graph("followed", seed=0)
    x = g.input("x", ("N",))
    g.state("seen", (), update=gc.mean(gc.dropout(x, 0.5)))
    program = gc.compile({"y": x + 1}, mode="train")
    program(x=np.ones(4, np.float32))
    assert int(program.states["random.step"]) == 1


def test_any_number_of_threads_draws_the_same_bytes(drawn) -> None:
    _, program = drawn
    x, seen = np.zeros((500, 3), np.float32), []
    for count in (1, 2):
        program.states["random.step"] = 7
        with threads.limit(count):
            seen.append({name: value.tobytes() for name, value in program(x=x).items()})
    assert seen[0] == seen[1]


def test_the_text_form_reads_back_and_knows_its_streams() -> None:
    g = gc.Graph("text", seed=-3)
    with g.scope('it\'s "odd"'):
        y = g.uniform(("N", 3), low=-1) + g.normal((3,))
    h = gc.parse(str(g))
    assert h == g
    assert h.streams == g.streams
    again = h.uniform((3,))
    assert again.node.param["stream"] not in g.streams
    gc.check(g)
    assert y.graph is g


# ------------------------------------------------------------------------------------- their distribution

COUNT = 1 << 20


@pytest.fixture(scope="module")
def sample() -> dict[str, np.ndarray]:
    g = gc.Graph("sample", seed=11)
    outputs = {
        "uniform": g.uniform((COUNT,)),
        "neighbour": g.uniform((COUNT,)),
        "normal": g.normal((COUNT,), mean=2, std=3),
        "bernoulli": g.bernoulli(0.3, (COUNT,)),
    }
    program = gc.compile(outputs, mode="train")
    return {**program(), **{f"next {name}": value for name, value in program().items()}}


def test_moments_are_those_of_the_distributions(sample) -> None:
    root = COUNT**0.5
    uniform, normal = sample["uniform"].astype(np.float64), sample["normal"].astype(np.float64)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 4 * (1 / 12) ** 0.5 / root
    assert abs(uniform.var() - 1 / 12) < 4 * (1 / 180) ** 0.5 / root
    assert abs(sample["bernoulli"].mean() - 0.3) < 4 * 0.21**0.5 / root
    standard = (normal - 2) / 3
    for power, (moment, spread) in {1: (0, 1), 2: (1, 2), 3: (0, 15), 4: (3, 96)}.items():
        assert abs((standard**power).mean() - moment) < 4 * spread**0.5 / root, power


def test_each_byte_is_even(sample) -> None:
    whole = (sample["uniform"].astype(np.float64) * 2**24).astype(np.int64)
    for shift in (0, 8, 16):
        counts = np.bincount(whole >> shift & 255, minlength=256)
        square = ((counts - COUNT / 256) ** 2 / (COUNT / 256)).sum()
        assert abs(square - 255) < 4 * 510**0.5, shift


def test_streams_steps_and_elements_are_independent(sample) -> None:
    columns = [sample[name] for name in ("uniform", "neighbour", "next uniform")]
    columns += [np.roll(sample["uniform"], 1), np.roll(sample["uniform"], 2)]
    centred = [c.astype(np.float64) - 0.5 for c in columns]
    for a, b in itertools.combinations(centred, 2):
        assert abs((a * b).mean()) < 4 / 12 / COUNT**0.5


def test_the_tails_of_the_normal_distribution_are_there(sample) -> None:
    standard = np.abs((sample["normal"].astype(np.float64) - 2) / 3)
    for bound, chance in {1: 0.317310508, 2: 0.0455002639, 3: 0.0026997961, 4: 6.33424837e-05}.items():
        expected = chance * COUNT
        assert abs((standard > bound).sum() - expected) < 4 * expected**0.5, bound


# -------------------------------------------------------------------------------- identity of declarations


def test_two_draws_are_two_and_one_draw_is_one() -> None:
    g = gc.Graph("g", seed=0)
    a, b = g.uniform((4,)), g.uniform((4,))
    found = gc.interpret({"a": a, "b": b, "same": a - a, "sum": a + a})
    assert not np.array_equal(found["a"], found["b"])
    assert np.array_equal(found["sum"], 2 * found["a"])
    program = gc.compile({"a": a, "twice": a * 2, "b": b}, mode="train")
    out = program()
    assert np.array_equal(out["twice"], 2 * out["a"])
    assert not np.array_equal(out["a"], out["b"])


def test_the_seed_decides_and_other_layers_do_not() -> None:
    def value(seed: int, before: int) -> bytes:
        g = gc.Graph("g", seed=seed)
        for k in range(before):
            with g.scope(f"other{k}"):
                g.normal((3,))
        with g.scope("mine"):
            return gc.interpret(g.uniform((4,))).tobytes()

    assert value(1, 0) == value(1, 3) != value(2, 0)


def test_equal_layers_share_one_kernel_and_no_mask() -> None:
    g = gc.Graph("deep", seed=0)
    h = g.input("x", ("N", 32))
    for _ in range(6):
        h = gc.nn.Dropout(0.5)(gc.nn.Dense(32, activation="tanh")(h))
    loss = gc.mean(h**2)
    program = gc.compile({"loss": loss}, updates=gc.optim.SGD(0.1)(gc.grad(loss)))
    kernels = program.stages["module"].kernels
    assert max(len(k.steps) for k in kernels if "threefry" in k.text.body) >= 4
    assert len(g.streams) == 6


def test_evaluation_stands_still_and_training_moves_on() -> None:
    g = gc.Graph("g", seed=0)
    u = g.uniform((5,))
    still, moving = gc.compile({"u": u}), gc.compile({"u": u}, mode="train")
    assert np.array_equal(still()["u"], still()["u"])
    first, second = moving()["u"], moving()["u"]
    assert not np.array_equal(first, second)
    assert np.array_equal(still()["u"], first)


def test_states_hold_the_position_so_that_training_resumes() -> None:
    g = gc.Graph("g", seed=0)
    w = g.param("w", (50,))
    loss = gc.sum((gc.dropout(w + 1, 0.5) - g.normal((50,))) ** 2)
    updates = gc.optim.SGD(0.01)(gc.grad(loss))
    program = gc.compile({"loss": loss}, updates=updates)
    for _ in range(3):
        program()
    kept = {name: np.array(value) for name, value in {**program.params, **program.states}.items()}
    resumed = gc.compile({"loss": loss}, updates=updates, params=kept)
    for _ in range(3):
        assert program()["loss"].tobytes() == resumed()["loss"].tobytes()
    assert program.params["w"].tobytes() == resumed.params["w"].tobytes()


# -------------------------------------------------------------------------------------------- derivatives


def test_derivatives_go_through_location_and_scale() -> None:
    g = gc.Graph("g", seed=0)
    mean, std = g.param("mean", (20,), "float64"), g.param("std", (20,), "float64", init=np.ones(20))
    z = g.normal((20,), dtype="float64")
    drawn = gc.interpret(z)
    found = gc.interpret(gc.grad(gc.sum((mean + std * z) ** 2)))
    np.testing.assert_allclose(found["mean"], 2 * drawn)
    np.testing.assert_allclose(found["std"], 2 * drawn**2)
    u = g.normal((20,), mean=mean, std=std, dtype="float64")
    assert gc.check_gradients(gc.sum(u**3)).ok


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_gradient_of_dropout_is_its_mask(mode: str) -> None:
    g = gc.Graph("g", seed=0)
    x = g.input("x", ("N", 40))
    y = gc.dropout(gc.tanh(x), 0.25)
    slope = gc.grad(gc.sum(gc.dropout(x, 0.25)), x)
    z = gc.dropout(x, 0.25)
    program = gc.compile({"y": y, "z": z, "dz": gc.grad(gc.sum(z), x), "slope": slope}, mode=mode)
    given = np.random.default_rng(0).uniform(1, 2, (50, 40)).astype(np.float32)
    for _ in range(3):
        out = program(x=given)
        if mode == "eval":
            assert np.array_equal(out["z"], given)
            assert np.all(out["dz"] == 1)
            continue
        mask = out["z"] != 0
        assert np.array_equal(out["dz"], np.where(mask, np.float32(1 / 0.75), 0).astype(np.float32))
        assert not np.array_equal(out["slope"], out["dz"])
        assert abs(mask.mean() - 0.75) < 3 * (0.25 * 0.75 / mask.size) ** 0.5


def test_the_jacobian_of_dropout_is_diagonal() -> None:
    g = gc.Graph("g", seed=0)
    x = g.input("x", (6,))
    y = gc.dropout(x, 0.5)
    found = gc.interpret({"y": y, "j": gc.jacobian(y, x)}, mode="train", x=np.ones(6, np.float32))
    np.testing.assert_array_equal(found["j"], np.diag(found["y"]))


# ------------------------------------------------------------------------------------------------- loops


def test_each_step_of_a_loop_draws_anew() -> None:
    g = gc.Graph("g", seed=0)
    x = g.input("x", ("T", 4, 8))

    def body(h, x):
        inner, _ = gc.scan(lambda s, _: (s + gc.uniform_like(s), None), gc.zeros_like(h), length=2)
        h = gc.dropout(h + x, 0.5) + gc.normal_like(h) + inner
        return h, h

    _, hs = gc.scan(body, gc.zeros_like(x[0]), x)
    slope = gc.grad(gc.sum(hs), x)
    program = gc.compile({"hs": hs, "slope": slope}, mode="train", verify=True)
    given = np.ones((5, 4, 8), np.float32)
    for step in range(2):
        out = program(x=given)
        expected = gc.interpret(
            {"hs": hs, "slope": slope}, mode="train", x=given, params={"random.step": step}
        )
        np.testing.assert_allclose(out["hs"], expected["hs"], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(out["slope"], expected["slope"], rtol=1e-5, atol=1e-5)
        masks = {row.tobytes() for row in np.diff(out["hs"], axis=0)}
        assert len(masks) == 4


def test_a_draw_outside_a_loop_is_the_same_in_every_step() -> None:
    g = gc.Graph("g", seed=0)
    u = g.uniform((3,))
    _, ys = gc.scan(lambda h, _: (h + u, u), gc.zeros_like(u), length=4)
    _, zs = gc.scan(lambda h, _: (h + u, gc.uniform_like(h)), gc.zeros_like(u), length=4)
    found = gc.interpret({"ys": ys, "zs": zs})
    assert len({row.tobytes() for row in found["ys"]}) == 1
    assert len({row.tobytes() for row in found["zs"]}) == 4


# ------------------------------------------------------------------------------------------------- layers


def test_feature_maps_are_dropped_whole() -> None:
    g = gc.Graph("maps", seed=0)
    x = g.input("x", ("N", 8, 4, 4))
    found = gc.compile({"y": gc.nn.Dropout(0.5, axes=(0, 1))(x)}, mode="train")(
        x=np.ones((30, 8, 4, 4), np.float32)
    )["y"]
    maps = found.reshape(240, 16)
    assert np.all(maps == maps[:, :1])
    assert abs((maps[:, 0] != 0).mean() - 0.5) < 3 * 0.5 / 240**0.5


def test_layers_are_the_identity_in_evaluation_and_have_names() -> None:
    g = gc.Graph("net", seed=0)
    x = g.input("x", ("N", 5))
    y = gc.nn.GaussianNoise(0.1)(gc.nn.Dropout(0.5)(gc.nn.Dropout(0.5, name="second")(x)))
    given = np.arange(10, dtype=np.float32).reshape(2, 5)
    assert np.array_equal(gc.compile({"y": y})(x=given)["y"], given)
    assert g.streams == {"second:0", "dropout:0", "gaussian_noise:0"}
    assert gc.nn.Dropout(0)(x) is x


def test_noise_on_weights_is_centred_and_weights_learn_through_it() -> None:
    g = gc.Graph("net", seed=0)
    w = g.param("w", (400, 50), init=np.ones((400, 50), np.float32))
    noisy = gc.nn.GaussianNoise(0.5)(w)
    program = gc.compile({"w": noisy, "dw": gc.grad(gc.sum(noisy * noisy), w)}, mode="train")
    found = program()
    assert abs(found["w"].mean() - 1) < 4 * 0.5 / 20_000**0.5
    assert abs(found["w"].std() - 0.5) < 4 * 0.5 / 40_000**0.5
    np.testing.assert_array_equal(found["dw"], 2 * found["w"])


def test_dropped_weights_average_to_the_scaled_ones() -> None:
    """For a linear layer, the mean over masks is the layer without them, which is what evaluation computes."""
    g = gc.Graph("linear", seed=0)
    x, w = g.input("x", ("N", 20)), g.param("w", (20, 3))
    y = x @ gc.dropout(w, 0.3)
    sampled = gc.compile({"y": y}, mode="train")
    scaled = gc.compile({"y": y}, mode="eval", params=sampled.params)
    given = np.random.default_rng(0).normal(size=(4, 20)).astype(np.float32)
    answers = np.stack([sampled(x=given)["y"] for _ in range(2000)])
    error = np.abs(answers.mean(0) - scaled(x=given)["y"])
    assert np.all(error < 4.5 * answers.std(0) / 2000**0.5)
    assert answers.std(0).min() > 0


def test_a_reused_layer_draws_a_mask_each_time() -> None:
    g = gc.Graph("twice", seed=0)
    x = g.input("x", (100,))
    layer = gc.nn.Dropout(0.5)
    first, second = gc.interpret([layer(x), layer(x)], mode="train", x=np.ones(100, np.float32))
    assert not np.array_equal(first, second)
