"""Cross-validation's folds: which videos are held out together, and what comes of it over all folds.

The thesis says *cross validation on the eight expert-annotated videos* (section 5.2) and not how; one video held out
at a time is ours, since frames of one video resemble each other too much to stand on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from data_prep import dataset as datasets
from data_prep import metrics
from data_prep.errors import InputError


class Fold(NamedTuple):
    """A fold's name and the videos that it holds out."""

    name: str
    held_out: list[str]


def make_folds(dataset: datasets.Dataset, count: int | None = None) -> list[Fold]:
    """A fold for each annotated video, named after it; or `count` folds that share the videos out in turn.

    Raises InputError where there are fewer than two annotated videos, or fewer than `count`.
    """
    stems = [stem for stem in dataset.videos if dataset.labels(stem).is_file()]
    if len(stems) < 2:
        raise InputError(
            f"{dataset.path / 'labels'}: {len(stems)} annotated videos; cross-validation needs two or more"
        )
    if count is None or count == len(stems):
        return [Fold(stem, [stem]) for stem in stems]
    if not 2 <= count < len(stems):
        raise InputError(f"--folds {count}: give 2 to {len(stems)}, the number of annotated videos")
    return [Fold(f"fold_{index + 1}", stems[index::count]) for index in range(count)]


def missing_classes(dataset: datasets.Dataset, folds: Sequence[Fold]) -> tuple[list[str], list[str]]:
    """Lines about classes that a fold's training videos lack, so that they cannot be learned there, and about those
    that its held-out videos lack, so that its balanced accuracy is over fewer classes. The videos must be prepared.
    """
    present = {stem: _present(dataset, stem) for fold in folds for stem in fold.held_out}
    anywhere = set().union(*present.values())
    unlearned: list[str] = []
    untested: list[str] = []
    for fold in folds:
        held_out = set().union(*(present[stem] for stem in fold.held_out))
        trained = set().union(*(names for stem, names in present.items() if stem not in fold.held_out))
        for lines, names in ((unlearned, anywhere - trained), (untested, anywhere - held_out)):
            if names:
                listed = ", ".join(name for name in dataset.classes if name in names)
                lines.append(f"{fold.name}: {listed}")
    return unlearned, untested


def check_folds(dataset: datasets.Dataset, folds: Sequence[Fold], allow_missing: bool = False) -> list[str]:
    """Lines to tell before the folds are trained. Raises InputError where a class would be lost from a fold's training
    videos, unless that is allowed: its recall would be 0 by construction."""
    unlearned, untested = missing_classes(dataset, folds)
    if unlearned and not allow_missing:
        raise InputError(
            f"{dataset.path / 'labels'}: held out, these leave no training frame of a class: {'; '.join(unlearned)}; "
            "annotate it in another video, give fewer --folds, or --allow-missing-classes"
        )
    notes = [f"not in the training videos, so never recognised: {line}" for line in unlearned]
    return notes + [f"not in the held-out videos, so not counted there: {line}" for line in untested]


def _present(dataset: datasets.Dataset, stem: str) -> set[str]:
    frames = datasets.prepared(dataset, stem).frames
    labels = datasets.read_labels(dataset.labels(stem), dataset.classes, frames)
    return {dataset.classes[index] for index in np.unique(labels) if index >= 0}


class Outcome(NamedTuple):
    """A trained fold: its name, the classes, and its learning curve (rows of `training_run`, with confusions)."""

    fold: str
    classes: list[str]
    curve: list[dict[str, Any]]


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What cross-validation found, ready for JSON; accuracies are balanced, 0 … 1.

    balanced_accuracy: mean over folds, each at the iteration where its own held-out videos score highest, as the
    thesis reports (section 5.2). That picks the iteration by the labels it is measured on; honest_balanced_accuracy
    takes each fold at the iteration where the mean of the *other* folds is highest. spread: standard deviation over
    folds (n − 1). confusion and what follows from it: sums over the folds at their own best iterations.
    """
    iterations = [row["iteration"] for row in outcomes[0].curve]
    scores = np.array([[row["balanced_accuracy"] for row in outcome.curve] for outcome in outcomes], float)
    own = scores.argmax(axis=1)
    honest = _chosen_elsewhere(scores)
    best, fair = (scores[np.arange(len(scores)), chosen] for chosen in (own, honest))
    confusions = [np.array(outcome.curve[at]["confusion"]) for outcome, at in zip(outcomes, own)]
    classes = outcomes[0].classes
    return {
        "balanced_accuracy": float(best.mean()),
        "spread": spread(best),
        "honest_balanced_accuracy": float(fair.mean()),
        "honest_spread": spread(fair),
        "folds": [
            {
                "fold": outcome.fold,
                "iteration": iterations[at],
                "balanced_accuracy": float(top),
                "honest_iteration": iterations[elsewhere],
                "honest_balanced_accuracy": float(value),
                "classes_absent": metrics.absent(confusion, classes),
            }
            for outcome, at, top, elsewhere, value, confusion in zip(outcomes, own, best, honest, fair, confusions)
        ],
        "pooled": metrics.summary(sum(confusions[1:], confusions[0]), classes),
    }


def _chosen_elsewhere(scores: np.ndarray) -> np.ndarray:
    """For each fold (row, of two or more) the column in which the mean of the other rows is highest."""
    others = (scores.sum(axis=0) - scores) / (len(scores) - 1)
    return others.argmax(axis=1)


def spread(values: np.ndarray) -> float | None:
    """Standard deviation with n − 1; None for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
