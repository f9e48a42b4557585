"""From a video's file to what a network reads, streaming: the same values as from the prepared dataset."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from data_prep import video
from data_prep.errors import InputError
from data_prep.streams import LEAD, STREAMS, stored_frames

Made = TypeVar("Made")


class Batch(NamedTuple):
    """Consecutive frames: the number of the first, their times in seconds (n,), and per stream uint8 images
    (n, channels, size, size), or float32 rows (n, numbers): (n, 11) of the position."""

    first: int
    times: np.ndarray
    streams: dict[str, np.ndarray]


def batches(
    path: Path, preprocessing: dict[str, Any], streams: list[str], size: int, start: int = 0
) -> Generator[Batch, None, None]:
    """The frames of a video from frame `start` on, `size` at a time (fewer at the end), decoded ahead."""
    return ahead(_batches(path, preprocessing, streams, size, start))


def network_input(stored: np.ndarray, mean: list[float], crop: int, channels: int) -> np.ndarray:
    """Stored images, uint8 (n, c, size, size), as the network reads them in the TEST phase: the central
    crop less the mean, float32 (n, channels, crop, crop); one stored channel is repeated."""
    free = stored.shape[-1] - crop
    top = left = free // 2
    window = stored[:, :, top : top + crop, left : left + crop]
    less_mean = np.subtract(window, np.array(mean, np.float32).reshape(1, -1, 1, 1), dtype=np.float32)
    return np.broadcast_to(less_mean, (len(stored), channels, crop, crop)) if stored.shape[1] == 1 else less_mean


def _batches(path: Path, preprocessing: dict[str, Any], streams: list[str], size: int, start: int) -> Iterator[Batch]:
    region = preprocessing["region"]
    check_region(path, region)
    before = min(start, LEAD)  # frames that only the first motion image looks back at
    times: list[float] = []

    def told(index: int, seconds: float) -> None:
        if index >= start - before:
            times.append(seconds)

    track = "position" in streams
    feeder = preprocessing.get("feeder")
    frames = stored_frames(path, region, preprocessing["stored_size"], start - before, told, track, feeder)
    copies = itertools.tee(frames, len(streams))
    made = [STREAMS[stream].images(copy) for stream, copy in zip(streams, copies)]
    pictures = itertools.islice(zip(*made), before, None)
    first = start
    while True:
        group = list(itertools.islice(pictures, size))
        if not group:
            return
        count = len(group)
        taken = np.array(times[before : before + count])
        del times[:count]
        yield Batch(first, taken, {stream: np.stack(column) for stream, column in zip(streams, zip(*group))})
        first += count


def check_region(path: Path, region: list[int] | None) -> None:
    """Raise InputError where a video's frames do not hold the region that a model was trained on."""
    info = video.probe(path)
    if region and (info.height < region[2] or info.width < region[3]):
        raise InputError(
            f"{path}: {info.width}×{info.height} pixels, but the model was trained on the region "
            f"{','.join(map(str, region))} (top, left, bottom, right) of larger frames"
        )


def ahead(made: Iterator[Made], depth: int = 3) -> Generator[Made, None, None]:
    """The same batches, made by a thread up to `depth` ahead, so that decoding and computing overlap."""
    ready: queue.Queue[Any] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: Any) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for batch in made:
                put(batch)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:  # handed to the reader, which raises it
            put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item = ready.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
