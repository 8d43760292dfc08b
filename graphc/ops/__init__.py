"""The ops, one module a family; importing this package registers them all.

In the order of flow: ``symbolic`` (SymPy bodies), ``elementwise``, ``bodies`` and ``functions`` (what
has one body), ``casting``, ``rules`` (what the others share); ``reduce``, ``extremum``, ``product``, ``softmax``,
``contract``, ``layout``, ``slicing``, ``index``, ``counting`` (the families); ``repeat``, ``scan_rules``, ``scan``
(loops over bodies of them); ``statistics``, ``einsum``, ``shaping``, ``gathering``, ``getitem``, ``scanning``,
``activations``, ``normalise``, ``attention`` (functions for users over them).
"""

from graphc.ops import functions, casting  # noqa: I001 - the order of flow
from graphc.ops import reduce, extremum, product, softmax, contract, layout, slicing, index, counting
from graphc.ops import scan
from graphc.ops import statistics, einsum, shaping, gathering, getitem, scanning
from graphc.ops import activations, normalise, attention

__all__ = [
    "activations",
    "attention",
    "casting",
    "contract",
    "counting",
    "einsum",
    "extremum",
    "functions",
    "gathering",
    "getitem",
    "index",
    "layout",
    "normalise",
    "product",
    "reduce",
    "scan",
    "scanning",
    "shaping",
    "slicing",
    "softmax",
    "statistics",
]
