"""Inputs of strangers, altered at random: texts of graphs, networks of networkx, checkpoints.

    python tests/fuzz.py --minutes 10

Whatever comes in, graphc reads it or raises an error of its own; anything else is printed with the input that did it.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import op_cases

import graphc as gc
from graphc.errors import GraphcError
from graphc.graph import Graph
from graphc.types import as_shape

HOSTILE = (
    "__import__('os').system('exit 3')", "x\ny", '"', "'", '"""', "\\", "\0", "lambda", "None", "class",
    "\u202e", "é", "𝔵",
    "µ", "a" * 10_000, "%0", "%-1", "../../x", "{0}", "${x}", "# x", "0x10", "-9223372036854775808",
    "9223372036854775808",
    "1e400", "nan", "inf", "1_000", "N*N*N", "N-M", "N//0", "2**70", "(", ")", "[", "()", ",", "=", "dim(",
    "body('", " ",
    "", "True", "1j", "...", "*x", "**x", "x:=1", "f'{x}'", "(" * 300, "-" * 300 + "1", "9" * 5000, "__step0",
    "__tiles0",
)  # fmt: skip


def own(act: Callable[[], Any]) -> str:
    """``""`` where ``act`` runs or raises an error of graphc's; else the traceback."""
    try:
        act()
    except GraphcError as error:
        str(error)
    except Exception:
        return traceback.format_exc()
    return ""


# ---------------------------------------------------------------------------------------------------- texts


@cache
def texts() -> tuple[str, ...]:
    """Texts of graphs that read: one for each op's samples, and a few with gradients and loops."""
    found: list[str] = []
    for op in op_cases.ALL:
        for sample in op.samples[:2]:
            g = Graph()
            names = [*sample.dtypes, *[""] * len(sample.shapes)]
            usual = "bool" if getattr(op.scalar, "takes", "") == "bool" else "float32"
            leaves = [
                g.input(f"x{k}", as_shape(s), n or usual)
                for k, (s, n) in enumerate(zip(sample.shapes, names, strict=False))
            ]
            g.add(op.name, leaves, **sample.params)
            found.append(str(g))
    g = Graph()
    x, w = g.input("x", ("T", "N", 3)), g.param("w", (3, 3))
    last, _ = gc.scan(lambda h, x: (gc.tanh(x + h @ w), None), gc.zeros_like(x[0]), x)
    gc.optim.Adam(0.1)(gc.grad(gc.mean(last**2)))
    return (*found, str(g))


def changed(text: str, rng: random.Random) -> str:
    """``text`` with some places altered: characters, numbers, hostile words, lines doubled, dropped and exchanged."""
    for _ in range(rng.choice((1, 1, 1, 2, 5))):
        at = rng.randrange(len(text) + 1)
        until = min(len(text), at + rng.choice((0, 1, 1, 3, 10)))
        lines = text.splitlines()
        match rng.randrange(7):
            case 0:
                text = text[:at] + rng.choice(HOSTILE) + text[until:]
            case 1:
                text = (
                    text[:at]
                    + chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x3000))))
                    + text[until:]
                )
            case 2:
                text = text[:at] + text[until:]
            case 3:
                digits = [k for k, c in enumerate(text) if c.isdigit()] or [0]
                at = rng.choice(digits)
                text = (
                    text[:at]
                    + rng.choice(("-1", "0", "7", "2147483648", "9" * 19, "9" * 30))
                    + text[at + 1 :]
                )
            case 4 if lines:
                text = "\n".join(rng.sample(lines, len(lines)))
            case 5 if lines:
                text = "\n".join([*lines, rng.choice(lines)])
            case _:
                words = text.split(" ")
                words[rng.randrange(len(words))] = rng.choice(rng.choice(texts()).split(" "))
                text = " ".join(words)
    return text


def fuzz_text(rng: random.Random) -> tuple[str, str]:
    text = changed(rng.choice(texts()), rng)

    def act() -> None:
        graph = gc.parse(text)
        assert gc.parse(str(graph)) == graph, "it reads back to another graph"
        gc.check(graph)

    return text, own(act)


# ------------------------------------------------------------------------------------------------- networkx

VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 3, 2**63, -(2**70), 1.5, float("nan"), float("inf"), 1j, "x", "float32", "int32",
    "float16", "bool",
    "", b"x", (), (3,), ("N", 3), (-1,), (2**62, 2**62), ("N", None), [1, 2], [[1, 2], [3]], {}, {"a": 1},
    object(), print,
    np.zeros((2, 3)), np.array(["x"]), np.array(None), np.float32(2), (0, 0), (1, -5), "ab,bc->ac", *HOSTILE[:12],
)  # fmt: skip
KEYS = (
    "op", "expr", "shape", "dtype", "init", "value", "args", "layer", "axis", "axes", "keepdims", "spec",
    "size", "name",
    "start", "stop", "step", "padding", "stride", "window", "body", "length", "reverse", "last", "self", "graph",
)  # fmt: skip
FORMULAS = (
    "a + b", "a * b - 1", "exp(a)", "tanh(a) @ b", "a[0]", "a.shape", "lambda: a", "sum(a, axis=-1)",
    "max(a, b)", "'a' * 2",
    "__import__('os')", "a if b else 3", "a < b < 3", "a ** 1000000", "9**9**9", "(a for a in b)", "a := b",
    "a or not b",
    "f(a)", "a // 0", "1 / 0", "softmax(a)", "where(a > 0, a, b)", "a" + " + a" * 2000, "-" * 500 + "a",
    "pi * a", "a;b",
)  # fmt: skip


def network(rng: random.Random) -> Any:
    """A network that is mostly sound."""
    dag = rng.choice((networkx.DiGraph, networkx.DiGraph, networkx.MultiDiGraph, networkx.Graph))()
    names = ["a", "b", *rng.sample([*HOSTILE, 3, ("t", 1), 2.5, True], rng.randrange(4))]
    ops = [op.name for op in op_cases.ALL]
    for k, name in enumerate(names):
        given: dict[str, Any] = {}
        if k < 2 or rng.random() < 0.2:
            given = {"op": rng.choice(("input", "param", "const")), "shape": (3, 3)}
            if given["op"] == "const":
                given = {"op": "const", "value": rng.choice(VALUES)}
        elif rng.random() < 0.6:
            given = {"expr": rng.choice((*FORMULAS, *HOSTILE))}
        else:
            given = {"op": rng.choice((*ops, *gc.graph.FUNCTIONS))}
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            given[rng.choice(KEYS)] = rng.choice(VALUES)
        dag.add_node(name)
        dag.nodes[name].update(given)
    for after in range(2, len(names)):
        for before in rng.sample(range(after if rng.random() < 0.95 else len(names)), rng.randrange(1, 3)):
            dag.add_edge(
                names[before], names[after], **({"operand": rng.choice(VALUES)} if rng.random() < 0.1 else {})
            )
    return dag


def fuzz_network(rng: random.Random) -> tuple[str, str]:
    dag = network(rng)

    def act() -> None:
        net = gc.from_networkx(dag)
        assert gc.parse(str(net.graph)).nodes == net.graph.nodes, "it reads back to another graph"

    shown = repr(dag), dict(dag.nodes(data=True)), list(dag.edges(data=True))
    return str(shown), own(act)


# ---------------------------------------------------------------------------------------------- checkpoints


@cache
def program() -> gc.Program:
    g = Graph("net", seed=0)
    x, w = g.input("x", ("N", 3)), g.param("w", (3, 2))
    loss = gc.mean((x @ w) ** 2)
    return gc.compile({"loss": loss}, updates=gc.optim.Adam(0.1)(gc.grad(loss)))


@cache
def checkpoint() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return gc.train.save(Path(folder) / "net.safetensors", program(), position={"step": 3}).read_bytes()


def fuzz_checkpoint(rng: random.Random) -> tuple[str, str]:
    content = bytearray(checkpoint())
    head = int.from_bytes(content[:8], "little")
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(min(8 + head, len(content)) if rng.random() < 0.9 else len(content))
        match rng.randrange(4):
            case 0:
                content[at] = rng.randrange(256)
            case 1:
                del content[at : at + rng.choice((1, 3, 100))]
            case 2:
                content[at:at] = rng.choice(HOSTILE)[:50].encode()
            case _:
                content[at : at + 1] = str(rng.choice((0, 1, 9, 2**31, 2**63, 2**64))).encode()
    if rng.random() < 0.7:  # so that what was altered is read as a head
        content[:8] = max(0, len(content) - (len(checkpoint()) - head)).to_bytes(8, "little")
    before = {n: a.tobytes() for n, a in {**program().params, **program().states}.items()}

    def act() -> None:
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
            file.write(content)
            file.flush()
            try:
                gc.train.load(file.name, program())
            except GraphcError:
                after = {n: a.tobytes() for n, a in {**program().params, **program().states}.items()}
                assert after == before, "a checkpoint that was refused changed the program"
                raise

    return repr(bytes(content)), own(act)


KINDS = {"texts of graphs": fuzz_text, "networks": fuzz_network, "checkpoints": fuzz_checkpoint}


def cases(kind: str, seed: int, count: int | None = None, seconds: float = 0) -> Iterator[tuple[str, str]]:
    """Inputs of a kind with what went wrong: so many, or for so long."""
    rng, until, done = random.Random(f"{kind} {seed}"), time.monotonic() + seconds, 0
    while done < count if count is not None else time.monotonic() < until:
        yield KINDS[kind](rng)
        done += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for kind in KINDS:
        tried, seen = 0, dict[str, str]()
        for shown, wrong in cases(kind, given.seed, seconds=60 * given.minutes / len(KINDS)):
            tried += 1
            if wrong:
                seen.setdefault("\n".join(wrong.splitlines()[-4:]), f"{shown[:2000]}\n{wrong}")
        print(f"{kind}: {tried} tried, {len(seen)} kinds of errors that are not graphc's", flush=True)
        print(*seen.values(), sep="\n\n")


if __name__ == "__main__":
    main()
