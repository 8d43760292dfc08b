# Numba and llvmlite carry no types, and what is inferred of them is often wrong.
# pyright: basic, reportArgumentType=false, reportReturnType=false
"""Words of the entry: reading the table of steps, claiming, finishing and awaiting tiles, calling kernels."""

from __future__ import annotations

from functools import partial

from llvmlite import ir
from numba.core import cgutils, types

from graphc.runtime import launch
from graphc.runtime.gemm_vectors import counted_loop, joined
from graphc.runtime.intrinsics import WORD, call_symbol, define
from graphc.runtime.outline import MEMBER

_int64 = types.int64
_INT = ir.IntType(32)
_POINTER = ir.IntType(8).as_pointer()
_LINE = 8 * launch.STEP_WORDS


def _cell(builder: ir.IRBuilder, steps: ir.Value, s: ir.Value, position: int) -> ir.Value:
    offset = builder.add(builder.mul(s, WORD(_LINE)), WORD(8 * position))
    return builder.inttoptr(builder.add(steps, offset), WORD.as_pointer())


def _read(position: int, builder: ir.IRBuilder, steps: ir.Value, s: ir.Value) -> ir.Value:
    return builder.load(_cell(builder, steps, s, position), align=8)


def _chunks(builder: ir.IRBuilder, steps: ir.Value, s: ir.Value, threads: ir.Value) -> ir.Value:
    """In how many parts the tiles of a step are claimed."""
    shares = _read(launch.SHARES, builder, steps, s)
    wanted = builder.select(
        builder.icmp_signed("==", shares, WORD(0)), WORD(launch.MOST_CHUNKS), builder.mul(shares, threads)
    )
    return _least(builder, _most_parts(builder, steps, s), wanted)


def _most_parts(builder: ir.IRBuilder, steps: ir.Value, s: ir.Value) -> ir.Value:
    return _least(builder, _read(launch.TILES, builder, steps, s), WORD(launch.MOST_CHUNKS))


def _least(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.select(builder.icmp_signed("<", a, b), a, b)


def _chunk_start(
    builder: ir.IRBuilder, steps: ir.Value, s: ir.Value, chunk: ir.Value, parts: ir.Value
) -> ir.Value:
    return builder.udiv(builder.mul(chunk, _read(launch.TILES, builder, steps, s)), parts)


def _admit(builder: ir.IRBuilder, guards: ir.Value) -> None:
    call_symbol(builder, "graphc_admit", ir.VoidType(), [guards])


def _refused(builder: ir.IRBuilder, guards: ir.Value) -> ir.Value:
    """Whether the guards' result is not 0; without guards nothing is refused."""
    refused = cgutils.alloca_once_value(builder, ir.IntType(1)(0))
    with builder.if_then(builder.icmp_signed("!=", guards, WORD(0))):
        result = builder.load(builder.inttoptr(guards, WORD.as_pointer()))
        builder.store(builder.icmp_signed("!=", result, WORD(0)), refused)
    return builder.load(refused)


def _run_tiles(builder: ir.IRBuilder, steps: ir.Value, s: ir.Value, first: ir.Value, end: ir.Value) -> None:
    """Call the kernel for tiles `first` up to `end`, in groups as large as allowed and as equal as they can be."""
    count, rows, group = (
        _read(position, builder, steps, s) for position in (launch.TILES, launch.ROWS, launch.GROUP)
    )
    signature = ir.FunctionType(ir.VoidType(), [WORD] * 3).as_pointer()
    kernel = builder.inttoptr(_read(launch.KERNEL, builder, steps, s), signature)
    arguments = _read(launch.ARGS, builder, steps, s)

    def call(_, tile):
        after = _least(builder, builder.add(tile, group), end)
        low, high = (builder.udiv(builder.mul(each, rows), count) for each in (tile, after))
        builder.call(kernel, [low, high, arguments])
        return [after]

    wanted = builder.sub(end, first)
    once, before = _least(builder, wanted, WORD(1)), builder.block
    with builder.if_then(builder.icmp_signed(">", wanted, group), likely=False):
        several = _parts(builder, wanted, group)
        equal = _parts(builder, wanted, several)
        after = builder.block
    calls = joined(builder, (once, before), (several, after))
    group = joined(builder, (group, before), (equal, after))
    counted_loop(builder, calls, [first], call)


def _parts(builder: ir.IRBuilder, count: ir.Value, size: ir.Value) -> ir.Value:
    """How many parts of `size` hold `count`."""
    return builder.udiv(builder.add(count, builder.sub(size, WORD(1))), size)


def _most_chunks(builder: ir.IRBuilder, steps: ir.Value, count: ir.Value) -> ir.Value:
    """The largest number of members that one of the steps can use."""
    most = cgutils.alloca_once_value(builder, WORD(0))
    with cgutils.for_range(builder, count) as loop:
        parts, known = _most_parts(builder, steps, loop.index), builder.load(most)
        builder.store(builder.select(builder.icmp_signed(">", parts, known), parts, known), most)
    return builder.load(most)


def _clear(builder: ir.IRBuilder, steps: ir.Value, count: ir.Value) -> None:
    """Forget the claims of the last call."""
    with cgutils.for_range(builder, count) as loop:
        for position in (launch.CLAIMED, launch.FINISHED):
            builder.store(WORD(0), _cell(builder, steps, loop.index, position))


def _parallel_for(builder: ir.IRBuilder, members: ir.Value, *shared: ir.Value) -> None:
    """Have the team run the outlined loop for 0 .. members - 1, each with the loop's shared values."""
    data = cgutils.alloca_once(builder, WORD, size=len(shared))
    for index, value in enumerate(shared):
        builder.store(value, builder.gep(data, [WORD(index)]))
    job = [builder.ptrtoint(each, WORD) for each in (_member(builder.module, len(shared)), data)]
    call_symbol(builder, "graphc_run_team", ir.VoidType(), [*job, members])


def _member(module: ir.Module, count: int) -> ir.Function:
    """The function that the team calls: it spreads the shared values and calls the outlined loop."""
    words = ir.FunctionType(ir.VoidType(), [WORD, WORD])
    function = ir.Function(module, words, "graphc_member")
    builder = ir.IRBuilder(function.append_basic_block())
    data = builder.inttoptr(function.args[0], WORD.as_pointer())
    shared = [builder.load(builder.gep(data, [WORD(index)])) for index in range(count)]
    call_symbol(builder, MEMBER, ir.VoidType(), [*shared, function.args[1]])
    builder.ret_void()
    return function


def _claim(builder: ir.IRBuilder, steps: ir.Value, s: ir.Value, chunk: ir.Value) -> ir.Value:
    """Whether the caller is the one who runs this chunk: look first, since a plain load keeps the line
    shared."""
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

    A wait is the difference between two members' work, mostly well below a microsecond. If it lasts, the
    other member may have lost its processor, perhaps to this one: from then on, offer it.
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
    with builder.if_then(builder.icmp_signed(">", passed, WORD(launch.PATIENCE)), likely=False):
        _offer(builder)
    builder.branch(look)
    builder.position_at_end(done)


def _pause(builder: ir.IRBuilder) -> None:
    """The instruction with which a spinning thread leaves the core's resources to others."""
    if builder.module.triple.startswith("x86_64"):
        call_symbol(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
    elif builder.module.triple.startswith(("aarch64", "arm64")):
        call_symbol(builder, "llvm.aarch64.hint", ir.VoidType(), [_INT(1)])


def _offer(builder: ir.IRBuilder) -> None:
    """Let another thread have this processor, if one waits for it."""
    call_symbol(builder, "graphc_yield", _INT, [])


def _sleep(builder: ir.IRBuilder, lock: ir.Value) -> None:
    call_symbol(builder, "graphc_sleep", _INT, [builder.inttoptr(lock, _POINTER), _INT(1)])


def _wake(builder: ir.IRBuilder, lock: ir.Value) -> None:
    call_symbol(builder, "graphc_wake", ir.VoidType(), [builder.inttoptr(lock, _POINTER)])


def _team(builder: ir.IRBuilder) -> ir.Value:
    """Address of the team's memory, which the loader knows as a symbol."""
    known = builder.module.globals.get("graphc_team")
    return builder.ptrtoint(known or ir.GlobalVariable(builder.module, WORD, "graphc_team"), WORD)


def _call_member(builder: ir.IRBuilder, function: ir.Value, data: ir.Value, member: ir.Value) -> None:
    signature = ir.FunctionType(ir.VoidType(), [WORD] * 2).as_pointer()
    builder.call(builder.inttoptr(function, signature), [data, member])


def _word(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    return builder.inttoptr(address, WORD.as_pointer())


def _atomic_load(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    return builder.load_atomic(_word(builder, address), "seq_cst", 8)


def _atomic(operation: str, builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> ir.Value:
    return builder.atomic_rmw(operation, _word(builder, address), value, "seq_cst")


def _store(builder: ir.IRBuilder, address: ir.Value, value: ir.Value) -> None:
    builder.store(value, _word(builder, address), align=8)


_step = (_int64, _int64)
admit = define("admit", types.void, (_int64,), _admit)
refused = define("refused", types.boolean, (_int64,), _refused)
tiles = define("tiles", _int64, _step, partial(_read, launch.TILES))
chunks = define("chunks", _int64, (*_step, _int64), _chunks)
chunk_start = define("chunk_start", _int64, (*_step, _int64, _int64), _chunk_start)
run_tiles = define("run_tiles", types.void, (*_step, _int64, _int64), _run_tiles)
most_chunks = define("most_chunks", _int64, _step, _most_chunks)
clear = define("clear", types.void, _step, _clear)
parallel_for = define("parallel_for", types.void, (_int64,) * 5, _parallel_for)
claim = define("claim", types.boolean, (*_step, _int64), _claim)
finish = define("finish", types.void, _step, _finish)
wait = define("wait", types.void, (*_step, _int64), _wait)

team = define("team", _int64, (), _team)
call_member = define("call_member", types.void, (_int64,) * 3, _call_member)
atomic_load = define("atomic_load", _int64, (_int64,), _atomic_load)
atomic_add = define("atomic_add", _int64, _step, partial(_atomic, "add"))
atomic_exchange = define("atomic_exchange", _int64, _step, partial(_atomic, "xchg"))
store = define("store", types.void, _step, _store)
pause = define("pause", types.void, (), _pause)
offer = define("offer", types.void, (), _offer)
sleep = define("sleep", types.void, (_int64,), _sleep)
wake = define("wake", types.void, (_int64,), _wake)
