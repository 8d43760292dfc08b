"""Random changes of images, interpolated once however many are asked for, by scipy.ndimage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from graphc.errors import GraphcError, InputError

Array = np.ndarray[Any, Any]
Range = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Random changes of images ``(N, channels, height, width)``, float, for ``augment=`` of ``gc.train.fit``.

    Each image gets numbers of its own, evenly between the bounds; ``r`` stands for ``-r`` to ``r``. Without options
    nothing changes.

    flip, flip_vertical: probability of a mirror image, left to right and upside down
    translate:           shift, as a part of height and width
    rotate, shear:       degrees, around the centre
    scale:               (smallest, largest) factor of the size of what is seen
    stretch:             (smallest, largest) ratio of its width to its height, beside what it was
    crop:                (smallest, largest) side of a window at a random place, as a part, which is scaled to the whole
    lens:                radial distortion: at distance r of the centre (1: half the shorter side) is seen what lay at
                         r (1 + lens r^2); positive: barrel, negative: pincushion
    contrast:            factor 1 + c on the distance from the image's mean
    brightness:          what is added
    clip:                bounds of the values, or None
    edge:                what lies beyond the image: "reflect", "nearest", "constant" (zero) or "wrap"

    Called with images and a generator of random numbers, it gives new images of the same dtype. Raises ``InputError``
    for options and images that are none, ``GraphcError`` without SciPy.

    >>> images = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)
    >>> Augmentation(flip=1.0, clip=None)(images, np.random.default_rng(0)).ravel().tolist()
    [3.0, 2.0, 1.0, 0.0]
    """

    flip: float = 0.0
    flip_vertical: float = 0.0
    translate: float = 0.0
    rotate: float = 0.0
    shear: float = 0.0
    scale: Range = (1.0, 1.0)
    stretch: Range = (1.0, 1.0)
    crop: Range = (1.0, 1.0)
    lens: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    clip: Range | None = (0.0, 1.0)
    edge: Literal["reflect", "nearest", "constant", "wrap"] = "reflect"

    def __post_init__(self) -> None:
        for name in ("scale", "stretch", "crop"):
            low, high = getattr(self, name)
            if not 0 < low <= high or (name == "crop" and high > 1):
                raise InputError(
                    f"{name}={(low, high)!r}; give (smallest, largest), positive{', at most 1' * (name == 'crop')}"
                ).located("Augmentation")

    def __call__(self, images: Array, random: np.random.Generator) -> Array:
        if images.ndim != 4 or images.dtype.kind != "f":
            raise InputError(
                f"images are {images.dtype} of shape {images.shape}; give floating ones (N, channels, height, width)"
            ).located("Augmentation")
        made = self._flipped(images, random)
        draws = _Draws.of(self, len(images), random)
        if self._moves:
            made = _warped(made, draws, self.edge)
        mean = made.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
        if self.contrast or self.brightness:
            made = (mean + (made - mean) * (1 + draws.contrast) + draws.brightness).astype(images.dtype)
        return made if self.clip is None else np.clip(made, *self.clip)

    @property
    def _moves(self) -> bool:
        still = (self.translate, self.rotate, self.shear, self.lens) == (0, 0, 0, 0)
        return not still or (self.scale, self.stretch, self.crop) != ((1, 1),) * 3

    def _flipped(self, images: Array, random: np.random.Generator) -> Array:
        """Copies, of which some are mirrored: exactly, without interpolation."""
        made = images.copy()
        for axis, probability in ((3, self.flip), (2, self.flip_vertical)):
            chosen = random.random(len(made)) < probability
            made[chosen] = np.flip(made[chosen], axis)
        return made


@dataclass(frozen=True, slots=True)
class _Draws:
    """The numbers of a batch. ``matrix`` ``(N, 2, 2)`` leads from (y, x) of the new image to the old one, both from the
    centre in units of half the shorter side; then comes ``shift`` ``(N, 2)``, in parts of height and width."""

    matrix: Array
    shift: Array
    lens: Array
    contrast: Array
    brightness: Array

    @staticmethod
    def of(how: Augmentation, count: int, random: np.random.Generator) -> _Draws:
        def within(bound: float) -> Array:
            return random.uniform(-1, 1, count) * bound

        angle, shear = np.deg2rad(within(how.rotate)), np.tan(np.deg2rad(within(how.shear)))
        window = random.uniform(*how.crop, count)
        size = random.uniform(*how.scale, count) / window
        ratio = np.sqrt(random.uniform(*how.stretch, count))
        place = random.uniform(-1, 1, (2, count)) * (1 - window) / 2
        shift = place + np.stack([within(how.translate), within(how.translate)])
        contrast, brightness, lens = within(how.contrast), within(how.brightness), within(how.lens)
        cos, sin = np.cos(angle), np.sin(angle)
        turned = np.array([[cos, -sin], [sin, cos]])
        sheared = np.array([[np.ones(count), np.zeros(count)], [shear, np.ones(count)]])
        scaled = np.array([[ratio, np.zeros(count)], [np.zeros(count), 1 / ratio]]) / size
        matrix = np.einsum("ijn,jkn,kln->nil", turned, sheared, scaled)
        shape = (count, 1, 1, 1)
        return _Draws(matrix, shift.T, lens, contrast.reshape(shape), brightness.reshape(shape))


def _warped(images: Array, draws: _Draws, edge: str) -> Array:
    """Each image read at the points that its draws lead to, by linear interpolation."""
    map_coordinates = _map_coordinates()
    height, width = images.shape[2:]
    half, centre = min(height, width) / 2, (np.array([height, width]) - 1) / 2
    grid = (np.indices((height, width)).reshape(2, -1) - centre[:, None]) / half
    bent = 1 + draws.lens[:, None, None] * np.sum(grid**2, axis=0)
    size = np.array([height, width])[:, None]
    points = draws.matrix @ (grid * bent) * half + draws.shift[:, :, None] * size + centre[:, None]
    made = np.empty_like(images)
    for image, where, target in zip(images, points, made, strict=True):
        for channel, out in zip(image, target, strict=True):
            out[...] = map_coordinates(channel, where, order=1, mode=_MODES[edge]).reshape(out.shape)
    return made


_MODES = {"reflect": "mirror", "nearest": "nearest", "constant": "constant", "wrap": "grid-wrap"}


def _map_coordinates() -> Any:
    try:
        from scipy.ndimage import map_coordinates  # pyright: ignore  # it carries no types
    except ImportError:
        raise GraphcError(
            "images are interpolated by SciPy, which is not installed; pip install 'graphc[augment]'"
        ).located("Augmentation") from None
    return map_coordinates  # pyright: ignore


__all__ = ["Augmentation"]
