"""Scores against scikit-learn's, and what happens with classes that are absent."""

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from data_prep import metrics

CLASSES = ["drink", "eat", "groom", "hang"]


def random_labels(seed, frames=2000, classes=4):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, frames)
    predicted = np.where(generator.random(frames) < 0.6, truth, generator.integers(0, classes, frames))
    return truth, predicted


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_scikit_learns(seed):
    truth, predicted = random_labels(seed)
    confusion = metrics.confusion_matrix(truth, predicted, 4)
    assert (confusion == reference.confusion_matrix(truth, predicted)).all()
    assert metrics.balanced_accuracy(confusion) == pytest.approx(reference.balanced_accuracy_score(truth, predicted))
    assert metrics.accuracy(confusion) == pytest.approx(reference.accuracy_score(truth, predicted))
    precision, recall, f1, _ = reference.precision_recall_fscore_support(truth, predicted)
    np.testing.assert_allclose(metrics.precisions(confusion), precision)
    np.testing.assert_allclose(metrics.recalls(confusion), recall)
    np.testing.assert_allclose(metrics.f1_scores(confusion), f1)


def test_frames_not_annotated_do_not_count():
    truth, predicted = random_labels(7)
    hidden = np.arange(len(truth)) % 3 == 0
    with_gaps = metrics.confusion_matrix(np.where(hidden, -1, truth), predicted, 4)
    assert (with_gaps == metrics.confusion_matrix(truth[~hidden], predicted[~hidden], 4)).all()


def test_balanced_accuracy_is_over_the_classes_present_and_says_which_are_not():
    confusion = np.array([[8, 2, 0, 0], [0, 0, 0, 0], [0, 5, 5, 0], [0, 0, 0, 0]])
    assert metrics.balanced_accuracy(confusion) == pytest.approx((0.8 + 0.5) / 2)
    summary = metrics.summary(confusion, CLASSES)
    assert summary["classes_present"] == 2
    assert summary["classes_absent"] == ["eat", "hang"]
    assert summary["per_class"]["eat"]["recall"] is None
    assert summary["per_class"]["eat"]["precision"] == 0
    assert summary["per_class"]["hang"]["precision"] is None
    assert "absent: eat, hang" in metrics.sentence(confusion, CLASSES)


def test_nothing_annotated_has_no_score():
    confusion = metrics.confusion_matrix(np.full(5, -1), np.zeros(5, int), 4)
    assert math.isnan(metrics.balanced_accuracy(confusion))
    assert metrics.summary(confusion, CLASSES)["balanced_accuracy"] is None


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="3 true labels but 2"):
        metrics.confusion_matrix(np.zeros(3, int), np.zeros(2, int), 4)
    with pytest.raises(ValueError, match="outside"):
        metrics.confusion_matrix(np.array([4]), np.array([0]), 4)
