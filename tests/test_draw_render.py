"""Files that come out: SVG everywhere, PNG and PDF where there are fonts, DOT always; kernels; notebooks."""

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

import graphc as gc
from graphc.draw import BufferBox, KernelBox, KernelPlan, draw, render
from graphc.errors import DrawError


@pytest.fixture
def drawing():
    g = gc.Graph("small")
    x = g.input("x", ("N", 3))
    return draw({"y": gc.sigmoid(x) * 2})


@pytest.fixture
def no_fonts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = tmp_path / "fonts.conf"
    head = '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">'
    config.write_text(f"{head}<fontconfig></fontconfig>")
    monkeypatch.setenv("FONTCONFIG_FILE", str(config))
    render.has_fonts.cache_clear()
    yield
    render.has_fonts.cache_clear()


def test_files_by_suffix(drawing, tmp_path: Path) -> None:
    heads = {"svg": b"<?xml", "dot": b"digraph"}
    if render.has_fonts():
        heads |= {"png": b"\x89PNG", "pdf": b"%PDF"}
    for form, head in heads.items():
        assert drawing.save(tmp_path / f"picture.{form}").read_bytes().startswith(head)
    assert drawing.save(tmp_path / "picture", "svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "picture.dot").read_text("utf-8") == drawing.dot


def test_svg_names_nodes_by_identity(drawing) -> None:
    root = ElementTree.fromstring(drawing.svg())
    assert {"n0", "n1"} <= {e.get("id") for e in root.iter()}


def test_without_fonts_svg_comes_and_the_others_say_why(drawing, no_fonts) -> None:
    assert "sigmoid" in drawing.svg()
    for make in (drawing.png, drawing.pdf):
        with pytest.raises(DrawError, match=r"no font that Graphviz can find.*install one.*or save as svg"):
            make()


def test_without_graphviz_the_text_remains(drawing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render.shutil, "which", lambda _: None)
    monkeypatch.setattr(render, "find_spec", lambda _: None)
    with pytest.raises(DrawError, match="pip install pygraphviz"):
        drawing.svg()
    bundle = drawing._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert "digraph" in bundle["text/plain"]


def test_a_failing_layout_is_told(drawing) -> None:
    with pytest.raises(DrawError, match="Graphviz failed"):
        render.render("digraph {", "svg")


def test_notebooks_show_svg(drawing) -> None:
    assert drawing._repr_mimebundle_()["image/svg+xml"].startswith("<?xml")


def test_kernel_graph_follows_buffers() -> None:
    plan = KernelPlan(
        title="step",
        kernels=(
            KernelBox(
                name="forward_dense",
                formulas=("h = x @ w",),
                reads=("x", "w"),
                writes=("h",),
                bytes=4096,
                layers=("a", "b", "c", "d"),
            ),
            KernelBox(
                name="backward_dense", role="backward", formulas=["g"] * 9, reads=("h", "x"), writes=("gw",)
            ),
            KernelBox(name="update_sgd", role="update", reads=("gw", "w"), writes=("w", "loss")),
        ),
        buffers={
            "x": BufferBox(name="x", kind="input"),
            "w": BufferBox(name="w", kind="param"),
            "loss": BufferBox(name="loss", kind="output"),
        },
    )
    drawing = draw(plan, view="kernels")
    keys = {v.lines[0].text: v for v in drawing.picture.vertices}
    found = {(e.tail, e.head, e.kind) for e in drawing.picture.edges}
    x, w, loss = (keys[name].key for name in ("x", "w", "loss"))
    assert found == {
        (x, "k0", "data"), (w, "k0", "data"), ("k0", "k1", "data"), (x, "k1", "data"), ("k1", "k2", "data"),
        (w, "k2", "data"), ("k2", w, "update"), ("k2", loss, "data"),
    }  # fmt: skip
    assert [c.title for c in drawing.picture.clusters] == ["forward", "backward", "update"]
    assert [line.text for line in keys["forward_dense"].lines] == [
        "forward_dense",
        "h = x @ w",
        "a, b, c and 1 more",
        "4 KiB moved",
    ]
    assert keys["backward_dense"].lines[-1].text == "… 3 more"
    assert keys["loss"].output
    ElementTree.fromstring(drawing.svg())


def test_a_dot_on_the_path_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\ncat > /dev/null\necho "<svg>$*</svg>"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert b"-Tsvg" in render.render("digraph { a }", "svg")
    program.write_text("#!/bin/sh\necho 'syntax error in line 1' >&2\nexit 1\n")
    with pytest.raises(DrawError, match="syntax error in line 1"):
        render.render("digraph {", "svg")
