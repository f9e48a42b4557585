"""The changes of `tools.fragility` are all that is done to a video: what is not changed comes back as it was."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from data_prep.simulate.movie import write_movie
from data_prep.simulate.plan import Bout
from data_prep.simulate.production import FPS, Order, pictures, places
from data_prep.video import read_frames
from tools import fragility

ORDER = Order(0, 60, 3, True, Path(), Path())
WALK = [Bout("walk", 0, 60)]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    file = tmp_path_factory.mktemp("fragility") / "walk.mp4"
    write_movie(file, islice(pictures(ORDER, WALK), 20), FPS)
    return file


@pytest.mark.parametrize("name", list(fragility.CHANGES))
def test_a_change_keeps_frames_times_and_all_before_the_middle(video, tmp_path, name):
    before = list(read_frames(video))
    frames = fragility._changed(video, len(before), fragility.CHANGES[name])
    write_movie(tmp_path / "changed.mp4", map(fragility.luma, frames), FPS)
    after = list(read_frames(tmp_path / "changed.mp4"))
    assert [one[:2] for one in after] == [one[:2] for one in before]
    off = [np.abs(new[2].astype(float) - old[2]).mean() for new, old in zip(after, before)]
    assert max(off[:10]) < 2  # grey levels, what encoding twice loses
    assert max(off[10:]) < 2 if name == "unchanged" else min(off[10:]) > 5


def test_the_true_place_is_where_the_mouse_is_drawn():
    # A mouse that walks is the darkest thing that changes from the median picture.
    drawn = np.array(list(pictures(ORDER, WALK)), np.float32)
    where = places(ORDER, WALK)
    darker = np.median(drawn, axis=0) - drawn
    for frame in (0, 59):
        y, x = np.nonzero(darker[frame] > 40)
        centre = np.array([np.median(x) / 640, np.median(y) / 480])
        assert np.abs(centre - where[frame]).max() < 0.08
    assert np.abs(where[0] - where[-1]).max() > 0.1  # it went somewhere


def test_distances_are_in_frame_widths():
    one, other = np.array([[0.5, 0.5]]), np.array([[0.5, 0.6]])
    assert fragility.distance_of(one, other, (640, 480)) == pytest.approx([0.075])
