"""Pages show what their code prints and draws today; links lead somewhere; the commands are there."""

import importlib.util
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
_spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(build)

TEXTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])


def words(svg):
    """The texts of a picture: what it says, wherever the layout puts it."""
    return sorted(node.text or "" for node in ET.parse(svg).iter("{http://www.w3.org/2000/svg}text"))


@pytest.mark.parametrize("page", build.PAGES, ids=lambda page: page.name)
def test_page_is_current(page, tmp_path):
    text = page.read_text(encoding="utf-8")
    assert build.rendered(text, page.name, tmp_path) == text, "run: python docs/build.py"
    for picture in tmp_path.iterdir():
        assert words(picture) == words(IMAGES / picture.name), "run: python docs/build.py"


def test_table_of_ops_is_current():
    assert (ROOT / "docs" / "ops.md").read_text(encoding="utf-8") == build.ops_page(), (
        "run: python docs/build.py"
    )


def test_page_of_results_is_current():
    assert (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8") == build.results_page(), (
        "run: python docs/build.py"
    )


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_and_picture_is_linked():
    linked = {
        (page.parent / link).resolve()
        for page in TEXTS
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    }
    assert [
        p.name for p in [*TEXTS, *IMAGES.iterdir()] if p.parent != ROOT and p.resolve() not in linked
    ] == []


def test_blocks_that_print_need_an_output(tmp_path):
    with pytest.raises(ValueError, match="a block prints and no text block follows"):
        build.rendered("```python\nprint(1)\n```\n", "page", tmp_path)
    text = "```python\nprint(1)\n```\n\n```text\n2\n```\n"
    assert build.rendered(text, "page", tmp_path) == text.replace("2", "1")
    with pytest.raises(ValueError, match="every run shows something else"):
        build.rendered("```python\nimport os\nprint(os.urandom(9))\n```\n\n```text\n```\n", "page", tmp_path)


def test_the_readme_has_both_commands():
    commands = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert [command.count("\n") for command in commands] == [1, 1]
    assert commands[0].endswith(".venv/bin/graphc demo\n")
    assert re.search(r"^python3 .*pytest", commands[1])


def test_decisions_say_what_was_decided_and_why():
    for page in ROOT.glob("docs/decisions/*.md"):
        if page.name != "README.md":
            text = page.read_text(encoding="utf-8")
            assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Decision", "Why", "Cost"], page.name


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_whole(page):
    """No mark of a merge is left, and every block of code ends."""
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^(?:<{7}|={7}|>{7}).*", text, re.MULTILINE) == []
    assert len(re.findall(r"^```", text, re.MULTILINE)) % 2 == 0
