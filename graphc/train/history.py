"""What a training run leaves behind: one value an epoch, and one a step, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from graphc.errors import MissingError

Array = np.ndarray[Any, Any]


class Series(Mapping[str, Array]):
    """Values by name, each name's as one array whose first axis is time.

    >>> series = Series()
    >>> series.add("loss", 2.0)
    >>> series.add("loss", 1.0)
    >>> series
    {'loss': float64[2]}
    """

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[str, list[Any]] = {}

    def add(self, name: str, value: Any) -> None:
        self._values.setdefault(name, []).append(value)

    def take_back(self, arrays: Mapping[str, Array]) -> None:
        """Go on from arrays that this gave before."""
        self._values = {name: list(array) for name, array in arrays.items()}

    def __getitem__(self, name: str) -> Array:
        if name not in self._values:
            raise MissingError(
                f"there is no {name!r}; there are {', '.join(self._values) or 'none, as nothing has run'}"
            ).located("history")
        return np.array(self._values[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        shapes = {n: (a.dtype, ",".join(map(str, a.shape))) for n, a in self.items()}
        return "{" + ", ".join(f"{name!r}: {dtype}[{shape}]" for name, (dtype, shape) in shapes.items()) + "}"


class History(Mapping[str, Array]):
    """``history["loss"]`` is an array with a value for each epoch that was completed; so are metrics, ``val_`` and
    learning rates. ``history.steps`` holds one of each step, ``"loss"`` and what was recorded."""

    __slots__ = ("epochs", "steps")

    def __init__(self) -> None:
        self.epochs, self.steps = Series(), Series()

    def arrays(self) -> dict[str, Array]:
        """Everything, for a checkpoint."""
        parts = {"epochs": self.epochs, "steps": self.steps}
        return {f"{part}/{name}": array for part, series in parts.items() for name, array in series.items()}

    def take_back(self, arrays: Mapping[str, Array]) -> None:
        """Go on from what ``arrays`` gave."""
        for part, series in (("epochs/", self.epochs), ("steps/", self.steps)):
            series.take_back({n.removeprefix(part): a for n, a in arrays.items() if n.startswith(part)})

    def __getitem__(self, name: str) -> Array:
        return self.epochs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.epochs)

    def __len__(self) -> int:
        return len(self.epochs)

    def __repr__(self) -> str:
        return f"History({self.epochs!r})"


__all__ = ["History", "Series"]
