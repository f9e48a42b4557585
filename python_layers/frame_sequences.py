"""FrameSequenceData: a Caffe data layer of frame sequences from prepared videos.

    layer {
      name: "data"  type: "Python"  top: "data"  top: "motion"  top: "label"
      python_param {
        module: "python_layers.frame_sequences"  layer: "FrameSequenceData"
        param_str: '{"dataset": "cage", "videos": ["a", "b"], "streams": ["shape", "motion"], ...}'
      }
    }

`settings` lists the keys, `frame_plan` says which frame stands where in which batch.
"""

from __future__ import annotations

import os

import caffe
from data_prep import dataset as datasets
from data_prep import lmdb_store
from data_prep.errors import InputError
from python_layers import frame_plan
from python_layers.batches import Task
from python_layers.prefetch import OnTheSpot, Prefetcher
from python_layers.settings import Settings, parse, top_shapes


class FrameSequenceData(caffe.Layer):
    """Tops: each stream (T·N, C, crop, crop), position (T·N, 10), features (T·N, 310), label (T·N,), and cont (T, N) if
    there is one more.

    Pixels are grey levels 0–255 less the stream's mean, grey in three equal channels; positions are those of
    `data_prep.position`, features those of a trained current system (`ethocaffe train --features`), less their mean and
    divided by their deviation; labels are class indices or −1; cont is 0 where a sequence starts. Crops are random in
    TRAIN, the same for all frames and streams of a sequence, and central in TEST. With workers, the streams' tops may
    be other memory after each forward, as those of Caffe's own data layers are. Of n solvers that train together
    (caffe.solver_count), each takes every n-th batch in TRAIN, or its share of each. Raises InputError for settings or
    data that do not fit, at setup where that can be known.
    """

    def setup(self, bottom, top):
        settings = parse(self.param_str)
        shapes = top_shapes(settings)
        if len(bottom) or len(top) not in (len(shapes) - 1, len(shapes)):
            raise InputError(
                f"FrameSequenceData: {len(bottom)} bottoms and {len(top)} tops; it takes no bottom, "
                f"and its tops are {', '.join(settings.streams)}, label and, if wanted, cont"
            )
        for index in range(len(top)):  # real Caffe's list of blobs has no iterator
            top[index].reshape(*shapes[index])
        timeline = frame_plan.read_timeline(settings)
        frame_plan.make_plan(settings, timeline)  # so that what does not fit is said now
        training = self.phase == caffe.TRAIN
        together = training and not settings.share
        solvers, rank = (caffe.solver_count(), caffe.solver_rank()) if together else (1, 0)
        task = Task(settings, lmdb_paths(settings), training, solvers, rank)
        self._source = (Prefetcher if settings.workers else OnTheSpot)(task, timeline)

    def reshape(self, bottom, top):
        """The shapes never change after setup."""

    def forward(self, bottom, top):
        self._source.take([top[index] for index in range(len(top))])

    def backward(self, top, propagate_down, bottom):
        """Data has no gradient."""


def lmdb_paths(settings: Settings) -> dict[str, list[str]]:
    """Per stream the LMDB of each video; raises InputError if one is missing or of another size."""
    dataset = datasets.open_dataset(settings.dataset)
    paths: dict[str, list[str]] = {stream: [] for stream in settings.streams}
    prepared_streams = [stream for stream in settings.streams if stream != "features"]
    for stem in settings.videos:
        prepared = datasets.prepared(dataset, stem, prepared_streams)
        if settings.pictures and prepared.meta["size"] != settings.size:
            raise InputError(
                f"{prepared.path}: prepared at {prepared.meta['size']} pixels, and the network has "
                f"{settings.size}; run `ethocaffe prepare {settings.dataset} --size {settings.size}`"
            )
        for stream in prepared_streams:
            paths[stream].append(os.path.abspath(prepared.streams[stream]))
        if "features" in settings.streams:
            paths["features"].append(_features(settings.features, prepared))
    return paths


def _features(folder: str, prepared: datasets.Prepared) -> str:
    path = os.path.abspath(os.path.join(folder, f"{prepared.stem}.lmdb"))
    frames = len(lmdb_store.open_reader(path))
    if frames != prepared.frames:
        raise InputError(
            f"{path}: has {frames} frames, but the video {prepared.frames}; remove it, and give the command again"
        )
    return path
