"""ClassCounts: how often each class stood in a batch, and how often it was recognised."""

from __future__ import annotations

import numpy as np

import caffe

IGNORED = -1


class ClassCounts(caffe.Layer):
    """Bottoms: scores (N, K) and label (N,), class indices or −1. Top: counts (K, 2), per class its frames
    and those of them whose highest score is that class; frames labelled −1 are left out.

    The sums over the batches of a pass give the recall of each class, and the mean of the recalls of the
    classes that were there is the balanced accuracy.
    """

    def setup(self, bottom, top):
        if len(bottom) != 2 or len(top) != 1:
            raise ValueError(
                f"ClassCounts: {len(bottom)} bottoms and {len(top)} tops; it takes scores and label, and has one top"
            )

    def reshape(self, bottom, top):
        top[0].reshape(bottom[0].data.shape[1], 2)

    def forward(self, bottom, top):
        top[0].data[...] = class_counts(bottom[0].data, bottom[1].data.ravel())

    def backward(self, top, propagate_down, bottom):
        """Counts have no gradient."""


def class_counts(scores: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Counts (K, 2) from scores (N, K) and labels (N,)."""
    counted = label != IGNORED
    truth = label[counted].astype(np.int64)
    right = truth[scores[counted].argmax(axis=1) == truth]
    classes = scores.shape[1]
    return np.stack([np.bincount(truth, minlength=classes), np.bincount(right, minlength=classes)], axis=1)
