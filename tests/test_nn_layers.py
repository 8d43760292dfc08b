"""Layers beside NumPy: values of one compiled program, gradients beside differences, batch norm's running averages."""

import itertools

import numpy as np
import pytest

import graphc as gc

RNG = np.random.default_rng(0)
nn = gc.nn

# ------------------------------------------------------------------------------------- references, in loops


def padded(x, pairs):
    return np.pad(x, [(0, 0), (0, 0), *pairs])


def test_embedding_refuses_indices_that_are_none():
    g = gc.Graph(seed=0)
    y = nn.Embedding(5, 2, padding_idx=0, name="e")(g.input("i", ("N",), "int32"))
    program, slopes = gc.compile({"y": y}), gc.compile({"g": gc.grad(gc.sum(y * y), g["e.weight"])})
    for wrong in (-1, -5, 5):
        for call in (program, slopes, lambda i: gc.interpret(y, i=i)):
            with pytest.raises(gc.errors.InputError, match=f"index {wrong} is out of "):
                call(i=[0, wrong])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_positions_found_in_the_values_are_never_out_of_range(axis):
    """What an input does not hold is kept within the size by the kernel, also where nothing counts from the end."""
    g = gc.Graph()
    x, i = g.input("x", (3, 4, 5)), g.input("i", (2,), "int64")
    taken = gc.take(x, i - 1, axis, wrap=False)
    values = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    np.testing.assert_array_equal(
        gc.compile({"y": taken})(x=values, i=[0, 100])["y"],
        np.take(values, [0, values.shape[axis] - 1], axis),
    )


def conv(x, w, b, stride, pairs, dilation=1, groups=1):
    """The sum over windows, written out."""
    x, (out, inner, kh, kw) = padded(x, pairs), w.shape
    rows = (x.shape[2] - dilation * (kh - 1) - 1) // stride + 1
    columns = (x.shape[3] - dilation * (kw - 1) - 1) // stride + 1
    y = np.zeros((len(x), out, rows, columns))
    for o, i, j in np.ndindex(out, rows, columns):
        own = slice(o // (out // groups) * inner, (o // (out // groups) + 1) * inner)
        seen = x[:, own, i * stride :, j * stride :][
            :, :, : dilation * kh : dilation, : dilation * kw : dilation
        ]
        y[:, o, i, j] = (seen[:, :, :kh, :kw] * w[o]).sum((1, 2, 3)) + b[o]
    return y


def conv_transpose(x, w, b, stride):
    """Each element adds the kernel where it stands."""
    (n, channels, rows, columns), (_, out, kh, kw) = x.shape, w.shape
    y = np.zeros((n, out, (rows - 1) * stride + kh, (columns - 1) * stride + kw)) + b[:, None, None]
    for c, i, j in np.ndindex(channels, rows, columns):
        y[:, :, i * stride : i * stride + kh, j * stride : j * stride + kw] += (
            x[:, c, i, j][:, None, None, None] * w[c]
        )
    return y


def windows(x, k, s):
    places = [range(0, size - k + 1, s) for size in x.shape[2:]]
    found = [x[:, :, i : i + k, j : j + k] for i, j in itertools.product(*places)]
    return np.stack(found, -1).reshape(*x.shape[:2], k * k, len(places[0]), len(places[1]))


def standard(x, axes, eps=1e-5):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def affine(z, p, axis=1):
    shape = [-1 if k == axis else 1 for k in range(z.ndim)]
    return z * p["scale"].reshape(shape) + p["shift"].reshape(shape)


# Each: a layer, the shape of its input, its meaning over x and its parameters.
CASES = {
    "conv2d": (
        nn.Conv2d(4, 3, 2, padding=1, groups=2, dilation=2, bias_init=gc.init.Normal()),
        (2, 6, 7, 8),
        lambda x, p: conv(x, p["weight"], p["bias"], 2, [(1, 1)] * 2, 2, 2),
    ),
    "conv2d_same_even": (
        nn.Conv2d(3, (2, 4), padding=((0, 1), (1, 2)), activation="tanh", bias_init=gc.init.Normal()),
        (2, 2, 5, 6),
        lambda x, p: np.tanh(conv(x, p["weight"], p["bias"], 1, [(0, 1), (1, 2)])),
    ),
    "conv1d": (
        nn.Conv1d(4, 3, padding=[(2, 0)], use_bias=False),
        (2, 3, 7),
        lambda x, p: conv(x[:, :, None], p["weight"][:, :, None], np.zeros(4), 1, [(0, 0), (2, 0)])[:, :, 0],
    ),
    "conv_transpose2d": (
        nn.ConvTranspose2d(3, (2, 3), 2, bias_init=gc.init.Normal()),
        (2, 4, 3, 4),
        lambda x, p: conv_transpose(x, p["weight"], p["bias"], 2),
    ),
    "conv_transpose1d": (
        nn.ConvTranspose1d(3, 4, 3, activation="relu", bias_init=gc.init.Normal()),
        (2, 4, 3),
        lambda x, p: np.maximum(
            conv_transpose(x[:, :, None], p["weight"][:, :, None], p["bias"], 3)[:, :, 0], 0
        ),
    ),
    "max_pool2d": (nn.MaxPool2d(3, 2), (2, 3, 7, 8), lambda x, p: windows(x, 3, 2).max(2)),
    "avg_pool2d": (nn.AvgPool2d(3, 2), (2, 3, 7, 8), lambda x, p: windows(x, 3, 2).mean(2)),
    "max_pool1d": (nn.MaxPool1d(2), (2, 3, 7), lambda x, p: x[:, :, :6].reshape(2, 3, 3, 2).max(-1)),
    "avg_pool1d": (nn.AvgPool1d(2), (2, 3, 7), lambda x, p: x[:, :, :6].reshape(2, 3, 3, 2).mean(-1)),
    "global_avg_pool": (nn.GlobalAvgPool(), (2, 3, 4, 5), lambda x, p: x.mean((2, 3))),
    "flatten": (nn.Flatten(), (2, 3, 4, 5), lambda x, p: x.reshape(2, -1)),
    "flatten_last": (nn.Flatten(-2), (2, 3, 4, 5), lambda x, p: x.reshape(2, 3, -1)),
    "batch_norm": (nn.BatchNorm(), (3, 4, 2, 5), lambda x, p: affine(standard(x, (0, 2, 3)), p)),
    "batch_norm_last": (
        nn.BatchNorm(axis=-1, eps=0.1),
        (3, 4, 5),
        lambda x, p: affine(standard(x, (0, 1), 0.1), p, 2),
    ),
    "layer_norm": (nn.LayerNorm(), (3, 4, 5), lambda x, p: affine(standard(x, -1), p, 2)),
    "rms_norm": (
        nn.RMSNorm(),
        (3, 5),
        lambda x, p: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * p["scale"],
    ),
    "instance_norm": (nn.InstanceNorm(), (2, 3, 4, 5), lambda x, p: affine(standard(x, (2, 3)), p)),
    "group_norm": (
        nn.GroupNorm(2),
        (2, 6, 4, 5),
        lambda x, p: affine(standard(x.reshape(2, 2, 3, 4, 5), (2, 3, 4)).reshape(x.shape), p),
    ),
    "maxout": (
        nn.Maxout(3, pieces=2, bias_init=gc.init.Normal()),
        (4, 5),
        lambda x, p: (x @ p["weight"] + p["bias"]).reshape(4, 3, 2).max(-1),
    ),
    "residual": (nn.Residual(nn.Dense(5, "tanh")), (4, 5), lambda x, p: x + np.tanh(x @ p["dense.weight"])),
    "residual_scaled": (
        nn.Residual(nn.Dense(5), shortcut=0.5, branch_scale=0.25, activation="relu"),
        (4, 5),
        lambda x, p: np.maximum(x / 2 + p["scale"] * (x @ p["dense.weight"] + p["dense.bias"]), 0),
    ),
    "residual_projected": (
        nn.Residual(nn.Conv2d(3, 3, 2, padding=1), shortcut=nn.Conv2d(3, 1, 2, use_bias=False)),
        (2, 2, 6, 6),
        lambda x, p: (
            conv(x, p["conv2d.weight"], p["conv2d.bias"], 2, [(1, 1)] * 2)
            + conv(x, p["conv2d_1.weight"], np.zeros(3), 2, [(0, 0)] * 2)
        ),
    ),
    "leaky_relu": (nn.Activation("leaky_relu", slope=0.3), (4, 5), lambda x, p: np.where(x > 0, x, 0.3 * x)),
    "sign": (nn.Activation("sign"), (4, 5), lambda x, p: np.sign(x)),
    "step": (nn.Activation("step"), (4, 5), lambda x, p: (x > 0) * 1.0),
    "hard_tanh": (nn.Activation("hard_tanh"), (4, 5), lambda x, p: np.clip(x, -1, 1)),
    "softplus": (nn.Activation(gc.softplus), (4, 5), lambda x, p: np.log1p(np.exp(x))),
    "softmax": (
        nn.Activation("softmax", axis=0),
        (4, 5),
        lambda x, p: np.exp(x) / np.exp(x).sum(0, keepdims=True),
    ),
}


def declared(name, layer, shape, graph, dtype="float64", batch="N"):
    with graph.scope(name):
        return layer(graph.input(f"{name}.x", (batch, *shape[1:]), dtype))


def own_params(graph, name):
    """The parameters of the layer in scope ``name``, by their names within the layer."""
    return {p.name.split(".", 2)[2]: p for p in graph.params if p.name.startswith(f"{name}.")}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-10)])
def test_layers_compute_what_numpy_does(dtype, tolerance):
    g = gc.Graph(seed=3)
    outputs = {
        name: declared(name, layer, shape, g, dtype, f"N{k}")
        for k, (name, (layer, shape, _)) in enumerate(CASES.items())
    }
    program = gc.compile(outputs, mode="train")
    inputs = {f"{name}.x": RNG.normal(size=shape).astype(dtype) for name, (_, shape, _) in CASES.items()}
    found = program(**inputs)
    for name, (_, _, meaning) in CASES.items():
        params = {key: np.array(program.params[p.name]) for key, p in own_params(g, name).items()}
        expected = meaning(inputs[f"{name}.x"].astype("float64"), params)
        assert found[name].dtype == dtype
        np.testing.assert_allclose(found[name], expected, rtol=tolerance, atol=tolerance, err_msg=name)


# Of batch norm the formula of the gradient is tested below, in training mode.
SMOOTH = [name for name in CASES if name not in ("sign", "step") and not name.startswith("batch_norm")]


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_of_layers_are_those_of_differences(name):
    layer, shape, _ = CASES[name]
    g = gc.Graph(seed=1)
    y = declared(name, layer, shape, g)
    rng = np.random.default_rng(2)
    if isinstance(
        layer, nn.BatchNorm
    ):  # the mode of the states does not matter: statistics are differentiated below
        return
    weights = g.const(rng.normal(size=y.shape[1:]))
    given = {f"{name}.x": rng.permutation(np.linspace(-2, 2, np.prod(shape))).reshape(shape)}
    assert gc.check_gradients(gc.sum(y * weights), **given).ok


# --------------------------------------------------------------------------------------------- batch norm


def normed(batch="N", **options):
    g = gc.Graph()
    x = g.input("x", (batch, 3, 4), "float64")
    return g, x, nn.BatchNorm(name="bn", **options)(x)


def running_after(batches, momentum):
    mean, variance = np.zeros(3), np.ones(3)
    for x in batches:
        mean = (1 - momentum) * mean + momentum * x.mean((0, 2))
        variance = (1 - momentum) * variance + momentum * x.var((0, 2), ddof=1)
    return mean, variance


@pytest.mark.parametrize("rows", ["N", 0])
def test_an_empty_batch_leaves_running_averages(rows):
    g = gc.Graph()
    x = g.input("x", (rows, 3))
    y = nn.BatchNorm(name="bn")(x)
    train = gc.compile({"y": y}, updates=gc.optim.SGD(0.1)(gc.grad(gc.sum(y * y))))
    train(x=np.zeros((0, 3), "float32"))
    assert train.states["bn.running_mean"].tolist() == [0, 0, 0]
    assert train.states["bn.running_var"].tolist() == train.params["bn.scale"].tolist() == [1, 1, 1]


def test_running_averages_after_some_steps_and_evaluation_from_one_declaration():
    _, _, y = normed(momentum=0.2)
    params = {"bn.scale": np.array([1.0, 2, 3]), "bn.shift": np.array([0.5, 0, -1])}
    train = gc.compile({"y": y}, mode="train", params=params)
    evaluate = gc.compile({"y": y}, mode="eval", params=train.params)
    batches = [RNG.normal(2, 3, size=(n, 3, 4)) for n in (5, 2, 7)]
    values = [train(x=batch)["y"] for batch in batches]
    p = {"scale": params["bn.scale"], "shift": params["bn.shift"]}
    for value, batch in zip(values, batches, strict=True):
        np.testing.assert_allclose(value, affine(standard(batch, (0, 2)), p), rtol=1e-10, atol=1e-12)
    mean, variance = running_after(batches, 0.2)
    np.testing.assert_allclose(train.states["bn.running_mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(train.states["bn.running_var"], variance, rtol=1e-12)
    z = (batches[0] - mean[:, None]) / np.sqrt(variance[:, None] + 1e-5)
    np.testing.assert_allclose(evaluate(x=batches[0])["y"], affine(z, p), rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(evaluate.states["bn.running_mean"], train.states["bn.running_mean"])


def test_a_fixed_batch_is_normalised_as_a_symbolic_one():
    batch, states = RNG.normal(size=(5, 3, 4)), []
    for size in ("N", 5):
        _, _, y = normed(size)
        train = gc.compile({"y": y}, mode="train")
        train(x=batch)
        states.append(np.array(train.states["bn.running_var"]))
    np.testing.assert_allclose(*states, rtol=1e-14)


def test_the_gradient_goes_through_the_statistics():
    """dx = scale / deviation * (dy - mean(dy) - z mean(dy z)), Ioffe and Szegedy 2015."""
    g, x, y = normed()
    dy = g.input("dy", ("N", 3, 4), "float64")
    loss = gc.sum(y * dy)
    grads = gc.grad(loss, [x, g["bn.scale"], g["bn.shift"]])
    batch, cotangent = RNG.normal(1, 2, (5, 3, 4)), RNG.normal(size=(5, 3, 4))
    scale = np.array([1.0, 2, -3])
    train = gc.compile(grads, mode="train", params={"bn.scale": scale, "bn.shift": np.zeros(3)})
    found = train(x=batch, dy=cotangent)
    z, deviation = standard(batch, (0, 2)), np.sqrt(batch.var((0, 2)) + 1e-5)
    means = cotangent.mean((0, 2), keepdims=True) + z * (cotangent * z).mean((0, 2), keepdims=True)
    expected = (scale / deviation)[:, None] * (cotangent - means)
    np.testing.assert_allclose(found["x"], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["bn.scale"], (cotangent * z).sum((0, 2)), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["bn.shift"], cotangent.sum((0, 2)), rtol=1e-12)


def test_a_batch_of_one_value_a_channel_keeps_the_averages_finite():
    g = gc.Graph()
    y = nn.BatchNorm(name="bn")(g.input("x", ("N", 2), "float64"))
    train = gc.compile({"y": y}, mode="train")
    np.testing.assert_array_equal(train(x=np.array([[3.0, 4.0]]))["y"], [[0, 0]])
    np.testing.assert_allclose(train.states["bn.running_var"], [0.9, 0.9])


def test_one_batch_norm_called_twice_averages_over_both_and_alone_over_the_one_that_runs():
    g = gc.Graph()
    layer = nn.BatchNorm(name="bn")
    left, right = g.input("left", ("N", 3, 4), "float64"), g.input("right", ("M", 3, 4), "float64")
    a, b = layer(left), layer(right)
    batches = {"left": RNG.normal(size=(5, 3, 4)), "right": RNG.normal(2, 1, size=(2, 3, 4))}
    for outputs, used in (
        ({"a": a, "b": b}, ("left", "right")),
        ({"a": a}, ("left",)),
        ({"b": b}, ("right",)),
    ):
        train = gc.compile(outputs, mode="train")
        train(**{name: batches[name] for name in used})
        mean, variance = running_after([batches[name] for name in used], 0.1)
        np.testing.assert_allclose(train.states["bn.running_mean"], mean, rtol=1e-12)
        np.testing.assert_allclose(train.states["bn.running_var"], variance, rtol=1e-12)
    assert gc.parse(str(g)) == g


def test_a_network_in_evaluation_is_the_one_with_batch_norm_folded_into_its_weights():
    g = gc.Graph(seed=1)
    x = g.input("x", ("N", 2, 6, 6), "float64")
    h = gc.relu(nn.BatchNorm(name="bn1")(nn.Conv2d(4, 3, name="conv")(x)))
    y = nn.BatchNorm(name="bn2")(nn.Dense(3, name="out")(nn.Flatten()(h)))
    train = gc.compile({"y": y}, mode="train")
    train.params.update({"bn1.scale": RNG.normal(size=4), "bn1.shift": RNG.normal(size=4)})
    for _ in range(3):
        train(x=RNG.normal(size=(8, 2, 6, 6)))
    p, s = train.params, train.states
    factors = {n: p[f"{n}.scale"] / np.sqrt(s[f"{n}.running_var"] + 1e-5) for n in ("bn1", "bn2")}
    shifts = {n: p[f"{n}.shift"] - s[f"{n}.running_mean"] * factors[n] for n in factors}
    batch = RNG.normal(size=(4, 2, 6, 6))
    kernel = p["conv.weight"] * factors["bn1"][:, None, None, None]
    z = conv(batch, kernel, p["conv.bias"] * factors["bn1"] + shifts["bn1"], 1, [(0, 0)] * 2)
    z = np.maximum(z, 0).reshape(4, -1) @ (p["out.weight"] * factors["bn2"])
    z = z + p["out.bias"] * factors["bn2"] + shifts["bn2"]
    evaluate = gc.compile({"y": y}, mode="eval", params=train.params)
    np.testing.assert_allclose(evaluate(x=batch)["y"], z, rtol=1e-10, atol=1e-12)


# ---------------------------------------------------------------------------------------------- embedding


@pytest.mark.parametrize("padding", [None, 1])
def test_embedding_gives_rows_and_adds_up_their_gradients(padding):
    g = gc.Graph()
    tokens = g.input("tokens", ("N", "T"), "int32")
    y = nn.Embedding(4, 2, padding, name="e", dtype="float64")(tokens)
    table = RNG.normal(size=(4, 2))
    given = np.array([[0, 1, 3], [3, 1, 3]], "int32")
    out = gc.compile({"y": y, **gc.grad(gc.sum(y * y))}, params={"e.weight": table})(tokens=given)
    kept = table * (1 if padding is None else (np.arange(4) != padding)[:, None])
    np.testing.assert_array_equal(out["y"], kept[given])
    np.testing.assert_allclose(out["e.weight"], 2 * kept * np.array([1, 2, 0, 3])[:, None])


def test_embeddings_are_drawn_from_the_standard_normal():
    g = gc.Graph()
    nn.Embedding(1000, 10, name="e")(g.input("i", (), "int64"))
    table = gc.compile({"e": g["e.weight"]})()["e"]
    assert abs(table.std() - 1) < 0.05
    assert table.dtype == np.float32


# --------------------------------------------------------------------------------------- blocks and names


def test_blocks_in_blocks_have_paths_of_names():
    def block():
        return nn.Residual(nn.Sequential(nn.BatchNorm(), "relu", nn.Dense(4), name="branch"))

    g = gc.Graph()
    nn.Sequential(nn.Dense(4), block(), block(), nn.Residual(block()), name="net")(g.input("x", ("N", 3)))
    assert [p.name.removesuffix(".weight") for p in g.params if p.name.endswith("weight")] == [
        "net.dense",
        "net.residual.branch.dense",
        "net.residual_1.branch.dense",
        "net.residual_2.residual.branch.dense",
    ]
    assert [s.name for s in g.leaves("state")][-1] == "net.residual_2.residual.branch.batch_norm.running_var"


def test_a_residual_branch_of_scale_zero_is_its_shortcut():
    g = gc.Graph()
    x = g.input("x", ("N", 4))
    y = nn.Sequential(*[nn.Residual(nn.Dense(4, "relu"), branch_scale=0.0) for _ in range(50)])(x)
    given = RNG.normal(size=(3, 4)).astype("float32")
    np.testing.assert_array_equal(gc.interpret(y, x=given), given)


def test_a_shortcut_may_be_any_layer():
    g = gc.Graph()
    x = g.input("x", ("N", 4), "float64")
    given = RNG.normal(size=(3, 4))
    for shortcut in ("tanh", gc.tanh, nn.Activation("tanh"), nn.Sequential("tanh")):
        y = nn.Residual(gc.exp, shortcut)(x)
        np.testing.assert_allclose(gc.interpret(y, x=given), np.tanh(given) + np.exp(given))


def test_convolutions_of_images_of_any_size():
    g = gc.Graph()
    x = g.input("x", ("N", 3, "H", "W"))
    y = nn.Sequential(nn.Conv2d(4, 3, padding="same"), "relu", nn.MaxPool2d(2), nn.GlobalAvgPool())(x)
    program = gc.compile({"y": y})
    for size in ((8, 8), (5, 13)):
        given = RNG.normal(size=(2, 3, *size)).astype("float32")
        np.testing.assert_allclose(program(x=given)["y"], gc.interpret(y, x=given), rtol=1e-5, atol=1e-6)


NORMALISING = [
    nn.BatchNorm(), nn.LayerNorm(), nn.LayerNorm((1, 2, 3)), nn.RMSNorm(axis=(1, 2, 3)), nn.InstanceNorm(),
    nn.GroupNorm(3),
]  # fmt: skip


@pytest.mark.parametrize("layer", NORMALISING)
def test_a_normalising_layer_begins_with_scale_1_and_shift_0(layer):
    """Also where these have several axes, as the weights that are drawn at random."""
    g = gc.Graph(seed=1)
    params = gc.compile({"y": layer(g.input("x", (2, 3, 4, 5)))}).params
    found = {name.split(".")[1]: set(value.ravel().tolist()) for name, value in params.items()}
    assert found == {name: {float(name == "scale")} for name in found}
