"""What drawings write: cleaned names, formulas, local derivatives, numbers."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from op_cases import cases_of

import graphc as gc
from graphc import registry
from graphc.draw import draw
from graphc.draw.formulas import formula, matrix_product, title
from graphc.draw.partials import local_derivative
from graphc.draw.subject import subject_of
from graphc.draw.text import array_text, bytes_text, clean, number, pretty, shorten

HOSTILE = [
    '<b>&"',
    'a"]; b -> c [label="',
    "\\N\\G\\l",
    "x\x00\x1b\ny",
    "]]>",
    "&lt;&#0;",
    "é😀漢",
    "\ud800",
    "%0 " * 3000,
    "--",
    "  ",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_strangers_stay_text(name: str) -> None:
    g = gc.Graph(name)
    with g.scope(name):
        x = g.input(name, (3,))
        w = g.param("w", (3,))
        picture = draw({name: gc.sum(x * w)}, view="both")
    picture.dot.encode()
    texts = [t.text for t in ElementTree.fromstring(picture.svg()).iter("{http://www.w3.org/2000/svg}text")]
    assert shorten(name).replace("\\", "∖") in {(t or "").strip() for t in texts} | {shorten(" ")}
    assert len(max(picture.dot.splitlines(), key=len)) < 6000
    assert len(picture.picture.vertices) == picture.dot.count('" shape=')


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda x, y: x + y, ("1", "1")),
        (lambda x, y: x * y, ("y", "x")),
        (lambda x, y: x / y, ("1/y", "−x/y²")),
        (lambda x, y: gc.maximum(x, y), None),
        (lambda x, y: gc.sigmoid(x), ("%2·(1 − %2)",)),
        (lambda x, y: gc.exp(x), ("%2",)),
        (lambda x, y: gc.relu(x), ("[%2 > 0]",)),
        (lambda x, y: -x, ("−1",)),
        (lambda x, y: x * 3, ("3", "")),
        (lambda x, y: gc.where(x > y, x, y), ("", "[%2]", None)),
        (lambda x, y: gc.stop_gradient(x), ("0",)),
    ],
)
def test_local_derivatives_of_elementwise_ops(build, expected) -> None:
    g = gc.Graph()
    z = build(g.input("x", (4,)), g.input("y", (4,)))
    subject = subject_of(z)
    found = tuple(local_derivative(subject, z.id, k) for k in range(len(z.operands)))
    assert (
        all(found) if expected is None else all(e in (None, f) for e, f in zip(expected, found, strict=True))
    )


def test_local_derivatives_of_structured_ops() -> None:
    g = gc.Graph()
    x, w, b = g.input("x", ("N", 3)), g.param("w", (3, 4)), g.param("b", (4,))
    h = gc.matmul(x, w)
    z = h + b
    subject = subject_of({"h": h, "z": z, "mean": gc.mean(z)})
    assert [local_derivative(subject, h.id, k) for k in (0, 1)] == ["wᵀ", "xᵀ"]
    assert [local_derivative(subject, z.id, k) for k in (0, 1)] == ["1", "1 (broadcast)"]
    assert formula(subject, h.id) == "x @ w"
    assert title(h.node) == "matmul"
    assert formula(subject, z.id) == "h + b"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("ab,bc->ac", "x @ w"), ("ab,cb->ac", "x @ wᵀ"), ("ba,bc->ac", "xᵀ @ w"), ("ab,ac->cb", "wᵀ @ x"),
        ("ab,bc->ca", "wᵀ @ xᵀ"), ("ab,ab->ab", ""), ("ab,bc->a", ""), ("a,a->", ""), ("abc,acd->abd", ""),
        ("ab,cd->ac", ""), ("aa,ab->ab", ""),
    ],
)  # fmt: skip
def test_matrix_products_are_what_the_spec_says(spec: str, text: str) -> None:
    assert matrix_product(spec, "x", "w") == text
    if text:
        rng = np.random.default_rng(0)
        x, w = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
        value = eval(text.replace("ᵀ", ".T"), {"x": x, "w": w})
        np.testing.assert_allclose(np.einsum(spec, x, w), value)


def test_every_op_of_the_table_has_labels_that_print() -> None:
    for op in registry.ops():
        for case in cases_of(op, "float32")[:2]:
            g = gc.Graph()
            leaves = [g.input(f"x{k}", t.shape, t.dtype) for k, t in enumerate(case.types)]
            z = g.add(op.name, leaves, **case.sample.params)
            subject = subject_of(z)
            partials = [local_derivative(subject, z.id, k) for k in range(len(leaves))]
            labels = [formula(subject, z.id), *partials]
            assert labels[0], op.name
            assert not any("∂" in text for text in partials), (
                f"{op.name} has no word for its local derivative"
            )
            assert not any(re.search(r"[\ue000-\uf8ff\n]", text) for text in labels), op.name
            assert all(labels) or not z.dtype.is_float or not all(x.dtype.is_float for x in leaves), op.name


def test_texts() -> None:
    assert clean("a\tb\r\nc\u2028d") == "a b c d"
    assert shorten("x" * 10_000).count("x") == 32
    assert pretty("-x**2*y**(-1) <= sqrt(a**b)") == "−x²·y⁻¹ ≤ √(a^b)"
    assert [number(v) for v in (1e-9, 123456.0, -0.5, 3)] == ["1e−9", "1.235e5", "−0.5", "3"]
    assert array_text(np.zeros((0, 3))) == "empty"
    assert array_text(np.zeros((9, 3))) == "all 0"
    assert array_text(np.array([[1.0, 2.0], [3.0, 4.0]])) == "[[1, 2]; [3, 4]]"
    assert array_text(np.array([np.nan, np.inf])) == "[nan, inf]"
    assert (bytes_text(1536), bytes_text(3 << 30)) == ("1.5 KiB", "3 GiB")
