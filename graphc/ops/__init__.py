"""The ops, one module a family; importing this package registers them all.

In the order of flow: ``symbolic`` (SymPy bodies), ``elementwise``, ``bodies`` and ``functions``, ``special`` (what
has one body), ``casting``, ``rules`` (what the others share); ``reduce``, ``extremum``, ``product``, ``softmax``,
``contract``, ``layout``, ``slicing``, ``index``, ``counting``, ``random``, ``cumulative``, ``sorting`` (the
families); ``repeat``, ``scan_rules``, ``scan`` (loops over bodies of them); ``weave``, ``sliding``, ``spreading``,
``correlate``, ``window``, ``pooling`` (windows); ``statistics``, ``einsum``, ``shaping``, ``gathering``, ``getitem``,
``scanning``, ``windows``, ``noise``, ``activations``, ``normalise``, ``attention_blocks``,
``attention`` (functions for users over them).
"""

from graphc.ops import functions, special, casting  # noqa: I001 - the order of flow
from graphc.ops import reduce, extremum, product, softmax, contract, layout, slicing, index, counting
from graphc.ops import random, cumulative, sorting
from graphc.ops import scan, weave, sliding, spreading, correlate, window, pooling
from graphc.ops import statistics, einsum, shaping, gathering, getitem, scanning, windows, noise
from graphc.ops import activations, normalise, attention

__all__ = [
    "activations",
    "attention",
    "casting",
    "contract",
    "correlate",
    "counting",
    "cumulative",
    "einsum",
    "extremum",
    "functions",
    "gathering",
    "getitem",
    "index",
    "layout",
    "noise",
    "normalise",
    "pooling",
    "product",
    "random",
    "reduce",
    "scan",
    "scanning",
    "shaping",
    "slicing",
    "sliding",
    "softmax",
    "sorting",
    "special",
    "spreading",
    "statistics",
    "weave",
    "window",
    "windows",
]
