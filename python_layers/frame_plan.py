"""Which frame stands where in batch k: a function of the settings, the labels and k, and of nothing else.

Places are time-major, as Caffe's LSTM wants them: an array (T, N) of N sequences of T frames, so that place
(t, n) is row t·N + n of the layer's tops.

In order (shuffle false) a pass shows every annotated frame once: sequence s holds the annotated frames s·T
to s·T + T − 1 of the videos one after the other, and batch k the sequences k·N to k·N + N − 1. The last
batch of a pass is filled up with the pass's first frames, whose label is then −1, so that nobody counts
them twice, and the next batch starts the next pass. A frame whose predecessor in its video was not
annotated comes after a gap.

Shuffled, a sequence is any T successive frames of a video the last of which is annotated. With uniform
sampling all such windows are shown once, in an order drawn by seed, before one is shown again; with
balanced sampling a class is drawn first, then a window whose last frame shows it.

Running, for recurrent networks, sequence n of a batch goes on where sequence n of the batch before left off, for
`carry` batches; then all start afresh from other places, drawn by seed but as far apart from each other as can be in
the annotated frames of all videos, in order and around. So a network learns with a state that has seen carry·T
frames, and yet sees other frames soon. A training that is interrupted between two such runs can go on as if it had
not been.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from data_prep import dataset as datasets
from data_prep.errors import InputError
from python_layers.settings import Settings

# Each use of chance has a stream of its own, so that a change to one leaves the others as they were.
ORDER, WINDOW, CROP = 1, 2, 3


class Timeline(NamedTuple):
    """All frames of some videos, one video after the other.

    label: (frames,) class index or −1. first: (videos + 1,) index of each video's frame 0, and of the end.
    """

    label: np.ndarray
    first: np.ndarray


class Places(NamedTuple):
    """The frames of a batch, each array (T, N): index into the settings' videos, frame in the video, label
    as the layer gives it (−1 also where a pass is filled up), and cont (0 where a sequence starts)."""

    video: np.ndarray
    frame: np.ndarray
    label: np.ndarray
    cont: np.ndarray


class Plan(NamedTuple):
    """What `places` needs. frames: indices into the timeline of the frames a pass in order shows, or of the
    last frames of all windows; follows: (frames,) whether each of these comes directly after the one
    before; by_class: these frames by class, for balanced sampling."""

    settings: Settings
    timeline: Timeline
    frames: np.ndarray
    follows: np.ndarray
    by_class: tuple[np.ndarray, ...]


def make_timeline(labels: Sequence[np.ndarray]) -> Timeline:
    """A timeline from the labels of each video."""
    return Timeline(np.concatenate(labels), np.cumsum([0] + [len(one) for one in labels]))


def read_timeline(settings: Settings) -> Timeline:
    """The labels of the settings' videos, which must be prepared.

    Raises InputError if one of them is not there, is not prepared, has no labels, or none is annotated.
    """
    dataset = datasets.open_dataset(settings.dataset)
    labels = []
    for stem in settings.videos:
        if stem not in dataset.videos:
            raise InputError(f"{dataset.path / 'videos'}: no video {stem!r}; there are {', '.join(dataset.videos)}")
        if not dataset.labels(stem).is_file():
            raise InputError(f"{dataset.labels(stem)}: no labels for this video; annotate it, or leave it out")
        frames = datasets.prepared(dataset, stem).frames
        labels.append(datasets.read_labels(dataset.labels(stem), dataset.classes, frames))
    timeline = make_timeline(labels)
    if not (timeline.label >= 0).any():
        raise InputError(f"{dataset.path / 'labels'}: no annotated frame in {', '.join(settings.videos)}")
    return timeline


def make_plan(settings: Settings, timeline: Timeline) -> Plan:
    """Raises InputError if shuffled windows are wanted and no video is long enough for one."""
    frames = np.flatnonzero(timeline.label >= 0)
    if settings.shuffle and settings.sampling != "running":
        begin = timeline.first[np.searchsorted(timeline.first, frames, side="right") - 1]
        frames = frames[frames - begin >= settings.sequence_length - 1]
    if not len(frames):
        raise InputError(
            f"{settings.dataset}: no video has {settings.sequence_length} frames up to an annotated one; "
            "make sequence_length smaller"
        )
    follows = np.zeros(len(frames), bool)
    follows[1:] = np.diff(frames) == 1
    follows &= ~np.isin(frames, timeline.first)
    label = timeline.label[frames]
    return Plan(settings, timeline, frames, follows, tuple(frames[label == one] for one in np.unique(label)))


def read_plan(settings: Settings) -> Plan:
    """The plan of settings whose videos are prepared and labelled. Raises InputError if they are not."""
    return make_plan(settings, read_timeline(settings))


def batches_in_pass(plan: Plan) -> int:
    """Batches that show every annotated frame (in order, running) or every window (shuffled) once."""
    windows = plan.settings.shuffle and plan.settings.sampling != "running"
    steps = 1 if windows else plan.settings.sequence_length
    return -(-len(plan.frames) // (steps * plan.settings.batch_size))


def places(plan: Plan, batch: int) -> Places:
    """The frames of batch `batch` (from 0), or of the layer's share of it."""
    if not plan.settings.shuffle:
        whole = _in_order(plan, batch)
    else:
        whole = _running(plan, batch) if plan.settings.sampling == "running" else _shuffled(plan, batch)
    return Places(*(array[:, plan.settings.columns] for array in whole)) if plan.settings.share else whole


def _in_order(plan: Plan, batch: int) -> Places:
    steps, sequences = plan.settings.sequence_length, plan.settings.batch_size
    begin = batch % batches_in_pass(plan) * steps * sequences
    position = begin + np.arange(steps * sequences).reshape(sequences, steps).T
    around = position % len(plan.frames)
    index = plan.frames[around]
    label = np.where(position < len(plan.frames), plan.timeline.label[index], datasets.NOT_ANNOTATED)
    cont = plan.follows[around].astype(np.int64)
    if sequences > 1:  # only a single sequence goes on where the batch before left off
        cont[0] = 0
    return _located(plan.timeline, index, label, cont)


def _running(plan: Plan, batch: int) -> Places:
    steps, sequences, count = plan.settings.sequence_length, plan.settings.batch_size, len(plan.frames)
    run, turn = divmod(batch, plan.settings.carry)
    first = _random(plan.settings.seed, WINDOW, run).randint(count)
    starts = first + np.arange(sequences) * count // sequences + turn * steps
    around = (starts + np.arange(steps)[:, np.newaxis]) % count
    index = plan.frames[around]
    cont = plan.follows[around].astype(np.int64)
    if turn == 0:
        cont[0] = 0
    return _located(plan.timeline, index, plan.timeline.label[index], cont)


def _shuffled(plan: Plan, batch: int) -> Places:
    steps = plan.settings.sequence_length
    draw = _balanced if plan.settings.sampling == "balanced" else _uniform
    index = draw(plan, batch) + np.arange(1 - steps, 1)[:, np.newaxis]
    cont = np.ones(index.shape, np.int64)
    cont[0] = 0
    return _located(plan.timeline, index, plan.timeline.label[index], cont)


def _uniform(plan: Plan, batch: int) -> np.ndarray:
    size, count = plan.settings.batch_size, len(plan.frames)
    epoch, turn = np.divmod(batch * size + np.arange(size), count)
    orders = {one: _order(plan.settings.seed, one, count) for one in set(epoch.tolist())}
    return np.array([plan.frames[orders[one][place]] for one, place in zip(epoch.tolist(), turn)])


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
    return _random(seed, ORDER, epoch).permutation(count)


def _balanced(plan: Plan, batch: int) -> np.ndarray:
    random = _random(plan.settings.seed, WINDOW, batch)
    drawn = random.randint(len(plan.by_class), size=plan.settings.batch_size)
    share = random.random_sample(plan.settings.batch_size)
    chosen = [plan.by_class[one] for one in drawn]
    return np.array([frames[int(part * len(frames))] for frames, part in zip(chosen, share)])


def _located(timeline: Timeline, index: np.ndarray, label: np.ndarray, cont: np.ndarray) -> Places:
    video = np.searchsorted(timeline.first, index, side="right") - 1
    return Places(video, index - timeline.first[video], label, cont)


def crop_offsets(settings: Settings, batch: int, training: bool) -> np.ndarray:
    """Top and left of each sequence's crop, (N, 2): drawn by seed and batch in training, else the centre."""
    free = settings.size - settings.crop
    if not training:
        return np.full((settings.sequences, 2), free // 2)
    drawn = batch // settings.carry if settings.sampling == "running" else batch
    random = _random(settings.seed, CROP, drawn)
    return random.randint(free + 1, size=(settings.batch_size, 2))[settings.columns]


def _random(*stream: int) -> np.random.RandomState:
    """A generator at the start of the stream that these numbers name, good until this thread's next call: making one
    takes ten times as long as seeding it again."""
    generator = _generator(threading.get_ident())
    generator.seed(stream)
    return generator


@cache
def _generator(thread: int) -> np.random.RandomState:
    return np.random.RandomState(0)


def frame_list(settings: Settings, batch: int, where: Places, training: bool) -> np.ndarray:
    """The pixels of a batch, int64 (T·N, 4), given its `places`: video, frame, top and left of the crop of each."""
    listed = np.empty((*where.video.shape, 4), np.int64)
    listed[..., 0], listed[..., 1] = where.video, where.frame
    listed[..., 2:] = crop_offsets(settings, batch, training)
    return listed.reshape(-1, 4)
