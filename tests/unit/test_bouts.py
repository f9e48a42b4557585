"""Bouts from labels: covering, smoothing, tables and matching."""

import numpy as np
import pytest

from tools import bouts


def expand(runs):
    return np.concatenate([np.full(length, label) for label, length in runs])


def test_bouts_cover_every_frame_half_open():
    labels = np.array([2, 2, -1, 0, 0, 0, 2])
    found = bouts.find_bouts(labels)
    assert [tuple(bout) for bout in found] == [(2, 0, 2), (-1, 2, 3), (0, 3, 6), (2, 6, 7)]
    assert bouts.find_bouts(np.array([], int)) == []


def test_short_runs_go_to_the_longer_neighbour():
    labels = expand([(0, 10), (1, 2), (0, 4), (2, 8), (1, 1)])
    assert (bouts.absorb_short(labels, 3) == expand([(0, 16), (2, 9)])).all()
    assert (bouts.absorb_short(labels, 1) == labels).all()


def test_no_run_is_left_that_is_too_short():
    generator = np.random.default_rng(3)
    for _ in range(20):
        labels = generator.integers(0, 4, 300)
        smooth = bouts.absorb_short(labels, 6)
        assert min(bout.stop - bout.start for bout in bouts.find_bouts(smooth)) >= 6
        assert smooth.shape == labels.shape
        assert set(smooth) <= set(labels)


def test_a_video_shorter_than_the_shortest_bout_keeps_one_class():
    assert (bouts.absorb_short(np.array([1, 1, 0]), 10) == [1, 1, 1]).all()


def test_table_gives_times_from_the_frames_own_timestamps():
    labels = np.array([0, 0, -1, 1])
    times = np.array([0.0, 0.1, 0.4, 0.5])
    shares = np.array([[0.8, 0.2], [0.6, 0.4], [0.5, 0.5], [0.1, 0.9]])
    rows = bouts.table(labels, times, 0.05, ["rest", "walk"], shares)
    assert [row["label"] for row in rows] == ["rest", "walk"]
    assert (rows[0]["start_frame"], rows[0]["stop_frame"], rows[0]["frames"]) == (0, 2, 2)
    assert rows[0]["stop_time"] == "0.400000"
    assert rows[0]["mean_probability"] == "0.700000"
    assert rows[1]["stop_time"] == "0.550000"
    assert rows[1]["duration"] == "0.050000"


def test_scores_match_whole_bouts():
    truth = expand([(0, 10), (1, 10), (0, 10)])
    predicted = expand([(0, 8), (1, 12), (1, 8), (0, 2)])
    scores = bouts.scores(truth, predicted, ["rest", "walk", "eat"])
    assert scores["rest"] == {"true": 2, "predicted": 2, "matched": 1, "f1": 0.5}
    assert scores["walk"] == {"true": 1, "predicted": 1, "matched": 0, "f1": 0.0}
    assert scores["eat"]["f1"] is None


def test_perfect_prediction_matches_every_bout():
    truth = np.random.default_rng(1).integers(0, 3, 200)
    assert all(score["f1"] == pytest.approx(1) for score in bouts.scores(truth, truth, list("abc")).values())
