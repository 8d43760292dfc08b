"""Attention, against NumPy and, where it is installed, torch: shapes, masks, gradients."""

import numpy as np
import pytest
from program_cases import hold

import graphc as gc

RNG = np.random.default_rng(11)
B, H, T, S, D, E = 2, 3, 7, 5, 4, 6
Q, K, V = (RNG.normal(size=(B, H, n, d)) for n, d in ((T, D), (S, D), (S, E)))
KEEP = RNG.random((B, 1, T, S)) < 0.6
KEEP[0, 0, 2] = False  # a query without keys
ADDED = np.where(KEEP, RNG.normal(size=(B, 1, T, S)), -np.inf)


def attended(q, k, v, keep=True, added=0.0, scale=None):
    scores = q @ np.swapaxes(k, -1, -2) * (scale or 1 / np.sqrt(q.shape[-1])) + np.where(keep, added, 0)
    grown = np.where(keep, np.exp(scores - scores.max(-1, keepdims=True)), 0.0)
    total = grown.sum(-1, keepdims=True)
    return (grown / np.where(total == 0, 1, total)) @ v


CAUSAL = np.tril(np.ones((T, S), bool))
CASES = {
    "plain": ({}, {}, {}),
    "scaled": ({"scale": 0.3}, {}, {"scale": 0.3}),
    "causal": ({"causal": True}, {}, {"keep": CAUSAL}),
    "mask": ({}, {"mask": KEEP}, {"keep": KEEP}),
    "added": ({}, {"mask": ADDED}, {"keep": KEEP, "added": np.where(KEEP, ADDED, 0)}),
    "mask and causal": ({"causal": True}, {"mask": KEEP}, {"keep": KEEP & CAUSAL}),
    "added and causal": (
        {"causal": True},
        {"mask": ADDED},
        {"keep": KEEP & CAUSAL, "added": np.where(KEEP, ADDED, 0)},
    ),
}


def declared(name, dtype):
    """The node, its gradients by name, and the data of ``name``; lengths are symbolic, and the batch is."""
    options, masks, _ = CASES[name]
    g = gc.Graph()
    q = g.input("q", ("B", H, "T", D), dtype)
    k, v = g.input("k", ("B", H, "S", D), dtype), g.input("v", ("B", H, "S", E), dtype)
    data = {n: a.astype(dtype) for n, a in (("q", Q), ("k", K), ("v", V))}
    if masks:
        mask = masks["mask"] if masks["mask"].dtype == bool else masks["mask"].astype(dtype)
        options = {**options, "mask": g.input("mask", ("B", 1, "T", "S"), mask.dtype)}
        data["mask"] = mask
    y = gc.attention(q, k, v, **options)
    found = gc.grad(gc.sum(gc.sin(y)), [q, k, v])
    return {"y": y, **{f"d{n.name}": value for n, value in found.items()}}, data


@pytest.mark.parametrize("name", CASES)
def test_values_gradients_and_kernels(name):
    outputs, data = declared(name, "float64")
    found = gc.interpret(outputs, **data)
    np.testing.assert_allclose(found["y"], attended(Q, K, V, **CASES[name][2]), rtol=1e-12, atol=1e-14)
    assert all(np.isfinite(v).all() for v in found.values())
    if "mask" in data:
        assert not found["y"][0, :, 2].any()
        assert not found["dq"][0, :, 2].any()
    if not np.isinf(data.get("mask", np.zeros(1))).any():
        wrt = [outputs["y"].graph[n] for n in "qkv"]
        assert gc.check_gradients(gc.sum(gc.sin(outputs["y"])), wrt=wrt, **data).ok
    single, data = declared(name, "float32")
    hold(gc.compile(single), single, data)


@pytest.mark.parametrize(
    "shapes", [((3, 2), (5, 2), (5, 1)), ((1, 1), (1, 1), (1, 1)), ((4, 3, 8), (7, 8), (7, 8))]
)
def test_other_ranks(shapes):
    g = gc.Graph()
    arrays = {n: RNG.normal(size=s) for n, s in zip("qkv", shapes, strict=True)}
    y = gc.attention(*(g.input(n, a.shape, "float64") for n, a in arrays.items()))
    np.testing.assert_allclose(gc.interpret(y, **arrays), attended(*arrays.values()), rtol=1e-12)


def test_gradient_of_an_added_mask_and_a_depth_known_at_the_call():
    g = gc.Graph()
    q, k, v = (g.input(n, (4, "D"), "float64") for n in "qkv")
    bias = g.param("bias", (4, 4), "float64", init=RNG.normal(size=(4, 4)))
    y = gc.attention(q, k, v, bias)
    data = {n: RNG.normal(size=(4, 3)) for n in "qkv"}
    start = g.initial[bias.id]
    np.testing.assert_allclose(gc.interpret(y, **data), attended(*data.values(), added=start), rtol=1e-12)
    assert gc.check_gradients(gc.sum(gc.sin(y)), wrt=[bias], **data).ok


def test_scores_far_out():
    g = gc.Graph()
    q, k, v = (g.input(n, (2, 1)) for n in "qkv")
    y = gc.attention(q, k, v, causal=True)
    slope = gc.grad(gc.sum(y), [q])[q]
    out = gc.compile({"y": y, "slope": slope})(q=[[1e4], [1e4]], k=[[1e4], [-1e4]], v=[[1], [2]])
    assert (out["y"].tolist(), out["slope"].tolist()) == ([[1.0], [1.0]], [[0.0], [0.0]])


def test_scores_of_a_million_millions():
    """What rounding loses of them is far more than exp bears."""
    g = gc.Graph()
    q, k, v = (g.input(n, (9, 4)) for n in "qkv")
    data = {n: RNG.normal(size=(9, 4)).astype("f4") * (1 if n == "v" else 1e6) for n in "qkv"}
    for block in (0, (4, 4)):
        y = gc.attention(q, k, v, block=block)
        outputs = {"y": y, **{f"d{n.name}": x for n, x in gc.grad(gc.sum(y), [q, k, v]).items()}}
        found, meant = gc.compile(outputs)(**data), gc.interpret(outputs, **data)
        best = np.argmax(data["q"].astype("f8") @ data["k"].T.astype("f8"), axis=-1)
        np.testing.assert_allclose(meant["y"], data["v"][best], rtol=1e-6)
        np.testing.assert_allclose(found["y"], data["v"][best], rtol=1e-6)
        assert all(np.isfinite(value).all() for value in found.values())


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_softmax_of_products_far_out(name):
    """The largest product is subtracted as it was rounded, not fused with the product."""
    g = gc.Graph()
    x = g.input("x", ("N", 8))
    y = {name: getattr(gc, name)(x * np.float32(0.577), axis=1)}
    data = {"x": (RNG.normal(size=(64, 8)) * 1e10).astype("f4")}
    np.testing.assert_allclose(gc.compile(y)(**data)[name], gc.interpret(y, **data)[name], rtol=1e-6)


def test_attention_against_torch():
    torch = pytest.importorskip("torch")
    for name, (options, masks, _) in CASES.items():
        if options.get("causal") and masks:
            continue
        tensors = [torch.tensor(a, requires_grad=True) for a in (Q, K, V)]
        mask = torch.tensor(masks["mask"]) if masks else None
        expected = torch.nn.functional.scaled_dot_product_attention(
            *tensors, attn_mask=mask, is_causal=options.get("causal", False), scale=options.get("scale")
        )
        torch.sin(expected).sum().backward()
        outputs, data = declared(name, "float64")
        found = gc.interpret(outputs, **data)
        np.testing.assert_allclose(found["y"], expected.detach(), rtol=1e-10, atol=1e-12, err_msg=name)
        for tensor, key in zip(tensors, ("dq", "dk", "dv"), strict=True):
            np.testing.assert_allclose(found[key], tensor.grad, rtol=1e-9, atol=1e-11, err_msg=name)


# ----------------------------------------------------------------------------------------------- in blocks

# shapes of q, k, v; type and shape of a mask; options
IN_BLOCKS = {
    "leading axes that broadcast, causal": ((("T", 3), ("N", "S", 3), ("N", "S", 2)), None, {"causal": True}),
    "bool by row": ((("N", 2, "T", 3), ("N", 2, "S", 3), ("N", 2, "S", 3)), ("bool", ("N", 1, "T", "S")), {}),
    "added, scaled": (
        (("N", 2, "T", 3), ("N", 2, "S", 3), ("N", 2, "S", 3)),
        (None, ("T", "S")),
        {"scale": 0.4},
    ),
    "bool for all rows": ((("N", "T", 3), ("N", "S", 3), ("N", "S", 1)), ("bool", ("S",)), {"causal": True}),
}


def of_size(shape, dtype, sizes):
    actual = [sizes.get(d, d) for d in shape]
    return RNG.random(actual) < 0.6 if dtype == "bool" else RNG.normal(size=actual).astype(dtype)


@pytest.mark.parametrize(
    ("case", "dtype"), [*((name, "float64") for name in IN_BLOCKS), ("bool by row", "float32")]
)
@pytest.mark.parametrize("block", [4, (0, 3), (4, 3)], ids=str)
def test_blocks_give_what_the_whole_gives(case, dtype, block):
    """For every length modulo the block, values and gradients; masks leave queries without keys."""
    shapes, masked, options = IN_BLOCKS[case]
    g = gc.Graph()
    q, k, v = (g.input(n, s, dtype) for n, s in zip("qkv", shapes, strict=True))
    mask = None if masked is None else g.input("mask", masked[1], masked[0] or dtype)
    outputs = {}
    for way, size in (("whole", 0), ("blocks", block)):
        y = gc.attention(q, k, v, mask, block=size, **options)
        slopes = gc.grad(gc.sum(gc.sin(y)), [q, k, v])
        outputs |= {f"{way} y": y, **{f"{way} d{x.name}": slopes[x] for x in (q, k, v)}}
    program = gc.compile(outputs)
    for queries, keys in ((1, 6), (3, 1), (4, 2), (5, 3), (8, 4), (11, 5), (6, 7)):
        sizes = {"N": 2, "T": queries, "S": keys}
        data = {n: of_size(s, dtype, sizes) for n, s in zip("qkv", shapes, strict=True)}
        if masked is not None:
            data["mask"] = of_size(masked[1], masked[0] or dtype, sizes)
        found, tight = program(**data), 1e-12 if dtype == "float64" else 2e-5
        for name in ("y", "dq", "dk", "dv"):
            np.testing.assert_allclose(
                found[f"blocks {name}"], found[f"whole {name}"], rtol=tight, atol=tight
            )
    if dtype == "float32":
        hold(program, outputs, data)


def test_the_largest_score_may_stand_in_any_block():
    """Scores 1e4 apart, in either order of the keys: what the first blocks added up vanishes, or the last ones do."""
    g = gc.Graph()
    q, k, v = (g.input(n, ("S", 1), "float64") for n in "qkv")
    y = gc.attention(q, k, v, block=(0, 2))
    slopes = gc.grad(gc.sum(y), [q, k, v])
    program = gc.compile({"y": y, **{f"d{x.name}": slopes[x] for x in (q, k, v)}})
    keys = np.array([[-1e4], [0.0], [5.0], [1e4], [3.0]])
    for order in (1, -1):
        found = program(q=np.full((5, 1), 100.0), k=keys[::order], v=np.arange(5.0)[::order, None])
        assert found["y"].ravel().tolist() == [3.0] * 5
        assert found["dv"].ravel()[::order].tolist() == [0, 0, 0, 5, 0]
        assert not found["dq"].any()
        assert not found["dk"].any()


@pytest.mark.parametrize("block", [(0, 2), (2, 3), (100, 100)], ids=str)
def test_scores_wider_than_queries(block):
    g = gc.Graph()
    q, k, v = (g.input(n, (5, 2)) for n in "qkv")
    added, scale = g.input("added", (5, 5), "float64"), g.input("scale", (), "float64")
    data = {n: RNG.normal(size=(5, 2)).astype("f4") for n in "qkv"}
    data |= {"added": RNG.normal(size=(5, 5)), "scale": np.float64(0.3)}
    for options in ({"mask": added}, {"scale": scale}, {"mask": added, "scale": np.float64(0.5)}):
        whole, cut = (gc.attention(q, k, v, block=size, **options) for size in (0, block))
        assert cut.type == whole.type
        found = gc.interpret({"whole": whole, "cut": cut}, **data)
        np.testing.assert_allclose(found["cut"], found["whole"], rtol=1e-12)


@pytest.mark.parametrize("block", [0, 2, (2, 3)], ids=str)
def test_masks_of_one_number(block):
    g = gc.Graph()
    q = g.input("q", (5, 2))
    bare = gc.attention(q, q, q, block=block)
    outputs = {f"{m}": gc.attention(q, q, q, m, block=block) - bare for m in (True, 0.5)}
    outputs["False"] = gc.attention(q, q, q, False, block=block)
    found = gc.interpret(outputs, q=RNG.normal(size=(5, 2)).astype("f4"))
    assert all(abs(each).max() < 1e-6 for each in found.values())


def test_leading_axes_whose_names_differ():
    g = gc.Graph()
    q, k, v = (g.input(n, (name, 5, 2), "float64") for n, name in zip("qkv", "NMP", strict=True))
    outputs = {"whole": gc.attention(q, k, v), "blocks": gc.attention(q, k, v, block=(2, 2))}
    data = {n: RNG.normal(size=(3, 5, 2)) for n in "qkv"}
    found = gc.compile(outputs)(**data)
    np.testing.assert_allclose(found["blocks"], found["whole"], rtol=1e-12)


def test_memory_of_blocks_grows_with_the_length():
    def peak(block, length):
        g = gc.Graph()
        q, k, v = (g.input(n, (2, "T", 8)) for n in "qkv")
        loss = gc.sum(gc.sin(gc.attention(q, k, v, block=block)))
        return gc.compile(gc.grad(loss, [q, k, v])).plan.at(T=length).peak

    assert peak(0, 512) > 3.5 * peak(0, 256)
    for block in (16, (16, 32)):
        assert peak(block, 512) < 2.1 * peak(block, 256)
        assert peak(block, 512) < peak(0, 512) / 8


def test_long_sequences_are_cut_by_themselves():
    def cut(queries, keys, **options):
        g = gc.Graph()
        q, k, v = (g.input(n, (d, 2)) for n, d in zip("qkv", (queries, keys, keys), strict=True))
        y = gc.attention(q, k, v, **options)
        assert y.type == q.type
        return any(g.nodes[at].op == "scan" for at in g.ancestors([y.id]))

    assert [cut(512, 512), cut(1024, 1024), cut(100, 9999), cut(9999, 200)] == [False, True, True, True]
    assert [cut(1024, 1024, block=0), cut("T", "T"), cut("T", "T", block=8)] == [False, False, True]
    assert [cut(9, 9, block=(0, 4)), cut(9, 9, block=(0, 0))] == [True, False]
