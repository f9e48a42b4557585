"""The current system as a whole: templates, features, and the SVM-HMM over them.

A frame's 310 features are the C2 responses to 300 templates and the ten position features (thesis, section 3.2);
both are standardised by the training frames.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable, NamedTuple

import numpy as np

from current_system import structural_svm, templates
from current_system.sequence_model import Weights, decode, emissions, max_marginals
from current_system.templates import Templates
from current_system.video_maps import Seen
from data_prep.annotations import runs
from data_prep.errors import InputError
from data_prep.files import atomic_path

CHUNK = 200  # frames of a training sequence at most (ours)
FILE = "current_system.npz"


class Options(NamedTuple):
    """order of the transitions (the thesis's: 2); strength, λ of `structural_svm`; whether classes are weighted, so
    that the balanced accuracy counts; passes and the relative gap that end the training. All but the order are ours."""

    order: int = 2
    strength: float = 1e-3
    weighted: bool = True
    max_passes: int = 300
    tolerance: float = 0.05


class System(NamedTuple):
    """A trained system. mean, deviation: of each feature over the training frames."""

    order: int
    templates: Templates
    mean: np.ndarray
    deviation: np.ndarray
    weights: Weights


def train(
    videos: Sequence[Seen],
    labels: Sequence[np.ndarray],
    classes: int,
    options: Options,
    seed: int,
    watch: Callable[[structural_svm.Pass], None] | None = None,
) -> tuple[System, list[structural_svm.Pass]]:
    """Train on videos with labels (frames,), −1 where not annotated; also returns the training's course."""
    sampled = templates.sample([video.maps for video in videos], labels, classes, seed)
    annotated = [own >= 0 for own in labels]
    maps = np.concatenate([video.maps[shown] for video, shown in zip(videos, annotated)])
    truth = np.concatenate([own[shown] for own, shown in zip(labels, annotated)])
    selected = templates.select(sampled, maps, truth, seed)
    raw = [features(video, selected) for video in videos]
    known = np.concatenate([one[shown] for one, shown in zip(raw, annotated)])
    mean, deviation = known.mean(axis=0), known.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    chunks = [
        ((one[start:stop] - mean) / deviation, own[start:stop])
        for one, own in zip(raw, labels)
        for start, stop in spans(own)
    ]
    cost = structural_svm.balanced_cost(truth, classes) if options.weighted else np.ones(classes)
    problem = structural_svm.Problem(chunks, classes, options.order, options.strength, cost)
    weights, course = structural_svm.train(
        problem, tolerance=options.tolerance, max_passes=options.max_passes, seed=seed, watch=watch
    )
    return System(options.order, selected, mean, deviation, weights), course


def features(video: Seen, own: Templates) -> np.ndarray:
    """C2 and position features of every frame, float32 (frames, templates + 10)."""
    return np.concatenate([templates.c2(video.maps, own), video.rows[:, :-1]], axis=1)


def spans(labels: np.ndarray) -> list[tuple[int, int]]:
    """Runs of annotated frames, half-open, cut to CHUNK frames."""
    return [
        (start, min(start + CHUNK, stop)) for begin, stop in runs(labels >= 0) for start in range(begin, stop, CHUNK)
    ]


def frame_scores(system: System, video: Seen) -> np.ndarray:
    """The score of each class by each frame alone, float32 (frames, classes), of a video or a part of one."""
    x = (features(video, system.templates) - system.mean) / system.deviation
    return emissions(system.weights, x).astype(np.float32)


def shares(system: System, of_frames: np.ndarray) -> np.ndarray:
    """A share per class, float32 (frames, classes), highest for the label, given `frame_scores` of a whole video.

    The shares are the softmax of the max-marginals: an order of the classes, not calibrated probabilities.
    """
    scores = of_frames.astype(np.float64)
    labels = decode(system.weights, scores, system.order)
    marginals = max_marginals(system.weights, scores, system.order)
    powers = np.exp(marginals - marginals.max(axis=1, keepdims=True))
    powers[np.arange(len(labels)), labels] *= 1 + 1e-6  # where two sequences are equally good
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def save(path: Path, system: System) -> None:
    """Write a system as numpy arrays, whole or not at all."""
    arrays: dict[str, Any] = {"order": np.array(system.order), "mean": system.mean, "deviation": system.deviation}
    arrays.update({f"patches_{index}": own for index, own in enumerate(system.templates.patches)})
    arrays.update({f"weights_{name}": part for name, part in system.weights._asdict().items()})
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def load(path: Path) -> System:
    """Read what `save` wrote. Raises InputError where it is damaged or missing."""
    try:
        with np.load(path, allow_pickle=False) as held:
            weights = Weights(*(held[f"weights_{name}"] for name in Weights._fields))
            patches = tuple(held[f"patches_{index}"] for index in range(len(templates.SIZES)))
            return System(int(held["order"]), Templates(patches), held["mean"], held["deviation"], weights)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        raise InputError(f"{path}: cannot be read as a trained current system; train it again") from None
