"""S2 and C2 of Jhuang et al. 2010: patches of C1 cut from training videos, and how much of each is in a frame.

Patches are cut where there is much motion in annotated frames, as many for each class, and reduced to those that a
linear SVM needs most (Jhuang et al. 2007 select with the zero-norm SVM of Weston et al. 2003, whose rescaling by the
weights is done here). A response is the product with the patch at length 1: it keeps how much motion there is,
which the normalised product of those papers leaves out (ours). Sizes and numbers are ours, but for the 300.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SIZES = (4, 8)  # cells a side
SAMPLED = 500  # patches of each size
KEPT = 300  # of both together: with ten position features the thesis's 310
ROUNDS = 3  # of rescaling
SELECTED_ON = 4000  # frames at most
STRENGTH = 0.01  # C of the linear SVM
BATCH = 64  # frames at a time: what they take in memory stays small


class Templates(NamedTuple):
    """Patches by their size: for each of SIZES float32 (patches, 4·size·size), each of length 1."""

    patches: tuple[np.ndarray, ...]

    @property
    def number(self) -> int:
        return sum(len(one) for one in self.patches)


def sample(
    maps: Sequence[np.ndarray], labels: Sequence[np.ndarray], classes: int, seed: int, count: int = SAMPLED
) -> Templates:
    """Cut `count` patches of each size from videos' C1 maps (frames, 4, cells, cells) with labels (frames,).

    Of a class, frames are drawn by seed, and in each the place by its energy (the sum of its squares), so where much
    moves.
    """
    random = np.random.RandomState(seed)
    where = [
        (video, frame)
        for one in range(classes)
        for video, frame in _frames_of(labels, one, -(-count // classes), random)
    ]
    return Templates(tuple(_cut(maps, where, size, random)[:count] for size in SIZES))


def _frames_of(
    labels: Sequence[np.ndarray], one: int, count: int, random: np.random.RandomState
) -> list[tuple[int, int]]:
    found = [(video, int(frame)) for video, own in enumerate(labels) for frame in np.flatnonzero(own == one)]
    return [found[index] for index in random.randint(len(found), size=count)] if found else []


def _cut(
    maps: Sequence[np.ndarray], where: Sequence[tuple[int, int]], size: int, random: np.random.RandomState
) -> np.ndarray:
    cut = []
    for index in random.permutation(len(where)):
        video, frame = where[index]
        patches = patches_of(maps[video][frame : frame + 1], size)[0]
        energy = (patches**2).sum(axis=1)
        total = energy.sum()
        chances = energy / total if total > 0 else np.full(len(energy), 1 / len(energy))
        patch = patches[random.choice(len(patches), p=chances)]
        length = np.sqrt((patch**2).sum())
        cut.append(patch / length if length > 0 else np.full(len(patch), len(patch) ** -0.5))
    return np.array(cut, np.float32)


def patches_of(maps: np.ndarray, size: int) -> np.ndarray:
    """All patches of C1 maps (n, 4, cells, cells), float32 (n, places, 4·size·size)."""
    count, channels, height, width = maps.shape
    rows, columns = height - size + 1, width - size + 1
    views = np.lib.stride_tricks.as_strided(
        maps, (count, channels, rows, columns, size, size), maps.strides + maps.strides[2:], writeable=False
    )
    ordered = views.transpose(0, 2, 3, 1, 4, 5)
    return np.ascontiguousarray(ordered, np.float32).reshape(count, rows * columns, channels * size * size)


def c2(maps: np.ndarray, templates: Templates) -> np.ndarray:
    """The largest response to each template anywhere in a frame, float32 (n, templates), of C1 maps (n, 4, …).

    As log(1 + response): motion energy is spread over orders of magnitude (ours).
    """
    found = np.empty((len(maps), templates.number), np.float32)
    for start in range(0, len(maps), BATCH):
        part = maps[start : start + BATCH]
        responses = [_responses(part, size, own) for size, own in zip(SIZES, templates.patches)]
        found[start : start + BATCH] = np.log1p(np.maximum(np.concatenate(responses, axis=1), 0))
    return found


def _responses(maps: np.ndarray, size: int, patches: np.ndarray) -> np.ndarray:
    found = patches_of(maps, size)
    count, places, numbers = found.shape
    return (found.reshape(count * places, numbers) @ patches.T).reshape(count, places, len(patches)).max(axis=1)


def select(templates: Templates, maps: np.ndarray, labels: np.ndarray, seed: int, kept: int = KEPT) -> Templates:
    """The `kept` templates that tell the classes of annotated frames apart best; `maps` (n, 4, …), `labels` (n,)."""
    from sklearn.svm import LinearSVC

    if templates.number <= kept:
        return templates
    random = np.random.RandomState(seed)
    chosen = random.permutation(len(labels))[:SELECTED_ON]
    responses = c2(maps[chosen], templates)
    deviation = responses.std(axis=0)
    scaled = (responses - responses.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    weight = np.ones(templates.number)
    for _ in range(ROUNDS):
        machine = LinearSVC(C=STRENGTH, dual=False, tol=1e-3, random_state=seed, class_weight="balanced")
        machine.fit(scaled * weight, labels[chosen])
        weight = weight * np.abs(machine.coef_).sum(axis=0)
        weight /= weight.max()
    best = np.sort(np.argsort(-weight, kind="stable")[:kept])
    edges = np.cumsum([0, *(len(own) for own in templates.patches)])
    parts = [best[(best >= low) & (best < high)] - low for low, high in zip(edges, edges[1:])]
    return Templates(tuple(own[part] for own, part in zip(templates.patches, parts)))
