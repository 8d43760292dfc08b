"""A page of drawings and texts that needs nothing but a browser."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Mapping

_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; color: #1b2430; margin: 2rem auto; max-width: 72rem }
figure { margin: 2rem 0; overflow-x: auto } figcaption { font-weight: 600 } img { max-width: 100% }
pre { background: #f3f5f8; padding: 1rem; overflow-x: auto; font-size: 13px; line-height: 1.4 }
"""


def page(title: str, pictures: Mapping[str, str], texts: Mapping[str, str]) -> str:
    """An HTML page of ``pictures`` (SVG by caption) and ``texts`` (by heading), none of which it trusts.

    Pictures stand in ``img``, where no script of theirs would run; everything else is escaped.

    >>> "<b>" in page("<b>", {}, {})
    False
    """
    return "\n".join(_lines(title, pictures, texts))


def _lines(title: str, pictures: Mapping[str, str], texts: Mapping[str, str]) -> Iterator[str]:
    yield f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{html.escape(title)}</title>'
    yield f"<style>\n{_STYLE}</style>"
    yield f"<h1>{html.escape(title)}</h1>"
    yield from (_figure(caption, svg) for caption, svg in pictures.items())
    for heading, text in texts.items():
        yield f"<h2>{html.escape(heading)}</h2>\n<pre>{html.escape(text)}</pre>"
    yield "</html>\n"


def _figure(caption: str, svg: str) -> str:
    data, text = base64.b64encode(svg.encode()).decode(), html.escape(caption)
    image = f'<img src="data:image/svg+xml;base64,{data}" alt="{text}">'
    return f"<figure><figcaption>{text}</figcaption>{image}</figure>"
