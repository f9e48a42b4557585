"""Footage that comes into a dataset while the annotation server runs."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import tiny
from test_annotation import Lab, put

from annotation.intake import Intake


@pytest.fixture
def lab(tmp_path):
    made = Lab(tmp_path, f"sqlite:///{tmp_path / 'annotation.sqlite'}")
    made.app.state.intake = made.intake = Intake(made.database, lambda: [made.folder])
    made.intake.look()
    return made


def names(lab):
    return [one["name"] for one in lab.admin.get("projects/1")["videos"]]


def test_a_video_is_taken_when_it_has_come_whole(lab):
    whole = (lab.folder / "videos" / "v0.mp4").read_bytes()
    coming = lab.folder / "videos" / "new.mp4"
    for share in (0.3, 0.6, 1.0):
        coming.write_bytes(whole[: int(share * len(whole))])
        lab.intake.look(first=False)
        found = lab.admin.get("projects/1")
        assert names(lab) == ["v0", "v1"] and found["checking"] == ["new"] and found["refused"] == {}
    lab.intake.look(first=False)
    found = lab.admin.get("projects/1")
    assert names(lab) == ["new", "v0", "v1"] and found["checking"] == []
    new = next(one for one in found["videos"] if one["name"] == "new")
    assert new["frames"] == 90


def test_what_cannot_be_used_is_told_and_taken_when_it_is_mended(lab):
    whole = (lab.folder / "videos" / "v0.mp4").read_bytes()
    bad = lab.folder / "videos" / "bad.mp4"
    bad.write_bytes(whole[: len(whole) // 2])
    for _ in range(3):
        lab.intake.look(first=False)
    found = lab.admin.get("projects/1")
    assert found["checking"] == [] and list(found["refused"]) == ["bad"]
    assert str(lab.folder) not in found["refused"]["bad"]
    shutil.copy(lab.folder / "videos" / "v1.mp4", bad)
    for _ in range(2):
        lab.intake.look(first=False)
    assert names(lab) == ["bad", "v0", "v1"] and lab.admin.get("projects/1")["refused"] == {}


def test_a_video_that_people_labelled_is_not_replaced_by_one_of_other_frames(lab):
    whole = lab.folder / "videos" / "v0.mp4"
    before = whole.read_bytes()
    track = lab.admin.post("videos/1/tracks", status=201)["id"]
    lab.admin.post(f"tracks/{track}/edits", {"edits": [put("a", "down", 80, 90)]})
    tiny.write_video(whole, np.zeros(60, int), seed=1)
    for _ in range(2):
        lab.intake.look(first=False)
    found = lab.admin.get("projects/1")
    assert "60 frames now" in found["refused"]["v0"] and found["videos"][0]["frames"] == 90
    assert len(np.frombuffer(lab.admin.get("videos/1/times").content)) == 90
    whole.write_bytes(before)
    lab.intake.look(first=False)
    assert lab.admin.get("projects/1")["refused"] == {}
