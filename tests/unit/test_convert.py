"""`ethocaffe convert`: what a user of other programs types, and gets."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from data_prep import dataset
from tools import cli


@pytest.fixture
def convert(capsys):
    """``convert(*arguments)`` gives the exit status, stdout and stderr."""

    def run(*arguments):
        status = cli.main(["convert", *map(str, arguments)])
        return (status, *capsys.readouterr())

    return run


@pytest.fixture
def made(tmp_path):
    """A dataset of a real short clip's frames count, with labels drawn at random."""

    def make(video):
        folder = tmp_path / "mice"
        (folder / "videos").mkdir(parents=True)
        shutil.copy(video, folder / "videos" / "clip.mpg")
        (folder / "classes.txt").write_text("groom\nrest\nwalk\n")
        labels = np.repeat(np.random.default_rng(0).integers(-1, 3, 24), 4)[:94]
        dataset.write_labels(folder / "labels" / "clip.csv", ("groom", "rest", "walk"), labels)
        return folder

    return make


def test_a_boris_project_becomes_labels(convert, shared, tmp_path):
    file = shared / "annotations" / "boris_csv" / "test-multi-behaviors.boris"
    status, _, err = convert(file, "--to", "labels", "--output", tmp_path / "ds")
    assert status == 2
    assert "72 frames have several behaviours at once, the first is frame 846 (mm, aa)" in err
    assert not (tmp_path / "ds").exists()
    status, _, _ = convert(
        file, "--to", "labels", "--output", tmp_path / "ds", "--overlap", "first", "--background", "none"
    )
    assert status == 0
    classes = dataset.read_classes(tmp_path / "ds" / "classes.txt")
    assert classes == ("aa", "mm", "none")
    labels = dataset.read_labels(tmp_path / "ds/labels/e3v813a-20210610T120637-121213.csv", classes, 10080)
    assert np.flatnonzero(np.diff(labels)).tolist() == [297, 336, 797, 845, 917, 950]
    assert labels[[0, 300, 800, 850, 920, 951]].tolist() == [2, 1, 1, 0, 1, 2]


@pytest.mark.parametrize("name", ["deepethogram", "boris-aggregated", "via3", "bouts"])
def test_a_datasets_labels_go_out_and_come_back(convert, shared, tmp_path, made, name):
    folder = made(shared / "video" / "home_cage_groom.mpg")
    assert convert(folder, "--to", name, "--output", tmp_path / "out", "--quiet") == (0, "", "")
    (file,) = (tmp_path / "out").iterdir()
    arguments = ("--to", "labels", "--output", tmp_path / "back", "--dataset", folder, "--quiet")
    assert convert(file, *arguments) == (0, "", "")
    theirs, ours = (path / "labels" / "clip.csv" for path in (tmp_path / "back", folder))
    assert theirs.read_text() == ours.read_text()
    assert (tmp_path / "back" / "classes.txt").read_text() == (folder / "classes.txt").read_text()


def test_what_is_lost_is_said(convert, shared, tmp_path, made):
    folder = made(shared / "video" / "home_cage_groom.mpg")
    status, out, err = convert(folder, "--to", "feral", "--output", tmp_path / "out")
    assert status == 0
    assert "clip" in out
    assert "warning: feral does not hold what was not annotated (it now counts as looked at)" in err
    assert json.loads((tmp_path / "out" / "mice.json").read_text())["class_names"]["0"] == "other"


def test_nothing_is_replaced_unasked(convert, shared, tmp_path):
    file = shared / "annotations" / "per_frame" / "fly2.csv"
    arguments = (file, "--to", "labels", "--output", tmp_path)
    assert convert(*arguments)[0] == 0
    status, _, err = convert(*arguments)
    assert (status, "is there already" in err) == (2, True)
    assert convert(*arguments, "--overwrite", "--quiet") == (0, "", "")


def test_one_file_and_one_video_belong_together_whatever_their_names(convert, shared, tmp_path):
    (tmp_path / "scored.csv").write_text("start (s),stop (s),behavior\n1.0,2.0,groom\n")
    video = shared / "video" / "home_cage_groom.mpg"
    arguments = (tmp_path / "scored.csv", "--to", "labels", "--output", tmp_path / "ds", "--quiet")
    assert convert(*arguments, "--video", video) == (0, "", "")
    assert len((tmp_path / "ds/labels/home_cage_groom.csv").read_text().splitlines()) == 1 + 94


def test_behaviours_are_renamed_and_dropped(convert, shared, tmp_path):
    (tmp_path / "map.csv").write_text("from,to\nmm,investigate\naa,\nzz,nothing\n")
    file = shared / "annotations" / "boris_csv" / "test-multi-behaviors.boris"
    status, _, err = convert(file, "--to", "labels", "--output", tmp_path / "ds", "--map", tmp_path / "map.csv")
    assert status == 0
    assert "nothing is called 'zz'" in err
    assert (tmp_path / "ds" / "classes.txt").read_text() == "investigate\n"


def test_one_observation_and_one_animal_are_chosen(convert, shared, tmp_path):
    file = shared / "annotations" / "boris" / "test.boris"
    arguments = (file, "--to", "labels", "--output", tmp_path)
    assert "'live not paired', event 12" in convert(*arguments)[2]
    status, _, err = convert(*arguments, "--only", "offset neg", "--only", "observation #1")
    assert (status, "would both be written there; choose with --only" in err) == (2, True)
    assert (
        "there is no observation or video of that name"
        in convert(*arguments, "--only", "modifiers", "--only", "typo")[2]
    )
    status, out, _ = convert(*arguments, "--only", "observation #1", "--subject", "subject2")
    assert (status, "1 bouts" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing.csv", "--to", "labels"], "nothing.csv: cannot be read"),
        (["map.csv", "--to", "labels"], "of no format that is known here"),
        (["map.csv", "--to", "word"], "there is no format 'word'"),
        (["map.csv", "--to", "boris"], "boris is only read"),
        (["bouts.csv", "--to", "via3"], "give the video with --video, or its frame rate with --fps"),
        (["bouts.csv", "--to", "labels", "--map", "map.csv"], "header is not from,to"),
        (["bouts.csv", "--to", "labels", "--fps", "0"], "frame rate of 0 is not possible"),
        (["bouts.csv", "--to", "labels", "--video", "nothing.mp4"], "nothing.mp4: no such file"),
        ([".", "--to", "labels"], "not a dataset"),
        (["frame.csv", "--to", "labels"], "a class cannot be called 'frame'"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(convert, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "map.csv").write_text("old,new\n")
    (tmp_path / "bouts.csv").write_text("label,start_frame,stop_frame\neat,1,3\n")
    (tmp_path / "frame.csv").write_text("label,start_frame,stop_frame\nframe,1,3\n")
    status, out, err = convert(*arguments, "--output", "out")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert not (tmp_path / "out").exists()
