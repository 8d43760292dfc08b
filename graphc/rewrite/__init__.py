"""Rewriting: the rule engine, the pattern language, and the stabilising rules, each with its proof."""

from graphc.rewrite.bodies import rewrite_bodies
from graphc.rewrite.engine import Applied, Local, Rewriter, Rewritten, Rules, Term, by_op, rewrite_cone
from graphc.rewrite.pattern import Rule
from graphc.rewrite.rules import RULES
from graphc.rewrite.stabilise import stabilise, stabilise_cone, stabilised

__all__ = [
    "RULES", "Applied", "Local", "Rewriter", "Rewritten", "Rule", "Rules", "Term", "by_op", "rewrite_bodies",
    "rewrite_cone",
    "stabilise", "stabilise_cone", "stabilised",
]  # fmt: skip
