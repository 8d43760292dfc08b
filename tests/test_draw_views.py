"""What each view of a graph shows: nodes, identities, values, gradients, sharing, clusters."""

import numpy as np
import pytest

import graphc as gc
from graphc.diff import grad
from graphc.draw import draw
from graphc.errors import DrawError
from graphc.graph import Cone


def texts(drawing, key: str) -> list[str]:
    return [line.text for line in vertex(drawing, key).lines]


def vertex(drawing, key: str):
    return next(v for v in drawing.picture.vertices if v.key == key)


def edges(drawing) -> set[tuple[str, str, str]]:
    return {(e.tail, e.head, e.label) for e in drawing.picture.edges}


def product_graph():
    g = gc.Graph("f")
    x, y, z = (g.input(n) for n in "xyz")
    q = x + y
    return {"q": q, "f": q * z}


def neuron():
    g = gc.Graph("neuron")
    x, y, w, b = g.input("x"), g.input("y"), g.param("w", ()), g.param("b", ())
    z = w * x + b
    u = gc.sigmoid(z)
    loss, penalty = (y - u) ** 2 / 2, w**2
    return {"z": z, "u": u, "l": loss, "r": penalty, "L": loss + 0.1 * penalty}


def layered(count: int, width: int = 8, names=None):
    g = gc.Graph("layers")
    h, t = g.input("x", ("N", width)), g.input("t", ("N", width))
    for k in range(count):
        with g.scope(names[k] if names else f"h{k}"):
            h = gc.tanh(gc.matmul(h, g.param("weight", (width, width))) + g.param("bias", (width,)))
    return g, gc.mean(gc.square(h - t))


def test_values_and_gradients_of_a_small_graph() -> None:
    """f = (x + y) z at (-2, 5, -4): f = -12, q = 3, df/dq = df/dx = df/dy = -4, df/dz = 3."""
    for view in ("both", "backward"):
        drawing = draw(product_graph(), view=view, values={"x": -2.0, "y": 5.0, "z": -4.0})
        assert texts(drawing, "n2")[-2:] == ["value −4", "gradient 3"]
        assert texts(drawing, "n3")[-2:] == ["value 3", "gradient −4"]
    both = draw(product_graph(), view="both", values={"x": -2.0, "y": 5.0, "z": -4.0})
    assert [texts(both, key)[-2:] for key in ("n0", "n1", "n4")] == [
        ["value −2", "gradient −4"], ["value 5", "gradient −4"], ["value −12", "gradient 1"],
    ]  # fmt: skip
    assert edges(both) == {("n0", "n3", "1"), ("n1", "n3", "1"), ("n3", "n4", "z"), ("n2", "n4", "q")}
    forward = draw(product_graph(), values={"x": -2.0, "y": 5.0, "z": -4.0})
    assert texts(forward, "n4") == ["f = mul", "q·z", "value −12"]


def test_backward_nodes_say_whose_adjoint_they_are() -> None:
    nodes = neuron()
    drawing = draw(nodes, view="both")
    adjoints = [line.text for v in drawing.picture.vertices for line in v.lines if line.style == "adjoint"]
    assert "∂L/∂w" in adjoints
    assert any("∂L/∂z" in text and "∂L/∂b" in text for text in adjoints)
    assert {v.side for v in drawing.picture.vertices} == {"forward", "backward"}
    forward = {v.key for v in draw(nodes).picture.vertices if "x" not in v.key}
    assert forward < {v.key for v in drawing.picture.vertices}
    assert [c.title for c in drawing.picture.clusters] == ["forward", "backward"]


def test_backward_nodes_have_the_ids_that_grad_gives() -> None:
    nodes = neuron()
    g = nodes["L"].graph
    before = len(g)
    derived = draw({"L": nodes["L"]}, view="both")
    assert len(g) == before
    found = grad(nodes["L"], wrt=[g["w"], g["b"]], stabilise=False)
    given = draw({"L": nodes["L"]}, view="both", grads=found)
    keys = [{v.key for v in d.picture.vertices} for d in (derived, given)]
    assert {f"n{h.id}" for h in found.values()} <= keys[0] & keys[1]


def test_backward_view_borrows_forward_values() -> None:
    drawing = draw(neuron(), view="backward")
    borrowed = {v.key for v in drawing.picture.vertices if v.kind == "reference"}
    assert borrowed
    assert all(e.kind == "borrow" for e in drawing.picture.edges if e.tail in borrowed)
    assert not any(e.head in borrowed for e in drawing.picture.edges)


def test_shared_subterms_are_highlighted_with_their_uses() -> None:
    g = gc.Graph()
    x = g.input("x")
    s = gc.exp(x)
    root = s * s + gc.sin(s)
    drawing = draw(root)
    assert vertex(drawing, f"n{s.id}").shared == 3
    assert sum(v.shared > 0 for v in drawing.picture.vertices) == 1
    assert "peripheries=2" in drawing.dot
    assert "×3" in drawing.dot
    assert sum((e.tail, e.head) == (f"n{s.id}", f"n{(s * s).id}") for e in drawing.picture.edges) == 2
    plain = draw(root, shared=False)
    assert not any(v.shared for v in plain.picture.vertices)


def test_kinds_differ_in_shape_and_line_not_only_in_colour() -> None:
    from graphc.draw.picture import KINDS
    from graphc.draw.style import LOOKS

    assert set(LOOKS) == set(KINDS)
    assert len({(look.shape, look.style) for look in LOOKS.values()}) == len(KINDS)


def test_legend_shows_what_occurs() -> None:
    dot = draw(neuron(), legend=True).dot
    assert "k_param" in dot
    assert "k_state" not in dot


def test_stabilised_form_on_request() -> None:
    g = gc.Graph()
    y = gc.log(1 + gc.exp(g.input("x", (3,))))
    titles = [
        [v.lines[0].text for v in draw({"y": y}, stabilise=s).picture.vertices if v.kind == "op"]
        for s in (False, True)
    ]
    assert titles == [["exp", "add", "y = log"], ["y = softplus"]]
    assert len(g) == y.id + 1


def test_layers_are_nested_clusters() -> None:
    g = gc.Graph()
    with g.scope("encoder"), g.scope("block"):
        w = g.param("w", (3,))
        y = gc.exp(w)
    drawing = draw(y)
    titles = {c.key: c for c in drawing.picture.clusters}
    inner = titles[vertex(drawing, f"n{y.id}").cluster]
    assert (inner.title, titles[inner.parent].title) == ("block", "encoder")
    assert texts(drawing, f"n{w.id}") == ["w"]
    assert texts(drawing, f"n{y.id}")[1] == "exp(w)"


def training_step(count: int) -> Cone:
    g, loss = layered(count)
    found = grad(loss)
    updates = {}
    with g.role("update"):
        for p, d in found.items():
            with g.on_behalf_of(g.origins(p.id)):
                updates[p.id] = (p - 0.1 * d).id
    return Cone(g, {"L": loss.id}, updates)


def test_training_step_has_three_sides() -> None:
    cone = training_step(1)
    drawing = draw(cone, view="both")
    assert {c.title for c in drawing.picture.clusters if c.role == "side"} == {
        "forward",
        "backward",
        "update",
    }
    assert sum(e.kind == "update" for e in drawing.picture.edges) == 2
    assert any("∂L/∂h0.weight" in line.text for v in drawing.picture.vertices for line in v.lines)
    assert {v.side for v in draw(cone).picture.vertices} == {"forward"}
    assert {v.key for v in drawing.picture.vertices if "x" not in v.key} <= {f"n{at}" for at in cone.nodes}


def test_fifty_layers_fold_to_a_page() -> None:
    _, loss = layered(50)
    drawing = draw({"L": loss}, view="both")
    stacks = [v for v in drawing.picture.vertices if v.kind == "stack"]
    assert len(drawing.picture.vertices) < 25
    assert [s.lines[1].text for s in stacks] == ["50 equal layers", "49 equal layers"]
    assert "3 ops, 72 parameters each" in [line.text for line in stacks[0].lines]
    assert draw({"L": loss}, fold=False).picture.vertices[0].key == "n0"
    svg = drawing.svg()
    width, height = (float(svg.split(f'{side}="')[1].split("pt")[0]) for side in ("width", "height"))
    assert height < 2 * width
    assert height < 1500
    step = draw(training_step(50), view="both")
    assert len(step.picture.vertices) < 20


def test_layers_that_repeat_in_turns_fold_together() -> None:
    g = gc.Graph()
    h = g.input("x", ("N", 8))
    for k in range(20):
        with g.scope(f"dense{k}"):
            h = gc.matmul(h, g.param("weight", (8, 8)))
        with g.scope(f"norm{k}"):
            h = h - gc.mean(h, axis=-1, keepdims=True)
    drawing = draw(gc.sum(h), fold=True)
    assert [v.lines[1].text for v in drawing.picture.vertices if v.kind == "stack"] == ["2 layers, 20 times"]


def test_unequal_layers_stay_apart_and_outer_layers_fold_when_there_are_many() -> None:
    g = gc.Graph()
    h = g.input("x", ("N", 4))
    for k in range(30):
        with g.scope(f"block{k // 10}"), g.scope(f"layer{k}"):
            h = gc.matmul(h, g.param("weight", (4 + k, 5 + k)))
            h = gc.tanh(h)
    whole = draw(gc.sum(h), fold=True)
    assert sum(v.kind == "layer" for v in whole.picture.vertices) == 30
    for k in range(30, 60):
        with g.scope(f"block{k // 10}"), g.scope(f"layer{k}"):
            h = gc.matmul(h, g.param("weight", (4 + k, 5 + k)))
    folded = draw(gc.sum(h), fold=True)
    assert [v.lines[0].text for v in folded.picture.vertices if v.kind == "layer"] == [
        f"block{k}" for k in range(6)
    ]


def test_folding_keeps_small_graphs_and_graphs_without_layers() -> None:
    g, loss = layered(3)
    assert not any(v.kind in ("layer", "stack") for v in draw(loss).picture.vertices)
    bare = gc.Graph()
    h = bare.input("x")
    for _ in range(100):
        h = gc.sin(h)
    assert len(draw(h).picture.vertices) == 101
    del g


def test_long_chains_are_written_without_recursion() -> None:
    g = gc.Graph()
    h = g.param("x", ())
    for _ in range(1600):
        h = gc.sin(h)
    drawing = draw({"L": h}, view="both")
    assert drawing.dot.count("shape=box") >= 3200
    with pytest.raises(DrawError, match="vertices and at most"):
        drawing.svg()


def test_values_of_arrays_are_in_brief() -> None:
    _, loss = layered(1)
    x = np.linspace(-1, 1, 16, dtype=np.float32).reshape(2, 8)
    drawing = draw({"L": loss}, view="both", values={"x": x, "t": x})
    assert texts(drawing, "n0")[-1] == "value −1 … 1"
    assert all(line.text != "value " for v in drawing.picture.vertices for line in v.lines)
