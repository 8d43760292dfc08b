"""The recurrent layers, each as its cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from graphc.graph import Handle, call
from graphc.nn.activations import Activate, activation_of
from graphc.nn.gates import OneGate
from graphc.nn.recurrent import Carry, Recurrent, Weights


@dataclass(frozen=True, slots=True, eq=False)
class RNN(Recurrent):
    """The simple recurrent layer: ``h = activation(x @ weight_ih + bias_ih + h @ weight_hh + bias_hh)`` (Elman 1990).

    ``activation`` is "tanh", "relu", another name, or a callable on nodes. All else is said at ``Recurrent``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y = RNN(16, "relu", name="rnn")(g.input("x", ("N", "T", 8)))
    >>> print(y.type, [f"{p.name} {p.shape}" for p in g.params][:2])
    f32[N,T,16] ['rnn.weight_ih (8, 16)', 'rnn.weight_hh (16, 16)']
    """

    activation: str | Activate = "tanh"

    def check(self) -> None:
        Recurrent.check(self)
        activation_of(self.activation)

    def cell(self, z: Handle, carry: Carry, weights: Weights) -> Carry:
        return (activation_of(self.activation)(z + weights.of_state(carry[0])),)


@dataclass(frozen=True, slots=True, eq=False)
class GRU(Recurrent):
    """The gated recurrent unit (Cho et al. 2014), the gates r, z, n as in PyTorch; U, b are ``weight_hh``, ``bias_hh``:

        r = sigmoid(x W_r + b'_r + h U_r + b_r),  z = sigmoid(x W_z + b'_z + h U_z + b_z)
        n = tanh(x W_n + b'_n + r * (h U_n + b_n)),  h = (1 - z) * n + z * h

    All else is said at ``Recurrent``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> x, lengths = g.input("x", ("N", "T", 8)), g.input("lengths", ("N",), "int32")
    >>> y = GRU(16, bidirectional=True, return_sequences=False)(x, lengths=lengths)
    >>> print(y.type)
    f32[N,32]
    """

    gates: ClassVar[int] = 3

    def cell(self, z: Handle, carry: Carry, weights: Weights) -> Carry:
        (h,) = carry
        of_x, of_h = call("split", z, 3, axis=-1), call("split", weights.of_state(h), 3, axis=-1)
        reset, keep = (call("sigmoid", of_x[k] + of_h[k]) for k in (0, 1))
        new = call("tanh", of_x[2] + reset * of_h[2])
        return ((1 - keep) * new + keep * h,)


@dataclass(frozen=True, slots=True, eq=False)
class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; Gers et al. 2000), the gates i, f, g, o as in PyTorch:

        i, f, g, o = x W + b' + h U + b,  c = sigmoid(f) * c + sigmoid(i) * tanh(g),  h = sigmoid(o) * tanh(c)

    Its state is the pair (h, c). ``bias_ih`` of f starts at ``forget_bias``, so that a fresh layer remembers
    (Jozefowicz et al. 2015); PyTorch has 0 there. All else is said at ``Recurrent``.

    >>> import graphc as gc
    >>> g = gc.Graph()
    >>> y, (h, c) = LSTM(16, layers=2, name="lstm").run(g.input("x", ("N", 12, 8)))
    >>> print(y.type, h.type, [p.name for p in g.params][4])
    f32[N,12,16] f32[2,N,16] lstm.weight_ih_l1
    """

    gates: ClassVar[int] = 4
    carries: ClassVar[int] = 2

    forget_bias: float = 1.0

    def cell(self, z: Handle, carry: Carry, weights: Weights) -> Carry:
        h, c = carry
        i, f, g, o = call("split", z + weights.of_state(h), 4, axis=-1)
        c = call("sigmoid", f) * c + call("sigmoid", i) * call("tanh", g)
        return call("sigmoid", o) * call("tanh", c), c

    def _first_bias(self) -> Any:
        return OneGate(self.forget_bias, gate=1, gates=self.gates)


__all__ = ["GRU", "LSTM", "RNN"]
