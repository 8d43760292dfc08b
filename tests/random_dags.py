"""Random graphs for laws such as "a pass changes no value".

They are elementwise, reduced, contracted, moved and indexed. Values stay moderate, so that every result is
finite, and whatever is not continuous (comparisons, kinks, ties) is applied only to values that no rewrite
can round differently. Shapes include a symbolic size and sizes 1 and 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

import graphc.ops  # noqa: F401 - registers the ops
from graphc.errors import ShapeError
from graphc.graph import Graph, Handle, call
from graphc.types import Checks

LIMIT = 12.0  # values beyond this are squashed before they go on


@dataclass(frozen=True)
class Case:
    """A graph with named outputs and arrays for the inputs that they depend on."""

    graph: Graph
    outputs: dict[str, Handle]
    inputs: dict[str, Any]
    differentiable: tuple[Handle, ...]


@dataclass(frozen=True)
class Value:
    """A node with a bound on its magnitude; ``exact`` values are inputs, moved about but not computed."""

    node: Handle
    bound: float
    exact: bool = False


@dataclass
class Grower:
    """Grows one graph; ``rng`` is seeded by Hypothesis, so that every choice is as likely in large graphs."""

    rng: Random
    dtype: str
    graph: Graph = field(default_factory=lambda: Graph("random"))
    inputs: dict[str, Any] = field(default_factory=dict)
    pool: list[Value] = field(default_factory=list)
    n: int = 2

    def choose(self, options: Any) -> Any:
        return self.rng.choice(list(options))

    def flip(self) -> bool:
        return self.rng.random() < 0.5

    def shuffled(self, items: Any) -> list[Any]:
        return self.rng.sample(list(items), len(items))

    def seed_inputs(self) -> None:
        self.n = self.choose([1, 2, 3, 3, 5])
        rng = np.random.default_rng(self.rng.randint(0, 10_000))
        for k in range(self.rng.randint(1, 3)):
            dims = tuple(self.choose(["N", "N", 3, 3, 2, 1, 0]) for _ in range(self.choose([0, 1, 2, 2, 3])))
            shape = tuple(self.n if d == "N" else d for d in dims)
            node = self.graph.input(f"x{k}", dims, self.dtype)
            self.inputs[f"x{k}"] = rng.uniform(-2, 2, shape).astype(self.dtype)
            self.pool.append(Value(node, 2.0, exact=True))

    def grow(self, steps: int) -> None:
        for _ in range(steps):
            families = [
                self.unary,
                self.idiom,
                self.idiom,
                self.neutral,
                self.binary,
                self.binary,
                self.kinked,
            ]
            families += [self.reduced, self.contracted, self.moved, self.moved, self.indexed]
            family = self.choose(families)
            made = family(self.choose(self.pool))
            if made is not None:
                self.pool.append(self.squashed(made))

    def squashed(self, value: Value) -> Value:
        return value if value.bound <= LIMIT else Value(call("tanh", value.node), 1.0)

    # -------------------------------------------------------------------------------------------- families

    def unary(self, x: Value) -> Value:
        smooth = {
            "neg": x.bound,
            "square": x.bound**2,
            "tanh": 1,
            "sigmoid": 1,
            "softplus": x.bound + 1,
            "sin": 1,
            "cos": 1,
            "erf": 1,
            "silu": x.bound,
            "gelu": x.bound,
            "atan": 2,
            "stop_gradient": x.bound,
        }
        name = self.choose([*smooth, "exp", "expm1"] if x.bound <= 2 else smooth)
        return Value(call(name, x.node), float(smooth.get(name, 8.0)))

    def idiom(self, x: Value) -> Value | None:
        """Formulas that the stabilising rules know."""
        z, axis = x.node, x.node.ndim - 1
        small = x.bound <= 5
        options: dict[str, tuple[Callable[[], Handle], float]] = {
            "log1p": (lambda: call("log", 1 + call("square", z)), 5),
            "sqrt": (lambda: call("sqrt", call("square", z) + 1), x.bound + 1),
            "reciprocal": (lambda: 1 / (1 + call("square", z)), 1),
        }
        if small:
            options |= {
                "softplus": (lambda: call("log", 1 + call("exp", z)), x.bound + 1),
                "sigmoid": (lambda: 1 / (1 + call("exp", -z)), 1),
                "logistic": (lambda: call("exp", z) / (call("exp", z) + 1), 1),
                "log_sigmoid": (lambda: call("log", 1 / (1 + call("exp", -z))), x.bound + 1),
                "cross_entropy": (lambda: call("log", 1 - call("sigmoid", z)), x.bound + 1),
                "tanh": (lambda: (call("exp", z) - call("exp", -z)) / (call("exp", z) + call("exp", -z)), 1),
                "swish": (lambda: z / (1 + call("exp", -z)), x.bound),
                "expm1": (lambda: call("tanh", call("exp", z) - 1), 1),
                "negated expm1": (lambda: call("tanh", 1 - call("exp", z)), 1),
                "tanh of double": (lambda: (call("exp", 2 * z) - 1) / (call("exp", 2 * z) + 1), 1),
                "tanh by sigmoid": (lambda: 2 * call("sigmoid", 2 * z) - 1, 1),
                "erfc": (lambda: 1 - call("erf", z), 2),
                "log1p of negated": (lambda: call("log", 1 - call("sin", z) / 2), 1),
                "log of product": (
                    lambda: call("log", call("exp", z) * (1 + call("square", z))),
                    2 * x.bound + 4,
                ),
                "reflected": (lambda: call("softplus", z) - z, x.bound + 1),
            }
        if small and axis >= 0 and z.shape[axis] != 0:
            soft = lambda keep: call("exp", z) / call("sum", call("exp", z), axis=keep, keepdims=True)  # noqa: E731
            options |= {
                "softmax": (lambda: soft(axis), 1),
                "share": (
                    lambda: call("exp", z) / (call("sum", call("exp", z)) if 0 not in z.shape else 1),
                    1,
                ),
                "shifted": (
                    lambda: call("softmax", z - call("mean", z, axis=axis, keepdims=True), axis=axis),
                    1,
                ),
                "log_softmax": (lambda: call("log", soft(0)) if z.shape[0] != 0 else z, x.bound + 6),
                "logsumexp": (lambda: call("log", call("sum", call("exp", z), axis=axis)), x.bound + 4),
            }
        make, bound = options[self.choose(options)]
        return Value(make(), float(bound))

    def neutral(self, x: Value) -> Value:
        """Formulas that simplify."""
        z = x.node
        forms = [
            lambda: z * 1,
            lambda: z + 0,
            lambda: z - 0.0,
            lambda: call("neg", -z),
            lambda: z / 1,
            lambda: z * -1,
            lambda: z / 4,
            lambda: z - -z,
            lambda: -z + z * 2,
            lambda: -z * -z,
            lambda: z * z,
            lambda: z**1,
            lambda: call("where", call("logical_not", call("isnan", z)), z, z * 3),
            lambda: call("cast", call("cast", z, "float64"), self.dtype),
        ]
        return Value(self.choose(forms)(), max(x.bound * 3, x.bound**2))

    def binary(self, x: Value) -> Value | None:
        y = self.partner(x)
        if y is None:
            return None
        a, z = x.node, y.node
        options: dict[str, tuple[Callable[[], Handle], float]] = {
            "add": (lambda: a + z, x.bound + y.bound),
            "sub": (lambda: a - z, x.bound + y.bound),
            "mul": (lambda: a * z, x.bound * y.bound),
            "div": (lambda: a / (1 + call("square", z)), x.bound),
        }
        if x.exact and y.exact:
            options |= {
                "maximum": (lambda: call("maximum", a, z), max(x.bound, y.bound)),
                "where": (lambda: call("where", a > z, a * z, a), x.bound * (y.bound + 1)),
            }
        make, bound = options[self.choose(options)]
        return Value(make(), bound)

    def partner(self, x: Value) -> Value | None:
        """A value that is known to broadcast with ``x``."""
        fitting = [y for y in self.pool if _meets(x.node, y.node)]
        return self.choose(fitting) if fitting else None

    def kinked(self, x: Value) -> Value | None:
        if not x.exact:
            return None
        z = x.node
        forms = [
            lambda: call("relu", z),
            lambda: call("abs", z),
            lambda: call("where", z > 0.5, z, z * z),
            lambda: call("sign", z),
            lambda: call("abs", -z),
            lambda: call("relu", call("relu", z)),
            lambda: call("hard_tanh", z),
            lambda: call("maximum", z, 0),
            lambda: call("floor", z),
        ]
        return Value(self.choose(forms)(), x.bound**2)

    def reduced(self, x: Value) -> Value | None:
        z = x.node
        axes = tuple(k for k in range(z.ndim) if self.flip())
        options = {"sum": 30.0, "prod": 4.0} if all(z.shape[a] != 0 for a in axes) else {"sum": 1.0}
        if all(z.shape[a] != 0 for a in axes):
            options |= {"mean": 1.0, "logsumexp": 2.0} | ({"max": 1.0, "min": 1.0} if x.exact else {})
        name = self.choose(options)
        narrow = call("tanh", z) if name == "prod" else z
        return Value(call(name, narrow, axis=axes, keepdims=self.flip()), x.bound * options[name])

    def contracted(self, x: Value) -> Value | None:
        y = self.choose(self.pool)
        if any(v.node.ndim > 3 for v in (x, y)):
            return None
        letters, sizes, words = iter("abcdefgh"), {}, []
        for value in (x, y):
            word = ""
            for dim in value.node.shape:
                same = [c for c, d in sizes.items() if d == dim and c not in word]
                letter = self.choose(same) if same and self.flip() else next(letters)
                sizes[letter] = dim
                word += letter
            words.append(word)
        kept = [c for c in self.shuffled(sorted(sizes)) if self.flip()][:3]
        node = call("einsum", f"{words[0]},{words[1]}->{''.join(kept)}", x.node, y.node)
        return Value(node, x.bound * y.bound * 5.0 ** (len(sizes) - len(kept)))

    def moved(self, x: Value) -> Value | None:
        z, rank = x.node, x.node.ndim
        forms: list[Callable[[], Handle]] = [
            lambda: call("transpose", z, tuple(self.shuffled(range(rank)))),
            lambda: call("expand_dims", z, self.rng.randint(0, rank)),
            lambda: call("squeeze", z),
            lambda: call("transpose", call("transpose", z)),
            lambda: call("flip", z, axis=tuple(k for k in range(rank) if self.flip())),
        ]
        if rank <= 3:
            forms.append(lambda: call("broadcast_to", z, (2, *z.shape)))
        if rank:
            forms += [
                lambda: call("reshape", z, (-1,)) if 0 not in z.shape else z,
                lambda: call("concatenate", [z, z * 2], axis=0),
                lambda: call("pad", z, [(1, 0)] + [(0, 0)] * (rank - 1), constant_values=0.5),
                lambda: call("index", z, (slice(None, None, -1),)),
                lambda: z.sum(axis=0, keepdims=True) * 0.1 if rank == 3 else z,
            ]
            if isinstance(z.shape[0], int) and z.shape[0] > 1:
                forms.append(lambda: call("index", z, slice(1, None)))
        made = self.choose(forms)()
        return None if made is z or made.ndim > 4 else Value(made, 2 * x.bound, exact=False)

    def indexed(self, x: Value) -> Value | None:
        z = x.node
        fixed = [k for k, d in enumerate(z.shape) if isinstance(d, int) and d > 0]
        if not fixed:
            return None
        axis = self.choose(fixed)
        rows = [self.rng.randint(0, z.shape[axis] - 1) for _ in range(self.rng.randint(1, 3))]
        indices = self.graph.const(np.array(rows, dtype=np.int64))
        taken = call("take", z, indices, axis=axis)
        if self.flip():
            return Value(taken, x.bound, exact=x.exact)
        return Value(call("scatter_add", taken, indices, size=z.shape[axis], axis=axis), 3 * x.bound)


def _meets(a: Handle, b: Handle) -> bool:
    checks = Checks()
    try:
        return len(checks.broadcast([a.shape, b.shape])) <= 4 and not checks.equations
    except ShapeError:
        return False


def _ends(graph: Graph) -> list[Handle]:
    """The last nodes that nothing reads, as outputs."""
    read = {operand for node in graph.nodes for operand in node.operands}
    ends = [
        graph.handle(at) for at in range(len(graph)) if at not in read and graph.nodes[at].type.dtype.is_float
    ]
    return ends[-4:]


@st.composite
def dags(draw: Any, *, dtype: str = "float64", steps: int = 16) -> Case:
    """A random graph of about ``steps`` operations on inputs of ``dtype``, with up to four outputs."""
    grower = Grower(draw(st.randoms(use_true_random=True)), dtype)
    grower.seed_inputs()
    grower.grow(draw(st.integers(steps // 4, steps)))
    outputs = {f"y{k}": node for k, node in enumerate(_ends(grower.graph))}
    reached = set(grower.graph.ancestors(node.id for node in outputs.values()))
    leaves = tuple(leaf for name in grower.inputs if (leaf := grower.graph[name]).id in reached)
    return Case(grower.graph, outputs, {leaf.name: grower.inputs[leaf.name] for leaf in leaves}, leaves)


def loss_of(case: Case) -> Handle:
    """One number that depends on every output."""
    total = None
    for node in case.outputs.values():
        part = call("sum", call("tanh", node))
        total = part if total is None else total + part
    assert total is not None
    return total
