"""The table of error texts: one row for each way in which graphc refuses what a user does.

A row is ``(class, act, text)``: ``act()`` raises exactly that class with exactly that text, in which ``…`` stands for
anything (what another library says, a number of a node) and a last `` @`` for the line that tells where the user
declared it, in the file of the row. ``tests/test_errors.py`` runs the rows, and finds raises that no row reaches.
"""

from error_rows import (
    blocks,
    calls,
    checks,
    commands,
    contractions,
    derivatives,
    drawings,
    draws,
    faults,
    fitting,
    formulas,
    graphs,
    layers,
    layouts,
    loops,
    networks,
    nn,
    numerics,
    ordering,
    programs,
    sequences,
    sizes,
    training,
    windows,
)

FAMILIES = (
    sizes, graphs, contractions, layouts, loops, networks, formulas, checks, derivatives, programs, calls, layers,
    nn, sequences, blocks, drawings, commands, windows, training, numerics,
    draws, ordering, fitting, faults,
)  # fmt: skip
ROWS = [row for family in FAMILIES for row in family.ROWS]

__all__ = ["ROWS"]
