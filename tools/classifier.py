"""A model's deploy net: images in, probabilities out."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np

from data_prep import position
from data_prep.errors import InputError
from tools import blob_rows, current_video, feed, network
from tools.backend import layers_of_file, load_caffe
from tools.model import DEPLOY, WEIGHTS, Model

# The deploy net's input of each stream (prototxt/).
INPUTS = {"shape": "data", "motion": "motion", "position": "position", "features": "features"}


class Classifier:
    """Runs a model's deploy net on batches of frames, in the order of the video.

    A recurrent net keeps its state from one batch to the next until `start` is called for another video.
    """

    def __init__(self, model: Model, batch_size: int | None = None):
        self._model = model
        self._file = file = model.path / DEPLOY
        self._scores = network.probability_blob(network.read_net(file), file)
        caffe = load_caffe()
        with layers_of_file(file):
            self.net = caffe.Net(str(file), caffe.TEST, weights=str(model.path / WEIGHTS))
        for stream in model.streams:
            if INPUTS[stream] not in self.net.blobs:
                raise InputError(f"{file}: no input {INPUTS[stream]!r} for the {stream} stream")
        self._continues = False
        self.recurrent = "cont" in self.net.blobs
        shown = self.net.blobs[INPUTS[model.streams[0]]].data.shape[0]
        if self.recurrent and batch_size not in (None, shown):
            raise InputError(f"{file}: a recurrent network takes {shown} frames at a time; leave --batch-size out")
        self.batch_size = shown if self.recurrent else batch_size or model.preprocessing["batch_size"]
        if not self.recurrent:
            for stream in model.streams:
                blob = self.net.blobs[INPUTS[stream]]
                blob.reshape(self.batch_size, *blob.data.shape[1:])
            self.net.reshape()

    def start(self) -> None:
        """The next batch begins a video."""
        self._continues = False

    @property
    def feature_blob(self) -> str:
        """The blob that the classes' scores are computed from."""
        return network.feature_blob(network.read_net(self._file), self._file)

    def batches(self, video: Path, start: int = 0) -> Generator[feed.Batch, None, None]:
        """The frames of a video from frame `start` on, as the model's streams, decoded ahead."""
        if self._model.streams == ["features"]:
            extracted = current_video.Extractor(self._model, self.batch_size)
            return (extracted.as_stream(batch) for batch in extracted.batches(video, start))
        return feed.batches(video, self._model.preprocessing, self._model.streams, self.batch_size, start)

    def probabilities(self, batch: feed.Batch) -> np.ndarray:
        """Float32 (n, classes) for the n frames of a batch, n at most batch_size; fewer are filled up."""
        return self.rows(batch, self._scores).reshape(len(batch.times), -1)

    def rows(self, batch: feed.Batch, blob: str) -> np.ndarray:
        """What a blob holds of each of the n frames of a batch after the whole forward pass, float32 (n, …)."""
        count = len(batch.times)
        order = self._order()
        rows = np.minimum(order, count - 1)
        for stream, stored in batch.streams.items():
            data = self.net.blobs[INPUTS[stream]].data
            data[...] = self._input(stream, stored, data.shape[1])[rows]
        if self.recurrent:
            self._mark_starts()
        self.net.forward()
        self._continues = True
        out = np.empty((self.batch_size, *self.shape(blob)), np.float32)
        out[order] = np.array(self.net.blobs[blob].data).reshape(out.shape)
        return out[:count]

    def shape(self, blob: str) -> tuple[int, ...]:
        """The shape of a frame's row in a blob. Raises InputError as `blob_rows.row_shape` does."""
        # Not of their data, which would be fetched from the GPU.
        shapes = {name: tuple(one.shape) for name, one in self.net.blobs.items()}
        return blob_rows.row_shape(shapes, blob, self.batch_size, shapes.get("cont"), self._file)

    def _input(self, stream: str, stored: np.ndarray, channels: int) -> np.ndarray:
        settings = self._model.preprocessing
        if stream in settings.get("deviation", {}):
            return position.standardised(stored, settings["mean"][stream], settings["deviation"][stream])
        return feed.network_input(stored, settings["mean"][stream], settings["crop"], channels)

    def _order(self) -> np.ndarray:
        """The frame of the batch at each row: rows are time-major (row t·N + n), frames sequence by sequence."""
        steps = self.net.blobs["cont"].data.shape[0] if self.recurrent else 1
        return np.arange(self.batch_size).reshape(-1, steps).T.ravel()

    def _mark_starts(self) -> None:
        """Only a single sequence goes on where the batch before left off, as in python_layers.frame_plan."""
        cont = self.net.blobs["cont"].data
        cont[...] = 1
        cont[0] = 1 if self._continues and cont.shape[1] == 1 else 0
