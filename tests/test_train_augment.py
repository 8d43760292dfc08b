"""Changes of images, each against what it should look like."""

import numpy as np
import pytest

from graphc.train import Augmentation

IMAGES = np.random.default_rng(0).random((5, 3, 8, 6)).astype(np.float32)
SQUARE = np.random.default_rng(1).random((2, 1, 7, 7))


class Highest:
    """A generator whose every draw is the largest one."""

    def uniform(self, low, high, size):
        return np.full(size, float(high))

    def random(self, size):
        return np.zeros(size)


def changed(images, **options):
    return Augmentation(**{"clip": None, **options})(images, Highest())


def test_without_options_nothing_changes():
    np.testing.assert_array_equal(changed(IMAGES), IMAGES)


def test_mirror_images_are_exact():
    np.testing.assert_array_equal(changed(IMAGES, flip=1.0), IMAGES[..., ::-1])
    np.testing.assert_array_equal(changed(IMAGES, flip_vertical=1.0), IMAGES[:, :, ::-1])


def test_a_quarter_turn_is_the_array_turned():
    np.testing.assert_allclose(changed(SQUARE, rotate=90.0), np.rot90(SQUARE, -1, axes=(2, 3)), atol=1e-12)


def test_shifts_move_by_parts_of_the_size():
    moved = changed(IMAGES, translate=0.5)
    np.testing.assert_allclose(moved[:, :, :4, :3], IMAGES[:, :, 4:, 3:], atol=1e-6)


@pytest.mark.parametrize("options", [{"scale": (2.0, 2.0)}, {"stretch": (4.0, 4.0)}, {"shear": 45.0}])
def test_sizes_slants_and_windows_read_where_they_should(options):
    y, x = np.indices((7, 7)) - 3.0
    ramps = np.stack([y, x])[None]  # an image whose values are its coordinates: linear maps are linear in it
    down, right = changed(ramps, edge="nearest", **options)[0]
    expected = {"scale": (y / 2, x / 2), "stretch": (y * 2, x / 2), "shear": (y, x + y)}[next(iter(options))]
    inside = np.max(np.abs(expected), axis=0) <= 3
    np.testing.assert_allclose(down[inside], expected[0][inside], atol=1e-12)
    np.testing.assert_allclose(right[inside], expected[1][inside], atol=1e-12)


def test_a_window_is_scaled_to_the_whole():
    y, x = np.indices((8, 8)) - 3.5
    down, right = changed(np.stack([y, x])[None], crop=(0.5, 0.5))[0]
    np.testing.assert_allclose(down[:-1, :-1], (y / 2 + 2)[:-1, :-1])  # the lower right quarter
    np.testing.assert_allclose(right[:-1, :-1], (x / 2 + 2)[:-1, :-1])


def test_lenses_leave_the_centre_and_bend_the_rest():
    y, x = np.indices((9, 9)) - 4.0
    r2 = (y**2 + x**2) / 4.5**2
    for k in (0.05, -0.2):
        found = changed(np.stack([y, x])[None], lens=k, edge="nearest")[0, 0]
        expected = y * (1 + k * r2)
        inside = np.maximum(np.abs(expected), np.abs(x * (1 + k * r2))) <= 4
        np.testing.assert_allclose(found[inside], expected[inside], atol=1e-12)


def test_contrast_and_brightness():
    mean = IMAGES.mean(axis=(1, 2, 3), keepdims=True)
    found = changed(IMAGES, contrast=0.5, brightness=0.25)
    np.testing.assert_allclose(found, mean + 1.5 * (IMAGES - mean) + 0.25, atol=1e-6)
    bounded = changed(IMAGES, contrast=9.0, clip=(0.0, 1.0))
    assert (bounded.min(), bounded.max()) == (0, 1)


def test_draws_follow_the_generator_and_differ_between_images():
    how = Augmentation(flip=0.5, rotate=30.0, translate=0.1, crop=(0.7, 1.0), lens=0.2, contrast=0.3)
    same = np.repeat(IMAGES[:1], 4, axis=0)
    first, again = (how(same, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    assert len({image.tobytes() for image in first}) == 4
    assert len({image.tobytes() for image in how(same, np.random.default_rng(4))} & {first[0].tobytes()}) == 0
