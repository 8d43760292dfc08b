"""Layers: callables on handles that declare their parameters when they are first applied."""

from graphc.nn.activations import activation_named
from graphc.nn.attention import MultiHeadAttention
from graphc.nn.base import Applied, Layer
from graphc.nn.cells import GRU, LSTM, RNN
from graphc.nn.dense import Dense
from graphc.nn.noise import Dropout, GaussianNoise
from graphc.nn.positions import sinusoidal_positions
from graphc.nn.sequential import Sequential

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Applied",
    "Dense",
    "Dropout",
    "GaussianNoise",
    "Layer",
    "MultiHeadAttention",
    "Sequential",
    "activation_named",
    "sinusoidal_positions",
]
