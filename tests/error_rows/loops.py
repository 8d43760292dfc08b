"""Loops: how a step is declared, and bodies in the text form."""

import graphc as gc
from graphc.errors import GraphError, ShapeError

G = gc.Graph("net")
X = G.input("x", ("T", 3))
Y = G.input("y", (4, 3))
Z = G.input("z", (5, 3))
H = G.input("h", (3,))
S = G.input("s")
STEP = (
    "%0: f32[3] = input(name='carry0')\n%1: f32[3] = input(name='each0')\n%2: f32[3] = add(%0, %1)\nnext %2"
)


def same(h, x):
    return h, x


def loop(*operands, body=STEP, value=2, last=False):
    from graphc.graph import read_body

    chosen = {"length": 4, "reverse": False, "checkpoint": False, "value": value, "last": last}
    return G.add("scan", operands, body=read_body(body), **chosen)


def text(body):
    return gc.parse(f"%0: f32[3] = input(name='h')\n%1: f32[3] = scan(%0, body=body({body!r}), length=4)")


def escaped():
    kept = []
    gc.scan(lambda h, x: (kept.append(h * x) or h, None), H, X)
    return H + kept[0]


ROWS = [
    (
        GraphError,
        lambda: gc.scan(3, H, X),
        "scan: body is 3; give a function of (carry, x) that returns (next carry, y) @",
    ),
    (ShapeError, lambda: gc.scan(same, H), "scan: there are no xs and no length; give one of them @"),
    (
        ShapeError,
        lambda: gc.scan(same, H, S),
        "scan: xs has no axes; its first axis is the steps, scan over a node that has one @",
    ),
    (
        ShapeError,
        lambda: gc.scan(same, H, {"a": Y, "b": Z}),
        "scan: xs['a'] has 4 steps and xs['b'] has 5; make them equal @",
    ),
    (
        ShapeError,
        lambda: gc.scan(same, H, Y, length=3),
        "scan: length has 3 steps and xs has 4; make them equal @",
    ),
    (
        GraphError,
        lambda: gc.scan(lambda h, x: h + x, H, X),
        "scan: body returns <%…: f32[3] = add %…>; return a pair (carry, y), in which y may be None @",
    ),
    (
        GraphError,
        lambda: gc.scan(lambda h, x: (h, x, x), H, X),
        "scan: body returns a tuple of 3; return a pair (carry, y), in which y may be None @",
    ),
    (
        GraphError,
        lambda: gc.scan(lambda h, x: ((h[0], h[0]), x), [H], X),
        "scan: the carries before and after a step are carry[0] and carry[0], carry[1]; return the form of init @",
    ),
    (
        GraphError,
        lambda: gc.scan(lambda h, x: (None, x), H, X),
        "scan: the carries before and after a step are carry and nothing; return the form of init @",
    ),
    (
        ShapeError,
        lambda: gc.scan(lambda h, x: (gc.sum(h + x), x), H, X),
        "scan: carry has shape (3,) and becomes (); return the shape of init, or start from another @",
    ),
    (
        GraphError,
        lambda: gc.scan(lambda h, x: (h.astype("float64"), x), H, X),
        "scan: carry is float32 and becomes float64; cast one with gc.cast @",
    ),
    (
        GraphError,
        escaped,
        "add: operands belong to graphs 'net' and 'a step of a loop'; build them in one graph @",
    ),
    (
        GraphError,
        lambda: loop(H),
        "scan: 1 operands are given to a body of 2 inputs; give one each @",
    ),
    (GraphError, lambda: loop(H, H), "scan: operand for each0 is f32[3]; give f32[4,3] @"),
    (GraphError, lambda: loop(H, Y, value=3), "scan: value 3 is no node of the body; give one of its @"),
    (GraphError, lambda: loop(H, Y, last=True), "scan: value 2 is no carry of the body; give one of its @"),
    (GraphError, lambda: text(3), "line 2: a body is given as 3; give its text form"),
    (
        GraphError,
        lambda: text("%0: f32[3] = input(name='carry0')"),
        "line 2: a body ends with \"%0: f32[3] = input(name='carry0')\"; end it with a line such as 'next %2'",
    ),
    (
        GraphError,
        lambda: text("%0: f32[3] = input(name='fixed0')\n%1: f32[3] = input(name='each0')\nnext"),
        "line 2: a body has the inputs (fixed, each); put carries first, then each, then fixed",
    ),
    (
        GraphError,
        lambda: text("%0: f32[3] = param(name='w')\nnext"),
        "line 2: a body has the inputs (another leaf); put carries first, then each, then fixed",
    ),
    (
        GraphError,
        lambda: text("%0: f32[3] = input(name='carry0')\nnext %2"),
        "line 2: a body of 1 nodes goes on with (2,); name nodes of it",
    ),
    (
        GraphError,
        lambda: text("%0: f32[3] = input(name='carry0')\nnext %0, %0"),
        "line 2: a body has 1 carries and 2 next values; give one for each",
    ),
    (
        GraphError,
        lambda: text("%0: f32[3] = input(name='carry0')\n%1: f32[] = input(name='carry1')\nnext %1, %1"),
        "line 2: a body turns a carry of type f32[3] into f32[]; make the types equal",
    ),
]
