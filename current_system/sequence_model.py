"""A linear model of label sequences with transitions of order 0, 1 or 2, and its exact decoding.

The score of labels y_1 … y_T given features x_1 … x_T is

    Σ_t (W[y_t]·x_t + b[y_t]) + s[y_1] + Σ_{t≥2} A[y_{t−1}, y_t] + Σ_{t≥3} B[y_{t−2}, y_{t−1}, y_t]

with A and s from order 1 on and B with order 2, the thesis's ("order two HMM", section 5.2.4). Altun, Tsochantaridis
and Hofmann 2003, "Hidden Markov support vector machines"; orders as in Joachims's SVM-HMM.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

ORDERS = (0, 1, 2)


class Weights(NamedTuple):
    """emission (classes, features), bias (classes,), start (classes,), first (classes, classes): A[from, to], second
    (classes, classes, classes): B[two before, before, now]; float64. What the order leaves out is zero."""

    emission: np.ndarray
    bias: np.ndarray
    start: np.ndarray
    first: np.ndarray
    second: np.ndarray


def zeros(classes: int, features: int) -> Weights:
    """Weights that are all zero."""
    shapes = ((classes, features), (classes,), (classes,), (classes,) * 2, (classes,) * 3)
    return Weights(*(np.zeros(shape) for shape in shapes))


def flat(weights: Weights) -> np.ndarray:
    """All weights as one vector."""
    return np.concatenate([part.ravel() for part in weights])


def shaped(vector: np.ndarray, classes: int, features: int) -> Weights:
    """`flat`'s inverse; views of the vector."""
    parts, at = [], 0
    for part in zeros(classes, features):
        parts.append(vector[at : at + part.size].reshape(part.shape))
        at += part.size
    return Weights(*parts)


def joint_features(x: np.ndarray, y: np.ndarray, classes: int, order: int) -> np.ndarray:
    """The vector φ with score = φ · `flat(weights)`, of features (T, features) and labels (T,)."""
    found = zeros(classes, x.shape[1])
    shown = np.eye(classes)[y]
    found.emission[...] = shown.T @ x
    found.bias[...] = shown.sum(axis=0)
    if order >= 1:
        found.start[y[0]] = 1
        np.add.at(found.first, (y[:-1], y[1:]), 1)
    if order >= 2:
        np.add.at(found.second, (y[:-2], y[1:-1], y[2:]), 1)
    return flat(found)


def emissions(weights: Weights, x: np.ndarray) -> np.ndarray:
    """Scores of the frames alone, (T, classes)."""
    return x @ weights.emission.T + weights.bias


def decode(weights: Weights, scores: np.ndarray, order: int) -> np.ndarray:
    """The labels (T,) of the highest score, given `emissions` or those plus a loss, (T, classes); Viterbi."""
    if order == 0:
        return scores.argmax(axis=1)
    if order == 1 or len(scores) == 1:
        return _decode_first(weights, scores)
    return _decode_second(weights, scores)


def _decode_first(weights: Weights, scores: np.ndarray) -> np.ndarray:
    frames, classes = scores.shape
    back = np.zeros((frames, classes), np.int16)
    every = np.arange(classes)
    best = scores[0] + weights.start
    for frame in range(1, frames):
        reached = best[:, np.newaxis] + weights.first
        back[frame] = reached.argmax(axis=0)
        best = reached[back[frame], every] + scores[frame]
    labels = np.empty(frames, np.int64)
    labels[-1] = best.argmax()
    for frame in range(frames - 1, 0, -1):
        labels[frame - 1] = back[frame, labels[frame]]
    return labels


def _decode_second(weights: Weights, scores: np.ndarray) -> np.ndarray:
    """Viterbi over pairs of labels: best[b, c] is the highest score of a sequence that ends with b, c."""
    frames, classes = scores.shape
    back = np.zeros((frames, classes, classes), np.int16)
    # transition[a, b, c] with A[b, c] in it, laid out so that the maximum is over the first axis.
    transition = weights.second + weights.first
    best = (scores[0] + weights.start)[:, np.newaxis] + weights.first + scores[1]
    rows, columns = np.arange(classes)[:, np.newaxis], np.arange(classes)
    for frame in range(2, frames):
        reached = best[:, :, np.newaxis] + transition
        chosen = reached.argmax(axis=0)
        back[frame] = chosen
        best = reached[chosen, rows, columns] + scores[frame]
    labels = np.empty(frames, np.int64)
    labels[-2], labels[-1] = np.unravel_index(best.argmax(), best.shape)
    for frame in range(frames - 1, 1, -1):
        labels[frame - 2] = back[frame, labels[frame - 1], labels[frame]]
    return labels


def decode_many(weights: Weights, scores: Sequence[np.ndarray], order: int) -> list[np.ndarray]:
    """What `decode` gives for each of several sequences, of any lengths, several times faster: they walk side by side.

    Keeps a maximum for each frame, pair of labels and sequence: meant for sequences of some hundred frames.
    """
    if order == 0 or max(map(len, scores), default=1) == 1:
        return [decode(weights, own, order) for own in scores]
    lengths = np.array([len(own) for own in scores])
    longest = np.argsort(-lengths, kind="stable")  # first, so that those that go on are the first ones
    frames, classes, number = lengths.max(), scores[0].shape[1], len(scores)
    side = np.zeros((frames, classes, number))
    for place, index in enumerate(longest):
        side[: lengths[index], :, place] = scores[index]
    going = [int((lengths > frame).sum()) for frame in range(frames)]
    # Order 1 is order 2 with a second order of zeros. transition[a, b, c, sequence] as in _decode_second.
    steps = weights.first + (weights.second if order == 2 else np.zeros((classes,) * 3))
    transition = np.ascontiguousarray(np.broadcast_to(steps[..., np.newaxis], (*steps.shape, number)))
    best = np.zeros((frames, classes, classes, number))
    start = (side[0] + weights.start[:, np.newaxis])[:, np.newaxis]
    best[1] = start + weights.first[..., np.newaxis] + side[1]
    for frame in range(2, frames):
        n = going[frame]
        reached = best[frame - 1, :, :, np.newaxis, :n] + transition[..., :n]
        best[frame, ..., :n] = reached.max(axis=0) + side[frame, :, :n]
    found = []
    for place, index in enumerate(longest):
        if lengths[index] == 1:
            found.append(decode(weights, scores[index], order))
            continue
        own, labels = best[..., place], np.empty(lengths[index], np.int64)
        labels[-2], labels[-1] = np.unravel_index(own[len(labels) - 1].argmax(), steps.shape[1:])
        for frame in range(len(labels) - 1, 1, -1):
            before, now = labels[frame - 1], labels[frame]
            labels[frame - 2] = (own[frame - 1, :, before] + steps[:, before, now]).argmax()
        found.append(labels)
    return [found[place] for place in np.argsort(longest)]


def max_marginals(weights: Weights, scores: np.ndarray, order: int) -> np.ndarray:
    """For each frame and class the highest score of a sequence that has this class there, (T, classes).

    Their row maxima are all the score of `decode`'s labels, and their argmax, where it is unique, these labels.
    """
    if order == 0:
        best = scores.max(axis=1)
        return scores - best[:, np.newaxis] + best.sum()
    frames, classes = scores.shape
    if frames == 1:
        return scores + weights.start
    second = weights.second if order == 2 else np.zeros((classes,) * 3)
    transition = second + weights.first
    before = np.empty((frames, classes, classes))  # of the pair that ends at a frame, with that frame's scores
    before[1] = (scores[0] + weights.start)[:, np.newaxis] + weights.first + scores[1]
    for frame in range(2, frames):
        before[frame] = (before[frame - 1][:, :, np.newaxis] + transition).max(axis=0) + scores[frame]
    found = np.empty((frames, classes))
    after = np.zeros((classes, classes))  # of what follows a pair that ends at a frame
    for frame in range(frames - 1, 0, -1):
        found[frame] = (before[frame] + after).max(axis=0)
        if frame == 1:
            found[0] = (before[1] + after).max(axis=1)
        else:
            after = (transition + (scores[frame] + after)[np.newaxis]).max(axis=2)
    return found
