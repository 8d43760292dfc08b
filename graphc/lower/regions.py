"""Loops in a nest program: what runs in a loop's steps, and which values a nest waits for.

The carries of a loop lie in one *stack* each, an array of T + 1 slabs: the first carry, and what every step leaves.
Step t reads one slab and writes the next, so no carry is copied. Other values that are wanted of every step have a
stack of T slabs; all else lives for one step. A slab is a view that begins at a multiple of the loop's *time*, a size
that counts the steps. So nests know nothing of loops: they are ordinary nests whose memory moves from step to step.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from graphc.graph import Body, Graph
from graphc.size import Size
from graphc.types import Dim

TIME = "__step"  # begins the names of sizes that count steps


@dataclass(frozen=True, slots=True)
class Region:
    """The steps of a loop. ``time`` is the number of the slice at hand; ``outer`` the loop in whose step it runs."""

    time: Size
    length: Dim
    reverse: bool
    outer: Region | None = None

    @property
    def path(self) -> tuple[Region, ...]:
        """This loop and those around it, outermost first."""
        return (self,) if self.outer is None else (*self.outer.path, self)

    def __str__(self) -> str:
        order = f"{self.length} - 1 to 0" if self.reverse else f"0 to {self.length} - 1"
        return f"for {self.time} from {order}"


@dataclass(slots=True)
class Scope:
    """The graph that is expanded: the cone's, or the body of a loop, which the node ``loop`` of the cone is."""

    graph: Graph
    region: Region | None = None
    body: Body | None = None
    loop: int = -1
    number_of: dict[int, int] = field(default_factory=dict[int, int])  # node -> value


__all__ = ["TIME", "Region", "Scope"]
