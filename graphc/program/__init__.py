"""Programs: compile, call, inspect."""

from graphc.program.compile import compile
from graphc.program.program import Program
from graphc.program.report import Report
from graphc.program.stages import Cost, Plan, Stages
from graphc.program.store import Parameters, Store

__all__ = ["Cost", "Parameters", "Plan", "Program", "Report", "Stages", "Store", "compile"]
