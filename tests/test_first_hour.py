"""What a first hour with the package meets: natural calls work, natural mistakes are told what to do."""

from graphc.cli.digits import declare
from graphc.graph import node


def test_the_demo_names_its_own_lines():
    assert {origin.short.split(":")[0] for at in (4, 10, 16) for origin in _origins(at)} == {"digits.py"}


def _origins(at):
    return declare(seed=0).loss.graph.origins(at)


def test_files_called_like_the_package_are_the_users():
    file = node.PACKAGE.rstrip("/") + "_of_mine.py"
    found = {}
    exec(compile("import graphc\n\nx = graphc.Graph().input('x')", file, "exec"), found)
    assert found["x"].place == f'File "{file}", line 3'
