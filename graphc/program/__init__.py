"""Programs: compile, call, inspect."""

from graphc.program.compile import compile
from graphc.program.diagnosis import Diagnosis, Suspect, ValueRange
from graphc.program.loading import load
from graphc.program.profile import KernelTime, Profile
from graphc.program.program import Program
from graphc.program.report import Report
from graphc.program.stages import Cost, KernelCost, Plan, Stages
from graphc.program.store import Parameters, Store

__all__ = [
    "Cost", "Diagnosis", "KernelCost", "KernelTime", "Parameters", "Plan", "Profile", "Program", "Report", "Stages",
    "Store", "Suspect", "ValueRange", "compile", "load",
]  # fmt: skip
