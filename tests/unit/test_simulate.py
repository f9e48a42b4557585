"""The simulated home cage: what it promises of its plan, its files and its repeatability."""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter

import numpy as np
import pytest

from data_prep import simulate as command
from data_prep.dataset import open_dataset, read_labels
from data_prep.errors import InputError
from data_prep.simulate import simulate
from data_prep.simulate.behaviour import Surroundings, groom, sniff
from data_prep.simulate.command import SECONDS, VIDEOS
from data_prep.simulate.plan import APPROACHES, AT_A_SITE, CLASSES, make_plan, shortest_video
from data_prep.simulate.production import FPS, Order, bouts_of, pictures
from data_prep.video import read_frames

SHORT = 24  # seconds


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    path = tmp_path_factory.mktemp("simulated") / "cage"
    simulate(path, videos=2, seconds=SHORT, seed=3, balanced=True, workers=2, quiet=True)
    return path


def plan(seed, seconds, balanced, number=0):
    return make_plan(np.random.default_rng([seed, number]), round(seconds * FPS), FPS, balanced)


def frames_per_class(bouts):
    counts = Counter()
    for bout in bouts:
        counts[bout.label] += bout.stop - bout.start
    return counts


def order(number=0, seed=3, seconds=SHORT):
    return Order(number, round(seconds * FPS), seed, True, None, None)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_default_plan_has_the_thesis_frequencies(seed):
    videos = [bouts_of(Order(i, round(SECONDS * FPS), seed, False, None, None)) for i in range(VIDEOS)]
    counts = sum((frames_per_class(bouts) for bouts in videos), Counter())
    share = {name: counts[name] / sum(counts.values()) for name in CLASSES}
    assert share["rest"] > 0.25 and share["eathand"] > 0.25
    assert share["drink"] < 0.01 and share["walk"] < 0.01
    assert all(0.01 < share[name] < 0.25 for name in CLASSES if name not in ("rest", "eathand", "drink", "walk"))
    # A video held out, or the rest without it, lacks no class.
    assert all(set(frames_per_class(bouts)) == set(CLASSES) for bouts in videos)


@pytest.mark.parametrize("seconds", [SHORT, 40, 61.5, 200])
@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_balanced_plan_has_two_bouts_of_each_class_and_equal_frames(seconds, seed):
    bouts = plan(seed, seconds, balanced=True)
    assert min(Counter(bout.label for bout in bouts)[name] for name in CLASSES) >= 2
    counts = frames_per_class(bouts).values()
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("balanced", [True, False])
def test_plan_is_gapless_and_approaches_spout_and_feeder(balanced):
    bouts = plan(5, 300, balanced)
    assert bouts[0].start == 0 and bouts[-1].stop == 300 * FPS
    for before, after in zip(bouts, bouts[1:]):
        assert before.stop == after.start and before.label != after.label
        assert after.label not in AT_A_SITE or before.label in APPROACHES
    assert min(bout.stop - bout.start for bout in bouts) >= FPS


@pytest.mark.parametrize("balanced", [True, False])
def test_the_shortest_video_has_a_plan(balanced):
    for seed in range(20):
        assert {bout.label for bout in plan(seed, shortest_video(balanced), balanced)} == set(CLASSES)
    with pytest.raises(InputError, match=f"at least {shortest_video(balanced)} s"):
        plan(0, shortest_video(balanced) - 1, balanced)


def test_dataset_is_complete_and_labels_have_a_row_per_frame(dataset):
    found = open_dataset(dataset)
    assert found.classes == CLASSES and list(found.videos) == ["cage_01", "cage_02"]
    for number, (stem, video) in enumerate(found.videos.items()):
        frames = list(read_frames(video))
        assert frames[0][2].shape == (480, 640)
        assert np.allclose([seconds for _, seconds, _ in frames], np.arange(len(frames)) / FPS, atol=1e-4)
        labels = read_labels(found.labels(stem), found.classes, frames=len(frames))
        for bout in bouts_of(order(number)):
            assert set(labels[bout.start : bout.stop]) == {CLASSES.index(bout.label)}
    described = json.loads((dataset / "simulation.json").read_text())
    assert described["simulated"] is True and described["seed"] == 3
    assert sum(described["frames_per_class"].values()) == 2 * SHORT * FPS
    with open(found.labels("cage_01")) as file:
        assert next(csv.reader(file)) == ["frame", *CLASSES]


def test_same_seed_same_bytes_whatever_the_number_of_videos_and_workers(dataset, tmp_path):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    text = f"{tmp_path / 'one'} --videos 1 --seconds {SHORT} --seed 3 --balanced --workers 1 --quiet"
    assert command.run(parser.parse_args(text.split())) == 0
    for name in ("videos/cage_01.mp4", "labels/cage_01.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (dataset / name).read_bytes()
    assert (dataset / "videos/cage_01.mp4").read_bytes() != (dataset / "videos/cage_02.mp4").read_bytes()


def test_another_seed_is_another_mouse_in_another_cage():
    first, other = (next(pictures(order(seed=seed))) for seed in (3, 4))
    assert np.abs(first.astype(int) - other).mean() > 3


def test_the_mouse_is_dark_large_and_inside_the_frame():
    """Against the median picture of the video, which is the empty cage, the mouse is a few percent of the frame."""
    frames = np.array([frame[::4, ::4] for frame in pictures(order())][::12])
    empty = np.median(frames, axis=0)
    mouse = (empty - frames > 25).mean(axis=(1, 2))
    assert 0.02 < np.median(mouse) < 0.12
    assert (mouse > 0.01).mean() > 0.95


def test_groom_and_sniff_have_the_same_poses_at_different_speeds():
    t = np.arange(0, 60, 1 / FPS)
    around = Surroundings(0.6, 0.8, 1.8)
    poses = {f: [f(np.random.default_rng(i), t, around) for i in range(30)] for f in (groom, sniff)}

    def spread(behaviour, name):
        return np.percentile(np.concatenate([pose[name] for pose in poses[behaviour]]), [5, 50, 95])

    def speed(behaviour):
        return np.mean([np.abs(np.diff(pose["fl_v"])).mean() * FPS for pose in poses[behaviour]])

    for name in ("torso", "head", "neck", "fl_u", "fl_v", "gaze"):
        width = np.ptp(spread(groom, name))
        assert np.abs(spread(groom, name) - spread(sniff, name)).max() < 0.25 * width, name
    assert speed(groom) > 5 * speed(sniff)


def test_refuses_what_exists_and_what_makes_no_sense(tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("precious")
    with pytest.raises(InputError, match="exists already"):
        simulate(full, videos=1, seconds=SHORT, balanced=True, quiet=True)
    assert (full / "mine.txt").read_text() == "precious"
    new = tmp_path / "new"
    for wrong in (
        {"seconds": 10},
        {"seconds": 60, "balanced": False},
        {"seconds": float("nan")},
        {"videos": 0},
        {"workers": 0},
        {"seed": -1},
    ):
        with pytest.raises(InputError):
            simulate(new, **{"videos": 1, "seconds": SHORT, "balanced": True, "quiet": True, **wrong})
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("data_prep.simulate.command.run_jobs", interrupt)
    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path / "cage", videos=1, seconds=SHORT, balanced=True, quiet=True)
    assert not list(tmp_path.iterdir())
