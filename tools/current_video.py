"""The current system on a video's file, streaming: its features, and from the scores of all frames the labels."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np

from current_system import system
from current_system.templates import BATCH
from current_system.video_maps import Frame, Seen, frames
from data_prep.errors import InputError
from data_prep.ordered import ahead
from data_prep.position import FEEDER
from data_prep.stages import Stages
from tools import feed
from tools.model import Model

FEATURES, SCORES = "features", "scores"  # what `rows` gives: C2 and the position; a score per class


class Extractor:
    """Gives a row per frame, as `tools.classifier.Classifier` does for networks, of the current system in a model's
    folder, which sees frames as the model's preprocessing says. Raises InputError where its file is damaged."""

    recurrent = False  # a row depends on its frame, whatever came before (the labels do not)
    lanes = 1
    feature_blob = FEATURES

    def __init__(self, model: Model, batch_size: int | None = None):
        self._file = model.path / system.FILE
        self._system = system.load(self._file)
        self._region = model.preprocessing.get("region")
        self._feeder = model.preprocessing.get("feeder") or FEEDER
        self.batch_size = batch_size or BATCH

    def start(self) -> None:
        """Nothing is carried from one batch to the next."""

    def shape(self, blob: str) -> tuple[int, ...]:
        """The shape of a frame's row. Raises InputError for another name than FEATURES or SCORES."""
        shapes = {FEATURES: (len(self._system.mean),), SCORES: (len(self._system.weights.bias),)}
        if blob not in shapes:
            raise InputError(f"{self._file}: there is no {blob!r} in a current system; name {' or '.join(shapes)}")
        return shapes[blob]

    def batches(self, video: Path, start: int = 0, stages: Stages | None = None) -> Generator[feed.Batch, None, None]:
        """The frames of a video from frame `start` on, as C1 maps and position rows, made ahead: the stage `maps`."""
        feed.check_region(video, self._region)
        return ahead(self._batches(video, start), 3, stages or Stages(), "maps")

    def rows(self, batch: feed.Batch, blob: str, stages: Stages | None = None) -> np.ndarray:
        """FEATURES, float32 (n, 310), or SCORES, float32 (n, classes), of the n frames of a batch."""
        seen = Seen(batch.streams["c1"], batch.streams["position"])
        if blob == SCORES:
            return system.frame_scores(self._system, seen)
        return system.features(seen, self._system.templates)

    def as_stream(self, batch: feed.Batch) -> feed.Batch:
        """The batch with FEATURES as a stream of numbers."""
        return batch._replace(streams={FEATURES: flagged(self.rows(batch, FEATURES))})

    def shares(self, scores: np.ndarray) -> np.ndarray:
        """A share per class of every frame, float32 (frames, classes), from the SCORES of a whole video."""
        return system.shares(self._system, scores)

    def _batches(self, video: Path, start: int) -> Iterator[feed.Batch]:
        region = (self._region[0], self._region[1], self._region[2], self._region[3]) if self._region else None
        seen = frames(video, region, self._feeder, start)
        for first in itertools.count(start, self.batch_size):
            group: list[Frame] = list(itertools.islice(seen, self.batch_size))
            if not group:
                return
            times, maps, rows = zip(*group)
            yield feed.Batch(first, np.array(times), {"c1": np.stack(maps), "position": np.stack(rows)})


def flagged(features: np.ndarray) -> np.ndarray:
    """Features (n, 310) as a stream of numbers has them, (n, 311): the last one says that they are known."""
    return np.concatenate([features, np.ones((len(features), 1), np.float32)], axis=1)
