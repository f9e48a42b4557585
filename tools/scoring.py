"""Running a network over whole annotated videos, in order: validation, evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_prep import metrics
from data_prep.progress import Progress
from python_layers import frame_plan, settings
from tools import blob_rows, network
from tools.backend import layers_of_file, load_caffe


class Scores(NamedTuple):
    """Of one video's annotated frames, in order: their numbers (n,), true class indices (n,) in the dataset's
    order, and the probabilities of the network's classes, float32 (n, classes)."""

    frames: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray


class Seen(NamedTuple):
    """Of one video's annotated frames, in order: their numbers (n,), true class indices (n,) in the dataset's order,
    and what each blob that was asked for holds of them, float32 (n, values)."""

    frames: np.ndarray
    truth: np.ndarray
    values: list[np.ndarray]


class Scorer:
    """A TEST net that reads some videos of a dataset.

    `source` is a network with both phases (a NetParameter, left as it is) read from `origin`; `file` is where
    the net made from it is written; `data` are settings for its data layer, `dataset` and `videos` among them.
    The net keeps only the layers that lead to the scores, so neither labels nor loss layers can change them.
    """

    def __init__(self, source: Any, origin: Path, file: Path, **data: Any):
        self._origin = origin
        self.score_blob = network.score_blob(source, origin)
        net = _leading_to(source, self.score_blob)
        network.fill_data(net, "TEST", origin, shuffle=False, start_batch=0, **data)
        self._plan = frame_plan.read_plan(
            settings.parse(network.data_layer(net, "TEST", origin).python_param.param_str)
        )
        network.write_message(file, net)
        caffe = load_caffe()
        with layers_of_file(origin):
            self.net = caffe.Net(str(file), caffe.TEST)

    @property
    def batches(self) -> int:
        """Number of forward passes that show every annotated frame once."""
        return frame_plan.batches_in_pass(self._plan)

    def run(self, progress: Progress | None = None) -> dict[str, Scores]:
        """Scores by video; `progress` counts batches."""
        return {stem: scores_of(seen) for stem, seen in self.read([self.score_blob], progress).items()}

    def read(self, blobs: Sequence[str], progress: Progress | None = None) -> dict[str, Seen]:
        """What blobs hold of each annotated frame, by video; `progress` counts batches. Raises InputError as
        `blob_rows.row_shape` does."""
        size = self._plan.settings.sequence_length * self._plan.settings.batch_size
        shapes = {name: tuple(blob.shape) for name, blob in self.net.blobs.items()}
        for name in blobs:
            blob_rows.row_shape(shapes, name, size, shapes.get("cont"), self._origin)
        seen: list[tuple[np.ndarray, ...]] = []
        for batch in range(self.batches):
            self.net.forward()
            places = frame_plan.places(self._plan, batch)
            shown = places.label.ravel() >= 0
            rows = [np.array(self.net.blobs[name].data, np.float32).reshape(size, -1)[shown] for name in blobs]
            seen.append((places.video.ravel()[shown], places.frame.ravel()[shown], places.label.ravel()[shown], *rows))
            if progress:
                progress.update()
        video, frame, truth, *values = (np.concatenate(column) for column in zip(*seen))
        out = {}
        for index, stem in enumerate(self._plan.settings.videos):
            order = np.flatnonzero(video == index)
            order = order[np.argsort(frame[order])]
            out[stem] = Seen(frame[order], truth[order], [one[order] for one in values])
        return out


def scores_of(seen: Seen) -> Scores:
    """The scores of what was seen with the blob of the scores as the first."""
    return Scores(seen.frames, seen.truth, softmax(seen.values[0]))


def confusion_of(scores: Mapping[str, Scores], classes: int) -> np.ndarray:
    """The confusion matrix over all videos; the truth must be in the network's order of classes."""
    truth = np.concatenate([score.truth for score in scores.values()])
    predicted = np.concatenate([score.probabilities.argmax(axis=1) for score in scores.values()])
    return metrics.confusion_matrix(truth, predicted, classes)


def loss_of(scores: Mapping[str, Scores]) -> float:
    """Mean of −log(probability of the true class) over all frames, probabilities clamped as in Caffe's
    SoftmaxWithLoss (src/caffe/layers/softmax_loss_layer.cpp) at the smallest normal float32."""
    parts = [score.probabilities[np.arange(len(score.truth)), score.truth] for score in scores.values()]
    return float(-np.log(np.maximum(np.concatenate(parts), np.finfo(np.float32).tiny)).mean())


def softmax(scores: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis, float32."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)


def _leading_to(source: Any, blob: str) -> Any:
    """A copy of a network with the TEST layers that `blob` depends on, and no other."""
    needed = {blob}
    kept = []
    for layer in reversed(list(network.layers_of(source, "TEST"))):
        if needed & set(layer.top):
            kept.append(layer)
            needed |= set(layer.bottom)
    net = type(source)(name=source.name)
    net.layer.extend(reversed(kept))
    return net
