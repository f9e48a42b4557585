"""Motion images: what moves, and where to, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep import motion

SIZE = 64


def bar(direction: str, speed: float = 1.0, frames: int = 17) -> list[np.ndarray]:
    """A soft bright bar across the picture that goes one way, in its middle at the middle frame."""
    down, right = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    along = {"right": right, "down": down, "left": -right, "up": -down}[direction]
    places = speed * (np.arange(frames) - frames // 2)
    return [(60 + 120 * np.exp(-((along - place) ** 2) / 8)).astype(np.uint8) for place in places]


@pytest.mark.parametrize("speed", [0.5, 1, 2, 3])
@pytest.mark.parametrize("direction", motion.DIRECTIONS)
def test_a_bar_excites_its_own_direction_most(direction, speed):
    image = list(motion.motion_images(bar(direction, speed)))[8]
    answers = image[:, 16:48, 16:48].max(axis=(1, 2)).astype(int)
    own = motion.DIRECTIONS.index(direction)
    assert answers[own] == max(answers) > 100
    assert all(answers[own] > 3 * answers[other] for other in range(4) if other != own)


@pytest.mark.parametrize("direction", range(4))
def test_a_preferred_grating_answers_with_its_amplitude(direction):
    down, right = np.mgrid[:SIZE, :SIZE]
    along = [right, down, -right, -down][direction]
    phase = 2 * np.pi / motion.WAVELENGTH
    window = np.stack([128 + 50 * np.cos(phase * (along - motion.SPEED * t)) for t in range(motion.FRAMES)])
    energy = motion.motion_energy(window.astype(np.float32), motion.gabor_bank())[:, 16:48, 16:48]
    expected = np.zeros(4)
    expected[direction] = 50
    assert np.allclose(energy, expected[:, None, None], atol=0.01)


def test_what_does_not_move_gives_exactly_nothing():
    picture = np.random.default_rng(1).integers(0, 256, (48, 40), dtype=np.uint8)
    for image in motion.motion_images([picture] * 12):
        assert image.shape == (4, 48, 40) and image.dtype == np.uint8
        assert not image.any()


def test_light_that_changes_everywhere_at_once_gives_nothing():
    frames = [np.full((40, 40), 100 + 10 * (index % 3), np.uint8) for index in range(12)]
    assert not any(image.any() for image in motion.motion_images(frames))


def test_the_factors_are_those_of_the_documented_filter():
    """The separable computation against the three-dimensional formula, at one place."""
    rng = np.random.default_rng(2)
    window = rng.uniform(0, 255, (9, 9, 9)).astype(np.float32)
    bank = motion.gabor_bank()
    energy = motion.motion_energy(window, bank)[:, 4, 4]
    time = bank.time[0] + 1j * bank.time[1]
    along = bank.along[0] + 1j * bank.along[1]
    for direction, (axis, sign) in enumerate([(0, 1), (1, 1), (0, -1), (1, -1)]):
        plane = np.outer(bank.across, along) if axis == 0 else np.outer(along, bank.across)
        backwards = time.conj() if sign == 1 else time
        whole = np.abs((window * backwards[:, None, None] * plane).sum())
        assert energy[direction] == pytest.approx(whole, rel=1e-4)


def test_one_image_per_frame_with_the_ends_repeated():
    frames = bar("right", frames=30)
    padded = [frames[0]] * 4 + frames + [frames[-1]] * 4
    bank = motion.gabor_bank()
    images = list(motion.motion_images(iter(frames)))
    assert len(images) == len(frames)
    for index in (0, 3, 15, 29):
        energy = motion.motion_energy(np.stack(padded[index : index + 9]).astype(np.float32), bank)
        assert np.abs(images[index] - np.minimum(energy * motion.SCALE, 255)).max() <= 0.51


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_shorter_than_the_window(count):
    assert len(list(motion.motion_images(bar("up", frames=17)[:count]))) == count


def test_it_streams():
    """An image comes as soon as the four frames after its own are there."""
    asked = []

    def frames():
        for index, frame in enumerate(bar("up", frames=12)):
            asked.append(index)
            yield frame

    images = motion.motion_images(frames())
    next(images)
    assert asked[-1] == 4
    next(images)
    assert asked[-1] == 5


@pytest.mark.parametrize("first", [0, 3, 7, 12])
def test_an_image_is_the_same_from_whichever_frame_one_starts(first):
    frames = list(np.random.default_rng(4).integers(0, 256, (30, 40, 36), dtype=np.uint8))
    part = list(motion.middle_images(frames[first : first + 18], first))
    whole = list(motion.motion_images(frames))
    assert len(part) == 10
    np.testing.assert_array_equal(part, whole[first + 4 : first + 14])
