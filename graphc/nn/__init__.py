"""Layers: callables on nodes that declare their parameters when they are first applied."""

from typing import TYPE_CHECKING

from graphc.errors import unknown
from graphc.nn.activations import Activation, activation_named
from graphc.nn.attention import MultiHeadAttention
from graphc.nn.base import Applied, Layer
from graphc.nn.cells import GRU, LSTM, RNN
from graphc.nn.conv import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from graphc.nn.dense import Dense
from graphc.nn.embedding import Embedding
from graphc.nn.maxout import Maxout
from graphc.nn.noise import Dropout, GaussianNoise
from graphc.nn.normalise import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from graphc.nn.pooling import AvgPool1d, AvgPool2d, Flatten, GlobalAvgPool, MaxPool1d, MaxPool2d
from graphc.nn.positions import sinusoidal_positions
from graphc.nn.recurrent import Recurrent
from graphc.nn.residual import Residual
from graphc.nn.sequential import Sequential
from graphc.nn.transformer import TransformerBlock

__all__ = [
    "GRU", "LSTM", "RNN",
    "Activation", "Applied", "AvgPool1d", "AvgPool2d", "BatchNorm", "Conv1d", "Conv2d", "ConvTranspose1d",
    "ConvTranspose2d", "Dense", "Dropout", "Embedding", "Flatten", "GaussianNoise", "GlobalAvgPool", "GroupNorm",
    "InstanceNorm", "Layer", "LayerNorm", "MaxPool1d", "MaxPool2d", "Maxout", "MultiHeadAttention", "RMSNorm",
    "Recurrent", "Residual", "Sequential", "TransformerBlock", "activation_named", "sinusoidal_positions",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = unknown("gc.nn", __all__)
