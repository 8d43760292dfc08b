"""The ops, one module a family; importing this package registers them all.

In the order of flow: ``symbolic`` (SymPy bodies), ``elementwise`` and ``functions`` (what has one body), ``rules``
(what the others share), ``reduce``, ``softmax``, ``contract``, ``layout``, ``slicing``, ``index``, and the user functions
over several of them, ``shaping`` and ``getitem``.
"""

from graphc.ops import functions, reduce, softmax, contract, layout, slicing, index, shaping, getitem  # noqa: I001 - the order of flow

__all__ = ["contract", "functions", "getitem", "index", "layout", "reduce", "shaping", "slicing", "softmax"]
