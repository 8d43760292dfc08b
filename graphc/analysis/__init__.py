"""Numerical trust: lost bits against exact arithmetic, ranges of all nodes, condition numbers and warnings."""

from graphc.analysis.accuracy import Accuracy, Lost, accuracy
from graphc.analysis.interval import Interval
from graphc.analysis.report import Analysis, Row, Warned, analyse

__all__ = ["Accuracy", "Analysis", "Interval", "Lost", "Row", "Warned", "accuracy", "analyse"]
