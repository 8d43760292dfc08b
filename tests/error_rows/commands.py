"""The command line, the cache, measurements, kernels and threads."""

# ruff: noqa: E501 - texts stand whole

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import runtime_kernels as kernels

from graphc.bench import picture, startup
from graphc.cli.app import app
from graphc.errors import CompileError, ExpressionError, GraphcError
from graphc.ops.remembered import decode
from graphc.runtime import jit, language, loader, threads
from graphc.types import DType


class EndedError(Exception):
    """What a command says when it ends with a status other than 0."""


def command(*arguments):
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            app(arguments)
    except SystemExit as end:
        raise EndedError(said.getvalue().strip()) from end


def demo_into_a_file():
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "file").write_text("in the way")
        command("demo", "--output", str(Path(folder) / "file"))


def module(text):
    loaded = jit.load(kernels.HEAD + text, "kernels.py")
    loaded.call(0, 0)


def limited(count):
    with threads.limit(count):
        pass


def changed(act, values, **others):
    with patch.dict(values, others):
        act()


def measured(act):
    done = subprocess.CompletedProcess((), 1, "", "no memory")
    with patch.object(startup.subprocess, "run", return_value=done):
        act()


ROWS = [
    (
        EndedError,
        lambda: changed(lambda: command("cache"), os.environ, GRAPHC_CACHE=""),
        "graphc: there is no cache: GRAPHC_CACHE is empty, or its folder is not yours alone; name another",
    ),
    (
        EndedError,
        lambda: changed(lambda: command("demo"), sys.modules, **{"sklearn.datasets": None}),
        "graphc: the demo's images come with scikit-learn, which is not installed; pip install 'graphc[demo]' (in a clone: pip install '.[demo]')",
    ),
    (
        EndedError,
        lambda: demo_into_a_file(),
        "graphc: [Errno …] …: '…/file'; give a folder that can be written with --output",
    ),
    (
        EndedError,
        lambda: measured(lambda: command("bench", "--startup")),
        "graphc: measuring 'MLP 64-128-10, batch 32' failed; see what its process wrote:\nno memory",
    ),
    (
        EndedError,
        lambda: command("bench", "--only", "perceptron", "--only", "x", "--peers", "torch,tensorflow"),
        "graphc: there is no peer 'tensorflow'; give some of NumPy, torch, …",
    ),
    (
        EndedError,
        lambda: command("bench", "--only", "boosted trees"),
        "graphc: no workload is called like boosted trees; give a family of Perceptrons, …",
    ),
    (
        EndedError,
        lambda: command("bench", "--results", __file__),
        "graphc: results are not of the form of this version; make them anew with graphc bench --json",
    ),
    (
        EndedError,
        lambda: command("bench", "--results", "no/such/file"),
        "graphc: [Errno …] …: 'no/such/file'; give other paths with --results, --page or --python",
    ),
    (
        GraphcError,
        lambda: changed(lambda: picture.save(None, Path("run.svg")), sys.modules, matplotlib=None),
        "pictures of results are drawn by matplotlib, which is not installed; pip install 'graphc[bench]'",
    ),
    (
        ExpressionError,
        lambda: decode(["shell", "rm"], DType.F32),
        "a remembered formula holds ['shell', 'rm'], no expression; empty the folder of the cache",
    ),
    (ValueError, lambda: limited(0), "a limit of 0 threads; give 1 or more"),
    (NotImplementedError, lambda: language.f32_buffer(0, 0), "f32_buffer is a word of compiled kernels"),
    (
        CompileError,
        lambda: loader._resolve("no_such_symbol"),
        "a kernel calls no_such_symbol, which is not in this process; clear the cache with graphc cache --clear",
    ),
    (
        CompileError,
        lambda: module("@kernel\ndef wrong(lo, hi, args):\n    nowhere(lo)\n"),
        "wrong: …nowhere…; the kernel's text is in kernels.py",
    ),
    (
        CompileError,
        lambda: module(
            "@kernel\ndef wrong(lo, hi, args):\n    for i in range(lo, hi, args):\n        size(args, i)\n"
        ),
        "wrong: the function may raise, and a kernel has nobody to catch it; the kernel's text is in kernels.py",
    ),
    (
        CompileError,
        lambda: module("@kernel\ndef right(lo, hi, args):\n    pass\n"),
        "the module has no @entry; append launch.ENTRY to it",
    ),
    (
        CompileError,
        lambda: module("def helper(x):\n    return x"),
        "kernels.py: function helper has the marks []; give it one of ('kernel', 'entry')",
    ),
    (
        CompileError,
        lambda: module("@kernel\n@entry\ndef both(lo, hi, args):\n    pass"),
        "kernels.py: function both has the marks ['kernel', 'entry']; give it one of ('kernel', 'entry')",
    ),
    (
        CompileError,
        lambda: module("@kernel\ndef broken(:"),
        "kernels.py: the emitted module is no Python (…); report it as a bug",
    ),
    (
        CompileError,
        lambda: module("@entry\ndef run(steps, count, threads):\n    pass"),
        "run: it has 0 loops over prange; an entry has one; the kernel's text is in kernels.py",
    ),
    (
        CompileError,
        lambda: module("@entry\ndef run(a, b, c):\n    x = a\n    for m in prange(2):\n        tiles(x, m)"),
        "run: its loop over prange uses ['x']; pass it as a parameter; the kernel's text is in kernels.py",
    ),
]
