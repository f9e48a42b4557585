"""Position features of painted cages, in which it is known where the animal is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from data_prep import position
from data_prep.patches import working
from data_prep.position import FEATURES, ROW, Tracker

HEIGHT, WIDTH, RATE = 120, 160, 30.0
X, Y, BOX_WIDTH, BOX_HEIGHT, ASPECT, FEEDER, VX, VY, SPEED, ACCELERATION, FOUND = range(ROW)


def cage(seed=0):
    """A floor with a gradient of light, a darker feeder and some noise that stays."""
    floor = np.tile(np.linspace(110, 190, WIDTH, dtype=np.float32), (HEIGHT, 1))
    floor[:30, 60:100] -= 50
    return floor + np.random.default_rng(seed).normal(0, 3, floor.shape).astype(np.float32)


def painted(floor, x, y, frame=0, tail=False):
    """A frame with a dark animal of 24×14 pixels around (x, y), noise that changes, and perhaps a tail."""
    picture = floor.copy()
    cv2.ellipse(picture, (round(x * 16), round(y * 16)), (12 * 16, 7 * 16), 0, 0, 360, 30, cv2.FILLED, shift=4)
    if tail:
        cv2.line(picture, (round(x), round(y)), (round(x) - 40, round(y) + 8), 40, 2)
    noise = np.random.default_rng(1000 + frame).normal(0, 2, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def loop(frame, period=120):
    """Once around the cage in `period` frames."""
    angle = 2 * np.pi * frame / period
    return 80 + 45 * np.cos(angle), 75 + 25 * np.sin(angle)


def follow(frames, times=None, start=None):
    """The rows of a video; its background starts from every fourth frame."""
    times = np.arange(len(frames)) / RATE if times is None else times
    tracker = Tracker([working(frame) for frame in (frames if start is None else start)[::4]])
    return np.array([tracker.row(frame, seconds) for frame, seconds in zip(frames, times)])


def errors(rows, places):
    """Distance in pixels between found and true centres."""
    return np.hypot(rows[:, X] * WIDTH - 0.5 - places[:, 0], rows[:, Y] * HEIGHT - 0.5 - places[:, 1])


@pytest.mark.parametrize("tail", [False, True])
def test_it_finds_the_animal_its_box_and_its_speed(tail):
    places = np.array([loop(frame) for frame in range(240)])
    rows = follow([painted(cage(), *place, frame, tail) for frame, place in enumerate(places)])
    assert rows.dtype == np.float32 and np.isfinite(rows).all() and rows[:, FOUND].all()
    assert np.median(errors(rows, places)) < 1.5 and errors(rows, places).max() < 4
    assert np.median(rows[:, BOX_WIDTH]) * WIDTH == pytest.approx(24, abs=4)
    assert np.median(rows[:, BOX_HEIGHT]) * HEIGHT == pytest.approx(14, abs=4)
    assert np.median(rows[:, ASPECT]) == pytest.approx(24 / 14, rel=0.25)
    true = np.gradient(places / [WIDTH, HEIGHT], axis=0) * RATE
    late = slice(5, None)  # velocities are those of the last tenth of a second
    assert np.abs(rows[late, VX] - true[late, 0]).mean() < 0.1
    assert np.abs(rows[late, VY] - true[late, 1]).mean() < 0.1
    np.testing.assert_allclose(rows[:, SPEED], np.hypot(rows[:, VX], rows[:, VY]), atol=1e-6)
    np.testing.assert_allclose(
        rows[:, FEEDER], np.hypot(rows[:, X] - position.FEEDER[0], rows[:, Y] - position.FEEDER[1]), atol=1e-6
    )


def test_light_that_changes_slowly_is_followed():
    places = np.array([loop(frame) for frame in range(600)])
    frames = [painted(cage() * (1 - 0.5 * frame / 600), *place, frame) for frame, place in enumerate(places)]
    rows = follow(frames, start=frames[:120])
    assert rows[:, FOUND].mean() > 0.98 and np.median(errors(rows, places)) < 2


def test_an_animal_that_rests_does_not_fade_into_the_background():
    places = np.array([loop(min(frame, 130)) for frame in range(240)])
    # The rest takes many times the background's time constant.
    times = np.cumsum([1 / RATE if frame < 140 else 2.0 for frame in range(240)])
    frames = [painted(cage(), *place, frame) for frame, place in enumerate(places)]
    rows = follow(frames, times, start=frames[:130])
    assert rows[:, FOUND].all() and errors(rows, places)[-100:].max() < 3
    assert np.abs(rows[-90:, SPEED]).max() < 0.01


def test_an_animal_that_never_moves_is_flagged_and_no_number_is_odd():
    rows = follow([painted(cage(), 80, 80, frame) for frame in range(60)])
    assert not rows.any()


def test_an_animal_that_sat_in_the_first_background_leaves_no_ghost():
    places = np.array([(40, 80) if frame < 200 else (min(40 + 2 * (frame - 200), 120), 80) for frame in range(280)])
    frames = [painted(cage(), *place, frame) for frame, place in enumerate(places)]
    rows = follow(frames, start=frames[:200])
    assert not rows[:195, FOUND].any()
    assert rows[225:, FOUND].all() and errors(rows, places)[225:].max() < 4


@pytest.mark.parametrize(
    "change",
    [
        lambda floor: np.clip(floor * np.linspace(0.4, 1.6, WIDTH, dtype=np.float32), 0, 255),  # another lamp
        lambda floor: np.roll(floor[::-1, ::-1], 37, axis=1),  # the camera is moved
    ],
)
def test_another_scene_is_flagged_and_learned(change):
    places = np.array([loop(frame) for frame in range(400)])
    floors = [cage() if frame < 200 else change(cage()) for frame in range(400)]
    frames = [painted(floor, *place, frame) for frame, (floor, place) in enumerate(zip(floors, places))]
    rows = follow(frames, start=frames[:120])
    assert np.isfinite(rows).all()
    assert rows[:200, FOUND].all() and not rows[200, FOUND]
    np.testing.assert_array_equal(rows[200, :VX], rows[199, :VX])
    assert not rows[200, VX:].any()
    assert rows[260:, FOUND].mean() > 0.95 and np.median(errors(rows, places)[260:]) < 3


def test_lighter_all_over_from_one_frame_to_the_next_is_no_other_scene():
    places = np.array([loop(frame) for frame in range(240)])
    frames = [painted(cage() * (1.25 if frame >= 120 else 1), *place, frame) for frame, place in enumerate(places)]
    rows = follow(frames, start=frames[:120])
    assert rows[:, FOUND].all() and errors(rows, places).max() < 4


def test_velocities_are_by_the_timestamps():
    ticks = np.cumsum(np.where(np.arange(100) % 2, 0.01, 0.07))
    start = [painted(cage(), *loop(frame), frame) for frame in range(120)]
    for times in (np.arange(100) / 25, ticks):
        frames = [painted(cage(), 30 + 25 * seconds, 80, frame) for frame, seconds in enumerate(times)]
        assert follow(frames, times, start)[20:, VX].mean() == pytest.approx(25 / WIDTH, rel=0.05)
    stopped = follow(frames, np.zeros(100), start)
    assert np.isfinite(stopped).all() and not stopped[:, VX:FOUND].any()


def test_large_frames_give_the_same_features():
    small = [painted(cage(), *loop(frame), frame) for frame in range(60)]
    large = [cv2.resize(frame, None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST) for frame in small]
    tall = follow([frame[:, 20:44] for frame in small])
    assert np.isfinite(tall).all()
    np.testing.assert_allclose(follow(large)[:, :ASPECT], follow(small)[:, :ASPECT], atol=0.02)


def test_normalisation_is_over_the_frames_in_which_the_animal_was_found():
    random = np.random.default_rng(3)
    rows = random.normal(2, 3, (500, ROW)).astype(np.float32)
    rows[:, FOUND] = random.random(500) < 0.7
    rows[:, ASPECT] = 1.5
    found = rows[rows[:, FOUND] > 0, :-1].astype(float)
    mean, deviation = position.normalisation(np.mean([position.moments(row) for row in rows], axis=0))
    np.testing.assert_allclose(mean, found.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(deviation, np.where(np.arange(10) == ASPECT, 1, found.std(axis=0)), rtol=1e-4)
    values = position.standardised(rows, mean, deviation)
    assert values.shape == (500, len(FEATURES)) and values.dtype == np.float32
    assert not values[rows[:, FOUND] == 0].any()
    np.testing.assert_allclose(values[rows[:, FOUND] > 0].mean(axis=0), 0, atol=1e-4)
    never = position.normalisation(np.zeros(position.MOMENTS))
    assert never == ([0.0] * 10, [1.0] * 10)
