"""Numerical trust: lost bits against exact arithmetic, ranges of all nodes, condition numbers and warnings."""

from graphc.analysis.interval import Interval
from graphc.analysis.lost import Accuracy, Lost, lost_bits
from graphc.analysis.report import Analysis, Row, Warned, analyse

__all__ = ["Accuracy", "Analysis", "Interval", "Lost", "Row", "Warned", "analyse", "lost_bits"]
