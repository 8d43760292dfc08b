"""Networks declared without handles: in plain networkx, with formulas as text or SymPy expressions."""

from graphc.declare.network import Imported, from_networkx

__all__ = ["Imported", "from_networkx"]
