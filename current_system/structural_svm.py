"""Training of `sequence_model`: a structural SVM by block-coordinate Frank–Wolfe, with its duality gap.

The objective, over chunks i of labelled frames with N frames in all:

    λ/2 ‖w‖² + 1/N Σ_i max_y [ Δ_i(y) + φ(x_i, y)·w − φ(x_i, y_i)·w ],    Δ_i(y) = Σ_t cost[y_it] [y_t ≠ y_it]

(margin rescaling; Tsochantaridis et al. 2005), solved in its dual, a chunk at a time with an exact line search, as in
Lacoste-Julien, Jaggi, Schmidt and Pletscher 2013, "Block-coordinate Frank–Wolfe optimization for structural SVMs",
algorithm 4, with the weighted average of its iterates. With order 0 and chunks of one frame it is Crammer and Singer's
multi-class SVM of C = 1/(λN).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Callable, NamedTuple

import numpy as np

from current_system.sequence_model import Weights, decode, emissions, flat, joint_features, shaped, zeros

Chunk = tuple[np.ndarray, np.ndarray]  # features (T, features) and labels (T,)


class Pass(NamedTuple):
    """State after a number of passes through all chunks: the objective, its dual, and their difference."""

    passes: int
    primal: float
    dual: float

    @property
    def gap(self) -> float:
        return self.primal - self.dual


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
    """Solve a problem until the gap is below `tolerance` times the primal, or for `max_passes`.

    Returns the weights and the state at every tenth pass (and the last): what it tells of the gap is exact and of
    these very weights. The order of the chunks in a pass is drawn by `seed`.
    """
    start = flat(zeros(problem.classes, problem.features))
    total, loss = start.copy(), 0.0
    own = np.zeros((len(problem.chunks), len(start)))
    own_loss = np.zeros(len(problem.chunks))
    mean, mean_loss, steps = start.copy(), 0.0, 0
    random = np.random.RandomState(seed)
    history: list[Pass] = []
    for done in range(1, max_passes + 1):
        for index in random.permutation(len(problem.chunks)):
            direction, error = _worst(problem, index, total)
            corner, corner_loss = direction / (problem.strength * problem.frames), error / problem.frames
            difference = own[index] - corner
            length = problem.strength * float(difference @ difference)
            rise = problem.strength * float(difference @ total) - own_loss[index] + corner_loss
            step = min(max(rise / length, 0.0), 1.0) if length > 0 else 0.0
            total -= step * difference
            own[index] -= step * difference
            loss += step * (corner_loss - own_loss[index])
            own_loss[index] += step * (corner_loss - own_loss[index])
            share = 2 / (steps + 2)
            mean += share * (total - mean)
            mean_loss += share * (loss - mean_loss)
            steps += 1
        if done % 10 and done != max_passes:
            continue
        history.append(_state(problem, mean, mean_loss, done))
        if watch:
            watch(history[-1])
        if history[-1].gap <= tolerance * max(history[-1].primal, 1e-12):
            break
    return shaped(mean, problem.classes, problem.features), history


def _worst(problem: Problem, index: int, vector: np.ndarray) -> tuple[np.ndarray, float]:
    """φ(x_i, y_i) − φ(x_i, y) and Δ_i(y) of the labels y that violate a chunk's margin most."""
    x, truth = problem.chunks[index]
    weights = shaped(vector, problem.classes, problem.features)
    scores = emissions(weights, x) + problem.cost[truth][:, np.newaxis]
    scores[np.arange(len(truth)), truth] -= problem.cost[truth]
    found = decode(weights, scores, problem.order)
    error = float(problem.cost[truth][found != truth].sum())
    right, wrong = (joint_features(x, labels, problem.classes, problem.order) for labels in (truth, found))
    return right - wrong, error


def _state(problem: Problem, vector: np.ndarray, loss: float, passes: int) -> Pass:
    half_norm = problem.strength / 2 * float(vector @ vector)
    hinges = 0.0
    for index in range(len(problem.chunks)):
        direction, error = _worst(problem, index, vector)
        hinges += error - float(direction @ vector)
    return Pass(passes, half_norm + hinges / problem.frames, loss - half_norm)
