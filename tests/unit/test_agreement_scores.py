"""Agreement of annotators, against scikit-learn and published examples."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score

from data_prep import agreement_scores as scores
from data_prep import metrics

# Fleiss 1971, table 1: 30 patients, each diagnosed by six psychiatrists as depression, personality disorder,
# schizophrenia, neurosis or other. Below it: the sums of its columns, P̄, P̄_e and kappa as published there.
FLEISS_1971 = """
00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
# The worked example of Wikipedia's "Fleiss' kappa": 10 subjects, 14 raters, 5 categories.
FOURTEEN_RATERS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def fleiss_1971():
    return np.array([[int(digit) for digit in row] for row in FLEISS_1971.split()])


def test_fleiss_kappa_is_that_of_fleiss():
    given = fleiss_1971()
    assert given.sum(axis=0).tolist() == [26, 26, 30, 55, 43]
    assert scores.pair_agreement(given) == pytest.approx(0.556, abs=5e-4)
    assert scores.fleiss_kappa(given) == pytest.approx(0.430, abs=5e-4)


def test_fleiss_kappa_of_fourteen_raters():
    given = np.array(FOURTEEN_RATERS)
    assert given.sum(axis=0).tolist() == [20, 28, 39, 21, 32]
    assert scores.pair_agreement(given) == pytest.approx(0.378, abs=5e-4)
    assert scores.fleiss_kappa(given) == pytest.approx(0.210, abs=5e-4)


def drawn(seed=0, frames=500, classes=5, noise=0.4):
    generator = np.random.default_rng(seed)
    first = generator.integers(classes, size=frames)
    return np.stack(
        [first, np.where(generator.random(frames) < noise, generator.integers(classes, size=frames), first)]
    )


@pytest.mark.parametrize("noise", [0, 0.4, 1])
def test_scores_of_a_pair_are_scikit_learns(noise):
    first, second = labels = drawn(noise=noise)
    got = scores.summary(labels, ["a", "b"], list("vwxyz"))
    (pair,) = got["pairs"]
    assert pair["cohen_kappa"] == pytest.approx(cohen_kappa_score(first, second))
    assert pair["balanced_accuracy_of_second"] == pytest.approx(balanced_accuracy_score(first, second))
    assert pair["balanced_accuracy_of_first"] == pytest.approx(balanced_accuracy_score(second, first))
    assert pair["agreement"] == got["agreement"] == got["all_agree"] == pytest.approx((first == second).mean())
    per_class = [one["agreement"] for one in got["per_class"].values()]
    np.testing.assert_allclose(per_class, f1_score(first, second, average=None))


def test_kappa_may_be_below_zero():
    confusion = metrics.confusion_matrix(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), 2)
    assert scores.cohen_kappa(confusion) == cohen_kappa_score([0, 0, 1, 1], [1, 1, 0, 0]) == -1


def test_frames_that_someone_left_out_do_not_count():
    labels = np.array([[0, 1, -1, 2, 0], [0, 1, 1, -1, 1], [0, 2, 1, 2, 1]])
    got = scores.summary(labels, ["a", "b", "c"], ["x", "y", "z"])
    assert (got["frames"], got["frames_left_out"]) == (3, 2)
    assert got["all_agree"] == pytest.approx(1 / 3)
    assert [pair["agreement"] for pair in got["pairs"]] == pytest.approx([2 / 3, 1 / 3, 2 / 3])
    assert got["agreement"] == pytest.approx(np.mean([2 / 3, 1 / 3, 2 / 3]))
    assert got["per_class"]["z"]["agreement"] == 0
    assert sum(one["given"] for one in got["per_class"].values()) == 9


def test_one_class_only_leaves_kappa_undefined():
    got = scores.summary(np.zeros((2, 4), int), ["a", "b"], ["x", "y"])
    assert got["agreement"] == 1
    assert got["fleiss_kappa"] is None
    assert got["pairs"][0]["cohen_kappa"] is None
    assert got["per_class"]["y"]["agreement"] is None


def test_no_frame_leaves_all_undefined():
    got = scores.summary(np.array([[0, -1], [-1, 1]]), ["a", "b"], ["x", "y"])
    assert (got["frames"], got["agreement"], got["fleiss_kappa"], got["pairs"][0]["cohen_kappa"]) == (0,) + (None,) * 3


def test_fleiss_needs_as_many_annotators_on_every_frame():
    with pytest.raises(ValueError, match="same number"):
        scores.fleiss_kappa(np.array([[2, 0], [1, 0]]))


def test_spans_with_their_lengths_score_as_their_frames():
    generator = np.random.default_rng(3)
    spans, lengths = generator.integers(-1, 4, size=(3, 60)), generator.integers(1, 9, size=60)
    frames = np.repeat(spans, lengths, axis=1)
    got = scores.summary(spans, "abc", list("wxyz"), lengths)
    assert got == scores.summary(frames, "abc", list("wxyz"))
    assert got["frames"] + got["frames_left_out"] == lengths.sum() and got["frames_left_out"] > 0
