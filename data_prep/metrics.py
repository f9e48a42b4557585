"""Scores of per-frame classification, from a confusion matrix; numpy only.

A frame whose true class is −1 is *not annotated* and never counts. Rows of a confusion matrix are the true
classes, columns the predicted ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def confusion_matrix(
    truth: np.ndarray, predicted: np.ndarray, classes: int, lengths: np.ndarray | None = None
) -> np.ndarray:
    """Counts of frames, int64 (classes, classes), row = true class, column = predicted class.

    `truth` and `predicted` are integer arrays (frames,); frames with truth −1 are left out. With `lengths`, integers
    (spans,), each entry stands for so many frames in a row.
    Raises ValueError where the lengths differ or a class is outside 0 … classes − 1.
    """
    truth, predicted = np.asarray(truth, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if truth.shape != predicted.shape:
        raise ValueError(f"{truth.size} true labels but {predicted.size} predicted ones")
    counted = truth >= 0
    weights = None if lengths is None else np.asarray(lengths)[counted]
    truth, predicted = truth[counted], predicted[counted]
    if truth.size and not (truth.max() < classes and predicted.min() >= 0 and predicted.max() < classes):
        raise ValueError(f"a class index is outside 0 … {classes - 1}")
    found = np.bincount(truth * classes + predicted, weights, minlength=classes * classes)
    return found.astype(np.int64).reshape(classes, classes)


def recalls(confusion: np.ndarray) -> np.ndarray:
    """Share of each class's frames that were found, float (classes,); nan where the class is absent."""
    return _ratio(np.diag(confusion), confusion.sum(axis=1))


def precisions(confusion: np.ndarray) -> np.ndarray:
    """Share of the frames given a class that are of it, float (classes,); nan where it never was given."""
    return _ratio(np.diag(confusion), confusion.sum(axis=0))


def f1_scores(confusion: np.ndarray) -> np.ndarray:
    """2·tp / (true frames + predicted frames), float (classes,); nan where the class is absent."""
    true_frames = confusion.sum(axis=1)
    f1 = _ratio(2 * np.diag(confusion), true_frames + confusion.sum(axis=0))
    return np.where(true_frames > 0, f1, np.nan)


def balanced_accuracy(confusion: np.ndarray) -> float:
    """Mean recall over the classes present (thesis, section 4.4), 0 … 1; nan where no frame is annotated."""
    found = recalls(confusion)
    present = ~np.isnan(found)
    return float(found[present].mean()) if present.any() else float("nan")


def accuracy(confusion: np.ndarray) -> float:
    """Share of the annotated frames that were classified correctly, 0 … 1; nan where there are none."""
    return float(_ratio(np.trace(confusion), confusion.sum()))


def row_normalised(confusion: np.ndarray) -> np.ndarray:
    """Each row divided by its sum, float (classes, classes); rows of absent classes are nan."""
    return _ratio(confusion, confusion.sum(axis=1, keepdims=True))


def summary(confusion: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Everything above by class name, ready for JSON (a value that does not exist is None)."""
    frames = confusion.sum(axis=1)
    columns = zip(classes, recalls(confusion), precisions(confusion), f1_scores(confusion), frames)
    return {
        "balanced_accuracy": or_none(balanced_accuracy(confusion)),
        "accuracy": or_none(accuracy(confusion)),
        "frames": int(frames.sum()),
        "classes_present": int((frames > 0).sum()),
        "classes_absent": absent(confusion, classes),
        "per_class": {
            name: {
                "recall": or_none(recall),
                "precision": or_none(precision),
                "f1": or_none(f1),
                "frames": int(count),
            }
            for name, recall, precision, f1, count in columns
        },
        "classes": list(classes),
        "confusion": confusion.tolist(),
    }


def absent(confusion: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Names of the classes without a single true frame."""
    return [name for name, count in zip(classes, confusion.sum(axis=1)) if count == 0]


def sentence(confusion: np.ndarray, classes: Sequence[str]) -> str:
    """One line for a person: the scores, over how many classes, and which were absent."""
    missing = absent(confusion, classes)
    line = (
        f"balanced accuracy {balanced_accuracy(confusion):.3f} over {len(classes) - len(missing)} classes, "
        f"accuracy {accuracy(confusion):.3f} over {int(confusion.sum())} frames"
    )
    return line + (f"; absent: {', '.join(missing)}" if missing else "")


def _ratio(numerator: Any, denominator: Any) -> np.ndarray:
    """numerator / denominator, nan where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    return np.divide(numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator > 0)


def or_none(value: float) -> float | None:
    """A score for JSON, which knows no nan."""
    return None if np.isnan(value) else float(value)
