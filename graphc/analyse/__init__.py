"""Numerical trust: lost bits against exact arithmetic, ranges of all nodes, condition numbers and warnings."""

from graphc.analyse.accuracy import Accuracy, Lost, accuracy
from graphc.analyse.interval import Interval
from graphc.analyse.report import Analysis, Row, Warned, analyse

__all__ = ["Accuracy", "Analysis", "Interval", "Lost", "Row", "Warned", "accuracy", "analyse"]
