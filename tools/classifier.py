"""A model's deploy net: images in, probabilities out."""

from __future__ import annotations

import queue
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import position
from data_prep.errors import InputError
from data_prep.ordered import ordered
from data_prep.stages import Stages
from python_layers.settings import STORED_CHANNELS
from tools import blob_rows, current_video, deploy_nets, feed, network
from tools.model import DEPLOY, WEIGHTS, Model

# The deploy net's input of each stream (prototxt/).
INPUTS = {"shape": "data", "motion": "motion", "position": "position", "features": "features"}


class Classifier:
    """Runs a model's deploy net on batches of frames, in the order of the video.

    A recurrent net keeps its state from one batch to the next until `start` is called for another video. Other nets are
    there `lanes` times, with the same weights, so that as many threads may ask for rows at once.
    `blob`: one whose rows will be asked for; those of the classes' probabilities always may.
    """

    def __init__(self, model: Model, batch_size: int | None = None, blob: str | None = None, lanes: int = 1):
        self._model = model
        self._file = file = model.path / DEPLOY
        written = network.read_net(file)
        self._scores = network.probability_blob(written, file)
        self._written = [*written.input, *(top for layer in written.layer for top in layer.top)]
        self.recurrent = model.recurrent
        self.lanes = 1 if self.recurrent else lanes
        keep = {self._scores, network.feature_blob(written, file), blob or self._scores}
        nets = deploy_nets.load(file, model.path / WEIGHTS, self.lanes, keep, self._grey())
        self.net = nets[0]
        for stream in model.streams:
            if INPUTS[stream] not in self.net.blobs:
                raise InputError(f"{file}: no input {INPUTS[stream]!r} for the {stream} stream")
        self._continues = False
        shown = self.net.blobs[INPUTS[model.streams[0]]].data.shape[0]
        if self.recurrent and batch_size not in (None, shown):
            raise InputError(f"{file}: a recurrent network takes {shown} frames at a time; leave --batch-size out")
        self.batch_size = shown if self.recurrent else batch_size or model.preprocessing["batch_size"]
        self._idle: queue.LifoQueue[Any] = queue.LifoQueue()  # the nets that no thread computes with
        for net in nets:
            if not self.recurrent:
                for stream in model.streams:
                    data = net.blobs[INPUTS[stream]]
                    data.reshape(self.batch_size, *data.data.shape[1:])
                net.reshape()
            self._idle.put(net)

    def start(self) -> None:
        """The next batch begins a video."""
        self._continues = False

    @property
    def feature_blob(self) -> str:
        """The blob that the classes' scores are computed from."""
        return network.feature_blob(network.read_net(self._file), self._file)

    def batches(self, video: Path, start: int = 0, stages: Stages | None = None) -> Generator[feed.Batch, None, None]:
        """The frames of a video from frame `start` on, as the model's streams, made ahead."""
        if self._model.streams == ["features"]:
            extracted = current_video.Extractor(self._model, self.batch_size)
            maps = extracted.batches(video, start, stages)
            return ordered(maps, extracted.as_stream, 1, 2, stages or Stages(), "templates")
        return feed.batches(video, self._model.preprocessing, self._model.streams, self.batch_size, start, stages)

    def probabilities(self, batch: feed.Batch, stages: Stages | None = None) -> np.ndarray:
        """Float32 (n, classes) for the n frames of a batch, n at most batch_size; fewer are filled up."""
        return self.rows(batch, self._scores, stages).reshape(len(batch.times), -1)

    def rows(self, batch: feed.Batch, blob: str, stages: Stages | None = None) -> np.ndarray:
        """What a blob holds of each of the n frames of a batch after the whole forward pass, float32 (n, …). Filling
        the net's inputs is the stage `input`."""
        net = self._idle.get()
        try:
            with (stages or Stages()).works("input"):
                order = self._order()
                for stream, stored in batch.streams.items():
                    self._fill(stream, stored, order, net.blobs[INPUTS[stream]].data)
                if self.recurrent:
                    self._mark_starts()
            net.forward()
            self._continues = True
            out = np.empty((self.batch_size, *self.shape(blob)), np.float32)
            out[order] = np.array(net.blobs[blob].data).reshape(out.shape)
        finally:
            self._idle.put(net)
        return out[: len(batch.times)]

    def shape(self, blob: str) -> tuple[int, ...]:
        """The shape of a frame's row in a blob. Raises InputError as `blob_rows.row_shape` does."""
        # Not of their data, which would be fetched from the GPU.
        shapes = {name: tuple(one.shape) for name, one in self.net.blobs.items()}
        known = {name: shapes.get(name, ()) for name in self._written}
        return blob_rows.row_shape(known, blob, self.batch_size, shapes.get("cont"), self._file)

    def _grey(self) -> list[str]:
        """The inputs whose channels are all the same: one stored channel, less one mean, is repeated."""
        settings = self._model.preprocessing
        return [
            INPUTS[stream]
            for stream in self._model.streams
            if STORED_CHANNELS.get(stream) == 1 and len(settings["mean"][stream]) == 1
        ]

    def _fill(self, stream: str, stored: np.ndarray, order: np.ndarray, data: np.ndarray) -> None:
        """Put the frames of a batch into a net's input, row by row in `order`; the last one fills what is left."""
        settings, count = self._model.preprocessing, len(stored)
        if stream in settings.get("deviation", {}):
            values = position.standardised(stored, settings["mean"][stream], settings["deviation"][stream])
            data[...] = values[np.minimum(order, count - 1)]
            return
        in_order = len(order) == 1 or (np.diff(order) == 1).all()
        rows = data[:count] if in_order else np.empty((count, *data.shape[1:]), np.float32)
        feed.network_input(stored, settings["mean"][stream], settings["crop"], rows)
        if in_order:
            data[count:] = data[count - 1]
        else:
            data[...] = rows[np.minimum(order, count - 1)]

    def _order(self) -> np.ndarray:
        """The frame of the batch at each row: rows are time-major (row t·N + n), frames sequence by sequence."""
        steps = self.net.blobs["cont"].data.shape[0] if self.recurrent else 1
        return np.arange(self.batch_size).reshape(-1, steps).T.ravel()

    def _mark_starts(self) -> None:
        """Only a single sequence goes on where the batch before left off, as in python_layers.frame_plan."""
        cont = self.net.blobs["cont"].data
        cont[...] = 1
        cont[0] = 1 if self._continues and cont.shape[1] == 1 else 0
