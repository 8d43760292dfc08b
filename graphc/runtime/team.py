# pyright: basic
"""The team: the threads that help a call, in the kernel language.

A caller opens a job by making the epoch odd and closes it by making it even again. A worker first counts
itself in, then looks whether the job is still open; the caller first closes, then waits until nobody is
counted in. So a worker that comes too late finds the door closed, and a caller waits only for those who
are inside, never for one that has no processor.

Who finds the team busy works alone: a job must be of the kind that one member can do whole.
"""

from __future__ import annotations

from graphc.runtime.launch import (
    ACTIVE,
    BUSY,
    DATA,
    EPOCH,
    FUNCTION,
    IDLE_LOOKS,
    LINE,
    LOCK,
    MEMBERS,
    PATIENCE,
    STATE,
    WORKERS,
)
from graphc.runtime.steps import (
    atomic_add,
    atomic_exchange,
    atomic_load,
    call_member,
    offer,
    pause,
    sleep,
    store,
    team,
    wake,
)


def run_team(function, data, members):
    """Call `function(data, member)` for member 0 here and for 1 .. members - 1 on workers that have time."""
    shared = team()
    if atomic_exchange(shared + BUSY, 1) != 0:
        call_member(function, data, 0)
        return
    store(shared + FUNCTION, function)
    store(shared + DATA, data)
    store(shared + MEMBERS, members)
    atomic_add(shared + EPOCH, 1)
    for worker in range(members - 1):
        mine = shared + WORKERS + worker * LINE
        if atomic_load(mine + STATE) != 0 and atomic_exchange(mine + STATE, 0) != 0:
            wake(atomic_load(mine + LOCK))
    call_member(function, data, 0)
    atomic_add(shared + EPOCH, 1)
    looks = 0
    while atomic_load(shared + ACTIVE) != 0:
        pause()
        looks += 1
        if looks > PATIENCE:
            offer()
    atomic_exchange(shared + BUSY, 0)


def work(worker):
    """Wait for jobs and take part in them, for the life of the process."""
    shared = team()
    mine = shared + WORKERS + worker * LINE
    seen = 0
    looks = 0
    while True:
        epoch = atomic_load(shared + EPOCH)
        if epoch != seen and epoch & 1 != 0:
            seen = epoch
            looks = 0
            atomic_add(shared + ACTIVE, 1)
            if atomic_load(shared + EPOCH) == seen and worker + 1 < atomic_load(shared + MEMBERS):
                call_member(atomic_load(shared + FUNCTION), atomic_load(shared + DATA), worker + 1)
            atomic_add(shared + ACTIVE, -1)
        elif looks < IDLE_LOOKS:
            looks += 1
            pause()
            if looks > PATIENCE:
                offer()
        else:
            # Lie down first, then look once more: who opens a job looks at the two in the other order.
            looks = 0
            atomic_exchange(mine + STATE, 1)
            if atomic_load(shared + EPOCH) == epoch or atomic_exchange(mine + STATE, 0) == 0:
                sleep(atomic_load(mine + LOCK))
