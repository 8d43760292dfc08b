"""Calls: arrays, sizes and indices that do not fit, and the parameters of a program."""

import functools

import numpy as np

import graphc as gc
from graphc.errors import CapacityError, InputError, MissingError

G = gc.Graph("net")
X = G.input("x", ("N", 64))
T = G.input("t", ("N",), dtype="int32")
W = G.param("w", (64, 10))
S = G.state("mean", (), init=0.0)
LOSS = gc.losses.softmax_cross_entropy(X @ W, T)
IMAGES, LABELS = np.zeros((2, 64), "float32"), np.array([3, 9], "int32")


@functools.cache
def program():
    """A step that reads all of the graph and updates parameter and state."""
    return gc.compile({"loss": LOSS}, updates={W: W * 2, S: S + 1})


def call(**inputs):
    return program()(**{"x": IMAGES, "t": LABELS, **inputs})


def leaf(*shape, dtype="float32", name="x"):
    return gc.Graph("leaf").input(name, shape, dtype)


@functools.cache
def indexed():
    g = gc.Graph("indexed")
    x, i = g.input("x", ("N", 3)), g.input("i", ("M",), "int32")
    return gc.compile({"taken": gc.take(x, i * 2, axis=0), "fixed": gc.take(x, np.array([3]), axis=0)})


@functools.cache
def together():
    g = gc.Graph("together")
    a, b = g.input("a", ("A",)), g.input("b", ("B",))
    return gc.compile(gc.concatenate([gc.reshape(a, ("A", 1)), gc.reshape(b, (a.shape[0], 1))], axis=1))


def bound(shapes, **arrays):
    """A run of inputs declared with these shapes."""
    g = gc.Graph("bound")
    inputs = [g.input(name, shape) for name, shape in shapes.items()]
    return gc.interpret(inputs, **{name: np.ones(shape, "float32") for name, shape in arrays.items()})


def too_large():
    """A batch whose one value of 2**50 elements no machine holds; its input is one number, repeated."""
    g = gc.Graph("large")
    x, y = g.input("x", ("N", 1)), g.input("y", (1, "M"))
    program = gc.compile({"z": gc.exp(x + y)})
    program._tables_for({"N": 2**25, "M": 2**25})


ROWS = [
    (
        CapacityError,
        too_large,
        "large with N=33554432, M=33554432: temporaries and outputs take 4503599627370496 bytes (4194304.0 GiB) and "
        "this machine has …; give a smaller batch",
    ),
    (
        InputError,
        lambda: program()(IMAGES, LABELS),
        "'net' takes its inputs by name; call it with x=..., t=...",
    ),
    (
        InputError,
        lambda: program().bind(x=IMAGES.tolist(), t=LABELS),
        "net: bind reads arrays where they lie, and input 'x' must be copied for that; give a contiguous "
        "float32 array of its own",
    ),
    (InputError, lambda: program()(), "input 'x': it is missing; give an array of f32[N,64]"),
    (InputError, lambda: program()(x=IMAGES), "input 't': it is missing; give an array of i32[N]"),
    (InputError, lambda: call(z=3), "input 'z': there is no such input; the inputs are 'x', 't'"),
    (
        InputError,
        lambda: program()(X=IMAGES, t=LABELS),
        "input 'X': there is no such input; the inputs are 'x', 't'",
    ),
    (
        InputError,
        lambda: gc.compile(gc.Graph().const(3.0) * 2)(z=3),
        "input 'z': there is no such input; there are no inputs",
    ),
    (
        InputError,
        lambda: gc.interpret(leaf(name="weight"), wieght=1),
        "input 'wieght': there is no such input; did you mean 'weight'?",
    ),
    (
        InputError,
        lambda: call(x=IMAGES[0]),
        "input 'x': shape (64,) does not fit (N, 64): it has 1 axes, not 2; give f32[N,64]",
    ),
    (
        InputError,
        lambda: call(x=IMAGES[:, :3]),
        "input 'x': shape (2, 3) does not fit (N, 64): axis 1 is 3, not 64; give f32[N,64]",
    ),
    (
        InputError,
        lambda: call(x=IMAGES[:1]),
        "input 't': shape (2,) does not fit (N,): axis 0 is 2, but N is 1 by input 'x'; give i32[N]",
    ),
    (
        InputError,
        lambda: call(x=IMAGES.astype("float64")),
        "input 'x': dtype float64 does not fit float32; cast it with .astype('float32')",
    ),
    (
        InputError,
        lambda: call(x=IMAGES.astype("complex64")),
        "input 'x': dtype complex64 does not fit float32; give numbers of float32",
    ),
    (
        InputError,
        lambda: call(x="text"),
        "input 'x': dtype <U4 does not fit float32; give numbers of float32",
    ),
    (
        InputError,
        lambda: call(x=None),
        "input 'x': dtype object does not fit float32; give numbers of float32",
    ),
    (
        InputError,
        lambda: call(x=[[1, 2, 3], [4]]),
        "input 'x': a list does not make an array (…); give f32[N,64]",
    ),
    (InputError, lambda: call(x=X), "input 'x': a Handle is not plain data; give an array of f32[N,64]"),
    (
        InputError,
        lambda: call(x=np.ma.masked_array(IMAGES)),
        "input 'x': a MaskedArray is not plain data; give an array of f32[N,64]",
    ),
    (
        InputError,
        lambda: call(t=LABELS.astype("float32")),
        "input 't': dtype float32 does not fit int32; cast it with .astype('int32')",
    ),
    (
        InputError,
        lambda: call(t=[1, 2**40]),
        "input 't': value 1099511627776 does not fit int32; give smaller values or declare a wider dtype",
    ),
    (
        InputError,
        lambda: call(x=[[1e300] * 64] * 2),
        "input 'x': value 1e+300 does not fit float32; give smaller values or declare a wider dtype",
    ),
    (
        InputError,
        lambda: call(t=np.array([0, 10], "int32")),
        "input 't' of softmax_cross_entropy (take_along): index 10 is out of range for size 10; give 0 to 9 @",
    ),
    (
        InputError,
        lambda: call(t=np.array([-1, 0], "int32")),
        "input 't' of softmax_cross_entropy (take_along): index -1 is out of range for size 10; give 0 to 9 @",
    ),
    (
        InputError,
        lambda: indexed()(x=np.zeros((0, 3), "float32"), i=[1]),
        "take %…: index 0 is out of range for size 0; give larger inputs or other indices @",
    ),
    (
        InputError,
        lambda: indexed()(x=np.zeros((3, 3), "float32"), i=[1]),
        "take %…: index 3 is out of range for size 3; give larger inputs or other indices @",
    ),
    (
        InputError,
        lambda: gc.compile(leaf("2*K"))(x=np.zeros(5, "float32")),
        "input 'x': 2*K cannot be 5; give a size that solves 2*K = 5",
    ),
    (
        InputError,
        lambda: together()(a=np.zeros(5, "float32"), b=np.zeros(4, "float32")),
        "reshape %…: element counts of (B,) and (A, 1): B is 4 and A is 5; give inputs for which they are equal @",
    ),
    (
        InputError,
        lambda: gc.interpret(leaf(dtype="bool"), x=1),
        "input 'x': dtype int64 does not fit bool; cast it with .astype('bool')",
    ),
    (
        InputError,
        lambda: gc.interpret(leaf(dtype="int32"), x=0.5),
        "input 'x': dtype float64 does not fit int32; cast it with .astype('int32')",
    ),
    (
        InputError,
        lambda: gc.interpret(leaf(dtype="int32"), x=np.int64(2**31)),
        "input 'x': value 2147483648 does not fit int32; give smaller values or declare a wider dtype",
    ),
    (
        InputError,
        lambda: bound({"y": ("N//2",)}, y=1),
        "input 'y': N//2 does not decide N; give an input with an axis of size N",
    ),
    (
        InputError,
        lambda: bound({"a": ("2*N + 1", "M"), "b": ("N*M", "N//2")}, a=(9, 3), b=(12, 1)),
        "input 'a' and 'b': N//2 (with N=4) is 2, but 1 was given; give sizes that agree",
    ),
    (
        InputError,
        lambda: bound({"x": ("N",), "y": ("2*N + 1",)}, x=3, y=2),
        "input 'y': 2*N + 1 (with N=3) is 7, but 2 was given; give sizes that agree",
    ),
    (
        MissingError,
        lambda: program().states["sgd.lr"],
        "state 'sgd.lr': there is no such value; there are mean",
    ),
    (
        MissingError,
        lambda: program().params["nothing"],
        "parameter 'nothing': there is no such value; there are w",
    ),
    (
        InputError,
        lambda: program().params.__setitem__("w", np.zeros(3)),
        "parameter 'w': shape (3,) does not fit (64, 10); give values of f32[64,10]",
    ),
    (
        InputError,
        lambda: program().params.__setitem__("w", np.zeros((64, 10), "complex64")),
        "parameter 'w': dtype complex64 does not fit float32; cast it first",
    ),
    (
        InputError,
        lambda: program().params.__delitem__("w"),
        "parameter 'w': it cannot be removed, kernels read it; assign to it instead",
    ),
]
