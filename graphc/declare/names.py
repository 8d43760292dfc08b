"""Names for what the user leaves nameless, and what the user means by a name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from graphc.errors import GraphError
from graphc.graph import Graph, Handle


def free_name(graph: Graph, kind: str, owned: str) -> str:
    """The first of ``kind``, ``kind_1``, ... under which no value ``owned`` stands in the present scope.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("dense.weight", (3,))
    >>> free_name(g, "dense", "weight")
    'dense_1'
    """
    prefix, taken, name, count = graph.here().layer.replace("/", "."), graph.named, kind, 0
    while ".".join(filter(None, (prefix, name, owned))) in taken:
        count += 1
        name = f"{kind}_{count}"
    return name


def require_dataclass(cls: type) -> None:
    """Raise ``GraphError`` for a class with settings of its own, annotated or by ``__init__``, that is no dataclass.

    Without the decorator its settings would be lost, or fail with what Python says of frozen fields.
    """
    settings = "__init__" in vars(cls) or inspect.get_annotations(cls)
    if settings and "__dataclass_params__" not in vars(cls):
        raise GraphError(
            "the class is no dataclass; write @dataclass(frozen=True, slots=True, eq=False) above it, "
            "and its settings as fields"
        ).located(cls.__name__)


def chosen(among: Sequence[Handle], which: Any) -> list[Handle]:
    """Those of ``among`` that ``which`` means, in their order: a node, a name, a pattern of names, or several of these.

    In a pattern ``*`` stands for any letters, ``?`` for one. Raises ``GraphError`` for what means none of them.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> _ = gc.nn.Sequential(gc.nn.Dense(3), gc.nn.Dense(2))(g.input("x", ("N", 4)))
    >>> [p.name for p in chosen(g.params, "*.weight")]
    ['dense.weight', 'dense_1.weight']
    """
    meant = [found for one in _several(which) for found in _meant(among, one)]
    return [handle for handle in among if any(handle is other for other in meant)]


def _several(which: Any) -> Iterable[Any]:
    return which if isinstance(which, Iterable) and not isinstance(which, (str, Handle)) else [which]  # pyright: ignore[reportUnknownVariableType]


def _meant(among: Sequence[Handle], one: Any) -> list[Handle]:
    if isinstance(one, str):
        found = [handle for handle in among if fnmatchcase(handle.name, one)]
    else:
        found = [handle for handle in among if handle is one]
    if not found:
        names = [handle.name for handle in among]
        near = difflib.get_close_matches(one, names, n=1) if isinstance(one, str) else []
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names[:8]) or 'none'}"
        raise GraphError(f"{one!r} is none of the parameters; {hint}")
    return found


def free_layer_name(graph: Graph, around: str, kind: str) -> str:
    """The first of ``kind``, ``kind_1``, ... that no layer, and no name of a value, has within layer ``around``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> w = g.param("dense.weight", (3,))
    >>> free_layer_name(g, "", "dense"), free_layer_name(g, "block", "dense")
    ('dense_1', 'dense')
    """
    prefix, name, count = f"{around}/" if around else "", kind, 0
    while graph.has_layer(prefix + name):
        count += 1
        name = f"{kind}_{count}"
    return name


__all__ = ["chosen", "free_layer_name", "free_name", "require_dataclass"]
