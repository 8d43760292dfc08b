# pyright: basic
"""Words of the entry: reading the table of steps, claiming, finishing and awaiting tiles, calling kernels."""

from __future__ import annotations

from functools import partial

from llvmlite import ir
from numba.core import cgutils, types

from graphc.runtime import launch
from graphc.runtime.intrinsics import WORD, call_symbol, define

_int64 = types.int64
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


def _begin(builder: ir.IRBuilder, steps: ir.Value, count: ir.Value, threads: ir.Value) -> ir.Value:
    """Clear all claims, then make the threading layer take `threads` threads; return its former number."""
    with cgutils.for_range(builder, count) as loop:
        for position in (launch.CLAIMED, launch.FINISHED):
            builder.store(WORD(0), _cell(builder, steps, loop.index, position))
    before = call_symbol(builder, "get_num_threads", WORD, [])
    call_symbol(builder, "set_num_threads", ir.VoidType(), [threads])
    return before


def _end(builder: ir.IRBuilder, before: ir.Value) -> None:
    call_symbol(builder, "set_num_threads", ir.VoidType(), [before])


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
    """Spin until every chunk of the step is finished; what they wrote is then visible."""
    cell = _cell(builder, steps, s, launch.FINISHED)
    spin, done = builder.append_basic_block("spin"), builder.append_basic_block("done")
    builder.branch(spin)
    builder.position_at_end(spin)
    finished = builder.load_atomic(cell, "acquire", 8)
    builder.cbranch(builder.icmp_signed("<", finished, parts), spin, done)
    builder.position_at_end(done)


_step = (_int64, _int64)
tiles = define("tiles", _int64, _step, partial(_read, launch.TILES))
chunks = define("chunks", _int64, _step, _chunks)
chunk_start = define("chunk_start", _int64, (*_step, _int64), _chunk_start)
run_tile = define("run_tile", types.void, (*_step, _int64), _run_tile)
is_serial = define("is_serial", types.boolean, _step, _is_serial)
begin = define("begin", _int64, (*_step, _int64), _begin)
end = define("end", types.void, (_int64,), _end)
claim = define("claim", types.boolean, (*_step, _int64), _claim)
finish = define("finish", types.void, _step, _finish)
wait = define("wait", types.void, (*_step, _int64), _wait)
