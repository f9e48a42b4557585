"""Training of `sequence_model`: a structural SVM by cutting planes, with its duality gap.

The objective, over chunks i of labelled frames with N frames in all:

    λ/2 ‖w‖² + 1/N Σ_i max_y [ Δ_i(y) + φ(x_i, y)·w − φ(x_i, y_i)·w ],    Δ_i(y) = Σ_t cost[y_it] [y_t ≠ y_it]

(margin rescaling; Tsochantaridis et al. 2005), solved in its dual by cutting planes with a slack for each chunk: a pass
decodes all chunks at the same weights, which tells the gap exactly and gives each a new plane; then sweeps over the
chunks, a chunk at a time, climb the dual over the planes kept (`planes`, where the papers are named). With order 0 and
chunks of one frame it is Crammer and Singer's multi-class SVM of C = 1/(λN).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, NamedTuple

import numpy as np

from current_system.planes import Planes, added, climbed, first, heights
from current_system.sequence_model import Weights, decode_many, emissions, flat, joint_features, shaped, zeros

MEMORY = 2**28  # bytes of planes at most, but always two planes a chunk
BATCH = 64  # chunks that are decoded together
SHARE = 0.3  # of the gap: the planes kept are solved to that, since new ones bring more
SWEEPS = 50  # over the chunks between two decodings at most

Chunk = tuple[np.ndarray, np.ndarray]  # features (T, features) and labels (T,)


class Pass(NamedTuple):
    """State after a number of passes through all chunks: the objective, its dual, and their difference.

    relative: that difference as a share of the objective, 0 (solved) to 1.
    """

    passes: int
    primal: float
    dual: float

    @property
    def gap(self) -> float:
        return self.primal - self.dual

    @property
    def relative(self) -> float:
        return self.gap / max(self.primal, 1e-12)


class Problem(NamedTuple):
    """What is to be solved. cost (classes,): of a frame of each class that is labelled wrongly."""

    chunks: Sequence[Chunk]
    classes: int
    order: int
    strength: float  # λ
    cost: np.ndarray

    @property
    def features(self) -> int:
        return self.chunks[0][0].shape[1]

    @property
    def frames(self) -> int:
        return sum(len(labels) for _, labels in self.chunks)


def balanced_cost(labels: np.ndarray, classes: int) -> np.ndarray:
    """A cost for each class in inverse proportion to its frames, 1 on average over all frames; 0 where it has none.

    So the loss bounds the balanced error (ours: the thesis and SVM-HMM count every frame alike).
    """
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    return np.where(present, len(labels) / np.maximum(counts, 1) / present.sum(), 0)


def train(
    problem: Problem,
    *,
    tolerance: float = 0.01,
    max_passes: int = 200,
    seed: int = 0,
    watch: Callable[[Pass], None] | None = None,
) -> tuple[Weights, list[Pass]]:
    """Solve a problem until the gap is at most `tolerance` times the primal, or for `max_passes`.

    Returns the weights of the smallest gap, and the state at every tenth pass and the last, each of the best weights so
    far, so the last is of the weights returned; primal and dual are exact and of these very weights. The order of the
    chunks in a sweep is drawn by `seed`. `watch` is told the state of every pass.
    """
    size = len(flat(zeros(problem.classes, problem.features)))
    room = max(MEMORY // (8 * size * len(problem.chunks)), 2)
    planes = [first(size) for _ in problem.chunks]
    vector, best = np.zeros(size), np.zeros(size)
    random = np.random.RandomState(seed)
    state, history = Pass(0, np.inf, 0.0), []
    for done in range(1, max_passes + 1):
        corners = _corners(problem, vector)
        now = _state(problem, planes, vector, corners, done)
        if now.gap <= state.gap:
            state, best = now, vector.copy()
        state = state._replace(passes=done)
        if watch:
            watch(state)
        solved = state.relative <= tolerance
        if solved or done % 10 == 0 or done == max_passes:
            history.append(state)
        if solved or done == max_passes:
            break
        for index, (corner, loss) in enumerate(corners):
            known = heights(planes[index], vector, problem.strength).max()
            if loss - problem.strength * float(corner @ vector) > known + 1e-12 * max(abs(known), loss):
                planes[index] = added(planes[index], corner, loss, done, room)
        _climb(problem.strength, planes, vector, SHARE * now.gap, random, done)
        vector = _sum(planes)  # anew, so that rounding does not add up
    return shaped(best, problem.classes, problem.features), history


def _climb(
    strength: float, planes: list[Planes], vector: np.ndarray, goal: float, random: np.random.RandomState, now: int
) -> None:
    """Sweep until the gap over the planes kept is at most `goal`; changes planes and vector in place.

    Chunks that add little to that gap are left: most are soon solved, and a few need many visits.
    """
    for _ in range(SWEEPS):
        left = 0.0
        for index in random.permutation(len(planes)):
            own = planes[index]
            slopes = heights(own, vector, strength)
            gap = float(slopes.max() - slopes @ own.shares)
            left += gap
            if gap > goal / len(planes):
                planes[index], change = climbed(own, slopes, strength, now)
                vector += change
        if left <= goal:
            break


def _sum(planes: Sequence[Planes]) -> np.ndarray:
    return sum((own.shares @ own.vectors for own in planes[1:]), planes[0].shares @ planes[0].vectors)


def _corners(problem: Problem, vector: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """For each chunk the plane (vector and loss, see `planes`) of the labels that violate its margin most."""
    weights = shaped(vector, problem.classes, problem.features)
    found: list[np.ndarray] = []
    for start in range(0, len(problem.chunks), BATCH):
        scores = []
        for x, truth in problem.chunks[start : start + BATCH]:
            own = emissions(weights, x) + problem.cost[truth][:, np.newaxis]
            own[np.arange(len(truth)), truth] -= problem.cost[truth]
            scores.append(own)
        found.extend(decode_many(weights, scores, problem.order))
    corners = []
    for (x, truth), labels in zip(problem.chunks, found):
        right, wrong = (joint_features(x, one, problem.classes, problem.order) for one in (truth, labels))
        loss = float(problem.cost[truth][labels != truth].sum())
        corners.append(((right - wrong) / (problem.strength * problem.frames), loss / problem.frames))
    return corners


def _state(
    problem: Problem,
    planes: Sequence[Planes],
    vector: np.ndarray,
    corners: Sequence[tuple[np.ndarray, float]],
    passes: int,
) -> Pass:
    half_norm = problem.strength / 2 * float(vector @ vector)
    hinges = sum(loss - problem.strength * float(corner @ vector) for corner, loss in corners)
    return Pass(passes, half_norm + hinges, float(sum(own.shares @ own.losses for own in planes)) - half_norm)
