"""Every error text, in one table that is proved to be complete.

The rows stand in ``error_rows``, by family. One test runs them; another holds the raises that it reached against
the raises in graphc's text, so that no text is without its row.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from error_rows import ROWS
from raise_sites import reached, sites

from graphc.errors import GraphcError

Act = Callable[[], Any]
TODO = """
No row of the table reaches these raises. For each, add one to ROWS of its family in tests/error_rows, such as

    (ShapeError, lambda: gc.sum(X, 2), "sum: axis 2 is out of range for rank 2; use -2 to 1 @"),

What the row does is what a user does, if need be on a host or with an op patched for it; "…" stands for anything and
a last " @" for the user's line. What nobody can reach is an assert with a message, or goes.
"""


def raised(act: Act) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the rows say which
        act()
    return caught.value


def pattern(text: str, act: Act) -> str:
    """The text of a row as a regular expression."""
    placed = text.endswith(" @")
    body = ".*".join(map(re.escape, text.removesuffix(" @").split("…")))
    place = rf'\n  declared at File "{re.escape(act.__code__.co_filename)}", line \d+'
    return f"{body}{place}" if placed else body


@pytest.mark.parametrize(
    ("kind", "act", "text"), ROWS, ids=[f"{kind.__name__}: {text[:60]}" for kind, _, text in ROWS]
)
def test_every_error_says_what_is_wrong_and_what_to_do(kind: type[Exception], act: Act, text: str) -> None:
    error = raised(act)
    assert type(error) is kind, error
    assert re.fullmatch(pattern(text, act), str(error), re.DOTALL), (
        f"{text!r} is written, {str(error)!r} is said"
    )
    assert ";" in text or not issubclass(kind, GraphcError), "say what to do, after a semicolon"


def test_every_raise_has_a_row() -> None:
    """Also in another order: no row leans on what another left behind."""
    acts = [act for _, act, _ in ROWS]
    random.Random(0).shuffle(acts)
    found = set().union(*(reached(raised(act)) for act in acts))
    missing = [
        f"  {file}:{line}: {said}" for (file, line), said in sites().items() if (file, line) not in found
    ]
    assert not missing, "\n".join([TODO, *missing])
