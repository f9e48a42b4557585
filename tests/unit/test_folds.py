"""Folds, and what is made of them: cross-validation's arithmetic on scores written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from data_prep import dataset as datasets
from data_prep.errors import InputError
from tools import folds


@pytest.fixture
def dataset(tmp_path):
    (tmp_path / "videos").mkdir()
    (tmp_path / "labels").mkdir()
    (tmp_path / "classes.txt").write_text("rest\nwalk\nrear\n")
    for stem in "abcde":
        (tmp_path / "videos" / f"{stem}.mp4").write_bytes(b"")
        if stem != "e":
            datasets.write_labels(tmp_path / "labels" / f"{stem}.csv", ("rest", "walk", "rear"), [0, 1, 2])
    return datasets.open_dataset(tmp_path)


def test_each_annotated_video_is_held_out_once(dataset):
    assert folds.make_folds(dataset) == [folds.Fold(stem, [stem]) for stem in "abcd"]
    assert [fold.held_out for fold in folds.make_folds(dataset, 2)] == [["a", "c"], ["b", "d"]]
    assert sorted(stem for fold in folds.make_folds(dataset, 3) for stem in fold.held_out) == list("abcd")


@pytest.mark.parametrize("count", [1, 5])
def test_a_number_of_folds_that_cannot_be_is_refused(dataset, count):
    with pytest.raises(InputError, match=f"--folds {count}: give 2 to 4"):
        folds.make_folds(dataset, count)


def outcome(name, *accuracies):
    """A fold of two classes with 100 frames each, found to these percents at iterations 10, 20 …"""
    rows = []
    for index, (first, second) in enumerate(accuracies):
        confusion = [[first, 100 - first], [100 - second, second]]
        balanced = (first + second) / 200
        rows.append({"iteration": 10 * (index + 1), "balanced_accuracy": balanced, "confusion": confusion})
    return folds.Outcome(name, ["rest", "walk"], rows)


def test_the_accuracy_is_that_of_each_fold_s_own_best_iteration_and_the_honest_one_is_chosen_on_the_others():
    found = folds.summary(
        [
            outcome("a", (60, 60), (90, 70), (50, 50)),  # best at 20: 0.8; b and c together are best at 10
            outcome("b", (80, 80), (40, 40), (50, 50)),  # best at 10: 0.8; a and c together are best at 20
            outcome("c", (70, 90), (80, 80), (95, 85)),  # best at 30: 0.9; a and b together are best at 10
        ]
    )
    assert [fold["iteration"] for fold in found["folds"]] == [20, 10, 30]
    assert found["balanced_accuracy"] == pytest.approx((0.8 + 0.8 + 0.9) / 3)
    assert found["spread"] == pytest.approx(np.std([0.8, 0.8, 0.9], ddof=1))
    assert [fold["honest_iteration"] for fold in found["folds"]] == [10, 20, 10]
    assert found["honest_balanced_accuracy"] == pytest.approx((0.6 + 0.4 + 0.8) / 3)
    assert found["pooled"]["confusion"] == [[90 + 80 + 95, 10 + 20 + 5], [30 + 20 + 15, 70 + 80 + 85]]


def test_a_class_that_a_held_out_video_lacks_is_named():
    without = outcome("a", (60, 60))
    without.curve[0]["confusion"] = [[60, 40], [0, 0]]
    found = folds.summary([without, outcome("b", (80, 80))])
    assert [fold["classes_absent"] for fold in found["folds"]] == [["walk"], []]
