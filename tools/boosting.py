"""AdaBoost over small decision trees, on scikit-learn from 0.23 on."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from data_prep.progress import Progress


class Boosted(NamedTuple):
    """A fitted ensemble: scikit-learn's classifier, the number of classes, and how many trees it holds."""

    classifier: Any
    classes: int
    trees: int


def fit(
    features: np.ndarray, truth: np.ndarray, classes: int, estimators: int, depth: int, seed: int, progress: Progress
) -> Boosted:
    """Fit `estimators` trees, at most `depth` deep, to features (frames, values) and class indices (frames,).

    The algorithm is SAMME (Zhu et al. 2009, "Multi-class AdaBoost"), which AdaBoost of two classes is a case of. Ours:
    at the start each class weighs the same, whatever its number of frames, so that the first trees see rare ones too.
    `progress` counts trees.
    """
    from sklearn.ensemble import AdaBoostClassifier
    from sklearn.tree import DecisionTreeClassifier

    class Tree(DecisionTreeClassifier):
        # AdaBoostClassifier looks for the parameter of this name.
        def fit(self, X: Any, y: Any, sample_weight: Any = None, **options: Any) -> Any:
            fitted = super().fit(X, y, sample_weight=sample_weight, **options)
            progress.update()
            return fitted

    # SAMME is all that is left since scikit-learn 1.8, and not to be asked for since 1.6; before, SAMME.R came unasked.
    older = AdaBoostClassifier().get_params().get("algorithm") == "SAMME.R"
    options = {"algorithm": "SAMME"} if older else {}
    # By position, since the first parameter's name changed.
    classifier = AdaBoostClassifier(Tree(max_depth=depth), n_estimators=estimators, random_state=seed, **options)
    classifier.fit(features, truth, sample_weight=balanced_weights(truth))
    return Boosted(classifier, classes, len(classifier.estimators_))


def balanced_weights(truth: np.ndarray) -> np.ndarray:
    """A weight per frame, float (frames,), that adds up to the same for each class present; all add up to 1."""
    counts = np.bincount(truth)
    return 1 / (counts[truth] * np.count_nonzero(counts))


def probabilities(boosted: Boosted, features: np.ndarray) -> np.ndarray:
    """Shares of the classes, float32 (frames, classes), 0 for those it was not fitted to; the largest is the class."""
    out = np.zeros((len(features), boosted.classes), np.float32)
    out[:, boosted.classifier.classes_] = boosted.classifier.predict_proba(features)
    return out
