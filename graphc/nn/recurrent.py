"""What recurrent layers share: a cell over the steps of sequences, in several layers and both directions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

from graphc.errors import DTypeError, GraphError, ShapeError
from graphc.graph import Handle, call, cast_to, lift
from graphc.init import Orthogonal, XavierUniform
from graphc.nn.base import Applied, Layer
from graphc.nn.gates import per_gate
from graphc.nn.sequences import taking_part
from graphc.nn.settings import at_least
from graphc.ops.rules import is_list
from graphc.ops.scanning import scan
from graphc.types import Type, definitely_equal, definitely_unequal, promote, shape_text

Carry = tuple[Handle, ...]


@dataclass(frozen=True, slots=True)
class Weights:
    """What one layer has in one direction."""

    ih: Handle
    hh: Handle
    bias_ih: Handle | None
    bias_hh: Handle | None

    def of_input(self, x: Handle) -> Handle:
        return _affine(x, self.ih, self.bias_ih)

    def of_state(self, h: Handle) -> Handle:
        return _affine(h, self.hh, self.bias_hh)


def _affine(x: Handle, weight: Handle, bias: Handle | None) -> Handle:
    return x @ weight if bias is None else x @ weight + bias


@dataclass(frozen=True, slots=True, eq=False)
class Recurrent(Layer):
    """What ``RNN``, ``GRU`` and ``LSTM`` share; a subclass says how many gates and carries it has, and its ``cell``.

    Called with ``x`` (N, T, features), or (T, N, features) with ``time_major``, in which N and T may be symbolic. Gives
    the last layer's output of every step, (N, T, hidden), or with ``return_sequences=False`` that after the last step,
    (N, hidden). ``bidirectional`` runs over the steps both ways and joins the outputs, the backward ones behind.

    ``layers`` stand on each other. Layer k owns ``weight_ih`` (features, gates * hidden), ``weight_hh`` (hidden, gates
    * hidden), ``bias_ih`` and ``bias_hh`` (gates * hidden,), with ``_l1``, ``_l2`` ... behind the name for k > 0, and
    ``_reverse`` for the other way. They hold the gates in PyTorch's order, transposed. ``init`` is an initialiser,
    or its name, drawn for each gate by itself, or an array for all; so is ``recurrent_init``, orthogonal by default.

    ``state`` is what ``run`` gives: (layers * directions, N, hidden), zero by default. ``lengths`` (N,) or ``mask``,
    bool like the first two axes of ``x``, say which steps take part. Through the others the state is held and outputs
    are 0, so that a backward pass begins at each row's own end.

    Raises ``GraphError`` for sizes below 1, ``ShapeError`` and ``DTypeError`` for inputs that do not fit.
    """

    gates: ClassVar[int] = 1
    carries: ClassVar[int] = 1

    hidden: int
    _: KW_ONLY
    layers: int = 1
    bidirectional: bool = False
    return_sequences: bool = True
    time_major: bool = False
    use_bias: bool = True
    init: Any = None
    recurrent_init: Any = None
    bias_init: Any = None

    def check(self) -> None:
        at_least(1, hidden=self.hidden, layers=self.layers)

    @abstractmethod
    def cell(self, z: Handle, carry: Carry, weights: Weights) -> Carry:
        """The carry after a step whose input, times its weights, is ``z``; the first of a carry is the output."""

    def __call__(self, x: Handle, state: Any = None, *, lengths: Any = None, mask: Any = None) -> Handle:
        """The outputs, or with ``return_sequences=False`` the last one."""
        return self.run(x, state, lengths=lengths, mask=mask)[0]

    def run(
        self, x: Handle, state: Any = None, *, lengths: Any = None, mask: Any = None
    ) -> tuple[Handle, Any]:
        """What the call gives, and the last state, from which another call can go on: h, of an LSTM (h, c)."""
        with self.at(x) as own:
            steps = self._steps(own, x)
            weights = self._weights(own)
            first = self._first(steps, weights[0], state)
            outputs, lasts = self._stacked(steps, weights, first, self._taking_part(steps, lengths, mask))
            found = tuple(call("stack", values) for values in zip(*lasts, strict=True))
            return self._result(outputs, lasts), found if self.carries > 1 else found[0]

    # --------------------------------------------------------------------------------------- layers, directions

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _stacked(
        self, x: Handle, weights: Sequence[Weights], first: Sequence[Carry], part: Handle | None
    ) -> tuple[Handle, list[Carry]]:
        """The last layer's outputs (T, N, directions * hidden), and the last carries of all layers and directions."""
        lasts: list[Carry] = []
        for _ in range(self.layers):
            outputs: list[Handle] = []
            for backwards in (False, True)[: self._directions]:
                k = len(lasts)
                last, y = self._one_way(x, weights[k], first[k], part, backwards)
                lasts.append(last)
                outputs.append(y)
            x = _joined(outputs)
        return x, lasts

    def _one_way(
        self, x: Handle, weights: Weights, first: Carry, part: Handle | None, backwards: bool
    ) -> tuple[Carry, Handle]:
        """The last carry and all outputs of one layer in one direction."""

        def step(carry: Carry, each: tuple[Handle, Handle | None]) -> tuple[Carry, Handle]:
            z, seen = each
            after = self.cell(z, carry, weights)
            if seen is None:
                return after, after[0]
            held = tuple(call("where", seen, new, old) for new, old in zip(after, carry, strict=True))
            return held, call("where", seen, after[0], 0.0)

        # The products with the inputs of all steps are one, before the loop.
        return scan(step, first, (weights.of_input(x), part), reverse=backwards)

    def _result(self, outputs: Handle, lasts: Sequence[Carry]) -> Handle:
        if not self.return_sequences:
            return _joined([last[0] for last in lasts[-self._directions :]])
        return outputs if self.time_major else call("swapaxes", outputs, 0, 1)

    # ------------------------------------------------------------------------------------------ what is given

    def _steps(self, own: Applied, x: Handle) -> Handle:
        """``x`` with the steps first."""
        if x.ndim != 3:
            order = "(T, N, features)" if self.time_major else "(N, T, features)"
            raise ShapeError(f"input of shape {shape_text(x.shape)}; give {order}")
        own.size(-1)  # has to be an int
        return x if self.time_major else call("swapaxes", x, 0, 1)

    def _taking_part(self, steps: Handle, lengths: Any, mask: Any) -> Handle | None:
        """Bool (T, N, 1), or None where all steps take part."""
        if mask is not None and self.time_major:
            mask = call("swapaxes", lift(steps.graph, mask), 0, 1)
        part = taking_part(steps.graph, steps.shape[1::-1], lengths, mask)
        return None if part is None else call("expand_dims", call("swapaxes", part, 0, 1), -1)

    def _first(self, steps: Handle, weights: Weights, state: Any) -> list[Carry]:
        """The carry of each layer and direction before its first step."""
        kind = Type(promote([steps.dtype, weights.hh.dtype]), (steps.shape[1], self.hidden))
        count = self.layers * self._directions
        if state is None:
            zero = call("broadcast_to", cast_to(steps.graph.const(0.0), kind.dtype), kind.shape)
            return [(zero,) * self.carries] * count
        given = state if self.carries > 1 else (state,)
        if not is_list(given) or len(given) != self.carries:
            raise GraphError(f"state={state!r}; give a pair (h, c), as run returns")
        whole = Type(kind.dtype, (count, *kind.shape))
        carries = [_checked(lift(steps.graph, value), whole) for value in given]
        return [tuple(carry[k] for carry in carries) for k in range(count)]

    # --------------------------------------------------------------------------------------------- parameters

    def _weights(self, own: Applied) -> list[Weights]:
        features = [own.size(-1)] + [self.hidden * self._directions] * (self.layers - 1)
        return [
            self._declared(own, features[layer], f"_l{layer}" * (layer > 0) + way)
            for layer in range(self.layers)
            for way in ("", "_reverse")[: self._directions]
        ]

    def _declared(self, own: Applied, features: int, suffix: str) -> Weights:
        width = self.gates * self.hidden
        init = per_gate(self.init, XavierUniform(), self.gates)
        recurrent = per_gate(self.recurrent_init, Orthogonal(), self.gates)
        ih = own.param(f"weight_ih{suffix}", (features, width), init=init)
        hh = own.param(f"weight_hh{suffix}", (self.hidden, width), init=recurrent)
        if not self.use_bias:
            return Weights(ih, hh, None, None)
        first = self._first_bias() if self.bias_init is None else self.bias_init
        bias = own.param(f"bias_ih{suffix}", (width,), init=first)
        return Weights(ih, hh, bias, own.param(f"bias_hh{suffix}", (width,)))

    def _first_bias(self) -> Any:
        """How ``bias_ih`` begins where the user says nothing: at zero."""
        return None


def _joined(values: Sequence[Handle]) -> Handle:
    return values[0] if len(values) == 1 else call("concatenate", values, -1)


def _checked(state: Handle, kind: Type) -> Handle:
    """A state as given, its rows repeated where there is one for all."""
    fits = state.ndim == 3 and definitely_equal(state.shape[0], kind.shape[0])
    if not fits or definitely_unequal(state.shape[2], kind.shape[2]):
        raise ShapeError(f"state of shape {shape_text(state.shape)}; give {shape_text(kind.shape)}")
    if state.dtype is not kind.dtype:
        raise DTypeError(f"state is {state.dtype}; give {kind.dtype}, as the input and the weights")
    return call("broadcast_to", state, kind.shape)


__all__ = ["Carry", "Recurrent", "Weights"]
