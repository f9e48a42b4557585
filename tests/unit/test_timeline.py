"""From seconds to frames and back: no frame may be lost or won on the way, at any rate."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep.errors import InputError
from data_prep.timeline import Timeline, exact_rate, of_video, steady
from data_prep.video import read_frames

RATES = (23.976, 25, 29.97, 30, 59.94, 240)


def variable(seed: int, frames: int = 3000) -> Timeline:
    """A variable rate, 12 to 200 frames per second, from frame to frame."""
    steps = np.random.default_rng(seed).uniform(0.005, 0.08, frames)
    return Timeline(np.concatenate(([0.0], np.cumsum(steps)[:-1])))


LINES = [pytest.param(steady(rate, 3 * 3600 * round(rate)), id=f"{rate} fps") for rate in RATES]
LINES += [pytest.param(variable(seed), id=f"variable {seed}") for seed in range(3)]


@pytest.mark.parametrize("line", LINES)
def test_a_frames_time_is_that_frames_also_in_milliseconds(line):
    """Rounded to milliseconds or cut to them, over three hours; and the middle of a frame is the frame's."""
    chosen = np.random.default_rng(1).integers(0, line.frames, 3000)
    for frame in [0, 1, line.frames - 1, line.frames, *chosen.tolist()]:
        seconds = line.seconds(frame)
        assert line.frame(seconds) == frame
        assert line.frame(round(seconds, 3)) == frame
        assert line.frame(np.floor(seconds * 1000) / 1000) == frame
        if frame < line.frames:
            assert line.frame((seconds + line.seconds(frame + 1)) / 2) == frame


@pytest.mark.parametrize("line", LINES)
def test_intervals_come_back(line):
    rng = np.random.default_rng(2)
    for start in rng.integers(0, line.frames, 500).tolist():
        stop = int(rng.integers(start, min(start + 400, line.frames))) + 1
        seconds = [round(line.seconds(frame), 3) for frame in (start, stop)]
        assert line.span(*seconds, "bout") == (start, stop)


def test_the_rules_at_the_edges():
    line = steady(25, 100)  # frames of 40 ms, 4 s
    assert line.span(0.0, 0.04, "bout") == (0, 1)
    assert line.span(0.05, 0.11, "bout") == (1, 2)  # from the frame shown at 0.05 to before that shown at 0.11
    assert line.span(0.05, 0.06, "bout") == (1, 2)  # within one frame: that frame
    assert line.span(1.0, 1.0, "point") == (25, 26)
    assert line.span(3.99, 4.5, "bout") == (99, 100)  # players overshoot the end a little
    assert line.span(4.0, 4.0, "point") == (99, 100)
    assert line.span(-0.5, 0.1, "bout") == (0, 2)
    assert line.frame(0.0389) == 0
    assert line.frame(0.0391) == 1  # within a millisecond of the next frame


@pytest.mark.parametrize(
    ("start", "stop"), [(5.5, 6.0), (1.0, 9.0), (2.0, 1.0), (-3.0, 1.0), (float("nan"), 1.0), (0.0, float("inf"))]
)
def test_what_lies_outside_names_its_place(start, stop):
    with pytest.raises(InputError, match=r"^table, line 7: "):
        steady(25, 100).span(start, stop, "table, line 7")


def test_rates_written_short_mean_the_exact_ones():
    assert [exact_rate(rate) for rate in (23.976, 23.98, 29.97, 59.94, 59.940)] == [
        24000 / 1001, 24000 / 1001, 30000 / 1001, 60000 / 1001, 60000 / 1001,
    ]  # fmt: skip
    assert [exact_rate(rate) for rate in (24, 25, 29.9, 30, 60, 240)] == [24, 25, 29.9, 30, 60, 240]
    for wrong in (0, -25, float("nan"), float("inf"), 1e9):
        with pytest.raises(InputError):
            exact_rate(wrong)


def test_frames_of_one_time_and_backward_steps_do_not_break_the_order():
    line = Timeline([0.0, 0.1, 0.05, 0.2])
    assert line.frames == 4
    assert (np.diff(line.times) >= 0).all()
    assert [line.frame(second) for second in (0.0, 0.2, 9.0)] == [0, 3, 4]


def test_an_endless_video_is_refused():
    with pytest.raises(InputError, match="no video is that long"):
        steady(30, 10**12)


@pytest.mark.parametrize("name", ["home_cage_groom.mpg", "home_cage_drink_2.avi"])
def test_a_videos_own_times(shared, name):
    path = shared / "video" / name
    seconds = [time for _, time, _ in read_frames(path)]
    line = of_video(path)
    assert line.frames == len(seconds)
    assert [line.frame(second) for second in seconds] == list(range(len(seconds)))
    assert line == Timeline(seconds)
    assert line != Timeline([second * 1.001 for second in seconds])
