"""How far annotators agree on the class of each frame: shares and kappas; numpy only.

Labels are class indices, −1 where a frame is not annotated. A confusion matrix of two annotators has a row per class
that the first gave and a column per class that the second gave (`data_prep.metrics.confusion_matrix`).

Where `lengths` is given, int (spans,), each column of labels and each row of counts stands for so many frames in a row
on which nothing changes: hours of video are then as many numbers as they have bouts.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from data_prep import metrics


def common(labels: np.ndarray) -> np.ndarray:
    """Which frames all annotators annotated, bool (frames,), of labels (annotators, frames)."""
    return np.asarray((labels >= 0).all(axis=0))


def counts(labels: np.ndarray, classes: int) -> np.ndarray:
    """How many annotators gave each class, int64 (frames, classes), of labels (annotators, frames), none of them −1."""
    return (labels[:, :, np.newaxis] == np.arange(classes)).sum(axis=0, dtype=np.int64)


def cohen_kappa(confusion: np.ndarray) -> float:
    """Cohen's kappa of two annotators, −1 … 1: (p_o − p_e) / (1 − p_e), with p_o the share of frames on which they
    agree and p_e that expected of two who give classes as often as they do, but independently (Cohen 1960, "A
    coefficient of agreement for nominal scales"). nan without a frame, and where both give one and the same class
    throughout: chance alone would then agree always."""
    confusion = np.asarray(confusion, np.int64)
    frames = int(confusion.sum())
    chance = int(confusion.sum(axis=0) @ confusion.sum(axis=1))
    if frames == 0 or chance == frames * frames:
        return float("nan")
    expected = chance / frames**2
    return float((np.trace(confusion) / frames - expected) / (1 - expected))


def fleiss_kappa(given: np.ndarray, lengths: np.ndarray | None = None) -> float:
    """Fleiss' kappa of n ≥ 2 annotators, at most 1, of `counts`: int (frames, classes), each row adding up to n.

    (P̄ − P̄_e) / (1 − P̄_e), with P̄ the mean over the frames of the share of pairs of annotators that agree, and P̄_e
    the sum of the squared shares of the classes in all that was given (Fleiss 1971, "Measuring nominal scale agreement
    among many raters"). nan without a frame, and where only one class was given.
    Raises ValueError where rows add up to different numbers or to less than 2.
    """
    given = np.asarray(given, np.int64)
    if not len(given):
        return float("nan")
    _annotators(given)
    total = _times(given, lengths).sum(axis=0)
    shares = total / total.sum()
    if shares.max() == 1:
        return float("nan")
    expected = float((shares**2).sum())
    return (pair_agreement(given, lengths) - expected) / (1 - expected)


def pair_agreement(given: np.ndarray, lengths: np.ndarray | None = None) -> float:
    """P̄ of `fleiss_kappa`, 0 … 1: how often two annotators agree on a frame, over all frames and pairs; of two, the
    share of frames on which they agree. nan without a frame."""
    given = np.asarray(given, np.int64)
    if not len(given):
        return float("nan")
    size = _annotators(given)
    frames = len(given) if lengths is None else int(np.sum(lengths))
    return float(_times(given * (given - 1), lengths).sum() / (frames * size * (size - 1)))


def class_agreement(given: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
    """For each class how often, where one annotator gave it, another one did too, 0 … 1, float (classes,); nan where
    nobody gave it. Σ n_ij (n_ij − 1) / ((n − 1) Σ n_ij) over the frames i (Fleiss 1971); of two annotators,
    2·both / (first's frames + second's frames)."""
    given = np.asarray(given, np.int64)
    if not len(given):
        return np.full(given.shape[1], np.nan)
    both = _times(given * (given - 1), lengths).sum(axis=0).astype(float)
    possible = (_annotators(given) - 1) * _times(given, lengths).sum(axis=0)
    return np.divide(both, possible, out=np.full(both.shape, np.nan), where=possible > 0)


def summary(
    labels: np.ndarray, annotators: Sequence[str], classes: Sequence[str], lengths: np.ndarray | None = None
) -> dict[str, Any]:
    """All of it over the frames that all annotated, of labels (annotators, frames), ready for JSON (what is undefined
    is None). Balanced accuracies are those of one annotator measured against another (thesis, section 4.4)."""
    shown = common(labels)
    every = np.ones(labels.shape[1], np.int64) if lengths is None else np.asarray(lengths, np.int64)
    kept, times = labels[:, shown], every[shown]
    given = counts(kept, len(classes))
    total = _times(given, times).sum(axis=0)
    alike = (given == len(annotators)).any(axis=1)
    return {
        "frames": int(times.sum()),
        "frames_left_out": int(every[~shown].sum()),
        "agreement": metrics.or_none(pair_agreement(given, times)),
        "all_agree": float(times[alike].sum() / times.sum()) if len(given) else None,
        "fleiss_kappa": metrics.or_none(fleiss_kappa(given, times)),
        "per_class": {
            name: {"agreement": metrics.or_none(share), "given": int(number)}
            for name, share, number in zip(classes, class_agreement(given, times), total)
        },
        "pairs": [
            _pair(kept[[one, other]], [annotators[one], annotators[other]], len(classes), times)
            for one, other in combinations(range(len(annotators)), 2)
        ],
    }


def _pair(labels: np.ndarray, names: list[str], classes: int, lengths: np.ndarray) -> dict[str, Any]:
    confusion = metrics.confusion_matrix(labels[0], labels[1], classes, lengths)
    return {
        "annotators": names,
        "agreement": metrics.or_none(metrics.accuracy(confusion)),
        "cohen_kappa": metrics.or_none(cohen_kappa(confusion)),
        "balanced_accuracy_of_second": metrics.or_none(metrics.balanced_accuracy(confusion)),
        "balanced_accuracy_of_first": metrics.or_none(metrics.balanced_accuracy(confusion.T)),
        "confusion": confusion.tolist(),
    }


def _times(counted: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """Counts (spans, classes), each row as often as its span has frames."""
    return counted if lengths is None else counted * np.asarray(lengths, np.int64)[:, np.newaxis]


def _annotators(given: np.ndarray) -> int:
    size = int(given[0].sum())
    if size < 2 or (given.sum(axis=1) != size).any():
        raise ValueError("every frame needs the same number of annotators, at least 2")
    return size
