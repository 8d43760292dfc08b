"""Derivatives: reverse, forward and higher order, appended to the graph; gradient checking."""

from graphc.diff.checking import Entry, GradientReport, check_gradients
from graphc.diff.forward import jvp
from graphc.diff.higher import hessian, hvp, jacobian
from graphc.diff.reverse import grad, vjp

__all__ = ["Entry", "GradientReport", "check_gradients", "grad", "hessian", "hvp", "jacobian", "jvp", "vjp"]
