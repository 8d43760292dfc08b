"""Drawings of graphs and programs. Graphviz is met only in ``render``."""

from graphc.draw.drawing import Drawing, draw
from graphc.draw.kernels import BufferBox, KernelBox, KernelPlan

__all__ = ["BufferBox", "Drawing", "KernelBox", "KernelPlan", "draw"]
