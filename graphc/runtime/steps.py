# pyright: basic
"""Words of the entry: reading the table of steps, claiming, finishing and awaiting tiles, calling kernels."""

from __future__ import annotations

from functools import partial

from llvmlite import ir
from numba.core import cgutils, types

from graphc.runtime import launch
from graphc.runtime.intrinsics import WORD, call_symbol, define
from graphc.runtime.outline import MEMBER
from graphc.runtime.threads import LAYER_PREFIX as _LAYER

_int64 = types.int64
_INT = ir.IntType(32)
_POINTER = ir.IntType(8).as_pointer()
#: Looks at a cell before a waiting thread begins to offer its processor: some 20 us.
_PATIENCE = 1000
_LINE = 8 * launch.STEP_WORDS


def _cell(builder: ir.IRBuilder, steps: ir.Value, s: ir.Value, position: int) -> ir.Value:
    offset = builder.add(builder.mul(s, WORD(_LINE)), WORD(8 * position))
    return builder.inttoptr(builder.add(steps, offset), WORD.as_pointer())


def _read(position: int, builder: ir.IRBuilder, steps: ir.Value, s: ir.Value) -> ir.Value:
    return builder.load(_cell(builder, steps, s, position), align=8)


def _chunks(builder: ir.IRBuilder, steps: ir.Value, s: ir.Value) -> ir.Value:
    count, most = _read(launch.TILES, builder, steps, s), WORD(launch.MOST_CHUNKS)
    return builder.select(builder.icmp_signed("<", count, most), count, most)


def _chunk_start(builder: ir.IRBuilder, steps: ir.Value, s: ir.Value, chunk: ir.Value) -> ir.Value:
    count = _read(launch.TILES, builder, steps, s)
    return builder.udiv(builder.mul(chunk, count), _chunks(builder, steps, s))


def _run_tile(builder: ir.IRBuilder, steps: ir.Value, s: ir.Value, t: ir.Value) -> None:
    count, rows = (_read(position, builder, steps, s) for position in (launch.TILES, launch.ROWS))
    low, high = (builder.udiv(builder.mul(each, rows), count) for each in (t, builder.add(t, WORD(1))))
    signature = ir.FunctionType(ir.VoidType(), [WORD] * 3).as_pointer()
    kernel = builder.inttoptr(_read(launch.KERNEL, builder, steps, s), signature)
    builder.call(kernel, [low, high, _read(launch.ARGS, builder, steps, s)])


def _is_serial(builder: ir.IRBuilder, steps: ir.Value, count: ir.Value) -> ir.Value:
    """Whether no step has more than one tile."""
    most = cgutils.alloca_once_value(builder, WORD(0))
    with cgutils.for_range(builder, count) as loop:
        tiles_of_step = _read(launch.TILES, builder, steps, loop.index)
        known = builder.load(most)
        builder.store(
            builder.select(builder.icmp_signed(">", tiles_of_step, known), tiles_of_step, known), most
        )
    return builder.icmp_signed("<=", builder.load(most), WORD(1))


def _clear(builder: ir.IRBuilder, steps: ir.Value, count: ir.Value) -> None:
    """Forget the claims of the last call."""
    with cgutils.for_range(builder, count) as loop:
        for position in (launch.CLAIMED, launch.FINISHED):
            builder.store(WORD(0), _cell(builder, steps, loop.index, position))


def _parallel_for(builder: ir.IRBuilder, members: ir.Value, *shared: ir.Value) -> None:
    """Call the outlined loop for 0 .. members - 1 on as many threads, by the layer's convention for ufuncs.

    The layer hands each thread a pointer advanced by `step` bytes for every element before its own, and the number
    of its elements. Pointing at the byte 1 (a null pointer would stay null), the pointer is the member's number.
    """
    before = call_symbol(builder, _LAYER + "get_num_threads", _INT, [])
    data = _array(builder, *shared)
    values = [_array(builder, each) for each in (WORD(1), members, WORD(1))]
    pointers = [builder.bitcast(each, _POINTER) for each in (_callback(builder.module), *values, data)]
    call_symbol(builder, _LAYER + "parallel_for", ir.VoidType(), [*pointers, WORD(0), WORD(1), members])
    # A region leaves its size as the caller's number of threads, which is the user's setting for Numba.
    call_symbol(builder, _LAYER + "set_num_threads", ir.VoidType(), [before])


def _array(builder: ir.IRBuilder, *values: ir.Value) -> ir.Value:
    array = cgutils.alloca_once(builder, WORD, size=len(values))
    for index, value in enumerate(values):
        builder.store(value, builder.gep(array, [WORD(index)]))
    return array


def _callback(module: ir.Module) -> ir.Function:
    """The function that the layer calls: it calls the outlined loop once for each element of its share."""
    words = WORD.as_pointer()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [words] * 4), "graphc_region")
    builder = ir.IRBuilder(function.append_basic_block())
    first, counts, _, data = function.args
    shared = [builder.load(builder.gep(data, [WORD(index)])) for index in range(3)]
    start = builder.sub(builder.load(first), WORD(1))
    with cgutils.for_range(builder, builder.load(counts)) as loop:
        call_symbol(builder, MEMBER, ir.VoidType(), [*shared, builder.add(start, loop.index)])
    builder.ret_void()
    return function


def _claim(builder: ir.IRBuilder, steps: ir.Value, s: ir.Value, chunk: ir.Value) -> ir.Value:
    """Whether the caller is the one who runs this chunk: look first, since a plain load keeps the line shared."""
    cell, bit = _cell(builder, steps, s, launch.CLAIMED), builder.shl(WORD(1), chunk)
    won = cgutils.alloca_once_value(builder, ir.IntType(1)(0))
    seen = builder.and_(builder.load_atomic(cell, "monotonic", 8), bit)
    with builder.if_then(builder.icmp_unsigned("==", seen, WORD(0))):
        former = builder.and_(builder.atomic_rmw("or", cell, bit, "monotonic"), bit)
        builder.store(builder.icmp_unsigned("==", former, WORD(0)), won)
    return builder.load(won)


def _finish(builder: ir.IRBuilder, steps: ir.Value, s: ir.Value) -> None:
    builder.atomic_rmw("add", _cell(builder, steps, s, launch.FINISHED), WORD(1), "release")


def _wait(builder: ir.IRBuilder, steps: ir.Value, s: ir.Value, parts: ir.Value) -> None:
    """Spin until every chunk of the step is finished; what they wrote is then visible.

    A wait is the difference between two members' work, mostly well below a microsecond. If it lasts, the other
    member may have lost its processor, perhaps to this one: from then on, offer it.
    """
    cell, rounds = _cell(builder, steps, s, launch.FINISHED), cgutils.alloca_once_value(builder, WORD(0))
    look, spin, done = (builder.append_basic_block(name) for name in ("look", "spin", "done"))
    builder.branch(look)
    builder.position_at_end(look)
    finished = builder.load_atomic(cell, "acquire", 8)
    builder.cbranch(builder.icmp_signed("<", finished, parts), spin, done)
    builder.position_at_end(spin)
    passed = builder.load(rounds)
    builder.store(builder.add(passed, WORD(1)), rounds)
    _pause(builder)
    with builder.if_then(builder.icmp_signed(">", passed, WORD(_PATIENCE)), likely=False):
        call_symbol(builder, _LAYER + "yield", _INT, [])
    builder.branch(look)
    builder.position_at_end(done)


def _pause(builder: ir.IRBuilder) -> None:
    """The instruction with which a spinning thread leaves the core's resources to others."""
    if builder.module.triple.startswith("x86_64"):
        call_symbol(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
    elif builder.module.triple.startswith(("aarch64", "arm64")):
        call_symbol(builder, "llvm.aarch64.hint", ir.VoidType(), [_INT(1)])


_step = (_int64, _int64)
tiles = define("tiles", _int64, _step, partial(_read, launch.TILES))
chunks = define("chunks", _int64, _step, _chunks)
chunk_start = define("chunk_start", _int64, (*_step, _int64), _chunk_start)
run_tile = define("run_tile", types.void, (*_step, _int64), _run_tile)
is_serial = define("is_serial", types.boolean, _step, _is_serial)
clear = define("clear", types.void, _step, _clear)
parallel_for = define("parallel_for", types.void, (_int64,) * 4, _parallel_for)
claim = define("claim", types.boolean, (*_step, _int64), _claim)
finish = define("finish", types.void, _step, _finish)
wait = define("wait", types.void, (*_step, _int64), _wait)
