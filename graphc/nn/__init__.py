"""Layers: callables on handles that declare their parameters when they are first applied."""

from graphc.nn.activations import activation_named
from graphc.nn.base import Applied, Layer
from graphc.nn.dense import Dense
from graphc.nn.noise import Dropout, GaussianNoise
from graphc.nn.sequential import Sequential

__all__ = ["Applied", "Dense", "Dropout", "GaussianNoise", "Layer", "Sequential", "activation_named"]
