"""How a program runs: the table of its steps, and the one parallel function that walks through it.

A step is a kernel over `rows` rows, cut into `tiles` tiles; tile t covers the rows from `t * rows //
tiles` up to `(t + 1) * rows // tiles`. The cut belongs to the program, never to the machine, so every
number of threads computes the same bytes. A kernel is called with the rows of up to `group` neighbouring
tiles: matrix products are the faster, the more rows they have.

One parallel region a call, not one a step: opening a region costs a microsecond or more, meeting at a
step 0.1 us. Within it each member claims tiles with an atomic bit, first those that it had last time
(they are in its cache), then those nobody has begun. Nothing assumes that the members really run at the
same time: if one never gets a processor the others do its work, so there is no team too small and no
order of arrival that could hang.
"""

from __future__ import annotations

#: Words (int64) of one step's record; the table begins at a cache line (64 bytes), and so does every record.
STEP_WORDS = 8
#: Position within a record: address of the kernel, tiles, rows, address of the argument block.
KERNEL, TILES, ROWS, ARGS = range(4)
#: Kept by the runtime during a call: one bit for each claimed chunk, and the number of finished chunks.
CLAIMED, FINISHED = 4, 5
#: Tiles that one call of the kernel takes at most, and chunks for each member (0: as many as there are bits).
GROUP, SHARES = 6, 7
#: Tiles are claimed in at most this many chunks, the bits of a word.
MOST_CHUNKS = 64

#: The team's memory, in bytes; what one side writes while the other reads stands in a line of its own.
LINE = 64
BUSY, EPOCH, FUNCTION, DATA, MEMBERS, ACTIVE, WORKERS = 0, 64, 72, 80, 88, 128, 192
#: Within a worker's line: whether it sleeps, and the lock on which it does.
STATE, LOCK = 0, 8
#: Looks at a cell before a waiting thread begins to offer its processor, and before an idle worker sleeps.
PATIENCE, IDLE_LOOKS = 1000, 6000

#: The entry of every program. A table serves one call at a time; nothing runs if a guard refuses what came in.
ENTRY = """\
@entry
def run(steps, count, threads, guards):
    admit(guards)
    if not refused(guards):
        threads = minimum_i64(threads, most_chunks(steps, count))
        if threads <= 1:
            for s in range(count):
                run_tiles(steps, s, 0, tiles(steps, s))
        else:
            clear(steps, count)
            for member in prange(threads):
                for s in range(count):
                    parts = chunks(steps, s, threads)
                    first = quotient(member * parts, threads)
                    for i in range(parts):
                        chunk = remainder(first + i, parts)
                        if claim(steps, s, chunk):
                            tile = chunk_start(steps, s, chunk, parts)
                            run_tiles(steps, s, tile, chunk_start(steps, s, chunk + 1, parts))
                            finish(steps, s)
                    wait(steps, s, parts)
"""
